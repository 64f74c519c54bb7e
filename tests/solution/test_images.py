"""Image-sized problems run reduced and say what memory they need; digits against networks (a study)."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.format.reader import parse_document
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.samples.resolve import resolve

DIGITS = Path(__file__).resolve().parents[2] / "specs" / "digits.toml"


def mnist_sized(samples):
    """784 inputs, three hidden layers, ten classes; pixels and labels at random."""
    rng = np.random.default_rng(0)
    hidden = {"weight": "normal(1, 0.1)", "bias": "0", "activation": "relu"}
    document = {
        "format": 1,
        "title": "MNIST-sized",
        "data": {"kind": "arrays"},
        "loss": {"kind": "cross-entropy"},
        "layers": [
            {"name": "h1", "from": "x", **hidden, "weight": "normal(0, sqrt(2/784))"},
            {"name": "h2", "from": "h1", **hidden},
            {"name": "h3", "from": "h2", **hidden},
        ],
        "output": {"from": "h3", "weight": "normal(1, 0.1)", "bias": "0", "outputs": 10},
        "training": {"learning_rate": 0.05, "batch_size": 100, "steps": 6},
    }
    data = rng.random((samples, 784)), rng.integers(0, 10, samples).astype(float)
    return resolve(parse_document(document), data=data, seed=0)


def test_mnist_sized_network_in_the_memory_that_is_stated():
    """Labels of 784 and of 10 numbers by Sobol points; the peak of a run keeps to what the notes say.

    The two checkpoints that are kept, the evaluation sample's outputs and small objects come on top: two
    copies of the parameters and a megabyte.
    """
    net = mnist_sized(300)
    solver = mf.generate(mf.reduce(mf.derive(net)))
    mf.solve(net, steps=1, solver=solver, checkpoints=2)  # imports and compiled code are not counted
    tracemalloc.start()
    path = mf.solve(net, solver=solver, checkpoints=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.notes["nodes"] == {"h1": 1024, "h3": 1024}
    assert path.loss[-1] < path.loss[0] and np.isfinite(path.loss).all()
    parameters = sum(value.nbytes for name, value in path.at().items() if name != "p")
    stated = path.notes["memory_bytes"]
    assert 2 * parameters < stated < 1e8
    assert peak < stated + 3 * parameters + 2**20
    # The same network with 1000 neurons per layer would hold 2.8 million weights; this state has 0.8 million.
    assert parameters < 8 * 0.85e6


def test_digits_train_in_the_limit():
    """500 steps of the shipped spec: the loss falls from that of equal odds, ln 10."""
    net = mf.load(DIGITS)
    path = mf.solve(net, steps=500)
    assert path.loss[0] == pytest.approx(np.log(10), abs=1e-2)
    assert path.loss[-1] < path.loss[0] - 0.3


def training_loss(path, x, y):
    return evaluate_loss_error(path.network, path.predict(x), y)[0]


def extrapolated(widths, losses):
    """Intercept of mean loss against 1/n, and half of its 99 % interval: weighted least squares.

    Every width's mean has the variance of its seeds; the interval takes Student's t with the fewest degrees
    of freedom, those of one width, because the variances are estimated.
    """
    from scipy.stats import t

    rows = np.array([losses[width] for width in widths])
    means, variances = rows.mean(axis=1), rows.var(axis=1, ddof=1) / rows.shape[1]
    design = np.stack([np.ones(len(widths)), 1 / np.array(widths)], axis=1)
    covariance = np.linalg.inv(design.T @ (design / variances[:, None]))
    intercept, slope = covariance @ design.T @ (means / variances)
    return intercept, slope, t.ppf(0.995, rows.shape[1] - 1) * np.sqrt(covariance[0, 0])


@pytest.mark.study
def test_digits_networks_extrapolate_to_the_limit():
    """The limit's training loss at the end lies within the 99 % interval of widths 100, 200, 400, n -> oo.

    Eight networks per width, all on the same batches, to the end of the shipped spec (t = 150, where all have
    learnt the images). The limit's own error comes from four scrambles.
    """
    net, widths, seeds = mf.load(DIGITS), (100, 200, 400), 8
    x, y = net.source.evaluation(net.source.rows, "train")
    limits = [mf.solve(net, seed=seed, checkpoints=2) for seed in range(4)]
    found = np.array([training_loss(path, x, y) for path in limits])
    own = 5.841 * found.std(ddof=1) / 2
    losses = {
        width: [training_loss(path, x, y) for path in mf.simulate(net, width, seeds, checkpoints=2)]
        for width in widths
    }
    intercept, slope, half = extrapolated(widths, losses)
    print(f"\ndigits, training loss at t = {limits[0].times[-1]:.0f}, {seeds} networks per width")
    for width in widths:
        print(f"  width {width}: {np.mean(losses[width]):.5f}, deviation {np.std(losses[width], ddof=1):.5f}")
    print(f"  extrapolated in 1/n: {intercept:.5f} +- {half:.5f} (99 %), slope {slope:.3f}")
    print(f"  limit: {found.mean():.5f} +- {own:.1e} (own error, 99 %), {limits[0].notes['nodes']} nodes")
    print(f"  memory of the limit: {limits[0].notes['memory_bytes'] / 1e6:.1f} MB")
    assert found.mean() < 0.1  # it has learnt the images
    assert abs(found.mean() - intercept) < half
