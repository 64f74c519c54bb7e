"""What a correct spec becomes: laws, connections, order, names, defaults."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sympy as sp
from hypothesis import given, settings

from mfderive.algebra.functions import call
from mfderive.algebra.laws import End, LawKind
from mfderive.algebra.local_symbols import LocalSymbol, base_of, component_of, end_of, local_symbol
from mfderive.algebra.parser import AxisReduction
from mfderive.format.data_table import teacher_columns, teacher_inputs, teacher_targets
from mfderive.format.reader import parse_document, read
from mfderive.format.schema import schema
from mfderive.network.names import attributes, connection_weights
from mfderive.network.solve_options import RULES
from mfderive.solution.options import resolve_options
from mfderive.state import ensembles
from tests.effort import calls

from .documents import SPECS, Document, changed, documents, long_form, small

h, w, u, t, k, bias = sp.symbols("h w u t k bias")
SHIPPED = {
    "two_layer",
    "three_layer",
    "five_layer_gaussians",
    "five_layer_gaussians_wide_init",
    "five_layer_tanh",
    "five_layer_parameters",
    "digits",
    "correlated_init",
    "layer_norm",
    "residual",
    "autoencoder_tied",
    "cnn_small",
    "cnn_digits",
    "cnn_nguyen_table1",
    "residual_blocks",
    "recurrent_elman",
    "lstm",
    "gru",
    "cnn_grouped",
    "deep_supervision",
    "gated",
    "bottleneck",
    "bilinear",
    "attention_positions",
}


def test_shipped_specs() -> None:
    assert {path.stem for path in SPECS} >= SHIPPED
    for path in SPECS:
        network = read(path)
        assert network.title != path.stem
        widths = dict(network.check)["widths"]
        assert len(widths) >= 3 and sorted(set(widths)) == list(widths)
        assert network.training.steps <= 3000


@pytest.mark.parametrize(
    ("stem", "deviation", "activation", "rate", "schedule"),
    [
        ("five_layer_gaussians", "1/10", "relu", 0.001, 1),
        ("five_layer_gaussians_wide_init", "3", "relu", 0.001, 1),
        ("five_layer_tanh", "3", "tanh", 0.003, k ** sp.Rational(-1, 10)),
    ],
)
def test_settings_of_the_paper(
    stem: str, deviation: str, activation: str, rate: float, schedule: Any
) -> None:
    """Nguyen (2019), Figs. 5 and 10: tau_1^2 = 2, mu_2 = 1, mu_3 = tau_3 = 0, d = 32, Delta = 0.4."""
    network = read(next(path for path in SPECS if path.stem == stem))
    assert network.data.get == {"dimension": 32, "separation": 0.4}
    assert (network.loss.kind, network.loss.error) == ("squared", "sign")
    assert (network.training.learning_rate, network.training.schedule) == (rate, schedule)
    assert network.training.batch_size == 100
    first, *others = [*(layer.connections[0] for layer in network.layers), network.output.connections[0]]
    assert first.weight is not None and first.weight.law is not None
    assert first.weight.law.arguments == (0, call("sqrt", sp.Rational(1, 16)))
    assert len(others) == 4
    for connection in others:
        assert connection.weight is not None and connection.weight.law is not None
        assert connection.weight.law.arguments == (1, sp.Rational(deviation))
    assert all(layer.activation == call(activation, h + bias) for layer in network.layers)
    assert all(layer.bias is not None and layer.bias.law.arguments == (0,) for layer in network.layers)


def test_short_form_is_a_dense_connection() -> None:
    short = parse_document(small())
    weight = small()["layers"][1]["weight"]
    long = parse_document(
        changed(
            "layers.1", long_form({"from": "h1", "kind": "dense", "operation": "w * u", "weight": weight})
        )
    )
    ours, theirs = short.layer["h2"].connections[0], long.layer["h2"].connections[0]
    assert ours.operation == theirs.operation == w * u
    assert (ours.source, ours.kind, ours.weight) == (theirs.source, theirs.kind, theirs.weight)


ACTIVATIONS = {
    (None, None): h,
    (None, "0"): h + bias,
    ("relu", None): call("relu", h),
    ("relu", "0"): call("relu", h + bias),
    ("h", None): h,
    ("h - mean(h)", None): h - AxisReduction(sp.Symbol("mean"), h, sp.Symbol("neurons")),
    ("h * tanh(h)", None): h * call("tanh", h),
}


@pytest.mark.parametrize(("text", "law"), ACTIVATIONS)
def test_activations(text: str | None, law: str | None) -> None:
    layer = {"name": "h2", "from": "h1", "weight": "0"}
    layer |= {key: value for key, value in (("activation", text), ("bias", law)) if value is not None}
    assert parse_document(changed("layers.1", layer)).layer["h2"].activation == ACTIVATIONS[text, law]


LAWS = {
    "normal(0, sqrt(2/fan_in))": (LawKind.NORMAL, (0, call("sqrt", 2 / sp.Symbol("fan_in")))),
    "uniform(-1, 1/d)": (LawKind.UNIFORM, (-1, 1 / sp.Symbol("d"))),
    "rademacher(0.5)": (LawKind.RADEMACHER, (sp.Rational(1, 2),)),
    "sphere(1)": (LawKind.SPHERE, (1,)),
    "0.3": (LawKind.CONSTANT, (sp.Rational(3, 10),)),
    "normal(0, 0)": (LawKind.NORMAL, (0, 0)),
    "target.bias": (LawKind.CONSTANT, (LocalSymbol("bias", End.TARGET),)),
}


@pytest.mark.parametrize("text", LAWS)
def test_laws(text: str) -> None:
    connection = parse_document(changed("layers.0.weight", text)).layers[0].connections[0]
    assert connection.weight is not None and connection.weight.law is not None
    law = connection.weight.law
    assert (law.kind, law.arguments, law.text) == (*LAWS[text], text)


def test_rates() -> None:
    document = changed("layers.0.bias", {"law": "0", "rate": 0.1})
    document["output"]["weight"] = {"law": "normal(0, 1)", "rate": "1/(1 + t)"}
    network = parse_document(document)
    assert network.layers[0].bias is not None
    assert network.layers[0].bias.rate == sp.Rational(1, 10)
    weight = network.output.connections[0].weight
    assert weight is not None and weight.rate == 1 / (1 + t)


def test_long_form() -> None:
    """The examples of the format's description, piece by piece."""
    document = changed(
        "layers.1",
        {
            "name": "h2",
            "neurons": "h1",
            "activation": "gain * h * sigmoid(g + b)",
            "parameters": {"gain": "normal(1, 0.1)", "b": {"law": "0", "rate": 0.5}, "gate": "1"},
            "connections": [
                {
                    "from": "h1",
                    "operation": "tanh(w * u)",
                    "weight": {
                        "name": "W2",
                        "law": "normal(0.3 * source.bias + target.gain, 0.1)",
                        "rate": "1/(1 + t)",
                    },
                },
                {"from": "h1", "kind": "skip", "operation": "target.gate * u", "into": "g"},
                {
                    "from": "x",
                    "kind": "convolution",
                    "kernel": [3],
                    "stride": [2],
                    "padding": [[1, 0]],
                    "average": ["taps"],
                    "weight": "0",
                },
            ],
        },
    )
    layer = parse_document(document).layer["h2"]
    assert layer.neurons == "h1"
    assert [name for name, _ in layer.parameters] == ["gain", "b", "gate"]
    dense, skip, convolution = layer.connections
    assert dense.operation == call("tanh", w * u)
    assert dense.weight is not None and dense.weight.name == "W2"
    assert (skip.into, skip.weight, skip.operation) == ("g", None, LocalSymbol("gate", End.TARGET) * u)
    options = {"kernel": (3,), "stride": (2,), "padding": ((1, 0),)}
    assert dict(convolution.options) == options
    assert convolution.average == ("taps",)
    assert dense.table == "layers[1] 'h2', connections[0]"


