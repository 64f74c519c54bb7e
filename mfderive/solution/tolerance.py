"""Resolutions chosen by what each of them contributes to the stated error of the loss curve.

A first solution is coarse. What each of its resolutions contributes to the error is measured as that of
every solution is (:mod:`mfderive.solution.loss_error`): by one in which this resolution alone is coarser.
Those that contribute more than their share are refined, by as much as their order says but fourfold at most
at a time, and the next solution is finer in all of them. What they then contribute is measured by one
solution in which all of them are coarser. What did not matter stays where it is and is not measured again.
So all solutions before the last cost a part of it, and those beside it, too.

Sampled points have SCRAMBLES solutions of a quarter of the points beside them. Their scatter s (Student's t)
and the distance d of their mean are errors of a quarter of the points; with errors of order p, those of all
are 4^-p s and d / (4^p - 1). p = 1/2 for random draws; scrambled Sobol points are taken to have 3/4.

The evaluation is a resolution like the others. Steps and batches of SGD (euler) are part of the problem, for
the networks make the same ones; how far other batches would move the curve is reported beside the estimate.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Any

import numpy as np

from ..errors import DivergenceError, MfError, ResourceError
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..samples.spaced_nodes import is_spaced
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import plan_ensembles
from .coarse_plans import COARSE_GAUSS, COARSE_SAMPLED, coarse_plans, doubled
from .coarser import DATA, SAMPLED_NODES, TIME, FinestError, coarser
from .feed import integrated_source, law_of, make_feed
from .flow import finer_options, make_run
from .grid import make_clock
from .loss_error import Contribution, around, differences, with_loss_error
from .march import Run
from .start import start_state
from .stepping import Problem, check_run_memory

Array = Any

EVALUATION = "evaluation"
# Solutions of a quarter of sampled points, each with points of its own; Student's t for 99 % with one degree
# less; the order of their errors in the number of points, by the rule.
SCRAMBLES, SCATTER_STUDENT = 5, 4.604
_SAMPLED_ORDERS = {"sobol": 0.75, "monte-carlo": 0.5}
# Doublings after which a resolution is given up, and where refinement begins if nothing else is said.
DOUBLINGS, MOST_AT_ONCE = 8, 2
COARSE_SPACED, COARSE_WIDTHS = 32, 200
# By which power of 2 the error falls when a resolution is doubled, at the least: steps in time are of second
# order where functions have kinks, and a doubling makes rtol four times smaller.
_ORDERS = {TIME: 2.0}
# How far other batches move the curve, by so many curves: Student's t for 99 % with one degree less.
BATCHES, BATCH_STUDENT = 4, 5.841


@dataclass(frozen=True)
class Measured:
    """What some resolutions contribute together, [time] (nan: unknown)."""

    names: tuple[str, ...]
    part: Array

    @property
    def largest(self) -> float:
        """The most that they contribute at any time; inf where that is unknown."""
        largest = float(np.max(self.part, initial=0.0))
        return largest if np.isfinite(largest) else float("inf")


class Refinement:
    """Solutions of one problem at chosen levels of its resolutions."""

    def __init__(self, problem: Problem, progress: bool, keep: Keeping = UNKEPT) -> None:
        self.problem, self.progress, self.keep, self.made = problem, progress, keep, 0
        self.options, self.network = problem.options, problem.network
        self.plans = coarse_plans(problem)
        self.clock = make_clock(self.network, self.options)
        self.first: Array | None = None  # the loss of the first solution, the coarsest

    def names(self) -> list[str]:
        """What can be refined."""
        plans = self.plans.items()
        found = [name for name, plan in plans if not plan.is_sampled and not all(plan.exact)]
        if self.options.method != "euler":
            found.append(TIME)
        if self.options.data in ("sobol", "quadrature"):
            found.append(DATA)
        if not self.options.reduce or any(p.is_sampled and p.dimension for _, p in plans):
            found.append(SAMPLED_NODES)
        return [*found, EVALUATION]

    def numbers(self) -> dict[str, int]:
        """How many numbers the nodes of a tensor have, by resolution."""
        plans = {name: plan for name, plan in self.plans.items() if not plan.is_sampled}
        found = {name: max(1, plan.dimension - sum(plan.exact)) for name, plan in plans.items()}
        law = law_of(integrated_source(self.network, self.problem.reduced))
        if self.options.data == "quadrature" and law is not None:
            found[DATA] = max(1, len(law.kinds))
        return found

    def sampled(self, name: str) -> str | None:
        """The rule of a resolution that is sampled; None for others."""
        if name == DATA and self.options.data == "sobol":
            return "sobol"
        if name != SAMPLED_NODES:
            return None
        rules = {plan.rule for plan in self.plans.values() if plan.is_sampled and plan.dimension}
        return "sobol" if rules == {"sobol"} else "monte-carlo"

    def options_at(self, doublings: Mapping[str, int]) -> SolveOptions:
        """The options of a solution at some levels, but for the steps of rk4."""
        options = self.options
        if options.reduce:
            plans = {name: self.plan(name, doublings) for name in self.plans}
            options = replace(
                options,
                nodes={name: plan.nodes for name, plan in plans.items()},
                rule={name: plan.rule for name, plan in plans.items()},
            )
        else:
            options = replace(options, widths=self.widths(doublings[SAMPLED_NODES]))
        if options.method in ADAPTIVE:
            options = finer_options(options, 2 ** doublings[TIME])
        if DATA in doublings:
            options = replace(options, data_nodes=self.data_nodes(doublings[DATA]))
        return replace(options, evaluation=options.evaluation * 2 ** doublings[EVALUATION])

    def plan(self, name: str, doublings: Mapping[str, int]) -> Ensemble:
        """The nodes of an axis."""
        plan = self.plans[name]
        return doubled(plan, doublings.get(SAMPLED_NODES if plan.is_sampled else name, 0))

    def widths(self, doublings: int) -> Any:
        """Nodes of the full system's populations."""
        given = self.options.widths != type(self.options)().widths
        widths = self.options.widths if given else COARSE_WIDTHS
        if isinstance(widths, int):
            return widths * 2**doublings
        return {name: width * 2**doublings for name, width in widths.items()}

    def data_nodes(self, doublings: int) -> int:
        """Samples of the data at every step, as they are asked for."""
        rule, nodes = self.options.data, self.options.data_nodes
        law = law_of(integrated_source(self.network, self.problem.reduced))
        numbers = len(law.kinds) if law is not None else 1
        if nodes is None and rule == "sobol":
            nodes = COARSE_SAMPLED
        elif nodes is None:
            nodes = COARSE_SPACED if law is not None and is_spaced(law) else COARSE_GAUSS**numbers
        return int(nodes * 2 ** (doublings if rule == "sobol" else doublings * numbers))

    def words(self, name: str, run: Run) -> str:
        """How fine a resolution of a run is."""
        if name == TIME:
            adaptive = run.options.method in ADAPTIVE
            return f"rtol {run.options.rtol:.2g}" if adaptive else f"{run.clock.steps} steps"
        if name == DATA:
            return f"{run.feed.samples} samples per step"
        if name == EVALUATION:
            return f"{len(run.x)} points"
        if not self.options.reduce:
            return f"{run.options.widths} nodes per population"
        plans = plan_ensembles(self.problem.system, run.options.nodes, run.options.rule)
        if name != SAMPLED_NODES:
            return plans[name].words
        drawn = [plan for plan in plans.values() if plan.dimension and plan.is_sampled]
        return ", ".join(f"{plan.axis}: {plan.words}" for plan in drawn)

    # ------------------------------------------------------------------ solutions

    def solution(self, doublings: Mapping[str, int], offset: int = 0) -> tuple[Run, Trajectory]:
        """The run and the solution at some levels; ``offset``: on other batches."""
        options = self.options_at(doublings)
        problem = replace(self.problem, options=options)
        feed = make_feed(self.network, problem.reduced, options.data or "batches", options.data_nodes)
        feed = replace(feed, offset=offset)
        _, state = start_state(problem.reduced, options, None, None, self.clock, self.network.source)
        check_run_memory(problem, state, feed.samples)
        finer = 1 if options.method in ADAPTIVE else 2 ** doublings.get(TIME, 0)
        run = make_run(problem, self.clock, feed, options.checkpoints, finer)
        path = run.trajectory(state, 0, None, self.progress, self.next_part())
        self.first = path.loss if self.first is None else self.first
        return run, path

    def next_part(self) -> Keeping:
        """Where the next solution is kept: their order follows from their numbers, which name them."""
        self.made += 1
        return self.keep.part(str(self.made))

    def measured(self, names: tuple[str, ...], run: Run) -> Measured:
        """What some resolutions of a run contribute together; sampled ones and the evaluation stand alone."""
        if names == (EVALUATION,):
            return Measured(names, np.array([row.loss_width for row in run.rows]))
        rule = self.sampled(names[0])
        if rule is not None:
            return Measured(names, self.scatter(names[0], run, _SAMPLED_ORDERS[rule]))
        try:
            other, factor = self.coarser_run(names, run)
        except (FinestError, DivergenceError, ResourceError):
            return Measured(names, np.full(len(run.rows), np.nan))
        if other is None:
            return Measured(names, np.zeros(len(run.rows)))
        return Measured(names, factor * differences(run.rows, other.rows))

    def coarser_run(self, names: tuple[str, ...], run: Run, replicate: int = 0) -> tuple[Run | None, float]:
        """The run in which some resolutions are coarser, and its factor; no run where they are exact."""
        made = coarser(run, None, names, replicate)
        if made.is_exact:
            return None, 0.0
        other = made.run(run)
        other.trajectory(made.state, 0, None, self.progress, self.next_part())
        return other, made.factor

    def scatter(self, name: str, run: Run, order: float) -> Array:
        """What sampled points contribute, by solutions of a quarter of them."""
        try:
            runs = [self.coarser_run((name,), run, k)[0] for k in range(SCRAMBLES)]
        except (FinestError, DivergenceError, ResourceError):
            return np.full(len(run.rows), np.nan)
        curves = np.array([[row.loss for row in each.rows] for each in runs if each is not None])
        times = [row.time for each in runs[:1] if each is not None for row in each.rows]
        if not len(curves):
            return np.zeros(len(run.rows))
        own = np.array([row.compared for row in run.rows if row.time in set(times)])
        within = SCATTER_STUDENT * curves.std(axis=0, ddof=1) / 4**order
        return around(run.rows, times, within + np.abs(curves.mean(axis=0) - own) / (4**order - 1))

    def batch_scatter(self, doublings: Mapping[str, int]) -> float:
        """How far other batches of the same size move the loss curve (99 %), at some levels."""
        steps = 2 * self.clock.steps
        curves = [self.solution(doublings, steps * k)[1].loss for k in range(1, BATCHES)]
        curves.append(self.first)
        return float((BATCH_STUDENT * np.std(curves, axis=0, ddof=1)).max())


