"""What integrates a stretch of time: scipy's embedded pairs, or stabilised steps and strides of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.integrate import DOP853, RK23, RK45

from ..network.solve_options import SolveOptions
from .chebyshev import Chebyshev
from .flow_space import FlowSpace
from .methods import MULTIREVOLUTION, STABILISED
from .stepping import Problem
from .strides import Strides

Array = Any
Arrays = dict[str, Any]

_PAIRS: dict[str, Any] = {"RK23": RK23, "RK45": RK45, "DOP853": DOP853}
# scipy's least relative tolerance: what errors may be is in the units of the vectors.
_LEAST_RTOL = 100 * float(np.finfo(np.float64).eps)
_STATE, _CLOCK, _OWN = "y", "clock", "own"


class Stepping(Protocol):
    """What is needed of a solver that steps, as scipy's do."""

    t: float
    t_old: float | None
    y: Array
    f: Array
    h_abs: float
    nfev: int
    status: str

    def step(self) -> Any:
        """One step; ``status`` is then "running", "finished" or "failed"."""

    def dense_output(self) -> Callable[[float], Array]:
        """Values at any time of the last step."""


@dataclass
class Field:
    """The velocity of a problem on its samples, in the coordinates of a stretch.

    ``broken``: the state at which it was last not finite, and the time. Solvers that mfderive writes have
    ``velocities``, which looks up once what stays the same; of others their ``velocity`` is asked.
    """

    problem: Problem
    samples: tuple[Array, Array, Array | None]
    space: FlowSpace
    broken: tuple[float, Arrays] | None = None
    state: Arrays = field(default_factory=dict, repr=False)  # arrays that every state is written into
    planned: Callable[[float], Arrays] | None = field(default=None, repr=False)
    # The velocities that were found last, and their parts of a vector: the same arrays every time, mostly.
    found: Arrays = field(default_factory=dict, repr=False)
    parts: list[Array] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Prepare the velocity of one set of arrays, where the solver can."""
        prepare = getattr(self.problem.module, "velocities", None)
        if prepare is not None and self.planned is None:
            self.state = self.space.arrays()
            self.planned = prepare(self.state, *self.samples)

    def in_units(self, space: FlowSpace) -> Field:
        """The same in other units, on the arrays that were prepared: what moves is written into them anew."""
        space.flat = self.space.flat
        return Field(self.problem, self.samples, space, None, self.state, self.planned)

    def __call__(self, t: float, vector: Array) -> Array:
        """The velocity at a time and a state, as vectors."""
        x, y, weights = self.samples
        if self.planned is None:
            found = self.problem.module.velocity(self.space.state(vector), x, y, np.float64(t), weights)
        else:
            self.space.write(vector)
            found = self.planned(np.float64(t))
        if found is not self.found:
            moving = [found[name] for name in self.space.shapes]
            self.parts = [np.ravel(each) for each in moving]
            # Views show what the next call writes; copies do not.
            self.found = found if all(each.flags.c_contiguous for each in moving) else {}
        rate = self.space.joined(self.parts)
        if not np.isfinite(rate).all():
            self.broken = (float(t), self.space.state(vector))
        return rate


def flow_solver(
    name: str,
    rate: Callable[[float, Array], Array],
    t: float,
    vector: Array,
    ends: float,
    first: float | None,
) -> Stepping:
    """What integrates a flow whose vectors may be wrong by 1; ``first``: the first step (None: found)."""
    if name == STABILISED:
        return Chebyshev(rate, t, vector, ends, first_step=first)
    made: Stepping = _PAIRS[name](rate, t, vector, ends, first_step=first, rtol=_LEAST_RTOL, atol=1.0)
    return made


class Stretch:
    """A flow from one state to a time: each step, and what it remembers, so that the same steps can follow.

    ``begins``, ``ends``: times; ``first``: the size of the first step, None: found. What lies between is a
    function of the state at the beginning and of these. ``times``: those of SGD's steps, along which strides
    lead. ``before``: the velocity of a stretch of the same solution.
    """

    def __init__(
        self,
        problem: Problem,
        samples: tuple[Array, Array, Array | None],
        state: Mapping[str, Any],
        span: tuple[float, float],
        first: float | None,
        name: str,
        times: Array,
        before: Field | None = None,
    ) -> None:
        options: SolveOptions = problem.options
        self.name, (self.begins, self.ends), self.first, self.times = name, span, first, times
        rtol, atol = options.rtol or 0.0, options.atol or 0.0
        self.space = before.space.around(state) if before else FlowSpace(problem, state, rtol, atol)
        self.field = before.in_units(self.space) if before else Field(problem, samples, self.space)
        self.made = 0
        self.proposed = first
        self.attempts = 0
        self.extension: Callable[[float], Array] | None = None  # of the last step
        self.before = 0  # velocities before the present solver was made
        self.solver = self._solver(self.begins, self.space.vector(state), first)

    def _solver(self, t: float, vector: Array, first: float | None) -> Stepping:
        step = None if first is None else min(first, self.ends - t)
        if self.name == MULTIREVOLUTION:
            return Strides(self.field, self.times, t, vector, self.ends, first_step=step)
        return flow_solver(self.name, self.field, t, vector, self.ends, step)

    def step(self) -> None:
        """One step; a step that the end cuts off does not shorten what is proposed next."""
        solver, calls, rejected = self.solver, self.solver.nfev, self.rejected
        self.extension = None
        wanted = solver.h_abs
        solver.step()
        self.made += 1
        stages = getattr(solver, "n_stages", None)
        self.attempts += 1 if stages is None else (solver.nfev - calls) // stages
        is_cut = solver.status == "finished" and self.rejected == rejected
        self.proposed = float(max(wanted, solver.h_abs) if is_cut else solver.h_abs)

    @property
    def rejected(self) -> int:
        """Steps that were made again shorter."""
        own = getattr(self.solver, "rejected", None)
        return self.attempts - self.made if own is None else int(own)

    @property
    def evaluations(self) -> int:
        """Velocities that were evaluated."""
        return self.before + self.solver.nfev

    @property
    def is_running(self) -> bool:
        """Whether the end is not reached, and the flow can be followed."""
        return self.solver.status == "running"

    @property
    def state(self) -> Arrays:
        """The state now."""
        return self.space.state(self.solver.y)

    def state_at(self, t: float) -> Arrays:
        """The state at a time of the last step."""
        return self.state if t >= self.solver.t else self.space.state(self.between(t))

    def between(self, t: float) -> Array:
        """The vector at a time of the last step."""
        if self.extension is None:
            self.extension = self.solver.dense_output()
        return self.extension(t)

    def landing(self, t: float) -> float:
        """Where the solution may end by what happened at a time of the last step: with a step of SGD's."""
        if self.name != MULTIREVOLUTION:
            return t
        later = self.times[np.searchsorted(self.times, t) :]
        return min(float(later[0]), self.solver.t) if len(later) else self.solver.t

    def speed(self, t: float | None = None) -> float:
        """The size of the velocity in L2(P) now, or at a time of the last step."""
        if t is None:
            return self.space.speed(self.solver.f)
        self.before += 1
        return self.space.speed(self.field(t, self.between(t)))

    # ------------------------------------------------------------------ stopping and going on

    @property
    def memory(self) -> Arrays:
        """Arrays from which the same steps follow, beside the state at the beginning."""
        clock = [self.solver.t, self.solver.h_abs, self.made, self.evaluations, self.attempts, self.rejected]
        return {
            _STATE: self.solver.y,
            _CLOCK: np.array(clock, np.float64),
            _OWN: getattr(self.solver, "memory", {}),
        }

    def go_on(self, memory: Mapping[str, Any]) -> None:
        """Go on from what another one, with the same beginning, remembered."""
        t, step, made, calls, attempts, rejected = memory[_CLOCK].tolist()
        solver: Any = self._solver(t, memory[_STATE], self.ends - t)
        self.before, self.made, self.attempts = int(calls) - solver.nfev, int(made), int(attempts)
        solver.h_abs = step
        if memory.get(_OWN):
            solver.remember(memory[_OWN])
            solver.rejected = int(rejected)
        self.solver, self.proposed = solver, step
