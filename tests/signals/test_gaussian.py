"""Gaussian expectations against integrals of scipy and exact values, at every sort of covariance.

Tolerances: 1e-12 relative where two quadratures or a closed form are compared (the requested accuracy is
1e-13), and the stated error of each value where honesty is tested.
"""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, special

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.errors import ArgumentError, MfError
from mfderive.signals import gaussian
from mfderive.signals.adaptive_panels import GAUSS_WEIGHTS, NODES, WEIGHTS
from mfderive.signals.gaussian import Expectation

U, V, W, X = sp.symbols("u v w x")
HALF = sp.Rational(1, 2)


@pytest.fixture
def by_quadrature(monkeypatch):
    """Nothing is taken from the table of closed forms."""
    monkeypatch.setattr(gaussian, "_closed", lambda part: None)


def pair(q1, q2, c):
    k = c * np.sqrt(q1 * q2)
    return np.array([[q1, k], [k, q2]])


def test_the_rule_of_panels_has_its_degrees():
    """Kronrod's 21 nodes are exact to degree 31, Gauss's 10 among them to 19, and no further."""
    exact = [2 / (degree + 1) for degree in range(0, 33, 2)]
    sums = [NODES**degree @ WEIGHTS for degree in range(0, 33, 2)]
    assert np.allclose(sums[:-1], exact[:-1], rtol=4e-15, atol=0)
    assert abs(sums[-1] / exact[-1] - 1) > 1e-13
    gauss = [NODES**degree @ GAUSS_WEIGHTS for degree in range(0, 21, 2)]
    assert np.allclose(gauss[:10], exact[:10], rtol=4e-15, atol=0)
    assert abs(gauss[10] / exact[10] - 1) > 1e-7


@pytest.mark.parametrize(
    ("expression", "kinks"),
    [
        (call("relu", call("tanh", U) - HALF), [np.arctanh(0.5)]),
        (call("max", U, U / 2 + 1) * call("tanh", U), [2.0]),
        (call("huber", U - 1, sp.Rational(3, 10)), [0.7, 1.3]),
        (call("sign", U**2 - 2) * call("tanh", U) ** 2, [-np.sqrt(2), np.sqrt(2)]),
        (call("tanh", 30 * (U - HALF)) * U, [0.5, 0.4, 0.6]),
        (call("softplus", U), [0.0]),
    ],
)
def test_one_variable_with_bends_where_they_are(by_quadrature, expression, kinks):
    """Against scipy's quad with the bends typed in; both ask for 1e-13."""
    for q in (0.3, 1.0, 20.0):
        value, error = Expectation(expression, (U,)).evaluate([[q]])

        def density(u, q=q):
            return (
                float(evaluate_expression(expression, {U: u}))
                * np.exp(-u * u / 2 / q)
                / np.sqrt(2 * np.pi * q)
            )

        reach = 9 * np.sqrt(q)
        points = [p for p in (*kinks, 0.0) if abs(p) < reach]
        exact = integrate.quad(density, -reach, reach, points=points, epsabs=1e-14, epsrel=1e-13, limit=400)[
            0
        ]
        assert abs(value - exact) <= 1e-12 * max(1.0, abs(exact))
        assert error <= 1e-12 * max(1.0, abs(exact))


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "elu", "gelu", "silu", "abs", "leaky_relu"])
def test_equal_opposite_and_constant_variables_are_exact(by_quadrature, name):
    """c = 1 is E f(u)^2, c = -1 is E f(u) f(-u), q = 0 is f(0), to rounding: no bias at c = 1."""
    product = Expectation(call(name, U) * call(name, V), (U, V))
    q = np.array([0.2, 1.0, 7.0])
    same = np.stack([pair(each, each, 1.0) for each in q])
    opposite = np.stack([pair(each, each, -1.0) for each in q])
    square = Expectation(call(name, U) ** 2, (U,)).evaluate(q[:, None, None])[0]
    mirrored = Expectation(call(name, U) * call(name, -U), (U,)).evaluate(q[:, None, None])[0]
    assert np.allclose(product.evaluate(same)[0], square, rtol=1e-14, atol=1e-15)
    assert np.allclose(product.evaluate(opposite)[0], mirrored, rtol=1e-14, atol=1e-15)
    zero = float(FUNCTIONS[name].real(np.float64(0.0)))
    mean = Expectation(call(name, U), (U,)).evaluate([[2.0]])[0]
    assert product.evaluate([[0.0, 0.0], [0.0, 2.0]])[0] == pytest.approx(zero * mean, abs=1e-15)
    assert product.evaluate(np.zeros((2, 2)))[0] == zero**2


