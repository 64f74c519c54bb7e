"""The law of data by orbits: of samples that motions take to each other, one stands for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..algebra.signed_permutations import SignedPermutation
from .standard_law import StandardLaw

Array = Any

# What differs by less is the same but for rounding, in units of the largest number.
_DIGITS = 11


def first_images(images: Sequence[Array]) -> Array:
    """For each row the number of its largest image, by ``images``, [row, number] each.

    Images are compared number by number; those that are the same but for rounding count as the same, and the
    first of them is taken.
    """
    scale = max(float(np.abs(images[0]).max(initial=0.0)), 1e-300)
    best = rounded(images[0], scale)
    chosen = np.zeros(len(best), dtype=int)
    for number, image in enumerate(images[1:], start=1):
        own = rounded(image, scale)
        differ = own != best
        first = np.where(differ.any(axis=1), differ.argmax(axis=1), 0)
        rows = np.arange(len(own))
        larger = own[rows, first] > best[rows, first]
        chosen[larger], best[larger] = number, own[larger]
    return chosen


def rounded(values: Array, scale: float) -> Array:
    """Numbers of which those that differ by rounding alone are the same, in units of ``scale``."""
    return np.round(np.asarray(values, np.float64) / scale, _DIGITS) + 0.0  # no negative zeros


@dataclass(frozen=True)
class OrbitFold:
    """Of x and its images under a group of motions of its numbers the largest one, with its y."""

    motions: tuple[SignedPermutation, ...]

    def law(self, law: StandardLaw) -> StandardLaw:
        """The law of such samples: what is the same at all images has the averages of ``law``."""
        return StandardLaw(law.kinds, law.odds, partial(_values, self, law))

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Samples x [sample, *shape] and y [sample, output] as those that stand for them."""
        flat = np.reshape(x, (len(x), -1))
        images = [motion(flat) for motion in self.motions]
        chosen = first_images(images)
        rows = np.arange(len(x))
        targets = np.stack([motion.of_target(y) for motion in self.motions])
        return np.stack(images)[chosen, rows].reshape(np.shape(x)), targets[chosen, rows]


def _values(fold: OrbitFold, law: StandardLaw, component: int, standard: Array) -> tuple[Array, Array]:
    return fold(*law.values(component, standard))
