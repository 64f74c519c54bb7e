"""Windows that move over positions, and the kinds with a weight for each tap: convolution and its transpose.

Position p of the layer reads positions ``stride * p + tap - padding`` of its source; what lies outside reads
0 and, in pooling, does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..algebra.terms import Affine, Index, Slot
from ..network.place import Place
from ..network.values import COUNT, WHOLE, Key, either, list_of, one_of, table
from .builder import GROUPS
from .channel_groups import GROUPS_KEY, chosen_neurons, layer_groups
from .kind import ConnectionKind, Reading, Site

COUNTS = list_of(COUNT, "a list of whole numbers of at least 1, one for each position axis")
_MARGIN = either(WHOLE, list_of(WHOLE, "[before, after]", 2, 2))
_MARGINS = list_of(_MARGIN, "a list of whole numbers of at least 0 or of [before, after]")
_MEANING = (
    "positions around the source, one entry per position axis: a number for both sides, or [before, after]; "
    "'same': so many that there are ceil(positions / stride) windows, the odd one behind; default 'valid': "
    "none. A convolution reads 0 there, pooling nothing"
)
PADDING = Key("padding", either(one_of("valid", "same"), _MARGINS), _MEANING)
CIRCULAR = "circular"
_CONVOLVED = Key(
    "padding",
    either(one_of("valid", "same", CIRCULAR), _MARGINS),
    f"{_MEANING}; '{CIRCULAR}': as many as 'same', which are those at the other end",
)
ALL = "all"


@dataclass(frozen=True)
class Window:
    """Numbers of a window, one per axis: taps, stride, padding in front, places it stands at, positions."""

    taps: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    places: tuple[int, ...]
    positions: tuple[int, ...]

    @property
    def leaves(self) -> bool:
        """Whether a window anywhere reaches beyond the real positions."""
        return any(self.before) or any(
            (places - 1) * step + taps - before > size
            for taps, step, before, places, size in zip(
                self.taps, self.stride, self.before, self.places, self.positions, strict=True
            )
        )

    def slots(self, places: tuple[Index, ...], taps: tuple[Index, ...]) -> tuple[Slot, ...]:
        """``stride * place + tap - before`` for every axis."""
        return tuple(
            Affine(((step, place), (1, tap)), -before)
            for step, place, tap, before in zip(self.stride, places, taps, self.before, strict=True)
        )


def prepared_window(size_key: str) -> Callable[[Mapping[str, Any], Place], Mapping[str, Any]]:
    """Check that stride and padding have one entry for each axis of the window; fill in defaults."""

    def prepare(values: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        window = values[size_key]
        if window == ALL:
            for key in ("stride", "padding"):
                if key in values:
                    raise place.error(
                        f"'{key}' stands beside {size_key} = \"all\"",
                        key=key,
                        remedy="Remove it: there is one window, over all positions",
                    )
            return values

        def per_axis(key: str) -> tuple[Any, ...]:
            if len(values[key]) != len(window):
                raise place.error(
                    f"'{key}' has {len(values[key])} entries and '{size_key}' has {len(window)}",
                    key=key,
                    remedy="Give one entry for every position axis",
                )
            return tuple(values[key])

        default = (1,) * len(window) if size_key == "kernel" else tuple(window)
        padding = values.get("padding", "valid")
        if not isinstance(padding, str):
            padding = tuple(
                (each, each) if isinstance(each, int) else (each[0], each[1]) for each in per_axis("padding")
            )
        stride = per_axis("stride") if "stride" in values else default
        return {**values, size_key: tuple(window), "stride": stride, "padding": padding}

    return prepare


def checked_axes(site: Site, taps: tuple[int, ...], key: str) -> tuple[int, ...]:
    """The sizes of the source's position axes, one for each number of the window."""
    source = site.connection.source
    positions = tuple(site.size(axis) for axis in site.source.positions)
    if not positions:
        raise site.error(
            f"a {site.connection.kind} needs positions, but '{source}' has none",
            remedy="Give the data a shape [channels, positions], or use a dense connection",
        )
    if len(taps) != len(positions):
        raise site.error(
            f"{key} {list(taps)} must have one number for each of the {len(positions)} position axes of "
            f"'{source}'",
            key=key,
        )
    return positions


