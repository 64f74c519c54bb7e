"""A law of data as a transform of independent standard variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.showing import Shown

Array = Any


@dataclass(frozen=True, repr=False)
class StandardLaw(Shown):
    """A law of data: component j has probability ``odds[j]`` and is a transform of standard variables.

    ``kinds`` are their laws: NORMAL (standard normal), UNIFORM on (0, 1), RADEMACHER (uniform, cut at 1/2);
    ``values(j, standard [node, number])`` gives x [node, d] and y [node, outputs].
    """

    kinds: tuple[str, ...]
    odds: tuple[float, ...]
    values: Callable[[int, Array], tuple[Array, Array]]

    def at_nodes(self, standard: Array, weights: Array) -> tuple[Array, Array, Array]:
        """x, y and weights of all components at the same nodes [node, number] of standard variables."""
        odds = np.array(self.odds) / np.sum(self.odds)
        values = [self.values(component, standard) for component in range(len(odds))]
        x, y = (np.concatenate(columns) for columns in zip(*values, strict=True))
        return x, y, np.outer(odds, weights).ravel()
