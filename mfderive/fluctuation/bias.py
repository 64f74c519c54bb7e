"""The bias of networks, n (E yhat_n - yhat), by extrapolation from trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import whole_number
from ..network.network import Network
from .common_draws import trained

Array = Any
WIDTHS = (32, 64)  # the second twice the first


@dataclass(frozen=True)
class Bias:
    """The leading bias of outputs [time, point, output]: E yhat_n = yhat + ``value``/n + O(1/n^2).

    It is extrapolated (Richardson) from ``networks`` trained networks at each of two ``widths``, and not
    derived: its part from the labels would follow from second influences, but noise of single weights enters
    at the same order. ``error``: its standard error.
    """

    value: Array
    error: Array
    widths: tuple[int, int]
    networks: int


def extrapolated_bias(
    network: Network, steps: Array, x: Array, yhat: Array, networks: int, changes: Mapping[str, Any]
) -> Bias:
    """Train networks of the base widths of :data:`WIDTHS`, and extrapolate the bias of their outputs.

    After ``steps`` [time] at ``x`` [point, ...] against the limit's ``yhat`` [time, point, output], on the
    batches of the limit, of which ``changes`` are the options. The standard error is about
    sqrt(9 V WIDTHS[0] / networks) with V = n Var.
    """
    whole_number("bias", networks, 2)
    shifts, scatter = [], []
    for width in WIDTHS:
        outputs = trained_outputs(network, width, networks, steps, x, changes)
        shifts.append(width * (outputs.mean(1) - yhat))
        scatter.append(width**2 * outputs.var(1, ddof=1) / networks)
    return Bias(*extrapolated(shifts, scatter), WIDTHS, networks)


def extrapolated(shifts: list[Array], scatter: list[Array]) -> tuple[Array, Array]:
    """n (mean - yhat) = b + c/n at n and 2n: b, and its standard error from the variances ``scatter``."""
    (one, two), (first, second) = shifts, scatter
    return 2 * two - one, np.sqrt(4 * second + first)


def trained_outputs(
    network: Network, width: int, networks: int, steps: Array, x: Array, changes: Mapping[str, Any]
) -> Array:
    """Outputs of trained networks after some steps [time, network, point, output]."""
    outputs = []
    for step in steps:
        count = max(int(step), 1)
        paths = trained(network, width, networks, changes, steps=count, evaluation=1, checkpoints=2)
        outputs.append([path.fields(x, None if step else 0.0)["yhat"] for path in paths])
    return np.asarray(outputs, np.float64)
