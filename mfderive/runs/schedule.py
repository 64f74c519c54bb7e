"""Time, the steps at which a run is observed, and what is observed: loss and error on a sample.

Time is the sum of the learning rates: t_0 = 0 and t_k = alpha_1 + ... + alpha_k. This file is shared by the
limit and by its witness, and computes the loss by its own plain formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..network.learning_rates import alphas
from ..network.network import Training

__all__ = ["alphas", "observation_steps", "times"]

Array = Any


def times(training: Training, steps: int | None = None) -> Array:
    """Times t_0 = 0, t_1, ..., t_steps (t_k = sum of the first k learning rates), float64 [steps + 1]."""
    return np.concatenate([[0.0], np.cumsum(alphas(training, steps))])


def observation_steps(steps: int, count: int) -> Array:
    """At most ``count`` distinct steps from 0 to ``steps``, both included, evenly spaced in log(step), int64.

    Early steps are too close for that: there consecutive steps stand in for equal ratios, so the list
    has exactly min(count, steps + 1) entries (2 at least where ``steps`` is positive).
    """
    if steps < 0 or count < 1:
        raise ValueError(f"steps {steps} and count {count} must not be negative (count: at least 1)")
    wanted = min(max(count, 2), steps + 1)
    chosen = [0]
    while len(chosen) < wanted:
        remaining = wanted - len(chosen)
        last = chosen[-1]
        if last == 0:
            following = 1 if remaining > 1 else steps
        else:
            following = max(last + 1, round(last * (steps / last) ** (1 / remaining)))
        chosen.append(min(following, steps - remaining + 1))
    return np.array(chosen, dtype=np.int64)
