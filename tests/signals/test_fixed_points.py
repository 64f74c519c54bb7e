"""Fixed points of variance and correlation: the reference numbers to their digits, and every special case
said.
"""

import math

import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.functions import call
from mfderive.errors import ArgumentError
from mfderive.signals.dense_map import DenseMap
from mfderive.signals.depth_map import DepthMap
from mfderive.signals.fixed_points import fixed_points

H = sp.Symbol("h")


def test_numbers_of_tanh():
    """Row 2: q*, chi_1, c*, xi_c on both sides of criticality, to the digits printed."""
    ordered = mf.signal("tanh", sigma_w2=1, sigma_b2=0.05)
    assert ordered.q_star == pytest.approx(0.193593, abs=5.1e-7)
    assert ordered.chi_1 == pytest.approx(0.759032, abs=5.1e-7)
    assert ordered.c_star == 1
    assert ordered.xi_c == pytest.approx(3.62698, abs=5.1e-6)
    chaotic = mf.signal("tanh", sigma_w2=4, sigma_b2=0.05)
    assert chaotic.q_star == pytest.approx(2.195494, abs=5.1e-7)
    assert chaotic.chi_1 == pytest.approx(1.342402, abs=5.1e-7)
    assert chaotic.c_star == pytest.approx(0.165065, abs=5.1e-7)
    assert chaotic.xi_c == pytest.approx(6.98027, abs=5.1e-6)
    assert (ordered.phase, chaotic.phase) == ("ordered", "chaotic")
    assert chaotic.trainable_depth == pytest.approx(6 * chaotic.xi_c)


def test_numbers_of_erf():
    """Row 5, with the closed forms of theory F at q*: digits printed, and the fixed point to 1e-13."""
    found = mf.signal("erf", sigma_w2=1.5**2, sigma_b2=0.05**2)
    assert found.q_star == pytest.approx(1.080874296, abs=5.1e-10)
    assert found.chi_1 == pytest.approx(1.241635504, abs=5.1e-10)
    assert found.c_star == pytest.approx(0.024637292, abs=5.1e-10)
    assert found.xi_c == pytest.approx(10.153455, abs=5.1e-7)
    q = found.q_star
    assert 2.25 * 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q)) + 0.0025 == pytest.approx(q, rel=1e-13)
    slope = 2.25 * (4 / np.pi) / ((1 + 2 * q) * np.sqrt(1 + 4 * q))
    assert found.xi_q == pytest.approx(-1 / np.log(slope), rel=1e-11)


def test_relu_is_critical_without_an_exponential_rate():
    """Row 6: every variance is at rest, l^2 (1 - c) -> 9 pi^2 / 2, and the first correlations from c = 0."""
    found = mf.signal("relu", sigma_w2=2)
    assert math.isnan(found.q_star)
    assert (found.c_star, found.phase, found.xi_c) == (1, "critical", math.inf)
    assert found.chi_1 == pytest.approx(1, abs=1e-14)
    assert found.found.slow_correlation.power == 2
    assert found.found.slow_correlation.constant == pytest.approx(9 * np.pi**2 / 2, rel=1e-6)
    dense, one, k, seen = DenseMap(call("relu", H), H), np.ones(1), np.zeros(1), []
    for _ in range(10):
        k = dense.advance_pair(k, one, one, {"sigma_w2": 2.0, "sigma_b2": 0.0})
        seen.append(float(k[0]))
    assert np.allclose([seen[0], seen[1], seen[9]], [0.318310, 0.493731, 0.871536], rtol=0, atol=5.1e-7)


def test_relu_beyond_two_has_no_fixed_point():
    """q* does not exist for sigma_w2 > 2: said, and chi_1 = sigma_w2 / 2 is that of large variances."""
    found = mf.signal("relu", sigma_w2=2.5, sigma_b2=0.1)
    assert (found.q_star, found.phase) == (math.inf, "unbounded")
    assert math.isnan(found.c_star)
    assert found.chi_1 == pytest.approx(1.25, rel=1e-12)
    assert "no q*" in found.text
    linear_growth = mf.signal("relu", sigma_w2=2, sigma_b2=0.1)
    assert linear_growth.q_star == math.inf
    ordered = mf.signal("relu", sigma_w2=1.6, sigma_b2=0.1)
    assert ordered.q_star == pytest.approx(0.1 / 0.2, rel=1e-13)
    assert ordered.xi_c == pytest.approx(-1 / np.log(0.8), rel=1e-12)


