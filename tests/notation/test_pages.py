"""Text, LaTeX and MathML pages: readable, compilable, free of commands that the converter does not know."""

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sympy as sp

import mfderive as mf
from mfderive import reduce
from mfderive.algebra.functions import call, only_inside, split_inside
from mfderive.errors import MfError
from mfderive.notation import equation_text, html, latex, latex_document, mathml, text
from mfderive.notation.document import remark_latex
from mfderive.notation.printer import spelled
from mfderive.notation.remarks import FORMULAS, Remark

from . import systems
from .systems import LAW

SPECS = Path(__file__).parents[2] / "specs"
THREE_LAYERS = """\
Forward
  H₁(c₁; x) = Σ_i w₁(c₁, i) x_i
  H₂(c₂; x) = E_{c₁,ζ}[w₂(c₂, c₁, ζ) σ(H₁(c₁; x))]
  ŷ(x) = E_{c₂}[β(c₂) σ(H₂(c₂; x))]
  L(y, ŷ(x)) = (ŷ(x) − y)²

Activations
  σ(h) = tanh(h)

Backward
  ∂₂L(y, ŷ(x)) = 2 (ŷ(x) − y)
  Δ_H₂(c₂; x) = β(c₂) σ'(H₂(c₂; x))
  Δ_H₁(c₁; x) = σ'(H₁(c₁; x)) E_{c₂,ζ}[w₂(c₂, c₁, ζ) Δ_H₂(c₂; x)]

Evolution
  ∂ₜ w₁(c₁, i) = −E_P[∂₂L(y, ŷ(x)) Δ_H₁(c₁; x) x_i]                 (36)
  ∂ₜ w₂(c₂, c₁, ζ) = −E_P[∂₂L(y, ŷ(x)) Δ_H₂(c₂; x) σ(H₁(c₁; x))]    (35)
  ∂ₜ β(c₂) = −E_P[∂₂L(y, ŷ(x)) σ(H₂(c₂; x))]                        (34)

Gradient scalings
  What multiplies the plain gradient in a network of widths n.
  w₁  n₁
  w₂  n₂ n₁
  β   n₂
"""


def test_embedding_text_of_three_layers():
    shown = text(systems.three_layer(), "embedding")
    assert shown.endswith(THREE_LAYERS)
    assert "Δ_F is the derivative of the output ŷ" in shown


def test_general_networks_carry_names():
    shown = text(systems.residual(), "embedding")
    assert "W_{h1,h0}(c_h0, c_h0', ζ)" in shown
    assert "gate_h1(c_h0) σ_h0(H_h0(c_h0; x) + b_h0(c_h0))" in shown
    assert "ŷ(x) = E_{c_h0}[β(c_h0) σ_h1(H_h1(c_h0; x))] + b_out" in shown


def test_several_outputs_are_said():
    shown = text(systems.normalised(), "embedding")
    assert (
        "D_F is the derivative of the loss of the sample with respect to F, the residual included." in shown
    )
    assert "Δ" not in shown and "∂₂L" not in shown
    assert "L(y, ŷ(x)) = Σ_j y_j (log(Σ_{j'} exp(ŷ_{j'}(x))) − ŷ_j(x))" in shown


def test_positions_are_printed_as_affine_slots():
    shown = text(systems.convolutional(), "embedding")
    assert "H₁(c₁, p; x) = Σ_{i,k} w₁(c₁, i, k) x_{i,2p + k − 1}" in shown
    assert "Σ_{p',k: p = p' + k − 1} w₂(c₂, c₁, k, ζ) Δ_H₂(c₂, p'; x)" in shown
    assert "position outside" not in text(systems.positions("h * max(h, positions)"))
    assert "What a connection reads at a position outside of its range counts as 0" in shown


def test_rates_are_printed():
    """A rate that changes has a letter, and is written out once."""
    shown = text(systems.three_layer(("1/(1 + t)", "2", "1")), "embedding")
    assert "∂ₜ w₁(c₁, i) = −ξ_w₁ E_P[" in shown
    assert "Learning rates\n  ξ_w₁(t) = 1/(t + 1)\n" in shown and shown.count("1/(t + 1)") == 1
    assert "∂ₜ w₂(c₂, c₁, ζ) = −2 E_P[" in shown


def test_unknown_notation():
    with pytest.raises(MfError, match="Did you mean 'measure'"):
        text(systems.three_layer(), "mesure")


