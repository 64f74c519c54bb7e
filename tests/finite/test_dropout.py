"""Dropout of hidden neurons in training: which masks are drawn, what they multiply and average to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from mfderive.finite.dropout import Dropout
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import jax_namespace, precision
from mfderive.finite.network_fields import network_fields
from mfderive.finite.simulate import simulate
from mfderive.format.reader import read
from mfderive.forward.equations import forward_system
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.samples.resolve import resolve
from mfderive.state.draw import initial_state

from .test_simulate import network

SPECS = Path(__file__).parents[2] / "specs"


def masks_of(net, sizes, numbers, seed: int = 3, dtype: str = "float64"):
    """The masks of several steps of one network, [step, ...] by field."""
    dropout = Dropout(net, FiniteNetwork(forward_system(net)).system)
    keys = {layer: key[0] for layer, key in dropout.keys([seed]).items()}
    with precision(jax, dtype):
        draw = jax.jit(jax.vmap(lambda number: dropout.masks(keys, number, sizes, np.dtype(dtype))))
        return {name: np.asarray(mask) for name, mask in draw(np.asarray(numbers, np.int32)).items()}


def test_masks_leave_out_neurons_with_their_probability() -> None:
    """Independent entries, 0 or 1/(1 - q): a share of N draws is within 5 sqrt(q (1 - q) / N) of q."""
    net = network(dropout=(("h1", 0.3), ("h2", 0.0)))
    sizes = {"data": 10, "h1": 40, "h2": 60}
    masks = masks_of(net, sizes, range(1, 51))
    assert list(masks) == ["h1.out"] and masks["h1.out"].shape == (50, 10, 40)
    out = masks["h1.out"] == 0
    assert np.unique(masks["h1.out"]).tolist() == [0, 1 / 0.7]
    for axes in ((0, 1, 2), (0, 1), (0, 2), (1, 2)):
        share = out.mean(axis=axes)
        assert np.abs(share - 0.3).max() < 5 * np.sqrt(0.21 * share.size / out.size)
    # Both precisions leave out the same neurons; another seed and another step leave out others.
    assert np.array_equal(masks_of(net, sizes, range(1, 51), dtype="float32")["h1.out"] == 0, out)
    assert not np.array_equal(masks_of(net, sizes, range(1, 51), seed=4)["h1.out"] == 0, out)
    assert not np.array_equal(out[0], out[1])


@pytest.mark.parametrize(
    ("spec", "layer", "fields", "shape"),
    [
        ("gru", "s", [f"s.{k}.out" for k in (1, 2, 3, 4)], (7, 5)),  # one mask for all steps
        ("cnn_small", "c1", ["c1.out"], (7, 5, 1)),  # and for all positions
    ],
)
def test_one_mask_serves_all_steps_and_positions_of_a_neuron(spec, layer, fields, shape) -> None:
    net = resolve(read(SPECS / f"{spec}.toml"))
    net = replace(net, training=replace(net.training, dropout=((layer, 0.5),)))
    finite = FiniteNetwork(forward_system(net))
    sizes = finite.sizes({n: v.shape for n, v in initial_state(finite.system, 5, 1).items() if n != "p"}, 7)
    masks = masks_of(net, sizes, [1, 2])
    assert [finite.system.field[name].step for name in masks] == ([1, 2, 3, 4] if spec == "gru" else [0])
    assert len(masks) == len(fields)
    for mask in masks.values():
        assert mask.shape == (2, *shape) and np.array_equal(mask, next(iter(masks.values())))


def test_the_mean_over_masks_is_the_output_without() -> None:
    """The output is linear in the last hidden layer: its mean over masks is the output of an evaluation.

    One output is (1/n) sum_j w_j u_j mask_j, whose variance is q/(1-q) (1/n^2) sum_j w_j^2 u_j^2: N = 4,000
    masks know the mean to 5 standard errors, and the deviation to 5 / sqrt(2 N) of itself (masks have smaller
    kurtosis than normal numbers).
    """
    rate, count = 0.4, 4000
    net = network(dropout=(("h2", rate),))
    finite = FiniteNetwork(forward_system(net))
    state = initial_state(finite.system, 4, 2)
    x, _ = net.source.batch(1, 5)
    sizes = finite.sizes({n: v.shape for n, v in state.items() if n != "p"}, 5)
    masks = masks_of(net, sizes, range(1, count + 1))
    parameters = {name: value for name, value in state.items() if name != "p"}

    def output(mask):
        return finite.evaluate({**parameters, "x": x}, sizes, jax_namespace(), until="yhat", masks=mask)[
            "yhat"
        ]

    with precision(jax, "float64"):
        trained = np.asarray(jax.jit(jax.vmap(output))(masks))
    fields = network_fields(net, state, x)
    error = np.sqrt(rate / (1 - rate) * ((state["output.weight"] * fields["h2.out"]) ** 2).sum(1)) / 6
    difference = trained.mean(0)[:, 0] - fields["yhat"][:, 0]
    assert (np.abs(difference) < 5 * error / np.sqrt(count)).all()
    np.testing.assert_allclose(trained.std(0)[:, 0], error, rtol=5 / np.sqrt(2 * count))


def test_steps_are_made_with_the_masks_and_observed_without() -> None:
    """One step in float64 against a network written out in JAX, with masks on its hidden layers."""
    net = network(dropout=(("h1", 0.5), ("h2", 0.25)))
    (path,) = simulate(net, 4, [3], steps=1, precision="float64", evaluation=5)
    state, (x, y) = path.at(0.0), net.source.batch(1, 10)
    masks = {name: mask[0] for name, mask in masks_of(net, {"data": 10, "h1": 4, "h2": 6}, [1]).items()}

    def loss(p):
        u = jax.nn.relu(x @ p["h1.weight"].T + p["h1.bias"]) * masks["h1.out"]
        u = jax.numpy.tanh(u @ p["h2.weight"].T / 4 + state["h2.bias"]) * masks["h2.out"]
        yhat = u @ p["output.weight"].T / 6 + p["output.bias"]
        return ((yhat - y) ** 2).sum(1).mean()

    widths = {"h1.weight": 4, "h1.bias": 4, "h2.weight": 24, "output.weight": 6, "output.bias": 1}
    with precision(jax, "float64"):
        gradient = jax.jit(jax.grad(loss))({name: state[name] for name in widths})
    xs, ys = net.source.evaluation(5)
    observed, _ = evaluate_loss_error(net, network_fields(net, state, xs)["yhat"], ys)
    assert path.loss[0] == pytest.approx(observed, rel=1e-12)
    for name, width in widths.items():
        expected = state[name] - 0.02 * width * np.asarray(gradient[name])
        np.testing.assert_allclose(path.at()[name], expected, rtol=0, atol=1e-13, err_msg=name)


def test_a_probability_of_0_is_no_dropout_to_the_bit() -> None:
    none, zero = network(), network(dropout=(("h1", 0.0), ("h2", 0.0)))
    paths = [simulate(net, 4, [3], steps=3, evaluation=5)[0] for net in (none, zero)]
    assert all(np.array_equal(paths[0].at()[n], paths[1].at()[n]) for n in paths[0].at() if n != "p")
