"""Threads of matrix products while a limit is solved, and pieces of the evaluation sample."""

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.solution.threads import THREADED_PRODUCT, fitting_threads, largest_product

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"


def blas_threads() -> list[int]:
    """Of numpy's and scipy's libraries; other tests may have loaded more."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [p["num_threads"] for p in pools if "scipy" in p["filepath"] or "numpy" in p["filepath"]]


def test_largest_product_is_the_one_of_two_hidden_layers():
    """width^2 * batch for the network; after reduction first types * inputs * batch is left."""
    limit = mf.derive(mf.load(SPEC))
    sizes = {f"h{k}": 200 for k in range(1, 5)}
    assert largest_product(draw_noise(limit), sizes, 100) == 200 * 200 * 100
    assert largest_product(mf.reduce(limit).system, {"h1": 1024, "h4": 32}, 100) == 1024 * 32 * 100


def test_small_products_run_on_one_thread_and_only_then():
    before = blas_threads()
    assert before
    with fitting_threads(THREADED_PRODUCT - 1):
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    with fitting_threads(THREADED_PRODUCT):
        assert blas_threads() == before


@pytest.mark.parametrize(("batch", "evaluation"), [(100, 250), (7, 130), (600, 550), (64, 64), (1000, 3)])
def test_pieces_of_the_evaluation_sample_cover_it_once(batch, evaluation):
    """The loss at t = 0 is the mean over the whole sample, however it is cut (to rounding)."""
    import dataclasses

    net = mf.load(SPEC)
    net = dataclasses.replace(net, training=dataclasses.replace(net.training, batch_size=batch))
    path = mf.solve(net, steps=1, nodes=64, evaluation=evaluation)
    x, y = net.source.evaluation(evaluation)
    yhat = path.predict(x, t=0.0)
    assert path.loss[0] == pytest.approx(np.mean((yhat - y) ** 2), rel=1e-12)


def test_patches_are_multiplied_sample_by_sample():
    """The largest product of the Table 1 network is one sample's: 50 * 50 * 9 taps * 64 positions."""
    limit = mf.derive(mf.load(SPEC.parent / "cnn_nguyen_table1.toml"))
    sizes = {f"c{k}": 50 for k in range(1, 8)}
    assert largest_product(draw_noise(limit), sizes, 50) == 50 * 50 * 9 * 64


def test_threads_share_samples_without_changing_a_bit(tmp_path, monkeypatch):
    """A step with four helping threads against one on this thread alone."""
    net = mf.load(SPEC.parent / "cnn_small.toml")
    solver = mf.generate(mf.derive(net), tmp_path)
    state = solver.sample(8, seed=3)
    x, y = net.source.batch(1, 37)
    alone = solver.step(state, x, y, 0.0, 0.1)
    monkeypatch.setattr(solver, "THREADS", 5)
    monkeypatch.setattr(solver, "WORTH", 0.0)
    monkeypatch.setattr(solver, "POOLS", {})
    shared = solver.step(state, x, y, 0.0, 0.1)
    assert solver.POOLS  # threads were asked
    assert all(np.array_equal(alone[name], shared[name]) for name in solver.PARAMETERS)
