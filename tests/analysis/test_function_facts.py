"""Facts about functions of one variable: rows against the functions, answers against mathematics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.derivative import derivative
from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import FUNCTIONS, call
from mfderive.algebra.parser import Names, parse_expression
from mfderive.analysis.function_facts import Answer, RealFunction
from mfderive.analysis.function_rows import ROWS
from mfderive.analysis.intervals import WHOLE, Interval, added, inverse, mapped, multiplied, point, raised
from mfderive.analysis.jets import interval_of, jet_of, limit_at

H = sp.Symbol("h")
YES, NO, OPEN = Answer.YES, Answer.NO, Answer.OPEN
# Bounds are analytic or rounded outwards; values on the grid are rounded to double precision.
ROUNDING = 1e-12


def function(text):
    """An expression in h as a function."""
    return RealFunction(parse_expression(text, Names(plain=frozenset({"h"}))), H)


def test_every_function_of_one_argument_has_a_row():
    assert set(ROWS) == {name for name, row in FUNCTIONS.items() if row.arity == 1}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_rows_hold_the_function_and_its_derivatives(name):
    """On a grid of 4001 points: no value, slope or curvature outside of the row's intervals, to rounding.

    Bounds that are finite are nearly reached (within 2 % of their size), so that no row is merely wide; the
    domain of log and sqrt is the positive line.
    """
    row, expression = ROWS[name], call(name, H)
    grid = np.geomspace(1e-6, 30, 4001) if name in ("log", "sqrt") else np.linspace(-30, 30, 4001) + 1e-7
    slope = derivative(expression, H)
    for told, interval in (
        (expression, row.values),
        (slope, row.slope),
        (derivative(slope, H), row.curvature),
    ):
        with np.errstate(all="ignore"):
            values = np.broadcast_to(evaluate_expression(told, {H: grid}), grid.shape)
        assert values.min() >= interval.low - ROUNDING
        assert values.max() <= interval.high + ROUNDING
        for bound, reached in ((interval.low, values.min()), (interval.high, values.max())):
            if math.isfinite(bound):
                assert abs(bound - reached) <= 0.02 * max(abs(bound), 1), (told, bound, reached)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_images_hold_what_the_function_does_on_an_interval(name):
    """Random values of random intervals lie in their images, to rounding."""
    rng = np.random.default_rng(5)
    for low, high in np.sort(rng.normal(0, 2, (40, 2))):
        if name in ("log", "sqrt"):
            low, high = abs(low), abs(low) + high - low
        values = FUNCTIONS[name].real(rng.uniform(low, high, 50))
        image = ROWS[name].image(Interval(low, high))
        assert image.low - ROUNDING <= values.min()
        assert values.max() <= image.high + ROUNDING


def test_arithmetic_of_intervals_holds_all_values_and_knows_open_ends():
    """Sums, products, powers and inverses of random numbers lie in those of their intervals."""
    rng = np.random.default_rng(2)
    for ends in np.sort(rng.normal(0, 2, (60, 2, 2)), axis=2):
        one, other = (Interval(low, high) for low, high in ends)
        a, b = (rng.uniform(low, high, 40) for low, high in ends)
        checks = [(added([one, other]), a + b), (multiplied([one, other]), a * b)]
        checks += [(raised(one, point(float(n))), a**n) for n in (2, 3, 4)]
        if not one.has_zero:
            checks += [(inverse(one), 1 / a), (raised(one, point(-2.0)), a**-2.0)]
        for interval, values in checks:
            assert interval.low - 1e-9 <= values.min()
            assert values.max() <= interval.high + 1e-9
    tanh = mapped(math.tanh, WHOLE)
    slope = added([point(1.0), multiplied([point(-1.0), raised(tanh, point(2.0))])])
    assert slope == Interval(0.0, 1.0, True, False)
    assert slope.is_positive
    assert multiplied([point(0.0), WHOLE]).is_zero
    assert not multiplied([Interval(0, 1), Interval(0, math.inf, True)]).is_positive


def test_what_leaves_the_doubles_is_not_known():
    """Overflow gives ends at infinity, and never an interval that claims more than it knows."""
    large = raised(Interval(1e200, 1e300), point(2.0))
    assert large.is_positive
    assert not large.is_bounded
    assert added([large, multiplied([point(-1.0), large])]).has_zero
    assert function("exp(exp(h))").bounded().answer is NO


def test_jets_hold_values_slopes_and_curvatures():
    """On a grid, for expressions with every kind of node; slopes by central differences.

    Third derivatives are below 400 on the grid, so step 1e-4 leaves an error below 400 * 1e-8 / 6.
    """
    step, grid = 1e-4, np.linspace(-3, 3, 301) + 1e-3
    texts = ("tanh(2*h)*sigmoid(h)", "exp(-h**2)", "softplus(h)**2", "h*sin(h)", "1/(1+h**2)", "gelu(h)+h/3")
    for text in texts:
        expression = function(text).expression
        jet = jet_of(expression, H, {H: Interval(-3.1, 3.1)})
        values, above, below = (
            evaluate_expression(expression, {H: grid + move}) for move in (0.0, step, -step)
        )
        slopes = (above - below) / (2 * step)
        for interval, found in ((jet.value, values), (jet.slope, slopes)):
            assert interval.low - 1e-6 <= found.min()
            assert found.max() <= interval.high + 1e-6


@pytest.mark.parametrize(
    ("text", "bounded", "slope", "lipschitz", "nonzero", "polynomial"),
    [
        ("tanh(h)", YES, YES, YES, YES, NO),
        ("erf(h)", YES, YES, YES, YES, NO),
        ("sin(h)", YES, YES, YES, NO, NO),
        ("relu(h)", NO, YES, NO, NO, NO),
        ("tanh(relu(h))", YES, YES, OPEN, NO, NO),
        ("leaky_relu(h)", NO, YES, NO, YES, NO),
        ("elu(h)", NO, YES, YES, YES, NO),
        ("gelu(h)", NO, YES, YES, NO, NO),
        ("softplus(h)", NO, YES, YES, YES, NO),
        ("max(h, 0)", NO, YES, NO, NO, NO),
        ("exp(h)", NO, NO, NO, YES, NO),
        ("h**3 + h", NO, NO, NO, YES, YES),
        ("2*h + 1", NO, YES, YES, YES, YES),
        ("tanh(h)**3", YES, YES, YES, NO, NO),
        ("tanh(100*h)", YES, YES, YES, YES, NO),
        ("sin(h) + 2*h", OPEN, YES, YES, YES, NO),
        ("h*sin(h)", OPEN, OPEN, OPEN, NO, OPEN),
        ("softplus(h) - softplus(-h)", NO, YES, YES, YES, OPEN),
        ("relu(h) - relu(-h)", NO, YES, OPEN, OPEN, OPEN),
        ("relu(h) - relu(-h) - h/2", OPEN, YES, OPEN, OPEN, OPEN),
        ("relu(h - 3.1) - relu(3.1 - h)", NO, YES, OPEN, OPEN, OPEN),
        ("max(h, 0) + min(h, 0)", NO, YES, OPEN, OPEN, OPEN),
        ("abs(h)**2", NO, NO, OPEN, NO, OPEN),
        ("abs(h)*sign(h)", NO, YES, OPEN, OPEN, OPEN),
        ("heaviside(h) + heaviside(-h)", YES, YES, OPEN, NO, OPEN),
        ("1/(h - 1)", OPEN, OPEN, OPEN, OPEN, NO),
    ],
)
def test_answers(text, bounded, slope, lipschitz, nonzero, polynomial):
    """What is yes or no is so by mathematics; what no bound or limit of the written form shows stays open.

    softplus(h) - softplus(-h) is h, which its form does not show: that is not decidable, and not wrong. So is
    relu(h) - relu(-h): the value that the table gives its derivative at the kink alone shows nothing.
    """
    found = function(text)
    turned = {YES: NO, NO: YES, OPEN: OPEN}
    assert found.bounded().answer is bounded
    assert found.slope_bounded().answer is slope
    assert found.slope_lipschitz().answer is lipschitz
    assert found.slope_nonzero().answer is nonzero
    assert found.not_polynomial().answer is turned[polynomial]


def test_poles_are_seen():
    """Leshno and others (1993) ask for functions that are bounded on bounded intervals."""
    tame = ("tanh(h)", "h**3/(1 + h**2)", "exp(h)", "log(1 + exp(h))", "sqrt(1 + h**2)", "max(h, 0)*h")
    wild = ("1/(h - 1)", "log(h**2)", "tanh(h)/h", "sqrt(h)", "h**0.5", "exp(1/h)")
    assert all(function(text).locally_bounded() for text in tame)
    assert not any(function(text).locally_bounded() for text in wild)


def test_no_answer_contradicts_the_function():
    """For random expressions: no bound that is passed, no slope of 0 or jump where none was said to be.

    Values are looked at on a grid up to 40; a slope that is "never 0" has one sign on it.
    """
    rng = np.random.default_rng(11)
    names = ["tanh", "relu", "sigmoid", "gelu", "exp", "sin", "abs", "softplus", "elu"]
    grid = np.linspace(-6, 6, 2401) + 1e-6
    seen = set()
    for _ in range(50):
        one, other = rng.choice(names, 2)
        a, b, c = (round(float(v), 2) for v in rng.normal(0, 1, 3))
        text = rng.choice([f"{one}({a}*h + {b}) + {c}*{other}(h)", f"{one}({other}({a}*h)) * ({b} + {c}*h)"])
        found = function(str(text))
        with np.errstate(all="ignore"):
            values = evaluate_expression(found.expression, {H: grid})
            slopes = np.broadcast_to(evaluate_expression(found.slope, {H: grid}), grid.shape)
        for fact, told in ((found.bounded(), values), (found.slope_bounded(), slopes)):
            seen.add(fact.answer)
            if fact.answer is YES:
                assert fact.at[0] - 1e-9 <= told.min()
                assert told.max() <= fact.at[1] + 1e-9
        nonzero = found.slope_nonzero()
        seen.add(nonzero.answer)
        if nonzero.answer is YES:
            assert (slopes >= 0).all() or (slopes <= 0).all()
        if found.slope_lipschitz().answer is YES:
            jumps = np.abs(np.diff(slopes)).max()
            bound = np.abs(found.jet.curvature.low), np.abs(found.jet.curvature.high)
            assert jumps <= max(bound) * (grid[1] - grid[0]) * (1 + 1e-6) + 1e-9
    assert seen == set(Answer)


def test_halves_are_the_even_and_the_odd_part():
    """(f(h) +- f(-h)) / 2, to rounding."""
    grid = np.linspace(0.1, 5, 50)
    texts = ("sigmoid(h)", "softplus(2*h)", "gelu(h)", "silu(h)", "relu(h) + 1", "leaky_relu(h)", "h*abs(h)")
    for text in texts:
        found = function(text)
        even, odd = found.halves()
        at, against = (evaluate_expression(found.expression, {H: sign * grid}) for sign in (1, -1))
        for part, value in ((even, (at + against) / 2), (odd, (at - against) / 2)):
            assert np.abs(evaluate_expression(part, {H: grid}) - value).max() < 1e-12
    assert function("exp(h)").halves() is None


def test_limits_at_infinity():
    """By the form of an expression; infinity minus infinity and infinity times 0 are not known."""
    for text, end, limit in (
        ("gelu(h)", -math.inf, 0.0),
        ("h**3 - 2", -math.inf, -math.inf),
        ("1/(1+h**2)", math.inf, 0.0),
        ("h - tanh(h)", math.inf, math.inf),
        ("h - softplus(h)", math.inf, None),
        ("sin(h)", math.inf, None),
        ("h*exp(-h)", math.inf, None),
        ("sign(exp(-h))", math.inf, None),
    ):
        assert limit_at(function(text).expression, H, end) == limit
    assert interval_of(function("tanh(h)").expression, {H: point(0.0)}).is_zero
