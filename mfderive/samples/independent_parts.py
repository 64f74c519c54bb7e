"""How an evaluation sample stands for the law of the data: independent parts, whose scatter is an error."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from scipy.special import stdtrit

Array = np.ndarray

# What part of all intervals is to hold the mean over the law.
CONFIDENCE = 0.99
# Means are compared on whole parts with at least so many samples together, where there are as many.
_COMPARED = 128


@dataclass(frozen=True)
class Parts:
    """The ``sizes`` of the parts of an evaluation sample, in its order; each part alone stands for the law.

    ``missing``: what part of the law is not in the sample (1: a law that never ends, 0: the sample is the
    law, n of N rows that were drawn without replacement: 1 - n / N, by which the variance of a mean is
    smaller than that of independent draws).
    """

    sizes: tuple[int, ...]
    missing: float = 1.0

    def half_width(self, values: Array) -> float:
        """Half the interval around the mean of ``values`` [sample] that holds their mean over the law.

        By the scatter of the means of the parts (Student's t); 0 where the sample is the law, nan where
        there is only one part.
        """
        if not self.missing:
            return 0.0
        count = len(self.sizes)
        if count < 2:
            return float("nan")
        sizes = np.array(self.sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        means = np.add.reduceat(values, starts) / sizes
        shares = sizes / sizes.sum()
        variance = float(np.sum((shares * (means - values.mean())) ** 2)) * count / (count - 1)
        return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * float(np.sqrt(variance * self.missing))

    def mean(self, values: Array) -> float:
        """The mean of ``values`` [sample]."""
        return float(values.mean())

    def first(self) -> Parts:
        """How the first samples alone (``compared``) stand for the law: each independent of all others."""
        return alone(self.compared)

    @property
    def facts(self) -> dict[str, float]:
        """What a sentence about the error of an evaluation says."""
        return {"parts": len(self.sizes), "missing": self.missing}

    @property
    def compared(self) -> int:
        """How many of the first samples suffice to say how far apart the losses of two solutions are.

        All, where the sample is the law or a part of a data set, which may lie in any order; else whole
        parts.
        """
        total = sum(self.sizes)
        if self.missing < 1:
            return total
        wanted = min(_COMPARED, total)
        return next(end for end in accumulate(self.sizes) if end >= wanted)


def alone(samples: int, missing: float = 1.0) -> Parts:
    """Samples each of which is independent of all others."""
    return Parts((1,) * samples, missing)
