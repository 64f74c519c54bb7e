"""Critical points and lines, phase diagrams, and growth through batch normalisation."""

import math
import time

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, optimize

import mfderive as mf
from mfderive.algebra.functions import call
from mfderive.errors import ArgumentError, MfError
from mfderive.signals.activations import dense_map
from mfderive.signals.critical_lines import critical_line, half_stable_points
from tests.signals.documents import connection, dense, document

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(201)
WEIGHTS = WEIGHTS / np.sqrt(2 * np.pi)


def tanh_line(q):
    """The parametric form of theory F by 201 Gauss-Hermite nodes: sigma_w2 and sigma_b2 at q."""
    value = np.tanh(np.sqrt(q) * NODES)
    sigma_w2 = 1 / (WEIGHTS @ (1 - value**2) ** 2)
    return sigma_w2, q - sigma_w2 * (WEIGHTS @ value**2)


def test_numbers_of_critical_points():
    """Rows 1, 3, 4, 6 and 11, to their digits."""
    tanh = mf.critical("tanh", sigma_b2=0.05)
    assert tanh.sigma_w2 == pytest.approx(1.760954640, abs=5.1e-10)
    assert tanh.q_star == pytest.approx(0.570047882, abs=5.1e-10)
    assert -1 / math.log(tanh.slope_q) == pytest.approx(1.521097, abs=5.1e-7)
    sigma_w2, sigma_b2 = critical_line(dense_map("tanh"), 1 / 16)
    assert sigma_w2 == pytest.approx(1.115380624, abs=5.1e-10)
    assert sigma_b2 == pytest.approx(0.000236877, abs=5.1e-10)
    erf = mf.critical("erf", sigma_b2=0.05)
    assert erf.sigma_w2 == pytest.approx(1.375839007, abs=5.1e-10)
    assert erf.q_star == pytest.approx(0.517176838, abs=5.1e-10)
    relu = mf.critical("relu")
    assert relu.sigma_w2 == pytest.approx(2, rel=1e-14)
    assert math.isnan(relu.q_star)
    assert mf.critical("relu", dropout_keep=0.8).sigma_w2 == pytest.approx(1.6, rel=1e-14)
    assert mf.critical("relu", noise_variance=0.5).sigma_w2 == pytest.approx(2 / 1.5, rel=1e-14)
    zero = mf.critical("tanh")
    assert (zero.sigma_w2, zero.q_star) == (1, 0)


def test_half_stable_point_of_gelu():
    """Row 8: K* = (3 + sqrt 17) / 2 to 1e-10 of it, and its scales to their digits; tanh and relu have
    none.
    """
    (point,) = half_stable_points(dense_map("gelu"))
    assert point.q_star == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-10)
    assert point.sigma_w2 == pytest.approx(1.983058257, abs=5.1e-10)
    assert point.sigma_b2 == pytest.approx(0.172922391, abs=5.1e-10)
    assert half_stable_points(dense_map("relu")) == ()


def test_critical_line_against_its_parametric_form():
    """tanh by Gauss-Hermite nodes and erf by its closed form: sigma_w2 at a sigma_b2 within 1e-9 (asked:
    1e-6).
    """
    for q in (0.1, 0.4, 1.5):
        sigma_w2, sigma_b2 = tanh_line(q)
        found = mf.critical("tanh", sigma_b2=sigma_b2)
        assert found.sigma_w2 == pytest.approx(sigma_w2, abs=1e-9)
        assert found.q_star == pytest.approx(q, abs=1e-8)
    q = np.array([0.01, 0.3, 2.0, 50.0])
    sigma_w2, sigma_b2 = critical_line(dense_map("erf"), q)
    assert np.allclose(sigma_w2, np.pi / 4 * np.sqrt(1 + 4 * q), rtol=1e-13)
    exact = q - 0.5 * np.sqrt(1 + 4 * q) * np.arcsin(2 * q / (1 + 2 * q))
    assert np.allclose(sigma_b2, exact, rtol=0, atol=1e-13 * q.max())


