"""Kinds that pool a window of positions into one: by its largest value, or by the average."""

from __future__ import annotations

import sympy as sp

from ..algebra.functions import only_inside
from ..algebra.terms import Access, Index, Slot
from ..network.values import Key, either, one_of, table
from .channel_groups import kept_groups
from .kind import ConnectionKind, Positions, Reading, Site
from .windows import ALL, COUNTS, PADDING, Window, checked_axes, prepared_window, window_over


def _pool(site: Site) -> Window | None:
    """The window of a pooling layer, None for all positions."""
    window = site.options["window"]
    everywhere = window == ALL
    sizes = checked_axes(site, (1,) * len(site.source.positions) if everywhere else window, "window")
    if everywhere:
        return None
    found = window_over(site, "window", sizes)
    for taps, step, before, places, size in zip(
        found.taps, found.stride, found.before, found.places, sizes, strict=True
    ):
        if before >= taps or (places - 1) * step - before >= size:
            raise site.error(
                f"with this padding a window of {taps} lies outside the {size} positions of "
                f"'{site.connection.source}'",
                key="padding",
                remedy="Use less padding than the window is large",
            )
    return found


def _pool_positions(site: Site) -> Positions:
    window = _pool(site)
    return () if window is None else window.places


def _windows(site: Site, window: Window | None) -> tuple[tuple[Index, ...], tuple[Slot, ...]]:
    """The indices that run through a window, and the source's positions that they name."""
    if window is None:
        positions = site.fresh(site.source.positions)
        return positions, positions
    taps = site.fresh(site.finite("taps", window.taps))
    return taps, window.slots(site.places, taps)


def _inside(site: Site, slots: tuple[Slot, ...]) -> Access:
    """1 where slots name a real position, 0 in the padding."""
    positions = site.fresh(site.source.positions)
    real = site.field("inside", positions, (), sp.Integer(1), {}, frozen=True)
    return Access(real.field, slots)


def max_pool(site: Site) -> Reading:
    """``h(c, p) += u(c, first maximum of u among the real positions of the window of p)``.

    The first in row-major order where several are equal; the choice is frozen: the derivative goes to the
    chosen position. With ``window = "all"`` there is one window, and no positions are left.
    """
    window = _pool(site)
    taps, slots = _windows(site, window)
    data, neuron = site.target[:2]
    at = (data, neuron, *site.group, *slots)
    u = sp.Symbol("u")
    known = {"u": site.output(at)}
    value = u
    if window is not None and window.leaves:
        inside = sp.Symbol("inside")
        known["inside"] = _inside(site, slots)
        value = only_inside(u, inside)
    target = (*site.target, *taps)
    chosen = site.field("select", target, (), value, known, frozen=True, selector=len(taps))
    return Reading(
        source=at,
        source_neuron=neuron,
        reduced=taps,
        factor=sp.Symbol("select"),
        values={"select": chosen},
    )


def average_pool(site: Site) -> Reading:
    """``h(c, p) += average of u(c, .) over the real positions in the window of p``; padding never counts."""
    window = _pool(site)
    taps, slots = _windows(site, window)
    data, neuron = site.target[:2]
    count = site.size(*(index.axis for index in taps))
    factor: sp.Expr = sp.Rational(1, count)
    values: dict[str, Access] = {}
    if window is not None and window.leaves:
        inside = {"inside": _inside(site, slots)}
        values["count"] = site.field("count", site.places, taps, sp.Symbol("inside"), inside, frozen=True)
        factor = 1 / sp.Symbol("count")
    return Reading(
        source=(data, neuron, *site.group, *slots),
        source_neuron=neuron,
        reduced=taps,
        factor=factor,
        values=values,
    )


_POOLING = table(
    Key(
        "window",
        either(one_of(ALL), COUNTS),
        "positions that are pooled into one, one number per position axis; 'all': all of them, so that the "
        "layer has no positions",
        required=True,
    ),
    Key("stride", COUNTS, "distance of two windows, one number for each position axis; default the window"),
    PADDING,
)

POOLING_KINDS = (
    ConnectionKind(
        "max-pool",
        max_pool,
        operation="u",
        has_weight=False,
        keys=_POOLING,
        shares_neurons=True,
        groups=kept_groups,
        positions=_pool_positions,
        prepare=prepared_window("window"),
    ),
    ConnectionKind(
        "average-pool",
        average_pool,
        operation="u",
        has_weight=False,
        keys=_POOLING,
        shares_neurons=True,
        groups=kept_groups,
        positions=_pool_positions,
        prepare=prepared_window("window"),
    ),
)
