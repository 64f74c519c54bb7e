"""The law of data that rotations leave as it is, by the length of what they turn instead of its numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..algebra.law_kinds import LawKind
from ..algebra.round_laws import radius_of_normal
from .standard_law import StandardLaw

Array = Any


def radial_law(kept: int, dimension: int, law: StandardLaw) -> StandardLaw:
    """The law of samples with as few numbers as it takes where rotations of some coordinates change nothing.

    Rotations turn ``dimension`` coordinates behind the first ``kept``, and in ``law`` as many standard
    numbers behind as many, whatever the others are (:mod:`mfderive.samples.invariances`): what they turn has
    the length that it has under ``law``, and one direction. Samples of this law and of ``law`` look alike to
    whoever counts by the first coordinates and by that length.
    """
    on_sphere = LawKind.SPHERE in law.kinds[:dimension]
    # A vector on a sphere is a normal one of another length: its first numbers and its rest are no less.
    numbers = 0 if on_sphere and not kept else kept + 1
    kinds = (LawKind.NORMAL,) * numbers + tuple(law.kinds[kept + dimension :])
    return StandardLaw(kinds, law.odds, partial(_values, kept, dimension, numbers, law))


def _values(
    kept: int, dimension: int, numbers: int, law: StandardLaw, component: int, standard: Array
) -> tuple[Array, Array]:
    others = standard[:, numbers:]
    whole = np.zeros((len(standard), kept + dimension + others.shape[1]))
    whole[:, :kept] = standard[:, :kept]
    whole[:, kept] = radius_of_normal(standard[:, kept], dimension) if numbers else 1.0
    whole[:, kept + dimension :] = others
    return law.values(component, whole)
