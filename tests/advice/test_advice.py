"""Warnings that teach: each appears where it must, and not where it must not."""

from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.advice.advise import KINKED, advise
from mfderive.advice.probe import probe, small_state
from mfderive.advice.sentences import sentences
from mfderive.algebra.functions import FUNCTIONS
from mfderive.analysis.outputs import outputs_stay_equal
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from tests.effort import calls
from tests.reduction.blowup import euler
from tests.reduction.smooth import smooth_specimen
from tests.reduction.specs import chain, document, layer, several_outputs

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


def advice(spec) -> str:
    network = mf.load(spec)
    limit = mf.derive(network)
    return "\n".join(sentences(advise(network, limit, mf.reduce(limit))))


def test_centred_hidden_weights_are_stationary():
    """Three hidden layers, sigma(0) = 0, no biases: the start is an exact fixed point of the limit."""
    layers = [layer("h1", "x", "normal(0, 1)")]
    layers += [layer(f"h{k}", f"h{k - 1}", "normal(0, 1)") for k in (2, 3)]
    text = advice(document(layers, {"from": "h3", "weight": "normal(1, 0.5)"}))
    assert "h1.weight, h2.weight, h3.weight and output.weight never move" in text
    # A mean of h2.weight alone would not help: h1 is symmetric, so that h2 would be 0 all the same.
    assert "Why: h3.weight starts with mean 0" in text and "nothing is learned" in text
    assert 'give h3.weight a mean, as in weight = "normal(1, 0.1)", which moves all of them' in text
    assert "Wide networks leave this state through fluctuations" in text


def test_biases_of_the_last_layers_alone_move():
    """With biases only those of the last layer and the output move, and (last) weights that they wake."""
    text = advice(chain(4, hidden="normal(0, 1)", bias="0"))
    still = text.split("never move")[0]
    assert "h2.weight" in still and "h3.weight" in still and "h1.weight" in still
    assert "output.bias" not in still and "h4.bias" not in still
    assert "partly stationary" in still


def test_two_hidden_layers_are_not_stationary():
    """With two hidden layers and centred weights, h2.weight moves at once and wakes the rest."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(0, 1)")]
    assert "stationary" not in advice(document(layers, {"from": "h2", "weight": "normal(1, 0.5)"}))
    assert "stationary" not in advice(chain(4))


def test_the_stationary_state_stays():
    """What the warning says holds: after fifty steps of the reduced limit nothing named has moved."""
    network = mf.load(chain(4, hidden="normal(0, 1)", bias="0"))
    reduced = mf.reduce(mf.derive(network)).system
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
    reduced = mf.reduce(mf.derive(network)).system
    assert outputs_stay_equal(reduced) is equal
    assert ("All outputs stay equal" in advice(several_outputs(weight, hidden, **output))) is equal
    state = ensemble_state(reduced, plan_ensembles(reduced, nodes=27), 0)
    batches = [network.source.batch(k + 1, 6) for k in range(20)]
    state = euler(reduced, state, batches, 0.05)
    yhat = _yhat(reduced, state, batches[0])
    spread = np.abs(yhat - yhat[:, :1]).max()
    assert spread < 1e-12 if equal else spread > 1e-6


def _yhat(reduced, state, batch):
    from mfderive.tensor.interpreter import interpret

    return interpret(reduced, state, *batch)[0]["yhat"]


def test_rare_motion_is_motion():
    """A slope that is 0 nearly everywhere is not 0: relu(h - 4) on normal h. What is rarer is said to be."""
    layers = [
        layer("h1", "x", "normal(0, 1)", activation="relu", bias="-4"),
        layer("h2", "h1", "normal(1, 1)"),
    ]
    output = {"from": "h2", "weight": "normal(1, 1)"}
    assert "stationary" not in advice(document(layers, output))
    reduced, start, batches = _started(document(layers, output))
    end = euler(reduced, start, batches, 0.05)
    assert np.abs(end["h2.weight"] - start["h2.weight"]).max() > 1e-6
    layers[0]["bias"] = "-50"
    text = advice(document(layers, output))
    assert "seems to be stationary" in text and "cannot be excluded" in text and "never move" not in text
    assert "Why: h1.bias starts at -50" in text and "Wide networks" not in text


def _started(spec, nodes=None):
    """The reduced limit of a spec, its start and twenty batches of forty samples."""
    network = mf.load(spec)
    reduced = mf.reduce(mf.derive(network)).system
    start = ensemble_state(reduced, plan_ensembles(reduced, nodes=nodes), 0)
    return reduced, start, [network.source.batch(k + 1, 40) for k in range(20)]


def test_targets_met_on_few_samples_are_no_proof():
    """The output is 1, as nearly all targets are: residuals of 0 may be residuals that were not seen."""
    layers = [layer("h1", "x", "normal(0, 1)")]
    output = {"from": "h1", "weight": "0", "bias": {"law": "1", "rate": 0}}
    data = {"kind": "teacher", "dimension": 3, "target": "1 + max(x1 - 40, 0)"}
    text = advice(document(layers, output, data=data))
    assert "seems to be stationary" in text and "never move" not in text
    data["target"] = "1 + max(x1 - 2.5, 0)"
    assert "stationary" not in advice(document(layers, output, data=data))


@pytest.mark.parametrize("dimension", [3, 10])
def test_symmetry_holds_still(dimension):
    """h2 is an average of an odd function over a symmetric law, and the output starts at 0."""
    data = {"kind": "teacher", "dimension": dimension, "target": "tanh(x1 + x2)"}
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(1, 1)")]
    text = advice(document(layers, {"from": "h2", "weight": "0"}, data=data))
    assert "h1.weight, h2.weight and output.weight never move" in text
    assert "output.weight starts at 0" in text and "h2 is 0, because positive and negative" in text
    assert "Wide networks leave this state" in text
    # Ten dimensions are sampled, and a sample is not symmetric.
    assert ("sampling error" in text) is (dimension == 10)
    layers[0]["weight"] = "normal(0.2, 1)"
    assert "stationary" not in advice(document(layers, {"from": "h2", "weight": "0"}, data=data))


def test_the_symmetric_state_stays():
    """On symmetric Gauss nodes twenty steps move nothing beyond rounding, and elsewhere they do."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(1, 1)")]
    for weight, moves in (("0", False), ("0.7", True)):
        reduced, start, batches = _started(document(layers, {"from": "h2", "weight": weight}), nodes=64)
        end = euler(reduced, start, batches, 0.05)
        for name in ("h1.weight", "h2.weight", "output.weight"):
            change = np.abs(end[name] - start[name]).max()
            assert change > 1e-6 if moves else change < 1e-13


