"""What is known of each function of the closed table: its values, slopes and curvatures on the whole line.

Bounds are analytic where they are written as expressions, else numbers rounded outwards; the tests hold
every row against the function on a grid and against its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..algebra.functions import FUNCTIONS, SELU_LEFT
from .intervals import WHOLE, ZERO, Interval, mapped, point

Image = Callable[[Interval], Interval]


@dataclass(frozen=True)
class FunctionRow:
    """Facts about one function of one argument.

    ``values``: all of its values; ``image``: those on an interval; ``slope`` and ``curvature``: those of its
    first and second derivative, wherever they exist. ``jumps``: "" (the first derivative is continuous and
    Lipschitz where the curvature is bounded), "slope" (the first derivative jumps at 0) or "value".
    """

    values: Interval
    image: Image
    slope: Interval = WHOLE
    curvature: Interval = WHOLE
    jumps: str = ""


def _value(name: str) -> Callable[[float], float]:
    real = FUNCTIONS[name].real

    def value(number: float) -> float:
        with np.errstate(all="ignore"):
            return float(real(number))

    return value


def _rising(name: str, values: Interval) -> Image:
    """The image of an interval under a function that always rises.

    A bound that is never reached is not reached by rounding either.
    """
    value = _value(name)
    most = math.nextafter(values.high, -math.inf) if values.high_open else math.inf
    least = math.nextafter(values.low, math.inf) if values.low_open else -math.inf

    def image(argument: Interval) -> Interval:
        found = mapped(value, argument)
        low, high = min(found.low, most), max(found.high, least)
        return Interval(low, high, found.low_open, found.high_open)

    return image


def _level(name: str) -> Image:
    """The image of an interval under a function that never falls and is level somewhere: ends are reached."""
    value = _value(name)
    return lambda argument: Interval(value(argument.low), value(argument.high))


def _anywhere(name: str, values: Interval) -> Image:
    """The image under a function that rises and falls: at a point its value, else all of its values."""
    real = FUNCTIONS[name].real

    def image(argument: Interval) -> Interval:
        if argument.low != argument.high:
            return values
        return point(float(real(argument.low)))

    return image


def _wave(shift: float) -> Image:
    """The image under cos(x - shift): at the ends, and at the tops and bottoms in between."""

    def image(argument: Interval) -> Interval:
        if not argument.is_bounded:
            return _ONE
        low, high = argument.low - shift, argument.high - shift
        ends = sorted((math.cos(low), math.cos(high)))
        top = math.ceil(low / (2 * math.pi)) * 2 * math.pi <= high
        bottom = (math.ceil((low - math.pi) / (2 * math.pi)) * 2 + 1) * math.pi <= high
        return Interval(-1.0 if bottom else ends[0], 1.0 if top else ends[1])

    return image


def _absolute(argument: Interval) -> Interval:
    if argument.is_not_negative:
        return argument
    if argument.high <= 0:
        return Interval(-argument.high, -argument.low, argument.high_open, argument.low_open)
    ends = [(-argument.low, not argument.low_open), (argument.high, not argument.high_open)]
    high, closed = max(ends)
    return Interval(0.0, high, False, not closed)


def _positive(name: str) -> Image:
    """The image under a function that is defined (and rises) above 0; the whole line beyond that."""
    rising = _rising(name, WHOLE)

    def image(argument: Interval) -> Interval:
        return rising(argument) if argument.is_positive else WHOLE

    return image


def _open(low: float, high: float) -> Interval:
    return Interval(low, high, True, True)


def _symmetric(bound: float) -> Interval:
    return Interval(-bound, bound)


_UP = _open(0.0, math.inf)
_NOT_NEGATIVE = Interval(0.0, math.inf)
_ONE = _symmetric(1.0)
_PDF, _GAUSS = 1 / math.sqrt(2 * math.pi), 1 / math.sqrt(math.pi)


def _up(name: str, values: Interval, slope: Interval, curvature: Interval, jumps: str = "") -> FunctionRow:
    return FunctionRow(values, _rising(name, values), slope, curvature, jumps)


def _flat(name: str, values: Interval, slope: Interval, curvature: Interval, jumps: str) -> FunctionRow:
    return FunctionRow(values, _level(name), slope, curvature, jumps)


def _bumpy(name: str, values: Interval, slope: Interval, curvature: Interval) -> FunctionRow:
    return FunctionRow(values, _anywhere(name, values), slope, curvature)


ROWS: dict[str, FunctionRow] = {
    "exp": _up("exp", _UP, _UP, _UP),
    "log": FunctionRow(WHOLE, _positive("log")),
    "sqrt": FunctionRow(_NOT_NEGATIVE, _positive("sqrt")),
    "sin": FunctionRow(_ONE, _wave(math.pi / 2), _ONE, _ONE),
    "cos": FunctionRow(_ONE, _wave(0.0), _ONE, _ONE),
    "tanh": _up("tanh", _open(-1, 1), Interval(0, 1, True), _symmetric(4 / (3 * math.sqrt(3)))),
    "erf": _up(
        "erf", _open(-1, 1), Interval(0, 2 * _GAUSS, True), _symmetric(4 * _GAUSS * math.sqrt(0.5 / math.e))
    ),
    "gauss": _bumpy(
        "gauss",
        Interval(0, _GAUSS, True),
        _symmetric(2 * _GAUSS * math.sqrt(0.5 / math.e)),
        Interval(-2 * _GAUSS, 4 * _GAUSS * math.exp(-1.5)),
    ),
    "sigmoid": _up("sigmoid", _open(0, 1), Interval(0, 0.25, True), _symmetric(1 / (6 * math.sqrt(3)))),
    "softplus": _up("softplus", _UP, _open(0, 1), Interval(0, 0.25, True)),
    # x Phi(x): the least value is at -0.7518, the slopes between at -+sqrt(2), the curvature least at +-2.
    "gelu": _bumpy("gelu", Interval(-0.17, math.inf), Interval(-0.12891, 1.12891), Interval(-0.108, 0.798)),
    "normal_cdf": _up("normal_cdf", _open(0, 1), Interval(0, _PDF, True), _symmetric(_PDF * math.exp(-0.5))),
    "normal_pdf": _bumpy(
        "normal_pdf",
        Interval(0, _PDF, True),
        _symmetric(_PDF * math.exp(-0.5)),
        Interval(-_PDF, 2 * _PDF * math.exp(-1.5)),
    ),
    "silu": _bumpy("silu", Interval(-0.2785, math.inf), Interval(-0.0999, 1.0999), Interval(-0.037, 0.5)),
    "relu": _flat("relu", _NOT_NEGATIVE, Interval(0, 1), ZERO, "slope"),
    "step": _flat("step", Interval(0, 1), ZERO, ZERO, "value"),
    "leaky_relu": _up("leaky_relu", WHOLE, Interval(0.01, 1), ZERO, "slope"),
    "elu": _up("elu", _open(-1, math.inf), Interval(0, 1, True), Interval(0, 1)),
    "elu_slope": _flat("elu_slope", Interval(0, 1, True), Interval(0, 1), Interval(0, 1), "slope"),
    "selu": _up(
        "selu", _open(-SELU_LEFT, math.inf), Interval(0, SELU_LEFT, True), Interval(0, SELU_LEFT), "slope"
    ),
    # It rises to SELU_LEFT and falls to 1.0507 beyond 0.
    "selu_slope": FunctionRow(
        Interval(0, SELU_LEFT, True),
        _anywhere("selu_slope", Interval(0, SELU_LEFT, True)),
        Interval(0, SELU_LEFT),
        Interval(0, SELU_LEFT),
        "value",
    ),
    "abs": FunctionRow(_NOT_NEGATIVE, _absolute, _ONE, ZERO, "slope"),
    "sign": _flat("sign", _ONE, ZERO, ZERO, "value"),
    "heaviside": _flat("heaviside", Interval(0, 1), ZERO, ZERO, "value"),
}
"""The functions of one argument by name."""

# Limits that the numpy form of a function misses: an infinity times 0.
LIMITS: dict[tuple[str, float], float] = {
    ("gelu", -math.inf): 0.0,
    ("silu", -math.inf): 0.0,
    ("normal_pdf", math.inf): 0.0,
    ("normal_pdf", -math.inf): 0.0,
}
