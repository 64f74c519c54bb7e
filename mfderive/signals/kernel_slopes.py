"""Derivatives of kernels by others, term by term: expectations are differentiated by Price's theorem and
Stein's lemma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from .dense_map import DenseMap, jumps
from .gaussian import Expectation
from .kernel_system import ExpectationAccess, KernelAccess, KernelTerm, Replicas, numbered
from .kernel_values import KernelValues
from .sphere import SphereExpectation

Array = Any
Key = tuple[str, Replicas]


@dataclass
class KernelSlopes:
    """d kernel / d (some given kernels) [..., given], of kernels without positions."""

    values: KernelValues
    by: Sequence[Key]
    _known: dict[Key, Array | None] = field(default_factory=dict)

    def __call__(self, kernel: str, replicas: Replicas) -> Array:
        """The derivatives of a kernel [..., given], of the kernels called ``by``."""
        slopes = self._slopes((kernel, replicas))
        return np.zeros((*self.values.shape, len(self.by))) if slopes is None else slopes

    def _slopes(self, key: Key) -> Array | None:
        """None where a kernel does not depend on those."""
        if key not in self._known:
            self._known[key] = self._found(key)
        return self._known[key]

    def _found(self, key: Key) -> Array | None:
        kernel, replicas = key
        system = self.values.system
        own = system.kernel[kernel]
        if len(replicas) == 2 and own.first == own.second and replicas[0] > replicas[1]:
            key = (kernel, replicas[::-1])
        if key in self.by:
            unit = np.zeros((*self.values.shape, len(self.by)))
            unit[..., list(self.by).index(key)] = 1.0
            return unit
        table = system.pair if len(set(replicas)) == 2 else system.same
        if kernel not in table or (key in self.values.given and kernel not in table):
            return None
        named = numbered(replicas)
        parts = [self._term(term, named) for term in table[kernel].terms]
        known = [part for part in parts if part is not None]
        return sum(known[1:], known[0]) if known else None

    def _term(self, term: KernelTerm, named: dict[int, int]) -> Array | None:
        values: dict[sp.Symbol, Array] = dict(self.values.scales)
        slopes: dict[sp.Symbol, Array] = {}
        for number, (symbol, meaning) in enumerate(term.meanings):
            if isinstance(meaning, KernelAccess):
                replicas = tuple(named.get(r, r) for r in meaning.replicas)
                values[symbol] = self.values.between(meaning, replicas)
                own = self._slopes((meaning.kernel, replicas))
                own = None if own is None else self.weighted(term, meaning, number, own)
            else:
                values[symbol], own = self._expectation(meaning, values, slopes)
            if own is not None:
                slopes[symbol] = own
        return self._chain(term.expression, values, slopes)

    def weighted(self, term: KernelTerm, access: KernelAccess, number: int, slopes: Array) -> Array:
        """The derivatives of what a term reads as its meaning ``number``: a subclass may weigh where it
        reads."""
        return slopes

    def _chain(
        self, expression: sp.Expr, values: Mapping[sp.Symbol, Array], slopes: Mapping[sp.Symbol, Array]
    ) -> Array | None:
        """The derivatives of an expression in symbols whose derivatives are known."""
        total = None
        for symbol in sorted(expression.free_symbols & set(slopes), key=str):
            slope = np.asarray(evaluate_expression(derivative(expression, symbol), values), float)
            part = slope[..., None] * slopes[symbol]
            total = part if total is None else total + part
        return total

    def _expectation(
        self, access: ExpectationAccess, values: Mapping[sp.Symbol, Array], slopes: Mapping[sp.Symbol, Array]
    ) -> tuple[Array, Array | None]:
        wanted = access.expectation
        covariance, mean, constants = self.values.arguments(access, values)
        value, _ = wanted.evaluate(covariance, mean, constants)
        if isinstance(wanted, SphereExpectation):
            return value, None
        total = None
        size = len(wanted.variables)
        for i in range(size):
            for j in range(i, size):
                own = self._chain(access.covariance[i][j], values, slopes)
                if own is not None:
                    total = _added(total, _price(wanted, i, j, covariance, mean, constants), own)
        inner = [(u, entry) for u, entry in zip(wanted.variables, access.mean, strict=False)]
        for symbol, entry in (*inner, *access.constants):
            own = self._chain(sp.sympify(entry), values, slopes)
            if own is not None:
                slope, _ = Expectation(derivative(wanted.integrand, symbol), wanted.variables).evaluate(
                    covariance, mean, constants
                )
                total = _added(total, slope, own)
        return value, total


def _price(wanted: Expectation, i: int, j: int, covariance: Array, mean: Array, constants: Any) -> Array:
    """d E / d k_ij [...]; infinite for equal variables in a product f(u) f(v) whose f jumps."""
    equal = np.zeros(np.shape(covariance)[:-2], dtype=bool)
    if len(wanted.variables) == 2 and i != j and jumps_alike(wanted) and not np.any(mean):
        k = covariance[..., 0, 1]
        equal = (k > 0) & (covariance[..., 0, 0] == covariance[..., 1, 1]) & (k >= covariance[..., 0, 0])
    safe = np.where(equal[..., None, None], np.eye(len(wanted.variables)), covariance)
    slope, _ = wanted.covariance_derivative(i, j, safe, mean, constants)
    return np.where(equal, np.inf, slope)


@lru_cache(maxsize=1024)
def jumps_alike(wanted: Expectation | SphereExpectation) -> bool:
    """Whether an integrand in u and v is c f(u) f(v), and f jumps."""
    u, v = wanted.variables
    factors = sp.Mul.make_args(wanted.integrand)
    mine = sp.Mul(*(f for f in factors if f.has(u)))
    rest = [f for f in factors if f.has(v)]
    alike = mine.free_symbols == {u} and mine.xreplace({u: v}) == sp.Mul(*rest)
    return alike and jumps(DenseMap(mine, u))


def _added(total: Array | None, slope: Array, own: Array) -> Array:
    part = np.where(own == 0, 0.0, np.asarray(slope)[..., None]) * own
    return part if total is None else total + part