def test_errors_are_not_smaller_than_differences():
    """Closed forms, series and lines among each other, at random covariances and close to c = 1.

    Every stated error must cover the difference, with three times both for the rounding that no rule sees.
    """
    draws = np.random.default_rng(3).normal(size=(5, 2, 2))
    covariances = np.concatenate(
        [draws @ draws.transpose(0, 2, 1), [pair(1.0, 1.0, 1 - 1e-9), pair(30.0, 2.0, 0.97)]]
    )
    for name in ("erf", "gelu", "relu", "sign", "elu"):
        wanted = Expectation(call(name, U) * call(name, V), (U, V))
        part = gaussian._parts(wanted)[0]
        laws = gaussian._Laws.of(wanted, covariances, None, {})
        closed, closed_error = part.at(laws, 1e-13)
        factor = gaussian.lower_factor(laws.covariance)
        ruled, ruled_error = gaussian.by_rules(part._batch(laws, factor), 1e-13)
        allowed = 3 * (closed_error + ruled_error) + 1e-15
        assert np.all(np.abs(closed - ruled) <= allowed), name
        assert np.all(ruled_error <= 1e-11)


def test_series_and_lattice_agree():
    """Mehler's series against the lattice for smooth products, within 2e-13 of the integral of the absolute
    value.
    """
    covariances = np.stack(
        [pair(q, 1.5 * q, c) for q in (0.1, 1.0, 4.0, 30.0) for c in (-0.9, -0.2, 0.5, 0.9)]
    )
    for name in ("tanh", "softplus"):
        wanted = Expectation(call(name, U) * call(name, V), (U, V))
        part = gaussian._parts(wanted)[0]
        laws = gaussian._Laws.of(wanted, covariances, None, {})
        series, bound = gaussian.by_series(
            tuple(gaussian._function(laws, call(name, each), each) for each in (U, V)),
            laws.covariance,
            laws.mean,
            1e-13,
        )
        used = np.isfinite(bound)
        assert used.sum() >= 8  # and leaves others to the lattice
        ruled, _ = gaussian.by_rules(part._batch(laws, gaussian.lower_factor(laws.covariance)), 1e-13)
        size = np.sqrt(np.prod(np.einsum("eii->ei", covariances), axis=1)) + 1
        assert np.all(np.abs(series - ruled)[used] <= 2e-13 * size[used])


def test_derivatives_in_the_covariance_are_those_of_closed_forms():
    """Price and Stein against derivatives of typed formulas, to 1e-11: smooth, bent and jumping."""
    q1, q2, k = 1.3, 0.8, 0.4
    covariance = np.array([[q1, k], [k, q2]])
    c, root = k / np.sqrt(q1 * q2), np.sqrt(q1 * q2 - k * k)
    theta = np.arccos(c)
    sine = np.sqrt(1 - c * c)
    relu_1 = np.sqrt(q2 / q1) / (4 * np.pi) * (sine + c * (np.pi - theta)) - c * (np.pi - theta) * np.sqrt(
        q2 / q1
    ) / (4 * np.pi)
    wanted = {
        "erf": ((4 / np.pi) / np.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * k * k), None),
        "relu": ((np.pi - theta) / (2 * np.pi), relu_1),
        "sign": (2 / (np.pi * root), -k / (np.pi * q1 * root)),
        "heaviside": (1 / (2 * np.pi * root), -k / (4 * np.pi * q1 * root)),
    }
    for name, (across, along) in wanted.items():
        product = Expectation(call(name, U) * call(name, V), (U, V))
        assert product.covariance_derivative(0, 1, covariance)[0] == pytest.approx(across, rel=1e-11)
        if along is not None:
            assert product.covariance_derivative(0, 0, covariance)[0] == pytest.approx(along, rel=1e-11)
    square = Expectation(call("erf", U) ** 2, (U,))
    exact = (2 / np.pi) * 2 / (1 + 2 * q1) ** 2 / np.sqrt(1 - (2 * q1 / (1 + 2 * q1)) ** 2)
    assert square.covariance_derivative(0, 0, [[q1]])[0] == pytest.approx(exact, rel=1e-11)


