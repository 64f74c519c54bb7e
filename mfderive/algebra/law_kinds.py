"""The closed table of laws of initial values: each is one row.

A row says how a law is written, what its entries are on average, how they are drawn, and how they follow
from standard variables (for quadrature and quasi-Monte Carlo). Everything else of the program reads the
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import sympy as sp

from .law_draws import (
    draw_constant,
    draw_cosine,
    draw_normal,
    draw_rademacher,
    draw_radius,
    draw_sphere,
    draw_uniform,
)
from .round_laws import cosine_of_normal, radius_of_normal

Array = Any
Arguments = tuple[sp.Expr, ...]


class LawKind(StrEnum):
    """The names of the shipped laws that the program itself makes use of."""

    NORMAL = "normal"
    UNIFORM = "uniform"
    RADEMACHER = "rademacher"
    SPHERE = "sphere"
    CONSTANT = "constant"
    RADIUS = "radius"
    COSINE = "cosine"


class Standard(StrEnum):
    """The standard variable of one number of a law."""

    NORMAL = "standard normal"
    UNIFORM = "uniform on (0, 1)"
    HALVES = "standard normal, its two signs apart"  # functions of it may bend at 0: each half has nodes
    PAIR = "two values"  # uniform on (0, 1), cut at 1/2: two nodes sum it exactly


@dataclass(frozen=True)
class LawRow:
    """One law of a parameter's entries.

    ``arguments`` are their names in the order in which they are written; ``not_negative`` those that must
    not be (``sign_is_idle``: a negative one gives the same law, and is refused only where it is written as
    a number); ``ordered``: the first must not exceed the second. ``mean``, ``is_deterministic`` and
    ``is_symmetric`` are functions of the arguments (expressions). ``draw`` draws entries (see
    :mod:`mfderive.algebra.law_draws`). ``standard`` (None: nothing is random) is the standard variable of
    each number and ``transform(arguments, standard values [node, ...])`` the law's values at given ones.
    ``is_vector``: the entries of one neuron belong together. ``is_written``: by its name in a spec.
    ``is_full``: its support is the whole line wherever it is random; ``is_bounded``: it is bounded, given its
    arguments.
    """

    name: str
    arguments: tuple[str, ...]
    mean: Callable[[Arguments], sp.Expr]
    is_deterministic: Callable[[Arguments], bool]
    is_symmetric: Callable[[Arguments], bool]
    draw: Callable[..., Array]
    standard: Standard | None = None
    transform: Callable[[tuple[Array, ...], Array], Array] | None = None
    not_negative: tuple[str, ...] = ()
    sign_is_idle: bool = False
    ordered: bool = False
    is_vector: bool = False
    is_written: bool = True
    is_full: bool = False
    is_bounded: bool = False

    @property
    def has_gauss_nodes(self) -> bool:
        """Whether a tensor of one-dimensional rules integrates it."""
        return self.standard is not None and not self.is_vector


def _on_sphere(arguments: tuple[Array, ...], standard: Array) -> Array:
    norm = np.sqrt((standard**2).sum(axis=tuple(range(1, standard.ndim)), keepdims=True))
    return arguments[0] * standard / norm


_ROWS = (
    LawRow(
        LawKind.NORMAL,
        ("mean", "deviation"),
        mean=lambda a: a[0],
        is_deterministic=lambda a: bool(a[1] == 0),
        is_symmetric=lambda a: bool(a[0] == 0),
        draw=draw_normal,
        standard=Standard.NORMAL,
        transform=lambda a, z: a[0] + a[1] * z,
        not_negative=("deviation",),
        is_full=True,
    ),
    LawRow(
        LawKind.UNIFORM,
        ("low", "high"),
        mean=lambda a: (a[0] + a[1]) / 2,
        is_deterministic=lambda a: bool(a[0] == a[1]),
        is_symmetric=lambda a: bool(a[0] + a[1] == 0),
        draw=draw_uniform,
        standard=Standard.UNIFORM,
        transform=lambda a, z: a[0] + (a[1] - a[0]) * z,
        ordered=True,
        is_bounded=True,
    ),
    LawRow(
        LawKind.RADEMACHER,
        ("scale",),
        mean=lambda a: sp.Integer(0),
        is_deterministic=lambda a: bool(a[0] == 0),
        is_symmetric=lambda a: True,
        draw=draw_rademacher,
        standard=Standard.PAIR,
        transform=lambda a, z: a[0] * np.where(z < 0.5, 1.0, -1.0),
        not_negative=("scale",),
        sign_is_idle=True,
        is_bounded=True,
    ),
    LawRow(
        LawKind.SPHERE,
        ("radius",),
        mean=lambda a: sp.Integer(0),
        is_deterministic=lambda a: bool(a[0] == 0),
        is_symmetric=lambda a: True,
        draw=draw_sphere,
        standard=Standard.NORMAL,
        transform=_on_sphere,
        not_negative=("radius",),
        sign_is_idle=True,
        is_vector=True,
        is_bounded=True,
    ),
    LawRow(
        LawKind.CONSTANT,
        ("value",),
        mean=lambda a: a[0],
        is_deterministic=lambda a: True,
        is_symmetric=lambda a: bool(a[0] == 0),
        draw=draw_constant,
        is_written=False,  # an expression is a constant given its two ends
        is_bounded=True,
    ),
    LawRow(
        LawKind.RADIUS,
        ("deviation", "dimension"),
        mean=lambda a: a[0] * sp.sqrt(2) * sp.gamma((a[1] + 1) / 2) / sp.gamma(a[1] / 2),
        is_deterministic=lambda a: bool(a[0] == 0),
        is_symmetric=lambda a: bool(a[0] == 0),
        draw=draw_radius,
        standard=Standard.NORMAL,
        transform=lambda a, z: a[0] * radius_of_normal(z, a[1]),
        not_negative=("deviation",),
        is_written=False,  # what a reduction leaves of a normal vector
    ),
    LawRow(
        LawKind.COSINE,
        ("dimension",),
        mean=lambda a: sp.Integer(0),
        is_deterministic=lambda a: False,
        is_symmetric=lambda a: True,
        draw=draw_cosine,
        standard=Standard.HALVES,
        transform=lambda a, z: cosine_of_normal(z, a[0]),
        is_written=False,  # what a reduction leaves of the angle between two directions
        is_bounded=True,
    ),
)
LAWS: dict[str, LawRow] = {str(row.name): row for row in _ROWS}


def smooth_numbers(kinds: Iterable[str]) -> list[int]:
    """Which numbers of laws of some kinds take more than two values."""
    return [k for k, kind in enumerate(kinds) if LAWS[kind].standard is not Standard.PAIR]
