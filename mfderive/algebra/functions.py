"""The closed table of scalar functions, with derivatives that are safe and fixed at kinks.

Every function is a sympy Function of our own, so that no automatic rewriting depends on the installed
sympy, and every derivative stays inside the table. Conventions at kinks (ties are tested): relu'(0) =
abs'(0) = 0; leaky_relu, elu and selu take the left value; sign' = heaviside' = 0; maximum and minimum give
a tie to the first argument; gelu is exact. ``real`` is the plain numpy form that the interpreter uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from scipy import special


class ClosedFunction(sp.Function):
    """A function of the closed table; its derivative is looked up there."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The partial derivative with respect to argument ``argindex`` (1, 2, ...)."""
        return FUNCTIONS[type(self).__name__].derivatives[argindex - 1](*self.args)


Derivative = Callable[..., sp.Expr]
Array = Any


@dataclass(frozen=True)
class FunctionEntry:
    """One row of the table. ``public`` functions may be written in a spec; the rest arise as derivatives.

    ``has_kink``: whether its value or its first derivative jumps somewhere. ``parity``: 1 where it is even in
    its first argument, -1 where it is odd (kinks included), else 0.
    """

    name: str
    arity: int
    derivatives: tuple[Derivative, ...]
    real: Callable[..., Array]
    latex: str
    public: bool = True
    has_kink: bool = False
    doc: str = ""
    parity: int = 0

    @property
    def symbol(self) -> Any:
        """The sympy Function class of this row."""
        return SYMPY_CLASS[self.name]


def _zero(*_: sp.Expr) -> sp.Expr:
    return sp.Integer(0)


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def _call(name: str, *arguments: sp.Expr) -> sp.Expr:
    return SYMPY_CLASS[name](*arguments)


_HALF = sp.Rational(1, 2)
# selu: x times the first where x > 0, else (exp(x) - 1) times the second, so that normal values keep mean
# 0 and variance 1 (Klambauer et al. 2017): scale, and scale times alpha.
SELU_SCALE = 1.0507009873554805
SELU_LEFT = 1.7580993408473768

