"""The witness's own forms of the closed table: values and derivatives, at random points, kinks and ties."""

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.finite.jax_functions import JAX_FUNCTIONS
from mfderive.finite.namespace import precision
from mfderive.finite.numpy_functions import NUMPY_FUNCTIONS, evaluate_expression

A, B = sp.symbols("a b")
STEP = 1e-170
# Functions whose second argument is a size: positive.
SIZED = ("huber", "clip")
POSITIVE = ("log", "sqrt")


def points(name: str) -> tuple[np.ndarray, ...]:
    """Random points of several sizes, the kinks, and ties."""
    rng = np.random.default_rng(3)
    a = np.concatenate([rng.normal(0, 1, 40), rng.normal(0, 6, 40), [0.0, -0.0, 1.0, -1.0, 20.0, -20.0]])
    if name in POSITIVE:
        return (np.abs(a) + 0.01,)
    if FUNCTIONS[name].arity == 1:
        return (a,)
    b = rng.normal(0, 2, a.size)
    b[::3] = a[::3]  # ties
    if name in SIZED:
        b = np.abs(b) + 0.1
        a[::5], a[1::5] = b[::5], -b[1::5]  # both kinks
    return a, b


def table_value(expression: sp.Expr, arguments: tuple[np.ndarray, ...]) -> np.ndarray:
    """An expression of the table, evaluated by the table's own plain forms."""
    known = {name: row.real for name, row in FUNCTIONS.items()}
    value = evaluate_expression(expression, dict(zip((A, B), arguments, strict=False)), known)
    return np.broadcast_to(value, arguments[0].shape)


def close(found: np.ndarray, expected: np.ndarray, arguments: tuple[np.ndarray, ...]) -> None:
    """Rounding of the value, and of arguments as they enter exponentials (up to exp(-20**2 / 2)).

    A relative error u in x*x changes exp(-x*x) by u*x*x, at most 400 u; u = 1.1e-16, and special functions
    are good to some tens of u.
    """
    scale = 1 + max(np.max(np.abs(argument)) for argument in arguments) ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-15 * scale, atol=1e-15)


def test_both_tables_cover_the_closed_table() -> None:
    assert set(NUMPY_FUNCTIONS) == set(FUNCTIONS) | {"power"}
    assert set(JAX_FUNCTIONS) == set(FUNCTIONS) | {"power"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_form_agrees_with_the_table(name: str) -> None:
    arguments = points(name)
    expected = FUNCTIONS[name].real(*arguments)
    close(NUMPY_FUNCTIONS[name](*arguments), expected, arguments)
    close(np.real(NUMPY_FUNCTIONS[name](*(a + 0j for a in arguments))), expected, arguments)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex_step_agrees_with_the_table(name: str) -> None:
    arguments = points(name)
    for place, derivative in enumerate(FUNCTIONS[name].derivatives):
        stepped = [a + 1j * STEP if i == place else a for i, a in enumerate(arguments)]
        found = np.imag(NUMPY_FUNCTIONS[name](*stepped)) / STEP
        expected = table_value(sp.sympify(derivative(*(A, B)[: len(arguments)])), arguments)
        close(found, expected, arguments)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jax_form_and_gradient_agree_with_the_table(name: str) -> None:
    import jax

    arguments = points(name)
    with precision(jax, "float64"):
        form = JAX_FUNCTIONS[name]
        close(np.asarray(form(*arguments)), FUNCTIONS[name].real(*arguments), arguments)
        for place, derivative in enumerate(FUNCTIONS[name].derivatives):
            found = jax.grad(lambda *a: form(*a).sum(), argnums=place)(*map(jax.numpy.asarray, arguments))
            expected = table_value(sp.sympify(derivative(*(A, B)[: len(arguments)])), arguments)
            close(np.asarray(found), expected, arguments)


@pytest.mark.parametrize("name", ["log", "sqrt"])
def test_outside_the_real_domain_is_nan_in_complex_arithmetic_too(name: str) -> None:
    assert np.isnan(NUMPY_FUNCTIONS[name](np.array([-1.0 + 1j * STEP]))).all()


def test_large_arguments_do_not_overflow() -> None:
    x = np.array([-800.0, 800.0]) + 1j * STEP
    with np.errstate(over="raise"):
        np.testing.assert_array_equal(NUMPY_FUNCTIONS["sigmoid"](x).real, [0.0, 1.0])
        np.testing.assert_array_equal(NUMPY_FUNCTIONS["softplus"](x).real, [0.0, 800.0])
        np.testing.assert_array_equal(NUMPY_FUNCTIONS["elu"](x).real, [-1.0, 800.0])


@pytest.mark.parametrize(
    "exponent", [2, 3, -1, -4, sp.Rational(1, 2), sp.Rational(-3, 2), sp.Rational(1, 3), 0.7]
)
def test_powers_and_their_complex_steps(exponent: object) -> None:
    x = np.array([0.3, 1.0, 2.5])
    n = float(exponent)
    value = evaluate_expression(A ** sp.sympify(exponent), {A: x + 1j * STEP}, NUMPY_FUNCTIONS)
    np.testing.assert_allclose(value.real, x**n, rtol=1e-14)
    np.testing.assert_allclose(value.imag / STEP, n * x ** (n - 1), rtol=1e-14)


def test_an_unknown_node_raises() -> None:
    with pytest.raises(TypeError, match="Piecewise"):
        evaluate_expression(sp.Piecewise((A, A > 0), (0, True)), {A: np.ones(1)}, NUMPY_FUNCTIONS)
    with pytest.raises(TypeError, match="cannot evaluate"):
        evaluate_expression(call("tanh", B), {A: np.ones(1)}, NUMPY_FUNCTIONS)
