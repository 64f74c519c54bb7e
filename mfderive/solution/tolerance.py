"""Resolutions chosen by self-refinement: one after the other is doubled until the loss curve stays put.

The estimate of what a resolution contributes to the error of the loss curve (the largest over the observed
times, on the evaluation sample) comes from solutions alone:

* nodes by a fixed rule (Gauss) and the time step: the change from the level before, times ``SAFETY``, which
  covers convergence of first order and anything faster; a change may be small by luck, so an eighth of
  the change before it counts as well (third order);
* sampled nodes (scrambled Sobol points, random draws): the scatter of ``REPLICATES`` independent scrambles,
  as the half-width of the 99 % interval for one of them (Student's t), and what is left of the shift of
  their mean, because the loss is not linear in the weights of nodes: the change from the level before where
  the shift halves with each doubling (first order, which random draws have), down to a third of it where
  the change before was four times as large (second order, which Sobol points come near).

The estimates of all resolutions add up. Each is made with the others at their coarse levels, where it is
cheap; the solution that is returned has them all at their final levels. Steps and batches of SGD (euler) are
part of the problem, for the networks make the same ones; how far other batches would move the curve is
reported beside the estimate.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import MfError, ResourceError
from ..network.solve_options import ADAPTIVE
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..samples.sources import LawSource
from ..state.ensembles import Ensemble, plan_ensembles
from .feed import Feed, integrated_source, make_feed
from .flow import finer_options, make_run
from .grid import make_clock
from .loss_error import Contribution, with_loss_error
from .march import Run
from .start import full_state, reduced_state
from .stepping import Problem, check_run_memory

SAFETY = 2.0
REPLICATES = 6
# Student's t for 99 % with REPLICATES - 1 degrees of freedom.
STUDENT = 4.032
# Doublings after which a resolution is given up, and where refinement begins if nothing else is said. Sampled
# nodes begin where the first check of a loose tolerance costs little, and are doubled more often for it.
DOUBLINGS = 6
COARSE_GAUSS, COARSE_SAMPLED, SAMPLED_DOUBLINGS = 8, 64, 2
COARSE_WIDTHS = 100
_SAMPLED = ("sobol", "monte-carlo")


@dataclass(frozen=True)
class Levels:
    """How often each resolution is doubled: its name in the report -> doublings."""

    doublings: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """The doublings of one resolution."""
        return self.doublings.get(name, 0)

    def at(self, name: str, count: int) -> Levels:
        """The same with one of them at another level."""
        return Levels({**self.doublings, name: count})


@dataclass(frozen=True)
class Resolution:
    """One resolution: its name, whether it is sampled, and in words how fine it is at some doublings.

    ``more``: doublings beyond the usual ones, for what begins coarser.
    """

    name: str
    sampled: bool
    words: Callable[[int], str]
    more: int = 0


class Refinement:
    """Solutions of one problem at chosen levels of its resolutions."""

    def __init__(self, problem: Problem, progress: bool, keep: Keeping = UNKEPT) -> None:
        self.problem, self.progress, self.keep, self.made = problem, progress, keep, 0
        self.options, self.network = problem.options, problem.network
        self.plans = _coarse_plans(problem)
        self.clock = make_clock(self.network, self.options)
        self.known: dict[tuple[Any, ...], np.ndarray] = {}
        self.run: Run | None = None  # the last one

    def resolutions(self) -> list[Resolution]:
        """What can be refined, the sampled ones last: they cost most."""
        found = []
        for name, plan in self.plans.items():
            if plan.rule not in _SAMPLED and not all(plan.exact):
                found.append(Resolution(name, False, partial(_words, plan)))
        if self.options.method != "euler":
            found.append(Resolution("time", False, self.time_words))
        if self.options.data in ("sobol", "quadrature"):
            sampled = self.options.data == "sobol"
            more = SAMPLED_DOUBLINGS if sampled else 0
            found.append(
                Resolution("data", sampled, lambda k: f"{self.feed(k).samples} samples per step", more)
            )
        drawn = [plan for plan in self.plans.values() if plan.dimension and plan.rule in _SAMPLED]
        if drawn or not self.options.reduce:
            more = SAMPLED_DOUBLINGS if self.options.reduce else 0
            found.append(Resolution("sampled nodes", True, lambda k: self.sampled_words(drawn, k), more))
        return found

    def time_words(self, doublings: int) -> str:
        """How fine the steps in time are at a level."""
        if self.options.method in ADAPTIVE:
            return f"rtol {finer_options(self.options, 2**doublings).rtol:.2g}"
        return f"{self.clock.steps * 2**doublings} steps"

    def sampled_words(self, drawn: list[Ensemble], doublings: int) -> str:
        """How many sampled nodes there are at a level."""
        if not self.options.reduce:
            return f"{self.widths(doublings)} nodes per population"
        return ", ".join(f"{plan.axis}: {_doubled(plan, doublings).words}" for plan in drawn)

    def widths(self, doublings: int) -> Any:
        """Nodes of the full system's populations at a level."""
        widths = self.options.widths if self.given("widths") else COARSE_WIDTHS
        if isinstance(widths, int):
            return widths * 2**doublings
        return {name: width * 2**doublings for name, width in widths.items()}

    def given(self, name: str) -> bool:
        """Whether an option was set, so that refinement begins there."""
        return bool(getattr(self.options, name) != getattr(type(self.options)(), name))

    def feed(self, doublings: int, scramble: int | None = None) -> Feed:
        """The data of a step at a level."""
        rule, nodes = self.options.data, self.options.data_nodes
        if rule not in ("sobol", "quadrature"):
            return make_feed(self.network, self.problem.reduced, rule or "batches", nodes)
        numbers = _data_dimension(self.problem)
        if nodes is None:
            nodes = COARSE_SAMPLED if rule == "sobol" else COARSE_GAUSS**numbers
        factor = 2**doublings if rule == "sobol" else 2 ** (doublings * numbers)
        return make_feed(self.network, self.problem.reduced, rule, nodes * factor, scramble)

    def trajectory(
        self, levels: Levels, replicate: int = 0, checkpoints: int = 2, offset: int = 0
    ) -> Trajectory:
        """The solution at some levels; replicates above 0 have points of their own, offsets other batches."""
        scramble = None if not replicate else (self.options.seed + 1) * 1_000_003 + replicate
        sampled = levels.of("sampled nodes")
        if self.options.reduce:
            plans = {
                name: _doubled(plan, sampled if plan.rule in _SAMPLED else levels.of(name))
                for name, plan in self.plans.items()
            }
            state = reduced_state(self.problem.system, plans, self.options, scramble)
        else:
            state = full_state(self.problem.system, self.widths(sampled), self.options, scramble)
        finer = 2 ** levels.of("time")
        feed = replace(self.feed(levels.of("data"), scramble), offset=offset)
        check_run_memory(self.problem, state, feed.samples)
        # Fresh noise is sampled, too: what it leaves to chance shows in replicates that draw their own.
        seed = self.options.seed if scramble is None else scramble
        problem = replace(self.problem, options=replace(self.options, seed=seed))
        self.run = run = make_run(problem, self.clock, feed, checkpoints, finer)
        self.made += 1  # the order of solutions follows from their numbers, so it is a name for each
        return run.trajectory(state, 0, None, self.progress, self.keep.part(str(self.made)))

    def loss(self, levels: Levels, replicate: int = 0) -> np.ndarray:
        """The loss curve at some levels, remembered."""
        key = (tuple(sorted((k, v) for k, v in levels.doublings.items() if v)), replicate)
        if key not in self.known:
            self.known[key] = self.trajectory(levels, replicate).loss
        return self.known[key]

    # ------------------------------------------------------------------ estimates

    def estimate(self, resolution: Resolution, levels: Levels) -> float:
        """What a resolution contributes to the error at its level, which is at least 1."""
        count = levels.of(resolution.name)
        if not resolution.sampled:
            change = self.change(resolution, levels)
            before = self.change(resolution, levels.at(resolution.name, count - 1)) if count > 1 else 0.0
            return SAFETY * max(change, before / 8)
        here, *coarser = (
            np.array([self.loss(levels.at(resolution.name, level), k) for k in range(REPLICATES)])
            for level in range(count, max(count - 3, -1), -1)
        )
        scatter = STUDENT * here.std(axis=0, ddof=1)
        means = [curves.mean(axis=0) for curves in (here, *coarser)]
        changes = [np.abs(after - before) for after, before in pairwise(means)]
        order = changes[1].max() / max(changes[0].max(), 1e-300) if len(changes) > 1 else 2.0
        return float((scatter + changes[0] / (min(max(order, 2.0), 4.0) - 1)).max())

    def batch_scatter(self) -> float:
        """How far other batches of the same size move the loss curve (99 %), at the coarse levels."""
        stride = 2 * self.clock.steps
        curves = [self.trajectory(Levels(), offset=stride * k).loss for k in range(1, REPLICATES)]
        return float((STUDENT * np.std([self.loss(Levels()), *curves], axis=0, ddof=1)).max())

    def change(self, resolution: Resolution, levels: Levels) -> float:
        """The largest change of the loss curve from the level before."""
        coarser = levels.at(resolution.name, levels.of(resolution.name) - 1)
        return float(np.abs(self.loss(levels) - self.loss(coarser)).max())