def test_only_what_wakes_something_is_blamed():
    """Centred weights beside another cause: changing them would change nothing."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(0, 1)")]
    text = advice(document(layers, {"from": "h2", "weight": {"law": "0", "rate": 0}}))
    assert "Why: output.weight starts at 0 and stays frozen. So" in text
    assert "with mean 0" not in text and "Wide networks" not in text
    layers[1] |= {"activation": "relu", "bias": "-1"}
    text = advice(document(layers, {"from": "h2", "weight": "normal(1, 1)"}))
    assert "Why: h2.bias starts at -1. So" in text and "with mean 0" not in text


def test_causes_that_hold_together_are_named_together():
    layers = [layer("h1", "x", "normal(0, 1)")]
    layers += [layer(f"h{k}", f"h{k - 1}", "normal(0, 1)") for k in (2, 3)]
    text = advice(document(layers, {"from": "h3", "weight": {"law": "0", "rate": 0}}))
    assert (
        "h3.weight starts with mean 0, and" in text and "output.weight starts at 0 and stays frozen" in text
    )


def test_frozen_networks_are_said_to_be():
    text = advice(several_outputs({"law": "1", "rate": 0}, {"law": "1", "rate": 0}))
    assert "nothing is trained" not in text  # h1 is
    spec = several_outputs({"law": "1", "rate": 0}, {"law": "1", "rate": 0})
    spec["layers"][0]["weight"] = {"law": "normal(0, 1)", "rate": 0}
    text = advice(spec)
    assert "All outputs are equal in the limit, and nothing is trained" in text and "for ever" not in text


def normalised(activation: str, **keys):
    """Four layers, the third normalised; its neurons are equal unless ``keys`` say otherwise."""
    layers = [layer("h1", "x", "normal(0, 1)", bias="0.5"), layer("h2", "h1", "normal(1, 0.1)", bias="0")]
    layers.append(layer("h3", "h2", "normal(1, 0.3)", activation=activation, **keys))
    layers.append(layer("h4", "h3", "normal(1, 0.3)"))
    return document(layers, {"from": "h4", "weight": "normal(1, 1)"})


def test_normalising_equal_neurons_is_named():
    """Both ways to write a variance; the claim about finite networks follows epsilon."""
    for variance in ("mean((h - mean(h))**2)", "mean(h**2) - mean(h)**2"):
        text = advice(normalised(f"tanh(0.2 + (h - mean(h)) / sqrt({variance} + 0.001))"))
        assert "h3: normalises over neurons that are all equal" in text and "at all times" in text
        assert "epsilon = 0.001: for widths well above 1,000" in text
    text = advice(normalised("tanh((h - mean(h)) / sqrt(mean((h - mean(h))**2)))"))
    assert "do not approach this limit" in text
    text = advice(normalised("tanh((h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.1))"))
    assert "for widths well above 10." in text and "do not approach" not in text


def test_what_divides_by_no_variance_is_no_normalisation():
    """Averages over equal neurons are harmless: they are what one neuron is."""
    gain = {"parameters": {"g": "1"}}
    assert "normalises" not in advice(normalised("g * h / sqrt(mean(h**2) + 0.1)", **gain))
    assert "normalises" not in advice(normalised("tanh(h + mean(h))"))
    random = "tanh((h + b - mean(h + b)) / sqrt(mean((h + b - mean(h + b))**2) + 0.01))"
    assert "normalises" not in advice(normalised(random, parameters={"b": "normal(0, 1)"}))


def test_neurons_that_are_equal_at_the_start_only():
    """Before a random output neurons start equal and are trained apart."""
    spec = normalised("tanh(0.3 + (h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.01))")
    del spec["layers"][3]
    spec["output"]["from"] = "h3"
    text = advice(spec)
    assert (
        "h3: normalises over neurons that are all equal" in text
        and "at the start (training makes them differ)" in text
    )


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
    """No shipped spec stands still, and their warnings cost little.

    Half of the bottleneck does: h2.weight is centred, and the code is 0 by symmetry. It is the sampling
    error of its Sobol nodes that moves it, the later the more nodes there are.
    """
    network = mf.load(spec)
    limit = mf.derive(network)
    reduced = mf.reduce(limit)
    said: list[str] = []
    work = calls(lambda: said.extend(sentences(advise(network, limit, reduced))))
    assert work < 3_000_000
    text = "\n".join(said)
    assert ("stationary" in text) is (spec.stem == "bottleneck")
    assert "never moves" not in text and "normalises" not in text


@pytest.mark.parametrize("seed", range(25))
def test_advice_never_raises(seed):
    specimen = smooth_specimen(seed)
    network = mf.load(specimen.document, data=specimen.arrays)
    limit = mf.derive(network)
    findings = advise(network, limit, mf.reduce(limit))
    assert all(isinstance(line, str) for line in sentences(findings))


@pytest.mark.parametrize("seed", [0, 4, 6, 24, 39, 50])
def test_what_is_said_to_stand_still_does(seed):
    """On random specs that are held in part: six steps on symmetric nodes and other data.

    Averages that cancel leave rounding of 1e-16 of values of order 1, which six steps of 0.05 cannot raise
    to 1e-10; everything else moves by more.
    """
    specimen = smooth_specimen(seed)
    network = mf.load(specimen.document, data=specimen.arrays)
    reduced = mf.reduce(mf.derive(network)).system
    found = probe(network, reduced)
    assert found.still and not found.unseen
    start = small_state(reduced)
    end = euler(reduced, start, [network.source.batch(k + 50, 8) for k in range(6)], 0.05)
    for parameter in reduced.parameters:
        if not parameter.is_frozen:
            change = np.abs(end[parameter.name] - start[parameter.name]).max()
            assert change < 1e-10 if parameter.name in found.still else change > 1e-10, parameter.name


def test_kinks_are_where_slopes_jump():
    """Of public functions, at 0 (two arguments: where they tie): the slopes on both sides differ, or do not.

    The slope of a smooth function on one side differs from that on the other by the step times its second
    derivative, which is at most about 1 here; a kink's differ by at least 0.7, or are steep where it jumps.
    """
    step = 1e-4
    for name, row in FUNCTIONS.items():
        if row.public and name not in ("log", "sqrt"):  # these are not defined on both sides
            more = [0.3] * (row.arity - 1)
            centre = 0.3 if row.arity == 2 and name != "huber" else 0.0
            places = (centre - step, centre, centre + step)
            below, at, above = (float(row.real(np.float64(x), *more)) for x in places)
            left, right = (at - below) / step, (above - at) / step
            assert (abs(right - left) > 0.5 or max(abs(left), abs(right)) > 10) is row.has_kink, name
    assert {"relu", "max", "heaviside"} <= KINKED and "elu" not in KINKED


def test_what_was_not_seen_to_move_is_not_explained_beyond_what_was_seen():
    """relu(h - 50) on a normal h has a slope somewhere: nothing is said of nodes that were not looked at."""
    layers = [layer("h1", "x", "normal(0, 1)", activation="relu", bias="-50")]
    text = advice(document(layers, {"from": "h1", "weight": "normal(1, 1)"}))
    assert "So on these nodes and samples every product in their evolution has a factor 0" in text
    layers[0].update(weight="0", bias="0")
    shown = advice(document(layers, {"from": "h1", "weight": "0"}))
    assert "So every product in their evolution has a factor 0" in shown and "these nodes" not in shown


@pytest.mark.parametrize("optimizer", [{"kind": "momentum", "mu": 0.9}, "adam"])
def test_what_a_rule_remembers_holds_nothing(optimizer):
    """A stationary start is explained by values that somebody chose: as for SGD, whatever the rule."""

    def said(**training):
        layers = [
            layer("h1", "x", weight="normal(0, 1)", activation="sin"),
            layer("h2", "h1", weight="normal(1, 0.2)", activation="h**2"),
        ]
        given = document(layers, {"from": "h2", "weight": "normal(0.5, 0.3)", "bias": "0.2"})
        given["training"] |= training
        network = mf.load(given)
        limit = mf.derive(network)
        return [s for s in sentences(advise(network, limit, mf.reduce(limit))) if "stationary" in s]

    assert len(said()) == 1 and "h1.weight starts with a symmetric law" in said()[0]
    assert said(optimizer=optimizer) == said()
