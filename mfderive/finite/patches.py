"""Affine slots: patches gathered from an array, and the matrix that scatters to such positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.terms import Affine, Index, Slot
from .namespace import Namespace

Array = Any

# Up to this many strided slices are stacked; beyond it, or for negative strides, an index array is used.
MOST_SLICES = 64


def gather(
    namespace: Namespace,
    array: Array,
    lead: tuple[Index, ...],
    slots: tuple[Slot, ...],
    sizes: Mapping[str, int],
) -> tuple[Array, tuple[Index, ...]]:
    """Read an array at slots: one axis for each index variable of the result, and their labels.

    ``lead`` labels leading axes that no slot describes. An affine slot reads 0 where it is out of range.
    """
    labels = list(lead)
    for slot in slots:
        if isinstance(slot, Index):
            labels.append(slot)
            continue
        parts = _merged(slot)
        extents = [sizes[index.axis] for index in parts]
        array = _read_affine(
            namespace.arrays, array, len(labels), list(parts.values()), extents, slot.constant
        )
        labels.extend(parts)
    return _unrepeated(namespace, array, labels)


def _merged(slot: Affine) -> dict[Index, int]:
    """The coefficient of each index variable of a slot."""
    parts: dict[Index, int] = {}
    for coefficient, index in slot.parts:
        parts[index] = parts.get(index, 0) + coefficient
    return parts


def _unrepeated(namespace: Namespace, array: Array, labels: list[Index]) -> tuple[Array, tuple[Index, ...]]:
    """The diagonal over index variables that label several axes (two slots may read one position)."""
    unique = tuple(dict.fromkeys(labels))
    if len(unique) < len(labels):
        letters = {label: chr(ord("a") + position) for position, label in enumerate(unique)}
        formula = "".join(letters[label] for label in labels) + "->" + "".join(letters.values())
        array = namespace.einsum(formula, array)
    return array, unique


def _read_affine(
    arrays: Any, array: Array, axis: int, coefficients: list[int], extents: list[int], constant: int
) -> Array:
    """Replace one axis by the axes of the index variables of an affine slot, out of range 0."""
    reach = [c * (extent - 1) for c, extent in zip(coefficients, extents, strict=True)]
    lowest = constant + sum(min(0, step) for step in reach)
    highest = constant + sum(max(0, step) for step in reach)
    before, after = max(0, -lowest), max(0, highest - (array.shape[axis] - 1))
    if before or after:
        padding = [(0, 0)] * len(array.shape)
        padding[axis] = (before, after)
        array = arrays.pad(array, padding)
    origin = constant + before
    head, tail = array.shape[:axis], array.shape[axis + 1 :]
    # The longest index variable becomes a strided slice; the others (taps) are looped over.
    longest = max(range(len(extents)), key=lambda part: extents[part], default=-1)
    others = [part for part in range(len(extents)) if part != longest]
    loops = list(itertools.product(*(range(extents[part]) for part in others)))
    if longest < 0 or coefficients[longest] <= 0 or len(loops) > MOST_SLICES:
        grid = np.indices(extents) if extents else np.zeros((0,), int)
        read = sum((c * g for c, g in zip(coefficients, grid, strict=True)), np.asarray(origin))
        return arrays.take(array, read, axis=axis)
    stride, count = coefficients[longest], extents[longest]
    slices = []
    for values in loops:
        start = origin + sum(coefficients[part] * value for part, value in zip(others, values, strict=True))
        window = slice(start, start + stride * (count - 1) + 1, stride)
        slices.append(array[(slice(None),) * axis + (window,)])
    stacked = arrays.stack(slices, axis=axis)
    stacked = stacked.reshape((*head, *(extents[part] for part in others), count, *tail))
    return arrays.moveaxis(stacked, axis + len(others), axis + longest)


def scatter_matrix(slot: Affine, size: int, sizes: Mapping[str, int]) -> Array:
    """1 where the slot's value is the position: shape [size, one axis per index variable of the slot]."""
    parts = _merged(slot)
    extents = [sizes[index.axis] for index in parts]
    grid = np.indices(extents) if extents else np.zeros((0,), int)
    read = sum((c * g for c, g in zip(parts.values(), grid, strict=True)), np.asarray(slot.constant))
    return (np.arange(size).reshape([-1] + [1] * len(extents)) == read).astype(float)


def patch_entries(slots: tuple[Slot, ...], sizes: Mapping[str, int]) -> int:
    """How many entries an access has after its affine slots are laid out."""
    return math.prod(
        sizes[index.axis]
        for slot in slots
        for index in ((slot,) if isinstance(slot, Index) else tuple(_merged(slot)))
    )
