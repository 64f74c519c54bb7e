"""Coordinates along a few directions of x first, and across them after that: an orthogonal change of x."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from .standard_law import StandardLaw

Array = Any
Directions = tuple[tuple[float, ...], ...]

# What is left of a vector beyond others counts as rounding below this part of its length.
_ROUNDING = 1e-12


def orthonormal(vectors: Iterable[Sequence[float]]) -> Directions:
    """Orthogonal unit vectors that span the same as ``vectors`` [vector, coordinate], in their order.

    The first one is parallel to the first vector that is not 0. Vectors that others span leave none.
    """
    given = np.array(list(vectors), np.float64)
    found, count = np.zeros_like(given), 0
    for vector in given:
        length = np.linalg.norm(vector)
        if length == 0:
            continue
        rest, units = vector / length, found[:count]
        for _ in range(2):  # once more takes away what rounding left
            rest = rest - (units @ rest) @ units
        beyond = np.linalg.norm(rest)
        if beyond > _ROUNDING:
            found[count] = rest / beyond
            count += 1
    return tuple(map(tuple, found[:count].tolist()))


@dataclass(frozen=True)
class Frame:
    """The coordinates of vectors along ``directions``, which are orthogonal unit vectors, then across them.

    Across means: in some orthonormal coordinates of all that is orthogonal to the directions.
    """

    directions: Directions

    @property
    def along(self) -> int:
        """The number of coordinates along."""
        return len(self.directions)

    @property
    def dimension(self) -> int:
        """The number of all coordinates."""
        return len(self.directions[0])

    @cached_property
    def _mirrors(self) -> tuple[tuple[Array, ...], Array]:
        """Normals of mirrors that take the directions to coordinate axes one by one, up to these signs."""
        normals: list[Array] = []
        signs = np.ones(self.along)
        for k, direction in enumerate(self.directions):
            image = np.array(direction)
            for normal in normals:
                image -= 2 * (image @ normal) * normal
            # Of the two mirrors the one whose normal is no difference of almost equal vectors.
            signs[k] = -1.0 if image[k] >= 0 else 1.0
            image[k] -= signs[k]
            normals.append(image / np.linalg.norm(image))
        return tuple(normals), signs

    def into(self, vectors: Array) -> Array:
        """Vectors [..., coordinate] in these coordinates."""
        normals, signs = self._mirrors
        turned = np.array(vectors, np.float64)
        for normal in normals:
            turned -= 2 * (turned @ normal)[..., None] * normal
        turned[..., : self.along] *= signs
        return turned

    def back(self, vectors: Array) -> Array:
        """Vectors [..., coordinate] out of these coordinates."""
        normals, signs = self._mirrors
        turned = np.array(vectors, np.float64)
        turned[..., : self.along] *= signs
        for normal in reversed(normals):
            turned -= 2 * (turned @ normal)[..., None] * normal
        return turned

    def law(self, law: StandardLaw) -> StandardLaw:
        """The same law of data, whose first standard numbers are those of ``law`` in these coordinates.

        For laws in which as many standard normal numbers as x has are turned as x is, so that they are
        standard normal in all coordinates. Values stay those of x as it is.
        """
        return StandardLaw(law.kinds, law.odds, partial(_values, self, law))


def _values(frame: Frame, law: StandardLaw, component: int, standard: Array) -> tuple[Array, Array]:
    d = frame.dimension
    return law.values(component, np.concatenate([frame.back(standard[:, :d]), standard[:, d:]], axis=1))