@pytest.mark.parametrize("name", systems.EVERY)
def test_mathml_knows_every_command(name):
    """An unknown command would come out as text with its backslash; the XML must be well formed."""
    page = html(systems.EVERY[name]())
    assert "\\" not in page
    ElementTree.fromstring(page)
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")


@pytest.mark.parametrize("name", systems.EVERY)
def test_latex_document_is_balanced(name):
    """Braces, environments and \\left-\\right pairs close; nothing in a document needs more than amsmath."""
    page = latex_document(systems.EVERY[name]())
    bare = page.replace(r"\{", "").replace(r"\}", "")
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left\b", page)) == len(re.findall(r"\\right\b", page))
    opened = re.findall(r"\\begin\{([a-z*]+)\}", page)
    assert sorted(opened) == sorted(re.findall(r"\\end\{([a-z*]+)\}", page))
    assert page.count("$") % 2 == 0
    assert page.isascii()


def test_latex_block():
    block = latex(systems.three_layer())
    assert block.startswith("\\begin{aligned}") and block.endswith("\\end{aligned}")
    assert (
        r"\Delta_{H_{1}}(c_{1}; x) &= \sigma'(H_{1}(c_{1}; x))\, "
        r"\mathbb{E}_{c_{2}, \zeta}[w_{2}(c_{2}, c_{1}, \zeta)\, \Delta_{H_{2}}(c_{2}; x)]"
    ) in block


def test_mathml_of_a_formula():
    assert mathml(r"\frac{1}{2}").startswith("<math")
    assert 'display="inline"' in mathml("x", "inline")


def test_titles_are_escaped():
    system = dataclasses.replace(systems.three_layer(), title="50% <b> of a_b & {more}")
    assert "<b>" not in html(system)
    assert r"50\% <b> of a\_b \& \{more\}" in latex_document(system)


def test_systems_show_themselves():
    limit = systems.three_layer()
    assert str(limit) == text(limit)
    assert "<math" in limit._repr_html_()


def test_reduced_systems_are_functions_of_types():
    """Theory C.3: middle layers of constant biases are one neuron each, without a label."""
    layers = [
        {"name": f"h{k}", "from": source, "weight": LAW, "bias": "0", "activation": "relu"}
        for k, source in enumerate(["x", "h1", "h2", "h3"], start=1)
    ]
    limit = systems.derived(layers, {"from": "h4", "weight": LAW, "bias": "0"})
    shown = text(reduce(limit))
    assert "H₂(x) = E_{c₁}[w₂(c₁) σ(H₁(c₁; x) + b₁(c₁))]" in shown
    assert "H₃(x) = w₃ σ(H₂(x) + b₂)" in shown
    assert "w₃  " in shown and "n₃ n₂" in shown
    assert "a label c stands for the type of a neuron" in shown
    assert "before any reduction" in text(reduce(limit), "measure")


@pytest.mark.parametrize(
    ("number", "shown"),
    [("1/2", ("1", "2")), ("1/3", ("1", "3")), ("3/10", ("0.3", "")), ("109/100", ("1.09", "")),
     ("100/109", ("1", "1.09")), ("1/1000", ("0.001", "")), ("22/7", ("22", "7")), ("12", ("12", ""))],
)  # fmt: skip
def test_decimals_of_a_spec_print_as_decimals(number, shown):
    """1/(1 + 0.3^2) is 100/109 to sympy; nobody wrote that."""
    assert spelled(sp.Rational(number)) == shown


def test_numbers_and_constants_stand_before_means_and_sums():
    """An average over three taps, a residual that does not depend on the position, one sign for a sum."""
    shown = text(systems.convolutional(), "embedding")
    assert "H₂(c₂, p; x) = (1/3) E_{c₁,ζ}[Σ_k w₂(c₂, c₁, k, ζ) σ(H₁(c₁, p + k − 1; x) + b₁(c₁))]" in shown
    assert "∂ₜ b₁(c₁) = −E_P[∂₂L(y, ŷ(x)) Σ_p Δ_H₁(c₁, p; x)]" in shown
    assert r"\frac{1}{3}\, \mathbb{E}_{c_{1}, \zeta}" in latex(systems.convolutional())
    gate = text(systems.residual(), "embedding")
    assert "∂ₜ gate_h1(c_h0) = −E_P[" in gate
    rated = text(systems.three_layer(("1", "1/(1 + t)", "1")), "embedding")
    assert "∂ₜ w₂(c₂, c₁, ζ) = −ξ_w₂ E_P[" in rated


