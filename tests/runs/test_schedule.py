"""Time, observation steps, and loss and error by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.algebra.local_symbols import LocalSymbol
from mfderive.algebra.visitor import UnknownNodeError
from mfderive.errors import ResourceError, SpecError, StateError
from mfderive.network.network import DataSpec, Loss, Network, Output, Training
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.runs.schedule import alphas, observation_steps, times


def with_loss(*arguments, **options):
    return Network("t", DataSpec("digits"), Loss(*arguments, **options), (), Output(()), Training(0.1, 1))


def test_rates_and_times_of_a_schedule():
    training = Training(0.003, 4, schedule=sp.Symbol("k") ** sp.Rational(-1, 10))
    expected = 0.003 * np.array([1, 2, 3, 4.0]) ** -0.1
    assert np.allclose(alphas(training), expected, rtol=1e-15)
    assert np.allclose(times(training), np.concatenate([[0], np.cumsum(expected)]), rtol=1e-15)
    assert np.array_equal(alphas(Training(0.5, 3), 2), [0.5, 0.5])


def test_a_schedule_that_turns_negative_names_the_step():
    with pytest.raises(SpecError, match="step 3 is"):
        alphas(Training(1.0, 5, schedule=sp.Rational(5, 2) - sp.Symbol("k")))


def test_more_steps_than_memory_holds_are_refused():
    with pytest.raises(ResourceError, match=r"100000000000000 steps .*GB"):
        alphas(Training(1.0, 10**14))


@pytest.mark.parametrize("steps", [0, 1, 3, 50, 100_000])
@pytest.mark.parametrize("count", [2, 5, 12, 200])
def test_observation_steps_are_distinct_and_hold_both_ends(steps, count):
    found = observation_steps(steps, count)
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) == min(count, steps + 1)
    assert np.all(np.diff(found) > 0)


def test_observation_steps_grow_by_a_constant_ratio():
    found = observation_steps(100_000, 12)[1:]
    assert np.allclose(found[1:] / found[:-1], 10**0.5, rtol=0.1)  # rounding of small steps: 3 for 3.16


yhat = np.array([[0.5, -2.0, 0.0], [3.0, 3.0, -1.0]])
y = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def test_losses_by_their_formulas():
    """Each value typed by hand from the loss's definition, float64: 1e-14."""

    def loss(network, predicted=yhat, wanted=y):
        return evaluate_loss_error(network, predicted, wanted)[0]

    assert loss(with_loss("squared")) == pytest.approx((0.25 + 4 + 1 + 4 + 9 + 1) / 2, rel=1e-14)
    soft = np.log(np.exp(0.5) + np.exp(-2) + 1) + np.log(2 + np.exp(-4.0))
    assert loss(with_loss("cross-entropy")) == pytest.approx(soft / 2, rel=1e-14)
    signs = 2 * y - 1
    logistic = np.log1p(np.exp(-signs * yhat)).sum() / 2
    assert loss(with_loss("logistic"), wanted=signs) == pytest.approx(logistic, rel=1e-14)
    huber = (0.125 + 1.5 + 0.5) + (1.5 + 2.5 + 0.5)
    assert loss(with_loss("huber", constants=(("delta", 1.0),))) == pytest.approx(huber / 2, rel=1e-14)


def test_losses_stay_finite_for_large_outputs():
    large = np.array([[1000.0, -1000.0, 0.0]])
    assert evaluate_loss_error(with_loss("cross-entropy"), large, [[0, 1, 0]])[0] == pytest.approx(2000)
    assert evaluate_loss_error(with_loss("logistic"), large, [[-1, 1, 1]])[0] == pytest.approx(
        2000 + np.log(2)
    )


def test_an_expression_sums_over_outputs_where_it_names_plain_values():
    plain, first = sp.Symbol("y") * sp.Symbol("yhat"), LocalSymbol("yhat", component=(0,)) ** 2
    network = with_loss("expression", plain)
    assert evaluate_loss_error(network, yhat, y)[0] == pytest.approx((y * yhat).sum() / 2)
    network = with_loss("expression", first)
    assert evaluate_loss_error(network, yhat, y)[0] == pytest.approx((0.25 + 9) / 2)
    network = with_loss("expression", plain + first)
    assert evaluate_loss_error(network, yhat, y)[0] == pytest.approx(((y * yhat).sum() + 3 * 9.25) / 2)
    with pytest.raises(SpecError, match=r"yhat\[7\]"):
        evaluate_loss_error(with_loss("expression", LocalSymbol("yhat", component=(7,))), yhat, y)


def test_sign_error_counts_zero_as_wrong():
    network = with_loss("squared", error="sign")
    assert evaluate_loss_error(network, [2.0, 0.0, -1.0, 3.0], [1, 1, -1, -1])[1] == 0.5
    assert evaluate_loss_error(network, [np.nan, 1.0], [1, 1])[1] == 0.5


def test_argmax_takes_the_first_maximum():
    network = with_loss("cross-entropy", error="argmax")
    assert evaluate_loss_error(network, yhat, y)[1] == 0.5
    assert evaluate_loss_error(network, yhat[1:], [[0, 1, 0]])[1] == 1.0


def test_no_error_is_nan_and_shapes_must_agree():
    assert np.isnan(evaluate_loss_error(with_loss("squared"), yhat, y)[1])
    with pytest.raises(StateError, match="shape"):
        evaluate_loss_error(with_loss("squared"), yhat, y[:, :2])


def test_every_function_of_the_table_evaluates():
    """The evaluator against the table's own numpy form, at points on both sides of every kink."""
    points = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    symbols = sp.symbols("a b")
    for name, row in FUNCTIONS.items():
        arguments = (
            [np.abs(points) + 1] if name in ("log", "sqrt") else [points, np.full(5, 0.5)][: row.arity]
        )
        expression = 2 * call(name, *symbols[: row.arity]) + 1
        values = dict(zip(symbols, arguments, strict=False))
        assert np.array_equal(evaluate_expression(expression, values), 2 * row.real(*arguments) + 1), name


def test_numbers_powers_and_what_is_foreign():
    a = sp.Symbol("a")
    assert evaluate_expression(sp.Rational(1, 3) * sp.pi, {}) == pytest.approx(np.pi / 3, rel=1e-15)
    found = evaluate_expression(a**-1 + a**3 + a ** sp.Rational(1, 2), {a: np.array([4.0])})
    assert np.array_equal(found, [0.25 + 64 + 2])
    with pytest.raises(UnknownNodeError, match="closed table"):
        evaluate_expression(sp.sinh(a), {a: 1.0})
    with pytest.raises(KeyError, match="a"):
        evaluate_expression(a, {})
