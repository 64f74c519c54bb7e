"""Batch normalisation in evaluation, as pointwise operations whose running numbers are frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.functions import call


@dataclass(frozen=True)
class Affine:
    """One of three pointwise steps: what it does, which numbers it takes, what these are called."""

    apply: Callable[..., sp.Expr]
    takes: tuple[str, ...]
    word: str

    def options(self) -> dict[str, Any]:
        """The options of an operation of kind "function": numbers belong to axis 1, the channels."""
        return {"apply": self.apply, "word": self.word, "axis": 1}


def affine_steps(has_gain: bool, has_shift: bool) -> Iterator[Affine]:
    """(x - mean) / sqrt(variance), where "variance" has epsilon in it already, then gain and shift."""
    yield Affine(
        lambda x, mean, variance: (x - mean) / call("sqrt", variance), ("mean", "variance"), "running"
    )
    if has_gain:
        yield Affine(lambda x, gain: x * gain, ("gain",), "gain")
    if has_shift:
        yield Affine(lambda x, shift: x + shift, ("shift",), "shift")
