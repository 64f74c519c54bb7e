"""The closed table of schedules that have a name: each is one row, a factor as an expression in the step k.

A factor multiplies a learning rate. Step k = 1, 2, ... comes after k - 1 steps, so that step 1 has the whole
rate unless it is warmed up to. In a parameter's rate, k is the number that the time says
(:func:`mfderive.network.learning_rates.number_at_time`), which need not be whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.functions import call
from .values import COUNT, NOT_NEGATIVE, POSITIVE, WHOLE, Key, Table, list_of, table

STEP = sp.Symbol("k")
_HALF = sp.Rational(1, 2)


@dataclass(frozen=True)
class Course:
    """Where a training is: the number k of the step, steps j since the warm-up, and their fraction s of all.

    The fraction is that of a schedule that ends: it is 1 from there on.
    """

    number: sp.Expr
    since: sp.Expr
    fraction: sp.Expr


@dataclass(frozen=True)
class Schedule:
    """One schedule: its keys beside ``kind``, and the factor that their numbers make of a :class:`Course`.

    ``formula`` is the same for people. The factor of the warm-up is not in it: every schedule has it alike.
    """

    name: str
    doc: str
    formula: str
    keys: Table
    factor: Callable[[Mapping[str, Any], Course], sp.Expr]


WARMUP = Key("warmup", WHOLE, "steps in which the rate rises to the whole one, as k / warmup; default 0")
_LENGTH = Key(
    "steps",
    COUNT,
    "after so many steps, the warm-up included, it has ended and stays there; default those of [training]",
)
_END = Key("end", NOT_NEGATIVE, "the factor that it ends with; default 0")


def _exact(number: float) -> sp.Expr:
    """A number of a spec, as its decimal is written."""
    return sp.Integer(number) if isinstance(number, int) else sp.Rational(repr(number))


def _constant(_: Mapping[str, Any], __: Course) -> sp.Expr:
    return sp.Integer(1)


def _cosine(numbers: Mapping[str, Any], course: Course) -> sp.Expr:
    end = _exact(numbers.get("end", 0))
    return end + (1 - end) * _HALF * (1 + call("cos", sp.pi * course.fraction))


def _linear(numbers: Mapping[str, Any], course: Course) -> sp.Expr:
    return 1 - (1 - _exact(numbers.get("end", 0))) * course.fraction


def _exponential(numbers: Mapping[str, Any], course: Course) -> sp.Expr:
    every, end = numbers.get("every", 1), _exact(numbers.get("end", 0))
    factor = call("exp", course.since / every * call("log", _exact(numbers["factor"])))
    return factor if end == 0 else call("max", factor, end)


def _piecewise(numbers: Mapping[str, Any], course: Course) -> sp.Expr:
    """Jumps half-way between two steps: a time that rounding moved still lies on the right side."""
    factors = [sp.Integer(1), *map(_exact, numbers["factors"])]
    jumps = zip(numbers["at"], factors[:-1], factors[1:], strict=True)
    return 1 + sp.Add(
        *((after - before) * call("heaviside", course.number - at - _HALF) for at, before, after in jumps)
    )


_ROWS = (
    Schedule("constant", "the whole rate at every step", "1", table(WARMUP), _constant),
    Schedule(
        "warmup",
        "the rate rises for some steps and stays",
        "min(k / warmup, 1)",
        table(Key(WARMUP.name, COUNT, "steps in which the rate rises to the whole one", required=True)),
        _constant,
    ),
    Schedule(
        "cosine",
        "half a period of a cosine",
        "end + (1 - end) (1 + cos(pi s)) / 2",
        table(WARMUP, _LENGTH, _END),
        _cosine,
    ),
    Schedule("linear", "a straight line", "1 - (1 - end) s", table(WARMUP, _LENGTH, _END), _linear),
    Schedule(
        "exponential",
        "the same factor every so many steps",
        "max(factor^(j / every), end)",
        table(
            WARMUP,
            Key("factor", POSITIVE, "what the rate is multiplied by every so many steps", required=True),
            Key("every", COUNT, "steps in which the rate falls by the factor; default 1"),
            Key("end", NOT_NEGATIVE, "the factor never falls below this; default 0"),
        ),
        _exponential,
    ),
    Schedule(
        "piecewise",
        "constant between steps at which it jumps",
        "factors[i] from step at[i] + 1 on, 1 before",
        table(
            WARMUP,
            Key(
                "at",
                list_of(COUNT, "a list of whole numbers of at least 1"),
                "after how many steps the rate changes, in rising order",
                required=True,
            ),
            Key(
                "factors",
                list_of(NOT_NEGATIVE, "a list of numbers of at least 0"),
                "factor of the learning rate after each of them (of the whole rate, not of the one before)",
                required=True,
            ),
        ),
        _piecewise,
    ),
)
SCHEDULES: dict[str, Schedule] = {row.name: row for row in _ROWS}


def schedule_factor(row: Schedule, numbers: Mapping[str, Any], steps: int, number: sp.Expr) -> sp.Expr:
    """The factor of the step ``number`` (the symbol k, or an expression in t) by one row of the table.

    ``numbers``: the values of its keys; ``steps``: those of the training, where the keys have no own.
    """
    warmup, length = numbers.get(WARMUP.name, 0), numbers.get(_LENGTH.name, steps)
    since = number - 1 - warmup
    if warmup:
        since = call("max", since, sp.Integer(0))
    ends = _LENGTH.name in row.keys
    fraction = call("min", since / (length - warmup), sp.Integer(1)) if ends else sp.Integer(0)
    factor = row.factor(numbers, Course(number, since, fraction))
    return call("min", number / warmup, sp.Integer(1)) * factor if warmup else factor