def refine(problem: Problem, tolerance: float, progress: bool, keep: Keeping = UNKEPT) -> Trajectory:
    """Solve a problem with resolutions so fine that the loss curve is within ``tolerance`` of its limit.

    The limit is that of ever more nodes, points of evaluation and, but for euler, smaller steps. What is part
    of the problem is not refined: the steps and batches of SGD for "euler", a fixed sample.
    ``notes["tolerance"]`` says what was asked and reached, and at which resolution: {"asked", "estimate",
    "met", "resolutions": {name: {"level", "estimate", "together"}}, "batches"}; an estimate is that of all
    the resolutions that were measured "together", and "batches" is how far other batches would move the
    curve (None where every step sees the same data). Warns where the tolerance is not met. ``keep``: where
    the solutions are kept, each in a part of its own.

    Raises MfError where a time step is to be refined although every step sees other data.
    """
    fixed = problem.options.data != "batches" or problem.network.training.batch_size == "all"
    if problem.options.method != "euler" and not fixed:
        raise MfError(
            f"a tolerance needs steps of {problem.options.method} that can be halved, but every step takes a "
            "batch of its own. Set data to quadrature, sobol or sample, or take the method euler"
        )
    work = Refinement(problem, progress, keep)
    run, path, found = _refined(work, tolerance)
    total = _total(found)
    if problem.options.stated_error:
        resolution = total - next(each.part for each in found if each.names == (EVALUATION,))
        path = with_loss_error(path, run, Contribution(resolution, {"tolerance": tolerance}))
    estimate = float(np.max(total))
    met = estimate <= tolerance
    parts = {
        name: {
            "level": work.words(name, run),
            "estimate": _known(each.largest),
            "together": list(each.names),
        }
        for name in work.names()
        for each in found
        if name in each.names
    }
    batches = None if fixed else work.batch_scatter(dict.fromkeys(work.names(), 0))
    note: dict[str, Any] = {"asked": tolerance, "estimate": _known(estimate), "met": met}
    note |= {"resolutions": parts, "batches": batches}
    if not met:
        warnings.warn(_not_met(problem, tolerance, note), stacklevel=4)
    return replace(path, notes={**path.notes, "tolerance": note})


