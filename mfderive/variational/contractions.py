"""Numbers of terms of log densities: known factors as arrays, sums over indices as contractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ArgumentError
from .density_terms import DensityTerm, Statistic

Array = Any


@dataclass(frozen=True, eq=False)
class Contraction:
    """One term in numbers: ``number`` times the sum of products of arrays with labelled axes."""

    number: float
    arrays: tuple[tuple[Array, tuple[Any, ...]], ...]
    statistics: tuple[Statistic, ...]
    sizes: Mapping[Any, int]

    def value(self, means: Mapping[Any, Array], without: Statistic | None, at: Mapping[Any, int]) -> Array:
        """The sum over all indices but those of ``without``, whose factor is left out; at fixed places of
        ``at``.

        ``means``: E t of each variable (P, ...). With None the whole term is summed: its mean under q.
        """
        output = [i for i in (without.indices if without is not None else ()) if i not in at]
        operands = list(self.arrays)
        operands += [
            (means[each.variable][each.place], each.indices)
            for each in self.statistics
            if each is not without
        ]
        numbers = {symbol: number for number, symbol in enumerate(self.sizes)}
        arguments: list[Any] = []
        seen = set(output) | set(at)
        for array, labels in operands:
            free = [i for i in labels if i not in at]
            arguments += [array[tuple(at.get(i, slice(None)) for i in labels)], [numbers[i] for i in free]]
            seen |= set(labels)
        number = self.number
        for symbol, size in self.sizes.items():
            if symbol not in seen:
                number *= size  # a sum of equal terms
        present = {i for _, labels in operands for i in labels}
        for symbol in output:
            if symbol not in present:
                arguments += [np.ones(self.sizes[symbol]), [numbers[symbol]]]
        if not arguments:
            return np.asarray(number)
        return number * np.einsum(*arguments, [numbers[i] for i in output], optimize=len(arguments) > 6)


def contraction(term: DensityTerm, sizes: Mapping[Any, int], data: Mapping[Any, Array]) -> Contraction:
    """A term with its known factors in numbers. Raises ArgumentError for a name without a value."""
    number, arrays = 1.0, []
    for factor in term.known:
        array, labels = _known(factor, sizes, data)
        if labels:
            arrays.append((array, labels))
        else:
            number *= float(array)
    return Contraction(
        number, tuple(arrays), term.statistics, {symbol: sizes[symbol] for symbol, _ in term.sums}
    )


def _known(
    factor: sp.Expr, sizes: Mapping[Any, int], data: Mapping[Any, Array]
) -> tuple[Array, tuple[Any, ...]]:
    """A known factor as an array over its indices."""
    leaves = sorted(factor.atoms(sp.Indexed) | factor.atoms(sp.KroneckerDelta), key=str)
    labels = tuple(sorted({i for leaf in leaves for i in _indices(leaf) if i in sizes}, key=str))
    names = [sp.Dummy() for _ in leaves]
    body = factor.xreplace(dict(zip(leaves, names, strict=True)))
    loose = {symbol for symbol in body.free_symbols if symbol in sizes}
    if loose:
        raise ArgumentError(
            f"the index {min(map(str, loose))} is no index of an array in {factor}; give its values as one"
        )
    scalars = sorted(body.free_symbols - set(names), key=str)
    values = [_aligned(leaf, labels, sizes, data) for leaf in leaves]
    given = [_given(symbol, data) for symbol in scalars]
    result = sp.lambdify([*names, *scalars], body, ["scipy", "numpy"])(*values, *given)
    shape = tuple(sizes[i] for i in labels)
    return np.broadcast_to(np.asarray(result, dtype=float), shape), labels


def _indices(leaf: sp.Expr) -> tuple[Any, ...]:
    return tuple(leaf.indices) if isinstance(leaf, sp.Indexed) else tuple(leaf.args)


def _aligned(
    leaf: sp.Expr, labels: Sequence[Any], sizes: Mapping[Any, int], data: Mapping[Any, Array]
) -> Array:
    """The values of a leaf with one axis for each label, of length 1 where it does not depend on it."""
    if isinstance(leaf, sp.KroneckerDelta):
        sides = [
            np.arange(sizes[i]).reshape([-1 if label == i else 1 for label in labels])
            if i in sizes
            else int(i)
            for i in leaf.args[:2]
        ]
        return np.asarray(sides[0] == sides[1], dtype=float)
    array = np.asarray(_given(leaf.base, data), dtype=float)
    indices = list(leaf.indices)
    if array.ndim != len(indices):
        raise ArgumentError(f"{leaf.base} has {array.ndim} axes and {len(indices)} indices in {leaf}")
    for axis, index in enumerate(indices):
        if index in sizes and array.shape[axis] != sizes[index]:
            raise ArgumentError(
                f"axis {axis} of {leaf.base} has {array.shape[axis]} entries, "
                f"but {index} has {sizes[index]} values"
            )
        if index not in sizes and not (index.is_Integer and 0 <= int(index) < array.shape[axis]):
            raise ArgumentError(f"the index {index} of {leaf} is neither summed nor a place on its axis")
    array = array[tuple(slice(None) if i in sizes else int(i) for i in indices)]
    free = [i for i in indices if i in sizes]
    if len(set(free)) < len(free):  # a diagonal
        distinct = list(dict.fromkeys(free))
        number = {symbol: place for place, symbol in enumerate(distinct)}
        array, free = np.einsum(array, [number[i] for i in free], list(range(len(distinct)))), distinct
    order = sorted(range(len(free)), key=lambda axis: labels.index(free[axis]))
    return array.transpose(order).reshape([sizes[label] if label in free else 1 for label in labels])


def _given(name: Any, data: Mapping[Any, Array]) -> Array:
    if name not in data:
        raise ArgumentError(f"{name} is neither a declared variable nor among the data; give it in `data`")
    return data[name]
