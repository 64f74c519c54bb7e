"""Why the numbers of a solution left the finite ones: the step, and the function that left its domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.departure import departure_remedy, departure_words
from ..algebra.system import LimitSystem
from ..runs.last_finite import last_finite
from ..tensor.first_departure import FirstDeparture, first_departure
from .stepping import LARGEST_PIECE, Stepper

Array = Any
# Samples that are looked at one by one where the forward pass is finite.
_SAMPLES = 8


@dataclass(frozen=True)
class Cause:
    """``number`` of the step after which values are not finite, and the departure, where it was found."""

    number: int
    departure: FirstDeparture | None


def cause_at(
    system: LimitSystem, module: Any, state: Mapping[str, Any], x: Array, y: Array
) -> FirstDeparture | None:
    """The first departure from the finite numbers at a finite state, on samples of a batch."""
    fields = module.forward(state, x[:LARGEST_PIECE])
    samples = list(range(min(len(x), _SAMPLES)))
    for value in fields.values():
        broken = np.flatnonzero(~np.isfinite(value).reshape(len(value), -1).all(axis=1))
        if len(broken):
            samples = [int(broken[0])]
            break
    for sample in samples:
        found = first_departure(system, state, x[sample : sample + 1], y[sample : sample + 1])
        if found is not None:
            return found
    return None


def cause_between(stepper: Stepper, start: Mapping[str, Any], first: int, last: int) -> Cause | None:
    """Make the steps from a finite state at t_first again, and look at the one that is not finite after it.

    None where all states up to t_last are finite, or where that is too many steps.
    """
    found = last_finite(stepper.advance, start, first, last)
    if found is None:
        return None
    number, state = found
    x, y, *_ = stepper.move(number)
    problem = stepper.problem
    return Cause(number + 1, cause_at(problem.system, problem.module, state, x, y))


def words(found: FirstDeparture) -> str:
    """The departure as part of a sentence."""
    return departure_words(found.field, found.departure)


def remedy(found: FirstDeparture) -> str:
    """What to do about it; "" where a value is only too large."""
    return departure_remedy(found.departure)
