"""What a model trains is trained here once, or the import says so; wrong arguments are refused in words.

Graphs are read of ONNX files and marked as PyTorch's are: there it is known which arrays are trained.
"""

import dataclasses

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import ArgumentError
from mfderive.exchange.import_wishes import Wishes
from mfderive.exchange.imported import imported
from mfderive.exchange.onnx_reader import read_onnx
from mfderive.exchange.operations import ImportProblem
from tests.exchange import onnx_models as models
from tests.exchange.onnx_builder import build, node, run

_RANDOM = np.random.default_rng(0)
ARRAYS = {
    "a": _RANDOM.normal(size=(3, 4)),
    "w": _RANDOM.normal(size=(4, 4)),
    "o": _RANDOM.normal(size=(4, 2)),
}
ENTER = [node("MatMul", ["x", "a"], "h"), node("Tanh", ["h"], "u")]


def one_slope():
    """A slope that all neurons share."""
    nodes = [*ENTER[:1], node("PRelu", ["h", "slope"], "u"), node("MatMul", ["u", "o"], "y")]
    return build(nodes, {**ARRAYS, "slope": np.array([0.3])}, [3])


def one_bias_in_two_layers():
    """A layer that is applied twice, the second time to its own values."""
    nodes = [*ENTER]
    for source, result in (("u", "v"), ("v", "z")):
        nodes += [
            node("MatMul", [source, "w"], f"{result}m"),
            node("Add", [f"{result}m", "b"], f"{result}s"),
            node("Tanh", [f"{result}s"], result),
        ]
    return build([*nodes, node("MatMul", ["z", "o"], "y")], {**ARRAYS, "b": _RANDOM.normal(size=4)}, [3])


def computed_weight():
    """A weight that is a function of a trained array."""
    nodes = [*ENTER, node("Exp", ["w"], "e"), node("MatMul", ["u", "e"], "m"), node("Tanh", ["m"], "z")]
    return build([*nodes, node("MatMul", ["z", "o"], "y")], ARRAYS, [3])


