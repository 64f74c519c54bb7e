"""Display trees: what they look like, and that they mean what the equations compute."""

import itertools

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS
from mfderive.algebra.system import draw_noise
from mfderive.algebra.terms import AxisKind
from mfderive.errors import MfError
from mfderive.notation import display, display_tree, equation_text
from mfderive.notation.nodes import (
    FIRST_MAXIMUM,
    RESIDUAL,
    Activation,
    Head,
    HeadKind,
    Indicator,
    Maximum,
    Mean,
    Sum,
    head,
)
from mfderive.notation.tree import TreeBuilder
from mfderive.tensor.interpreter import interpret

from . import systems
from .tree_values import TreeValues, ranges

z, i, p, k, ζ = sp.symbols("z i p k ζ")
c1, c2 = sp.symbols("c_1 c_2")


def σ(layer, derivative, *arguments):
    return Activation(sp.Symbol(f"{layer}.out"), derivative, *arguments)


def test_three_layer_trees():
    """H2 = Mean_{c1}[w2 sigma(H1)], Delta_{H1} = sigma'(H1) Mean_{c2}[w2 Delta_{H2}], G with the residual."""
    shown = display(systems.three_layer())
    w2 = head("h2.weight", c2, c1, ζ)
    h1, h2 = head("h1", z, c1), head("h2", z, c2)
    delta1, delta2 = head(Head("h1", HeadKind.DELTA), z, c1), head(Head("h2", HeadKind.DELTA), z, c2)
    assert shown.forward["h1"].rhs == Sum(head("h1.weight", c1, i) * head("x", z, i), i)
    assert shown.forward["h2"].rhs == Mean(w2 * σ("h1", 0, h1), c1, ζ)
    assert shown.backward["h2"].rhs == head("output.weight", c2) * σ("h2", 1, h2)
    assert shown.backward["h1"].rhs == σ("h1", 1, h1) * Mean(w2 * delta2, c2, ζ)
    residual = head(RESIDUAL, z)
    assert shown.backward["yhat"].lhs == residual
    assert shown.evolution["h2.weight"].rhs == -Mean(residual * delta2 * σ("h1", 0, h1), z)
    assert shown.evolution["h1.weight"].rhs == -Mean(residual * delta1 * head("x", z, i), z)
    assert shown.scalings == {
        "h1.weight": ("h1",),
        "h2.weight": ("h2", "h1"),
        "output.weight": ("h2",),
    }


def test_lookup_by_name():
    limit = systems.three_layer()
    assert limit.forward["h2"] == display(limit).forward["h2"]
    assert "h1.out" not in display(limit).forward
    assert list(display(limit).backward) == ["yhat", "h2", "h1"]
    with pytest.raises(MfError, match=r"'h22'.*Did you mean 'h2'"):
        display(limit).forward["h22"]


def test_two_indices_over_one_population_stay_apart():
    """The dense connection inside the population averages over a second neuron c'."""
    tree = display(systems.residual()).forward["h1"].rhs
    c, c_ = sp.symbols("c_h0 c_h0'")
    means = [node for node in sp.Add.make_args(tree) if isinstance(node, Mean)]
    assert [mean.indices for mean in means] == [(c_, ζ)]
    assert tree.free_symbols == {z, c}


def test_substitution_cannot_capture():
    """Substituting the outer neuron by the name of the bound one renames the bound one."""
    tree = Mean(head("w", c1, c2) * head("h", c2), c2)
    replaced = tree.subs(c1, c2)
    assert replaced.free_symbols == {c2}
    assert replaced.body == head("w", c2, replaced.indices[0]) * head("h", replaced.indices[0])
    assert tree.subs(c2, c1) == tree


def test_positions_are_affine_and_gradients_scatter():
    tree = display(systems.convolutional()).forward["c1"].rhs
    assert tree == Sum(head("c1.weight", c1, i, k) * head("x", z, i, 2 * p + k - 1), i, k)
    backward = display(systems.convolutional()).backward["c1"].rhs
    p_ = sp.Symbol("p'")
    assert Indicator(p, k + p_ - 1) in backward.atoms(Indicator)


def test_several_outputs_keep_the_residual_inside():
    shown = display(systems.normalised())
    assert shown.backward["h2"].lhs.func.__name__ == Head("h2", HeadKind.ADJOINT).name
    assert not any(
        node.func.__name__ == RESIDUAL
        for tree in shown.evolution.values()
        for node in tree.atoms(sp.core.function.AppliedUndef)
    )


