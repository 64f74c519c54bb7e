"""Expressions are walked by one visitor: what it does not know raises wherever expressions are walked."""

import pytest
import sympy as sp

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import call
from mfderive.algebra.parser import AxisReduction
from mfderive.algebra.terms import Access, Index, Term
from mfderive.algebra.visitor import Rewriting, UnknownNodeError
from mfderive.analysis.affinity import entangled
from mfderive.codegen.numba.expression_code import array_text, formula
from mfderive.codegen.numba.loops import Kernels
from mfderive.reduction.cost import operations
from mfderive.tensor.instructions import Loop
from mfderive.tensor.ordering import sort_key

A, B = sp.symbols("a b")
NAMES = {A: "a", B: "b"}
DATA = Index("z", "data")


def kernel(expression):
    accesses = tuple((symbol, Access(symbol.name, (DATA,))) for symbol in (A, B))
    return Kernels().call(Loop("out", Term((DATA,), (), expression, accesses), False))


WALKS = {
    "value": lambda e: evaluate_expression(e, {A: 1.0, B: 2.0}),
    "formula": lambda e: formula(e, NAMES),
    "numpy": lambda e: array_text(e, NAMES),
    "loop": kernel,
    "operations": operations,
    "key": lambda e: sort_key(e, NAMES),
    "affinity": lambda e: entangled(e, {A}),
    "rewriting": Rewriting(),
}
UNKNOWN = (
    sp.sin(A),
    sp.Piecewise((A, A > 0), (0, True)),
    AxisReduction(sp.Symbol("mean"), A, sp.Symbol("n")),
)


@pytest.mark.parametrize("walk", WALKS)
def test_an_unknown_node_raises_everywhere(walk):
    """Deep inside an expression too; what is known passes, so the walk itself is not to blame."""
    WALKS[walk](A + B * call("tanh", A) ** 2)
    for node in UNKNOWN:
        with pytest.raises(UnknownNodeError, match="closed table"):
            WALKS[walk](A + B * call("tanh", 2 + node) ** 2)


def test_a_rewriting_that_changes_nothing_returns_the_expression():
    expression = 2 * A * call("max", A, 1 - B) ** B + sp.pi / 4
    assert Rewriting()(expression) == expression


def test_operations():
    """One per binary operation and function; numbers in front and signs are free."""
    for expression, count in (
        (A, 0),
        (-2 * A, 0),
        (A * B, 1),
        (A - B, 1),
        (3 * A * B + B + 1, 3),
        (A**2, 1),
        (call("tanh", A * B), 2),
        (call("max", A, B) * (1 - call("tanh", A) ** 2), 5),
    ):
        assert operations(expression) == count, expression
