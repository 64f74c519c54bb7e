"""Keys of ``[signal]``: how signals are followed through a network with random weights.

Weights are N(0, sigma_w2 / fan-in) there and biases N(0, sigma_b2), whatever their laws are.
"""

from __future__ import annotations

from .training_keys import BY_PARAMETER
from .values import Key, Table, table

SIGNAL: Table = table(
    Key("sigma_w2", BY_PARAMETER, "variance of weights times their fan-in, for all or by parameter"),
    Key("sigma_b2", BY_PARAMETER, "variance of biases, for all or by parameter; default 0"),
)
