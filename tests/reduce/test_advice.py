"""Warnings that teach: each appears where it must, and not where it must not."""

from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.data.ensembles import ensemble_state, plan_ensembles
from mfderive.reduce.advice import advise
from mfderive.reduce.outputs import outputs_stay_equal

from .blowup import euler
from .smooth import smooth_specimen
from .specs import chain, document, layer, several_outputs

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


def advice(spec) -> str:
    network = mf.load(spec)
    limit = mf.derive(network)
    return "\n".join(advise(network, limit, mf.reduce(limit)))


def test_centred_hidden_weights_are_stationary():
    """Three hidden layers, sigma(0) = 0, no biases: the start is an exact fixed point of the limit."""
    layers = [layer("h1", "x", "normal(0, 1)")]
    layers += [layer(f"h{k}", f"h{k - 1}", "normal(0, 1)") for k in (2, 3)]
    text = advice(document(layers, {"from": "h3", "weight": "normal(1, 0.5)"}))
    assert "h1.weight, h2.weight, h3.weight and output.weight never move" in text
    assert "h2.weight and h3.weight start with mean 0" in text and "nothing is learned" in text


def test_biases_of_the_last_layers_alone_move():
    """With biases only those of the last layer and the output move, and (last) weights that they wake."""
    text = advice(chain(4, hidden="normal(0, 1)", bias="0"))
    still = text.split("never move")[0]
    assert "h2.weight" in still and "h3.weight" in still and "h1.weight" in still
    assert "output.bias" not in still and "h4.bias" not in still


def test_two_hidden_layers_are_not_stationary():
    """With two hidden layers and centred weights, h2.weight moves at once and wakes the rest."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(0, 1)")]
    assert "stationary" not in advice(document(layers, {"from": "h2", "weight": "normal(1, 0.5)"}))
    assert "stationary" not in advice(chain(4))


def test_the_stationary_state_stays():
    """What the warning says holds: after fifty steps of the reduced limit nothing named has moved."""
    network = mf.load(chain(4, hidden="normal(0, 1)", bias="0"))
    reduced = mf.reduce(mf.derive(network))
    start = ensemble_state(reduced, plan_ensembles(reduced, nodes=8), 0)
    end = euler(reduced, start, [network.source.batch(k + 1, 20) for k in range(50)], 0.05)
    for name in ("h1.weight", "h2.weight", "h3.weight"):
        np.testing.assert_array_equal(end[name], start[name])
    assert np.abs(end["output.bias"] - start["output.bias"]).max() > 1e-3


def test_collapse_and_deviation_are_named():
    text = advice(chain(4))
    assert text.count("all neurons of such a layer are equal") == 1 and text.startswith("h2 and h3:")
    assert "h2.weight, h3.weight and h4.weight: the deviation" in text
    assert "the deviation" not in advice(chain(3, hidden="1"))


def test_a_kernel_that_stays_feels_its_deviation():
    layers = [
        layer("h1", "x", "normal(0, 1)"),
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": "normal(0, 1)", "operation": "tanh(w * u)"}],
        },
    ]
    text = advice(document(layers, {"from": "h2", "weight": "normal(1, 0.5)"}))
    assert "deviation" not in text and "weights enter affinely" in text


def test_unread_parameters_are_named():
    layers = [
        layer("h1", "x", "normal(0, 1)", activation="tanh(h) + 0 * b", parameters={"b": "normal(0, 1)"})
    ]
    text = advice(document(layers, {"from": "h1", "weight": "normal(1, 0.5)"}))
    assert "h1.b: trained, but the loss does not depend on it" in text


@pytest.mark.parametrize(
    ("weight", "hidden", "output", "equal"),
    [
        ({"law": "0.5", "rate": 0}, "normal(1, 0.1)", {}, True),
        ({"law": "normal(1, 0.5)", "rate": 0}, {"law": "normal(1, 0.1)", "rate": 0}, {}, True),
        ({"law": "normal(1, 0.5)", "rate": 0}, "normal(1, 0.1)", {}, False),
        ("0.5", "normal(1, 0.1)", {}, False),
        ("normal(1, 0.5)", {"law": "normal(1, 0.1)", "rate": 0}, {}, False),
        ({"law": "0.5", "rate": 0}, "normal(1, 0.1)", {"bias": "0"}, False),
        ({"law": "0.5", "rate": 0}, "normal(1, 0.1)", {"bias": {"law": "0", "rate": 0}}, True),
        ({"law": "0.5", "rate": 0}, "normal(1, 0.1)", {"bias": {"law": "normal(0, 1)", "rate": 0}}, False),
    ],
)
def test_outputs_that_stay_equal(weight, hidden, output, equal):
    """The analysis agrees with the solution: differences of outputs after twenty steps, by Gauss nodes.

    Ten nodes for each of the three numbers of a neuron's output weights make averages that are the same for
    every output to rounding.
    """
    network = mf.load(several_outputs(weight, hidden, **output))
    reduced = mf.reduce(mf.derive(network))
    assert outputs_stay_equal(reduced) is equal
    assert ("All outputs stay equal" in advice(several_outputs(weight, hidden, **output))) is equal
    state = ensemble_state(reduced, plan_ensembles(reduced, nodes=27), 0)
    batches = [network.source.batch(k + 1, 6) for k in range(20)]
    state = euler(reduced, state, batches, 0.05)
    yhat = _yhat(reduced, state, batches[0])
    spread = np.abs(yhat - yhat[:, :1]).max()
    assert spread < 1e-12 if equal else spread > 1e-6


def _yhat(reduced, state, batch):
    from mfderive.algebra.interpreter import interpret

    return interpret(reduced, state, *batch)[0]["yhat"]


def test_normalising_equal_neurons_is_named():
    norm = "tanh((h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.001))"
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(1, 0.1)", activation=norm)]
    layers.append(layer("h3", "h2", "normal(1, 0.1)"))
    flat = document(layers, {"from": "h3", "weight": "normal(1, 0.5)"})
    assert "h2: normalises over neurons that are all equal" in advice(flat)
    layers[0]["activation"], layers[1]["activation"] = norm, "tanh"
    assert "normalises" not in advice(flat)


def test_theorems():
    """A smooth bounded chain with a bounded loss meets them; each departure is named."""
    assert "theorem" not in advice({**chain(3), "loss": {"kind": "huber"}})
    assert "the squared loss" in advice(chain(3))
    relu = document([layer("h1", "x", "normal(0, 1)", activation="relu")], {"from": "h1", "weight": "1"})
    assert "the derivative of relu" in advice(relu)
    assert "several" in advice(several_outputs("normal(1, 1)"))
    skip = chain(2)
    skip["layers"][1] = {
        "name": "h2",
        "neurons": "h1",
        "activation": "tanh",
        "connections": [{"from": "h1", "kind": "skip"}, {"from": "h1", "weight": "normal(1, 1)"}],
    }
    assert "fully connected chain" in advice(skip)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_start_to_move(spec):
    """No shipped spec stands still."""
    network = mf.load(spec)
    limit = mf.derive(network)
    reduced = mf.reduce(limit)
    text = "\n".join(advise(network, limit, reduced))
    assert "stationary" not in text and "never moves" not in text


@pytest.mark.parametrize("seed", range(25))
def test_advice_never_raises(seed):
    specimen = smooth_specimen(seed)
    network = mf.load(specimen.document, data=specimen.arrays)
    limit = mf.derive(network)
    assert all(isinstance(line, str) for line in advise(network, limit, mf.reduce(limit)))
