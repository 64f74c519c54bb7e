"""Laws of data that are drawn, not read: Gaussians, mixtures, teachers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sources import Draw

Array = Any


def isotropic_gaussians(dimension: int, separation: float) -> Draw:
    """Labels y = +1 and -1 with equal odds; x given y is N(0, (1 + y * separation)^2 I).

    The source is Nguyen 2019, section 4.1. x is [size, dimension], y [size, 1].
    """

    def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
        y = (1 - 2 * rng.integers(0, 2, size)).astype(np.float64)[:, None]
        x = (1 + y * separation) * rng.standard_normal((size, dimension))
        return x, y

    return draw
