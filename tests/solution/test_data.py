"""Solutions on fixed data: the same as batches where they are the same, convergence of quadrature."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.reduced import Reduced
from mfderive.errors import MfError
from mfderive.format.reader import parse_document
from mfderive.samples.resolve import resolve

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "quadrature_convergence.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("quadrature_convergence", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small(example, **changes):
    return resolve(parse_document({**example.DOCUMENT, **changes}), seed=0)


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_the_data_set_is_the_batch_of_all_rows(example, method):
    """data = "sample" on a fixed sample and batch_size = "all" are one average, to rounding."""
    data = {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.4, "samples": 30}
    training = {"learning_rate": 0.05, "steps": 8, "batch_size": "all"}
    net = small(example, data=data, training=training, solver={"method": method})
    nodes = {"h1": 16, "h3": 4}
    batches, sample = (mf.solve(net, nodes=nodes, data=rule) for rule in ("batches", "sample"))
    assert batches.loss == pytest.approx(sample.loss, rel=1e-12)
    assert sample.notes["samples_per_step"] == 30


def test_weighted_data_counts_by_its_weights(example):
    """The velocity on quadrature nodes is the mean of velocities of single nodes with their weights."""
    from mfderive.solution.feed import make_feed

    net = small(example)
    solver = mf.generate(mf.reduce(mf.derive(net)))
    state = mf.solve(net, steps=1, nodes={"h1": 16, "h3": 4}, data_nodes=4).at(0.0)
    x, y, weights = make_feed(net, Reduced.identity(mf.derive(net)), "quadrature", 4)(1)
    together = solver.velocity(state, x, y, 0.0, weights)
    assert np.ptp(weights) == 0 or len(set(np.round(weights, 12))) > 1
    for name in ("h1.weight", "h2.weight", "output.weight"):
        alone = sum(
            w * solver.velocity(state, x[k : k + 1], y[k : k + 1])[name].copy() for k, w in enumerate(weights)
        )
        assert together[name] == pytest.approx(alone, rel=1e-10, abs=1e-13)


def test_quadrature_converges_at_high_order(example):
    """Twice every resolution changes the loss by less than 1e-6 at m = 12 (1e-5 is wanted).

    With time steps that are fine for all, the nodes alone converge geometrically: from 2 to 6 nodes a number
    the error falls by more than fourth order, which would give 3^-4 = 0.012, and from 4 to 6 it falls too.
    """
    fine, middle = (example.loss_curve(m, example.STEPS * m) for m in (24, 12))
    assert np.abs(fine - middle).max() < 1e-6
    exact = example.loss_curve(10, 8)
    errors = [np.abs(example.loss_curve(m, 8) - exact).max() for m in (2, 4, 6)]
    assert errors[1] < 0.1 * errors[0] and errors[2] < errors[1]
    assert errors[2] < 0.01 * errors[0]


def test_other_rules_approach_the_same_limit(example):
    """Sobol data and fixed draws lead near the quadrature's loss: within 2e-3 and within 0.1.

    400 draws know means of order one to 0.05; 1024 Sobol points in two dimensions are a hundred times better.
    """
    net = small(example)
    nodes = {"h1": 64, "h3": 8}
    exact, sobol, sample = (
        mf.solve(net, 1.0, nodes=nodes, data=rule, data_nodes=count, step=0.1).loss[-1]
        for rule, count in (("quadrature", 64), ("sobol", 1024), ("sample", 400))
    )
    assert abs(sobol - exact) < 2e-3
    assert abs(sample - exact) < 0.1


def test_options_that_do_not_fit_are_refused(example):
    with pytest.raises(MfError, match="data_nodes"):
        mf.solve(small(example, solver={}), data_nodes=10)
    with pytest.raises(MfError, match="quadrature"):
        mf.solve(small(example), data="gauss")
