"""Kinds from outside the package: what their functions return is refused where it does not fit, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.terms import Access, Affine, Index
from mfderive.errors import SpecError
from mfderive.forward.kind import KINDS, Site
from mfderive.network.values import COUNT, Key, table
from tests.format.documents import Document


def reading(site: Site) -> mf.Reading:
    """A convolution whose taps stand apart, as the documentation has it."""
    (taps,) = site.finite("taps", (site.options["taps"],))
    neuron, tap = site.fresh((site.source.neurons, taps))
    data, own, position = site.target
    place = Affine(((1, position), (site.options["dilation"], tap)))
    return mf.Reading(
        source=(data, neuron, place),
        source_neuron=neuron,
        weight_axes=(site.own.neurons, site.source.neurons, taps),
        weight_slots=(own, neuron, tap),
        reduced=(neuron, tap),
    )


def left(site: Site) -> Any:
    """The positions that are left."""
    reach = (site.options["taps"] - 1) * site.options["dilation"]
    return (site.size(*site.source.positions) - reach,)


@pytest.fixture
def derived() -> Iterator[Callable[..., Any]]:
    """Derives a network whose second layer has a kind with these functions."""

    def derive(read: Any = reading, positions: Any = left, shape: Any = (1, 10), **keys: int) -> Any:
        KINDS.pop("dilated", None)
        own = table(Key("taps", COUNT, "taps", required=True), Key("dilation", COUNT, "", required=True))
        mf.register_kind(mf.ConnectionKind("dilated", read, keys=own, positions=positions))
        first = {"name": "a", "from": "x", "kind": "convolution", "kernel": [1], "weight": "normal(0, 1)"}
        second = {"name": "b", "from": "a", "kind": "dilated", "weight": "normal(0, 1)", "taps": 3}
        document: Document = {
            "format": 1,
            "data": {"kind": "teacher", "dimension": 10, "shape": list(shape), "target": "x1"},
            "loss": {"kind": "squared"},
            "layers": [first, {**second, "dilation": 2, **keys}],
            "output": {"from": "b", "weight": "normal(0, 1)"},
            "training": {"learning_rate": 0.1, "steps": 2},
        }
        return mf.derive(mf.load(document))

    yield derive
    KINDS.pop("dilated", None)


def test_the_good_kind_derives(derived: Callable[..., Any]) -> None:
    """The control of this file; and a plain number is a factor as an expression is."""
    assert derived().axis["b.positions"].size == 6
    derived(lambda site: replace(reading(site), factor=2))


def test_sizes_below_one(derived: Callable[..., Any]) -> None:
    """Sizes below 1 are refused as a convolution refuses them, with what was read."""
    with pytest.raises(SpecError) as caught:
        derived(dilation=9)
    message = str(caught.value)
    assert message.startswith(
        "layers[1] 'b', key 'kind': the dilated (taps = 3, dilation = 9) is larger than"
    )
    assert "what it reads ([10] positions of 'a'): positions [-8] would be left. Make it smaller" in message
    with pytest.raises(SpecError, match=r"asks for an axis 'b\.taps' of size 0"):
        derived(lambda site: site.finite("taps", (0,)))


@pytest.mark.parametrize("made", [6, [6], (6.0,), ("b",), ("nowhere",), (True,), (6, "a.positions")])
def test_positions_that_are_none(derived: Callable[..., Any], made: Any) -> None:
    with pytest.raises(SpecError, match=r"'positions' of the kind 'dilated' returned .* tuple of sizes"):
        derived(positions=lambda site: made)


@pytest.mark.parametrize("returned", [None, (), {"source": ()}, 3])
def test_what_is_no_reading(derived: Callable[..., Any], returned: Any) -> None:
    with pytest.raises(SpecError) as caught:
        derived(lambda site: returned)
    message = str(caught.value)
    assert "layers[1] 'b', key 'kind': the function 'read' of the kind 'dilated' returned " in message
    assert "It must return a mfderive.Reading" in message


def wrong(change: Callable[[Site, mf.Reading], dict[str, Any]]) -> Callable[[Site], mf.Reading]:
    """The good reading with parts exchanged."""

    def read(site: Site) -> mf.Reading:
        good = reading(site)
        return replace(good, **change(site, good))

    return read


def swapped(slots: tuple[Any, ...], place: int, slot: Any) -> tuple[Any, ...]:
    return (*slots[:place], slot, *slots[place + 1 :])


STRAY = Index("stray", "b.taps")
WRONG: dict[str, tuple[Callable[[Site, mf.Reading], dict[str, Any]], tuple[str, ...]]] = {
    "source on the neurons of the target": (
        lambda site, good: {"source": swapped(good.source, 1, site.target[1])},
        ("source[1] over the axis 'b'", "the axis 'a' is expected there"),
    ),
    "the target for a source": (
        lambda site, good: {"source": site.target},
        ("source[1] over the axis 'b'", "the axis 'a' is expected"),
    ),
    "positions of another size": (
        lambda site, good: {"source": swapped(good.source, 2, site.target[2])},
        (
            "source[2] over the axis 'b.positions' of size 6",
            "'positions' of size 10 is expected|'a.positions'",
        ),
    ),
    "too few slots": (
        lambda site, good: {"source": good.source[:2]},
        ("has source = ", "'a' has the axes data, a, "),
    ),
    "slots in a list": (lambda site, good: {"source": list(good.source)}, ("has source = ", "tuple")),
    "a slot that is a name": (
        lambda site, good: {"source": swapped(good.source, 2, "positions")},
        ("source[2] = 'positions' (str)", "an Index or an Affine"),
    ),
    "an unknown axis": (
        lambda site, good: {"source": swapped(good.source, 2, Index("p", "nowhere"))},
        ("source[2] over 'nowhere'", "no axis of the network"),
    ),
    "an affine slot over neurons": (
        lambda site, good: {"source": swapped(good.source, 1, Affine(((1, good.source_neuron),)))},
        ("source[1] = Affine", "the axis 'a' is not finite"),
    ),
    "neuron of the target": (
        lambda site, good: {"source_neuron": site.target[1]},
        ("source_neuron over the axis 'b'", "the axis 'a' is expected"),
    ),
    "no neuron": (lambda site, good: {"source_neuron": None}, ("source_neuron = None", "Index")),
    "weight turned round": (
        lambda site, good: {
            "weight_slots": (good.weight_slots[1], good.weight_slots[0], good.weight_slots[2])
        },
        ("weight_slots[0] over the axis 'a'", "the axis 'b' is expected"),
    ),
    "weight without a slot": (
        lambda site, good: {"weight_slots": good.weight_slots[:2]},
        ("has weight_slots = ", "the weight has the axes b, a, b.taps"),
    ),
    "no axes for the weight": (
        lambda site, good: {"weight_axes": (), "weight_slots": ()},
        ("weight_axes = ()", "has_weight=False"),
    ),
    "unknown axis of the weight": (
        lambda site, good: {"weight_axes": ("b", "a", "taps")},
        ("weight_axes[2] = 'taps'", "no axis of the network"),
    ),
    "reduced index that occurs nowhere": (
        lambda site, good: {"reduced": (*good.reduced, STRAY)},
        ("the index 'stray' in reduced, which occurs in no slot",),
    ),
    "reduced index of the target": (
        lambda site, good: {"reduced": (*good.reduced, site.target[1])},
        ("the index 'b' in reduced, which is one of the target's own",),
    ),
    "reduced twice": (
        lambda site, good: {"reduced": (*good.reduced, good.reduced[0])},
        ("the index 'a' in reduced, which is named twice",),
    ),
    "reduced names": (lambda site, good: {"reduced": ("a",)}, ("has reduced = ('a',)", "tuple of Index")),
    "an index that is left over": (
        lambda site, good: {"reduced": good.reduced[:1]},
        ("the index 'b.taps' in source, which is neither", "Name it in reduced"),
    ),
    "target of the source": (
        lambda site, good: {"target": (site.target[0], good.source_neuron, site.target[2])},
        ("target[1] over the axis 'a'", "the axis 'b' is expected"),
    ),
    "target without positions": (
        lambda site, good: {"target": site.target[:2]},
        ("has target = ", "'b' has the axes data, b, b.positions"),
    ),
    "a value that is no access": (
        lambda site, good: {"values": {"s": sp.Symbol("s")}},
        ("values['s'] = s (Symbol)", "site.output or site.field"),
    ),
    "a value of an unknown field": (
        lambda site, good: {"values": {"s": Access("nowhere", ())}},
        ("values['s'] = ", "site.output or site.field"),
    ),
    "a value with too few slots": (
        lambda site, good: {"values": {"s": Access("a", good.source[:2])}},
        ("has values['s'] = ", "'a' has the axes data, a, "),
    ),
    "a value called u": (
        lambda site, good: {"values": {"u": site.output(good.source)}},
        ("values['u'], which has a meaning already",),
    ),
    "a factor in words": (lambda site, good: {"factor": "2 * u"}, ("factor = '2 * u' (str)",)),
    "a factor of an unknown name": (
        lambda site, good: {"factor": sp.Symbol("share")},
        ("'share' is not known in this expression",),
    ),
    "counts of nothing": (lambda site, good: {"counts": {"taps": 0}}, ("counts = {'taps': 0}",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_readings_that_do_not_fit(derived: Callable[..., Any], name: str) -> None:
    """Kind, part and expected axis are named, at the connection."""
    change, parts = WRONG[name]
    with pytest.raises(SpecError) as caught:
        derived(wrong(change))
    message = str(caught.value)
    assert message.startswith("layers[1] 'b'") and len(message) < 500
    assert "factor of" in name or "of the kind 'dilated'" in message
    for part in parts:
        assert any(choice in message for choice in part.split("|")), message
