"""The closed table of functions, written anew for the witness, in numpy arithmetic (real or complex).

Every form is analytic on each side of its kinks and branches on the real part, so that a complex step
``f(x + i eps)`` carries the derivative in its imaginary part, with the conventions at kinks that the whole
program shares: relu'(0) = abs'(0) = 0, leaky_relu, elu and selu take the left value, a tie of max or min
goes to the first argument. The forms for JAX stand in :mod:`mfderive.finite.jax_functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from ..algebra.visitor import Fold, UnknownNodeError

Array = Any

_ROOT_PI = float(np.sqrt(np.pi))
_ROOT_TWO_PI = float(np.sqrt(2.0 * np.pi))
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


def real_part(x: Array) -> Array:
    """The real part of an array: the value without the derivative that the imaginary part carries."""
    return np.real(x)


def _only_from(limit: float, x: Array, value: Array) -> Array:
    """The value where the real part of x is at least ``limit``; nan elsewhere, as in real arithmetic."""
    return np.where(np.real(x) >= limit, value, np.nan)


def _log(x: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _only_from(0.0, x, np.log(x))


def _sqrt(x: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return _only_from(0.0, x, np.sqrt(x))


def _power(base: Array, exponent: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _only_from(0.0, base, np.power(base, exponent))


def _sigmoid(x: Array) -> Array:
    """1/(1 + exp(-x)) without overflow: the exponential always has a real part that is not positive."""
    positive = np.real(x) > 0
    small = np.exp(np.where(positive, -x, x))
    return np.where(positive, 1.0, small) / (1.0 + small)


def _log1p(x: Array) -> Array:
    """log(1 + x) for real part > -1; numpy's complex form loses all digits of a small x."""
    if not np.iscomplexobj(x):
        return np.log1p(x)
    real, imaginary = np.real(x), np.imag(x)
    size = 0.5 * np.log1p(real * (2.0 + real) + imaginary * imaginary)
    return size + 1j * np.arctan2(imaginary, 1.0 + real)


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    positive = np.real(x) > 0
    return np.where(positive, x, 0.0) + _log1p(np.exp(np.where(positive, -x, x)))


def _relu(x: Array) -> Array:
    return np.where(np.real(x) > 0, x, 0.0)


def _step(x: Array) -> Array:
    return np.where(np.real(x) > 0, 1.0, 0.0)


def _leaky_relu(x: Array) -> Array:
    return np.where(np.real(x) > 0, x, 0.01 * x)


def _elu(x: Array) -> Array:
    positive = np.real(x) > 0
    return np.where(positive, x, np.expm1(np.where(positive, 0.0, x)))


def _elu_slope(x: Array) -> Array:
    return np.exp(np.where(np.real(x) > 0, 0.0, x))


def _selu(x: Array) -> Array:
    positive = np.real(x) > 0
    return np.where(
        positive, _SELU_SCALE * x, _SELU_SCALE * _SELU_ALPHA * np.expm1(np.where(positive, 0.0, x))
    )


def _selu_slope(x: Array) -> Array:
    positive = np.real(x) > 0
    return np.where(positive, _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA * np.exp(np.where(positive, 0.0, x)))


def _abs(x: Array) -> Array:
    """The absolute value; the factor sign(0) = 0 gives the derivative 0 at 0."""
    return np.sign(np.real(x)) * x


def _max(a: Array, b: Array) -> Array:
    return np.where(np.real(a) >= np.real(b), a, b)


def _min(a: Array, b: Array) -> Array:
    return np.where(np.real(b) >= np.real(a), a, b)


def _huber(r: Array, delta: Array) -> Array:
    size = _abs(r)
    inside = np.real(size) <= np.real(delta)
    return np.where(inside, 0.5 * r * r, delta * (size - 0.5 * delta))


def _clip(r: Array, delta: Array) -> Array:
    inside = np.abs(np.real(r)) <= np.real(delta)
    return np.where(inside, r, np.sign(np.real(r)) * delta)


NUMPY_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": _log,
    "sqrt": _sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "erf": special.erf,
    "gauss": lambda x: np.exp(-x * x) / _ROOT_PI,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "gelu": lambda x: x * special.ndtr(x),
    "normal_cdf": special.ndtr,
    "normal_pdf": lambda x: np.exp(-0.5 * x * x) / _ROOT_TWO_PI,
    "silu": lambda x: x * _sigmoid(x),
    "relu": _relu,
    "step": _step,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "elu_slope": _elu_slope,
    "selu": _selu,
    "selu_slope": _selu_slope,
    "abs": _abs,
    "sign": lambda x: np.sign(np.real(x)),
    "heaviside": _step,
    "max": _max,
    "min": _min,
    "not_less": lambda a, b: np.where(np.real(a) >= np.real(b), 1.0, 0.0),
    "huber": _huber,
    "clip": _clip,
    "power": _power,
}


def evaluate_expression(
    expression: sp.Expr, values: Mapping[sp.Symbol, Array], functions: Mapping[str, Callable[..., Array]]
) -> Array:
    """The value of a pointwise expression; arrays broadcast against each other.

    ``functions`` maps the names of the closed table (and ``power``, for exponents that are not whole
    numbers) to array functions. Equal subexpressions are computed once. A node that is neither a number,
    a symbol of ``values``, a sum, a product, a power nor a function of the table raises UnknownNodeError.
    """
    return _Evaluation(values, functions)(expression)


class _Evaluation(Fold[Array]):
    """The witness's own arithmetic: it shares the walk through a tree with the program, and no formula."""

    def __init__(
        self, values: Mapping[sp.Expr, Array], functions: Mapping[str, Callable[..., Array]]
    ) -> None:
        super().__init__(values)
        self.functions = functions

    def symbol(self, node: sp.Symbol) -> Array:
        raise UnknownNodeError(f"the witness cannot evaluate '{node.name}': it has no value")

    def number(self, node: sp.Expr) -> Array:
        return float(node)

    def add(self, node: sp.Expr, parts: list[Array]) -> Array:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def mul(self, node: sp.Expr, parts: list[Array]) -> Array:
        total = parts[0]
        for part in parts[1:]:
            total = total * part
        return total

    def power(self, node: sp.Expr, base: Array, exponent: Array) -> Array:
        """Whole exponents by products, halves through the square root, the rest by ``power``."""
        if isinstance(node.exp, sp.Integer):
            whole = _whole_power(base, abs(int(node.exp)))
            return whole if node.exp >= 0 else 1.0 / whole
        if isinstance(node.exp, sp.Rational) and node.exp.q == 2:
            whole = _whole_power(self.functions["sqrt"](base), abs(int(node.exp.p)))
            return whole if node.exp >= 0 else 1.0 / whole
        return self.functions["power"](base, exponent)

    def function(self, node: sp.Expr, name: str, parts: list[Array]) -> Array:
        return self.functions[name](*parts)


def _whole_power(base: Array, exponent: int) -> Array:
    """base ** exponent for a whole exponent >= 1 (sympy keeps no exponent 0), by repeated squaring."""
    result: Array = None
    square = base
    while exponent:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        if exponent:
            square = square * square
    return result
