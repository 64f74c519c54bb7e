"""Influence functions = derivatives of the whole solution in the weights of its nodes (theory D, A.7)."""

from pathlib import Path

import numpy as np
import pytest

import mfderive as mf

from .material import changes_in_weights, document, layer, shipped

# Five-point differences of a few dozen steps agree to 1e-10; Adam's square roots are less smooth.
TOLERANCE = 1e-6
TWO = document(
    [layer("h1", "x", "normal(0, 1)", bias="normal(0, 0.5)")], {"from": "h1", "weight": "normal(0.5, 1)"}
)
RULES = {
    "sgd": {},
    "momentum": {"optimizer": {"kind": "momentum", "mu": 0.8}, "weight_decay": 0.2},
    "adam": {"optimizer": {"kind": "adam", "eps": 0.05}},
    "heavy-ball": {"optimizer": {"kind": "heavy-ball", "gamma": 0.7}},
    "schedule": {"schedule": "1/k"},
}
STUDIED = [
    pytest.param(path.stem, marks=pytest.mark.study)
    for path in sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
]


def agree(network: mf.Network, times: list[float], **options) -> mf.Fluctuations:
    """Predicted and measured derivatives, relative to the largest."""
    found = mf.fluctuations(network, times, **options)
    predicted, measured = changes_in_weights(found, **options)
    scale = np.abs(measured).max(axis=(1, 2), keepdims=True)
    assert np.all(np.abs(predicted - measured) <= TOLERANCE * scale)
    return found


@pytest.mark.parametrize(
    "rule", [r if r == "momentum" else pytest.param(r, marks=pytest.mark.study) for r in RULES]
)
def test_every_learning_rule(rule: str) -> None:
    """Rules with memory come from their own update, transposed entry by entry."""
    network = mf.load(TWO | {"training": TWO["training"] | RULES[rule]})
    found = agree(network, [0.0, 0.2], nodes=5, evaluation=2)
    assert list(found.sources) == ["h1"]
    np.testing.assert_allclose(sum(found.sources.values()), found.n_variance, rtol=1e-12)


@pytest.mark.parametrize("name", STUDIED)
def test_shipped_specs(name: str) -> None:
    """Convolutions, recurrence, ties, normalisation, heads: nothing is special to any of them.

    Where a kink lies within the step of the differences they are wrong, so the step is small and smooth
    specs dominate; values of images are exactly 0 at kinks whichever the step.
    """
    network, end = shipped(name)
    agree(network, [0.0, end], nodes=4, evaluation=8)


def test_influence_is_centred_and_adds_up_to_covariances() -> None:
    """Means of 0 under the weights of nodes; the diagonal of n Cov is n Var; a deviation is its root."""
    network = mf.load(TWO | {"training": TWO["training"] | RULES["momentum"]})
    found = mf.fluctuations(network, [0.1, 0.2], nodes=5, evaluation=2, loss=True)
    for name, psi in found.influence.items():
        assert np.abs(psi @ found.weights[name]).max() < 1e-12 * np.abs(psi).max()
    np.testing.assert_allclose(np.diag(found.n_covariance()), found.n_variance.ravel(), rtol=1e-12)
    np.testing.assert_allclose(found.deviation(100) ** 2 * 100, found.n_variance, rtol=1e-12)
    assert found.loss_n_variance.shape == (2,) and (found.loss_n_variance > 0).all()


def test_clipping_and_fresh_noise_are_refused() -> None:
    """What is no step of single entries is said, not left out."""
    for option, word in (({"clip": 0.5}, "clip"), ({"noise": 0.1}, "noise")):
        network = mf.load(replace_training(option))
        with pytest.raises(mf.MfError, match=word):
            mf.fluctuations(network, [0.1], nodes=4, evaluation=8)


def replace_training(option: dict) -> dict:
    """The small spec with another way of learning."""
    return TWO | {"training": TWO["training"] | option}


def test_bad_arguments_are_refused() -> None:
    """Times, points and options."""
    network = mf.load(TWO)
    for call, word in (
        (lambda: mf.fluctuations(network, [-1.0]), "times"),
        (lambda: mf.fluctuations(network, [0.1], np.zeros((2, 4))), "x has shape"),
        (lambda: mf.fluctuations(network, [0.1], method="flow"), "method"),
        (lambda: mf.fluctuations("spec"), "network"),
    ):
        with pytest.raises(mf.MfError, match=word):
            call()
