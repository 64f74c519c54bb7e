"""The learning rates of a training, and the time that they add up to.

Time is the sum of the learning rates: t_0 = 0 and t_k = alpha_1 + ... + alpha_k.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.laws import TIME
from ..algebra.memo import once
from ..algebra.memory import check_memory
from ..errors import SpecError
from .network import Training
from .schedules import STEP
from .values import SCHEDULE_ROUNDING

Array = Any


def alphas(training: Training, steps: int | None = None) -> Array:
    """Learning rates alpha_k = learning_rate * schedule(k), k = 1..steps, as float64 [steps].

    A rate may be 0: that step changes nothing, and time stands still. ``steps`` defaults to the spec's.
    Raises SpecError where a rate is negative or not a finite number.
    """
    count = training.steps if steps is None else steps
    check_memory(4 * 8 * count, f"The learning rates of {count} steps", "Take fewer steps")
    numbers = np.arange(1, count + 1, dtype=np.float64)
    with np.errstate(all="ignore"):
        schedule = evaluate_expression(training.schedule, {STEP: numbers})
    rates = np.broadcast_to(training.learning_rate * np.asarray(schedule, dtype=np.float64), (count,)).copy()
    rates[(rates < 0) & (rates > -SCHEDULE_ROUNDING * training.learning_rate)] = 0.0
    bad = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
    if bad.size:
        raise SpecError(
            f"the learning rate of step {bad[0] + 1} is {rates[bad[0]]}",
            table="training",
            key="schedule",
            remedy="learning_rate * schedule(k) must be a finite number of at least 0 for k = 1, 2, ...",
        )
    return rates


@once
def number_at_time(training: Training) -> sp.Expr:
    """The number of the step that begins at time t, as an expression in t: 1 + steps * t / t_end.

    t_end is the time of the whole training. Where all learning rates are equal, step k begins at time
    t_{k-1} and this is k; else it is the number that a training of equal rates has at the same fraction of
    its time. Raises SpecError where time stands still.
    """
    exact = sp.Rational(repr(training.learning_rate))
    if training.schedule == 1:
        return 1 + TIME / exact
    end = float(np.sum(alphas(training)))
    if end == 0:
        raise SpecError(
            f"every learning rate of the {training.steps} steps is 0, so that time stands still",
            table="training",
            key="schedule",
            remedy="A rate that follows a schedule counts in the time of the training, which must pass",
        )
    return 1 + training.steps / sp.Rational(repr(end)) * TIME
