"""Columns of inputs and targets brought to one size, by numbers that are found on the training rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.showing import Shown

Array = Any
Asked = str | tuple[float, float]

STANDARDIZE, UNIT = "standardize", "unit"
# A deviation below this part of a column's largest entry is rounding: the column is constant.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Scaling(Shown):
    """Column j becomes (value - offset[j]) / unit[j]; ``offset`` and ``unit`` float64 [column].

    ``asked`` is what the spec says: "standardize" (mean 0, deviation 1), "unit" (0 to 1) or (low, high).
    """

    asked: Asked
    offset: Array
    unit: Array

    def apply(self, values: Array) -> Array:
        """Values [row, column] in the units of the data, in those of the network."""
        return (values - self.offset) / self.unit

    def invert(self, values: Array) -> Array:
        """Values [row, column] in the units of the network, in those of the data."""
        return values * self.unit + self.offset


def fit_scaling(asked: Asked, values: Array, scaled: Array | None = None) -> Scaling:
    """The scaling of the columns of ``values`` [row, column], float64.

    ``scaled`` (bool [column]) leaves out columns that stay as they are. A constant column is moved to 0
    ("standardize") or to the lower end, and keeps its unit.
    """
    if asked == STANDARDIZE:
        offset, unit = values.mean(axis=0), values.std(axis=0)
        unit = np.where(unit <= _ROUNDING * np.abs(values).max(axis=0), 1.0, unit)
    else:
        low, high = (0.0, 1.0) if isinstance(asked, str) else asked
        start, extent = values.min(axis=0), np.ptp(values, axis=0)
        unit = np.where(extent == 0, 1.0, extent / (high - low))
        offset = start - low * unit
    if scaled is not None:
        offset, unit = np.where(scaled, offset, 0.0), np.where(scaled, unit, 1.0)
    return Scaling(asked, offset, unit)
