"""Motions of coordinates, which change their places and signs, and of y with them; groups of motions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from .data_law import Invariance, Motion, TargetMotion

Array = Any
Coordinates = tuple[int, ...]


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

    def of_blocks(self, size: int) -> SignedPermutation:
        """The motion of as many blocks of ``size`` coordinates, which do what single ones do here."""
        places = (place * size + k for place in self.places for k in range(size))
        signs = (sign for sign in self.signs for _ in range(size))
        return replace(self, places=tuple(places), signs=tuple(signs))

    def by_blocks(self, size: int) -> SignedPermutation | None:
        """What this motion does to blocks of ``size`` coordinates; None where it does not keep them whole."""
        if size == 1:
            return self
        places = tuple(place // size for place in self.places[::size])
        found = replace(self, places=places, signs=self.signs[::size])
        return found if found.of_blocks(size) == self else None

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


def has_motions(invariance: Invariance) -> bool:
    """Whether an invariance has motions of signs and places of y and coordinates.

    Not where y is x, or where directions stay that are no coordinates.
    """
    return invariance.targets is not TargetMotion.CARRIED and not invariance.about


def motions_of(invariance: Invariance, dimension: int, size: int = 1) -> tuple[SignedPermutation, ...]:
    """Motions of signs and places that an invariance of a law of data has, from which all of them follow.

    ``size``: of blocks of so many of the ``dimension`` coordinates each, in order, that move as a whole; what
    the invariance does to parts of a block is left out.
    """
    if not has_motions(invariance):
        return ()
    target = -1 if invariance.targets is TargetMotion.NEGATED else 1
    own, motion, columns = invariance.coordinates, invariance.motion, invariance.columns
    if motion in (Motion.SIGNS, Motion.ROTATION) and size % 2 == 0:
        target, columns = 1, ()  # what single coordinates do to y, an even number of them undoes
    flipped: list[Coordinates] = []
    exchanged: list[tuple[Coordinates, Coordinates]] = []
    if motion is Motion.REFLECTION:
        flipped.append(own)
    if motion in (Motion.SIGNS, Motion.ROTATION):
        whole = _whole_blocks(own, size)
        flipped.extend(whole)
        exchanged.extend(pairwise(whole) if motion is Motion.ROTATION else ())
    if motion is Motion.EXCHANGE:
        half = len(own) // 2
        exchanged.append((own[:half], own[half:]))
    found = (
        *(_flip(dimension, each, target) for each in flipped),
        *(_exchange(dimension, *each, target) for each in exchanged),
    )
    moved = (replace(each, columns=columns).by_blocks(size) for each in found)
    return tuple(each for each in moved if each is not None)


def _whole_blocks(coordinates: Coordinates, size: int) -> list[Coordinates]:
    """The blocks of ``size`` coordinates each that are among some as a whole."""
    known = set(coordinates)
    starts = (k for k in coordinates if k % size == 0)
    blocks = (tuple(range(start, start + size)) for start in starts)
    return [block for block in blocks if known.issuperset(block)]


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
