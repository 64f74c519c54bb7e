"""Laws of initial values, estimated from the entries that a model has, or named by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True)
class EstimatedLaw:
    """A law as a spec has it. ``entries``: of how many numbers it was estimated; 0: it was named."""

    text: str
    mean: float
    deviation: float
    entries: int

    @property
    def sentence(self) -> str:
        """Where the law comes from."""
        if not self.entries:
            return "named by the caller"
        return f"mean {self.mean:.4g} and deviation {self.deviation:.4g} of {self.entries} entries"


def estimated_law(values: Array, named: str | None = None) -> EstimatedLaw:
    """The normal law of the mean and deviation of some entries; a constant where they are equal.

    A mean that is within two of its standard errors of 0 is 0. ``named`` takes the place of the estimate.
    """
    entries = np.asarray(values, dtype=float).ravel()
    mean, deviation = float(np.mean(entries)), float(np.std(entries))
    if named is not None:
        return EstimatedLaw(named, mean, deviation, 0)
    if deviation <= 1e-12 * max(1.0, abs(mean)):
        return EstimatedLaw(_short(mean), mean, 0.0, entries.size)
    centre = 0.0 if abs(mean) <= 2 * deviation / entries.size**0.5 else mean
    return EstimatedLaw(f"normal({_short(centre)}, {_short(deviation)})", mean, deviation, entries.size)


def _short(value: float) -> str:
    return repr(float(f"{value:.5g}")) if value != int(value) else str(int(value))