def test_gain_of_a_user_expression():
    """The critical scale of swish with slope 1.7 by plain quad and brentq, to 1e-9."""

    def moments(q):
        def value(h):
            s = 1 / (1 + np.exp(-1.7 * h))
            return h * s, s + 1.7 * h * s * (1 - s)

        def density(z, k):
            return value(np.sqrt(q) * z)[k] ** 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

        return [integrate.quad(density, -12, 12, args=(k,), epsabs=1e-13, limit=200)[0] for k in (0, 1)]

    def left(log_q):
        square, slope = moments(np.exp(log_q))
        return np.exp(log_q) - square / slope - 0.2

    found = mf.critical("h * sigmoid(1.7 * h)", sigma_b2=0.2)
    q = np.exp(optimize.brentq(left, math.log(found.q_star) - 0.5, math.log(found.q_star) + 0.5, xtol=1e-13))
    assert found.q_star == pytest.approx(q, rel=1e-8)
    assert found.sigma_w2 == pytest.approx(1 / moments(q)[1], rel=1e-9)
    assert found.gain == pytest.approx(math.sqrt(found.sigma_w2))


def test_where_nothing_is_critical():
    """relu with biases: chi_1 stays below 1, and the message says how near it comes."""
    with pytest.raises(MfError, match=r"chi_1 stays below 1 .*nearest: 1 - "):
        mf.critical("relu", sigma_b2=0.1)
    with pytest.raises(ArgumentError, match="must not be negative"):
        mf.critical("tanh", sigma_b2=-0.1)


@pytest.mark.parametrize("sigma_b2", [1e2, 1e4, 1e6])
def test_a_critical_variance_just_above_a_large_bias(sigma_b2: float) -> None:
    """Bounded activations rest just above it: q = sigma_b2 + sigma_w2 E[phi^2], sigma_w2 E[phi'^2] = 1.

    sin has E[sin^2] = E[cos^2] = 1/2 at these q, so that sigma_w2 = 2 and q = sigma_b2 + 1; erf has E[erf^2]
    = (2/pi) arcsin(2q/(1+2q)) and E[erf'^2] = (4/pi)/sqrt(1+4q). The tolerance is sigma_w2's share of q in
    rounding.
    """
    waves = mf.critical("sin(h)", sigma_b2=sigma_b2)
    assert waves.sigma_w2 == pytest.approx(2.0, rel=1e-15 * sigma_b2 * 10)
    assert waves.q_star == pytest.approx(sigma_b2 + 1, rel=1e-13)

    def left(weight: float) -> float:
        q = ((weight * 4 / math.pi) ** 2 - 1) / 4
        return sigma_b2 + weight * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) - q

    found = mf.critical("erf(h)", sigma_b2=sigma_b2)
    expected = optimize.brentq(left, 1.0, 10 * math.sqrt(sigma_b2), xtol=1e-13)
    assert found.sigma_w2 == pytest.approx(expected, rel=1e-9)


class Normalised:
    """A layer that divides by its deviation: chi_1 is 1 at every scale."""

    names = ("q",)

    def advance(self, q, scales):
        return np.asarray(scales["sigma_w2"])[..., None] + np.asarray(scales["sigma_b2"]) + 0 * q

    advance_pair = jacobian = jacobian_pair = advance

    def gradient_factor(self, q, scales):
        return 1.0 + 0 * q[..., 0] * np.asarray(scales["sigma_w2"])


def test_where_everything_is_critical():
    """A map with chi_1 = 1 throughout has no scale to be chosen, and says so."""
    with pytest.raises(MfError, match="chi_1 = 1 whatever sigma_w2 is"):
        mf.critical(Normalised(), sigma_b2=0.1)


