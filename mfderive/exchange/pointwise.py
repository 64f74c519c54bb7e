"""Pointwise functions of other programs as expressions of the closed table."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from ..algebra.functions import FUNCTIONS, call

Function = Callable[..., sp.Expr]
_ONE = sp.Integer(1)
# A few roundings of float64.
WHOLE = 1e-15
# Where PyTorch takes x for its softplus, which is less than 3e-9 more there.
_SOFTPLUS_ENDS = sp.Integer(20)


def number(value: float) -> sp.Expr:
    """A number as an expression: whole ones stay exact, others keep all their digits."""
    value = float(value)
    return sp.Integer(int(value)) if value == int(value) and abs(value) < 1e15 else sp.Float(value, 17)


def tidied(expression: sp.Expr) -> sp.Expr:
    """The expression with numbers that are whole up to rounding, as n * (1/n), as whole ones."""
    rounded = {
        each: sp.Integer(round(float(each)))
        for each in expression.atoms(sp.Float)
        if round(float(each)) and abs(float(each) / round(float(each)) - 1) <= WHOLE
    }
    return expression.xreplace(rounded)


def table_function(name: str) -> Function:
    """A function of the closed table."""
    return lambda *arguments: call(name, *arguments)


def leaky(slope: float) -> Function:
    """x for x > 0, else slope * x."""
    return lambda x: call("max", x, sp.Integer(0)) + number(slope) * call("min", x, sp.Integer(0))


def exponential(alpha: float) -> Function:
    """ELU: x for x > 0, else alpha (exp(x) - 1)."""
    if alpha == 1:
        return table_function("elu")
    return lambda x: (
        call("max", x, sp.Integer(0)) + number(alpha) * (call("exp", call("min", x, sp.Integer(0))) - _ONE)
    )


def clipped(low: float | None, high: float | None) -> Function:
    """Held between two numbers, of which either may be missing."""

    def clip(x: sp.Expr) -> sp.Expr:
        x = x if low is None else call("max", x, number(low))
        return x if high is None else call("min", x, number(high))

    return clip


def hard_sigmoid(alpha: float = 0.2, beta: float = 0.5) -> Function:
    """max(0, min(1, alpha x + beta))."""
    return lambda x: clipped(0, 1)(number(alpha) * x + number(beta))


def gelu(approximate: bool) -> Function:
    """GELU, exact or the approximation with tanh."""
    if not approximate:
        return table_function("gelu")
    factor = number((2 / 3.141592653589793) ** 0.5)
    half = sp.Rational(1, 2)
    return lambda x: half * x * (1 + call("tanh", factor * (x + number(0.044715) * x**3)))


def celu(alpha: float) -> Function:
    """x for x > 0, else alpha (exp(x / alpha) - 1)."""
    low = number(alpha)
    return lambda x: (
        call("max", x, sp.Integer(0)) + low * (call("exp", call("min", x, sp.Integer(0)) / low) - _ONE)
    )


def softplus(beta: float) -> Function:
    """log(1 + exp(beta x)) / beta."""
    return lambda x: call("softplus", number(beta) * x) / number(beta)


def threshold(edge: float, below: float) -> Function:
    """x for x > edge, else a number."""
    return lambda x: chosen(greater(x, number(edge)), x, number(below))


def shrunk(edge: float, shift: float) -> Function:
    """x - shift for x > edge, x + shift for x < -edge, else 0."""
    if edge == shift:
        return lambda x: (
            call("max", x - number(edge), sp.Integer(0)) + call("min", x + number(edge), sp.Integer(0))
        )
    return lambda x: (
        greater(x, number(edge)) * (x - number(shift)) + greater(-number(edge), x) * (x + number(shift))
    )


def prelu(x: sp.Expr, slope: sp.Expr) -> sp.Expr:
    """x for x > 0, else slope * x, with a slope that is trained."""
    return call("max", x, sp.Integer(0)) + slope * call("min", x, sp.Integer(0))


def greater(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """1 where x > y, else 0."""
    return call("heaviside", x - y)


def chosen(condition: sp.Expr, x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """x where the condition is 1, else y; what exporters write for softplus, maximum and minimum is one."""
    if condition in (greater(x, y), 1 - greater(y, x)):
        return call("max", x, y)
    if condition in (greater(y, x), 1 - greater(x, y)):
        return call("min", x, y)
    if y == call("softplus", x) and condition == greater(x, _SOFTPLUS_ENDS):
        return y
    return condition * x + (1 - condition) * y


# Functions without constants, by the lower-case names that programs share.
PLAIN: dict[str, Function] = {
    **{name: table_function(name) for name, row in FUNCTIONS.items() if row.public and row.arity == 1},
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "max": table_function("max"),
    "min": table_function("min"),
    "neg": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x**2,
    "rsqrt": lambda x: 1 / call("sqrt", x),
    "prelu": prelu,
    "softsign": lambda x: x / (1 + call("abs", x)),
    "gt": greater,
    "lt": lambda x, y: greater(y, x),
    "ge": lambda x, y: 1 - greater(y, x),
    "le": lambda x, y: 1 - greater(x, y),
    "where": chosen,
    "log1p": lambda x: call("log", 1 + x),
    "expm1": lambda x: call("exp", x) - 1,
    "sinh": lambda x: (call("exp", x) - call("exp", -x)) / 2,
    "cosh": lambda x: (call("exp", x) + call("exp", -x)) / 2,
    "tan": lambda x: call("sin", x) / call("cos", x),
    "mish": lambda x: x * call("tanh", call("softplus", x)),
    "hardswish": lambda x: x * hard_sigmoid(1 / 6, 0.5)(x),
    "logsigmoid": lambda x: -call("softplus", -x),
}
