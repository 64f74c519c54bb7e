"""Attention in a model: products of two signals over neurons, a softmax over positions, what it reads."""

from __future__ import annotations

from dataclasses import replace

from ..network.names import INPUT
from .layering import ATTENTION
from .signal_values import Axis, LegKind, Reads, Scores, Signal
from .translate import Translator

_HEADS = (
    "Attention is read of [samples, positions, neurons] with keys turned round; heads in one array are "
    "taken apart by no layer here: write each head as layers of its own, whose outputs are added"
)


def _kinds(axis: Axis) -> list[LegKind]:
    return [leg.kind for leg in axis]


def scores_of(translator: Translator, left: Signal, right: Signal) -> Scores:
    """Queries [batch, positions, neurons] times keys [batch, neurons, positions]."""
    batch, positions, neurons = [LegKind.BATCH], [LegKind.POSITION], [LegKind.NEURONS]
    wanted = [[batch, positions, neurons], [batch, neurons, positions]]
    if [[_kinds(axis) for axis in value.axes] for value in (left, right)] != wanted:
        shapes = " and ".join(
            str([[kind.value for kind in _kinds(axis)] for axis in value.axes]) for value in (left, right)
        )
        raise translator.refuse(f"two signals over {shapes} are multiplied as matrices", _HEADS)
    queries, keys = translator.settled(left), translator.settled(right)
    if INPUT in (translator.layers.layer_of(queries), translator.layers.layer_of(keys)):
        raise translator.refuse(
            "the inputs themselves are queries or keys of attention",
            "Put a linear layer in front in the model",
        )
    translator.layers.populations.join(queries.space.neurons, keys.space.neurons)
    return Scores((left.axes[0], left.axes[1], right.axes[2]), queries, keys)


def shared(translator: Translator, scores: Scores, axis: int) -> Scores:
    """The softmax over the positions of the keys."""
    if axis % len(scores.axes) != len(scores.axes) - 1 or scores.shared:
        raise translator.refuse("a softmax of scores over another axis than that of the keys", _HEADS)
    return replace(scores, shared=True)


def attended(translator: Translator, scores: Scores, values: Signal) -> Signal:
    """What the positions of the queries read of the values."""
    wanted = [[LegKind.BATCH], [LegKind.POSITION], [LegKind.NEURONS]]
    if not scores.shared or [_kinds(axis) for axis in values.axes] != wanted:
        raise translator.refuse(
            "scores without a softmax, or values in another layout, are multiplied", _HEADS
        )
    layers = translator.layers
    settled = translator.settled(values)
    source, queries, keys = (layers.layer_of(each) for each in (settled, scores.queries, scores.keys))
    options = (("queries", queries), ("keys", keys), ("scale", scores.scale))
    symbol = layers.symbol(Reads(source or "", ATTENTION, None, options, translator.hint))
    space = replace(settled.space, positions=scores.queries.space.positions)
    return Signal((settled.axes[0], scores.axes[1], settled.axes[2]), symbol, space)