_ROWS = (
    FunctionEntry("exp", 1, (lambda x: _call("exp", x),), np.exp, r"\exp"),
    FunctionEntry("log", 1, (lambda x: 1 / x,), np.log, r"\log"),
    FunctionEntry("sqrt", 1, (lambda x: _HALF / _call("sqrt", x),), np.sqrt, r"\sqrt"),
    FunctionEntry("sin", 1, (lambda x: _call("cos", x),), np.sin, r"\sin", parity=-1),
    FunctionEntry("cos", 1, (lambda x: -_call("sin", x),), np.cos, r"\cos", parity=1),
    FunctionEntry("tanh", 1, (lambda x: 1 - _call("tanh", x) ** 2,), np.tanh, r"\tanh", parity=-1),
    FunctionEntry(
        "erf", 1, (lambda x: 2 * _call("gauss", x),), special.erf, r"\operatorname{erf}", parity=-1
    ),
    FunctionEntry(
        "gauss",
        1,
        (lambda x: -2 * x * _call("gauss", x),),
        lambda x: np.exp(-x * x) / np.sqrt(np.pi),
        r"\varphi",
        public=False,
        doc="exp(-x^2)/sqrt(pi), so that erf' = 2 gauss",
        parity=1,
    ),
    FunctionEntry(
        "sigmoid",
        1,
        (lambda x: _call("sigmoid", x) * (1 - _call("sigmoid", x)),),
        special.expit,
        r"\operatorname{sigmoid}",
    ),
    FunctionEntry("softplus", 1, (lambda x: _call("sigmoid", x),), _softplus, r"\operatorname{softplus}"),
    FunctionEntry(
        "gelu",
        1,
        (lambda x: _call("normal_cdf", x) + x * _call("normal_pdf", x),),
        lambda x: x * special.ndtr(x),
        r"\operatorname{gelu}",
        doc="x times the standard normal distribution function, exact",
    ),
    FunctionEntry("normal_cdf", 1, (lambda x: _call("normal_pdf", x),), special.ndtr, r"\Phi", public=False),
    FunctionEntry(
        "normal_pdf",
        1,
        (lambda x: -x * _call("normal_pdf", x),),
        lambda x: np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi),
        r"\phi",
        public=False,
        parity=1,
    ),
    FunctionEntry(
        "silu",
        1,
        (lambda x: _call("sigmoid", x) * (1 + x * (1 - _call("sigmoid", x))),),
        lambda x: x * special.expit(x),
        r"\operatorname{silu}",
    ),
    FunctionEntry(
        "relu",
        1,
        (lambda x: _call("step", x),),
        lambda x: np.where(x <= 0, 0.0, x),
        r"\operatorname{relu}",
        has_kink=True,
    ),
    FunctionEntry(
        "step",
        1,
        (_zero,),
        lambda x: np.where(x > 0, 1.0, 0.0),
        r"\mathbf{1}_{>0}",
        public=False,
        doc="1 where x > 0, else 0",
    ),
    FunctionEntry(
        "leaky_relu",
        1,
        (lambda x: sp.Rational(1, 100) + sp.Rational(99, 100) * _call("step", x),),
        lambda x: np.where(x > 0, x, 0.01 * x),
        r"\operatorname{leaky\,relu}",
        has_kink=True,
    ),
    FunctionEntry(
        "elu",
        1,
        (lambda x: _call("elu_slope", x),),
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
        r"\operatorname{elu}",
    ),
    FunctionEntry(
        "elu_slope",
        1,
        (lambda x: (1 - _call("step", x)) * _call("elu_slope", x),),
        lambda x: np.exp(np.minimum(x, 0.0)),
        r"\operatorname{elu}'",
        public=False,
        doc="exp(min(x, 0))",
    ),
    FunctionEntry(
        "selu",
        1,
        (lambda x: _call("selu_slope", x),),
        lambda x: np.where(x > 0, SELU_SCALE * x, SELU_LEFT * np.expm1(np.minimum(x, 0.0))),
        r"\operatorname{selu}",
        doc="1.0507 x where x > 0, else 1.7581 (exp(x) - 1)",
        has_kink=True,
    ),
    FunctionEntry(
        "selu_slope",
        1,
        (lambda x: (1 - _call("step", x)) * _call("selu_slope", x),),
        lambda x: np.where(x > 0, SELU_SCALE, SELU_LEFT * np.exp(np.minimum(x, 0.0))),
        r"\operatorname{selu}'",
        public=False,
        doc="1.0507 where x > 0, else 1.7581 exp(x)",
    ),
    FunctionEntry(
        "abs", 1, (lambda x: _call("sign", x),), np.abs, r"\operatorname{abs}", has_kink=True, parity=1
    ),
    FunctionEntry("sign", 1, (_zero,), np.sign, r"\operatorname{sign}", has_kink=True, parity=-1),
    FunctionEntry(
        "heaviside",
        1,
        (_zero,),
        lambda x: np.where(x > 0, 1.0, 0.0),
        r"\operatorname{heaviside}",
        doc="1 where x > 0, else 0",
        has_kink=True,
    ),
    FunctionEntry(
        "max",
        2,
        (lambda a, b: _call("not_less", a, b), lambda a, b: 1 - _call("not_less", a, b)),
        lambda a, b: np.where(a >= b, a, b),
        r"\max",
        has_kink=True,
    ),
    FunctionEntry(
        "min",
        2,
        (lambda a, b: _call("not_less", b, a), lambda a, b: 1 - _call("not_less", b, a)),
        lambda a, b: np.where(b >= a, a, b),
        r"\min",
        has_kink=True,
    ),
    FunctionEntry(
        "not_less",
        2,
        (_zero, _zero),
        lambda a, b: np.where(a >= b, 1.0, 0.0),
        r"\mathbf{1}_{\ge}",
        public=False,
        doc="1 where the first argument is not less than the second, else 0",
    ),
    FunctionEntry(
        "huber",
        2,
        (
            lambda r, delta: _call("clip", r, delta),
            lambda r, delta: _call("max", _call("abs", r) - delta, sp.Integer(0)),
        ),
        lambda r, delta: np.where(np.abs(r) <= delta, 0.5 * r * r, delta * (np.abs(r) - 0.5 * delta)),
        r"\operatorname{huber}",
        doc="huber(r, delta): r^2/2 inside, delta (|r| - delta/2) outside",
        parity=1,
    ),
    FunctionEntry(
        "clip",
        2,
        (
            lambda r, delta: _call("not_less", delta, _call("abs", r)),
            lambda r, delta: (1 - _call("not_less", delta, _call("abs", r))) * _call("sign", r),
        ),
        lambda r, delta: np.clip(r, -delta, delta),
        r"\operatorname{clip}",
        public=False,
        doc="clip(r, delta): r cut to [-delta, delta]",
        parity=-1,
    ),
)

FUNCTIONS: dict[str, FunctionEntry] = {row.name: row for row in _ROWS}
SYMPY_CLASS: dict[str, Any] = {
    row.name: type(row.name, (ClosedFunction,), {"nargs": row.arity, "__doc__": row.doc or None})
    for row in _ROWS
}


def __getattr__(name: str) -> Any:
    """The classes of the table by their names, under which pickle looks them up."""
    if name in SYMPY_CLASS:
        return SYMPY_CLASS[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


PUBLIC_FUNCTIONS: tuple[str, ...] = tuple(row.name for row in _ROWS if row.public)


def kinked_functions(expression: sp.Expr) -> list[sp.Expr]:
    """The functions in an expression that, or whose derivative, jumps somewhere, in a fixed order."""
    known = ((atom, FUNCTIONS.get(type(atom).__name__)) for atom in sp.ordered(expression.atoms(sp.Function)))
    return [atom for atom, row in known if row is not None and row.has_kink]


def call(name: str, *arguments: sp.Expr) -> sp.Expr:
    """The expression ``name(arguments)`` for a function of the table."""
    return SYMPY_CLASS[name](*arguments)


# Beyond every value, and still a number in single precision.
_BEYOND = sp.Integer(10) ** 30


def only_inside(value: sp.Expr, inside: sp.Expr) -> sp.Expr:
    """``value`` itself, without rounding, where ``inside`` is 1, and less than every value where it is 0.

    So a maximum counts what is inside alone.
    """
    return call("min", value, _BEYOND * (2 * inside - 1))


def split_inside(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """The (value, inside) that :func:`only_inside` joined, None for any other expression."""
    if type(expression).__name__ != "min":
        return None
    value, bound = expression.args
    inside = sp.expand((bound / _BEYOND + 1) / 2)
    return None if inside.is_number or isinstance(inside, sp.Add | sp.Mul) else (value, inside)
