"""The order of arguments is ours: equal shapes have equal keys, and unknown nodes raise."""

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.functions import call
from mfderive.algebra.visitor import UnknownNodeError
from mfderive.tensor.interpreter import pointwise
from mfderive.tensor.ordering import SortKeys, is_number, number_value, ordered, sort_key

A, B, C = sp.symbols("a b c")
RANKS = {A: "1", B: "2", C: "3"}


def test_keys_do_not_know_the_names_of_symbols():
    """The same expression in other symbols with the same ranks has the same key."""
    expression = 2 * A * call("relu", B + 1) + C**2
    other = expression.xreplace({A: sp.Symbol("z"), B: sp.Symbol("y"), C: sp.Symbol("x")})
    ranks = {sp.Symbol("z"): "1", sp.Symbol("y"): "2", sp.Symbol("x"): "3"}
    assert sort_key(expression, RANKS) == sort_key(other, ranks)
    assert sort_key(expression, RANKS) != sort_key(expression.subs(B, C), RANKS)


def test_numbers_come_first_and_symbols_by_rank():
    """The arguments of a sum: its number, its symbols by rank, then what is composed."""
    keys = SortKeys({A: "3", B: "2", C: "1"})
    assert ordered(A + B + C + 5 + call("tanh", A), keys) == [5, C, B, A, call("tanh", A)]


def test_an_expression_of_numbers_is_one_number():
    """pi / 4 is a number; a function of a number is code."""
    assert is_number(sp.pi / 4) and not is_number(call("relu", sp.pi / 4))
    assert sort_key(sp.pi / 4, {}) == f"0{np.pi / 4!r}"
    assert number_value(sp.Rational(1, 3)) == 1 / 3


@pytest.mark.parametrize("node", [sp.sin(A), sp.Piecewise((A, A > 0), (0, True))], ids=["sin", "piecewise"])
def test_unknown_nodes_raise(node):
    """Nothing outside the closed table has a key or a value."""
    with pytest.raises(UnknownNodeError):
        sort_key(1 + node, RANKS)
    with pytest.raises(UnknownNodeError):
        pointwise(1 + node, {A: np.ones(2)}, {A: np.ones(2)})


def test_magnitudes_of_the_interpreter():
    """Summands and factors become positive; arguments of functions and of negative powers stay."""
    values = {A: np.array(2.0), B: np.array(-3.0)}
    sizes = {A: np.array(2.0), B: np.array(4.0)}
    for expression, value, size in (
        (A + B, -1.0, 6.0),
        (A - A * B, 8.0, 10.0),
        (B**3, -27.0, 64.0),
        (1 / B, -1 / 3, 1 / 3),
        (call("tanh", A + B), np.tanh(-1.0), np.tanh(1.0)),
    ):
        assert pointwise(expression, values, sizes) == pytest.approx((value, size), rel=1e-15)
