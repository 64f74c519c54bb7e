"""Weights inside a nonlinear sigma*: the kernel is the limit, the mean alone is not (theory C.5)."""

import functools

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import LimitSystem
from mfderive.reduction.closure import close_weights
from mfderive.reduction.exchangeability import collapse
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.state.draw import initial_state
from mfderive.state.ensembles import ensemble_state, plan_ensembles

from .specs import document, layer

STEPS, BATCH, RATE = 20, 20, 0.1
NOISE = "noise h2.weight"
SIGNS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


@functools.cache
def network():
    """tanh(w u) with uniform w between two layers; the labels of the first are four pairs of signs."""
    layers = [
        layer("h1", "x", "rademacher(1)", bias="0.5"),
        {
            "name": "h2",
            "activation": "tanh",
            "bias": "0",
            "connections": [{"from": "h1", "weight": "uniform(-1.5, 3)", "operation": "tanh(w * u)"}],
        },
    ]
    tables = {
        "data": {"kind": "teacher", "dimension": 2, "target": "0.5*tanh(2*x1) - 0.3*x2"},
        "training": {"learning_rate": RATE, "steps": STEPS, "batch_size": BATCH},
    }
    return mf.load(document(layers, {"from": "h2", "weight": "1"}, **tables))


@functools.cache
def full() -> LimitSystem:
    return mf.derive(network())


def mean_only() -> LimitSystem:
    """The wrong limit: closure forced on a weight that does not enter affinely."""
    return collapse(close_weights(full(), ["h2.weight"])).system


def outputs(system: LimitSystem, state) -> np.ndarray:
    """yhat on the evaluation sample after all SGD steps on the common batches."""
    solver = mf.generate(system)
    for k in range(STEPS):
        x, y = network().source.batch(k + 1, BATCH)
        state = solver.step(state, x, y, k * RATE, RATE)
    return solver.forward(state, network().source.evaluation(400)[0])["yhat"][:, 0]


def limit_outputs(system: LimitSystem, noise_nodes: int = 32) -> np.ndarray:
    nodes = {axis.name: noise_nodes for axis in system.node_axes if axis.name == NOISE}
    return outputs(system, ensemble_state(system, plan_ensembles(system, nodes=nodes), 0))


def wide_outputs(width: int, seed: int) -> np.ndarray:
    """A network with its own random entries; every pair of signs belongs to a quarter of the first layer."""
    state = initial_state(full(), width, seed)
    state["h1.weight"] = np.tile(SIGNS, (width // 4, 1))
    return outputs(full(), state)


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_quadrature_over_the_noise_converges():
    """32 Gauss nodes on a uniform law and a smooth path: twice as many change the outputs below 1e-6."""
    reduced = mf.reduce(full()).system
    assert rms(limit_outputs(reduced, 32) - limit_outputs(reduced, 64)) < 1e-6


def test_wide_networks_approach_the_kernel_and_not_the_mean():
    """Random entries alone perturb a network by O(1/width), in every seed: the error halves, and 1/n
    extrapolation of the seeds' average takes it an order below that of the widest network. The mean-only
    closure is wrong by an amount that no width mends."""
    kernel, mean = limit_outputs(mf.reduce(full()).system), limit_outputs(mean_only())
    widths, seeds = (64, 128, 256), (6, 4, 2)
    runs = [[wide_outputs(n, 1 + k) for k in range(count)] for n, count in zip(widths, seeds, strict=True)]
    errors = [rms(np.array(each) - kernel) for each in runs]
    assert errors[0] > 1.5 * errors[1] > 1.5 * 1.5 * errors[2]
    fit = np.linalg.lstsq(
        np.array([[np.sqrt(c), np.sqrt(c) / n] for n, c in zip(widths, seeds, strict=True)]),
        np.array([np.sqrt(c) * np.mean(each, axis=0) for each, c in zip(runs, seeds, strict=True)]),
        rcond=None,
    )[0]
    assert rms(fit[0] - kernel) < 4e-3
    assert rms(fit[0] - mean) > 25 * rms(fit[0] - kernel) and rms(kernel - mean) > 0.1
    assert min(rms(np.array(each) - mean) for each in runs) > 0.1


@pytest.mark.study
def test_the_witness_approaches_the_kernel():
    """Networks with all labels random, trained by automatic differentiation: 1/n extrapolation of the loss.

    The loss of 64, 48 and 32 seeds at widths 64, 128 and 256 is fitted by a + b/n with the seeds' standard
    errors; the kernel's loss lies within 3 standard errors of a, that of the mean-only closure far outside.
    """
    y = network().source.evaluation(400)[1]
    losses = {}
    for name, system in (("kernel", mf.reduce(full()).system), ("mean", mean_only())):
        losses[name] = evaluate_loss_error(network(), limit_outputs(system)[:, None], y)[0]
    rows, values = [], []
    for width, seeds in ((64, 64), (128, 48), (256, 32)):
        runs = mf.simulate(network(), width, seeds, precision="float64", evaluation=400)
        final = np.array([run.loss[-1] for run in runs])
        deviation = final.std(ddof=1) / np.sqrt(seeds)
        rows.append([1 / deviation, 1 / width / deviation])
        values.append(final.mean() / deviation)
    covariance = np.linalg.inv(np.array(rows).T @ np.array(rows))
    intercept = (covariance @ np.array(rows).T @ np.array(values))[0]
    error = float(np.sqrt(covariance[0, 0]))
    assert abs(intercept - losses["kernel"]) < 3 * error
    assert abs(intercept - losses["mean"]) > 5 * error
