"""One solution by a method that chooses its own steps: stretches of a flow, observed as they pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import DivergenceError, MfError
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..runs.between import NOTE
from ..runs.evaluation import losses_and_errors
from ..runs.flow_sentences import FLOW
from ..runs.keeping import UNKEPT, Keeping, Kept
from ..runs.trajectory import Trajectory
from .cause import cause_at, remedy, words
from .feed import Feed
from .flow_events import events_of, first_event
from .grid import Clock, cut
from .integrators import Field, Stretch
from .march import Run
from .methods import MULTIREVOLUTION, integrator_of
from .stepping import Problem

Array = Any
Arrays = dict[str, Any]

# A flow whose steps are so short that this many would be left, so many steps in a row, is given up. (One that
# leaves every number comes to its end within fewer.)
_MOST_STEPS, _PATIENCE = 10**7, 5000
# What the arrays of a checkpoint are called, beside those of every solution.
_KEPT, _STRETCH = "flow", "stretch"


def make_run(
    problem: Problem,
    clock: Clock,
    feed: Feed,
    checkpoints: int,
    finer: int = 1,
    observed: Array | None = None,
) -> Run:
    """The run of a problem; ``finer``: steps in so many parts, or tolerances smaller by its square.

    ``observed``: at which numbers of the clock; by default where the options say.
    """
    if problem.options.method not in ADAPTIVE:
        return Run(problem, cut(clock, finer), feed, checkpoints, finer, observed)
    finest = replace(problem, options=finer_options(problem.options, finer))
    return FlowRun(finest, clock, feed, checkpoints, observed)


def finer_options(options: SolveOptions, finer: int) -> SolveOptions:
    """The same with tolerances smaller by a factor's square."""
    return replace(options, rtol=(options.rtol or 0) / finer**2, atol=(options.atol or 0) / finer**2)


