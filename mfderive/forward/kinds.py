"""The kinds of connections that mfderive has: dense, skip, recurrent, convolutions, pooling, attention.

A new kind is one more row here (or a call of :func:`~mfderive.forward.kind.register_kind` elsewhere).
"""

from __future__ import annotations

import copyreg
from typing import Any

from ..errors import MfError
from .attention import ATTENTION
from .builder import GROUPS, STEPS, Shape
from .channel_groups import all_neurons, kept_groups
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
from .pooling import POOLING_KINDS
from .windows import CONVOLUTION_KINDS

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

    From x and from a finite layer: sums, undivided; so are those over the groups of a source that has some.
    A layer that has positions gets the same at each.
    """
    source = site.source
    read = all_neurons(site)
    positions = site.fresh(source.positions, read.reduced)
    counts = dict(read.counts)
    if source.positions:
        counts["positions"] = site.size(*source.positions)
    return Reading(
        source=(site.target[0], *read.slots, *positions),
        source_neuron=read.neuron,
        weight_axes=(*read.weight_axes, *source.positions),
        weight_slots=(*read.weight_slots, *positions),
        reduced=(*read.reduced, *positions),
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
    read = 2 + len(site.own.groups) + len(source)
    return Reading(source=site.target[:read], source_neuron=site.target[1])


def _kept(site: Site) -> Positions:
    return site.source.positions


_SUMS = ("inputs", "positions", GROUPS)
_ROWS = (
    ConnectionKind("dense", dense, into_output=True, averages=_SUMS),
    ConnectionKind(
        "skip",
        skip,
        operation="u",
        has_weight=False,
        shares_neurons=True,
        positions=_kept,
        groups=kept_groups,
    ),
    ConnectionKind("recurrent", dense, delay=1, averages=_SUMS),
    *CONVOLUTION_KINDS,
    *POOLING_KINDS,
    ATTENTION,
)
for _row in _ROWS:
    register_kind(_row)


def _kind_of(name: str) -> ConnectionKind:
    if name not in KINDS:
        raise MfError(f"the kind '{name}' is not registered here: call register_kind before it is read")
    return KINDS[name]


def _sent(kind: ConnectionKind) -> Any:
    """What pickle keeps of a kind: the name of a registered one, else its parts."""
    return (_kind_of, (kind.name,)) if KINDS.get(kind.name) is kind else kind.__reduce_ex__(2)


copyreg.pickle(ConnectionKind, _sent)
