"""One solution: steps, observations and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from ..algebra.findings import Finding
from ..algebra.reduced import Reduced
from ..codegen.digest import layout_digest
from ..errors import DivergenceError
from ..network.network import Network
from ..runs.between import NOTE, copy_state, legs_of
from ..runs.divergence import divergence, not_finite, noted
from ..runs.keeping import UNKEPT, Keeping, Kept
from ..runs.network_record import network_record
from ..runs.schedule import observation_steps
from ..runs.stored import EDITED
from ..runs.trajectory import Checkpoint, Ground, Trajectory, is_finite
from ..samples.rule_pairs import Standing
from ..state.state import State
from ..tensor.first_departure import FirstDeparture
from .cause import cause_at, cause_between, remedy, words
from .feed import Feed, evaluation_points
from .flow_again import steps_again
from .grid import Clock
from .kept_run import content_of, facts_of, taken_up
from .observed_rows import Row, numbers, row_of
from .repeated_calls import Outputs
from .stepping import LARGEST_PIECE, Problem, Stepper, run_memory

Array = Any
Arrays = dict[str, Any]
# The evaluation sample goes through the solver in pieces, to bound the memory: of the size of a batch, so
# that the arrays of a step serve again, but of no fewer samples than SMALLEST and no more than LARGEST_PIECE.
# Arrays of so many bytes are held beside those of a step: calls of many small pieces cost more than numbers.
_SMALLEST_PIECE, _SMALL_BYTES = 64, 2**22
# States of so many numbers are copied to where calls of the solver are prepared.
_SMALL_STATE = 2**16


class Run:
    """One solution: steps, observations and checkpoints; ``observed``: numbers of the clock, in order."""

    def __init__(
        self,
        problem: Problem,
        clock: Clock,
        feed: Feed,
        checkpoints: int,
        parts: int = 1,
        observed: Array | None = None,
    ) -> None:
        self.problem, self.clock, self.feed = problem, clock, feed
        self.network, self.module, self.options = problem.network, problem.module, problem.options
        # A clock whose steps are cut into parts is observed when the uncut one is.
        steps = parts * observation_steps(clock.steps // parts, self.options.observations)
        self.observed = steps if observed is None else observed
        kept = observation_steps(clock.steps, max(min(checkpoints, clock.steps + 1), 2))
        self.kept = {int(self.observed[np.abs(self.observed - step).argmin()]) for step in kept}
        self.stepper, self.start, self.reached = Stepper(problem, clock, feed, parts), 0, 0
        self.ground = ground_of(self.network, problem.reduced, problem.module)
        self.evaluate_on(*evaluation_points(self.network, problem.reduced, self.options.evaluation))
        self.rows: list[Row] = []
        self.points: list[Checkpoint] = []
        self.pieces: dict[tuple[int, ...], int] = {}
        self.outputs: Outputs | None = None
        self.words = "limit"  # of the progress bar

    def evaluate_on(self, x: Array, y: Array, stands: Standing) -> None:
        """Measure loss and error on these points of the network's own form, which stand for the law so."""
        encoded, self.y = self.problem.reduced.encode(x, y)
        self.x, self.law_parts = np.asarray(encoded, self.options.dtype), stands

    def compare(self) -> None:
        """Measure on the first points alone, by which other solutions are compared."""
        count = self.law_parts.compared
        self.x, self.law_parts = self.x[:count], self.law_parts.first()
        self.y = None if self.y is None else self.y[:count]

    def trajectory(
        self, state: Arrays, start: int, resume: Trajectory | None, progress: bool, keep: Keeping = UNKEPT
    ) -> Trajectory:
        """Step from number ``start`` to the end; ``resume``: what went before.

        ``keep``: where a state on the way is kept, from which the same run goes on.
        """
        self.start = start
        kept = keep.begin(self.network, partial(facts_of, self, state), start, self.clock.steps)
        if kept is not None:
            start, state = kept.number, self.take_up(kept)
        self.reached = start
        total = self.clock.steps
        bar = tqdm(total=total, initial=start, desc=self.words, disable=not progress, delay=2, leave=False)
        # Values that overflow are found at the next observation, with a message; no warning is owed here.
        with bar, keep, self.stepper.threads(state), np.errstate(all="ignore"):
            try:
                if resume is None and kept is None:
                    self.observe(0, state)
                state = self.walk(state, start, keep, bar)
            except DivergenceError as error:
                error.path = self.until_then(str(error), state, resume)
                raise
            keep.done(partial(self.content, state, done=True))
        return self.finished(state, resume)

    def walk(self, state: Arrays, start: int, keep: Keeping, bar: Any) -> Arrays:
        """The steps from number ``start`` to the end, observed; the state at the end."""
        for target in self.observed[self.observed > start].tolist():
            while start < target:
                goal = keep.next(start, target, partial(self.content, state))
                state = self.stepper.advance(state, start, goal)
                bar.update(goal - start)
                self.reached = start = goal
            self.observe(target, state)
        return state

    def content(self, state: Arrays, done: bool = False) -> Arrays:
        """What the run goes on from (:mod:`mfderive.runs.keeping`)."""
        return content_of(self, state, done)

    def take_up(self, kept: Kept) -> Arrays:
        """Put what was kept back; the state from which the run goes on."""
        return taken_up(self, kept)

    def until_then(self, reason: str, state: Arrays, resume: Trajectory | None) -> Trajectory | None:
        """What was solved before values left the finite numbers; None where they did at the start."""
        if not self.rows and resume is None:
            return None
        found = not_finite(reason, *self.moment(self.reached))
        return self.finished(state, resume, (found,))

    def moment(self, number: int) -> tuple[float, int]:
        """Time and SGD step of a number of the clock."""
        return float(self.clock.times[number]), int(self.clock.sgd_steps[number])

    def observe(self, number: int, state: Arrays) -> None:
        """Measure loss and error on the evaluation sample; keep a checkpoint where one is due."""
        self.measure(self.moment(number), state, number in self.kept, partial(self.divergence, number, state))

    def measure(self, moment: tuple[float, int], state: Arrays, keeps: bool, why: Callable[[], str]) -> None:
        """Loss and error at a time and SGD step, with a checkpoint or not; ``why`` they are not finite."""
        row = row_of(moment, self.network, self.predict(state), self.y, self.law_parts)
        # Some functions swallow nan (a step, a maximum), so a finite loss proves nothing.
        if not np.isfinite(row.loss) or not is_finite(state):
            raise DivergenceError(why())
        self.rows.append(row)
        if keeps:
            self.store(moment, state)

    def store(self, moment: tuple[float, int], state: Arrays) -> None:
        """Keep a checkpoint at a time and SGD step."""
        self.points.append(Checkpoint(*moment, State.made(copy_state(state), self.problem.reduced)))

    def predict(self, state: Arrays) -> Any:
        """The outputs yhat [sample, outputs] on the evaluation sample; the next call may write there."""
        piece = self.piece(state)
        if piece < len(self.x) or sum(np.size(each) for each in state.values()) > _SMALL_STATE:
            return self.module.predict(state, self.x, piece)
        if self.outputs is None or self.outputs.x is not self.x:
            self.outputs = Outputs(self.module, self.x)
        return self.outputs(state)

    def row(self, state: Mapping[str, Any]) -> Row:
        """What is observed of a state, at no time of its own."""
        return row_of((0.0, 0), self.network, self.predict(dict(state)), self.y, self.law_parts)

    def piece(self, state: Arrays) -> int:
        """How many samples of the evaluation go through the solver at once."""
        nodes = {name: len(weights) for name, weights in state["p"].items()}
        key = len(self.x), *nodes.values()
        if key not in self.pieces:
            self.pieces[key] = self.piece_on(nodes)
        return self.pieces[key]

    def piece_on(self, nodes: Mapping[str, int]) -> int:
        """The same for so many nodes of every axis."""
        count, size = len(self.x), self.feed.samples
        whole = min(LARGEST_PIECE, count)
        if size < whole and self.module.memory(nodes, whole, self.options.dtype) <= _SMALL_BYTES:
            return whole
        if _SMALLEST_PIECE <= size <= count:
            return size
        return min(max(size, _SMALLEST_PIECE), whole)

    def divergence(self, number: int, state: Arrays) -> str:
        """Where the numbers left the finite ones, and what to do."""
        limit = f"the limit of '{self.network.title}'"
        if not self.rows:
            found = self.cause(state)
            where = words(found) if found else self.broken(state)
            advice = remedy(found) if found else ""
            return (
                f"{limit} is not finite where it starts (t = {self.clock.times[number]:.4g}): {where}. "
                f"{advice or 'Look at the initial laws, and at what activations and loss are at such values'}"
            )
        found, number, where = self.traced(number, state)
        advice = remedy(found) if found else ""
        return (
            f"{limit} diverged by t = {self.clock.times[number]:.4g} (step {number}): {where}; the last "
            f"finite loss was {self.rows[-1].loss:.4g} at t = {self.rows[-1].time:.4g}. "
            f"{advice or 'Take a smaller learning rate (or time step), or initial values of smaller size'}"
        )

    def traced(self, number: int, state: Arrays) -> tuple[FirstDeparture | None, int, str]:
        """The departure from the finite numbers, if it is found, the step that shows it, and where it is."""
        if self.points and not is_finite(state):
            # Steps move a state in place, so the last one that is kept is where the search begins.
            first = max(kept for kept in self.kept if kept < number)
            again = cause_between(self.stepper, self.points[-1].state.arrays, first, number)
            if again is not None:
                found = again.departure
                return found, again.number, words(found) if found else self.broken(state)
        found = self.cause(state) if is_finite(state) else None
        return found, number, words(found) if found else self.broken(state)

    def cause(self, state: Arrays) -> FirstDeparture | None:
        """The operation that is not finite on the evaluation sample."""
        return cause_at(self.problem.system, self.module, state, self.x, self.y)

    def broken(self, state: Arrays) -> str:
        """The first parameter or field that is not finite."""
        broken = [name for name, value in state.items() if name != "p" and not np.isfinite(value).all()]
        if not broken:
            fields = self.module.forward(state, self.x[:LARGEST_PIECE])
            broken = [name for name, value in fields.items() if not np.isfinite(value).all()]
        return f"'{broken[0]}' is not finite" if broken else "the loss is not finite"

    def finished(
        self, state: Arrays, resume: Trajectory | None, findings: tuple[Finding, ...] = ()
    ) -> Trajectory:
        """What was observed, after what was observed before; with what is to be known of it."""
        times, steps, loss, error, *_ = numbers(self.rows).T
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
            "samples_per_step": self.feed.samples,
            "memory_bytes": run_memory(self.problem, state, self.feed.samples),
            "evaluation": len(self.x),
        }
        findings = findings or divergence(self.network, times, loss, self.y, self.options.precision)
        notes |= noted(findings)
        if resume is not None and resume.edited:
            notes[EDITED] = list(resume.edited)  # what follows from edited numbers
        notes |= self.more_notes()
        notes |= legs_of(self.moment(self.start)[0], self.record, self.legs_before(resume))
        return Trajectory(
            kind="limit",
            network=self.network,
            width=sizes.pop() if len(sizes) == 1 else None,
            seed=self.options.seed if resume is None else resume.seed,
            times=times,
            steps=steps,
            loss=loss,
            error=error,
            checkpoints=points,
            notes=notes,
            ground=self.ground,
        )

    @property
    def record(self) -> dict[str, Any]:
        """Plain data from which the steps can be made again."""
        return self.stepper.record

    def more_notes(self) -> dict[str, Any]:
        """What a method notes beside the common ones."""
        return {}

    def legs_before(self, resume: Trajectory | None) -> list[Any]:
        """The legs of what went before, where its steps are those of this network."""
        if resume is None or network_record(resume.network) != network_record(self.network):
            return []
        return list(resume.notes.get(NOTE, ()))


def ground_of(network: Network, reduced: Reduced, module: Any) -> Ground:
    """What a solution lives on: its reduced limit, its solver, and how its steps are made again."""
    steps = partial(steps_again, network, reduced, module)
    return Ground(reduced, partial(fields_of, module), steps, layout_digest(reduced))


def fields_of(module: Any, state: Arrays, x: Any) -> Mapping[str, Any]:
    """The fields of a state by a solver, which may be imported again where a solution was sent."""
    fields: Mapping[str, Any] = module.forward(state, x)
    return fields