CHANGED = {
    "one slope for all neurons": (one_slope, "slope", "each neuron has of its own"),
    "a weight that is computed": (computed_weight, "w", "not as functions"),
    "one bias in two layers": (one_bias_in_two_layers, "b", "numbers of neurons may not"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_would_be_trained_otherwise_is_refused_or_said(name):
    make, array, words = CHANGED[name]
    model = make()
    graph = dataclasses.replace(read_onnx(model), says_what_is_trained=True)
    with pytest.raises(ImportProblem, match=f"'{array}'.*{words}.*requires_grad_"):
        imported(graph, None, Wishes())
    frozen = imported(dataclasses.replace(graph, frozen=frozenset([array])), None, Wishes())
    noted = mf.from_onnx(model)
    assert any(f"'{array}'" in note for note in noted.notes)
    x = np.random.default_rng(1).normal(size=(5, 3))
    for found in (frozen, noted):
        np.testing.assert_allclose(found.predict(x), run(model, x)[0], rtol=0, atol=1e-13)
    assert all(f"'{array}'" not in note for note in frozen.notes) or name == "one bias in two layers"


def test_what_is_computed_twice_is_one_layer():
    """A layer that a model applies twice to the same values is one; its bias is in the network once."""
    nodes = [*ENTER]
    for copy in "pq":
        nodes += [
            node("MatMul", ["u", "w"], f"{copy}m"),
            node("Add", [f"{copy}m", "b"], f"{copy}s"),
            node("Sigmoid", [f"{copy}s"], copy),
        ]
    nodes += [node("Mul", ["p", "u"], "g"), node("Sub", ["g", "q"], "r"), node("Tanh", ["r"], "t")]
    arrays = {**ARRAYS, "b": _RANDOM.normal(size=4)}
    model = build([*nodes, node("MatMul", ["t", "o"], "y")], arrays, [3])
    found = mf.from_onnx(model)
    x = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_allclose(found.predict(x), run(model, x)[0], rtol=0, atol=1e-13)
    assert sorted(place.parameter for place in found.places.values()) == ["a", "b", "o", "w"]


def test_arrays_that_no_output_reads_are_named():
    nodes = [*ENTER, node("MatMul", ["u", "w"], "unread"), node("MatMul", ["u", "o"], "y")]
    assert "no output reads w: left out" in mf.from_onnx(build(nodes, ARRAYS, [3])).notes


def test_a_mean_of_sums_with_their_bias():
    """(W u + b) / n is a mean with the model's own weights, and b / n; the number of the width is named."""

    def model(width):
        random = np.random.default_rng(width)
        sizes = {"a": (3, width), "w": (width, width), "o": (width, 2)}
        arrays = {name: random.normal(size=size) for name, size in sizes.items()}
        arrays |= {"b": random.normal(size=width), "n": np.array(float(width))}
        nodes = [*ENTER, node("MatMul", ["u", "w"], "m"), node("Add", ["m", "b"], "s")]
        nodes += [node("Div", ["s", "n"], "d"), node("Tanh", ["d"], "z"), node("MatMul", ["z", "o"], "y")]
        return build(nodes, arrays, [3])

    found = mf.from_onnx(model(5), model(10))
    assert [place.scale for place in found.places.values() if place.parameter == "w"] == [1]
    assert any("change with the width: tanh(b/5 + h) and tanh(b/10 + h)" in note for note in found.notes)
    x = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_allclose(found.predict(x), run(model(5), x)[0], rtol=0, atol=1e-13)


def other_outputs():
    return build([*ENTER, node("MatMul", ["u", "o"], "y")], {**ARRAYS, "o": np.ones((4, 5))}, [3])


def test_a_second_model_must_be_the_same():
    """Another function, another number of outputs."""
    one = build([*ENTER, node("MatMul", ["u", "o"], "y")], ARRAYS, [3])
    relu = [ENTER[0], node("Relu", ["h"], "u"), node("MatMul", ["u", "o"], "y")]
    wider = {"a": np.ones((3, 6)), "o": np.ones((6, 2))}
    with pytest.raises(ImportProblem, match="differ at 'a', activation: tanh and relu"):
        mf.from_onnx(one, build(relu, wider, [3]))
    with pytest.raises(ImportProblem, match="different outputs: 2 and 5"):
        mf.from_onnx(one, other_outputs())


WRONG = {
    "a word for widths": ({"widths": "fc1"}, "list of the names"),
    "a number for widths": ({"widths": 3}, "list of the names"),
    "numbers for names": ({"widths": {"fc1": 5}}, "list of the names"),
    "a list of laws": ({"laws": ["fc1.weight"]}, "must be a mapping"),
    "a word for a loss": ({"loss": "squared"}, "must be a mapping"),
    "a word for a training": ({"training": "adam"}, "must be a mapping"),
    "one array": ({"data": np.zeros((4, 3))}, r"pair of arrays \(x, y\)"),
    "other columns": ({"data": (np.zeros((4, 5)), np.zeros((4, 2)))}, r"model reads \[samples, 3\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_named(name):
    given, words = WRONG[name]
    with pytest.raises(ArgumentError, match=words):
        mf.from_onnx(models.mlp(), **given)


@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_weights_that_are_no_numbers(entry):
    arrays = {**ARRAYS, "o": np.full((4, 2), entry)}
    with pytest.raises(ArgumentError, match="'o' has entries that are not finite"):
        mf.from_onnx(build([*ENTER, node("MatMul", ["u", "o"], "y")], arrays, [3]))


def test_models_that_are_no_network_are_refused_in_their_own_words():
    """No hidden layer; heads of several sizes; a factor before the outputs; open sizes are question marks."""
    with pytest.raises(ImportProblem, match="no hidden layer"):
        mf.from_onnx(build([node("MatMul", ["x", "a"], "y")], ARRAYS, [3]))
    heads = [*ENTER, node("MatMul", ["u", "o"], "y"), node("MatMul", ["u", "w"], "z")]
    with pytest.raises(ImportProblem, match="'z' has 4 numbers, and the first output has 2"):
        mf.from_onnx(build(heads, ARRAYS, [3], outputs=("y", "z")))
    scaled = [*ENTER, node("MatMul", ["u", "o"], "m"), node("Mul", ["m", "k"], "y")]
    with pytest.raises(ImportProblem, match="only factor before a sum is 1 over the width"):
        mf.from_onnx(build(scaled, {**ARRAYS, "k": np.array(0.3)}, [3]))
    with pytest.raises(ImportProblem, match=r"has the shape \[\?, \?\]"):
        mf.from_onnx(build([node("Tanh", ["x"], "y")], {}, [0]))


# Constants of nodes are float32; these are numbers of it.
FUNCTIONS = {
    "Celu": ({"alpha": 0.75}, lambda h: np.where(h > 0, h, 0.75 * np.expm1(h / 0.75))),
    "ThresholdedRelu": ({"alpha": 0.25}, lambda h: np.where(h > 0.25, h, 0)),
    "Shrink": ({"lambd": 0.25, "bias": 0.25}, lambda h: np.sign(h) * np.maximum(np.abs(h) - 0.25, 0)),
    "Sinh": ({}, np.sinh),
    "Cosh": ({}, np.cosh),
    "Tan": ({}, np.tan),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_are_written_out(name):
    """Against numpy, to a few roundings of numbers of order 1 to 10."""
    attributes, function = FUNCTIONS[name]
    nodes = [ENTER[0], node(name, ["h"], "u", **attributes), node("MatMul", ["u", "o"], "y")]
    x = np.random.default_rng(1).normal(size=(20, 3)) / 4
    found = mf.from_onnx(build(nodes, ARRAYS, [3])).predict(x)
    np.testing.assert_allclose(found, function(x @ ARRAYS["a"]) @ ARRAYS["o"], rtol=0, atol=1e-13)
