"""The law of data that every rotation leaves as it is, by the length of x instead of all of its numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..algebra.law_kinds import LawKind
from ..algebra.round_laws import radius_of_normal
from .standard_law import StandardLaw

Array = Any


def radial_law(dimension: int, law: StandardLaw) -> StandardLaw:
    """The law of samples whose x has the length that it has under ``law``, and one direction.

    For laws in which the first ``dimension`` standard numbers are turned as x is, whatever the others are
    (those of :mod:`mfderive.samples.invariances`): values at a vector of numbers on the first axis are values
    of x on that axis. Samples of this law and of ``law`` look alike to whoever counts by the length of x.
    """
    if LawKind.SPHERE in law.kinds[:dimension]:
        return StandardLaw(law.kinds[dimension:], law.odds, partial(_values, dimension, False, law))
    return StandardLaw(
        (LawKind.NORMAL, *law.kinds[dimension:]), law.odds, partial(_values, dimension, True, law)
    )


def _values(
    dimension: int, is_normal: bool, law: StandardLaw, component: int, standard: Array
) -> tuple[Array, Array]:
    whole = np.zeros((len(standard), dimension + standard.shape[1] - is_normal))
    whole[:, 0] = radius_of_normal(standard[:, 0], dimension) if is_normal else 1.0
    whole[:, dimension:] = standard[:, int(is_normal) :]
    return law.values(component, whole)
