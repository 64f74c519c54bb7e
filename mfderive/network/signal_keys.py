"""Keys of ``[signal]``: how signals are followed through a network with random weights.

Weights are N(0, sigma_w2 / fan-in) there and biases N(0, sigma_b2), whatever their laws are.
"""

from __future__ import annotations

from typing import Any

from .training_keys import BY_PARAMETER
from .values import Key, Table, ValueType, is_integer, table

# Gradients through the variance of fewer than four samples have no second moment.
SMALLEST_BATCH = 4
INFINITE = "infinity"


def _is_batch(value: Any) -> bool:
    return value == INFINITE or (is_integer(value) and value >= SMALLEST_BATCH)


BATCH_SIZE = ValueType(
    f'a whole number of at least {SMALLEST_BATCH}, or "{INFINITE}"',
    _is_batch,
    {"anyOf": [{"type": "integer", "minimum": SMALLEST_BATCH}, {"const": INFINITE}]},
)


SIGNAL: Table = table(
    Key("sigma_w2", BY_PARAMETER, "variance of weights times their fan-in, for all or by parameter"),
    Key("sigma_b2", BY_PARAMETER, "variance of biases, for all or by parameter; default 0"),
    Key("batch", BATCH_SIZE, "samples in a batch, for means over the batch (batch normalisation)"),
)
