"""selu: its values, its slopes on both sides of 0, and the property that it is made for."""

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.errors import SpecError
from mfderive.format.reader import parse_document
from tests.format.documents import changed

H = sp.Symbol("h")


def test_values_and_slopes() -> None:
    """At 1 the scale, at -1 scale * alpha * (1/e - 1); at 0 the slope on the left, scale * alpha."""
    h = np.array([1.0, -1.0, 0.0])
    np.testing.assert_allclose(
        FUNCTIONS["selu"].real(h), [1.0507009873554805, -1.1113307378125628, 0.0], rtol=1e-15
    )
    slope = evaluate_expression(call("selu", H).diff(H), {H: h})
    np.testing.assert_allclose(
        slope, [1.0507009873554805, 0.6467686030348140, 1.7580993408473768], rtol=1e-14
    )


def test_standard_normal_values_keep_mean_0_and_variance_1() -> None:
    """Klambauer et al. 2017: the constants are those of which this is true."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    mean = square = 0.0
    for low, high in ((-12.0, 0.0), (0.0, 12.0)):
        z = 0.5 * (high - low) * (nodes + 1) + low
        density = 0.5 * (high - low) * weights * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        value = FUNCTIONS["selu"].real(z)
        mean, square = mean + density @ value, square + density @ value**2
    assert mean == pytest.approx(0, abs=1e-14)
    assert square == pytest.approx(1, abs=1e-14)


def test_second_derivative_is_that_of_the_exponential_on_the_left() -> None:
    h = np.array([-2.0, -0.5, 0.0, 0.5])
    found = evaluate_expression(call("selu", H).diff(H, 2), {H: h})
    np.testing.assert_allclose(found, np.where(h > 0, 0.0, 1.7580993408473768 * np.exp(h)), rtol=1e-14)


def test_a_spec_may_use_it_and_another_program_s_function_is_not_taken_for_it() -> None:
    """A slip of the keyboard is answered with the name; a function of other programs is another function."""
    network = parse_document(changed("layers.1.activation", "selu"))
    assert network.layer["h2"].activation == call("selu", H)
    with pytest.raises(SpecError, match=r"Did you mean 'selu'\? Allowed:"):
        parse_document(changed("layers.1.activation", "sselu"))
    with pytest.raises(SpecError, match=r"'rrelu' does not exist here; 'relu' .* is another function"):
        parse_document(changed("layers.1.activation", "rrelu"))
