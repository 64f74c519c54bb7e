"""Graphs that cannot be: one clear message each, with table, key and what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import mfderive as mf
from mfderive.errors import SpecError

from .documents import GRAPHS, HEAD, Document, connection, convolution, document, layer

POOL = {"kind": "max-pool", "window": [2]}


def plain(*layers: Document, shape: list[int] | None = None) -> Document:
    """Layers of which the last is called top, on x of a shape."""
    return document(list(layers), HEAD, shape or [4])


def changed(name: str, number: int, **keys: Any) -> Document:
    """One of the graphs with keys of a layer changed."""
    found = copy.deepcopy(GRAPHS[name])
    found["layers"][number] |= keys
    return found


WIDE = layer("a", "x", weight="normal(0, 1)")
HEADED = (WIDE | {"name": "top"}, layer("head", "top", size=1, weight="0"))


def with_loss(source: str, *layers: Document, shape: list[int] | None = None, **keys: Any) -> Document:
    """Layers with a loss on one of them."""
    return plain(*layers, shape=shape) | {"losses": [{"from": source, "kind": "squared", **keys}]}


BAD: dict[str, tuple[Document, tuple[str, ...]]] = {
    "cycle": (
        plain(layer("a", "top", weight="0"), layer("top", "a", weight="0")),
        ("cycle: a -> top -> a", 'kind = "recurrent"'),
    ),
    "skip between different populations": (
        plain(WIDE, {"name": "top", "connections": [connection("a", kind="skip")]}),
        ("layers[1] 'top', connections[0]", "same neurons", 'neurons = "a"'),
    ),
    "attention on neurons in groups": (
        plain(
            convolution("a", "x", [1], groups=2),
            convolution("q", "x", [1]),
            convolution("keys", "x", [1], neurons="q"),
            {
                "name": "top",
                "neurons": "a",
                "connections": [
                    connection("a", kind="dot-attention", queries="q", keys="keys"),
                    connection("a", kind="skip"),
                ],
            },
            shape=[2, 4],
        ),
        ("layers[3] 'top', connections[0]", "come in groups", "kernel = [1]"),
    ),
    "pool of another population": (
        plain(
            convolution("a", "x", [2]),
            {"name": "top", "connections": [connection("a", **POOL)]},
            shape=[1, 4],
        ),
        ("max-pool needs the same neurons",),
    ),
    "tie with unequal sizes": (
        plain(
            layer("a", "x", size=2, weight={"name": "W", "law": "0"}),
            layer("top", "x", size=3, weight={"name": "W"}),
        ),
        ("'W' has the shape",),
    ),
    "tie of unequal positions": (
        document(
            [convolution("a", "x", [2]), convolution("top", "x", [3])],
            {
                "connections": [
                    {"from": "a", "weight": {"name": "W", "law": "0"}},
                    {"from": "top", "weight": {"name": "W"}},
                ]
            },
            [1, 6],
        ),
        ("'W'", "shape"),
    ),
    "groups that do not divide the channels": (
        plain(convolution("top", "x", [2], groups=2), shape=[3, 4]),
        ("key 'groups'", "3 channels of 'x' do not divide into 2", "a divisor of 3"),
    ),
    "groups of a layer without groups": (
        plain(convolution("a", "x", [2]), convolution("top", "a", [2], groups=2), shape=[2, 4]),
        ("layers[1] 'top', key 'groups'", "infinitely wide layer 'a' come in no groups", "give 'a' groups"),
    ),
    "more groups than the source has": (
        plain(convolution("a", "x", [2], groups=2), convolution("top", "a", [2], groups=4), shape=[4, 4]),
        ("key 'groups'", "the 2 groups of 'a' do not divide into 4"),
    ),
    "groups of a finite layer": (
        plain(convolution("top", "x", [2], groups=2, size=3), shape=[2, 4]),
        ("key 'size'", "finite layer 'top' cannot have groups"),
    ),
    "a skip from no groups into groups": (
        plain(
            convolution("a", "x", [1]),
            {
                "name": "top",
                "neurons": "a",
                "connections": [
                    connection("a", kind="skip"),
                    connection("x", kind="convolution", kernel=[1], groups=2, weight="0"),
                ],
            },
            shape=[2, 4],
        ),
        ("gives 'top' 2 groups, another (a) gives no groups", "as many groups everywhere"),
    ),
    "a law that names a neuron in a group": (
        plain(
            convolution("a", "x", [2], groups=2, bias="normal(0, 1)"),
            convolution("top", "a", [2], weight="normal(source.bias, 1)"),
            shape=[2, 4],
        ),
        ("'source.bias'", "the neurons of 'a' come in groups", "a law cannot name"),
    ),
    "an average over groups that are not there": (
        plain(convolution("top", "x", [2], average=["groups"]), shape=[2, 4]),
        ("there are no groups to average over",),
    ),
    "a transpose between all groups": (
        plain(
            convolution("a", "x", [1], groups=2),
            {
                "name": "b",
                "neurons": "a",
                "connections": [
                    connection("x", kind="convolution", kernel=[1], groups=2, weight="0"),
                    connection("a", kind="convolution", kernel=[1], weight={"name": "W", "law": "0"}),
                ],
            },
            {
                "name": "top",
                "neurons": "a",
                "connections": [
                    connection("x", kind="convolution", kernel=[1], groups=2, weight="0"),
                    connection("b", kind="convolution", kernel=[1], weight={"name": "W", "transpose": True}),
                ],
            },
            shape=[2, 4],
        ),
        ("between all groups of 'b' and all groups of 'top' is not defined",),
    ),
    "a loss on an infinitely wide layer": (
        with_loss("top", *HEADED),
        ("losses[0], key 'from'", "'top' is an infinitely wide layer", "with size = the number of outputs"),
    ),
    "a second loss on the output": (
        with_loss("output", *HEADED),
        ("losses[0], key 'from'", "no layer 'output'", "[loss] is the output's"),
    ),
    "a loss on no layer": (with_loss("heat", *HEADED), ("no layer 'heat'", "Did you mean 'head'")),
    "a loss on a layer of another size": (
        with_loss("head", HEADED[0], layer("head", "top", size=3, weight="0")),
        ("losses[0], key 'from'", "'head' has 3 neurons, but there are 1 outputs", "size = 1"),
    ),
    "a loss on positions": (
        with_loss("head", convolution("top", "x", [2]), convolution("head", "x", [2], size=1), shape=[1, 4]),
        ("losses[0], key 'from'", "'head' has positions, and y has none"),
    ),
    "a loss with other targets": (
        with_loss("head", *HEADED, kind="cross-entropy"),
        ("losses[0], key 'kind'", "other targets than the output's (squared)"),
    ),
    "a loss with a weight of 0": (
        with_loss("head", *HEADED, weight=0),
        ("losses[0], key 'weight'", "greater than 0"),
    ),
    "an error of an inner loss": (with_loss("head", *HEADED, error="sign"), ("unknown key 'error'",)),
    "an output that is not there in an inner loss": (
        with_loss("head", *HEADED, kind="expression", expression="yhat[1]**2"),
        ("losses[0], key 'expression'", "there are 1 outputs"),
    ),
    "kernel larger than the image": (
        plain(convolution("top", "x", [3, 5]), shape=[1, 4, 4]),
        ("key 'kernel'", "kernel (5) is larger than what it reads (4 positions of 'x'", "more padding"),
    ),
    "strides that leave no positions": (
        plain(convolution("a", "x", [2], stride=[4]), convolution("top", "a", [3], stride=[2]), shape=[1, 8]),
        ("layers[1] 'top', key 'kernel'", "2 positions of 'a'", "smaller stride in the layers before"),
    ),
    "window larger than the image": (
        plain(convolution("a", "x", [2]), layer("top", "a", kind="max-pool", window=[9]), shape=[1, 5]),
        ("key 'window'", "window (9) is larger than what it reads (4 positions"),
    ),
    "window in the padding": (
        plain(convolution("a", "x", [2]), layer("top", "a", padding=[2], **POOL), shape=[1, 5]),
        ("key 'padding'", "a window of 2 lies outside"),
    ),
    "kernel with too few numbers": (
        plain(convolution("top", "x", [3]), shape=[1, 4, 4]),
        ("key 'kernel'", "one number for each of the 2 position axes"),
    ),
    "convolution without positions": (
        plain(convolution("top", "x", [3])),
        ("'x' has none", "shape [channels, positions]"),
    ),
    "pool without positions": (
        plain(WIDE, layer("top", "a", **POOL)),
        ("needs positions, but 'a' has none",),
    ),
    "positions that do not fit": (
        plain(
            {
                "name": "top",
                "connections": [
                    connection("x", kind="convolution", kernel=[2], weight="0"),
                    connection("x", kind="convolution", kernel=[3], weight="0"),
                ],
            },
            shape=[1, 6],
        ),
        ("positions of shape [4]", "gives [5]"),
    ),
    "transposed to the wrong size": (
        changed("transposed convolution", 2, positions=[7]),
        ("key 'positions'", "[7] positions", "By default there are [3]"),
    ),
    "mean over a finite layer": (
        plain(layer("top", "x", size=3, weight="0", activation="h - mean(h)")),
        ("key 'activation'", "the layer is finite", "averages over neurons are for populations"),
    ),
    "mean over a shared finite layer": (
        plain(
            layer("a", "x", size=3, weight="0"),
            layer("top", "a", neurons="a", weight="0", activation="h - mean(h)"),
        ),
        ("the layer is finite",),
    ),
    "softmax over neurons": (
        plain(layer("top", "x", weight="0", activation="softmax(h)")),
        ("only averages over neurons have a limit",),
    ),
    "mean over positions without any": (
        plain(layer("top", "x", weight="0", activation="h - mean(h, positions)")),
        ("'top' has no positions",),
    ),
    "steps of the data": (
        changed("recurrence", 0, steps=2),
        ("key 'shape'", "the data has 3 steps, but a layer that reads x has 2"),
    ),
    "average over steps that read themselves": (
        changed("recurrence", 0, activation="tanh(h - mean(h, steps))"),
        ("step 1 of 'r' depends on itself", "r.step1"),
    ),
    "average over steps within a layer": (
        plain(
            {
                "name": "top",
                "steps": 2,
                "connections": [connection("x", weight="0", average=["steps"])],
            },
            shape=[2, 3],
        ),
        ("key 'average'", "mean(h, steps)"),
    ),
    "nothing to average": (
        plain({"name": "top", "connections": [connection("x", weight="0", average=["positions"])]}),
        ("key 'average'", "no positions to average over"),
    ),
}
BAD["average over steps that read themselves"][0]["layers"][0].pop("bias")


@pytest.mark.parametrize("name", BAD)
def test_bad_graphs(name: str) -> None:
    given, parts = BAD[name]
    with pytest.raises(SpecError) as caught:
        mf.derive(mf.load(given))
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert len(message) < 500
    for part in parts:
        assert part in message, message