def test_output_without_weight_is_averaged() -> None:
    output = parse_document(changed("output", {"from": "h2"})).output
    assert (output.connections[0].operation, output.connections[0].weight) == (u, None)


def test_several_layers_into_the_output() -> None:
    connections = [{"from": "h2", "weight": "0"}, {"from": "h1"}, {"from": "x", "weight": "0"}]
    output = parse_document(changed("output", {"connections": connections, "outputs": 2})).output
    assert [connection.source for connection in output.connections] == ["h2", "h1", "x"]
    assert output.outputs == 2


@settings(max_examples=40, deadline=None)
@given(documents())
def test_order_in_the_file_does_not_matter(document: Document) -> None:
    """Sources come first, and turning the list of layers round gives the same layers."""
    network = parse_document(document)
    seen = {"x"}
    for layer in network.layers:
        assert {connection.source for connection in layer.connections} <= seen
        seen.add(layer.name)
    again = parse_document(document | {"layers": document["layers"][::-1]})
    assert {layer.name: layer.activation for layer in network.layers} == {
        layer.name: layer.activation for layer in again.layers
    }


def test_order_is_that_of_the_file_where_it_can_be() -> None:
    assert [layer.name for layer in parse_document(small()).layers] == ["h1", "h2"]
    document = small()
    document["layers"].reverse()
    assert [layer.name for layer in parse_document(document).layers] == ["h1", "h2"]


