"""Observables against plain formulas, and labels against what networks draw."""

from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import MfError
from mfderive.finite.network_fields import system_of
from mfderive.limit.derive import derive
from mfderive.reduction.reduce import reduce
from mfderive.state.draw import initial_state
from mfderive.verdict.measurements import _Limit
from mfderive.verdict.observables import layer_fields, observables, quantile_means, wasserstein
from mfderive.verdict.settings import resolve_settings

from .wrong import network, recurrent_document, settings


def test_quantile_means_of_equal_atoms():
    """Sixteen equal atoms in eight stretches: means of neighbours after sorting."""
    values = np.random.default_rng(0).standard_normal(16)
    expected = np.sort(values).reshape(8, 2).mean(axis=1)
    assert np.allclose(quantile_means(values[None], np.full(16, 1 / 16), 8), expected, atol=1e-14)


def test_quantile_means_of_weighted_atoms():
    """An atom of weight 3/4 and one of 1/4: three stretches of the small value, one of the large."""
    means = quantile_means(np.array([[5.0, 1.0]]), np.array([0.25, 0.75]), 4)
    assert np.allclose(means, [[1, 1, 1, 5]], atol=1e-12)


def test_splitting_an_atom_changes_nothing():
    values, weights = np.array([[3.0, -1.0, 0.5]]), np.array([0.5, 0.3, 0.2])
    split = quantile_means(values[:, [0, 0, 1, 2]], np.array([0.1, 0.4, 0.3, 0.2]), 8)
    assert np.allclose(split, quantile_means(values, weights, 8), atol=1e-12)


def test_the_wasserstein_distance_of_a_shift_is_the_shift():
    points, weights = np.random.default_rng(1).standard_normal((3, 40)), np.full(40, 1 / 40)
    assert np.isclose(wasserstein((points, weights), (points + 0.3, weights)), 0.3, atol=1e-12)


def test_matched_labels_are_those_of_the_network():
    """The limit on a network's labels starts from the values that the network draws, to the bit."""
    net = network()
    limit = _Limit(replace(net, solver=()), settings(net), reduce(derive(net)))
    drawn = initial_state(system_of(net), 16, seed=5)
    matched = limit.labelled(16, 5)
    for name in ("h1.weight", "output.weight"):
        assert np.array_equal(matched[name], drawn[name])
    assert np.allclose(matched["h2.weight"], 1.0) and np.allclose(matched["p"]["h1"], 1 / 16)


def test_every_layer_and_law_is_observed():
    net = network()
    names = [one.name for one in observables(net, system_of(net))]
    assert names[:4] == ["outputs", "outputs at t = 0", "loss", "error"]
    assert {"h1 mean", "h3 square", "h1.weight law", "output.weight law"} <= set(names)
    assert "h2.weight law" not in names


def test_every_step_and_every_pre_activation_is_observed():
    """Steps are one observable a layer; pre-activations beside h have their own; indicators have none."""
    net = mf.load(recurrent_document())
    fields = layer_fields(system_of(net))
    assert fields == {"r": ("r.step1", "r.step2", "r.step3"), "g": ("g",), "g.gate": ("g.gate",)}
    assert {"r mean", "g.gate square"} <= {one.name for one in observables(net, system_of(net))}


def test_pooling_indicators_are_no_observables():
    """Which position is the maximum jumps; the maximum itself does not."""
    net = mf.load("specs/cnn_nguyen_table1.toml")
    names = [name for parts in layer_fields(system_of(net)).values() for name in parts]
    assert names and not any("select" in name or "inside" in name for name in names)


def test_settings_say_what_is_wrong():
    net = network()
    with pytest.raises(MfError, match="Did you mean 'quick'"):
        resolve_settings(net, "quik")
    with pytest.raises(MfError, match="at least 2"):
        resolve_settings(net, seeds=1)
    with pytest.raises(MfError, match="both"):
        resolve_settings(net, steps=3, horizon=1.0)
    thorough = resolve_settings(net, "thorough")
    assert thorough.seeds == 64 and resolve_settings(net, "thorough", seeds=3).seeds == 3
