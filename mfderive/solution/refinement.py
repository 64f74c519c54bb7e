"""Solutions of one problem at chosen levels of its resolutions, and what each resolution contributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..algebra.law_kinds import smooth_numbers
from ..analysis.bends import has_kinks
from ..errors import DivergenceError, ResourceError
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..reduction.cost import cost
from ..runs.keeping import UNKEPT, Keeping
from ..runs.trajectory import Trajectory
from ..samples.quadrature import fewer_gauss, node_count
from ..samples.rule_pairs import gauss_count, pair_points
from ..samples.spaced_nodes import is_spaced
from ..state.ensemble_plan import Ensemble
from .coarse_plans import COARSE_GAUSS, COARSE_SAMPLED, coarse_plans, numbers_by_name
from .coarser import DATA, SAMPLED_NODES, TIME, FinestError, coarser, halved
from .feed import gauss_evaluation, integrated_source, law_evaluation, law_of, make_feed, more_gauss
from .flow import FlowRun, finer_options, make_run
from .grid import TABLEAUS, make_clock
from .loss_error import around, differences
from .march import Run
from .start import start_state
from .stepping import Problem, check_run_memory

Array = Any

EVALUATION = "evaluation"
# Solutions of a quarter of sampled points, each with points of its own; Student's t for 99 % with one degree
# less; the order of their errors in the number of points, by the rule.
SCRAMBLES, SCATTER_STUDENT = 5, 4.604
_SAMPLED_ORDERS = {"sobol": 0.75, "monte-carlo": 0.5}
# Where refinement begins if nothing else is said.
COARSE_SPACED, COARSE_WIDTHS = 32, 200
# How often a resolution is doubled at a time, at most: Gauss nodes once, for their errors may fall fast.
MOST_AT_ONCE = 2
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


@dataclass(frozen=True)
class Solved:
    """A solution, its levels, and the run that made it."""

    doublings: Mapping[str, int]
    run: Run
    path: Trajectory


class Refinement:
    """Solutions of one problem at chosen levels of its resolutions."""

    def __init__(self, problem: Problem, progress: bool, keep: Keeping = UNKEPT) -> None:
        self.problem, self.progress, self.keep, self.made = problem, progress, keep, 0
        self.options, self.network = problem.options, problem.network
        self.plans = coarse_plans(problem)
        # The numbers of tensors by the name of their resolution: the axis, and which of its numbers.
        self.tensors = {
            name: (axis, numbers)
            for axis, plan in self.plans.items()
            if not plan.is_sampled
            for name, numbers in numbers_by_name(problem.system, plan).items()
        }
        self.law = law_of(integrated_source(self.network, problem.reduced))
        self.has_kinks = has_kinks(problem.system)
        self.is_gauss = False
        self.evaluates_nodes = self.evaluation(0) is not None
        self.clock = make_clock(self.network, self.options)
        # The loss of the first solution, the coarsest, as solutions are compared.
        self.first: Array | None = None

    def names(self) -> list[str]:
        """What can be refined."""
        found = list(self.tensors)
        if self.options.method != "euler":
            found.append(TIME)
        if self.options.data == "sobol" or (self.options.data == "quadrature" and self.data_numbers):
            found.append(DATA)
        if not self.options.reduce or any(p.is_sampled and p.dimension for p in self.plans.values()):
            found.append(SAMPLED_NODES)
        return [*found, EVALUATION]

    def at_once(self, name: str) -> int:
        """How often a resolution is doubled at a time, at most."""
        if name == EVALUATION and not self.evaluates_nodes:
            # Points of evaluation cost less than the solution that would be made once more for them alone.
            return MOST_AT_ONCE + 1
        sampled = [plan for plan in self.plans.values() if plan.is_sampled and plan.dimension]
        pairs = name == SAMPLED_NODES and len(sampled) > 1
        return 1 if pairs or (self.sampled(name) is None and name != TIME) else MOST_AT_ONCE

    def sampled(self, name: str) -> str | None:
        """The rule of a resolution that is sampled; None for others."""
        if name == DATA and self.options.data == "sobol":
            return "sobol"
        if name != SAMPLED_NODES:
            return None
        rules = {plan.rule for plan in self.plans.values() if plan.is_sampled and plan.dimension}
        return "sobol" if rules == {"sobol"} else "monte-carlo"

    # ------------------------------------------------------------------ levels

    def options_at(self, doublings: Mapping[str, int]) -> SolveOptions:
        """The options of a solution at some levels, but for the steps of rk4."""
        options = self.options
        if options.reduce:
            plans = self.plans_at(doublings)
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
        if self.evaluates_nodes:
            return options
        return replace(options, evaluation=options.evaluation * 2 ** doublings[EVALUATION])

    def plans_at(self, doublings: Mapping[str, int]) -> dict[str, Ensemble]:
        """The nodes of all axes."""
        plans = dict(self.plans)
        for name, (axis, numbers) in self.tensors.items():
            plans[axis] = plans[axis].resized((2 ** doublings[name]).__mul__, numbers)
        times = doublings.get(SAMPLED_NODES, 0)
        sampled = [name for name, plan in plans.items() if plan.is_sampled and plan.dimension]
        return plans | {name: replace(plans[name], nodes=plans[name].nodes * 2**times) for name in sampled}

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
        numbers = self.data_numbers
        if nodes is None and rule == "sobol":
            nodes = COARSE_SAMPLED
        elif nodes is None:
            assert self.law is not None  # quadrature is for laws
            nodes = node_count(self.law, COARSE_SPACED if is_spaced(self.law) else COARSE_GAUSS)
        return int(nodes * 2 ** (doublings if rule == "sobol" else doublings * numbers))

    @property
    def data_numbers(self) -> int:
        """How many numbers a sample of the data has beside those of two values, which have two nodes each."""
        return len(smooth_numbers(self.law.kinds)) if self.law is not None else 1

    def evaluation(self, doublings: int) -> Any:
        """The nodes on which a solution is evaluated; None where its points are sampled."""
        reduced, samples = self.problem.reduced, self.options.evaluation
        nodes_of = gauss_evaluation if self.is_gauss else law_evaluation
        return nodes_of(self.network, reduced, samples, doublings)

    def takes_gauss_nodes(self, solved: Solved, tolerance: float) -> bool:
        """Whether solutions are evaluated on Gauss nodes from now on: where their error is known better.

        By the states that a solution keeps, if the error of its own evaluation is beyond its share, and where
        both means are within what is known of either. Shares of wrong classes, which jump, keep their points.
        """
        rows = solved.run.rows
        if not np.isnan([row.error for row in rows]).all():
            return False
        widths = {row.time: row.loss_width for row in rows}
        grid = gauss_evaluation(self.network, self.problem.reduced, self.options.evaluation, 0)
        if grid is None or max(widths.values()) <= tolerance / len(self.names()):
            return False
        run, losses = solved.run, {row.time: row.loss for row in rows}
        own = run.x, run.y, run.law_parts
        run.evaluate_on(*grid)
        found = {point.time: run.row(point.state.arrays) for point in solved.path.checkpoints}
        run.x, run.y, run.law_parts = own
        is_known_better = max(row.loss_width for row in found.values()) < max(widths.values())
        agree = all(
            abs(row.loss - losses[time]) <= row.loss_width + widths[time]
            for time, row in found.items()
            if time in widths
        )
        self.is_gauss = is_known_better and agree
        self.evaluates_nodes |= self.is_gauss
        return self.is_gauss

    def words(self, name: str, solved: Solved) -> str:
        """How fine a resolution of a solution is."""
        run = solved.run
        if name == TIME:
            adaptive = run.options.method in ADAPTIVE
            return f"rtol {run.options.rtol:.2g}" if adaptive else f"{run.clock.steps} steps"
        if name == DATA:
            return f"{run.feed.samples} samples per step"
        if name == EVALUATION:
            return f"{len(run.x)} points"
        if not self.options.reduce:
            return f"{run.options.widths} nodes per population"
        if name in self.tensors:
            axis, numbers = self.tensors[name]
            plan = run.problem.plans[axis]
            if name == axis:
                return plan.words
            return " x ".join(str(plan.tensor[k]) for k in numbers) + f" Gauss nodes of {axis}"
        drawn = [plan for plan in run.problem.plans.values() if plan.dimension and plan.is_sampled]
        return ", ".join(f"{plan.axis}: {plan.words}" for plan in drawn)

    def work(self, doublings: Mapping[str, int], last: Solved) -> float:
        """About how many operations a solution at some levels takes, by how many steps the last one took."""
        system, run = self.problem.system, last.run
        if self.options.reduce:
            sizes = {name: plan.nodes for name, plan in self.plans_at(doublings).items()}
        else:
            widths = self.widths(doublings[SAMPLED_NODES])
            axes = [axis.name for axis in system.node_axes]
            sizes = widths if isinstance(widths, dict) else dict.fromkeys(axes, widths)
        more = {name: times - last.doublings[name] for name, times in doublings.items()}
        if isinstance(run, FlowRun):
            velocities = float(run.evaluations)
        else:
            stages = len(TABLEAUS[run.options.method][1]) if run.options.method in TABLEAUS else 1
            velocities = stages * run.clock.steps * 2.0 ** more.get(TIME, 0)
        numbers = 1 if self.sampled(DATA) is not None else self.data_numbers
        samples = run.feed.samples * 2.0 ** (numbers * more.get(DATA, 0))
        points = self.points(doublings[EVALUATION], last)
        # An evaluation takes the forward equations, about a third of all.
        return cost(system, sizes).work * (velocities * samples + len(run.rows) * points / 3)

    def points(self, doublings: int, last: Solved) -> float:
        """On how many points a solution is evaluated."""
        run, more = last.run, doublings - last.doublings[EVALUATION]
        if not self.is_gauss:
            return len(run.x) * 2.0 ** ((self.data_numbers if self.evaluates_nodes else 1) * more)
        assert self.law is not None
        count = gauss_count(self.law, self.options.evaluation)
        assert count is not None
        return float(pair_points(self.law, more_gauss(self.law, count, doublings)))

    # ------------------------------------------------------------------ solutions

    def solution(self, doublings: Mapping[str, int], offset: int = 0) -> Solved:
        """The solution at some levels; ``offset``: on other batches."""
        options = self.options_at(doublings)
        plans = self.plans_at(doublings) if options.reduce else {}
        tensors = {axis: plan.tensor for axis, plan in plans.items() if plan.tensor}
        problem = replace(self.problem, options=options, tensors=tensors)
        feed = make_feed(self.network, problem.reduced, options.data or "batches", options.data_nodes)
        feed = replace(feed, offset=offset)
        source = self.network.source
        _, state = start_state(problem.reduced, options, None, None, self.clock, source, plans)
        check_run_memory(problem, state, feed.samples)
        finer = 1 if options.method in ADAPTIVE else 2 ** doublings.get(TIME, 0)
        run = make_run(problem, self.clock, feed, options.checkpoints, finer)
        nodes = self.evaluation(doublings[EVALUATION])
        if nodes is not None:
            run.evaluate_on(*nodes)
        if offset:  # of which only the differences matter
            run.compare()
        path = run.trajectory(state, 0, None, self.progress, self.next_part())
        self.first = np.array([row.compared for row in run.rows]) if self.first is None else self.first
        return Solved(dict(doublings), run, path)

    def next_part(self) -> Keeping:
        """Where the next solution is kept: their order follows from their numbers, which name them."""
        self.made += 1
        return self.keep.part(str(self.made))

    def measured(self, names: tuple[str, ...], solved: Solved) -> Measured:
        """What some resolutions contribute together; sampled ones and the evaluation stand alone."""
        run = solved.run
        if names == (EVALUATION,):
            return Measured(names, np.array([row.loss_width for row in run.rows]))
        rule = self.sampled(names[0])
        if rule is not None:
            return Measured(names, self.scatter(names[0], solved, _SAMPLED_ORDERS[rule]))
        return Measured(names, self.difference(names, solved))

    def measured_again(self, each: Measured, solved: Solved) -> Measured:
        """The same for the numbers of a tensor by half of their nodes, where that is less and kinks are.

        Both are distances from a coarser rule that cover a kink anywhere; only one of them has a node on a
        kink in the centre of the law. Smooth functions that are not resolved yet are not judged twice.
        """
        if len(each.names) > 1 or each.names[0] not in self.tensors or not self.has_kinks:
            return each
        other = Measured(each.names, self.difference(each.names, solved, halved))
        return min(each, other, key=lambda measured: measured.largest)

    def difference(self, names: tuple[str, ...], solved: Solved, fewer_of: Any = fewer_gauss) -> Array:
        """What some resolutions contribute, by one solution in which they are coarser."""
        rows = solved.run.rows
        try:
            other, factor = self.coarser_run(names, solved, 0, fewer_of)
        except (FinestError, DivergenceError, ResourceError):
            return np.full(len(rows), np.nan)
        return np.zeros(len(rows)) if other is None else factor * differences(rows, other.rows)

    def coarser_run(
        self, names: tuple[str, ...], solved: Solved, replicate: int = 0, fewer_of: Any = fewer_gauss
    ) -> tuple[Run | None, float]:
        """The run in which some resolutions are coarser, and its factor; no run where they are exact."""
        made = coarser(solved.run, None, names, replicate, fewer_of)
        if made.is_exact:
            return None, 0.0
        other = made.run(solved.run)
        other.trajectory(made.state, 0, None, self.progress, self.next_part())
        return other, made.factor

    def scatter(self, name: str, solved: Solved, order: float) -> Array:
        """What sampled points contribute, by solutions of a quarter of them."""
        rows = solved.run.rows
        try:
            runs = [self.coarser_run((name,), solved, k)[0] for k in range(SCRAMBLES)]
        except (FinestError, DivergenceError, ResourceError):
            return np.full(len(rows), np.nan)
        curves = np.array([[row.loss for row in each.rows] for each in runs if each is not None])
        times = [row.time for each in runs[:1] if each is not None for row in each.rows]
        if not len(curves):
            return np.zeros(len(rows))
        own = np.array([row.compared for row in rows if row.time in set(times)])
        within = SCATTER_STUDENT * curves.std(axis=0, ddof=1) / 4**order
        return around(rows, times, within + np.abs(curves.mean(axis=0) - own) / (4**order - 1))

    def batch_scatter(self, doublings: Mapping[str, int]) -> float:
        """How far other batches of the same size move the loss curve (99 %), at some levels."""
        steps = 2 * self.clock.steps
        curves = [self.solution(doublings, steps * k).path.loss for k in range(1, BATCHES)]
        curves.append(self.first)
        return float((BATCH_STUDENT * np.std(curves, axis=0, ddof=1)).max())
