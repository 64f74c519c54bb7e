"""Laws of initial values, estimated from the entries that a model has, or named by the caller."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True)
class EstimatedLaw:
    """A law as a spec has it. ``entries``: of how many numbers it was estimated; 0: it was named.

    ``initialiser``: what PyTorch calls the law of the model's own entries, where they are known to follow it.
    """

    text: str
    mean: float
    deviation: float
    entries: int
    initialiser: str = ""

    @property
    def sentence(self) -> str:
        """Where the law comes from."""
        if not self.entries:
            return "named by the caller"
        known = f", {self.initialiser}" if self.initialiser else ""
        return f"mean {self.mean:.4g} and deviation {self.deviation:.4g} of {self.entries} entries{known}"


# A uniform law is preferred to the normal one where it makes the entries so many times as likely.
_ODDS = 1000.0


def estimated_law(values: Array, named: str | None = None, scale: float = 1.0) -> EstimatedLaw:
    """The law of ``scale`` times some entries; a constant where they are equal.

    That is the normal law of their mean and deviation, or a uniform one on both sides of 0 where this is a
    thousand times as likely (some forty entries decide it). ``values`` has the axes [target, source, ...] of
    a weight, or is one number of each neuron. A mean that is within two of its standard errors of 0 is 0.
    ``named`` takes the place of the estimate.
    """
    entries = scale * np.asarray(values, dtype=float).ravel()
    mean, deviation = float(np.mean(entries)), float(np.std(entries))
    if named is not None:
        return EstimatedLaw(named, mean, deviation, 0)
    if deviation <= 1e-12 * max(1.0, abs(mean)):
        return EstimatedLaw(_short(mean), mean, 0.0, entries.size)
    bound, initialiser = _uniform(np.asarray(values, dtype=float))
    if bound:
        text = _short(scale * bound)
        return EstimatedLaw(f"uniform(-{text}, {text})", mean, deviation, entries.size, initialiser)
    centre = 0.0 if abs(mean) <= 2 * deviation / entries.size**0.5 else mean
    return EstimatedLaw(f"normal({_short(centre)}, {_short(deviation)})", mean, deviation, entries.size)


def _uniform(values: Array) -> tuple[float, str]:
    """The bound of the uniform law of some entries, and its name in PyTorch; 0 where they are not uniform."""
    largest, count = float(np.max(np.abs(values))), values.size
    normal = 0.5 * math.log(2 * math.pi * math.e * float(np.var(values)))

    def odds(bound: float) -> float:
        return float(count) * (normal - math.log(2 * bound))

    # Bounds are rounded to float32 where the model is.
    known = {b: name for b, name in _initialisers(values.shape) if b * (1 + 1e-6) >= largest}
    best = min(known, default=0.0)
    if best and odds(best) >= math.log(_ODDS):
        return best, known[best]
    free = largest * (count + 1) / count
    return (free, "") if odds(free) >= math.log(_ODDS) else (0.0, "")


def _initialisers(shape: Sequence[int]) -> Iterator[tuple[float, str]]:
    """Bounds of the uniform initialisers of PyTorch for a weight [target, source, ...], with their names."""
    if len(shape) < 2:
        return
    taps = math.prod(shape[2:])
    reads, feeds = shape[1] * taps, shape[0] * taps
    yield 1 / math.sqrt(reads), "as nn.Linear and nn.Conv start"
    yield math.sqrt(6 / (reads + feeds)), "nn.init.xavier_uniform_"
    yield math.sqrt(6 / reads), "nn.init.kaiming_uniform_"


def _short(value: float) -> str:
    return repr(float(f"{value:.5g}")) if value != int(value) else str(int(value))