def test_leaky_relu_and_its_correlation_map():
    """Row 10: the C-map of leaky relu in closed form (deep kernel shaping), to 1e-14."""
    alpha, c = 0.3, np.linspace(-1, 1, 9)
    leaky = call("max", sp.Rational(3, 10) * H, H)
    dense = DenseMap(leaky, H)
    weight = 2 / (1 + alpha**2)
    mapped = dense.advance_pair(c[:, None], np.ones(1), np.ones(1), {"sigma_w2": weight, "sigma_b2": 0.0})[
        :, 0
    ]
    curve = (np.sqrt(1 - c * c) + (np.pi - np.arccos(c)) * c) / np.pi
    assert np.allclose(
        mapped, ((1 - alpha) ** 2 * curve + 2 * alpha * c) / (1 + alpha**2), rtol=0, atol=1e-14
    )


def test_noise_takes_equal_inputs_apart():
    """Rows 11 and 12: with dropout c = 1 is no fixed point, xi_c is finite, and q* obeys its own equation."""
    found = mf.signal("tanh", sigma_w2=2, sigma_b2=0.05, dropout_keep=0.9)
    assert 0 < found.c_star < 1
    assert math.isfinite(found.xi_c)
    dense, scales = DenseMap(call("tanh", H), H), {"sigma_w2": 2.0, "sigma_b2": 0.05}
    q = np.array([found.q_star])
    quiet = float(dense.advance(q, scales)[0]) - 0.05
    assert quiet / 0.9 + 0.05 == pytest.approx(q[0], rel=1e-13)
    pair = float(dense.advance_pair(found.c_star * q, q, q, scales)[0])
    assert pair == pytest.approx(found.c_star * q[0], rel=1e-11)
    assert "c = 1 is no fixed point" in found.text


def test_every_fixed_point_is_found():
    """GELU at (2.5, 0): 0 is stable, one point is not, and large variances run away: all said."""
    found = mf.signal("gelu", sigma_w2=2.5)
    zero, other = found.found.variances
    assert zero.at == (0.0,)
    assert zero.slope == pytest.approx(2.5 / 4, rel=1e-12)  # E gelu^2 / q -> 1/4
    q = other.at[0]
    value = q / 4 + q / (2 * np.pi) * np.arcsin(q / (1 + q)) + q**2 / (np.pi * (1 + q) * np.sqrt(1 + 2 * q))
    assert 2.5 * value == pytest.approx(q, rel=1e-12)
    assert zero.stable
    assert not other.stable
    assert found.found.unbounded
    assert found.q_star == math.inf
    below = mf.signal("gelu", sigma_w2=1.2)
    assert below.q_star == 0
    assert "dies out" in below.text


def test_vanishing_signals():
    """tanh at (1/2, 0): q* = 0, correlations rest; at (1, 0) the variance falls as 1 / (2 l), no
    exponential.
    """
    found = mf.signal("tanh", sigma_w2=0.5)
    assert (found.q_star, found.chi_1) == (0, 0.5)
    assert found.found.every_correlation
    silent = mf.signal("relu(tanh(h) - 0.3)", sigma_w2=3)
    assert (silent.q_star, silent.chi_1) == (0, 0)
    assert math.isnan(silent.c_star)
    critical = mf.signal("tanh", sigma_w2=1)
    assert critical.phase == "critical"
    assert critical.xi_q == math.inf
    assert critical.found.slow_variance.power == 1
    assert critical.found.slow_variance.constant == pytest.approx(0.5, rel=1e-5)


def test_jumps_pass_no_gradient():
    """sign: chi_1 is infinite, c* solves sigma_w2 (2 / pi) asin c + sigma_b2 = c q, q = sigma_w2 +
    sigma_b2.
    """
    found = mf.signal("sign", sigma_w2=1, sigma_b2=0.1)
    assert found.chi_1 == math.inf
    c = found.c_star
    assert 2 / np.pi * np.arcsin(c) + 0.1 == pytest.approx(1.1 * c, rel=1e-12)
    assert found.chi_c == pytest.approx(2 / (np.pi * np.sqrt(1 - c * c) * 1.1), rel=1e-11)
    written = mf.signal("h * heaviside(h)", sigma_w2=1.6, sigma_b2=0.1)  # no jump: relu
    assert written.chi_1 == pytest.approx(0.8, rel=1e-12)


class Coupled:
    """Two entries: an erf layer, and a stream that keeps half of itself and adds the layer's square."""

    names = ("layer", "stream")

    def __init__(self):
        self.dense = DenseMap(call("erf", H), H)

    def advance(self, q, scales):
        first = self.dense.advance(q[..., 1:], scales)[..., 0]
        return np.stack([first, 0.5 * q[..., 1] + 0.25 * q[..., 0] ** 2 + 0.1], axis=-1)

    def advance_pair(self, k12, q1, q2, scales):
        first = self.dense.advance_pair(k12[..., 1:], q1[..., 1:], q2[..., 1:], scales)[..., 0]
        return np.stack([first, 0.5 * k12[..., 1] + 0.25 * k12[..., 0] ** 2 + 0.1], axis=-1)

    def _matrix(self, slope, first):
        rows = [np.stack([0 * slope, slope], -1), np.stack([0.5 * first, 0.5 + 0 * first], -1)]
        return np.stack(rows, axis=-2)

    def jacobian(self, q, scales):
        return self._matrix(self.dense.jacobian(q[..., 1:], scales)[..., 0, 0], q[..., 0])

    def jacobian_pair(self, k12, q1, q2, scales):
        slope = self.dense.jacobian_pair(k12[..., 1:], q1[..., 1:], q2[..., 1:], scales)[..., 0, 0]
        return self._matrix(slope, k12[..., 0])

    def gradient_factor(self, q, scales):
        return self.dense.gradient_factor(q[..., 1:], scales)


