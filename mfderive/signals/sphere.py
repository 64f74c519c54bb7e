"""Expectations over normalised values of a batch: entries of a vector that is uniform on a sphere.

The vector z of a batch of B entries has sum z = 0 and sum z^2 = B. Along a unit vector of its n = B - 1
dimensions the coordinate is sin t with density cos^(n - 2) t; two entries are sqrt(n) sin t and
sqrt(n) (r sin t + sqrt(1 - r^2) cos t sin s) with r = -1/n and density cos^(n - 3) s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from ..algebra.evaluate import evaluate_expression
from ..errors import MfError
from .adaptive_panels import integrate
from .linear_places import linear_places

Array = Any
_TOLERANCE = 1e-12
_HALF = np.pi / 2


@dataclass(frozen=True)
class SphereExpectation:
    """E[``integrand``] over one or two entries (``variables``) of the normalised values of a ``batch`` of at
    least 4."""

    integrand: sp.Expr
    variables: tuple[sp.Symbol, ...]
    batch: int

    def evaluate(
        self, covariance: Any = None, mean: Any = None, parameters: Mapping[sp.Symbol, Any] | None = None
    ) -> tuple[Array, Array]:
        """The expectation and an estimate of its error, numbers; it has no arguments. Raises MfError for
        more than two variables."""
        value, error = _evaluated(self)
        return np.asarray(value), np.asarray(error)


@lru_cache(maxsize=256)
def _evaluated(wanted: SphereExpectation) -> tuple[float, float]:
    if len(wanted.variables) > 2:
        raise MfError(
            f"an expectation over {len(wanted.variables)} normalised values in one product is needed, and "
            "at most 2 "
            "are integrated"
        )
    entries = _Entries(wanted)
    return entries.one() if len(wanted.variables) == 1 else entries.pair()


class _Entries:
    """The integrals of one expectation."""

    def __init__(self, wanted: SphereExpectation) -> None:
        self.wanted, self.dimension = wanted, wanted.batch - 1
        places, _ = linear_places(wanted.integrand, wanted.variables)
        # Where the integrand bends in one of the entries, in units of their largest value.
        self.levels: list[list[float]] = [[] for _ in wanted.variables]
        for place in places:
            slopes = [n for n, slope in enumerate(place.slopes) if slope != 0]
            if len(slopes) == 1:
                level = -float(place.offset) / float(place.slopes[slopes[0]]) / np.sqrt(self.dimension)
                self.levels[slopes[0]].append(level)

    def _density(self, t: Array, power: int) -> Array:
        norm = special.gammaln(power / 2 + 1) - special.gammaln((power + 1) / 2)
        return np.cos(t) ** power * np.exp(norm) / np.sqrt(np.pi)

    def _values(self, *z: Array) -> Array:
        shape = np.broadcast_shapes(*map(np.shape, z))
        values = evaluate_expression(self.wanted.integrand, dict(zip(self.wanted.variables, z, strict=True)))
        return np.broadcast_to(values, shape)

    def one(self) -> tuple[float, float]:
        """E of a function of one entry, with its error."""

        def integrand(t: Array, which: Array) -> tuple[Array, Array]:
            values = self._values(np.sqrt(self.dimension) * np.sin(t))
            values = values * self._density(t, self.dimension - 2)
            return values, np.zeros_like(values)

        cuts = [np.arcsin(np.clip(level, -1, 1)) * np.ones(1) for level in self.levels[0]]
        value, error, _ = integrate(integrand, _edges(cuts, 1), _TOLERANCE)
        return float(value[0]), float(error[0])

    def pair(self) -> tuple[float, float]:
        """E of a function of two entries, with its error."""
        n = self.dimension
        r = -1 / n
        across = np.sqrt(1 - r * r)

        def inner(t: Array, which: Array) -> tuple[Array, Array]:
            own = t.ravel()
            first = np.sqrt(n) * np.sin(own)

            def integrand(s: Array, row: Array) -> tuple[Array, Array]:
                second = r * np.sin(own[row])[:, None] + across * np.cos(own[row])[:, None] * np.sin(s)
                values = self._values(first[row][:, None], np.sqrt(n) * second)
                values = values * self._density(s, n - 3)
                return values, np.zeros_like(values)

            with np.errstate(divide="ignore", invalid="ignore"):
                cuts = [(level - r * np.sin(own)) / (across * np.cos(own)) for level in self.levels[1]]
            edges = _edges([np.arcsin(np.clip(np.nan_to_num(cut), -1, 1)) for cut in cuts], len(own))
            value, error, _ = integrate(integrand, edges, _TOLERANCE)
            density = self._density(t, n - 2)
            return value.reshape(t.shape) * density, error.reshape(t.shape) * density

        value, error, _ = integrate(inner, _edges(self._outer_cuts(r, across), 1), _TOLERANCE)
        return float(value[0]), float(error[0])

    def _outer_cuts(self, r: float, across: float) -> list[Array]:
        """Where the integral over the second entry bends: at the places of the first, and where the inner
        line leaves the half on which a place of the second is met."""
        cuts = [np.arcsin(np.clip(level, -1, 1)) * np.ones(1) for level in self.levels[0]]
        for level in self.levels[1]:
            for side in (-1.0, 1.0):
                angle = np.arctan2(side * across, r)
                if abs(level) <= 1:
                    for turn in (np.arcsin(level), np.pi - np.arcsin(level)):
                        cuts.append(np.array([np.clip(_wrapped(turn - angle), -_HALF, _HALF)]))
        return cuts


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _edges(cuts: Sequence[Array], count: int) -> Array:
    fixed = [np.full(count, share * _HALF) for share in (-1.0, -0.3, 0.0, 0.3, 1.0)]
    return np.sort(np.stack([*fixed, *cuts], axis=1), axis=1)
