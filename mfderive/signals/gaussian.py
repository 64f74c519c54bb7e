"""Expectations of expressions over jointly Gaussian variables: values with errors, and their derivatives.

E f(u) for u ~ N(mean, covariance), by quadrature that is split where the integrand bends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import real_array
from ..algebra.evaluate import evaluate_expression
from ..algebra.memo import once
from ..errors import ArgumentError, MfError
from .gaussian_rules import MOST_VARIABLES, GaussianBatch, by_rules, lower_factor
from .linear_places import LinearPlace, linear_places

Array = Any
TOLERANCE = 1e-13


@dataclass(frozen=True)
class Expectation:
    """E[``integrand``] over the jointly Gaussian ``variables``; other symbols of it are parameters."""

    integrand: sp.Expr
    variables: tuple[sp.Symbol, ...]

    def __post_init__(self) -> None:
        if len(set(self.variables)) != len(self.variables):
            raise ArgumentError("the variables of an expectation must differ from each other")

    def evaluate(
        self,
        covariance: Any,
        mean: Any = None,
        parameters: Mapping[sp.Symbol, Any] | None = None,
        tolerance: float = TOLERANCE,
    ) -> tuple[Array, Array]:
        """The expectation at every covariance [..., m, m], and an estimate of its error [...].

        ``mean`` [..., m]: 0 where it is left out. ``parameters``: numbers or arrays [...] for every symbol
        that is no variable. ``tolerance``: the error that is allowed, relative to E|f|. Raises ArgumentError
        for covariances that are none, MfError where the expectation is not finite or has too many variables.
        """
        given = _Laws.of(self, covariance, mean, parameters or {})
        value, error = np.zeros(given.count), np.zeros(given.count)
        for part in _parts(self):
            own, own_error = part.at(given.marginal(self.variables, part.variables), tolerance)
            value, error = value + own, error + own_error
        return value.reshape(given.shape), error.reshape(given.shape)


@dataclass(frozen=True, eq=False)
class _Laws:
    """Laws of Gaussian variables, one a row: covariance [row, m, m], mean [row, m], parameters [row]."""

    covariance: Array
    mean: Array
    parameters: dict[sp.Symbol, Array]
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls, wanted: Expectation, covariance: Any, mean: Any, parameters: Mapping[sp.Symbol, Any]
    ) -> _Laws:
        m = len(wanted.variables)
        covariance = real_array("the covariance", covariance)
        if covariance.ndim < 2 or covariance.shape[-2:] != (m, m):
            raise ArgumentError(
                f"the covariance has the shape {covariance.shape}; it must end with ({m}, {m}), "
                "one row a variable"
            )
        mean = np.zeros(m) if mean is None else real_array("the mean", mean)
        if mean.shape[-1:] != (m,):
            raise ArgumentError(f"the mean has the shape {mean.shape}; it must end with ({m},)")
        own = {symbol: real_array(str(symbol), value) for symbol, value in parameters.items()}
        missing = wanted.integrand.free_symbols - set(wanted.variables) - set(own)
        if missing:
            raise ArgumentError(f"no value is given for {', '.join(sorted(map(str, missing)))}")
        shape = np.broadcast_shapes(covariance.shape[:-2], mean.shape[:-1], *(v.shape for v in own.values()))
        return cls(
            np.broadcast_to(covariance, (*shape, m, m)).reshape(-1, m, m),
            np.broadcast_to(mean, (*shape, m)).reshape(-1, m),
            {symbol: np.broadcast_to(value, shape).reshape(-1) for symbol, value in own.items()},
            shape,
        )

    @property
    def count(self) -> int:
        return len(self.mean)

    def marginal(self, every: tuple[sp.Symbol, ...], some: tuple[sp.Symbol, ...]) -> _Laws:
        places = [every.index(symbol) for symbol in some]
        own = self.covariance[:, places][:, :, places]
        return _Laws(own, self.mean[:, places], self.parameters, self.shape)


@dataclass(frozen=True)
class _Part:
    """A summand of an integrand, with the variables that it depends on."""

    integrand: sp.Expr
    variables: tuple[sp.Symbol, ...]

    def at(self, laws: _Laws, tolerance: float) -> tuple[Array, Array]:
        if not self.variables:
            value = evaluate_expression(self.integrand, laws.parameters)
            return np.broadcast_to(np.asarray(value, float), (laws.count,)), np.zeros(laws.count)
        if len(self.variables) > MOST_VARIABLES:
            raise MfError(
                f"an expectation over {len(self.variables)} jointly Gaussian variables is needed "
                f"({', '.join(map(str, self.variables))} in one product), and at most {MOST_VARIABLES} "
                "are integrated. Write the product as a sum of products of fewer variables"
            )
        check_covariance(laws.covariance)
        return self._by_rules(laws, tolerance)

    def _by_rules(self, laws: _Laws, tolerance: float) -> tuple[Array, Array]:
        def values(u: tuple[Array, ...], which: Array) -> Array:
            own = {symbol: value[which, None] for symbol, value in laws.parameters.items()}
            return evaluate_expression(self.integrand, own | dict(zip(self.variables, u, strict=True)))

        places, split = _places(self)
        numbers = [place.numbers(laws.parameters, laws.count) for place in places]
        batch = GaussianBatch(
            values,
            lower_factor(laws.covariance),
            laws.mean,
            tuple(slopes for slopes, _ in numbers),
            tuple(offsets for _, offsets in numbers),
            tuple(place.bends for place in places),
            split,
        )
        return by_rules(batch, tolerance)


@once
def _places(part: _Part) -> tuple[tuple[LinearPlace, ...], bool]:
    return linear_places(part.integrand, part.variables)


@once
def _parts(wanted: Expectation) -> tuple[_Part, ...]:
    """The summands of an integrand, those that depend on the same variables together."""
    groups: dict[tuple[sp.Symbol, ...], sp.Expr] = {}
    for summand in sp.Add.make_args(sp.sympify(wanted.integrand)):
        own = tuple(u for u in wanted.variables if u in summand.free_symbols)
        groups[own] = groups.get(own, sp.Integer(0)) + summand
    return tuple(_Part(integrand, own) for own, integrand in groups.items())


def check_covariance(covariance: Array) -> None:
    """Raises ArgumentError unless every matrix [row, m, m] is a covariance, up to rounding."""
    diagonal = np.einsum("eii->ei", covariance)
    if np.any(diagonal < 0):
        raise ArgumentError(f"a variance is {diagonal.min()}; variances must not be negative")
    bound = np.sqrt(diagonal[:, :, None] * diagonal[:, None, :])
    if np.any(np.abs(covariance) > bound * (1 + 1e-9) + 1e-300):
        row = int(np.argmax(np.max(np.abs(covariance) - bound, axis=(1, 2))))
        raise ArgumentError(
            f"{covariance[row].tolist()} is no covariance: an entry is larger than the square root of "
            "the product of its variances"
        )