def padded_pooling():
    """The limit of a network whose max-pooling reaches into the padding."""
    return mf.derive(
        mf.load(
            {
                "format": 1,
                "title": "padded pooling",
                "data": {"kind": "teacher", "dimension": 8, "shape": [2, 4], "target": "x1"},
                "loss": {"kind": "squared"},
                "layers": [
                    {
                        "name": "c",
                        "from": "x",
                        "kind": "convolution",
                        "kernel": [1],
                        "weight": "normal(0, 1)",
                    },
                    {
                        "name": "q",
                        "from": "c",
                        "kind": "max-pool",
                        "window": [3],
                        "stride": [1],
                        "padding": [1],
                    },
                ],
                "output": {"from": "q", "weight": "normal(1, 1)"},
                "training": {"learning_rate": 0.1, "steps": 1},
            }
        )
    )


def test_padded_pooling_is_a_maximum_over_the_positions_inside():
    """The number that keeps padding from being a maximum is the program's, not the mathematics'."""
    limit = padded_pooling()
    shown = text(limit, "embedding")
    assert "is the first maximum of H" in shown and "with inside1_q(p + k − 1) = 1, else 0]" in shown
    tex = latex(limit, "embedding")
    assert r"\text{ with }\mathrm{inside1}" in tex
    for page in (shown, text(limit), tex, html(limit), latex_document(limit)):
        assert "0000000" not in page


def test_what_is_joined_for_a_maximum_is_split_again():
    """Whatever else a minimum holds is printed as it is."""
    value, inside = sp.Symbol("value"), sp.Symbol("inside")
    assert split_inside(only_inside(value, inside)) == (value, inside)
    assert split_inside(call("min", value, 2 * inside - 1)) is None
    assert split_inside(call("min", value, sp.Integer(3))) is None and split_inside(value) is None


def sequences(**more):
    """The limit of a network on sequences, with a second pre-activation and statistics at every step."""
    layer = {
        "name": "r",
        "steps": 3,
        "connections": [
            {"from": "x", "weight": LAW},
            {"from": "x", "weight": LAW, "into": "g"},
            {"from": "r", "kind": "recurrent", "weight": LAW},
        ],
        "activation": "tanh(h - mean(h)) * sigmoid(g)",
        **more,
    }
    return mf.derive(
        mf.load(
            {
                "format": 1,
                "title": "sequences",
                "data": {"kind": "teacher", "dimension": 6, "shape": [3, 2], "target": "x1"},
                "loss": {"kind": "squared"},
                "layers": [layer],
                "output": {"from": "r", "weight": "normal(1, 1)"},
                "training": {"learning_rate": 0.1, "steps": 1},
            }
        )
    )


@pytest.mark.parametrize("limit", [sequences, lambda: mf.derive(mf.load(SPECS / "recurrent_elman.toml"))])
def test_steps_are_superscripts_in_every_form(limit):
    """A layer has H⁽¹⁾, a⁽¹⁾ and so on at step 1; the name of the field (r.step1) is never printed."""
    limit = limit()
    lines = [equation_text(limit, e, inline=way) for e in limit.equations for way in (False, True)]
    pages = [text(limit), text(mf.reduce(limit)), latex_document(limit), html(limit), "\n".join(lines)]
    assert not any(re.search(r"step.?\d", page) for page in pages)
    assert "H⁽¹⁾_r(c_r; x)" in pages[0] and "a⁽²⁾_r(c_r; x)" in pages[4] and "D_{H⁽³⁾_r}" in pages[4]
    assert r"H^{(1)}_{r}" in pages[2]


def test_helpers_of_a_step_carry_it_too():
    shown = text(sequences(), "embedding")
    assert "g⁽²⁾_r(c_r; x)" in shown and "mean1⁽³⁾_r(x)" in shown


def test_formulas_of_remarks_are_data():
    """What stands for a formula in a template is one; the same sign in somebody's words is a letter."""
    remark = Remark("{D_F} of {layer} is averaged, {E_P}.", layer="ζ {x} 50%")
    assert remark == "D_F of ζ {x} 50% is averaged, E_P." and isinstance(remark, str)
    assert remark_latex(remark) == r"$D_F$ of ζ \{x\} 50\% is averaged, $\mathbb{E}_P$."
    assert remark_latex("ζ and E_P") == r"ζ and E\_P"
    with pytest.raises(KeyError, match="unknown"):
        Remark("{unknown}")
    assert all(formula.text and "$" not in formula.latex for formula in FORMULAS.values())
