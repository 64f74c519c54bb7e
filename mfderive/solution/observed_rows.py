"""What is observed of a solution at one time, and the same as numbers that can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..network.network import Network
from ..runs.evaluation import losses_and_errors
from ..samples.rule_pairs import Standing

Array = Any


class Row(NamedTuple):
    """Loss and classification error at a time and SGD step.

    ``loss_width`` and ``error_width`` are half of the intervals around them that hold the means over the law
    of the data; ``compared`` is the loss on the first samples (``Parts.compared``), for another solution that
    is evaluated on these alone.
    """

    time: float
    step: int
    loss: float
    error: float
    loss_width: float
    error_width: float
    compared: float


def row_of(moment: tuple[float, int], network: Network, yhat: Array, y: Array, parts: Standing) -> Row:
    """The row of a time and SGD step: outputs ``yhat`` and targets ``y``, both [sample, outputs]."""
    losses, errors = losses_and_errors(network, yhat, y)
    with np.errstate(over="ignore", invalid="ignore"):
        loss, compared = parts.mean(losses), parts.first().mean(losses[: parts.compared])
        loss_width = parts.half_width(losses)
    if errors is None:
        return Row(*moment, loss, float("nan"), loss_width, float("nan"), compared)
    return Row(*moment, loss, parts.mean(errors), loss_width, parts.half_width(errors), compared)


def numbers(rows: Sequence[Row]) -> Array:
    """Rows as float64 [row, number]."""
    return np.array(rows, np.float64).reshape(-1, len(Row._fields))


def rows_of(table: Array) -> list[Row]:
    """The rows that :func:`numbers` made numbers of."""
    return [Row(time, int(step), *others) for time, step, *others in np.asarray(table).tolist()]
