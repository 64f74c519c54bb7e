"""Motions of coordinates, which change their places and signs, and of y with them; groups of motions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from .data_law import Invariance, Motion, TargetMotion

Array = Any


@dataclass(frozen=True)
class SignedPermutation:
    """x -> g x with (g x)[k] = signs[k] * x[places[k]], and y -> g y.

    (g y)[k] is ``target`` * y[columns[k]], or ``target`` * y[k] where there are no ``columns``.
    """

    places: tuple[int, ...]
    signs: tuple[int, ...]
    target: int = 1
    columns: tuple[int, ...] = ()

    @classmethod
    def identity(cls, dimension: int) -> SignedPermutation:
        """What moves nothing."""
        return cls(tuple(range(dimension)), (1,) * dimension)

    def after(self, first: SignedPermutation) -> SignedPermutation:
        """This motion after another one."""
        return SignedPermutation(
            tuple(first.places[place] for place in self.places),
            tuple(s * first.signs[place] for s, place in zip(self.signs, self.places, strict=True)),
            self.target * first.target,
            _composed(self.columns, first.columns),
        )

    def of_target(self, y: Array) -> Array:
        """The motion of y [..., column]."""
        return self.target * (np.asarray(y)[..., list(self.columns)] if self.columns else np.asarray(y))

    def __call__(self, x: Array) -> Array:
        """The motion of vectors x [..., coordinate]."""
        return np.asarray(x)[..., list(self.places)] * np.asarray(self.signs, dtype=np.asarray(x).dtype)

    @property
    def flips(self) -> bool:
        """Whether a coordinate changes its sign."""
        return -1 in self.signs

    @property
    def moves(self) -> bool:
        """Whether a coordinate changes its place."""
        return self.places != tuple(range(len(self.places)))


def _composed(columns: tuple[int, ...], first: tuple[int, ...]) -> tuple[int, ...]:
    """Columns after others have moved; empty where all are in their places."""
    if not columns or not first:
        return columns or first
    found = tuple(first[place] for place in columns)
    return () if found == tuple(range(len(found))) else found


def motions_of(invariance: Invariance, dimension: int) -> tuple[SignedPermutation, ...]:
    """Motions of signs and places that an invariance of a law of data has, from which all of them follow.

    None where y is x, or where directions stay that are no coordinates.
    """
    if invariance.targets is TargetMotion.CARRIED or invariance.about:
        return ()
    target = -1 if invariance.targets is TargetMotion.NEGATED else 1
    own, motion = invariance.coordinates, invariance.motion
    flipped: list[tuple[int, ...]] = []
    exchanged: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    if motion is Motion.REFLECTION:
        flipped.append(own)
    if motion in (Motion.SIGNS, Motion.ROTATION):
        flipped.extend((k,) for k in own)
    if motion is Motion.ROTATION:
        exchanged.extend(((one,), (other,)) for one, other in pairwise(own))
    if motion is Motion.EXCHANGE:
        half = len(own) // 2
        exchanged.append((own[:half], own[half:]))
    found = (
        *(_flip(dimension, each, target) for each in flipped),
        *(_exchange(dimension, *each, target) for each in exchanged),
    )
    return tuple(replace(each, columns=invariance.columns) for each in found)


def _flip(dimension: int, coordinates: tuple[int, ...], target: int) -> SignedPermutation:
    signs = tuple(-1 if k in coordinates else 1 for k in range(dimension))
    return SignedPermutation(tuple(range(dimension)), signs, target)


def _exchange(
    dimension: int, ones: tuple[int, ...], others: tuple[int, ...], target: int
) -> SignedPermutation:
    places = list(range(dimension))
    for one, other in zip(ones, others, strict=True):
        places[one], places[other] = other, one
    return SignedPermutation(tuple(places), (1,) * dimension, target)


def generated(
    motions: Iterable[SignedPermutation], dimension: int, most: int
) -> tuple[SignedPermutation, ...]:
    """The group of motions that follow from some, the identity first.

    Those that would make it exceed ``most`` elements are left out.
    """
    group: tuple[SignedPermutation, ...] = (SignedPermutation.identity(dimension),)
    used: list[SignedPermutation] = []
    for motion in motions:
        if motion in group:
            continue
        larger = _closed([*used, motion], group[0], most)
        if larger is not None:
            group = larger
            used.append(motion)
    return group


def _closed(
    motions: list[SignedPermutation], identity: SignedPermutation, most: int
) -> tuple[SignedPermutation, ...] | None:
    """All products of motions; None where there are more than ``most``."""
    found = {identity: None}
    fresh = [identity]
    while fresh:
        fresh = list(dict.fromkeys(m.after(g) for g in fresh for m in motions if m.after(g) not in found))
        found |= dict.fromkeys(fresh)
        if len(found) > most:
            return None
    return tuple(found)
