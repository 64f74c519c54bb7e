"""Arrays that a model uses more than once: their names as tied weights, the populations that they join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from ..network.names import INPUT
from .layering import Layers, Made
from .operations import ImportProblem
from .signal_values import Fixed, Reads

Array = Any


@dataclass(frozen=True)
class Use:
    """One use of an array: by what it is read, and the populations at its ends."""

    reads: Reads
    target: int
    source: int


def is_turned(first: Array, index: Array) -> bool | None:
    """Whether an array is used transposed; False where it is the same, None where it is neither."""
    if np.array_equal(first, index):
        return False
    turned = index.T if index.ndim == 2 else index.swapaxes(0, 1)
    return True if np.array_equal(first, turned) else None


Entries = tuple[str, bytes]


def entries_of(weight: Fixed | None) -> Entries | None:
    """Which entries of which array a weight has, in any order; None for numbers that were computed."""
    if weight is None or weight.parameter is None or weight.index is None:
        return None
    return weight.parameter, np.sort(weight.index, axis=None).tobytes()


def tie_arrays(
    layers: Layers, parts: Iterable[Made], inputs: int, outside: Iterable[int]
) -> dict[Entries, str]:
    """A name for every weight that several connections read; populations that these ties join become one.

    ``outside``: populations that are no neurons (inputs, outputs) and are joined with nothing. Raises
    ImportProblem for arrays that are used in two ways which are neither the same nor transposed.
    """
    uses: dict[Entries, list[Use]] = {}
    for part in parts:
        for drawn in part.connections:
            key = entries_of(drawn.reads.weight)
            if key is not None:
                name = drawn.reads.source
                source = inputs if name == INPUT else layers.made[name].space.neurons
                uses.setdefault(key, []).append(Use(drawn.reads, part.space.neurons, source))
    _check_apart(uses)
    tied = {key: found for key, found in uses.items() if len(found) > 1}
    left_out = {layers.populations.root(number) for number in outside}
    for (name, _), (first, *later) in tied.items():
        for use in later:
            _join(layers, name, first, use, left_out)
    free = (name for number in count(1) if (name := f"W{number}") not in layers.made)
    return dict(zip(tied, free, strict=False))


def _check_apart(uses: Mapping[Entries, list[Use]]) -> None:
    """Weights that are cut from one array must not share some of their entries."""
    seen: dict[str, set[int]] = {}
    for (name, entries), found in uses.items():
        own = set(np.frombuffer(entries, dtype=np.intp).tolist())
        if seen.setdefault(name, set()) & own:
            raise ImportProblem(
                f"parts of the array '{name}' that overlap are used as two weights "
                f"({found[0].reads.origin}). "
                "Tied weights are whole here; give the model two arrays"
            )
        seen[name] |= own


def _join(layers: Layers, name: str, first: Use, use: Use, left_out: set[int]) -> None:
    assert first.reads.weight is not None and use.reads.weight is not None
    turned = is_turned(first.reads.weight.index, use.reads.weight.index)
    if turned is None:
        raise ImportProblem(
            f"the array '{name}' is used in two ways, neither the same nor transposed "
            f"({use.reads.origin}). "
            "Tied weights here join the same neurons; give the model two arrays"
        )
    ends = (use.source, use.target) if turned else (use.target, use.source)
    root = layers.populations.root
    for one, other in zip((first.target, first.source), ends, strict=True):
        if not {root(one), root(other)} & left_out:
            layers.populations.join(one, other)
