"""Measure notation and Eulerian form are the paper's, and they follow the equations."""

import pytest
import sympy as sp

from mfderive.errors import MfError
from mfderive.notation import measure_form, text

from . import systems
from .paper_table import Section32, three_layer


def equations(table):
    return {name: sp.Eq(left, right, evaluate=False) for name, (left, right) in table.items()}


def assert_same(trees, table):
    """The same names, and under each name the same tree."""
    expected = equations(table)
    assert set(trees) == set(expected)
    for name, tree in expected.items():
        assert trees[name] == tree, f"{name}: {trees[name]} is not {tree}"


def test_three_layer_is_the_papers_16_to_24():
    assert_same(measure_form(systems.three_layer()).tree, three_layer())


def test_rates_stand_in_the_transport_term():
    """Section 2.4 as corrected (H1): xi_1 multiplies the transport of f as well as w."""
    form = measure_form(systems.three_layer(("1/(1 + t)", "2", "3")))
    ξ0, ξ1, ξ2 = sp.symbols("ξ_0 ξ_1 ξ_2")
    assert_same(form.tree, three_layer(ξ0, ξ1, ξ2))
    t = sp.Symbol("t")
    assert dict(form.rates) == {"ξ_1": 1 / (1 + t), "ξ_2": 2, "ξ_0": 3}


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_section_3_2(depth):
    assert_same(measure_form(systems.parametric(depth)).tree, Section32(depth).table())


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_section_3_2_with_rates(depth):
    """Every transport term carries the rate of what moves (H1), through the inductive term as well."""
    table = Section32(
        depth, lambda layer: sp.Symbol(f"ξ_{layer}"), lambda layer: sp.Symbol(f"ξ_{{θ,{layer}}}")
    )
    assert_same(measure_form(systems.parametric(depth, "2", "3")).tree, table.table())


@pytest.mark.parametrize("depth", [2, 3])
def test_the_usual_network_with_biases_is_section_3_2(depth):
    """The paper: sigma_L(theta, h) = theta_1 sigma(h + theta_2); only the output's scalar bias is more."""
    trees = measure_form(systems.with_biases(depth)).tree
    expected = equations(Section32(depth).table())
    more = {"Δ_{b_out}", "G_{b_out}", "d b_out"}
    assert {name.replace("Δ_b_out", "Δ_{b_out}").replace("G_b_out", "G_{b_out}") for name in trees} == (
        set(expected) | more
    )
    for name in set(expected) - {"ŷ"}:
        assert trees[name] == expected[name], name
    assert trees["ŷ"].rhs == expected["ŷ"].rhs + sp.Symbol("b_out")


def negated(system, part, position):
    """The system with the sign of one equation wrong."""
    equation = getattr(system, part)[position]
    wrong = equation.map_terms(lambda term: term.with_expression(-term.expression))
    return system.map_equations(lambda each: wrong if each is equation else each)


@pytest.mark.parametrize("make", [systems.three_layer, lambda: systems.parametric(2)])
@pytest.mark.parametrize("part", ["backward", "evolution"])
def test_a_wrong_sign_is_printed(make, part):
    """Nothing is canned: each equation with its sign turned gives a different print."""
    system = make()
    right = text(system, "measure")
    for position, equation in enumerate(getattr(system, part)):
        if (
            equation.field != system.adjoint_of["yhat"]
        ):  # its formula belongs to embedding notation: here it is d_2 L
            assert text(negated(system, part, position), "measure") != right, equation.field
        assert text(negated(system, part, position), "embedding") != text(system, "embedding")


def test_a_wrong_forward_equation_is_printed():
    system = systems.three_layer()
    for position in range(len(system.forward)):
        assert text(negated(system, "forward", position)) != text(system)


def test_no_measure_notation_inside_a_population():
    with pytest.raises(MfError, match=r"h1\.weight leads from the population h0 into itself"):
        measure_form(systems.residual())


def test_no_measure_notation_with_a_transposed_tie():
    with pytest.raises(MfError, match="W2 leads from the population h2 back to h1"):
        measure_form(systems.tied())
    assert "W2 leads from the population h2 back to h1" in text(systems.tied())


def test_no_eulerian_form_where_f_does_not_close():
    """theory.md C.5: tanh(w u) with random w needs the kernel; no formula is printed."""
    with pytest.raises(MfError, match=r"h2 is nonlinear in the weight h2\.weight"):
        measure_form(systems.nonlinear())
    assert "∂ₜ f" not in text(systems.nonlinear(), "measure")


@pytest.mark.parametrize(
    "name", ["normalised", "normalised_one", "convolutional", "convolutional_three", "maximum", "softmax"]
)
def test_other_upward_networks_have_one(name):
    """Statistics, finite layers, convolutions, several outputs: every trained parameter evolves."""
    system = systems.EVERY[name]()
    form = measure_form(system)
    assert len(form.evolution) == len(system.evolution)
    assert len(form.gradients) == len(system.evolution)


def test_printed_three_layer():
    """How (20) and (23) look."""
    shown = text(systems.three_layer(), "measure")
    assert "Δ_H₁(w; x, ρ₁, ρ₂) = σ'(H₁(w; x)) ∫ f(w) Δ_H₂(β, f; x, ρ₁) ρ₂(df, dβ)" in shown
    assert "∂ₜ f(w) + ⟨∇f(w), G_w(w; ρ₁, ρ₂)⟩ = G_f(β, f, w; ρ₁, ρ₂)" in shown
    assert "G_w(w; ρ₁, ρ₂) = −E_P[∂₂L(y, ŷ(x; ρ₁, ρ₂)) Δ_w₁(w; x, ρ₁, ρ₂)]" in shown