def test_a_phase_diagram_is_what_single_points_are():
    """Cells of a small grid against mf.signal (1e-11), the line against its parametric form (1e-6)."""
    diagram = mf.phase_diagram("tanh", np.linspace(0.5, 4, 6), [0.0, 0.05, 1.0])
    assert diagram.q_star.shape == (3, 6)
    for b, w in ((0, 5), (1, 1), (1, 4), (2, 3), (0, 0)):
        one = mf.signal("tanh", sigma_w2=diagram.sigma_w2[w], sigma_b2=diagram.sigma_b2[b])
        for name in ("q_star", "chi_1", "c_star", "xi_q", "xi_c"):
            assert getattr(diagram, name)[b, w] == pytest.approx(getattr(one, name), rel=1e-11, nan_ok=True)
    exact = np.array([tanh_line(q) for q in (0.2, 0.6, 1.0)])
    on_line = np.interp(exact[:, 1], diagram.line_b2, diagram.line_w2)
    assert np.allclose(on_line, exact[:, 0], rtol=0, atol=1e-4)  # between nodes of the line: linear
    assert diagram.chaotic[0, -1]
    assert not diagram.chaotic[2, 0]
    assert diagram.data["q_star"][0][0] == 0
    unbounded = mf.phase_diagram("relu", [1.0, 2.5], [0.1])
    assert unbounded.data["q_star"] == [[pytest.approx(0.2), None]]


@pytest.mark.study
def test_forty_by_forty():
    """tanh over 40 x 40 scales in less than 30 seconds; the critical line within 1e-6 of its parametric
    form.
    """
    start = time.perf_counter()
    diagram = mf.phase_diagram("tanh", np.linspace(0.1, 4, 40), np.linspace(0, 1, 40))
    taken = time.perf_counter() - start
    print(f"40 x 40: {taken:.1f} s")
    assert taken < 30
    q = np.array([0.05, 0.2, 0.6, 1.0, 2.0])
    sigma_w2, sigma_b2 = critical_line(dense_map("tanh"), q)
    exact = np.array([tanh_line(each) for each in q])
    assert np.allclose(np.stack([sigma_w2, sigma_b2], axis=1), exact, rtol=0, atol=1e-6)
    assert np.isfinite(diagram.q_star).all()


def test_growth_through_batch_normalisation():
    """Row 14 and theory F: linear (B - 2) / (B - 3) to 1e-11; relu at all B, its limit to 1e-12.

    At B = 256 the value of 200,000 drawn spheres is 1.47317 with a standard error of 0.0003.
    """
    for batch in (4, 5, 8, 30):
        exact = (batch - 2) / (batch - 3)
        assert mf.batch_norm_growth("linear", batch) == pytest.approx(exact, rel=1e-11)
    assert mf.batch_norm_growth("relu") == pytest.approx(math.pi / (math.pi - 1), rel=1e-12)
    for batch, value, within in (
        (8, 1.79, 0.0051),
        (16, 1.59, 0.0051),
        (64, 1.49, 0.0051),
        (256, 1.47317, 9e-4),
    ):
        assert mf.batch_norm_growth("relu", batch) == pytest.approx(value, abs=within)
    far = [
        (mf.batch_norm_growth("tanh", batch) - mf.batch_norm_growth("tanh")) * batch for batch in (500, 1000)
    ]
    assert far[0] == pytest.approx(far[1], rel=0.02)  # the approach is of order 1 / B
    with pytest.raises(ArgumentError, match="at least 4"):
        mf.batch_norm_growth("relu", 3)
    with pytest.raises(ArgumentError, match="jumps"):
        mf.batch_norm_growth("sign")
    with pytest.raises(ArgumentError, match="an activation is needed"):
        mf.batch_norm_growth(None)
    with pytest.raises(MfError, match="no variance"):
        mf.batch_norm_growth(sp.Symbol("h") ** 0 * call("sign", sp.Symbol("h") ** 2 + 1))