ERRORS: list[tuple[str, Document, str | None]] = [
    ("squared", {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4}, "sign"),
    ("cross-entropy", {"kind": "digits"}, "argmax"),
    ("squared", {"kind": "digits"}, "argmax"),
    ("logistic", {"kind": "teacher", "dimension": 2, "target": "sign(x1)"}, "sign"),
    ("squared", {"kind": "teacher", "dimension": 2, "target": "x1"}, None),
    ("squared", {"kind": "gaussian-mixture", "means": [[0], [1]], "labels": [1, -1]}, "sign"),
    ("squared", {"kind": "gaussian-mixture", "means": [[0], [1]], "labels": [1, 2]}, None),
    ("squared", {"kind": "digits", "y": "x"}, None),
]


@pytest.mark.parametrize(("kind", "data", "error"), ERRORS)
def test_how_errors_are_counted(kind: str, data: Document, error: str | None) -> None:
    assert parse_document(changed("data", data) | {"loss": {"kind": kind}}).loss.error == error
    chosen = parse_document(changed("data", data) | {"loss": {"kind": kind, "error": "none"}})
    assert chosen.loss.error is None


def test_losses() -> None:
    assert parse_document(changed("loss", {"kind": "huber", "delta": 2})).loss.constants == (("delta", 2.0),)
    loss = parse_document(changed("loss", {"kind": "expression", "expression": "(y[0] - yhat[1])**4"})).loss
    assert loss.expression == (LocalSymbol("y", component=(0,)) - LocalSymbol("yhat", component=(1,))) ** 4


def test_teacher() -> None:
    data = {"kind": "teacher", "dimension": 3, "inputs": "uniform(-1, 1)", "target": ["x1 * x3", "tanh(x2)"]}
    spec = parse_document(changed("data", data)).data
    x1, x2, x3 = sp.symbols("x1 x2 x3")
    assert teacher_targets(spec) == (x1 * x3, call("tanh", x2))
    assert teacher_columns(spec) == {x1: 0, x2: 1, x3: 2}
    assert teacher_inputs(spec).kind is LawKind.UNIFORM


@pytest.mark.parametrize(
    "keys",
    [
        {"weight": "normal(0, 1)", "operation": "tanh(w * u)"},
        {"operation": "sin(u)"},
        {"weight": "normal(0, 1)", "into": "g", "activation": "tanh(g)"},
        {"weight": "normal(0, 1)", "steps": 3, "delay": 2, "average": ["positions"]},
        {"kind": "skip", "operation": "u * target.a", "parameters": {"a": "0"}, "neurons": "h1"},
    ],
    ids=["operation", "without weight", "into", "delay", "skip"],
)
def test_short_form_has_the_keys_of_its_connection(keys: Document) -> None:
    """A layer with one connection means the same in both forms; the schema accepts both."""
    own = {"weight", "operation", "into", "delay", "average", "kind"}
    rest = {key: value for key, value in keys.items() if key not in own}
    connection = {"from": "h1"} | {key: value for key, value in keys.items() if key in own}
    written = []
    for layer in ({"name": "h2", "from": "h1", **keys}, long_form(connection, **rest)):
        document = changed("layers.1", layer)
        document["layers"][0]["steps"] = keys.get("steps", 1)
        jsonschema.validate(document, schema())
        found = parse_document(document).layer["h2"]
        places = {"table": "", "activation": found.activation}
        written.append(
            replace(found, **places, connections=tuple(replace(c, table="") for c in found.connections))
        )
    assert written[0] == written[1]


def test_solver_by_name() -> None:
    """Tables of [solver] are kept, so that a network can be hashed; a finite source brings no noise."""
    solver = {
        "nodes": {"h1": 64, "noise h2.weight": 7},
        "rule": {"h1": "sobol"},
        "widths": {"h1": 3, "h2": 4},
    }
    network = parse_document(small() | {"solver": solver})
    options = resolve_options(network)
    assert options.nodes == solver["nodes"] and options.rule == solver["rule"]
    assert options.widths == solver["widths"]
    assert hash(network) == hash(parse_document(small() | {"solver": solver}))
    assert RULES == ensembles.RULES


