"""What is refused and in which words, which widths grow, laws and files: the parts that are no arithmetic."""

import dataclasses
import tomllib

import numpy as np
import onnx
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.errors import ArgumentError, MfError
from mfderive.exchange.estimated_laws import estimated_law
from mfderive.exchange.width_growth import growths
from tests.exchange import onnx_models as models
from tests.exchange.onnx_builder import build, node, run


def one(kind, shape=(3,), arrays=None, inputs=(), **attributes):
    """A model of one node."""
    return build([node(kind, ["x", *inputs], "y", **attributes)], arrays or {}, list(shape))


REFUSED = {
    "unknown operation": (lambda: one("Einsum", equation="ij->i"), "node 'y_node' is a Einsum"),
    "softmax at the end": (lambda: one("Softmax", axis=-1), "belongs to the loss"),
    "sigmoid of two outputs": (
        lambda: build(
            [node("MatMul", ["x", "w"], "a"), node("Sigmoid", ["a"], "y")], {"w": np.ones((3, 2))}, [3]
        ),
        "output 'y': its 2 numbers",
    ),
    "groups": (
        lambda: one("Conv", (2, 5), {"w": np.ones((2, 1, 3))}, ["w"], group=2, kernel_shape=[3]),
        "2 groups",
    ),
    "dilation": (
        lambda: one("Conv", (1, 5), {"w": np.ones((1, 1, 2))}, ["w"], dilations=[2], kernel_shape=[2]),
        "dilated",
    ),
    "batch normalisation in training": (
        lambda: one(
            "BatchNormalization",
            arrays={name: np.ones(3) for name in "gbmv"},
            inputs="gbmv",
            training_mode=1,
        ),
        "normalises over the batch",
    ),
    "functions of inputs": (
        lambda: build(
            [node("Tanh", ["x"], "a"), node("MatMul", ["a", "w"], "y")], {"w": np.ones((3, 2))}, [3]
        ),
        "inputs are no neurons",
    ),
    "position embedding": (
        lambda: build(
            [node("MatMul", ["x", "w"], "a"), node("Add", ["a", "e"], "y")],
            {"w": np.ones((3, 2)), "e": np.ones((4, 2))},
            [4, 3],
        ),
        "position embedding",
    ),
    "products of signals": (
        lambda: build(
            [node("Transpose", ["x"], "a", perm=[0, 2, 1]), node("MatMul", ["x", "a"], "y")], {}, [4, 3]
        ),
        "attention",
    ),
    "heads in one array": (
        lambda: build(
            [node("MatMul", ["x", "w"], "a"), node("Reshape", ["a", "s"], "y")],
            {"w": np.ones((3, 4)), "s": np.array([0, 0, 2, 2])},
            [5, 3],
        ),
        "takes an axis of 4 neurons apart",
    ),
    "open sizes": (lambda: build([node("Tanh", ["x"], "y")], {}, [0]), "fixed sizes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name):
    make, words = REFUSED[name]
    with pytest.raises(MfError, match=words):
        mf.from_onnx(make())


def test_widths_that_differ_grow_and_others_stay_finite():
    found = mf.from_onnx(models.mlp((5, 4)), models.mlp((9, 4)))
    assert found.widths == {"fc1": 5}
    assert found.network.layer["fc2"].size == 4
    # Sums over fc2 are not divided, so that its weights stay as they are.
    assert found.places["output.weight"].scale == 1 and found.places["fc2.weight"].scale == 5
    told = mf.from_onnx(models.mlp((5, 4)), widths={"fc1": "h1"})
    assert told.widths == {"h1": 5} and told.network.layer["fc2"].size == 4
    with pytest.raises(MfError, match="the same widths"):
        mf.from_onnx(models.mlp(), models.mlp())
    with pytest.raises(MfError, match="different layers"):
        mf.from_onnx(models.mlp(), models.gated_mlp())
    with pytest.raises(ArgumentError, match="hidden layers are"):
        mf.from_onnx(models.mlp(), widths=["fc9"])


def test_shapes_are_computed():
    """Shapes that a model computes of its input, as exporters write a flatten, become numbers."""
    random = np.random.default_rng(0)
    arrays = {"c": random.normal(size=(3, 2, 2)), "w": random.normal(size=(12, 2))}
    arrays |= {"zero": np.array(0), "front": np.array([0]), "rest": np.array([-1])}
    nodes = [
        node("Conv", ["x", "c"], "a", kernel_shape=[2]),
        node("Tanh", ["a"], "b"),
        node("Shape", ["b"], "s"),
        node("Gather", ["s", "zero"], "n", axis=0),
        node("Unsqueeze", ["n", "front"], "m"),
        node("Concat", ["m", "rest"], "t", axis=0),
        node("Reshape", ["b", "t"], "f"),
        node("MatMul", ["f", "w"], "y"),
    ]
    model, x = build(nodes, arrays, [2, 5]), random.normal(size=(6, 2, 5))
    np.testing.assert_allclose(mf.from_onnx(model).predict(x), run(model, x)[0], rtol=0, atol=1e-13)


def test_a_finite_import_predicts_the_same():
    """Which layers grow is a matter of convention: the function of the weights is the same."""
    x = np.random.default_rng(0).normal(size=(4, 3))
    wide, finite = mf.from_onnx(models.mlp()), mf.from_onnx(models.mlp(), widths=["fc2"])
    np.testing.assert_allclose(wide.predict(x), finite.predict(x), rtol=0, atol=1e-13)


def test_laws_are_estimated_or_named():
    found = mf.from_onnx(models.mlp(), laws={"fc2.weight": "normal(1, 0.1)"})
    assert found.laws["fc2.weight"].text == "normal(1, 0.1)"
    weight = found.state["fc1.weight"]
    assert found.laws["fc1.weight"].deviation == pytest.approx(float(weight.std()))
    with pytest.raises(ArgumentError, match="which the model has not"):
        mf.from_onnx(models.mlp(), laws={"fc7.weight": "0"})


def test_the_file_is_the_network(tmp_path):
    """What is written is read again as the same network, and runs."""
    for make in (models.gated_mlp, models.lstm, models.residual_cnn, models.tied_autoencoder):
        found = mf.from_onnx(make())
        assert tomllib.loads(found.toml) == found.document
        file = tmp_path / f"{make.__name__}.toml"
        file.write_text(found.toml, encoding="utf-8")
        assert dataclasses.replace(mf.load(file), file=None) == found.network


def test_data_comes_in_the_layout_of_the_model():
    model = models.pointwise_tokens()
    x, y = np.random.default_rng(0).normal(size=(6, 4, 3)), np.zeros((6, 2))
    found = mf.from_onnx(model, data=(x, y))
    assert found.network.input_shape == (3, 4)
    assert found.inputs(x).shape == (6, 3, 4)


def test_command_line(tmp_path, capsys):
    """The command writes a spec that can be shown; three wrong inputs end with code 2 and one line."""
    model, wider, text = (tmp_path / name for name in ("a.onnx", "b.onnx", "text.onnx"))
    onnx.save(models.mlp(), model)
    onnx.save(models.mlp((8, 4)), wider)
    text.write_text("not a model", encoding="utf-8")
    onnx.save(one("Einsum", equation="ij->i"), tmp_path / "unknown.onnx")
    spec = tmp_path / "net.toml"
    assert main(["import", str(model), "--second", str(wider), "--output", str(spec)]) == 0
    assert main(["show", str(spec)]) == 0
    capsys.readouterr()
    for name, words in {"none": "no file", "text": "no ONNX file", "unknown": "Einsum"}.items():
        assert main(["import", str(tmp_path / f"{name}.onnx")]) == 2
        said = capsys.readouterr()
        assert words in said.err and len(said.err.splitlines()) == 1 and not said.out


def test_the_only_output_keeps_its_bias():
    """An array of one entry that belongs to one neuron is trained; one that meets many is a number."""
    arrays = {"w": np.ones((3, 4)), "v": np.ones((4, 1)), "b": np.array([0.5]), "half": np.array([0.25])}
    nodes = [
        node("MatMul", ["x", "w"], "a"),
        node("Mul", ["a", "half"], "s"),
        node("Tanh", ["s"], "u"),
        node("MatMul", ["u", "v"], "c"),
        node("Add", ["c", "b"], "y"),
    ]
    found = mf.from_onnx(build(nodes, arrays, [3]))
    assert found.places["output.bias"].parameter == "b" and found.state["output.bias"].tolist() == [0.5]
    assert [layer.written for layer in found.network.layers] == ["tanh(0.25*h)"]
    sigmoid = mf.from_onnx(
        build([*nodes[:-1], node("Add", ["c", "b"], "z"), node("Sigmoid", ["z"], "y")], arrays, [3])
    )
    x = np.random.default_rng(0).normal(size=(4, 3))
    wanted = 1 / (1 + np.exp(-np.tanh(x @ arrays["w"] / 4) @ arrays["v"] - 0.5))
    np.testing.assert_allclose(sigmoid.predict(x), wanted, rtol=0, atol=1e-14)


def test_growth_of_entries_is_measured():
    """Entries of deviation 1/sqrt(n), times n, grow as n^(1/2) within three standard errors; of 1/n not."""

    def model(width, power):
        random = np.random.default_rng(width)
        sizes = {"a": (3, width), "b": (width, width), "c": (width, 2)}
        arrays = {name: random.normal(size=size) * size[0] ** power for name, size in sizes.items()}
        nodes = [node("MatMul", ["x", "a"], "h"), node("Tanh", ["h"], "u")]
        nodes += [node("MatMul", ["u", "b"], "g")]
        return build([*nodes, node("Tanh", ["g"], "v"), node("MatMul", ["v", "c"], "y")], arrays, [3])

    standard, mean_field = (mf.from_onnx(model(8, p), model(64, p)) for p in (-0.5, -1.0))
    assert any("b.weight times the width grows" in note for note in standard.notes)
    assert not any("times the width grows" in note for note in mean_field.notes)
    named = mf.from_onnx(model(8, -0.5), model(64, -0.5), laws={"b": "normal(1, 0.1)"})
    assert not any("b.weight times" in note for note in named.notes)  # its law is the caller's
    pair = [mf.from_onnx(model(width, -0.5)).places for width in (8, 64)]
    (found,) = [growth for growth in growths(*pair) if growth.name == "b.weight"]
    assert abs(found.exponent - 0.5) < 3 * found.error


INITIALISERS = {"nn.Linear": 16**-0.5, "xavier_uniform": (6 / 28) ** 0.5, "kaiming_uniform": (6 / 16) ** 0.5}


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_of_pytorch_are_known_by_their_bounds(name):
    """192 uniform entries are e^34 times as likely under their law, on average; normal ones stay normal."""
    bound, random = INITIALISERS[name], np.random.default_rng(0)
    law = estimated_law(random.uniform(-bound, bound, (12, 16)), scale=16.0)
    assert name in law.sentence and law.text == f"uniform(-{16 * bound:.5g}, {16 * bound:.5g})"
    assert estimated_law(random.normal(size=(12, 16)) * bound / 3**0.5).text.startswith("normal(0, ")


def test_other_uniform_laws_and_too_few_entries():
    """A bound is estimated to within 7/N (else with a chance of exp(-7)); ten entries say nothing.

    Of 500 arrays of normal numbers half a one is expected to look uniform at odds of a thousand to one.
    """
    random = np.random.default_rng(1)
    law = estimated_law(random.uniform(-0.7, 0.7, 400))
    assert law.text.startswith("uniform(") and not law.initialiser
    assert abs(float(law.text.rpartition(" ")[2][:-1]) / 0.7 - 1) < 7 / 400
    assert estimated_law(random.uniform(-0.7, 0.7, 10)).text.startswith("normal(")
    wrong = sum(estimated_law(each).text.startswith("uniform(") for each in random.normal(size=(500, 40)))
    assert wrong <= 4
