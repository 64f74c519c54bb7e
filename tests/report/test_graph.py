"""The drawing of a network's graph: complete, every tie and transpose marked, nothing over anything else."""

import tomllib
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from exact.strategies import seeded

import mfderive as mf
from mfderive.format.reader import parse_document
from mfderive.network.names import connection_weights, parts_of
from mfderive.network.network import Layer
from mfderive.report.graph import folded, graph_data
from mfderive.report.graph_layout import generations
from mfderive.report.graph_svg import graph_svg, text_width
from mfderive.samples.resolve import resolve

from .drawing import measured, read
from .material import NASTY

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
FOLDED = {"fifty"}
DATA = {"kind": "teacher", "dimension": 12, "target": "x1 * x2", "shape": [6, 2]}
FLAT = {"kind": "isotropic-gaussians", "dimension": 4, "separation": 0.5}


def document(layers, output, data=FLAT):
    return {
        "format": 1,
        "title": NASTY,
        "data": data,
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": output,
        "training": {"learning_rate": 0.1, "batch_size": 10, "steps": 5},
    }


def fifty_blocks():
    """A stream with fifty residual blocks."""
    block = [
        {"name": "inner", "from": "pre", "weight": "normal(1, 1)", "bias": "0", "activation": "tanh"},
        {
            "name": "add",
            "neurons": "pre",
            "connections": [{"from": "pre", "kind": "skip"}, {"from": "inner", "weight": "normal(0, 1)"}],
        },
    ]
    stream = {"name": "s", "from": "x", "weight": "normal(0, 1)"}
    group = {"name": "pre", "repeat": 50, "from": "s", "layers": block}
    return document([stream, group], {"from": "pre", "weight": "normal(1, 1)"})


def feedback():
    """Two layers with steps that read each other's step before, and a third on top."""

    def layer(name, *connections):
        return {"name": name, "steps": 6, "activation": "tanh", "connections": list(connections)}

    weight = "normal(0.5, 1)"
    return document(
        [
            layer("a", {"from": "x", "weight": weight}, {"from": "b", "weight": weight, "delay": 1}),
            layer("b", {"from": "a", "weight": weight}, {"from": "c", "weight": weight, "delay": 2}),
            layer("c", {"from": "b", "weight": weight}, {"from": "c", "weight": weight, "delay": 1}),
        ],
        {"from": "c", "weight": weight},
        DATA,
    )


def pyramid():
    """Every layer reads all the layers before it: many lines over many columns."""
    names = ["x", "first", "second", "third", "fourth"]
    layers = [
        {
            "name": name,
            "activation": "tanh",
            "connections": [{"from": source, "weight": "normal(1, 1)"} for source in names[:place]],
        }
        for place, name in enumerate(names)
        if place
    ]
    connections = [{"from": name, "weight": "normal(1, 1)"} for name in names[1:]]
    return document(layers, {"connections": connections})


MADE = {"fifty": fifty_blocks, "feedback": feedback, "pyramid": pyramid}
RANDOM = [f"random {seed}" for seed in range(8)]
NAMES = [path.stem for path in SPECS] + list(MADE) + RANDOM


@cache
def example(name):
    """(network, graph data, drawn groups, page) of a shipped spec, a network above or a random one."""
    if name in MADE:
        net = resolve(parse_document(MADE[name](), None))
    elif name in RANDOM:
        specimen = seeded(int(name.split()[1]))
        net = mf.load(specimen.document, data=specimen.arrays)
    else:
        net = mf.load(SPECS[0].parent / f"{name}.toml")
    limit = mf.derive(net)
    data = graph_data(net, limit, mf.reduce(limit).system)
    return net, data, *read(graph_svg(data, net.title))


def of_kind(groups, kind):
    return [group for group in groups if group.kind == kind]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOLDED])