def test_three_and_four_variables(by_quadrature):
    """Smooth integrands of more variables by lattices: against E exp(i a u) in closed form, to 1e-10."""
    draws = np.random.default_rng(5).normal(size=(4, 4)) / 2
    covariance = draws @ draws.T
    signs = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)])
    three = Expectation(call("cos", U) * call("cos", V) * call("cos", W), (U, V, W))
    exact = np.mean(np.exp(-0.5 * np.einsum("si,ij,sj->s", signs, covariance[:3, :3], signs)))
    value, error = three.evaluate(covariance[:3, :3])
    assert abs(value - exact) <= 1e-10
    assert error <= 1e-10
    four = Expectation(call("cos", U + V / 2) * call("gauss", W) * X**2, (U, V, W, X))
    direction = np.array([1.0, 0.5, 0.0, 0.0])
    # Tilted by exp(-w^2): a covariance of rank one less in w, and a factor.
    tilt = covariance - np.outer(covariance[2], covariance[2]) / (covariance[2, 2] + 0.5)
    mass = 1 / np.sqrt(np.pi * (1 + 2 * covariance[2, 2]))
    along = tilt @ direction
    exact = mass * np.exp(-0.5 * direction @ along) * (tilt[3, 3] - along[3] ** 2)
    assert four.evaluate(covariance, tolerance=1e-8)[0] == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(("name", "one"), [("relu", (2 * np.pi) ** -0.5), ("heaviside", 0.5)])
def test_three_variables_that_bend_are_rough_and_say_so(name, one):
    """Nothing splits three dimensions: the stated error covers the true one."""
    wanted = Expectation(call(name, U) * call(name, V) * call(name, W), (U, V, W))
    value, error = wanted.evaluate(np.eye(3))
    assert abs(value - one**3) <= error
    correlated = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    if name == "heaviside":  # three equally correlated numbers are positive together with probability 1/4
        value, error = wanted.evaluate(correlated)
        assert abs(value - 0.25) <= error


def test_wide_laws_see_what_is_near_their_middle():
    """elu is special within a few units of 0 only, and sinks to nothing beside deviations of up to 1e6:
    E elu'^2 = 1/2 + exp(2q) Phi(-2 sqrt q), and of a pair with c = 0 the mean, squared; to 1e-13. A spike
    without a place of its own, 1/(1 + u^2)^2, has E = sqrt(pi/2)/(2 s) to 1e-9 (next order s^-2) at s = 1e5.
    """
    slope = call("elu_slope", U)
    for s in (1e3, 3e3, 1e5, 1e6):
        tail = special.erfcx(2 * s / np.sqrt(2)) / 2
        value, error = Expectation(slope**2, (U,)).evaluate([[s * s]])
        assert abs(value - 0.5 - tail) <= max(error, 1e-15)
        mean = s / np.sqrt(2 * np.pi) - 0.5 + special.erfcx(s / np.sqrt(2)) / 2
        value, _ = Expectation(call("elu", U) * call("elu", V), (U, V)).evaluate(s * s * np.eye(2))
        assert value == pytest.approx(mean**2, rel=1e-13)
    value, _ = Expectation(1 / (1 + U**2) ** 2, (U,)).evaluate([[1e10]])
    assert value == pytest.approx(np.sqrt(np.pi / 2) / 2e5, rel=1e-9)


def test_parameters_and_means_are_arrays():
    """E relu(a u + b) = m Phi(m / s) + s phi(m / s) for arrays a and b, mean and variance, to 1e-13."""
    a, b = sp.symbols("a b")
    slopes, mean = np.array([0.5, -2.0, 1.0]), np.array([[0.3], [-1.0]])
    value, _ = Expectation(call("relu", a * U + b), (U,)).evaluate(
        [[1.7]], mean=mean[..., None], parameters={a: slopes, b: 0.25}
    )
    m, s = slopes * mean + 0.25, np.abs(slopes) * np.sqrt(1.7)
    exact = m * special.ndtr(m / s) + s * np.exp(-0.5 * (m / s) ** 2) / np.sqrt(2 * np.pi)
    assert value.shape == (2, 3)
    assert np.allclose(value, exact, rtol=1e-13, atol=0)


def test_what_cannot_be_integrated_is_refused():
    """Each with what was found: no covariance, no value, too many variables, infinite, undefined."""
    product = Expectation(call("tanh", U) * call("tanh", V), (U, V))
    with pytest.raises(ArgumentError, match="no covariance"):
        product.evaluate([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ArgumentError, match="must end with"):
        product.evaluate([[1.0]])
    with pytest.raises(ArgumentError, match="no value is given for a"):
        Expectation(sp.Symbol("a") * U, (U,)).evaluate([[1.0]])
    many = sp.symbols("z:5")
    with pytest.raises(MfError, match="5 jointly Gaussian variables"):
        Expectation(sp.Mul(*(call("tanh", z) for z in many)), many).evaluate(np.eye(5))
    for bad in (call("exp", U**2), call("log", U), call("tanh", U) * call("exp", U**2)):
        with pytest.raises(MfError, match="not a finite number"):
            Expectation(bad, (U,)).evaluate([[1.0]])
    with pytest.raises(MfError, match="singular"):
        Expectation(call("relu", U) * call("tanh", V), (U, V)).covariance_derivative(0, 0, np.ones((2, 2)))
