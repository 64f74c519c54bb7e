"""The network of a model computes what the model computes, and has its gradients, for many architectures.

Bounds: forward 1e-12 relative to the largest output (sums of fewer than 100 numbers in float64, about 1e-14).
Slopes 1e-11 relative to the loss: the central difference of order 8 rounds by about 2 eps loss / STEP =
2e-13 loss, some fifty times less, and its error h^8 f^(9) / 630 is below 1e-22 f^(9) for these smooth models.
"""

import math

import numpy as np
import pytest

import mfderive as mf
from tests.exchange import onnx_models as models
from tests.exchange.onnx_builder import run, slope

SMOOTH = {
    "mlp": models.mlp,
    "autoencoder with tied weights": models.tied_autoencoder,
    "cnn": models.cnn,
    "residual cnn": models.residual_cnn,
    "layer norm": models.layer_norm_mlp,
    "gated": models.gated_mlp,
    "stream": models.pre_norm_stream,
    "two heads": models.two_heads,
    "tokens": models.pointwise_tokens,
    "attention": models.attention,
    "recurrent": models.elman,
    "lstm": models.lstm,
    "gru": models.gru,
}


def inputs(model, samples=3, seed=0):
    """Random inputs in the model's own layout."""
    sizes = [d.dim_value or samples for d in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(seed).normal(size=sizes)


def close(found, wanted, bound):
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound * scale)


def compare_gradients(model, found, x, bound=1e-11):
    """Slopes of the loss along a random direction of each array of the model, by both."""
    outputs = run(model, x)
    random = np.random.default_rng(1)
    y = random.normal(size=outputs[0].shape)

    def loss(moved):
        return sum(float(np.mean(np.sum((out - y) ** 2, axis=1))) for out in run(moved, x))

    velocity = mf.finite_velocity(found.network, found.state, found.inputs(x), y)
    axes = {parameter.name: parameter.axes for parameter in mf.forward_system(found.network).parameters}
    by_array = {}
    for name, place in found.places.items():
        if place.parameter is not None:
            by_array.setdefault(place.parameter, []).append(name)
    assert by_array
    for array, names in by_array.items():
        shape = next(t.dims for t in model.graph.initializer if t.name == array)
        direction = random.normal(size=tuple(shape))
        mine = 0.0
        for name in names:
            place = found.places[name]
            widths = math.prod(found.widths.get(axis, 1) for axis in axes[name])
            gradient = -velocity[name] / widths
            mine += float(np.sum(gradient * place.scale * direction.ravel()[place.index]))
        wanted = slope(model, array, direction, loss)
        assert abs(mine - wanted) <= bound * max(1.0, loss(model)), (array, mine, wanted)


@pytest.mark.parametrize("name", SMOOTH)
def test_forward_and_gradients(name):
    model = SMOOTH[name]()
    found = mf.from_onnx(model)
    x = inputs(model)
    outputs = run(model, x)
    close(found.predict(x), outputs[0], 1e-12)
    for head, wanted in zip(found.heads, outputs[1:], strict=True):
        close(found.head(head, x), wanted, 1e-12)
    compare_gradients(model, found, x)
    each_once(model, found)


def each_once(model, found):
    """Every trained entry is in the network once: what is there twice would be trained apart."""
    counts = {tensor.name: np.zeros(math.prod(tensor.dims), int) for tensor in model.graph.initializer}
    for place in found.places.values():
        if place.parameter is not None:
            np.add.at(counts[place.parameter], place.index, 1)
    assert max(count.max() for count in counts.values()) == 1
    assert all(set(count.tolist()) in ({0}, {1}) for count in counts.values())
