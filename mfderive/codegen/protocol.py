"""What every solver can do, whatever backend made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from ..algebra.laws import VariableKind
from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import AxisKind, Role
from .layout import Layout

# Fields that are no arrays of their own: they are written where the state is.
MOVERS = frozenset({Role.VELOCITY, Role.NEXT, Role.FLOW, Role.CLOCK, Role.DRAW})

Array = Any
State = dict[str, Any]
# (x, y, t, alpha, weights of the samples, number of the step)
Move = tuple[Array, Array, float, float, Array | None, int]


class Solver(Protocol):
    """The solver of one limit: a generated module, or any object with these parts.

    A state is a dictionary with an array for every parameter and memory, on the axes that
    ``layout.parameters`` names, and under "p" the weights of the nodes of every axis of ``layout.measures``,
    which sum to 1. x is [sample, inputs...], y is [sample, outputs] ([sample] where there is one output);
    ``weights`` are those of the samples, which sum to 1 (None: equal). Time t is the sum of the learning
    rates. Arrays that do not fit raise ValueError. A solver may name its limit: ``DIGEST``, by
    :func:`mfderive.codegen.digest.digest`; it then goes with no other. It may have ``velocities(state, x, y,
    weights)``: a function of t that gives the ``velocity`` of what the state's arrays hold by then, in arrays
    that the next call writes again; a flow then looks up only once what stays the same. It may have
    ``predictions(state, x)``: a function that gives yhat of what the state's arrays hold by then, likewise.
    """

    @property
    def layout(self) -> Layout:
        """The axes of every array and the sizes of the finite axes."""

    def sample(
        self,
        widths: int | Mapping[str, int] = 64,
        seed: int = 0,
        edges: str = "draw",
        dtype: Any = np.float64,
    ) -> State:
        """A state drawn from the initial laws, with equal weights of the nodes; a function of the seed.

        ``widths``: a number (times each population's relative width) or numbers of nodes by name.
        ``edges`` "mean": weights between two populations start at their conditional mean.
        """

    def forward(self, state: Mapping[str, Any], x: Array) -> dict[str, Array]:
        """Every forward field that needs no y (yhat is one of them), as new arrays."""

    def velocity(
        self, state: Mapping[str, Any], x: Array, y: Array, t: float = 0.0, weights: Array | None = None
    ) -> dict[str, Array]:
        """The derivative in time of every array of a state on a batch, as new arrays (0 where it is frozen).

        Raises ValueError where the learning rule has no known flow in time.
        """

    def step(
        self,
        state: Mapping[str, Any],
        x: Array,
        y: Array,
        t: float,
        alpha: float,
        out: State | None = None,
        weights: Array | None = None,
        k: int = 1,
        seed: int = 0,
    ) -> State:
        """Step number k of the learning rule: a new state, or ``out`` changed in place.

        For SGD that is state + alpha * velocity, to rounding. ``seed``: that of the noise of all steps.
        """

    def march(self, state: State, moves: Iterable[Move], seed: int = 0) -> State:
        """Change ``state`` itself by one step for every move, and return it."""

    def predict(self, state: Mapping[str, Any], x: Array, piece: int | None = None) -> Array:
        """yhat [sample, outputs] on x, computed on ``piece`` samples at a time (None: all at once)."""

    def memory(
        self, sizes: int | Mapping[str, int], batch: int, dtype: Any = np.float64, copies: int = 2
    ) -> int:
        """Bytes that ``step`` and ``velocity`` hold at once, for numbers of nodes as in :meth:`sample`.

        ``batch``: samples; ``copies``: how many arrays of every parameter's size are counted.
        """


PARTS = tuple(name for name in vars(Solver) if not name.startswith("_"))


def missing_parts(solver: object) -> tuple[str, ...]:
    """The parts of the protocol that an object lacks; none for a solver."""
    return tuple(name for name in PARTS if not hasattr(solver, name))


def layout_of(system: LimitSystem) -> Layout:
    """The layout of the solver of a system."""
    system = draw_noise(system)
    return Layout(
        parameters={variable.name: variable.axes for variable in system.variables},
        frozen=tuple(parameter.name for parameter in system.parameters if parameter.is_frozen),
        populations=tuple(axis.name for axis in system.populations),
        measures={a.name: a.width for a in system.axes if a.is_measure and a.kind is not AxisKind.DATA},
        sizes={axis.name: _size(axis.size) for axis in system.axes if not axis.is_measure},
        fields={field.name: field.axes for field in system.fields if field.role not in MOVERS},
        memories=tuple(v.name for v in system.variables if v.kind is VariableKind.MEMORY),
    )


def _size(size: int | None) -> int:
    if size is None:
        raise ValueError("a finite axis has no size yet: resolve the data first")
    return size
