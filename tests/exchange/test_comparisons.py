"""Comparisons and reshapes as newer exporters write them: the same functions and cells."""

import numpy as np
import pytest

import mfderive as mf
from tests.exchange.onnx_builder import build, node, run

# The nodes between a and u, and what the activation is then called.
CHOICES = {
    "softplus": (
        [
            node("Softplus", ["a"], "p"),
            node("Greater", ["a", "twenty"], "c"),
            node("Where", ["c", "a", "p"], "u"),
        ],
        "softplus",
    ),
    "maximum": (
        [
            node("Tanh", ["a"], "p"),
            node("GreaterOrEqual", ["a", "p"], "c"),
            node("Where", ["c", "a", "p"], "u"),
        ],
        "max(h, tanh(h))",
    ),
    "minimum": (
        [
            node("Tanh", ["a"], "p"),
            node("Greater", ["a", "p"], "c"),
            node("Where", ["c", "p", "a"], "u"),
        ],
        "min(tanh(h), h)",
    ),
    "pieces": (
        [
            node("Sin", ["a"], "p"),
            node("LessOrEqual", ["a", "half"], "c"),
            node("Where", ["c", "p", "half"], "u"),
        ],
        None,
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_functions(name):
    """Outputs to 1e-13 of what onnx computes, and the name of the function where it has one."""
    middle, written = CHOICES[name]
    random = np.random.default_rng(0)
    arrays = {"w": random.normal(size=(3, 6)), "v": random.normal(size=(6, 2))}
    arrays |= {"twenty": np.array(20.0), "half": np.array(0.5)}
    made = build([node("MatMul", ["x", "w"], "a"), *middle, node("MatMul", ["u", "v"], "y")], arrays, [3])
    found, x = mf.from_onnx(made), random.normal(size=(50, 3))
    np.testing.assert_allclose(found.predict(x), run(made, x)[0], rtol=0, atol=1e-13)
    assert written in (None, found.network.layers[0].written)


def test_a_reshape_that_drops_the_direction_of_a_cell():
    """[steps, direction, samples, neurons] becomes [steps, samples, neurons]; a moved sample is refused."""
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=size) for name, size in {"W": (1, 4, 2), "R": (1, 4, 4)}.items()}
    arrays |= {"v": random.normal(size=(4, 2)), "last": np.array(2)}

    def model(shape):
        nodes = [
            node("RNN", ["x", "W", "R"], ["all"], hidden_size=4),
            node("Transpose", ["all"], "t", perm=[0, 2, 1, 3]),
            node("Reshape", ["t", "shape"], "s"),
            node("Gather", ["s", "last"], "u", axis=0),
            node("MatMul", ["u", "v"], "y"),
        ]
        return build(nodes, {**arrays, "shape": np.array(shape)}, [3, None, 2])

    x = random.normal(size=(3, 5, 2))
    made = model([3, 5, 4])
    np.testing.assert_allclose(mf.from_onnx(made).predict(x), run(made, x)[0], rtol=0, atol=1e-13)
    with pytest.raises(mf.MfError, match="a reshape moves samples"):
        mf.from_onnx(model([5, 3, 4]))
