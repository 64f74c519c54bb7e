"""Functions of the numbers of a label, known on nodes, as polynomials: their values on other nodes.

On a tensor of Gauss nodes these are all products of powers that the nodes tell apart; on points of a sample
all polynomials of a total degree, fitted by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Any

import numpy as np

from ..algebra.law_kinds import LAWS, Standard

Array = Any

# A fit has so many points for each polynomial.
_POINTS_EACH = 2.5
_HIGHEST = 6


@dataclass(frozen=True, eq=False)
class LabelPolynomials:
    """Polynomials in standard variables of some ``kinds``, by their ``degrees`` [polynomial, number].

    ``basis`` [node, polynomial] has their values on the nodes where functions are known, ``inverse``
    [polynomial, node] takes values there to coefficients.
    """

    kinds: tuple[str, ...]
    degrees: Array
    basis: Array
    inverse: Array

    @classmethod
    def of(cls, kinds: Sequence[str], points: Array, tensor: Sequence[int]) -> LabelPolynomials | None:
        """On nodes [node, number]: those of a ``tensor``, or points of a sample where there is none.

        None where there are too few points to fit squares.
        """
        if tensor:
            degrees = np.array(list(product(*(range(size) for size in tensor))))
        else:
            total = _total_degree(len(kinds), len(points))
            if total < 2:
                return None
            most = [1 if LAWS[kind].standard is Standard.PAIR else total for kind in kinds]
            degrees = np.array(_degrees(most, total))
        basis = _values(kinds, points, degrees)
        return cls(tuple(kinds), degrees, basis, np.linalg.pinv(basis))

    def left(self, values: Array) -> float:
        """The size of what functions [node, ...] have at their two highest degrees, or of what a fit leaves.

        Sizes are roots of the mean over nodes of all squares together.
        """
        lines = np.asarray(values, np.float64).reshape(len(self.basis), -1)
        coefficients = self.inverse @ lines
        free = len(self.basis) - len(self.degrees)
        if free:
            return float(np.sqrt(((lines - self.basis @ coefficients) ** 2).sum() / free))
        # The two highest: an even function has nothing at odd degrees.
        most = self.degrees.max(axis=0)
        top = (self.degrees >= most - 1) & (most > 2)
        return float(np.linalg.norm(coefficients[top.any(axis=1)]))

    def size(self, values: Array) -> float:
        """The size of functions [node, ...]."""
        return float(np.linalg.norm(self.inverse @ np.reshape(values, (len(self.basis), -1))))

    def at(self, points: Array, values: Array) -> Array:
        """Functions [node, ...] on other points [point, number]."""
        lines = np.asarray(values, np.float64).reshape(len(self.basis), -1)
        found = _values(self.kinds, points, self.degrees) @ (self.inverse @ lines)
        return found.reshape(len(points), *values.shape[1:])


def _total_degree(numbers: int, points: int) -> int:
    """The largest total degree whose polynomials in some numbers can be fitted to some points."""
    fitting = [d for d in range(_HIGHEST + 1) if _POINTS_EACH * comb(numbers + d, d) <= points]
    return max(fitting, default=0)


def _degrees(most: Sequence[int], total: int) -> list[tuple[int, ...]]:
    """The degrees of all products of powers up to a total degree, none above its own bound."""
    if not most:
        return [()]
    first, *others = most
    return [(own, *rest) for own in range(min(first, total) + 1) for rest in _degrees(others, total - own)]


def _values(kinds: Sequence[str], points: Array, degrees: Array) -> Array:
    """The values [point, polynomial] of polynomials, orthonormal under the law of the numbers."""
    found = np.ones((len(points), len(degrees)))
    for number, kind in enumerate(kinds):
        own = degrees[:, number]
        found *= _polynomials(kind, points[:, number], int(own.max()))[:, own]
    return found


def _polynomials(kind: str, points: Array, highest: int) -> Array:
    """The orthonormal polynomials [point, degree] of a standard variable."""
    standard = LAWS[kind].standard
    if standard is Standard.PAIR:
        return np.stack([np.ones_like(points), np.where(points < 0.5, 1.0, -1.0)], axis=1)
    degrees = np.arange(highest + 1)
    if standard is Standard.UNIFORM:
        return np.polynomial.legendre.legvander(2 * points - 1, highest) * np.sqrt(2 * degrees + 1)
    norms = np.sqrt(np.cumprod(np.maximum(degrees, 1.0)))
    return np.polynomial.hermite_e.hermevander(points, highest) / norms