def test_every_layer_and_every_connection_is_drawn_once(name):
    net, _, groups, _ = example(name)
    nodes = Counter(group.attributes["data-node"] for group in of_kind(groups, "node"))
    assert nodes == Counter(["x", *net.layer, "output"])
    edges = Counter(
        tuple(group.attributes[key] for key in ("data-from", "data-to", "data-weight"))
        for group in of_kind(groups, "edge")
    )
    wanted = Counter()
    for part in parts_of(net):
        target = part.name if isinstance(part, Layer) else "output"
        for weight, connection in zip(connection_weights(part), part.connections, strict=True):
            wanted[connection.source, target, weight or ""] += 1
            wanted.update((layer, target, "") for layer in connection.reads)
    assert edges == wanted


@pytest.mark.parametrize("name", NAMES)
def test_weights_stand_on_their_lines_and_ties_have_one_colour(name):
    """A weight that is used twice has a colour of its own on line, arrow and letter; no other has it."""
    net, data, groups, _ = example(name)
    uses = Counter(w for part in parts_of(net) for w in connection_weights(part) if w)
    colours = {}
    for group in of_kind(groups, "edge"):
        weight = group.attributes["data-weight"]
        (colour,) = group.colours - {""} or {""}
        if uses[weight] > 1 and name not in FOLDED:
            assert group.attributes["data-tied"] == weight
            assert colours.setdefault(weight, colour) == colour
        else:
            assert colour == "currentColor"
            assert "data-tied" not in group.attributes
    assert len(set(colours.values())) == len(colours)
    transposed = sum(edge["transposed"] for edge in data["edges"])
    assert sum("⊤" in group.words for group in of_kind(groups, "edge")) == transposed
    for edge in data["edges"]:
        assert (edge["weight"] is None) == (edge["letter"] is None)


@pytest.mark.parametrize("name", NAMES)
def test_words_do_not_touch_each_other_and_stay_on_the_page(name):
    _, _, groups, page = example(name)
    texts = [(text, box) for group in groups for text, box in group.texts]
    for (one, box), (other, second) in combinations(texts, 2):
        assert not box.overlaps(second, 0.5), (one, other, box, second)
    assert all(box.inside(page) for _, box in texts)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_hold_their_words_and_do_not_touch(name):
    _, _, groups, page = example(name)
    nodes = of_kind(groups, "node")
    for node in nodes:
        assert node.rectangle.inside(page)
        assert all(box.inside(node.rectangle) for _, box in node.texts), node.words
    for one, other in combinations(nodes, 2):
        assert not one.rectangle.overlaps(other.rectangle)


@pytest.mark.parametrize("name", NAMES)
def test_no_line_crosses_a_box_or_words(name):
    """Lines touch boxes at their sides alone, and their own letters not at all (24 points a bend)."""
    _, _, groups, page = example(name)
    boxes = [node.rectangle for node in of_kind(groups, "node")]
    texts = [(text, box) for group in groups for text, box in group.texts]
    for edge in of_kind(groups, "edge"):
        assert edge.points
        for x, y in edge.points:
            assert page.holds(x, y)
            assert not any(box.holds(x, y) for box in boxes), edge.attributes
            assert [text for text, box in texts if box.holds(x, y)] == [], edge.attributes


@pytest.mark.parametrize("name", NAMES)
def test_data_flow_from_left_to_right(name):
    _, data, _, _ = example(name)
    column = generations(folded(data))
    for edge in folded(data)["edges"]:
        assert edge["delay"] or column[edge["source"]] < column[edge["target"]]
    assert column["x"] == 0
    assert column["output"] == max(column.values())


def test_fifty_blocks_are_folded():
    """Two copies, a box for the 47 others, and the last copy: every layer is there, drawn or listed."""
    net, data, groups, page = example("fifty")
    nodes = [group.attributes["data-node"] for group in of_kind(groups, "node")]
    assert len(nodes) == 3 + 2 * 3 + 1
    fold = next(node for node in folded(data)["nodes"] if node["role"] == "fold")
    assert fold["neurons"] == "47 more copies"
    assert {*nodes, *fold["layers"]} - {fold["name"]} == {"x", *net.layer, "output"}
    assert page.right < 3000


def test_like_layers_are_drawn_singly_where_there_are_few():
    _, data, _, _ = example("cnn_nguyen_table1")
    assert folded(data)["nodes"] == data["nodes"]