def test_maps_of_several_entries():
    """A point of two entries solves its equations to 1e-12, and its slope is what iteration converges with.

    Deviations after many blocks shrink by the eigenvalue of largest size: the ratio is fitted to 1e-4.
    """
    coupled = Coupled()
    assert isinstance(coupled, DepthMap)
    scales = {"sigma_w2": 1.5, "sigma_b2": 0.05}
    found = mf.signal(coupled, sigma_w2=1.5, sigma_b2=0.05)
    assert "iteration" in found.text
    q = np.array(found.q_star)
    assert np.allclose(coupled.advance(q, scales), q, rtol=1e-12)
    value, sizes = q + 1e-3, []
    for _ in range(12):
        value = coupled.advance(value, scales)
        sizes.append(np.linalg.norm(value - q))
    assert sizes[-1] / sizes[-2] == pytest.approx(found.slope_q, abs=1e-3)
    assert found.c_star == pytest.approx((1, 1), rel=1e-9)
    critical = mf.critical(coupled, sigma_b2=0.05)
    at = {"sigma_w2": critical.sigma_w2, "sigma_b2": 0.05}
    place = np.array(critical.q_star)
    assert np.allclose(coupled.advance(place, at), place, rtol=1e-9)
    assert coupled.gradient_factor(place, at) == pytest.approx(1, abs=1e-9)


def test_maps_that_promise_nothing_are_searched_everywhere():
    """The same layer with and without the promise of convexity has the same stable correlation, to 1e-12."""

    class Plain(DenseMap):
        power_series = False

    scales = {"sigma_w2": 4.0, "sigma_b2": 0.05}
    plain, convex = (fixed_points(kind(call("erf", H), H), scales) for kind in (Plain, DenseMap))
    assert plain.correlation.at == pytest.approx(convex.correlation.at, rel=1e-12)
    assert plain.correlation.slope == pytest.approx(convex.correlation.slope, rel=1e-11)


def test_what_is_given_is_checked():
    """Unknown activations, constants, negative variances and the like: each refused with what is allowed."""
    for what, words in (
        (3, "activation is needed"),
        ("2", "constant"),
        (H + sp.Symbol("g"), "must have one"),
    ):
        with pytest.raises(ArgumentError, match=words):
            mf.signal(what, sigma_w2=1)
    with pytest.raises(mf.SpecError):
        mf.signal("tanhh", sigma_w2=1)
    for text in (
        "sqrt(abs(h))",
        "relu(h)**0.75",
        "abs(h)**0.95",
        "h * log(abs(h))",
    ):  # however slowly it grows
        with pytest.raises(ArgumentError, match=r"slope of the activation .* is infinite at h = 0"):
            mf.signal(text, sigma_w2=1)
    with pytest.raises(ArgumentError, match="sigma_b2"):
        mf.signal("tanh", sigma_w2=1, sigma_b2=-1)
    with pytest.raises(ArgumentError, match="probability"):
        mf.signal("tanh", sigma_w2=1, dropout_keep=1.5)


def test_the_object_says_what_it_is():
    """A short repr, text with every number, plain data without nan."""
    found = mf.signal("relu", sigma_w2=2)
    assert all(len(line) <= 120 for line in repr(found).splitlines())
    assert "q_star" in str(found) and "nan" not in str(found)
    assert found.data["q_star"] is None
    assert found.data["xi_c"] == "infinity"
    assert '"phase": "critical"' in found.to_json()
    page = found._repr_html_() + mf.critical("tanh", sigma_b2=0.05)._repr_html_()
    assert "<table" in page
    assert "1.76095464" in page


def test_weights_of_variance_0_and_functions_with_endless_kinks():
    """sigma_w2 = 0 leaves the biases: q* = sigma_b2 and chi_1 = 0, exactly. What jumps at endlessly many
    places is refused at once, by its own words."""
    found = mf.signal("tanh", sigma_w2=0.0, sigma_b2=0.3)
    assert found.q_star == pytest.approx(0.3, rel=1e-12) and found.chi_1 == 0 and found.c_star == 1
    for text in ("sign(sin(5 * h))", "abs(sin(h))"):
        with pytest.raises(mf.MfError, match="more than 64 places"):
            mf.signal(text, sigma_w2=1.0, sigma_b2=0.1)
