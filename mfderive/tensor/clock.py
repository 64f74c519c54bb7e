"""What a step is given: its size, number and time, the rates at that time, and fresh random numbers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import TIME, Variable
from ..algebra.system import ForwardSystem
from ..algebra.terms import Role

# The roles of the fields that only a step or a derivative in time needs.
LEARNING = frozenset({Role.MOTION, Role.NEXT, Role.FLOW})


@dataclass(frozen=True)
class Moment:
    """Step number ``k`` (counted from 1) of size ``alpha`` at time ``t``; ``seed``: that of its noise."""

    t: float
    alpha: float
    k: int = 1
    seed: int = 0


def rate_at(variable: Variable, t: float) -> float:
    """The rate xi(t) of a parameter."""
    return float(evaluate_expression(variable.rate, {TIME: np.float64(t)}))


def clock_values(system: ForwardSystem, moment: Moment, state: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every field that a step is given, by the field's name."""
    values: dict[str, Any] = {}
    for field in system.fields:
        if field.role is Role.CLOCK:
            plain = {"alpha": moment.alpha, "k": moment.k, "t": moment.t}
            values[field.name] = (
                rate_at(system.parameter[field.of], moment.t) if field.of else plain[field.part]
            )
        elif field.role is Role.DRAW:
            values[field.name] = normal_draws(field.of, np.shape(state[field.of]), moment)
    return values


def normal_draws(parameter: str, shape: tuple[int, ...], moment: Moment) -> Any:
    """Standard normal numbers for the entries of a parameter at a step: a function of seed, name and k."""
    key = [moment.seed, zlib.crc32(f"noise {parameter}".encode()), moment.k]
    return np.random.default_rng(key).standard_normal(shape)
