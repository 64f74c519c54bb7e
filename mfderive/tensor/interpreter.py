"""The reference interpreter: evaluates equations literally, with numpy, index by index.

It is slow and has no cleverness that could be wrong: every term is laid out over all of its index
variables, evaluated and reduced. Only where every slot is an index of its own over a whole axis (most are)
are arrays read and written whole, not position by position, which takes ten times as long. It checks the
compiled solvers, and it evaluates the equations with every factor replaced by its absolute value, which is
the scale against which rounding is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.functions import FUNCTIONS
from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import Affine, AxisKind, Equation, Index, Slot, Term, slot_indices
from ..algebra.visitor import Fold
from ..errors import MfError
from .clock import LEARNING, Moment, clock_values, rate_at

Array = Any
Values = dict[str, Array]
Grid = dict[Index, Array]  # the positions of every index of a term, each along an axis of its own


def interpret(
    system: LimitSystem,
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    weights: Array | None = None,
    clock: Mapping[str, Any] | None = None,
) -> tuple[Values, Values]:
    """Evaluate the equations of a system on a batch.

    ``x`` is [sample, inputs...], ``y`` [sample, outputs], ``weights`` those of the data nodes (default
    uniform). Returns two dictionaries over all fields (forward, adjoint, velocity without the rate): the
    values, and the same equations with every factor replaced by its absolute value. With ``clock`` (the
    values of what a step is given, see :func:`mfderive.tensor.clock.clock_values`) these are followed by
    what the learning rule makes of G: next values, and derivatives in time.
    """
    system = draw_noise(system)
    run = Interpretation(system, state, np.asarray(x, float), np.asarray(y, float), weights)
    for name, value in (clock or {}).items():
        run.values[name] = np.asarray(value, float)
        run.magnitudes[name] = np.abs(run.values[name])
    for equation in system.equations:
        if clock is not None or system.field[equation.field].role not in LEARNING:
            run.equation(equation)
    return run.values, run.magnitudes


def interpret_step(
    system: LimitSystem, state: Mapping[str, Any], x: Array, y: Array, moment: Moment
) -> tuple[Values, Values]:
    """Every variable after a step at a moment on a batch, and the magnitudes of what was added up."""
    values, sizes = interpret(system, state, x, y, clock=clock_values(system, moment, state))
    moved: Values = {}
    scale: Values = {}
    for variable in system.variables:
        name = variable.name
        if name in system.next_of:
            moved[name], scale[name] = values[system.next_of[name]], sizes[system.next_of[name]]
        elif name in system.velocity_of:
            factor, speed = moment.alpha * rate_at(variable, moment.t), system.velocity_of[name]
            moved[name] = values[name] + factor * values[speed]
            scale[name] = sizes[name] + factor * sizes[speed]
        else:
            moved[name], scale[name] = values[name], sizes[name]
    return moved, scale


class Interpretation:
    """The values of the fields of a system on a batch, equation by equation."""

    def __init__(
        self, system: LimitSystem, state: Mapping[str, Any], x: Array, y: Array, weights: Array | None
    ) -> None:
        self.system = system
        self.values: Values = {"x": x, "y": y.reshape(len(x), -1)}
        for variable in system.variables:
            self.values[variable.name] = np.asarray(state[variable.name], float)
        self.magnitudes: Values = {name: np.abs(value) for name, value in self.values.items()}
        self.weights: dict[str, Array] = {"data": np.full(len(x), 1 / len(x)) if weights is None else weights}
        for axis in system.node_axes:
            self.weights[axis.name] = np.asarray(state["p"][axis.name], float)

    def size(self, axis: str) -> int:
        """How many positions an axis has."""
        known = self.system.axis[axis]
        if known.kind is AxisKind.FINITE:
            if known.size is None:
                raise MfError(f"the size of the finite axis '{axis}' is not known")
            return known.size
        return len(self.weights[axis])

    def equation(self, equation: Equation) -> None:
        """Compute the field of an equation; what it reads is known."""
        shape = [self.size(index.axis) for index in equation.target]
        total, magnitude = np.zeros(shape), np.zeros(shape)
        for term in equation.terms:
            self.term(term, total, magnitude)
        if equation.selector:
            total = first_maximum(total, equation.selector)
            magnitude = total
        self.values[equation.field] = total
        self.magnitudes[equation.field] = magnitude

    def grid(self, indices: tuple[Index, ...]) -> Grid:
        """The positions of indices, each along an axis of its own."""
        return {
            index: np.arange(self.size(index.axis)).reshape([-1 if i == index else 1 for i in indices])
            for index in indices
        }

    def term(self, term: Term, total: Array, magnitude: Array) -> None:
        """Add one term to ``total`` and its magnitude to ``magnitude``, in place."""
        indices = term.indices
        shape = [self.size(index.axis) for index in indices]
        grid = self.grid(indices)
        values, sizes = {}, {}
        for symbol, access in term.accesses:
            known = self.values[access.field]
            read = reader(access.slots, grid, known.shape)
            values[symbol], sizes[symbol] = read(known), read(self.magnitudes[access.field])
        value, scale = pointwise(term.expression, values, sizes)
        factor = np.ones(())
        for index in term.reduced:
            if self.system.axis[index.axis].is_measure:
                factor = factor * self.weights[index.axis][grid[index]]
        add = _adder(term.target, grid, total.shape)
        add(total, np.broadcast_to(value * factor, shape))
        add(magnitude, np.broadcast_to(scale * factor, shape))


def reader(slots: tuple[Slot, ...], grid: Grid, shape: tuple[int, ...]) -> Callable[[Array], Array]:
    """Reads arrays of a shape over a grid of positions: the values at the slots, 0 outside."""
    if not slots:
        return lambda array: array
    order = _order(slots, grid, shape)
    if order is not None:
        axes = sorted(range(len(order)), key=order.__getitem__)
        laid_out = [1] * len(grid)
        for place, size in zip(order, shape, strict=True):
            laid_out[place] = size
        return lambda array: array.transpose(axes).reshape(laid_out)
    positions = [_position(slot, grid) for slot in slots]
    inside = np.ones((), bool)
    for position, size in zip(positions, shape, strict=True):
        inside = inside & (position >= 0) & (position < size)
    clipped = [np.clip(position, 0, size - 1) for position, size in zip(positions, shape, strict=True)]
    chosen = tuple(np.broadcast_arrays(*clipped))
    return lambda array: np.where(inside, array[chosen], 0.0)


def _adder(slots: tuple[Slot, ...], grid: Grid, shape: tuple[int, ...]) -> Callable[[Array, Array], None]:
    """Adds values over a grid to arrays of a shape at the slots, in place; nothing is added outside."""
    met = slot_indices(slots)
    alone = tuple(place for place, index in enumerate(grid) if index not in met)
    order = _order(slots, grid, shape)
    if order is not None:
        ascending = sorted(order)
        axes = [ascending.index(place) for place in order]

        def add_whole(total: Array, value: Array) -> None:
            total += value.sum(axis=alone).transpose(axes)

        return add_whole
    counted = [1 if place in alone else positions.size for place, positions in enumerate(grid.values())]
    positions = [np.broadcast_to(_position(slot, grid), counted) for slot in slots]
    inside = np.ones(counted, bool)
    for position, size in zip(positions, shape, strict=True):
        inside &= (position >= 0) & (position < size)
    chosen = tuple(position[inside] for position in positions)

    def add_at(total: Array, value: Array) -> None:
        np.add.at(total, chosen, value.sum(axis=alone, keepdims=True)[inside])

    return add_at


def _order(slots: tuple[Slot, ...], grid: Grid, shape: tuple[int, ...]) -> list[int] | None:
    """Where the indices of slots stand in a grid, if every slot is an index of its own over a whole axis."""
    places = {index: place for place, index in enumerate(grid)}
    order = []
    for slot, size in zip(slots, shape, strict=True):
        if not isinstance(slot, Index) or grid[slot].size != size or places[slot] in order:
            return None
        order.append(places[slot])
    return order


def _position(slot: Slot, grid: Grid) -> Array:
    if isinstance(slot, Index):
        return grid[slot]
    if isinstance(slot, Affine):
        return sum((c * grid[i] for c, i in slot.parts), np.asarray(slot.constant))
    raise MfError(f"unknown slot {slot!r}")


def first_maximum(values: Array, trailing: int) -> Array:
    """1 at the first maximum over the trailing axes in row-major order, 0 elsewhere; same shape."""
    lead = values.shape[: values.ndim - trailing]
    flat = values.reshape(*lead, -1)
    chosen = np.arange(flat.shape[-1]) == flat.argmax(-1)[..., None]
    return chosen.astype(float).reshape(values.shape)


def pointwise(
    expression: sp.Expr, values: Mapping[sp.Symbol, Array], sizes: Mapping[sp.Symbol, Array]
) -> tuple[Array, Array]:
    """The value of an expression, and its value with every factor and summand replaced by its absolute value.

    ``values`` and ``sizes`` give both for each symbol. A function and a negative power keep their true
    argument: rounding in an argument is not a factor.
    """
    return _Pointwise({symbol: (value, sizes[symbol]) for symbol, value in values.items()})(expression)


class _Pointwise(Fold[tuple[Array, Array]]):
    """Pairs of a value and its magnitude, node by node."""

    def number(self, node: sp.Expr) -> tuple[Array, Array]:
        """A number and its absolute value."""
        number = float(node)
        return np.asarray(number), np.asarray(abs(number))

    def add(self, node: sp.Expr, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """A sum; the magnitudes add up."""
        return sum(value for value, _ in parts), sum(size for _, size in parts)

    def mul(self, node: sp.Expr, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """A product; the magnitudes multiply."""
        value, scale = parts[0]
        for other, size in parts[1:]:
            value, scale = value * other, scale * size
        return value, scale

    def power(
        self, node: sp.Expr, base: tuple[Array, Array], exponent: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """A power; a positive whole one is a product of magnitudes."""
        value = np.power(base[0], exponent[0])
        grows = node.exp.is_Integer and node.exp > 0
        return value, np.power(base[1], exponent[0]) if grows else np.abs(value)

    def function(self, node: sp.Expr, name: str, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """A function of the closed table at the true values of its arguments."""
        value = FUNCTIONS[name].real(*(v for v, _ in parts))
        return value, np.abs(value)
