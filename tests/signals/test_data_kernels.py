"""Kernels over data: against the closed recursion of a dense network, pairs one by one, and finite
networks."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.signals import data_kernels
from tests.signals.documents import chain, convolutional, random_graph
from tests.signals.witness import Witness

W2, B2 = 1.3, 0.2


def erf_moments(k):
    """E erf erf' and E erf' erf' over a matrix of covariances (theory F)."""
    q = 1 + 2 * np.diag(k)
    product = q[:, None] * q[None, :]
    return 2 / np.pi * np.arcsin(2 * k / np.sqrt(product)), 4 / np.pi / np.sqrt(product - 4 * k * k)


def test_closed_recursion(monkeypatch) -> None:
    """K' = W2 E phi phi + B2 and T' = K' + T W2 E phi' phi' of three erf layers, in blocks of four pairs,
    to rounding."""
    net = mf.load(chain(3, "erf"))
    found = mf.kernels(net, sigma_w2=W2, sigma_b2=B2)
    monkeypatch.setattr(data_kernels, "_BLOCK", 8 * found._entries * 4)
    x = np.random.default_rng(0).standard_normal((6, 6))
    kernel = W2 * x @ x.T / 6 + B2
    tangent = kernel.copy()
    for bias in (B2, B2, 0.0):
        values, slopes = erf_moments(kernel)
        kernel = W2 * values + bias
        tangent = kernel + tangent * W2 * slopes
    np.testing.assert_allclose(found.covariance(x), kernel, rtol=1e-12)
    np.testing.assert_allclose(found.tangent(x), tangent, rtol=1e-12)
    np.testing.assert_allclose(found.tangent(x[:2], x[3:]), tangent[:2, 3:], rtol=1e-12)


@pytest.mark.parametrize("spec", [convolutional(1, "relu", 3), random_graph(1)], ids=["convolution", "graph"])
def test_pairs_one_by_one(spec) -> None:
    """The same numbers as by depth, to the error of expectations (1e-9)."""
    net = mf.load(spec)
    found, signal = mf.kernels(net, sigma_w2=W2, sigma_b2=B2), mf.signal(net, sigma_w2=W2, sigma_b2=B2)
    x = np.random.default_rng(1).standard_normal((3, *net.input_shape))
    depth = signal.by_depth(x[0], x[2])
    assert found.covariance(x)[2, 0] == pytest.approx(depth.fields[-1].q12, rel=1e-9)
    assert found.tangent(x.reshape(3, -1))[0, 2] == pytest.approx(depth.tangent, rel=1e-9)


def test_shapes_are_checked() -> None:
    """Another shape of inputs is refused with the one that is wanted."""
    found = mf.kernels(mf.load(chain(1)), sigma_w2=1.0)
    with pytest.raises(mf.ArgumentError, match=r"x has the shape \(2, 5\); it must be \[samples, 6\]"):
        found.covariance(np.zeros((2, 5)))


@pytest.mark.study
def test_networks_have_the_tangent_kernel() -> None:
    """The empirical tangent kernel falls on the recursion as 1/sqrt(n): the slope of its rms deviation is
    near -1/2."""
    net = mf.load(chain(3))
    signal = mf.signal(net, sigma_w2=W2, sigma_b2=B2)
    x = np.random.default_rng(2).standard_normal((2, 6))
    wanted = mf.kernels(net, sigma_w2=W2, sigma_b2=B2).tangent(x)
    widths, off = (100, 200, 400, 800, 1600), []
    for width in widths:
        witness = Witness(net, width, W2, B2, set(signal.kernels.biases))
        runs = [witness.moments(seed, x) for seed in range(12)]
        own = [sum(v for name, v in run.items() if name.startswith("gradient")) for run in runs]
        off.append(np.sqrt(np.mean((np.array(own) - wanted) ** 2)))
    slope = np.polyfit(np.log(widths), np.log(off), 1)[0]
    print(f"\nrms deviation of the tangent kernel {np.array(off)}, slope {slope:.3f}")
    assert -0.62 < slope < -0.38
