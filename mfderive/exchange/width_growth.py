"""How entries change between two widths of a model: the convention of its initialisation shows itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .spec_of_layers import Place


@dataclass(frozen=True)
class Growth:
    """Deviation of the scaled entries of a weight as a power of the width, with its standard error."""

    name: str
    exponent: float
    error: float

    @property
    def sentence(self) -> str:
        """What follows for the limit."""
        return (
            f"{self.name} times the width grows as width^{self.exponent:.2g} (error {self.error:.1g}): "
            "these are not entries of size 1, and the law that is written is that of this width"
        )


def growths(one: Mapping[str, Place], other: Mapping[str, Place]) -> Iterator[Growth]:
    """The weights whose scaled entries grow with the width, by more than three standard errors.

    The deviation of N normal entries has the relative error 1/sqrt(2 N).
    """
    for name in one.keys() & other.keys():
        ratio = math.log(other[name].scale / one[name].scale)
        sizes = [float(np.std(place.state)) for place in (one[name], other[name])]
        if ratio == 0 or min(sizes) == 0:
            continue
        exponent = math.log(sizes[1] / sizes[0]) / ratio
        error = math.sqrt(sum(0.5 / np.size(place.values) for place in (one[name], other[name]))) / abs(ratio)
        if exponent > 3 * error:
            yield Growth(name, exponent, error)
