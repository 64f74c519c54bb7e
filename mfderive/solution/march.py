"""One solution: steps, observations and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ..algebra.findings import Finding
from ..algebra.memory import check_memory
from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem, draw_noise
from ..errors import DivergenceError
from ..network.network import Network
from ..network.solve_options import SolveOptions
from ..runs.divergence import divergence, not_finite, noted
from ..runs.evaluation import evaluate_loss_error
from ..runs.schedule import observation_steps
from ..runs.trajectory import Checkpoint, Ground, Trajectory, is_finite
from ..state.state import State
from .feed import Feed
from .grid import TABLEAUS, Clock
from .threads import fitting_threads, largest_product

Arrays = dict[str, Any]
# The evaluation sample goes through the solver in pieces, to bound the memory: of the size of a batch, so
# that the arrays of a step serve again, but of no fewer samples than SMALLEST and no more than LARGEST.
_SMALLEST_PIECE, _LARGEST_PIECE = 64, 500
_STRETCH = 100  # steps between two looks at the progress bar


@dataclass(frozen=True)
class Problem:
    """A limit to be solved: the reduced limit, its solver, and how it is stepped."""

    network: Network
    reduced: Reduced
    module: Any
    options: SolveOptions

    @property
    def system(self) -> LimitSystem:
        """The system that the solver steps."""
        return self.reduced.system


def check_run_memory(problem: Problem, state: Arrays, samples: int) -> None:
    """Refuse a solution that needs more memory than there is, before its arrays are allocated."""
    nodes = {name: len(weights) for name, weights in state["p"].items()}
    check_memory(
        run_memory(problem, state, samples),
        f"Solving with {max(nodes.values(), default=1)} nodes per population and {samples} samples per step",
        "Take fewer nodes, fewer samples per step or precision float32",
    )


def run_memory(problem: Problem, state: Arrays, samples: int) -> int:
    """Bytes that the steps of a solution hold at once (checkpoints and the data come on top)."""
    options, nodes = problem.options, {name: len(weights) for name, weights in state["p"].items()}
    # Euler updates in place; an explicit method holds its slopes, and a state to evaluate them at.
    copies = 0 if options.method == "euler" else len(TABLEAUS[options.method][1]) + 1
    held = copies * sum(value.nbytes for name, value in state.items() if name != "p")
    estimate = problem.module.memory(nodes, max(samples, _LARGEST_PIECE), options.dtype)
    return int(held + estimate)


class Run:
    """One solution: steps, observations and checkpoints."""

    def __init__(
        self,
        problem: Problem,
        clock: Clock,
        feed: Feed,
        checkpoints: int,
        parts: int = 1,
    ) -> None:
        self.problem, self.clock, self.feed = problem, clock, feed
        self.network, self.module, self.options = problem.network, problem.module, problem.options
        # A clock whose steps are cut into parts is observed when the uncut one is.
        self.observed = parts * observation_steps(clock.steps // parts, self.options.observations)
        kept = observation_steps(clock.steps, max(min(checkpoints, clock.steps + 1), 2))
        self.kept = {int(self.observed[np.abs(self.observed - step).argmin()]) for step in kept}
        self.ground = Ground(problem.reduced, problem.module.forward)
        x, self.y = problem.reduced.encode(*self.network.source.evaluation(self.options.evaluation))
        self.x = np.asarray(x, self.options.dtype)
        self.rows: list[tuple[float, int, float, float]] = []
        self.points: list[Checkpoint] = []

    def trajectory(self, state: Arrays, start: int, resume: Trajectory | None, progress: bool) -> Trajectory:
        """Step from number ``start`` to the end; ``resume``: what went before."""
        bar = tqdm(
            total=self.clock.steps, initial=start, desc="limit", disable=not progress, delay=2, leave=False
        )
        nodes = {name: len(weights) for name, weights in state["p"].items()}
        products = largest_product(draw_noise(self.problem.system), nodes, self.feed.samples)
        # Values that overflow are found at the next observation, with a message; no warning is owed here.
        with bar, fitting_threads(products), np.errstate(all="ignore"):
            try:
                if resume is None:
                    self.observe(0, state)
                for target in self.observed[self.observed > start].tolist():
                    while start < target:
                        # Long stretches are cut, so that progress shows.
                        goal = min(target, start + _STRETCH)
                        state = self.advance(state, start, goal)
                        bar.update(goal - start)
                        start = goal
                    self.observe(target, state)
            except DivergenceError as error:
                error.path = self.until_then(str(error), start, state, resume)
                raise
        return self.finished(state, resume)

    def until_then(
        self, reason: str, number: int, state: Arrays, resume: Trajectory | None
    ) -> Trajectory | None:
        """What was solved before values left the finite numbers; None where they did at the start."""
        if not self.rows and resume is None:
            return None
        found = not_finite(reason, float(self.clock.times[number]), int(self.clock.sgd_steps[number]))
        return self.finished(state, resume, (found,))

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The steps from time t_first to t_last, on batches first + 1, ..., last."""
        if self.options.method == "euler":
            stepped: Arrays = self.module.march(state, map(self.move, range(first, last)))
            return stepped
        for number in range(first, last):
            x, y, t, width, weights = self.move(number)
            state = runge_kutta(self.module, state, (x, y, weights), t, width, self.options.method)
        return state

    def move(self, number: int) -> tuple[Any, Any, float, float, Any]:
        """x, y, time, width and weights of the samples of the step that begins at t_number."""
        given_x, given_y, weights = self.feed(number + 1)
        x, y = self.problem.reduced.encode(given_x, given_y)
        t = float(self.clock.times[number])
        return x, y, t, float(self.clock.times[number + 1]) - t, weights

    def observe(self, number: int, state: Arrays) -> None:
        """Measure loss and error on the evaluation sample; keep a checkpoint where one is due."""
        yhat = self.predict(state)
        time = float(self.clock.times[number])
        loss, error = evaluate_loss_error(self.network, yhat, self.y)
        # Some functions swallow nan (a step, a maximum), so a finite loss proves nothing.
        if not np.isfinite(loss) or not is_finite(state):
            raise DivergenceError(self.divergence(number, state))
        self.rows.append((time, int(self.clock.sgd_steps[number]), loss, error))
        if number in self.kept:
            kept = State(copy_state(state), self.problem.reduced)
            self.points.append(Checkpoint(time, int(self.clock.sgd_steps[number]), kept))

    def predict(self, state: Arrays) -> Any:
        """The outputs yhat [sample, outputs] on the evaluation sample."""
        count = len(self.x)
        size = self.feed.samples
        if not _SMALLEST_PIECE <= size <= count:
            size = min(max(size, _SMALLEST_PIECE), _LARGEST_PIECE, count)
        return self.module.predict(state, self.x, size)

    def divergence(self, number: int, state: Arrays) -> str:
        """Where the numbers left the finite ones, and what to do."""
        broken = [name for name, value in state.items() if name != "p" and not np.isfinite(value).all()]
        if not broken:
            fields = self.module.forward(state, self.x[:_LARGEST_PIECE])
            broken = [name for name, value in fields.items() if not np.isfinite(value).all()]
        where = f"'{broken[0]}' is not finite" if broken else "the loss is not finite"
        if not self.rows:
            return (
                f"the limit of '{self.network.title}' is not finite where it starts: {where}. "
                "Look at the initial laws, and at what activations and loss are at such values"
            )
        return (
            f"the limit of '{self.network.title}' diverged by t = {self.clock.times[number]:.4g} "
            f"(step {number}): {where}; the last finite loss was {self.rows[-1][2]:.4g} "
            f"at t = {self.rows[-1][0]:.4g}. "
            "Take a smaller learning rate (or time step), or initial values of smaller size"
        )

    def finished(
        self, state: Arrays, resume: Trajectory | None, findings: tuple[Finding, ...] = ()
    ) -> Trajectory:
        """What was observed, after what was observed before; with what is to be known of it."""
        times, steps, loss, error = np.array(self.rows, dtype=np.float64).reshape(-1, 4).T
        points = tuple(self.points)
        if resume is not None:
            times, steps = np.append(resume.times, times), np.append(resume.steps, steps)
            loss, error = np.append(resume.loss, loss), np.append(resume.error, error)
            points = (*resume.checkpoints, *points)
        sizes = {len(weights) for weights in state["p"].values()}
        notes = {
            "method": self.options.method,
            "precision": self.options.precision,
            "reduction": list(self.problem.reduced.names),
            "nodes": {name: len(weights) for name, weights in state["p"].items()},
            "batch_size": self.network.training.batch_size,
            "learning_rate": self.network.training.learning_rate,
            "data": self.options.data,
            "samples_a_step": self.feed.samples,
            "memory_bytes": run_memory(self.problem, state, self.feed.samples),
            "evaluation": len(self.x),
        }
        findings = findings or divergence(self.network, times, loss, self.y, self.options.precision)
        notes |= noted(findings)
        return Trajectory(
            kind="limit",
            network=self.network,
            width=sizes.pop() if len(sizes) == 1 else None,
            seed=self.options.seed,
            times=times,
            steps=steps,
            loss=loss,
            error=error,
            checkpoints=points,
            notes=notes,
            ground=self.ground,
        )


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


def copy_state(state: Arrays) -> Arrays:
    """A state of its own arrays."""
    copied: Arrays = {name: value.copy() for name, value in state.items() if name != "p"}
    copied["p"] = {name: weights.copy() for name, weights in state["p"].items()}
    return copied
