"""The steps of a solution, and the same steps made again for a time between two stored states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..algebra.memory import check_memory
from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem, draw_noise
from ..codegen.protocol import Move
from ..network.network import Network
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import plan_ensembles
from .feed import Feed, make_feed
from .grid import TABLEAUS, Clock, cut, grid_clock
from .threads import fitting_threads, largest_product

Array = Any
Arrays = dict[str, Any]
# No evaluation goes through the solver in pieces of more samples than this.
LARGEST_PIECE = 500

# Vectors of the size of a state, in float64, that a method with steps of its own holds at once, and what
# estimates how far SGD's steps lead from a flow.
_VECTORS = 30


@dataclass(frozen=True)
class Problem:
    """A limit to be solved: the reduced limit, its solver, and how it is stepped.

    ``tensors``: the Gauss nodes of each number of some axes, where a solution chose them itself;
    ``data_is_open``: whether nobody said by which rule steps average over the data.
    """

    network: Network
    reduced: Reduced
    module: Any
    options: SolveOptions
    tensors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    data_is_open: bool = False

    @property
    def system(self) -> LimitSystem:
        """The system that the solver steps."""
        return self.reduced.system

    @property
    def plans(self) -> dict[str, Ensemble]:
        """The nodes of every axis of a reduced limit."""
        given = self.options.nodes
        if not self.tensors:
            return plan_ensembles(self.system, given, self.options.rule)
        by_name: dict[str, int | tuple[int, ...]] = {**(given if isinstance(given, Mapping) else {})}
        return plan_ensembles(self.system, by_name | dict(self.tensors), self.options.rule)


@dataclass(frozen=True)
class Stepper:
    """The steps of a problem on a grid of times, each on the samples that its number gives it.

    ``parts``: into how many the steps of the problem's own grid were cut.
    """

    problem: Problem
    clock: Clock
    feed: Feed
    parts: int = 1

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The steps from time t_first to t_last, on batches first + 1, ..., last."""
        moves = (self.move(number) for number in range(first, last))
        return self.made(state, moves)

    def made(self, state: Arrays, moves: Any) -> Arrays:
        """The state after some moves."""
        method = self.problem.options.method
        if method == "euler":
            stepped: Arrays = self.problem.module.march(state, moves, self.problem.options.seed)
            return stepped
        for x, y, t, width, weights, _ in moves:
            state = runge_kutta(self.problem.module, state, (x, y, weights), t, width, method)
        return state

    @cached_property
    def samples(self) -> tuple[Array, Array, Array | None]:
        """x, y and weights of samples that are the same at every step."""
        return self.samples_of(1)

    def samples_of(self, k: int) -> tuple[Array, Array, Array | None]:
        """x, y and weights of the samples of step k, as the reduced system takes them."""
        given_x, given_y, weights = self.feed(k)
        return (*self.problem.reduced.encode(given_x, given_y), weights)

    def move(self, number: int) -> Move:
        """x, y, time, width, weights of the samples and number k of the step that begins at t_number."""
        x, y, weights = self.samples_of(number + 1) if self.feed.nodes is None else self.samples
        t = self.clock.times[number]  # a number of numpy's: a rate that overflows is inf, not an exception
        return x, y, t, float(self.clock.times[number + 1] - t), weights, number + 1

    def threads(self, state: Mapping[str, Any]) -> Any:
        """The context in which these steps run on as many threads as pay."""
        nodes = {name: len(weights) for name, weights in state["p"].items()}
        return fitting_threads(largest_product(draw_noise(self.problem.system), nodes, self.feed.samples))

    @property
    def record(self) -> dict[str, Any]:
        """Plain data from which :class:`StepsAgain` makes these steps again."""
        return {
            "method": self.problem.options.method,
            "steps": self.clock.steps // self.parts,
            "end": float(self.clock.times[-1]),
            "parts": self.parts,
            "data": self.feed.rule,
            "data_nodes": self.feed.asked,
            "seed": self.problem.options.seed,
        }


