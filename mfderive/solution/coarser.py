"""The same problem with coarser resolutions: fewer nodes, fewer samples of the data, longer steps in time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..runs.error_sentences import FEW_DATA, FEW_NODES, FEW_STEPS
from ..samples.quadrature import SAMPLED_PART, coarser_count, fewer_gauss
from ..state.ensemble_plan import Ensemble
from .coarse_plans import numbers_by_name
from .feed import Feed, integrated_source, make_feed
from .flow import make_run
from .grid import Clock
from .march import Run
from .start import full_state, reduced_state, start_state
from .stepping import Problem, check_run_memory

Arrays = dict[str, Any]

# By how much a coarser tolerance of the steps in time is larger.
COARSER_RTOL = 8
# Beyond so many times of a curve, it is compared at every other one.
_MANY_TIMES = 60
# What part of a difference the error of the finer solution can be, as a factor
# (mfderive.solution.loss_error says why).
SAMPLED, GAUSS, STEPS = 4.0, 2.0, 1.0
# Resolutions beside the axes that have Gauss nodes.
DATA, TIME, SAMPLED_NODES = "data", "time", "sampled nodes"


class FinestError(Exception):
    """A resolution that has nothing coarser; its argument says which one."""


@dataclass
class Coarser:
    """A problem with coarser resolutions: what was made coarser (``facts``), and the factor of its kind."""

    problem: Problem
    clock: Clock
    feed: Feed
    state: Arrays
    factor: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether there was nothing to make coarser."""
        return not self.facts

    def took(self, factor: float, **facts: Any) -> None:
        """Something was made coarser."""
        self.factor = max(self.factor, factor)
        self.facts |= facts

    def run(self, finer: Run) -> Run:
        """The run of this problem, at times at which ``finer`` was observed and on its first samples.

        At every other of many times: their largest difference over a while is what tells.

        Raises ResourceError where it does not fit into the memory.
        """
        times = np.array([row.time for row in finer.rows])
        if len(times) > _MANY_TIMES:
            times = np.append(times[:-1:2], times[-1])
        observed = np.flatnonzero(np.isin(self.clock.times, times))
        check_run_memory(self.problem, self.state, self.feed.samples)
        run = make_run(self.problem, self.clock, self.feed, 2, observed=observed)
        count = finer.law_parts.compared
        assert finer.y is not None
        run.x, run.y, run.law_parts = finer.x[:count], finer.y[:count], finer.law_parts.first()
        run.words = "limit, coarser"
        return run


def coarser(
    run: Run,
    initial: Mapping[str, Any] | None,
    parts: Collection[str] | None = None,
    replicate: int = 0,
    fewer_of: Callable[[int], int] = fewer_gauss,
) -> Coarser:
    """The problem of a run with its resolutions made coarser together, or only those of ``parts``.

    These are those of Gauss nodes (:func:`mfderive.solution.coarse_plans.numbers_by_name`), and DATA, TIME
    and SAMPLED_NODES. What is part of the problem stays: the steps and batches of SGD, a data set, a state
    that was given (``initial``). ``replicate``: the number of the scramble of sampled points; ``fewer_of``:
    how many Gauss nodes a number has in place of so many. Raises FinestError where a resolution has nothing
    coarser.
    """
    problem, options, source = run.problem, run.options, run.network.source
    made = Coarser(problem, run.clock, run.feed, {})
    scramble = another_seed(options.seed, replicate)
    if parts is None or DATA in parts:
        _take_data(made, run, replicate)
    if parts is None or TIME in parts:
        _take_time(made, run)
    resamples = parts is None or SAMPLED_NODES in parts
    if resamples:
        # Fresh noise is sampled, too: the finer solution's draws would be the coarser one's as well.
        made.problem = replace(made.problem, options=replace(made.problem.options, seed=scramble))
    if initial is not None or not (options.reduce or resamples):
        _, made.state = start_state(problem.reduced, options, initial, None, run.clock, source)
    elif options.reduce:
        plans = problem.plans
        fewer = {name: _fewer(problem.system, plan, parts, fewer_of) for name, plan in plans.items()}
        for name, plan in fewer.items():
            if plan != plans[name]:
                made.took(SAMPLED if plan.is_sampled else GAUSS)
                made.facts.setdefault("nodes", {})[name] = plan.nodes
        if not made.is_exact:
            state = reduced_state(problem.system, fewer, options, source, scramble if resamples else None)
            made.state = dict(problem.reduced.fold(state))
    else:
        widths = _fewer_widths(options)
        made.took(SAMPLED, widths=widths)
        made.state = full_state(problem.system, widths, options, scramble)
    return made