def _margins(padding: Any, axis: int, size: int, taps: int, stride: int) -> tuple[int, int]:
    """Padding before and after, in numbers; "same" pads as jax.lax does."""
    if padding in ("same", CIRCULAR):
        total = max((-(-size // stride) - 1) * stride + taps - size, 0)
        return total // 2, total - total // 2
    if padding == "valid":
        return 0, 0
    before, after = padding[axis]
    return int(before), int(after)


def window_over(site: Site, key: str, positions: tuple[int, ...]) -> Window:
    """The window of a connection over so many positions an axis."""
    taps, stride = site.options[key], site.options["stride"]
    before, places = [], []
    for axis, size in enumerate(positions):
        pad = _margins(site.options["padding"], axis, size, taps[axis], stride[axis])
        padded = size + sum(pad)
        if taps[axis] > padded:
            raise site.error(
                f"the {key} ({taps[axis]}) is larger than what it reads ({size} positions of "
                f"'{site.connection.source}', {padded} with padding)",
                key=key,
                remedy=f"Use a smaller {key}, a smaller stride in the layers before, or more padding",
            )
        before.append(pad[0])
        places.append((padded - taps[axis]) // stride[axis] + 1)
    return Window(taps, stride, tuple(before), tuple(places), positions)


# --- convolution ------------------------------------------------------------------------------------------


def _kernel(site: Site) -> Window:
    return window_over(site, "kernel", checked_axes(site, site.options["kernel"], "kernel"))


def convolution(site: Site) -> Reading:
    """``h(c', p) += Mean_c Sum_tap w(c', c, tap) u(c, stride p + tap - padding)``; outside u is 0.

    Sums over populations are divided by their width, sums over taps, over the channels of x and over groups
    are not, unless ``average`` names them. With ``groups`` the layer's group k reads the source's alone:
    ``h(c', k, p) += Mean_c Sum_tap w(c', c, k, tap) u(c, k, stride p + tap - padding)``.
    """
    window = _kernel(site)
    read = chosen_neurons(site)
    axes = site.finite("taps", window.taps)
    taps = site.fresh(axes, read.reduced)
    slots, turns = window.slots(site.places, taps), tuple[Index, ...]()
    if site.options["padding"] == CIRCULAR:
        slots, turns = _turning(site, window, slots, (*read.reduced, *taps))
    return Reading(
        source=(site.target[0], *read.slots, *slots),
        source_neuron=read.neuron,
        weight_axes=(*read.weight_axes, *axes),
        weight_slots=(*read.weight_slots, *taps),
        reduced=(*read.reduced, *taps, *turns),
        counts={"taps": math.prod(window.taps), **read.counts},
    )


def _turning(
    site: Site, window: Window, slots: tuple[Slot, ...], used: tuple[Index, ...]
) -> tuple[tuple[Slot, ...], tuple[Index, ...]]:
    """Slots of positions on a circle: each plus a number of whole turns, of which one alone is inside."""
    around = [-(-taps // size) for taps, size in zip(window.taps, window.positions, strict=True)]
    turns = site.fresh(site.finite("turns", tuple(2 * n + 1 for n in around)), used)
    turned = []
    for slot, turn, size, n in zip(slots, turns, window.positions, around, strict=True):
        parts, constant = (slot.parts, slot.constant) if isinstance(slot, Affine) else (((1, slot),), 0)
        turned.append(Affine((*parts, (size, turn)), constant - n * size))
    return tuple(turned), turns


def _turned(site: Site) -> Window:
    """The window of the convolution that a transposed one turns round: its places are the source's."""
    source = checked_axes(site, site.options["kernel"], "kernel")
    options = site.options
    sizes = []
    for axis, places in enumerate(source):
        taps, stride = options["kernel"][axis], options["stride"][axis]
        if options["padding"] == "same":
            sizes.append(places * stride)
        else:
            reach = (places - 1) * stride + taps
            sizes.append(reach - sum(_margins(options["padding"], axis, 0, taps, stride)))
    wanted = options.get("positions", tuple(sizes))
    if len(wanted) != len(sizes) or any(size < 1 for size in wanted):
        raise site.error(f"{list(wanted)} positions cannot be made of {list(source)}", key="positions")
    window = window_over(site, "kernel", wanted)
    if window.places != source:
        raise site.error(
            f"a convolution of {list(wanted)} positions with this kernel, stride and padding has "
            f"{list(window.places)}, but '{site.connection.source}' has {list(source)}",
            key="positions",
            remedy=f"By default there are {sizes}",
        )
    return window


def transposed_convolution(site: Site) -> Reading:
    """``h(c', stride q + tap - padding) += Mean_c w(c', c, tap) u(c, q)``: places add up, those outside drop.

    The weight may be the transpose of a convolution's: it then runs the convolution's connections backwards.
    """
    window = _turned(site)
    read = chosen_neurons(site)
    axes = site.finite("taps", window.taps)
    rest = site.fresh((*site.source.positions, *axes), read.reduced)
    places, taps = rest[: len(axes)], rest[len(axes) :]
    return Reading(
        source=(site.target[0], *read.slots, *places),
        source_neuron=read.neuron,
        weight_axes=(*read.weight_axes, *axes),
        weight_slots=(*read.weight_slots, *taps),
        reduced=read.reduced,
        counts={"taps": math.prod(window.taps), **read.counts},
        target=(*site.target[:2], *site.group, *window.slots(places, taps)),
    )


_CONVOLUTION = table(
    Key("kernel", COUNTS, "number of taps, one number for each position axis", required=True),
    Key("stride", COUNTS, "distance of two windows, one number for each position axis; default 1"),
    _CONVOLVED,
    GROUPS_KEY,
)
_TRANSPOSED = {**_CONVOLUTION, "padding": PADDING}
CONVOLUTION_KINDS = (
    ConnectionKind(
        "convolution",
        convolution,
        keys=_CONVOLUTION,
        averages=("taps", "inputs", GROUPS),
        groups=layer_groups,
        positions=lambda site: _kernel(site).places,
        prepare=prepared_window("kernel"),
    ),
    ConnectionKind(
        "transposed-convolution",
        transposed_convolution,
        keys=_TRANSPOSED
        | table(
            Key(
                "positions",
                COUNTS,
                "positions of the layer, one number per axis, where the convolution that is turned round "
                "leaves several possibilities; default the fewest, with padding 'same' stride times as many",
            )
        ),
        averages=("taps", "inputs", GROUPS),
        groups=layer_groups,
        positions=lambda site: _turned(site).positions,
        prepare=prepared_window("kernel"),
    ),
)