def refine(problem: Problem, tolerance: float, progress: bool, keep: Keeping = UNKEPT) -> Trajectory:
    """Solve a problem with resolutions so fine that the loss curve is within ``tolerance`` of its limit.

    The limit is that of ever more nodes (and smaller steps of rk4). What is part of the problem is not
    refined: the steps and batches of SGD for "euler", a fixed sample, the evaluation sample.
    ``notes["tolerance"]`` says what was asked and reached, and at which resolution: {"asked", "estimate",
    "met", "resolutions": {name: {"level", "estimate"}}, "batches"}; the last is how far other batches would
    move the curve (None where every step sees the same data). Warns where the tolerance is not met.
    ``keep``: where the solutions are kept, each in a part of its own.

    Raises MfError where a time step is to be refined although every step sees other data.
    """
    fixed = problem.options.data != "batches" or problem.network.training.batch_size == "all"
    if problem.options.method != "euler" and not fixed:
        raise MfError(
            f"a tolerance needs steps of {problem.options.method} that can be halved, but every step takes a "
            "batch of its own. Set data to quadrature, sobol or sample, or take the method euler"
        )
    work = Refinement(problem, progress, keep)
    resolutions = work.resolutions()
    found: dict[str, dict[str, Any]] = {}
    levels = Levels()
    total = 0.0
    for done, resolution in enumerate(resolutions):
        # What one resolution leaves of its share goes to those that come after it.
        count, estimate = _level(work, resolution, (tolerance - total) / (len(resolutions) - done))
        total += estimate
        levels = levels.at(resolution.name, count)
        found[resolution.name] = {"level": resolution.words(count), "estimate": estimate}
    path = work.trajectory(levels, checkpoints=problem.options.checkpoints)
    if problem.options.stated_error and work.run is not None:
        known = Contribution(np.full(len(path.times), total), {"tolerance": tolerance})
        path = with_loss_error(path, work.run, known)
    met = total <= tolerance
    batches = None if fixed else work.batch_scatter()
    note = {"asked": tolerance, "estimate": total, "met": met, "resolutions": found, "batches": batches}
    if not met:
        parts = "; ".join(f"{name} ({e['level']}): {e['estimate']:.2g}" for name, e in found.items())
        warnings.warn(
            f"the loss curve of '{problem.network.title}' is known to {total:.2g}, not to {tolerance:.2g}: "
            f"{parts}",
            stacklevel=4,
        )
    return replace(path, notes={**path.notes, "tolerance": note})