def test_what_a_reader_must_see_of_each_kind_of_layer():
    words = {
        name: {
            group.attributes.get("data-node") or group.attributes.get("data-to"): group.words
            for group in example(name)[2]
            if group.kind == "node"
        }
        for name in (
            "cnn_nguyen_table1",
            "recurrent_elman",
            "bottleneck",
            "residual_blocks",
            "attention_positions",
            "cnn_grouped",
            "deep_supervision",
        )
    }
    assert "4 groups of n neurons" in words["cnn_grouped"]["depth"]
    assert "6 positions" in words["cnn_grouped"]["depth"]
    assert "loss: huber" in words["deep_supervision"]["guess"]
    assert "16 × 16 positions" in words["cnn_nguyen_table1"]["c1"]
    assert "random types" in words["cnn_nguyen_table1"]["c1"]
    assert all("one type" in words["cnn_nguyen_table1"][f"c{k}"] for k in range(2, 7))
    assert "neurons of c5" in words["cnn_nguyen_table1"]["p5"]
    assert "6 steps" in words["recurrent_elman"]["r"]
    assert "3 neurons, finite" in words["bottleneck"]["code"]
    assert "neurons of s" in words["residual_blocks"]["sum_2"]
    assert "σ(h, g)" in words["attention_positions"]["a"]


def test_what_a_reader_must_see_of_each_kind_of_connection():
    def edge(name, source, target, number=0):
        found = [
            group
            for group in of_kind(example(name)[2], "edge")
            if (group.attributes["data-from"], group.attributes["data-to"]) == (source, target)
        ]
        return found[number]

    assert "skip" in edge("residual_blocks", "s", "add_1").words
    assert "target.carry · u" in edge("gated", "h1", "h2").words
    assert "conv 3×3 /2" in edge("cnn_nguyen_table1", "c1", "c2").words
    assert "max-pool 3×3 /2" in edge("cnn_nguyen_table1", "c5", "p5").words
    assert "conv 3 in 4 groups" in edge("cnn_grouped", "depth", "group").words
    assert "into g" in edge("bilinear", "right", "b").words
    loop = edge("recurrent_elman", "r", "r")
    assert "step s − 1" in loop.words
    assert "stroke-dasharray" in loop.source
    assert min(y for _, y in loop.points) < min(
        g.rectangle.top
        for g in of_kind(example("recurrent_elman")[2], "node")
        if g.attributes["data-node"] == "r"
    )
    back = edge("feedback", "c", "b")
    assert "step s − 2" in back.words
    assert back.points[0][0] > back.points[-1][0]


def test_widths_of_words_are_upper_bounds():
    """Of the words in all drawings, and of all printable letters: boxes are made by these widths."""
    every = {text for name in NAMES for group in example(name)[2] for text, _ in group.texts}
    for words in every | {chr(code) * 8 for code in range(33, 127)}:
        assert text_width(words, 12.0) >= measured(words, "words"), words


def test_the_legend_explains_strides_where_there_are_some():
    """Convolutions have strides of 2; an operation that divides by 2 has none."""
    document = tomllib.loads((SPECS[0].parent / "two_layer.toml").read_text())
    document["output"] |= {"operation": "w * u / 2"}
    net = mf.load(document)
    svg = {"halved": graph_svg(graph_data(net, mf.derive(net)))}
    svg |= {name: graph_svg(example(name)[1]) for name in ("cnn_nguyen_table1", "two_layer")}
    assert "u · w/2" in svg["halved"]
    assert {name: "stride" in text for name, text in svg.items()} == {
        "halved": False,
        "cnn_nguyen_table1": True,
        "two_layer": False,
    }


def test_titles_are_escaped_and_drawings_repeat_to_the_byte():
    _, data, _, _ = example("pyramid")
    svg = graph_svg(data, NASTY)
    assert "<script" not in svg
    assert svg == graph_svg(data, NASTY)
    assert ' id="' not in svg


def test_derive_as_html_begins_with_the_drawing(capsys):
    from mfderive.cli import main

    assert main(["derive", str(SPECS[0].parent / "two_layer.toml"), "--format", "mathml"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith('<figure class="graph">')
    assert shown.count("<svg") == 1
    assert shown.index("<svg") < shown.index("<math")
