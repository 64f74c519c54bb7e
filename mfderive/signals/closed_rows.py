"""Which integrands have a Gaussian expectation in closed form: rows by the shape of functions.

Every row writes a function of the closed table by three things whose expectations are known together:
powers, exponentials of quadratic forms (complex ones for sine and cosine), and distribution functions of
linear forms, of which a jump is the one without a width. An integrand that is a sum of products of these,
with at most two distribution functions in each, has a closed form (:mod:`mfderive.signals.closed_moments`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp

from ..algebra.functions import SELU_LEFT, SELU_SCALE, call
from ..algebra.visitor import Rewriting
from .linear_places import linear_form

MOST_TERMS = 64
MOST_POWERS = 16


class Below(sp.Function):
    """P(``width`` Z < l) of a linear form l, Z standard normal: a jump at width 0, Phi(l) at width 1."""

    nargs = 2


def _step(x: sp.Expr) -> sp.Expr:
    return Below(x, sp.Integer(0))


def _clip(r: sp.Expr, delta: sp.Expr) -> sp.Expr:
    return (r + delta) * _step(r + delta) - (r - delta) * _step(r - delta) - delta


def _exponential_left(scale: float, left: float) -> Callable[[sp.Expr], sp.Expr]:
    def row(x: sp.Expr) -> sp.Expr:
        return scale * x * _step(x) + left * (call("exp", x) - 1) * (1 - _step(x))

    return row


def _slope_left(scale: float, left: float) -> Callable[[sp.Expr], sp.Expr]:
    def row(x: sp.Expr) -> sp.Expr:
        return scale * _step(x) + left * call("exp", x) * (1 - _step(x))

    return row


_HUNDREDTH = sp.Rational(1, 100)
ROWS: Mapping[str, Callable[..., sp.Expr]] = {
    "exp": lambda x: call("exp", x),
    "gauss": lambda x: call("exp", -(x**2)) / sp.sqrt(sp.pi),
    "normal_pdf": lambda x: call("exp", -(x**2) / 2) / sp.sqrt(2 * sp.pi),
    "cos": lambda x: (call("exp", sp.I * x) + call("exp", -sp.I * x)) / 2,
    "sin": lambda x: (call("exp", sp.I * x) - call("exp", -sp.I * x)) / (2 * sp.I),
    "normal_cdf": lambda x: Below(x, sp.Integer(1)),
    "erf": lambda x: 2 * Below(x, 1 / sp.sqrt(2)) - 1,
    "gelu": lambda x: x * Below(x, sp.Integer(1)),
    "step": _step,
    "heaviside": _step,
    "sign": lambda x: 2 * _step(x) - 1,
    "relu": lambda x: x * _step(x),
    "leaky_relu": lambda x: _HUNDREDTH * x + (1 - _HUNDREDTH) * x * _step(x),
    "abs": lambda x: 2 * x * _step(x) - x,
    "elu": _exponential_left(1, 1),
    "elu_slope": _slope_left(1, 1),
    "selu": _exponential_left(SELU_SCALE, SELU_LEFT),
    "selu_slope": _slope_left(SELU_SCALE, SELU_LEFT),
    "max": lambda a, b: b + (a - b) * _step(a - b),
    "min": lambda a, b: a - (a - b) * _step(a - b),
    "not_less": lambda a, b: _step(a - b),
    "clip": _clip,
    "huber": lambda r, delta: r * _clip(r, delta) - _clip(r, delta) ** 2 / 2,
}
# Rows that hold where their second argument is a positive number.
_POSITIVE_SECOND = ("clip", "huber")


class _NotClosedError(Exception):
    """An expression that no row writes."""


class _Rows(Rewriting):
    """An expression in what the rows are made of. Raises _NotClosedError where there is no row."""

    def function(self, node: sp.Expr, name: str, parts: list[sp.Expr]) -> sp.Expr:
        """What the row of a function makes of it."""
        if name not in ROWS or (name in _POSITIVE_SECOND and not parts[1].is_positive):
            raise _NotClosedError
        if any(part.has(Below) or part.has(type(call("exp", sp.Symbol("x")))) for part in parts):
            raise _NotClosedError
        return ROWS[name](*parts)


Slopes = tuple[sp.Expr, ...]


@dataclass(frozen=True)
class ClosedTerm:
    """``coefficient`` u^``powers`` exp(u^T ``hessian`` u / 2 + ``linear`` u + ``constant``) times ``below``.

    ``below``: (slopes, offset, width) of every distribution function. Everything but the powers is an
    expression in the parameters.
    """

    coefficient: sp.Expr
    powers: tuple[int, ...]
    hessian: tuple[Slopes, ...]
    linear: Slopes
    constant: sp.Expr
    below: tuple[tuple[Slopes, sp.Expr, sp.Expr], ...]


def closed_terms(integrand: sp.Expr, variables: tuple[sp.Symbol, ...]) -> tuple[ClosedTerm, ...] | None:
    """An integrand as a sum of terms whose expectations are known; None where the rows do not write it so."""
    try:
        written = sp.expand(_Rows()(integrand))
        summands = sp.Add.make_args(written)
        if len(summands) > MOST_TERMS:
            return None
        terms = [_term(summand, variables) for summand in summands]
    except _NotClosedError:
        return None
    return tuple(terms)


def _term(summand: sp.Expr, variables: tuple[sp.Symbol, ...]) -> ClosedTerm:
    coefficient, exponent = sp.Integer(1), sp.Integer(0)
    powers = [0] * len(variables)
    below: dict[sp.Expr, tuple[Slopes, sp.Expr, sp.Expr]] = {}
    exp = type(call("exp", sp.Symbol("x")))
    counts: list[sp.Expr] = []
    for factor in sp.Mul.make_args(summand):
        base, power = factor.as_base_exp()
        if not factor.has(*variables):
            coefficient *= factor
        elif base in variables and power.is_Integer and power > 0:
            powers[variables.index(base)] += int(power)
        elif isinstance(base, exp):
            exponent += base.args[0] * power
        elif isinstance(base, Below) and power.is_Integer and power > 0:
            form = linear_form(base.args[0], variables)
            if form is None:
                raise _NotClosedError
            # A jump is its own power.
            counts += [base] * (1 if base.args[1] == 0 else int(power))
            below[base] = (*form, base.args[1])
        else:
            raise _NotClosedError
    if len(counts) > 2 or sum(powers) > MOST_POWERS:
        raise _NotClosedError
    hessian, linear, constant = _quadratic(exponent, variables)
    if counts and any(part.has(sp.I) for part in (*linear, constant, *(e for row in hessian for e in row))):
        raise _NotClosedError
    return ClosedTerm(
        coefficient, tuple(powers), hessian, linear, constant, tuple(below[each] for each in counts)
    )


def _quadratic(
    exponent: sp.Expr, variables: tuple[sp.Symbol, ...]
) -> tuple[tuple[Slopes, ...], Slopes, sp.Expr]:
    """Second and first derivatives at 0 and the value there of a polynomial of degree 2."""
    exponent = sp.expand(exponent)
    at_zero = dict.fromkeys(variables, sp.Integer(0))
    first = [sp.diff(exponent, u) for u in variables]
    hessian = tuple(tuple(sp.diff(each, u) for u in variables) for each in first)
    if any(entry.has(*variables) for row in hessian for entry in row):
        raise _NotClosedError
    return hessian, tuple(each.subs(at_zero) for each in first), exponent.subs(at_zero)