def _total(found: Sequence[Measured]) -> Array:
    """What all resolutions contribute, [time]."""
    return np.sum([each.part for each in found], axis=0)


def _not_met(problem: Problem, tolerance: float, note: Mapping[str, Any]) -> str:
    """The warning of a tolerance that is out of reach."""
    parts = "; ".join(
        f"{name} ({part['level']}): {_figure(part['estimate'])}" for name, part in note["resolutions"].items()
    )
    curve = f"the loss curve of '{problem.network.title}'"
    return f"{curve} is known to {_figure(note['estimate'])}, not to {tolerance:.2g}: {parts}"


def _figure(value: float | None) -> str:
    return "an unknown error" if value is None else f"{value:.2g}"


def _known(value: float) -> float | None:
    """A number as a note has it; None where it is unknown."""
    return value if np.isfinite(value) else None


def _refined(work: Refinement, tolerance: float) -> tuple[Run, Trajectory, list[Measured]]:
    """The last run and solution, and what its resolutions contribute."""
    doublings = dict.fromkeys(work.names(), 0)
    kept: list[Measured] = []
    done: tuple[Run, Trajectory, list[Measured]] | None = None
    while True:
        try:
            run, path = work.solution(doublings)
        except ResourceError:
            if done is None:
                raise
            return done
        known = {name for each in kept for name in each.names}
        new = [name for name in doublings if name not in known]
        groups = _groups(work, new, done is not None)
        found = [*kept, *(work.measured(names, run) for names in groups)]
        if any(len(each.names) > 1 for each in found) and not _is_within(found, tolerance):
            # Which of them matters is measured where that costs less than to refine them all.
            together = [each for each in found if len(each.names) > 1]
            found = [each for each in found if len(each.names) == 1]
            found += [work.measured((name,), run) for each in together for name in each.names]
        done = run, path, found
        kept, finer = refined(found, doublings, tolerance, work.numbers())
        if finer == doublings:
            return done
        doublings = finer


