"""The kinds of connections that mfderive has: dense, skip, recurrent, convolutions and pooling.

A new kind is one more row here (or a call of :func:`~mfderive.forward.kind.register_kind` elsewhere).
"""

from __future__ import annotations

from .builder import STEPS, Shape
from .kind import (
    COMMON,
    DEFAULT_KIND,
    KINDS,
    ConnectionKind,
    Positions,
    Reading,
    Site,
    connection_keys,
    own_keys,
    register_kind,
)
from .windows import WINDOW_KINDS

__all__ = [
    "COMMON",
    "DEFAULT_KIND",
    "KINDS",
    "STEPS",
    "ConnectionKind",
    "Positions",
    "Reading",
    "Shape",
    "Site",
    "connection_keys",
    "own_keys",
    "register_kind",
]


def dense(site: Site) -> Reading:
    """``h(c') += Mean_c Sum_p w(c', c, p) u(c, p)``: all neurons of the source at all its positions.

    From x and from a finite layer: sums, undivided. A layer that has positions gets the same at each.
    """
    source = site.source
    neuron, *positions = site.fresh((source.neurons, *source.positions))
    counts = {}
    if site.is_finite(source.neurons):
        counts["inputs"] = site.size(source.neurons)
    if source.positions:
        counts["positions"] = site.size(*source.positions)
    return Reading(
        source=(site.target[0], neuron, *positions),
        source_neuron=neuron,
        weight_axes=(site.own.neurons, source.neurons, *source.positions),
        weight_slots=(site.target[1], neuron, *positions),
        reduced=(neuron, *positions),
        counts=counts,
    )


def skip(site: Site) -> Reading:
    """``h(c, p) += u(c, p)``: every neuron reads itself, without an average."""
    own, source = site.own.positions, site.source.positions
    if source and [site.size(axis) for axis in own] != [site.size(axis) for axis in source]:
        raise site.error(
            f"a {site.connection.kind} keeps the positions, but '{site.connection.source}' has "
            f"{[site.size(axis) for axis in source]} and '{site.layer}' {[site.size(axis) for axis in own]}",
            remedy="Choose kernel, stride and padding so that they agree",
        )
    return Reading(source=site.target[: 2 + len(source)], source_neuron=site.target[1])


def _kept(site: Site) -> Positions:
    return site.source.positions


_ROWS = (
    ConnectionKind("dense", dense, into_output=True, averages=("inputs", "positions")),
    ConnectionKind("skip", skip, operation="u", has_weight=False, shares_neurons=True, positions=_kept),
    ConnectionKind("recurrent", dense, delay=1, averages=("inputs", "positions")),
    *WINDOW_KINDS,
)
for _row in _ROWS:
    register_kind(_row)
