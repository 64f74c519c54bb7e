"""The law of the data as a system states it: its kind, its dimension, and what it is invariant under.

A reduction that uses a symmetry asks here; the law itself, and drawing from it, belong to ``samples``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .showing import Shown


class Motion(StrEnum):
    """What is done to some coordinates of x."""

    ROTATION = "rotation"  # any orthogonal map of these coordinates
    SIGNS = "signs"  # any of these coordinates change their sign, each by itself
    REFLECTION = "reflection"  # all of these coordinates change their sign together
    EXCHANGE = "exchange"  # the first half of these coordinates changes places with the second half, in order


class TargetMotion(StrEnum):
    """What happens to y when x is moved."""

    KEPT = "kept"  # y stays
    NEGATED = "negated"  # y changes its sign
    CARRIED = "carried"  # y is x, and moves with it


@dataclass(frozen=True, repr=False)
class Invariance(Shown):
    """One symmetry of the joint law of (x, y): it stays when both move together.

    ``coordinates`` are those of x that move, counted from 0 in row-major order; the others stay. ``about``:
    directions that a rotation leaves where they are, orthogonal unit vectors of as many numbers as there are
    ``coordinates``: then it is any orthogonal map of these coordinates that does so. ``columns``: the entries
    of y whose places the moved y has, [column], where classes or targets change places with x (empty: none).
    """

    motion: Motion
    coordinates: tuple[int, ...]
    targets: TargetMotion = TargetMotion.KEPT
    about: tuple[tuple[float, ...], ...] = ()
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class DataLaw(Shown):
    """The law of (x, y).

    ``kind`` is that of ``[data]`` ("given" for arrays from a caller); ``dimension`` the number of entries of
    x; ``rows`` the size of a fixed sample, whose empirical law it is then (None: fresh samples);
    ``invariances`` what is known of its symmetries (none of a fixed sample). What is not listed is not known.
    """

    kind: str
    dimension: int
    rows: int | None = None
    invariances: tuple[Invariance, ...] = ()