def test_growth_of_a_small_batch_by_draws():
    """The formula of theory F by 40,000 drawn spheres at B = 6 for tanh, within four of its standard
    errors.
    """
    batch, draws = 6, 40_000
    random = np.random.default_rng(0)
    centred = np.eye(batch) - 1 / batch
    h = random.normal(size=(draws, batch)) @ centred
    length = np.linalg.norm(h, axis=1, keepdims=True)
    z = np.sqrt(batch) * h / length
    g = (random.normal(size=(draws, batch)) @ centred) * (1 - np.tanh(z) ** 2)
    left = g - g.mean(axis=1, keepdims=True) - z * (g * z).mean(axis=1, keepdims=True)
    phi = np.tanh(z)
    apart = np.mean(phi**2) - (np.mean(phi.sum(axis=1) ** 2) / batch - np.mean(phi**2)) / (batch - 1)
    samples = np.sum(left**2, axis=1) / (batch - 1) * batch / (apart * (batch - 3))
    error = samples.std() / math.sqrt(draws)
    assert abs(samples.mean() - mf.batch_norm_growth("tanh", batch)) <= 4 * error + 0.01


def leaking_stream(activation, keep):
    """x' = keep x + phi(W x + b) on one population: a function with a mean hands on two kernel entries."""
    inner = {**dense("inner", "block", activation), "neurons": "block", "kind": "dense"}
    if activation != "relu":
        del inner["bias"]  # it would stand beside an expression
    both = [connection("block", kind="skip", operation=keep), connection("inner", kind="skip")]
    stream = {"name": "stream", "neurons": "block", "connections": both}
    first = {"name": "s", "from": "x", "weight": "normal(0, 1)"}
    group = {"name": "block", "repeat": 4, "from": "s", "layers": [inner, stream]}
    return mf.load(document([first, group], "block"))


@pytest.mark.study
def test_critical_scales_of_several_kernel_entries() -> None:
    """A stream of sigmoids: at the point that is found chi_1 is 1 to 1e-9, and beside it ordered and
    chaotic."""
    net = leaking_stream("erf(3 * h + 1)", "u / 2")
    found = mf.critical(net, sigma_b2=0.1)
    assert len(found.q_star) == 2 and "(" in found.text and len(found.data["points"][0]["q_star"]) == 2
    signals = [mf.signal(net, sigma_w2=found.sigma_w2 * part, sigma_b2=0.1) for part in (1.0, 0.9, 1.1)]
    assert abs(signals[0].chi_1 - 1) < 1e-9
    np.testing.assert_allclose(signals[0].q_star, found.q_star, rtol=1e-7)
    assert (signals[1].chi_1 - 1) * (signals[2].chi_1 - 1) < 0


def test_points_far_out_and_jumps() -> None:
    """elu and selu have one critical point each, whatever the grid of variances holds far out; an activation
    that jumps has none, for that reason. Diagrams of nothing that rests say so, without warnings.
    """
    for name in ("elu", "selu"):
        (point,) = mf.critical(name, sigma_b2=0.1).points
        assert point.q_star < 10
    with pytest.raises(mf.MfError, match="the activation jumps"):
        mf.critical("sign", sigma_b2=0.1)
    with pytest.raises(mf.MfError, match=r"chi_1 = 1.58995 whatever the scales are"):
        mf.critical(mf.load("specs/signal/batch_norm.toml"))
    assert "on 100 %" in repr(mf.phase_diagram("sign", [0.5, 1.0], [0.1]))
    assert "no variance rests" in repr(mf.phase_diagram("relu", [2.5, 3.0], [0.1]))


def test_streams_without_rest_have_no_critical_scale() -> None:
    """Streams that only add never come to rest; those whose gradients never reach 1 say how far they come."""
    with pytest.raises(mf.MfError, match="streams that only add grow for ever"):
        mf.critical(leaking_stream("relu", "u"), sigma_b2=0.1)
    with pytest.raises(mf.MfError, match="chi_1 lies between"):
        mf.critical(leaking_stream("relu", "u / 2"), sigma_b2=0.1)