def test_a_network_can_be_hashed_and_keeps_its_document() -> None:
    document = small() | {"check": {"widths": [4, 8]}}
    network = parse_document(document, "a.toml")
    assert hash(network) == hash(parse_document(document, "a.toml"))
    assert network.document == document
    document["training"]["steps"] = 99
    assert network.document["training"]["steps"] == 10


def test_title_defaults_to_the_file(tmp_path: Path) -> None:
    assert parse_document(changed("title", ...), str(tmp_path / "some_net.toml")).title == "some_net"


# --- names --------------------------------------------------------------------------------------------


def test_local_symbols_know_their_parts() -> None:
    """End, word and component are data of the symbol, also after pickling; a plain word is a plain symbol."""
    for base, end, component, text in (
        ("h", None, (), "h"),
        ("y", None, (3,), "y[3]"),
        ("w", End.SOURCE, (1, 2), "source.w[1,2]"),
        ("gain", End.TARGET, (), "target.gain"),
    ):
        symbol = local_symbol(base, end, component)
        for each in (symbol, pickle.loads(pickle.dumps(symbol)), (2 * symbol).free_symbols.pop()):
            assert (base_of(each), end_of(each), component_of(each)) == (base, end, component)
            assert str(each) == each.name == text and each == symbol


def test_weight_names_and_attributes() -> None:
    document = changed(
        "layers.1",
        long_form(
            {"from": "h1", "weight": "0"},
            {"from": "h1", "weight": "0", "into": "g"},
            {"from": "h1", "weight": "0", "into": "g"},
            {"from": "x", "weight": {"law": "0", "name": "V"}},
            activation="h * g * a",
            parameters={"a": "1"},
        ),
    )
    network = parse_document(document)
    names = connection_weights(network.layer["h2"])
    assert names == ("h2.weight.h1", "h2.weight.h1.g", "h2.weight.h1.g.2", "V")
    assert connection_weights(network.layer["h1"]) == ("h1.weight",)
    assert connection_weights(network.output) == ("output.weight",)
    assert attributes(network, "h1") == {"bias": "h1.bias", "w": "h1.weight"}
    assert attributes(network, "h2") == {"a": "h2.a", "V": "V", "w": "V"}


def test_reading_grows_linearly() -> None:
    """Four times the layers take less than ten times as long (quadratic work would take sixteen)."""

    def chain(length: int) -> Document:
        document = changed("output.from", f"a{length - 1}")
        document["layers"] = [
            {
                "name": f"a{n}",
                "from": f"a{n - 1}" if n else "x",
                "weight": "normal(1, 0.1)",
                "activation": "tanh",
            }
            for n in range(length)
        ]
        return document

    parse_document(chain(60))  # what is remembered once
    work = {length: calls(lambda length=length: parse_document(chain(length))) for length in (60, 240)}
    assert work[240] < 4.5 * work[60]


def test_a_connection_knows_whether_its_operation_is_the_usual_one() -> None:
    """The usual one, written out in another order or not written, is no operation of its own."""
    base = {"from": "h1", "weight": "normal(0, 1)"}
    for keys, usual in (
        (base, True),
        ({**base, "operation": "u * w"}, True),
        ({**base, "operation": "w * u * 1"}, True),
        ({**base, "operation": "tanh(w * u)"}, False),
        ({**base, "operation": "2 * w * u"}, False),
        ({"from": "h1", "operation": "u"}, True),
        ({"from": "h1", "operation": "u**2"}, False),
        ({"from": "h1", "kind": "skip"}, True),
        ({"from": "h1", "kind": "skip", "operation": "h"}, False),
    ):
        layers = [
            {"name": "h1", "from": "x", "weight": "normal(0, 1)"},
            {"name": "h2", "neurons": "h1", "connections": [keys]},
        ]
        net = parse_document(
            {**small(), "layers": layers, "output": {"from": "h2", "weight": "normal(0, 1)"}}
        )
        assert net.layer["h2"].connections[0].is_usual is usual, keys
    averaged = parse_document({**small(), "layers": layers[:1], "output": {"from": "h1"}})
    assert averaged.output.connections[0].is_usual