class FlowRun(Run):
    """A flow from checkpoint to checkpoint: each stretch begins at a stored state and ends at the next.

    Where a parameter has outgrown its units, a stretch ends as well, and its state is stored. ``time``: when
    the present stretch began; ``seen``: the number of the last time at which the flow was observed;
    ``ended``: what ended it, and when; ``progress``: whether bars show how far it is; ``allowed``: the most
    evaluations of the velocity, beyond which MfError is raised.
    """

    def __init__(
        self, problem: Problem, clock: Clock, feed: Feed, checkpoints: int, observed: Array | None = None
    ) -> None:
        super().__init__(problem, clock, feed, checkpoints, observed=observed)
        self.samples = self.stepper.samples
        self.integrator = integrator_of(problem.system, self.options)
        self.events = events_of(self.options, self.loss)
        self.stretches: list[tuple[float, float, float | None]] = []
        self.proposed: float | None = None
        self.seen, self.time, self.short, self.is_done = 0, 0.0, 0, False
        self.progress = False
        self.evaluations = self.made = self.rejected = 0
        self.allowed = math.inf
        self.memory: Mapping[str, Any] | None = None
        self.stretch: Stretch | None = None
        self.field: Field | None = None  # the velocity of the last stretch
        self.ended: tuple[str, float] = ("horizon", float(clock.times[-1]))

    def trajectory(
        self, state: Arrays, start: int, resume: Trajectory | None, progress: bool, keep: Keeping = UNKEPT
    ) -> Trajectory:
        """Integrate from number ``start`` of the clock to the end, or to what ends the flow before."""
        self.seen, self.time, self.proposed = start, self.moment(start)[0], self.proposed_by(resume)
        self.progress = progress
        return super().trajectory(state, start, resume, progress, keep)

    def proposed_by(self, resume: Trajectory | None) -> float | None:
        """The next step that a flow which goes on proposed, where it was integrated as this one is."""
        legs = resume.notes.get(NOTE, ()) if resume is not None else ()
        same = ("integrator", "rtol", "atol")
        if not legs or any(legs[-1].get(name) != self.record[name] for name in same):
            return None
        return None if legs[-1]["proposed"] is None else float(legs[-1]["proposed"])

    # ------------------------------------------------------------------ stretches

    def walk(self, state: Arrays, start: int, keep: Keeping, bar: Any) -> Arrays:
        """The flow to its end, observed; the state there."""
        for bound in [number for number in sorted(self.kept) if number > self.seen]:
            self.stand(state, bound, self.time)
            while not self.is_done and self.seen < bound:
                stretch = self.begun(state, bound)
                state = self.followed(stretch, state, bound, keep, bar)
        return state

    def stand(self, state: Arrays, bound: int, time: float) -> None:
        """Observe a state at the numbers, up to a bound, at which the time is still the same: rates are 0."""
        for number in self.observed[(self.observed > self.seen) & (self.observed <= bound)].tolist():
            if self.is_done or self.moment(number)[0] > time:
                return
            keeps = number == self.clock.steps  # the end; all others are there already
            self.measure(self.moment(number), state, keeps, partial(self.divergence, number, state))
            self.seen = number

    def begun(self, state: Arrays, bound: int) -> Stretch:
        """The stretch from a state to a number of the clock; one that was kept goes on."""
        if self.memory is None:
            self.stretches.append((self.time, self.moment(bound)[0], self.proposed))
        begins, ends, first = self.stretches[-1]
        span = begins, ends
        times = self.clock.times
        stretch = Stretch(self.problem, self.samples, state, span, first, self.integrator, times, self.field)
        self.field = stretch.field
        if self.memory is not None:
            stretch.go_on(self.memory)
        self.memory, self.stretch = None, stretch
        return stretch

    def followed(self, stretch: Stretch, begin: Arrays, bound: int, keep: Keeping, bar: Any) -> Arrays:
        """The state at the end of a stretch, or where an event ends the flow."""
        found = None
        if not np.isfinite(stretch.solver.f).all():
            raise DivergenceError(self.lost(stretch))
        if not stretch.made and any(event.happened(stretch) for event in self.events):
            found = (stretch.begins, next(event.name for event in self.events if event.happened(stretch)))
        is_outgrown = False
        while found is None and stretch.is_running and not is_outgrown:
            keep.next(self.reached, self.clock.steps, partial(self.content, begin))
            stretch.step()
            self.check(stretch)
            found = first_event(self.events, stretch)
            self.look(stretch, bound, stretch.solver.t if found is None else found[0])
            passed = max(self.reached, int(np.searchsorted(self.clock.times, stretch.solver.t, "right")) - 1)
            bar.update(passed - self.reached)
            self.reached = passed
            is_outgrown = stretch.is_running and stretch.space.is_outgrown(stretch.solver.y)
        self.evaluations += stretch.evaluations
        self.made, self.rejected = self.made + stretch.made, self.rejected + stretch.rejected
        self.proposed, self.stretch = stretch.proposed, None
        self.time = stretch.solver.t
        if found is None and stretch.is_running:  # the next stretch has other units, and begins here
            state = stretch.state
            self.store((self.time, self.clock.sgd_step(self.time)), state)
            return state
        if found is None:
            state = stretch.state
            self.stand(state, bound - 1, self.time)
            self.observe(bound, state)
            self.seen = bound
            return state
        self.is_done, self.ended = True, (found[1], found[0])
        if not stretch.made:
            return begin
        state = stretch.state_at(found[0])
        moment = found[0], self.clock.sgd_step(found[0])
        self.measure(moment, state, True, partial(self.lost, stretch))
        return state

    def look(self, stretch: Stretch, bound: int, until: float) -> None:
        """Observe the flow at the times of its last step that lie before the end and before ``until``."""
        for number in self.observed[(self.observed > self.seen) & (self.observed < bound)].tolist():
            moment = self.moment(number)
            if moment[0] >= until * (1 - 1e-12):
                return
            state = stretch.state_at(moment[0])
            self.measure(moment, state, number in self.kept, partial(self.lost, stretch))
            self.seen = number

    def loss(self, state: Mapping[str, Any]) -> float:
        """The loss of a state on the evaluation sample."""
        losses, _ = losses_and_errors(self.network, self.predict(dict(state)), self.y)
        return self.law_parts.mean(losses)

    # ------------------------------------------------------------------ what goes wrong

    def check(self, stretch: Stretch) -> None:
        """Raise DivergenceError where the flow cannot be followed, MfError where that would take for ever."""
        solver = stretch.solver
        if solver.status == "failed":
            raise DivergenceError(self.lost(stretch))
        if self.evaluations + stretch.evaluations > self.allowed:
            raise MfError(
                f"{self.name}: {self.allowed:.0f} evaluations do not suffice to t = {stretch.ends:.6g}"
            )
        if self.follows_steps:  # of which there are as many as SGD makes
            return
        left = (stretch.ends - solver.t) / max(solver.h_abs, 1e-300)
        self.short = self.short + 1 if left > _MOST_STEPS else 0
        if self.short < _PATIENCE:
            return
        advice = "Take a larger rtol, or the method euler"
        if self.options.method == "flow":
            advice = "Take the method stiff, or a larger rtol, or the method euler"
        raise MfError(
            f"{self.name}: at t = {solver.t:.6g} the flow changes so fast that steps of {solver.h_abs:.2g} "
            f"are needed, of which {left:.2g} would be left to t = {stretch.ends:.6g}. {advice}"
        )

    @property
    def follows_steps(self) -> bool:
        """Whether it leads along SGD's steps, and not along a flow."""
        return self.integrator == MULTIREVOLUTION

    @property
    def sgd_steps(self) -> int:
        """How many of SGD's steps it has passed."""
        return self.clock.sgd_step(self.ended[1]) - self.moment(self.start)[1]

    @property
    def name(self) -> str:
        """The limit that is solved, for messages."""
        return f"the limit of '{self.network.title}'"

    def lost(self, stretch: Stretch) -> str:
        """Where the flow left the finite numbers, or can no more be followed."""
        t, state = stretch.field.broken or (stretch.solver.t, stretch.state)
        x, y, _ = self.samples
        found = cause_at(self.problem.system, self.module, state, x, y) or self.cause(state)
        at = f"{self.name} cannot be followed beyond t = {stretch.solver.t:.6g}"
        seen = self.rows[-1:]
        last = "".join(f"the last loss was {row.loss:.4g} at t = {row.time:.4g}" for row in seen)
        if found is not None:
            where = f"at t = {t:.6g} {words(found)}"
        elif stretch.field.broken is not None:
            where = f"at t = {t:.6g} {self.broken(state)}"
        else:
            where = f"its steps have become as small as rounding ({stretch.solver.h_abs:.2g})"
        advice = (remedy(found) if found else "") or "Take initial values of smaller size, or an earlier end"
        return f"{at}: {'; '.join(filter(None, (where, last)))}. {advice}"

    # ------------------------------------------------------------------ what is kept and noted

    def content(self, state: Arrays, done: bool = False) -> Arrays:
        """What the run goes on from; ``state``: that at the beginning of the present stretch."""
        spans = [(begins, ends, np.nan if size is None else size) for begins, ends, size in self.stretches]
        names = ["horizon", *(event.name for event in self.events)]
        flow: Arrays = {
            "spans": np.array(spans, np.float64).reshape(-1, 3),
            "proposed": np.array([np.nan if self.proposed is None else self.proposed]),
            "counts": np.array([self.seen, self.evaluations, self.made, self.rejected, self.short], np.int64),
            "ended": np.array([names.index(self.ended[0]), self.ended[1], self.time], np.float64),
        }
        if not done and self.stretch is not None:
            flow[_STRETCH] = self.stretch.memory
        return {**super().content(state, done), _KEPT: flow}

    def take_up(self, kept: Kept) -> Arrays:
        """Put what was kept back; the state at the beginning of the stretch that goes on."""
        state = super().take_up(kept)
        flow, names = kept.tree[_KEPT], ["horizon", *(event.name for event in self.events)]
        self.stretches = [
            (begins, ends, None if np.isnan(size) else size) for begins, ends, size in flow["spans"].tolist()
        ]
        (proposed,), (number, time, self.time) = flow["proposed"].tolist(), flow["ended"].tolist()
        self.proposed = None if np.isnan(proposed) else proposed
        self.seen, self.evaluations, self.made, self.rejected, self.short = flow["counts"].tolist()
        self.ended, self.is_done = (names[int(number)], time), kept.done
        self.memory = flow.get(_STRETCH)
        return state

    @property
    def record(self) -> dict[str, Any]:
        """Plain data from which :class:`mfderive.solution.flow_again.FlowAgain` makes the flow again."""
        common = {
            name: value for name, value in self.stepper.record.items() if name not in ("steps", "parts")
        }
        return {
            **common,
            "integrator": self.integrator,
            "rtol": self.options.rtol,
            "atol": self.options.atol,
            "stretches": [list(each) for each in self.stretches],
            "until": self.rows[-1].time if self.rows else self.moment(self.start)[0],
            "proposed": self.proposed,
        }

    def more_notes(self) -> dict[str, Any]:
        """How the flow was integrated, and what ended it."""
        bounds = {event.name: getattr(self.options, event.name) for event in self.events}
        return {
            FLOW: {
                "integrator": self.integrator,
                "rtol": self.options.rtol,
                "atol": self.options.atol,
                "evaluations": self.evaluations,
                "steps": self.made,
                "rejected": self.rejected,
                **({"sgd_steps": self.sgd_steps} if self.follows_steps else {}),
                "until": bounds,
                "ended": {"by": self.ended[0], "time": self.ended[1]},
            }
        }