class StepsAgain:
    """The steps of a solution by its record (:class:`mfderive.runs.between.Steps`)."""

    def __init__(self, network: Network, reduced: Reduced, module: Any, record: Mapping[str, Any]) -> None:
        options = SolveOptions(method=record["method"], seed=record.get("seed", 0))
        clock = cut(grid_clock(network, record["method"], record["steps"], record["end"]), record["parts"])
        feed = make_feed(network, reduced, record["data"], record["data_nodes"])
        self.stepper = Stepper(Problem(network, reduced, module, options), clock, feed, record["parts"])
        self.times, self.sgd_steps = clock.times, clock.sgd_steps

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The steps from t_first to t_last as the solution made them."""
        self._check(state)
        with self.stepper.threads(state):
            return self.stepper.advance(state, first, last)

    def part(self, state: Arrays, first: int, t: float) -> Arrays:
        """A step of the same method from t_first to ``t``, on the samples of the step that begins there."""
        self._check(state)
        x, y, begins, _, weights, number = self.stepper.move(first)
        with self.stepper.threads(state):
            return self.stepper.made(state, iter([(x, y, begins, t - begins, weights, number)]))

    def _check(self, state: Arrays) -> None:
        check_run_memory(self.stepper.problem, state, self.stepper.feed.samples)


def check_run_memory(problem: Problem, state: Arrays, samples: int) -> None:
    """Refuse a solution that needs more memory than there is, before its arrays are allocated."""
    nodes = {name: len(weights) for name, weights in state["p"].items()}
    check_memory(
        run_memory(problem, state, samples),
        f"Solving with {_nodes_words(nodes)} and {samples} samples per step",
        "Take fewer nodes, fewer samples per step or precision float32",
    )


def _nodes_words(nodes: Mapping[str, int]) -> str:
    """How many nodes the axes have: "300 nodes per population", or of every axis where they differ."""
    if len(set(nodes.values())) < 2:
        return f"{max(nodes.values(), default=1)} nodes per population"
    return "nodes " + ", ".join(f"{name}: {count}" for name, count in nodes.items())


def run_memory(problem: Problem, state: Arrays, samples: int) -> int:
    """Bytes that the steps of a solution hold at once (checkpoints and the data come on top)."""
    nodes = {name: len(weights) for name, weights in state["p"].items()}
    method = problem.options.method
    arrays = [value for name, value in state.items() if name != "p"]
    # Euler updates in place; an explicit method holds its slopes, and a state to evaluate them at.
    if method in ADAPTIVE:
        held = _VECTORS * 8 * sum(value.size for value in arrays)
    else:
        copies = 0 if method == "euler" else len(TABLEAUS[method][1]) + 1
        held = copies * sum(value.nbytes for value in arrays)
    dtype = arrays[0].dtype if arrays else problem.options.dtype
    if method in ADAPTIVE:  # the velocity keeps its arrays while evaluations on other samples use their own
        held += problem.module.memory(nodes, samples, dtype)
    return int(held + problem.module.memory(nodes, max(samples, LARGEST_PIECE), dtype))


def runge_kutta(
    module: Any, state: Arrays, samples: tuple[Any, Any, Any], t: float, width: float, method: str
) -> Arrays:
    """One explicit Runge-Kutta step of the flow on samples (x, y, weights); a row of TABLEAUS."""
    (x, y, own), (couplings, weights) = samples, TABLEAUS[method]
    slopes: list[Arrays] = []
    for row in couplings:
        slopes.append(module.velocity(_moved(state, slopes, row, width), x, y, t + sum(row) * width, own))
    return _moved(state, slopes, weights, width)


def _moved(state: Arrays, slopes: list[Arrays], factors: tuple[float, ...], width: float) -> Arrays:
    moved: Arrays = {"p": state["p"]}
    for name, value in state.items():
        if name != "p":
            total = value.copy()
            for slope, factor in zip(slopes, factors, strict=True):
                if factor:
                    total += value.dtype.type(factor * width) * slope[name]
            moved[name] = total
    return moved
