"""Numbers out of kernel equations: kernels are evaluated when they are first asked for, and kept.

Arrays have leading axes that all kernels share (pairs of inputs, grids of scales), then one axis for each
finite axis of a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.terms import Index, Slot, slot_indices
from ..errors import ArgumentError
from .kernel_system import (
    ExpectationAccess,
    KernelAccess,
    KernelEquation,
    KernelSystem,
    KernelTerm,
    Replicas,
    numbered,
)

Array = Any


@dataclass
class KernelValues:
    """The values of kernels, for inputs number 1 and 2 and given scales.

    ``given`` holds arrays by kernel and replicas: those of the input and at the output, and any that are to
    stand in the place of their equations. ``shape`` are the leading axes, which all arrays have.
    ``largest_error`` is the largest estimate of the error of an expectation so far.
    """

    system: KernelSystem
    scales: Mapping[sp.Symbol, Array]
    shape: tuple[int, ...]
    given: dict[tuple[str, Replicas], Array]
    largest_error: float = 0.0
    _expectations: dict[Any, Array] = field(default_factory=dict)

    def __call__(self, kernel: str, replicas: Replicas = (1, 2)) -> Array:
        """The values of a kernel between two inputs (or of one: (1,), (1, 1)). Raises ArgumentError if not
        given."""
        key = (kernel, replicas)
        if key not in self.given:
            self.given[key] = self._computed(kernel, replicas)
        return self.given[key]

    def _computed(self, kernel: str, replicas: Replicas) -> Array:
        pair = len(set(replicas)) == 2
        table = self.system.pair if pair else self.system.same
        if kernel not in table:
            raise ArgumentError(
                f"the kernel '{kernel}' is given, not computed, and no value of it is there for inputs "
                f"{replicas}"
            )
        return self._equation(table[kernel], replicas)

    def _equation(self, equation: KernelEquation, replicas: Replicas) -> Array:
        named = numbered(replicas)
        sizes = tuple(self.system.axis[a].size or 1 for a in self.system.kernel[equation.kernel].axes)
        total = np.zeros((*self.shape, *sizes))
        for term in equation.terms:
            value, indices = self._term(term, named)
            self._add(total, term.target, indices, value)
        return total

    # ------------------------------------------------------------------ one term

    def _term(self, term: KernelTerm, named: dict[int, int]) -> tuple[Array, tuple[Index, ...]]:
        """The values of a term [*shape, index, ...], summed over what it reduces, and the indices that are
        left."""
        left = slot_indices(term.target)
        indices = (*left, *term.reduced)
        grid = _Grid(indices, tuple(self.system.axis[i.axis].size or 1 for i in indices))
        values: dict[sp.Symbol, Array] = {
            s: np.asarray(v).reshape((*np.shape(v), *(1,) * len(indices))) for s, v in self.scales.items()
        }
        for symbol, meaning in term.meanings:
            if isinstance(meaning, KernelAccess):
                replicas = tuple(named.get(r, r) for r in meaning.replicas)
                values[symbol] = grid.read(self._ordered(meaning, replicas), meaning.slots, len(self.shape))
            else:
                values[symbol] = self._expectation(meaning, values)
        result = np.asarray(evaluate_expression(term.expression, values), float)
        result = np.broadcast_to(result, (*self.shape, *grid.sizes))
        summed = tuple(range(len(self.shape) + len(left), result.ndim))
        return result.sum(axis=summed), left

    def _ordered(self, access: KernelAccess, replicas: Replicas) -> Array:
        """A kernel between inputs; of one field, from the order of inputs that is known."""
        kernel = self.system.kernel[access.kernel]
        if len(replicas) == 2 and kernel.first == kernel.second and replicas[0] > replicas[1]:
            half = len(kernel.axes) // 2
            swapped = self(access.kernel, replicas[::-1])
            start = len(self.shape)
            axes = (*range(start), *range(start + half, start + 2 * half), *range(start, start + half))
            return np.transpose(swapped, axes)
        return self(access.kernel, replicas)

    def between(self, access: KernelAccess, replicas: Replicas) -> Array:
        """A kernel without positions between inputs, whichever comes first."""
        return self._ordered(access, replicas)

    def arguments(
        self, access: ExpectationAccess, values: Mapping[sp.Symbol, Array]
    ) -> tuple[Array, Array | None, dict[sp.Symbol, Array]]:
        """Covariance [..., m, m], mean [..., m] (None: 0) and constants [...] of an expectation."""
        entries = [
            [np.asarray(evaluate_expression(e, values), float) for e in row] for row in access.covariance
        ]
        means = [np.asarray(evaluate_expression(e, values), float) for e in access.mean]
        constants = {s: np.asarray(evaluate_expression(e, values), float) for s, e in access.constants}
        every = [e for row in entries for e in row] + means + list(constants.values())
        shape = np.broadcast_shapes(*(e.shape for e in every))
        covariance = np.empty((*shape, len(entries), len(entries)))
        for i, row in enumerate(entries):
            for j, entry in enumerate(row):
                covariance[..., i, j] = entry
        mean = np.stack([np.broadcast_to(m, shape) for m in means], axis=-1) if means else None
        return covariance, mean, {s: np.broadcast_to(c, shape) for s, c in constants.items()}

    def _expectation(self, access: ExpectationAccess, values: Mapping[sp.Symbol, Array]) -> Array:
        covariance, mean, constants = self.arguments(access, values)
        # Equations of one input and of several terms repeat expectations: one at equal arguments is computed
        # once.
        key = (
            access.expectation,
            covariance.tobytes(),
            covariance.shape,
            None if mean is None else mean.tobytes(),
            tuple(c.tobytes() for c in constants.values()),
        )
        if key not in self._expectations:
            value, error = access.expectation.evaluate(covariance, mean, constants)
            self.largest_error = max(self.largest_error, float(np.max(error, initial=0.0)))
            self._expectations[key] = value
        return self._expectations[key]

    def _add(self, total: Array, target: tuple[Slot, ...], indices: tuple[Index, ...], value: Array) -> None:
        """Add a term to its equation: at its plain slots, or at the places that affine slots name."""
        if target == indices:
            total += value
            return
        grid = _Grid(indices, value.shape[len(self.shape) :])
        places, inside = grid.places(target, total.shape[len(self.shape) :])
        where = tuple(np.broadcast_to(p, grid.sizes)[np.broadcast_to(inside, grid.sizes)] for p in places)
        chosen = value[(..., np.broadcast_to(inside, grid.sizes))]
        moved = np.moveaxis(total.reshape(-1, *total.shape[len(self.shape) :]), 0, -1)
        np.add.at(moved, where, np.moveaxis(chosen.reshape(-1, chosen.shape[-1]), 0, -1))


@dataclass(frozen=True)
class _Grid:
    """All values of some index variables; arrays over them have one axis for each, of length 1 where it is
    idle."""

    indices: tuple[Index, ...]
    sizes: tuple[int, ...]

    def places(self, slots: tuple[Slot, ...], sizes: tuple[int, ...]) -> tuple[list[Array], Array]:
        """The place that every slot names, and whether all of them lie inside."""
        places, inside = [], np.ones((1,) * len(self.indices), bool)
        for slot, size in zip(slots, sizes, strict=True):
            parts = ((1, slot),) if isinstance(slot, Index) else slot.parts
            place = np.full((1,) * len(self.indices), 0 if isinstance(slot, Index) else slot.constant)
            for number, index in parts:
                axis = self.indices.index(index)
                shape = [1] * len(self.indices)
                shape[axis] = self.sizes[axis]
                place = place + number * np.arange(self.sizes[axis]).reshape(shape)
            inside = inside & (place >= 0) & (place < size)
            places.append(place)
        return places, inside

    def read(self, values: Array, slots: tuple[Slot, ...], leading: int) -> Array:
        """The values [*leading, axis, ...] at the slots, [*leading, index, ...]; 0 outside."""
        if not slots:
            return values.reshape((*values.shape, *(1,) * len(self.indices)))
        sizes = values.shape[leading:]
        places, inside = self.places(slots, sizes)
        clipped = tuple(np.clip(p, 0, size - 1) for p, size in zip(places, sizes, strict=True))
        return values[(..., *clipped)] * inside