def test_helpers_of_cross_entropy_are_written_out():
    """Loss = sum_j y_j (log sum_j' exp(yhat_j') - yhat_j)."""
    tree = display(systems.normalised()).forward["loss"].rhs
    j, j_ = sp.symbols("j j'")
    log, exp = FUNCTIONS["log"].symbol, FUNCTIONS["exp"].symbol
    inside = log(Sum(exp(head("yhat", z, j_)), j_)) - head("yhat", z, j)
    assert tree == Sum(head("y", z, j) * inside, j)


UNARY = [n for n in PUBLIC_FUNCTIONS if FUNCTIONS[n].arity == 1 and n not in ("sign", "heaviside")]


@pytest.mark.parametrize("name", UNARY)
def test_every_activation_shows_its_derivative(name):
    """Whatever the reverse pass made of sigma' (1 - out^2, out, step, ...): displayed as sigma'."""
    tree = display(systems.three_layer(activation=name)).backward["h1"].rhs
    inner = Mean(head("h2.weight", c2, c1, ζ) * head(Head("h2", HeadKind.DELTA), z, c2), c2, ζ)
    assert tree == σ("h1", 1, head("h1", z, c1)) * inner


def test_other_derivatives_are_explicit():
    """tanh(w u) is an operation, not an activation: 1 - tanh^2 stands there in full."""
    tree = display(systems.nonlinear()).evolution["h2.weight"].rhs
    tanh = FUNCTIONS["tanh"].symbol
    product = head("h2.weight", c2, c1, ζ) * σ("h1", 0, head("h1", z, c1))
    assert tree.has(1 - tanh(product) ** 2)


def test_a_maximum_is_a_maximum():
    """A sum over a frozen first-maximum selector of the same value is shown as max."""
    tree = display(systems.positions("h * max(h, positions)")).forward["c1.max1"].rhs
    assert tree == Maximum(head("c1", z, sp.Symbol("c_c1"), p), p)
    assert str(tree) == "Maximum(c1(z, c_c1, p), p)"


def drawn(system):
    """Random arrays for every parameter, positive and negative, and the sizes of all axes."""
    rng = np.random.default_rng(7)
    sizes = {axis.name: axis.size or 2 for axis in system.axes}
    for number, axis in enumerate(system.populations):
        sizes[axis.name] = 2 + number % 2
    state = {q.name: rng.normal(size=[sizes[a] for a in q.axes]) for q in system.parameters}
    state["p"] = {axis.name: np.full(sizes[axis.name], 1 / sizes[axis.name]) for axis in system.populations}
    x = rng.normal(size=[sizes[a] for a in system.field["x"].axes])
    y = rng.normal(size=[sizes[a] for a in system.field["y"].axes])
    return state, x, y, sizes


@pytest.mark.parametrize("name", systems.EVERY)
def test_trees_mean_what_is_computed(name):
    """Every displayed equation holds among the values that the plain interpreter computes.

    Both evaluate the same formula in float64 with at most some hundred terms of order one, and Delta is
    D divided by the residual (of order one here): 1e-9 is far above rounding and far below any error.
    """
    system = draw_noise(systems.EVERY[name]())
    assert not any(axis.kind is AxisKind.NOISE for axis in system.axes)
    state, x, y, sizes = drawn(system)
    values, _ = interpret(system, state, x, y)
    builder = TreeBuilder(system)
    shown = display(system)
    reader = TreeValues(builder, values, sizes)
    checked = 0
    for tree in itertools.chain(
        *(part.values() for part in (shown.forward, shown.backward, shown.evolution))
    ):
        if tree.rhs.func.__name__ == FIRST_MAXIMUM:
            continue  # an indicator, not a value: its field is read by the other trees
        for place in itertools.islice(ranges(system, tree, values, sizes, builder), 6):
            left, right = (reader.evaluate(side, place) for side in (tree.lhs, tree.rhs))
            assert right == pytest.approx(left, rel=1e-9, abs=1e-9), tree
            checked += 1
    assert checked > len(system.parameters)


def test_one_line_for_code():
    """Comments show what code computes: activation outputs by their letter, D with the residual inside."""
    system = systems.three_layer()
    lines = {equation.field: equation_text(system, equation) for equation in system.equations}
    assert lines["h2"] == "H₂(c₂; x) = E_{c₁,ζ}[w₂(c₂, c₁, ζ) a₁(c₁; x)]"
    assert lines["h1.out"] == "a₁(c₁; x) = tanh(H₁(c₁; x))"
    assert lines[system.adjoint_of["h1"]] == "D_H₁(c₁; x, y) = D_a₁(c₁; x, y) (1 − a₁(c₁; x)²)"
    assert lines[system.velocity_of["output.weight"]] == "G_β(c₂) = −E_P[D_ŷ(x, y) a₂(c₂; x)]"
    forward = next(equation for equation in system.forward if equation.field == "h2")
    assert display_tree(system, forward) == display(system).forward["h2"].rhs
