"""A law of data as a transform of independent standard variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