def _groups(work: Refinement, names: Sequence[str], together: bool) -> list[tuple[str, ...]]:
    """Which resolutions are measured together: those that are not sampled, once each was measured alone."""
    alone = [n for n in names if not together or n == EVALUATION or work.sampled(n) is not None]
    rest = tuple(name for name in names if name not in alone)
    return [*([rest] if rest else []), *((name,) for name in alone)]


def _is_within(found: Sequence[Measured], tolerance: float) -> bool:
    """Whether all together are within a tolerance at every time."""
    return bool(np.all(_total(found) <= tolerance))


def refined(
    found: Sequence[Measured],
    doublings: Mapping[str, int],
    tolerance: float,
    numbers: Mapping[str, int],
) -> tuple[list[Measured], dict[str, int]]:
    """What needs not be measured again, and the next levels; the same levels where nothing is to be done.

    What some resolutions leave of their share goes to those that contribute more. Nothing is refined where
    all together, at every time, are within the tolerance. ``numbers``: of tensors of nodes, all of which are
    doubled.
    """
    if _is_within(found, tolerance):
        return list(found), dict(doublings)
    kept, finer, left = [], dict(doublings), tolerance
    order = sorted(found, key=lambda each: each.largest)
    for done, each in enumerate(order):
        share = left / (len(order) - done)
        if each.largest <= share:
            left -= each.largest
        more = {name: _doublings(name, each.largest / share, numbers.get(name, 1)) for name in each.names}
        can = {name: min(m, DOUBLINGS - doublings[name]) for name, m in more.items()}
        if each.largest <= share or not any(can.values()):
            kept.append(each)
        else:
            finer |= {name: doublings[name] + m for name, m in can.items()}
    return kept, finer


def _doublings(name: str, ratio: float, numbers: int) -> int:
    """How often a resolution is doubled for its error to fall by a ratio, but for a few at a time."""
    wanted = max(ceil(log2(ratio) / _ORDERS.get(name, 1.0)), 1) if 0 < ratio < float("inf") else 1
    # Points of evaluation cost less than the solution that would be made once more for them alone.
    return min(wanted, max(1, MOST_AT_ONCE // numbers)) + (name == EVALUATION)
