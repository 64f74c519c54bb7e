"""The table of connection kinds: what each may say and how it reads its source.

A kind is stated here once. The reader takes from it which keys are allowed, the forward equations how the
source's neurons and positions are indexed; everything else of the program follows from the equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .tables import WEIGHT
from .values import COUNT, EXPRESSION, NAME, TEXT, WHOLE, Key, Table, either, list_of, one_of, table


class NeuronIndex(StrEnum):
    """How a connection reads the neurons of its source."""

    FRESH = "fresh"  # an index of its own: Mean over a population, Sum over a finite axis
    SAME = "same"  # the target's own index: no average


class PositionIndex(StrEnum):
    """How a connection reads the positions of its source (those of x, or of a layer that has some)."""

    REDUCED = "reduced"  # an index of its own for each, summed; the weight has one slot for each
    SAME = "same"  # the target has the source's positions
    WINDOW = "window"  # stride * position + tap - padding; the weight has one slot for each tap axis


@dataclass(frozen=True)
class ConnectionKind:
    """One kind of connection.

    ``operation`` is the default of that key, ``keys`` are the keys beyond the common ones. ``has_weight``:
    whether it may have one; ``into_output``: whether the output may be fed this way.
    """

    name: str
    operation: str
    neurons: NeuronIndex
    positions: PositionIndex
    has_weight: bool
    keys: Table
    into_output: bool = False


COMMON: Table = table(
    Key("from", TEXT, "the source: a layer's name, or x", required=True),
    Key("kind", TEXT, "dense (default), skip or convolution"),
    Key("operation", EXPRESSION, "sigma*, in w, u (source's output), h (source's pre-activation)"),
    Key("weight", WEIGHT, "law of the weight, or a table with law, rate, name, transpose"),
    Key("into", NAME, "the pre-activation it adds to; default h"),
)


def _average(*names: str) -> Key:
    choice = one_of(*names)
    return Key(
        "average",
        list_of(choice, f"a list of {choice.words}"),
        "finite axes whose sum is divided by their size (sums over populations always are)",
    )


_COUNTS = list_of(COUNT, "a list of whole numbers of at least 1, one a position axis")
_MARGIN = either(WHOLE, list_of(WHOLE, "[before, after]", 2, 2))

_ROWS = (
    ConnectionKind(
        "dense",
        operation="w * u",
        neurons=NeuronIndex.FRESH,
        positions=PositionIndex.REDUCED,
        has_weight=True,
        keys=table(_average("inputs", "positions")),
        into_output=True,
    ),
    ConnectionKind(
        "skip",
        operation="u",
        neurons=NeuronIndex.SAME,
        positions=PositionIndex.SAME,
        has_weight=False,
        keys={},
    ),
    ConnectionKind(
        "convolution",
        operation="w * u",
        neurons=NeuronIndex.FRESH,
        positions=PositionIndex.WINDOW,
        has_weight=True,
        keys=table(
            Key("kernel", _COUNTS, "number of taps, one number a position axis", required=True),
            Key("stride", _COUNTS, "default 1"),
            Key(
                "padding",
                either(one_of("valid", "same"), list_of(_MARGIN, "a list of numbers or [before, after]")),
                "zeros around the source, one entry a position axis: a number for both sides, or "
                "[before, after]; default 'valid': none",
            ),
            _average("taps", "inputs"),
        ),
    ),
)

KINDS: dict[str, ConnectionKind] = {row.name: row for row in _ROWS}
DEFAULT_KIND = "dense"
# Kinds of the format that this version does not read yet, with what they would mean.
KINDS_LATER = {
    "recurrent": "recurrence",
    "max-pool": "pooling",
    "average-pool": "pooling",
}


def connection_keys(kind: ConnectionKind) -> dict[str, Key]:
    """Every key that a connection of a kind may have."""
    common = {name: key for name, key in COMMON.items() if name != "weight" or kind.has_weight}
    return {**common, **kind.keys}
