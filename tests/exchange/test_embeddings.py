"""Models of words: rows of a weight by number are what the network computes of one-hot vectors."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import mfderive as mf
from tests.exchange.onnx_builder import build, node, run, slope


def model(read="x"):
    """Two words of five, their rows in front of a layer; ``read``: what the embedding reads."""
    random = np.random.default_rng(0)
    arrays = {"table.weight": random.normal(size=(5, 4)), "fc.weight": random.normal(size=(4, 2))}
    arrays |= {"one": np.array([1]), "more": np.array(1)}
    nodes = [
        node("Add", ["x", "more"], "a"),
        node("Gather", ["table.weight", read], "e", axis=0),
        node("Tanh", ["e"], "u"),
        node("ReduceMean", ["u", "one"], "m", keepdims=0),
        node("MatMul", ["m", "fc.weight"], "y"),
    ]
    made = build([each for each in nodes if read == "a" or each.op_type != "Add"], arrays, [2], opset=18)
    words = helper.make_tensor_value_info("x", TensorProto.INT64, ["batch", 2])
    made.graph.input[0].CopyFrom(words)
    return made


X = np.array([[0, 4], [2, 2], [3, 1]])


def test_words_become_one_hot_vectors():
    """Outputs to 1e-13 and a slope of the loss by differences of order 8 to 1e-11 (tests of other models)."""
    made = model()
    found = mf.from_onnx(made)
    assert found.network.input_shape == (5, 2) and any("one-hot" in note for note in found.notes)
    np.testing.assert_allclose(found.predict(X), run(made, X)[0], rtol=0, atol=1e-13)
    velocity = mf.finite_velocity(found.network, found.state, found.inputs(X), np.zeros((3, 2)))
    ((name, place),) = [(n, p) for n, p in found.places.items() if p.parameter == "table.weight"]
    direction = np.random.default_rng(1).normal(size=(5, 4))
    mine = -np.sum(velocity[name] * place.scale * direction.ravel()[place.index]) / 4
    wanted = slope(made, "table.weight", direction, lambda each: np.mean(np.sum(run(each, X)[0] ** 2, 1)))
    assert abs(mine - wanted) < 1e-11 and abs(wanted) > 1e-3


def test_data_of_words_and_what_is_no_word():
    found = mf.from_onnx(model(), data=(X, np.zeros((3, 2))))
    assert found.network.source.rows == 3 and found.inputs(X).shape == (3, 5, 2)
    for wrong in (X + 1, X - 0.5, -X):
        with pytest.raises(mf.ArgumentError, match="whole, from 0 to 4"):
            found.predict(wrong)
    with pytest.raises(mf.ArgumentError, match="x has 1 axes, and the model's input has 2"):
        found.predict(X[0])


def test_numbers_that_are_computed_are_refused():
    with pytest.raises(mf.MfError, match="one-hot inputs: let it read the inputs"):
        mf.from_onnx(model("a"))
