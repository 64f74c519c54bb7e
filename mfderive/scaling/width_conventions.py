"""The three conventions in which widths are put on parameters, each as one choice: how large entries start.

Stated for parameters whose sums are divided by the width. What differs is the deviation of centred entries;
sizes of derivatives, learning rates and all else follow from it (:mod:`mfderive.scaling.factors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .parameter_readings import ParameterReading
from .width_product import HALF, ONE, WidthProduct


class Convention(StrEnum):
    """Mean field: order 1. muP: as large as forward and backward sums stay of order 1. NTK: forward sums."""

    MEAN_FIELD = "mean field"
    MUP = "muP"
    NTK = "standard/NTK"


def deviation(convention: Convention, readings: Sequence[ParameterReading]) -> WidthProduct:
    """How large the entries of a parameter start in a convention, its factors standing in the forward pass.

    A sum of n centred independent entries is sqrt(n), not n, times one of them: divided by n it stays of
    order 1 for entries up to sqrt(n). The least bound of all sums counts; a parameter that owns no
    sum starts at order 1.
    """
    if convention is Convention.MEAN_FIELD or not readings:
        return ONE
    bounds = [ONE] if not all(reading.own for reading in readings) else []
    for reading in readings:
        sums = [reading.cancelling, *(reading.backward if convention is Convention.MUP else ())]
        bounds += [WidthProduct.of(populations, HALF) for populations in sums]
    return min(bounds, key=lambda bound: bound.degree, default=ONE)


def agreed(convention: Convention, readings: Sequence[ParameterReading]) -> bool:
    """Whether all readings of a parameter ask for the same factor in a convention.

    In NTK a sum of n entries has 1/sqrt(n) in front, so that a weight that is read by sums of different
    lengths (an embedding, and its transpose at the output) has no single size.
    """
    if convention is not Convention.NTK or not all(reading.own for reading in readings):
        return True
    return len({len(reading.cancelling) for reading in readings}) < 2


def movable(readings: Sequence[ParameterReading]) -> WidthProduct:
    """The factor that may stand in the parameter itself instead of its sums: the largest of those it has.

    1 where the parameter is no factor of a term that reads it.
    """
    if not readings or not all(reading.own for reading in readings):
        return ONE
    return max((reading.factor for reading in readings), key=lambda factor: factor.degree)


def customary(convention: Convention, readings: Sequence[ParameterReading]) -> WidthProduct:
    """The factor that a convention usually has in the parameter itself.

    None in mean field; all of it in muP (Tensor Programs V, Table 3); in NTK as much as leaves entries of
    order 1 with 1/sqrt(n) in front of their sums.
    """
    if convention is Convention.MEAN_FIELD:
        return ONE
    return movable(readings) if convention is Convention.MUP else deviation(convention, readings) ** (-1)
