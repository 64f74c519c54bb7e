"""Reduced and full solutions agree to rounding where the full ensemble repeats the types (judged: 1e-12)."""

from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.terms import AxisKind
from mfderive.reduction.closure import close_weights
from mfderive.reduction.exchangeability import collapse
from mfderive.state.draw import initial_state
from mfderive.state.ensembles import network_axes

from .blowup import STEPS, blown_up, disagreement, euler, rounding_grows_to, small_state
from .smooth import smooth_specimen
from .specs import chain, document, layer

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
# Some of everything; the seeds above 30 have kernels, populations that collapse, or both.
RANDOM = (*range(24), 46, 48, 49, 57, 58, 60, 64, 73, 76, 78, 95, 99, 117)
TOLERANCE = 1e-12


def limits(spec, data=None):
    network = mf.load(spec, data=data)
    full = mf.derive(network)
    return network, full, mf.reduce(full).system


@pytest.mark.parametrize("steps", [12, pytest.param(STEPS, marks=pytest.mark.study)])
@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_shipped_specs(spec, steps):
    """Euler steps on small batches, a hundred in the study: sums in another order, some 1e-16 a step."""
    network, full, reduced = limits(spec)
    state = small_state(reduced, 2, seed=1)
    batches = [network.source.batch(k + 1, 2) for k in range(steps)]
    assert disagreement(full, reduced, state, batches, 0.01) < TOLERANCE


@pytest.mark.parametrize("seed", RANDOM)
def test_random_graphs(seed):
    """Random graphs of every feature without kinks, kernels and shared populations included."""
    specimen = smooth_specimen(seed)
    _, full, reduced = limits(specimen.document, specimen.arrays)
    state = small_state(reduced, 2, seed)
    assert disagreement(full, reduced, state, [specimen.batch] * 12, 0.004) < TOLERANCE


@pytest.mark.study
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_many_random_graphs(seed):
    """A hundred steps, a tenth as long where rounding alone throws two solutions of one system apart.

    (That happens where steps of a quartic loss are too long to be stable, in 2 of these 300.)
    """
    specimen = smooth_specimen(seed)
    _, full, reduced = limits(specimen.document, specimen.arrays)
    state = small_state(reduced, 2, seed)
    batches = [specimen.batch] * STEPS
    rate = 1e-3 if rounding_grows_to(reduced, state, batches, 1e-3) < TOLERANCE else 1e-4
    assert disagreement(full, reduced, state, batches, rate) < TOLERANCE


def test_random_graphs_reduce():
    """The sample is not empty of what it is to test: collapsed populations, values and kernels occur."""
    collapsed = kernels = values = 0
    for seed in RANDOM:
        specimen = smooth_specimen(seed)
        _, full, reduced = limits(specimen.document, specimen.arrays)
        collapsed += len(reduced.populations) < len(full.populations)
        kernels += any(axis.kind is AxisKind.NOISE for axis in reduced.axes)
        values += any(p.dropped for p in reduced.parameters)
    assert collapsed >= 5 and kernels >= 5 and values >= 8


@pytest.mark.parametrize("seed", RANDOM)
def test_initial_values_do_not_depend_on_what_was_dropped(seed):
    """Full initial states, edges at their mean: constant along every slot that the reduction took away."""
    specimen = smooth_specimen(seed)
    _, full, reduced = limits(specimen.document, specimen.arrays)
    state = initial_state(full, 4, seed, edges="mean")
    for parameter in reduced.parameters:
        values = state[parameter.name]
        assert values.ndim == len(network_axes(reduced, parameter)) - (parameter.noise is not None)
        for place in parameter.dropped:
            first = np.take(values, [0], axis=place)
            np.testing.assert_array_equal(values, np.broadcast_to(first, values.shape))


def test_the_comparison_can_fail():
    """Another state of the full network, and a closure that is not allowed, are seen."""
    network, full, reduced = limits(chain(3))
    state = small_state(reduced, 3, seed=1)
    batch = network.source.batch(1, 4)
    start = blown_up(full, reduced, state)
    start["h2.bias"] = start["h2.bias"] + np.arange(len(start["h2.bias"])) * 1e-6
    moved = euler(full, start, [batch] * 5, 0.05)
    expected = blown_up(full, reduced, euler(reduced, state, [batch] * 5, 0.05))
    assert np.abs(moved["output.weight"] - expected["output.weight"]).max() > 1e-9


def test_mean_only_closure_of_a_kernel_is_seen():
    """Forced on tanh(w u), the mean is not the limit of a network whose entries differ."""
    layers = [
        layer("h1", "x", "normal(0, 1)"),
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": "normal(0, 2)", "operation": "tanh(w * u)"}],
        },
    ]
    network, full, reduced = limits(document(layers, {"from": "h2", "weight": "normal(1, 0.5)"}))
    state = small_state(reduced, 3, seed=1)
    start = blown_up(full, reduced, state)
    forced = collapse(close_weights(full, ["h2.weight"])).system
    mean = {**state, "h2.weight": state["h2.weight"].mean(axis=-1)}
    mean["p"] = {axis.name: state["p"][axis.name] for axis in forced.populations}
    batches = [network.source.batch(k + 1, 4) for k in range(5)]
    exact = euler(reduced, state, batches, 0.05)
    wrong = euler(forced, mean, batches, 0.05)
    large = euler(full, start, batches, 0.05)
    np.testing.assert_allclose(
        blown_up(full, reduced, exact)["output.weight"], large["output.weight"], rtol=1e-12
    )
    assert np.abs(exact["output.weight"] - wrong["output.weight"]).max() > 1e-3


def test_reducing_twice_changes_nothing():
    for spec in SPECS[:3]:
        _, _, reduced = limits(spec)
        again = mf.reduce(reduced).system
        assert again.equations == reduced.equations and again.parameters == reduced.parameters


def test_a_constant_weight_needs_no_kernel():
    """A weight that is constant given its ends has no noise, whatever sigma* does with it."""
    layers = [
        layer("h1", "x", "normal(0, 1)"),
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": "0.7", "operation": "tanh(w * u)"}],
        },
    ]
    network, full, reduced = limits(document(layers, {"from": "h2", "weight": "normal(1, 0.5)"}))
    assert not any(axis.kind is AxisKind.NOISE for axis in reduced.axes)
    assert reduced.parameter["h2.weight"].axes == ("h2", "h1")
    state = small_state(reduced, 3, seed=1)
    batches = [network.source.batch(k + 1, 4) for k in range(10)]
    assert disagreement(full, reduced, state, batches, 0.05) < TOLERANCE
