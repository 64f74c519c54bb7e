"""Closed Gaussian expectations: the formulas of neural-tangents' elementwise kernels, typed, to 1e-12.

Each against the table of closed forms and against quadrature, which knows nothing of it.
"""

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.functions import call
from mfderive.signals import gaussian
from mfderive.signals.closed_rows import closed_terms
from mfderive.signals.gaussian import Expectation

U, V = sp.symbols("u v")
Q1 = np.array([1.0, 0.5, 2.0, 1.0, 0.3])
Q2 = np.array([1.0, 0.7, 1.0, 1.5, 3.0])
C = np.array([0.5, -0.3, 0.9, 0.0, -0.95])
K = C * np.sqrt(Q1 * Q2)
COVARIANCE = np.stack([np.stack([Q1, K], axis=-1), np.stack([K, Q2], axis=-1)], axis=-2)
THETA, SINE = np.arccos(C), np.sqrt(1 - C * C)
ROOT = np.sqrt(Q1 * Q2)
ARC_1 = ROOT * (SINE + (np.pi - THETA) * C) / (2 * np.pi)


def leaky(x):
    return sp.Rational(3, 10) * x + sp.Rational(7, 10) * call("relu", x)


def gelu():
    apart = (1 + Q1) * (1 + Q2)
    rest = Q1 * Q2 + K**2 * (1 / (1 + Q1) + 1 / (1 + Q2) - 1)
    angle = np.arcsin(K / np.sqrt(apart)) / (2 * np.pi)
    return K * (0.25 + angle) + rest / (2 * np.pi * np.sqrt(apart - K**2))


FORMULAS = {
    "erf": (lambda x: call("erf", x), 2 / np.pi * np.arcsin(2 * K / np.sqrt((1 + 2 * Q1) * (1 + 2 * Q2)))),
    "erf of 3x/2": (
        lambda x: call("erf", 3 * x / 2),
        2 / np.pi * np.arcsin(4.5 * K / np.sqrt((1 + 4.5 * Q1) * (1 + 4.5 * Q2))),
    ),
    "gelu": (lambda x: call("gelu", x), gelu()),
    "sin": (lambda x: call("sin", x), np.exp(-(Q1 + Q2) / 2) * np.sinh(K)),
    "cos": (lambda x: call("cos", x), np.exp(-(Q1 + Q2) / 2) * np.cosh(K)),
    "rbf": (
        lambda x: sp.sqrt(2) * call("sin", x + sp.pi / 4),
        np.exp(-(Q1 + Q2 - 2 * K) / 2),
    ),
    "relu": (lambda x: call("relu", x), ARC_1),
    "leaky": (leaky, 0.49 * ARC_1 + 0.3 * K),
    "leaky_relu": (lambda x: call("leaky_relu", x), 0.99**2 * ARC_1 + 0.01 * K),
    "abs": (lambda x: call("abs", x), 4 * ARC_1 - K),
    "sign": (lambda x: call("sign", x), 2 / np.pi * np.arcsin(C)),
    "heaviside": (lambda x: call("heaviside", x), (np.pi - THETA) / (2 * np.pi)),
    "relu squared": (
        lambda x: call("relu", x) ** 2,
        Q1 * Q2 * (3 * SINE * C + (np.pi - THETA) * (1 + 2 * C * C)) / (2 * np.pi),
    ),
    "relu cubed": (
        lambda x: call("relu", x) ** 3,
        ROOT**3 * (4 * SINE + 11 * SINE * C**2 + (np.pi - THETA) * (9 * C + 6 * C**3)) / (2 * np.pi),
    ),
    "exp": (lambda x: call("exp", x), np.exp((Q1 + Q2) / 2 + K)),
    "gaussian": (lambda x: call("exp", -(x**2)), 1 / np.sqrt((1 + 2 * Q1) * (1 + 2 * Q2) - 4 * K**2)),
    "square": (lambda x: x**2, Q1 * Q2 + 2 * K**2),
    "cube": (lambda x: x**3, 9 * Q1 * Q2 * K + 6 * K**3),
    "quintic": (lambda x: x**5, 225 * (Q1 * Q2) ** 2 * K + 600 * Q1 * Q2 * K**3 + 120 * K**5),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formulas_of_elementwise_kernels(name, monkeypatch):
    """Table and quadrature against a formula, to 1e-12 of the integral of the absolute value (at most
    ROOT-like).
    """
    function, exact = FORMULAS[name]
    scale = 1e-12 * np.maximum(np.abs(exact), np.sqrt(np.abs(exact)).max())
    product = function(U) * function(V)
    assert closed_terms(product, (U, V)) is not None
    assert np.all(np.abs(Expectation(product, (U, V)).evaluate(COVARIANCE)[0] - exact) <= scale)
    monkeypatch.setattr(gaussian, "_closed", lambda part: None)
    assert np.all(np.abs(Expectation(product, (U, V)).evaluate(COVARIANCE)[0] - exact) <= scale)


def test_hermite_polynomials_are_orthogonal():
    """E h_n(u) h_m(v) = n! c^n for n = m, 0 otherwise, at unit variances, to 1e-12 of n!."""
    he = {2: lambda x: x**2 - 1, 3: lambda x: x**3 - 3 * x, 4: lambda x: x**4 - 6 * x**2 + 3}
    c = 0.6
    covariance = [[1.0, c], [c, 1.0]]
    for n, first in he.items():
        for m, second in he.items():
            value = Expectation(sp.expand(first(U) * second(V)), (U, V)).evaluate(covariance)[0]
            exact = sp.factorial(n) * c**n if n == m else 0
            assert abs(value - float(exact)) <= 1e-12 * float(sp.factorial(max(n, m)))


@pytest.mark.parametrize("name", ["elu", "selu", "softplus", "tanh"])
def test_what_has_no_row_goes_to_quadrature(name):
    """Exponential sides have rows, tanh and softplus none: the table says so, and values agree where it has
    one.
    """
    terms = closed_terms(call(name, U) * call(name, V), (U, V))
    assert (terms is None) == (name in ("softplus", "tanh"))


def test_numbers_of_gelu_and_selu():
    """Rows 7 and 9 of the reference numbers, to their last digit."""
    gelu_square = Expectation(call("gelu", U) ** 2, (U,)).evaluate(
        np.array([0.5, 1.0, 2.0]).reshape(3, 1, 1)
    )[0]
    assert np.allclose(gelu_square, [0.189556541832, 0.425221482570, 0.922082872110], rtol=0, atol=5.1e-13)
    selu = call("selu", U)
    one = np.ones((1, 1))
    mean, square = (float(Expectation(each, (U,)).evaluate(one)[0]) for each in (selu, selu**2))
    growth = float(Expectation(selu**2, (U,)).covariance_derivative(0, 0, one)[0])
    slope = float(Expectation(sp.diff(selu, U) ** 2, (U,)).evaluate(one)[0])
    assert abs(mean) <= 1e-8
    assert square == pytest.approx(1, abs=1e-8)
    assert growth == pytest.approx(0.782647883, abs=5.1e-10)
    assert slope == pytest.approx(1.071574992, abs=5.1e-10)
