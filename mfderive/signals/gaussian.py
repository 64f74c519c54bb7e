"""Expectations of expressions over jointly Gaussian variables: values with errors, and their derivatives.

E f(u) for u ~ N(mean, covariance): closed forms where the integrand has one, otherwise quadrature that is
split where the integrand bends. Derivatives in the covariance are expectations again, by Price's theorem and
by Stein's lemma, whichever needs no derivative that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import real_array
from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from ..algebra.memo import once
from ..errors import ArgumentError, MfError
from .closed_moments import closed_value
from .closed_rows import ClosedTerm, closed_terms
from .gaussian_rules import MOST_VARIABLES, GaussianBatch, by_rules, lower_factor, rough_size
from .linear_places import LinearPlace, linear_places
from .separable_series import by_series, separated
from .singular_places import singular_places

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

    def covariance_derivative(
        self,
        i: int,
        j: int,
        covariance: Any,
        mean: Any = None,
        parameters: Mapping[sp.Symbol, Any] | None = None,
        tolerance: float = TOLERANCE,
    ) -> tuple[Array, Array]:
        """d E f / d k_ij (k_ij = k_ji moves as one number), with its error; arguments as in :meth:`evaluate`.

        Price's theorem: E d_i d_j f, half of it for i = j (Price 1958). Where f bends or jumps, derivatives
        that do not exist are replaced by Stein's lemma, E d_i f = E f (S^-1 (u - mean))_i, which needs a
        covariance that is not singular. Raises as :meth:`evaluate`.
        """
        given = _Laws.of(self, covariance, mean, parameters or {})
        pair = (self.variables[i], self.variables[j])
        value, error = np.zeros(given.count), np.zeros(given.count)
        for part in _parts(self):
            if set(pair) <= set(part.variables):
                laws = given.marginal(self.variables, part.variables)
                changed, more = _differentiated(part, pair, laws)
                own, own_error = changed.evaluate(laws.covariance, laws.mean, more, tolerance)
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

    def rows(self, some: Array) -> _Laws:
        own = {symbol: value[some] for symbol, value in self.parameters.items()}
        return _Laws(self.covariance[some], self.mean[some], own, (len(some),))

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
        factor = lower_factor(laws.covariance)
        terms = _closed(self)
        if terms is None:
            return self._by_quadrature(laws, factor, tolerance)
        value, error = closed_value(terms, laws.mean, factor, laws.parameters)
        # Where a variance is 0 the value at a jump is the function's own, which the rules take as it is.
        varies = np.all(np.einsum("eii->ei", laws.covariance) > 0, axis=1)
        open_ = np.flatnonzero(~(varies & (error <= tolerance * np.abs(value))))
        if len(open_):
            batch = self._batch(laws.rows(open_), factor[open_])
            enough = varies[open_] & (error[open_] <= tolerance * rough_size(batch, np.arange(len(open_))))
            open_ = open_[~enough]
        if len(open_):
            value[open_], error[open_] = self._by_quadrature(laws.rows(open_), factor[open_], tolerance)
        return value, error

    def _by_quadrature(self, laws: _Laws, factor: Array, tolerance: float) -> tuple[Array, Array]:
        """Products of functions of one variable each as a series where it converges, else by the rules."""
        value, error = np.zeros(laws.count), np.full(laws.count, np.inf)
        factors = _separated(self)
        if factors is not None:
            first, second = (_function(laws, *each) for each in zip(factors, self.variables, strict=True))
            value, error = by_series((first, second), laws.covariance, laws.mean, tolerance)
        open_ = np.flatnonzero(~np.isfinite(error))
        if len(open_):
            batch = self._batch(laws.rows(open_), factor[open_])
            value[open_], error[open_] = by_rules(batch, tolerance)
        return value, error

    def _batch(self, laws: _Laws, factor: Array) -> GaussianBatch:
        def values(u: tuple[Array, ...], which: Array) -> Array:
            rest = (1,) * (len(np.broadcast_shapes(*map(np.shape, u))) - 1)  # the axes of the nodes
            own = {symbol: value[which].reshape(-1, *rest) for symbol, value in laws.parameters.items()}
            return evaluate_expression(self.integrand, own | dict(zip(self.variables, u, strict=True)))

        places, split = _places(self)
        numbers = [place.numbers(laws.parameters, laws.count) for place in places]
        return GaussianBatch(
            values,
            factor,
            laws.mean,
            tuple(slopes for slopes, _ in numbers),
            tuple(offsets for _, offsets in numbers),
            tuple(place.bends for place in places),
            split,
        )


@once
def _places(part: _Part) -> tuple[tuple[LinearPlace, ...], bool]:
    return linear_places(part.integrand, part.variables)


def _function(laws: _Laws, expression: sp.Expr, variable: sp.Symbol) -> Callable[[Array, Array], Array]:
    def values(u: Array, which: Array) -> Array:
        own = {symbol: value[which, None] for symbol, value in laws.parameters.items()}
        return evaluate_expression(expression, own | {variable: u})

    return values


@once
def _separated(part: _Part) -> tuple[sp.Expr, sp.Expr] | None:
    """The factors of a smooth product of functions of one variable each."""
    places, split = _places(part)
    if not split or any(place.bends for place in places):
        return None
    return separated(part.integrand, part.variables)


@once
def _closed(part: _Part) -> tuple[ClosedTerm, ...] | None:
    return closed_terms(part.integrand, part.variables)


@once
def _parts(wanted: Expectation) -> tuple[_Part, ...]:
    """The summands of an integrand, those that depend on the same variables together."""
    groups: dict[tuple[sp.Symbol, ...], sp.Expr] = {}
    for summand in sp.Add.make_args(sp.sympify(wanted.integrand)):
        own = tuple(u for u in wanted.variables if u in summand.free_symbols)
        groups[own] = groups.get(own, sp.Integer(0)) + summand
    return tuple(_Part(integrand, own) for own, integrand in groups.items())


def _differentiated(
    part: _Part, pair: tuple[sp.Symbol, sp.Symbol], laws: _Laws
) -> tuple[Expectation, dict[sp.Symbol, Array]]:
    """The expectation that is the derivative of a part in the covariance of a pair, and its parameters."""
    changed, symbols, means = _derivative(part, pair)
    if not symbols:
        return changed, laws.parameters
    precision = _precision(laws, part.variables)
    known = {symbol: precision[:, k, n] for (k, n), symbol in symbols.items()}
    return changed, laws.parameters | known | {means[k]: laws.mean[:, k] for k in range(len(means))}


@lru_cache(maxsize=1024)
def _derivative(
    part: _Part, pair: tuple[sp.Symbol, sp.Symbol]
) -> tuple[Expectation, dict[tuple[int, int], sp.Symbol], list[sp.Symbol]]:
    """The derivative of a part, and the symbols of inverse covariances and means that it reads."""
    taken = _derivatives_taken(part, pair)
    half = sp.Rational(1, 2) if pair[0] == pair[1] else sp.Integer(1)
    integrand = half * part.integrand
    for variable in taken:
        integrand = derivative(integrand, variable)
    left = list(pair)
    for variable in taken:
        left.remove(variable)
    if not left:
        return Expectation(integrand, part.variables), {}, []
    m = len(part.variables)
    symbols = {(k, n): sp.Dummy(f"precision_{k}{n}") for k in range(m) for n in range(m)}
    means = [sp.Dummy(f"mean_{k}") for k in range(m)]
    places = [part.variables.index(variable) for variable in left]
    score = [sum(symbols[k, n] * (part.variables[n] - means[n]) for n in range(m)) for k in places]
    factor = score[0] if len(left) == 1 else score[0] * score[1] - symbols[places[0], places[1]]
    return Expectation(integrand * factor, part.variables), symbols, means


def _derivatives_taken(part: _Part, pair: tuple[sp.Symbol, sp.Symbol]) -> tuple[sp.Symbol, ...]:
    """The most derivatives, of those with respect to a pair, that an integrand has everywhere."""
    places = singular_places(part.integrand)
    for taken in (pair, pair[:1], pair[1:]):
        if all(place.crossings(*taken) <= place.derivatives for place in places):
            return taken
    return ()


def _precision(laws: _Laws, variables: tuple[sp.Symbol, ...]) -> Array:
    """Inverse covariances [row, i, j]. Raises MfError where one is singular."""
    sizes = np.sqrt(np.einsum("eii->ei", laws.covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = laws.covariance / (sizes[:, :, None] * sizes[:, None, :])
    flat = ~np.isfinite(scaled).all(axis=(1, 2))
    flat[~flat] = np.linalg.det(scaled[~flat]) <= 0
    if flat.any():
        raise MfError(
            "the expectation has no derivative at the covariance "
            f"{laws.covariance[np.argmax(flat)].tolist()} of {', '.join(map(str, variables))}: it is "
            "singular, and the integrand bends or jumps. Take one close to it that is not"
        )
    return np.linalg.inv(scaled) / (sizes[:, :, None] * sizes[:, None, :])


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