def another_seed(seed: int, replicate: int = 0) -> int:
    """The seed of other points than those of ``seed``, the same for equal numbers."""
    return (seed + 1) * 1_000_003 + replicate


def halved(nodes: int) -> int:
    """About half of the Gauss nodes of a number, of the same parity; 0: there are no fewer.

    A kink in the centre of the law, which neurons of symmetric weights without a bias have, stays between two
    nodes. One of the other parity has a node on the kink, where a derivative is what it is defined to be.
    """
    others = [n for n in range(2, nodes) if not (nodes - n) % 2]
    return min(others, key=lambda n: abs(2 * n - nodes), default=0)


def _fewer(
    system: LimitSystem, plan: Ensemble, parts: Collection[str] | None, fewer_of: Callable[[int], int]
) -> Ensemble:
    """A plan with fewer nodes, as far as it belongs to ``parts``; the same where these are exact."""
    if not plan.dimension or (not plan.is_sampled and all(plan.exact)):
        return plan
    if plan.is_sampled:
        chosen = parts is None or SAMPLED_NODES in parts
        fewer = replace(plan, nodes=plan.nodes // SAMPLED_PART) if chosen else plan
    else:
        named = numbers_by_name(system, plan).items()
        numbers = [k for name, own in named if parts is None or name in parts for k in own]
        fewer = plan.other(fewer_of, None if parts is None else numbers)
    if not fewer.nodes:
        raise FinestError(FEW_NODES)
    return fewer


def _fewer_widths(options: SolveOptions) -> int | dict[str, int]:
    """A quarter of the nodes of a full ensemble's populations."""
    widths = options.widths
    given = widths.values() if isinstance(widths, dict) else (widths,)
    if min(given, default=SAMPLED_PART) < SAMPLED_PART:
        raise FinestError(FEW_NODES)
    if isinstance(widths, dict):
        return {name: width // SAMPLED_PART for name, width in widths.items()}
    return widths // SAMPLED_PART


def _take_data(made: Coarser, run: Run, replicate: int) -> None:
    """Fewer samples of a law that every step integrates."""
    feed = run.feed
    source = integrated_source(run.network, run.problem.reduced)
    count = None if feed.nodes is None else coarser_count(source, feed.rule, feed.asked)
    if count is None:
        return
    if not count:
        raise FinestError(FEW_DATA)
    scramble = another_seed(source.seed, replicate)
    made.feed = make_feed(run.network, run.problem.reduced, feed.rule, count, scramble)
    made.took(GAUSS if feed.rule == "quadrature" else SAMPLED, samples=made.feed.samples)


def _take_time(made: Coarser, run: Run) -> None:
    """Longer steps where they follow a flow: SGD's own are part of the problem, and so are its batches."""
    options, clock = run.options, run.clock
    if options.method in ADAPTIVE:
        # No event ends the coarser flow: it has the times of the finer one, to its end.
        made.clock = _until(clock, run.rows[-1].time, run.rows[-1].step)
        rtol, atol = (COARSER_RTOL * (options.rtol or 0), COARSER_RTOL * (options.atol or 0))
        wider = replace(options, rtol=rtol, atol=atol, until_loss=None, until_speed=None)
        made.problem = replace(made.problem, options=wider)
        made.took(STEPS, rtol=rtol)
    elif options.method != "euler" and (run.feed.nodes or run.network.training.batch_size == "all"):
        if clock.steps < 2:
            raise FinestError(FEW_STEPS)
        kept = np.unique([*range(0, clock.steps + 1, 2), clock.steps])
        made.clock = Clock(clock.times[kept], clock.sgd_steps[kept])
        made.took(STEPS, steps=made.clock.steps)


def _until(clock: Clock, time: float, step: int) -> Clock:
    """A clock that ends at a time."""
    before = clock.times < time
    return Clock(np.append(clock.times[before], time), np.append(clock.sgd_steps[before], step))