def _level(work: Refinement, resolution: Resolution, share: float) -> tuple[int, float]:
    """The first level at which a resolution contributes no more than its share, and what it contributes.

    Other resolutions stay coarse meanwhile. It stays where it is when doublings or memory come to an end.
    """
    reached, estimate = 0, float("inf")
    for count in range(1, DOUBLINGS + resolution.more + 1):
        try:
            estimate = work.estimate(resolution, Levels({resolution.name: count}))
        except ResourceError:
            if not reached:
                raise
            break
        reached = count
        if estimate <= share:
            break
    return reached, estimate


# ---------------------------------------------------------------------------------------- levels of each kind


def _coarse_plans(problem: Problem) -> dict[str, Ensemble]:
    """The plans at which refinement begins: as given, else coarse ones by the same rules."""
    options = problem.options
    if not options.reduce:
        return {}
    chosen = plan_ensembles(problem.system, options.nodes, options.rule)
    nodes = {}
    for name, plan in chosen.items():
        stated = options.nodes.get(name) if isinstance(options.nodes, dict) else options.nodes
        if stated is not None or not plan.dimension:
            nodes[name] = plan.nodes
        elif plan.rule in _SAMPLED:
            nodes[name] = COARSE_SAMPLED
        else:
            exact = sum(plan.exact)
            nodes[name] = min(plan.nodes, COARSE_GAUSS ** (plan.dimension - exact) * 2**exact)
    return plan_ensembles(problem.system, nodes, {name: plan.rule for name, plan in chosen.items()})


def _words(plan: Ensemble, doublings: int) -> str:
    return _doubled(plan, doublings).words


def _doubled(plan: Ensemble, doublings: int) -> Ensemble:
    """A plan with twice the nodes, so many times; of a tensor twice those of every number."""
    if not doublings or not plan.dimension:
        return plan
    if plan.rule in _SAMPLED:
        return replace(plan, nodes=plan.nodes * 2**doublings)
    tensor = tuple(
        size if exact else size * 2**doublings for size, exact in zip(plan.tensor, plan.exact, strict=True)
    )
    return replace(plan, nodes=int(np.prod(tensor)), tensor=tensor)


def _data_dimension(problem: Problem) -> int:
    """How many numbers a sample of the law of the data is made of, as far as the limit needs to know it."""
    source = integrated_source(problem.network, problem.reduced)
    return len(source.law.kinds) if isinstance(source, LawSource) and source.law is not None else 1
