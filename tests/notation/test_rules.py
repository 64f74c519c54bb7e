"""Learning rules in print: every equation holds among the values of the interpreter, or why there is none."""

import itertools
import re
import textwrap
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.algebra.update_rules import RULES as RULES_TABLE
from mfderive.errors import MfError
from mfderive.notation import display, equation_text, html, latex_document, measure_form, text
from mfderive.notation.existence import obstacle
from mfderive.notation.letters import Letters
from mfderive.notation.measure_nodes import (
    Brownian,
    Divergence,
    Increment,
    Laplacian,
    Rate,
    Transport,
)
from mfderive.notation.tree import TreeBuilder

from .measure_values import telling_names
from .rule_values import (
    MOMENT,
    RuleEulerianValues,
    RuleMeasureValues,
    RuleTreeValues,
    drawn,
    interpreted,
)

ROOT = Path(__file__).parents[2]
RULES = {
    "decay": {"weight_decay": 0.1},
    "momentum": {"optimizer": {"kind": "momentum", "mu": 0.75}, "weight_decay": 0.1},
    "heavy-ball": {"optimizer": {"kind": "heavy-ball", "gamma": 0.5}, "weight_decay": 0.1, "decoupled": True},
    "adam": {"optimizer": {"kind": "adam", "eps": 0.01}},
    "clip": {"clip": 0.5, "weight_decay": {"output.weight": 0.3}},
    "noise": {"noise": 0.01, "weight_decay": 0.1, "optimizer": {"kind": "adamw"}},
    "one": {"weight_decay": {"h1.weight": 0.1}, "noise": {"output.weight": 0.02}},
}
LAW = "normal(1, 0.5)"


def network(rule, depth=2, rate="1", outputs=1, **more):
    """A chain of wide layers with gains, biases, convolutions and rates that change, under a rule."""
    layers = [
        {
            "name": "h1",
            "from": "x",
            "kind": "convolution",
            "kernel": [2],
            "weight": {"law": LAW, "rate": rate},
            "activation": "gain * tanh(h)",
            "parameters": {"gain": LAW},
        },
        {
            "name": "h2",
            "from": "h1",
            "weight": {"law": LAW, "rate": "1/(1 + t)"},
            "activation": "tanh",
            **more,
        },
        {"name": "h3", "from": "h2", "weight": LAW, "bias": LAW, "activation": "tanh"},
    ]
    return mf.load(
        {
            "format": 1,
            "title": "Under a rule",
            "data": {"kind": "teacher", "dimension": 6, "shape": [2, 3], "target": "x1"},
            "loss": {"kind": "squared"},
            "layers": layers[:depth],
            "output": {"from": f"h{depth}", "weight": LAW, "bias": LAW},
            "training": {"learning_rate": 0.1, "steps": 2, "batch_size": 3, **RULES[rule]},
        }
    )


@cache
def limit(rule, depth=2, rate="2"):
    return mf.derive(network(rule, depth, rate))


@cache
def shipped(spec, rule):
    return mf.derive(mf.load(ROOT / "specs" / f"{spec}.toml").replace(training=RULES[rule]))


# ---------------------------------------------------------------------------------------- embedding


@pytest.mark.parametrize("rule", RULES)
def test_trees_of_steps_and_flows_mean_what_is_computed(rule):
    """Sums of few terms of order one in float64, on both sides: 1e-12 is above rounding, below any error."""
    system = draw_noise(limit(rule))
    state, x, y, sizes = drawn(system)
    values = interpreted(system, state, x, y)
    builder = TreeBuilder(system)
    reader = RuleTreeValues(builder, values, sizes)
    shown, checked = display(system), set()
    for name, tree in itertools.chain(shown.motion.items(), shown.flow.items()):
        for place in itertools.islice(reader.places(tree.lhs), 5):
            left, right = (reader.evaluate(side, place) for side in (tree.lhs, tree.rhs))
            assert right == pytest.approx(left, rel=1e-12, abs=1e-12), tree
            checked.add(name)
    assert checked == {system.field[e.field].of or e.field for e in (*system.motion, *system.flow)}
    assert len(checked) >= 2


# ---------------------------------------------------------------------------------------- measure notation


def weighted(system, state):
    """The state with unequal weights p."""
    rng = np.random.default_rng(5)
    weights = {name: rng.uniform(0.5, 1.5, len(p)) for name, p in state["p"].items()}
    return {**state, "p": {name: p / p.sum() for name, p in weights.items()}}


@pytest.mark.parametrize("rule", ["clip", "heavy-ball"])
def test_measure_notation_under_rules_means_what_is_computed(rule, monkeypatch):
    """Arguments, integrals over doubled states, the norm of all gradients: as in test_measure."""
    monkeypatch.setattr(Letters, "index", telling_names)
    system = limit(rule)
    form = measure_form(system)
    state, x, y, sizes = drawn(system)
    state = weighted(system, state)
    reader = RuleMeasureValues(form, interpreted(system, state, x, y), state["p"], sizes)
    checked = set()
    for name, tree in form.forward + form.backward + form.gradients:
        if name in reader.arrays or name in ("norm of G", form.alphabet.clip):
            for place in itertools.islice(reader.places(tree.lhs), 3):
                left, right = (reader.evaluate(side, place) for side in (tree.lhs, tree.rhs))
                np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9, err_msg=str(tree))
            checked.add(name)
    assert len(checked) >= 8
    assert (form.alphabet.clip in checked) is ("norm of G" in checked) is (rule == "clip")


FLOWS = [rule for rule in RULES if rule != "noise"]


@pytest.mark.parametrize("rule", FLOWS)
def test_functions_are_carried_along_by_the_flow(rule):
    """d/dt f(s_t) by the printed equation = the speed of the weight; without transport it is not.

    The derivative along the path is a complex step, so that both sides round alike: 1e-9 of the largest term.
    """
    system = limit(rule, 3)
    state, x, y, _ = drawn(system)
    values = RuleEulerianValues(measure_form(system), weighted(system, state), x, y)
    assert rule != "clip" or values.values["clip factor"] < 1
    still = values.along(carried=False)
    for name, (error, scale) in values.along().items():
        assert error <= 1e-9 * max(scale, still[name][0]), name
    assert all(error > 1e-3 * scale for error, scale in still.values())
    assert len(still) == (4 if rule == "heavy-ball" else 2)


def drift_and_noise(tree):
    """The speed of a printed equation of a variable, and the coefficient of its Brownian motion."""
    if isinstance(tree.lhs, Rate):
        return tree.rhs, sp.Integer(0)
    assert isinstance(tree.lhs, Increment)
    (noise,) = [term for term in sp.Add.make_args(tree.rhs) if term.atoms(Brownian)]
    (brownian,) = noise.atoms(Brownian)
    assert brownian.args == tree.lhs.args
    return (tree.rhs - noise) / Increment(sp.Symbol("t")), noise / brownian


@pytest.mark.parametrize("rule", RULES)
def test_variables_and_laws_move_as_the_interpreter_says(rule):
    """Labels: drift = flow; laws: the same drift, and T xi = the variance that a step adds, over 2 alpha.

    Pointwise expressions of a few factors in float64 on both sides: 1e-12. With noise the network has one
    hidden layer, since a weight that reads noisy neurons has no f.
    """
    system = limit(rule, 1 if rule == "noise" else 2)
    form = measure_form(system)
    state, x, y, _ = drawn(system)
    values = RuleEulerianValues(form, state, x, y)
    spread = [interpreted(system, state, x, y, every=each) for each in (0.0, 1.0)]
    moving = {}
    for name in [n for n in form.alphabet.variables if len(system.population_slots(n)) < 2]:
        drift, noise = drift_and_noise(form.tree[f"d {letter_of(form, name)}"])
        moving[name] = values.evaluate(drift, name)
        np.testing.assert_allclose(moving[name], values.speeds[name], rtol=1e-12, atol=1e-12)
        variance = spread_of(system, name, spread)
        np.testing.assert_allclose(values.evaluate(noise, name) ** 2, 2 * variance, rtol=1e-12)
    assert len(form.laws) == len(system.populations)
    for _, tree in form.laws:
        check_law(tree, values, moving, {name: spread_of(system, name, spread) for name in moving})


def letter_of(form, name):
    """The letter under which a variable moves."""
    if not form.system.population_slots(name):
        return form.alphabet.field(name)
    return form.alphabet.register(form.alphabet.variable_of(name).letters[0])


def spread_of(system, name, spread):
    """The variance that fresh noise adds to a variable in a step, per 2 alpha: 0 without noise."""
    if name not in system.next_of:
        return 0.0
    still, driven = (values[system.next_of[name]] for values in spread)
    variance = (driven - still) ** 2 / (2 * MOMENT.alpha)
    assert np.ptp(variance) < 1e-12
    return float(np.mean(variance))


def check_law(tree, values, moving, variances):
    """Every variable of a law is carried at its speed, and spread by its noise."""
    carried = {}
    for term in tree.lhs.atoms(Divergence, Transport):
        letter, _, speed = term.args
        name = values.named[str(letter)]
        carried[name] = term
        if name in moving:
            found = values.evaluate(speed, name)
            np.testing.assert_allclose(found, moving[name], rtol=1e-12, atol=1e-12)
    population = values.system.population_slots(next(iter(carried)))[0]
    assert set(carried) == {v.key for v in values.alphabet.states[population]}
    spreading = {values.named[str(node.args[0])]: node for node in tree.rhs.atoms(Laplacian)}
    for name in [n for n in carried if n in moving]:
        coefficient = tree.rhs.coeff(spreading[name]) if name in spreading else sp.Integer(0)
        assert values.evaluate(coefficient, name) == pytest.approx(variances[name], rel=1e-12)


# ---------------------------------------------------------------------------------------- what is printed


def test_decay_as_the_theory_has_it():
    """Theory B.2 in all forms; G in lines of its own, the paper's numbers gone where they are wrong."""
    shown = text(shipped("three_layer", "decay"))
    for line in (
        "  G_w₂(c₂, c₁, ζ) = −E_P[∂₂L(y, ŷ(x)) Δ_H₂(c₂; x) σ(H₁(c₁; x))]",
        "  w₂ᵏ(c₂, c₁, ζ) = w₂ᵏ⁻¹(c₂, c₁, ζ) + α_k (G_w₂(c₂, c₁, ζ) − 0.1 w₂ᵏ⁻¹(c₂, c₁, ζ))",
        "  ∂ₜ w₂(c₂, c₁, ζ) = G_w₂(c₂, c₁, ζ) − 0.1 w₂(c₂, c₁, ζ)",
        "  d/dt w = G_w(w; ρ₁, ρ₂) − 0.1 w",
        "  ∂ₜ f(w) + ⟨∇f(w), G_w(w; ρ₁, ρ₂) − 0.1 w⟩ = G_f(β, f, w; ρ₁, ρ₂) − 0.1 f(w)",
        "  ∂ₜ ρ₁ + div_w(ρ₁ (G_w(w; ρ₁, ρ₂) − 0.1 w)) = 0",
        "  ∂ₜ ρ₂ + div_f(ρ₂ ∂ₜ f) + div_β(ρ₂ (G_β(f; ρ₁, ρ₂) − 0.1 β)) = 0",
    ):
        assert line in shown.splitlines()
    assert "(16)" in shown and "(23)" not in shown and "(35)" not in shown


def test_the_heavy_ball_doubles_the_state():
    """Theory B.4: the kinetic equation of the law of (θ, θ')."""
    shown = text(mf.derive(mf.load(ROOT / "specs" / "three_layer.toml").replace(
        training={"optimizer": {"kind": "heavy-ball", "gamma": 0.5}}
    )))  # fmt: skip
    for line in (
        "  m_βᵏ(c₂) = (1 − 0.5 α_k) m_βᵏ⁻¹(c₂) + α_k G_β(c₂)",
        "  βᵏ(c₂) = βᵏ⁻¹(c₂) + α_k m_βᵏ(c₂)",
        "  ∂ₜ m_β(c₂) = G_β(c₂) − 0.5 m_β(c₂)",
        "  ∂ₜ β(c₂) = m_β(c₂)",
        "  H₂(f₂; x, ρ₁) = ∫ f₂(w₁, m_w₁) σ(H₁(w₁; x)) ρ₁(dw₁, dm_w₁)",
        "  ∂ₜ ρ₁ + ⟨m_w₁, ∇_w₁ ρ₁⟩ + div_m_w₁(ρ₁ (G_w₁(w₁, m_w₁; ρ₁, ρ₂) − 0.5 m_w₁)) = 0",
    ):
        assert line in shown.splitlines()


def test_noise_adds_a_second_order_term():
    """Theory B.3, on a network with one hidden layer."""
    net = mf.load(ROOT / "specs" / "two_layer.toml").replace(training={"noise": 0.01, "weight_decay": 0.1})
    shown = text(mf.derive(net)).splitlines()
    drift = "G_{θ,1}(θ, w; ρ₁) − 0.1 θ"
    assert "  βᵏ(c₁) = βᵏ⁻¹(c₁) + α_k (G_β(c₁) − 0.1 βᵏ⁻¹(c₁)) + sqrt(0.02 α_k) g_β(c₁)" in shown
    assert "  dβ(c₁) = (G_β(c₁) − 0.1 β(c₁)) dt + sqrt(0.02) dB_β(c₁)" in shown
    assert "  dw = (G_{W,1}(θ₁, w; ρ₁) − 0.1 w) dt + sqrt(0.02) dB_w" in shown
    law, flow = [line for line in shown if line.startswith("  ∂ₜ ρ₁")]
    assert "div_θ(ρ₁ ∇_θ Ψ(θ, w; ρ₁))" in flow  # the same as a gradient flow
    assert f"div_θ(ρ₁ ({drift}))" in law and law.endswith(" = 0.01 ∇_w² ρ₁ + 0.01 ∇_θ² ρ₁")
    assert any("Parameters that all neurons share have one path" in line for line in shown)


def test_section_3_2_under_a_rule():
    """Grouped parameters: one G for all of a theta, whose square is counted once."""
    system = shipped("five_layer_gaussians", "clip")
    shown = text(system, "measure")
    assert "Ḡ" not in shown  # beta decays and b_4 does not: every parameter has a letter of its own
    plain = mf.load(ROOT / "specs" / "five_layer_gaussians.toml").replace(
        training={"clip": 0.5, "weight_decay": 0.1}
    )
    shown = text(mf.derive(plain), "measure")
    (norm,) = [line for line in shown.splitlines() if line.startswith("  ‖G‖² = ")]
    assert norm.count("|G_{θ,4}(θ, f; ρ)|² ρ₄(dθ, df)") == 1 and "∫ |G_{W,1}(θ, w; ρ)|² ρ₁(dθ, dw)" in norm
    assert norm.count("|G") == 9  # four thetas, w, three f, the bias of the output
    learning = "φ(ρ) G_{f,2}(θ, f, θ', w; ρ)"
    moving = "⟨∇₁f(θ', w), φ(ρ) G_{θ,1}(θ', w; ρ) − 0.1 θ'⟩ − ⟨∇₂f(θ', w), φ(ρ) G_{W,1}(θ', w; ρ) − 0.1 w⟩"
    assert f"  Ḡ₂(θ, f, θ', w; ρ) = {learning} − {moving} − 0.1 f(θ', w)\n" in shown


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"noise": 0.01}, r"the weight h2\.weight reads the neurons of h1, whose parameter h1\.weight feels"),
        (
            {"optimizer": "adam", "weight_decay": 0.1},
            r"the flow of h2\.weight is nonlinear in the weight h2\.",
        ),
        ({"optimizer": {"kind": "stepwise"}}, r"no flow of the learning rule 'stepwise' is known"),
        ({"noise": {"h2.weight": 0.01}}, None),
        ({"optimizer": "adamw", "weight_decay": 0.1}, None),
    ],
)
def test_what_has_no_eulerian_form_says_why(training, reason, stepwise):
    system = mf.derive(mf.load(ROOT / "specs" / "three_layer.toml").replace(training=training))
    shown = text(system)
    if reason is None:
        assert obstacle(system) is None and "Evolution (Eulerian)" in shown
        averages = "Fresh noise on weights between two populations averages out: f does not feel it."
        assert (averages in shown) is ("noise" in training)
        return
    assert re.search(reason, obstacle(system)) and obstacle(system) in shown
    with pytest.raises(MfError, match=reason):
        measure_form(system)
    assert "Evolution (Eulerian)" not in shown and "Laws" not in shown


@pytest.fixture
def stepwise(monkeypatch):
    """A learning rule whose flow is not known."""
    row = mf.UpdateRule("stepwise", "steps alone", (("theta", "theta - alpha*xi*g/(1 + k)"),))
    monkeypatch.setitem(RULES_TABLE, row.name, row)


def test_a_rule_without_flow_has_steps_alone(stepwise):
    net = mf.load(ROOT / "specs" / "three_layer.toml").replace(training={"optimizer": {"kind": "stepwise"}})
    shown = text(mf.derive(net), "embedding")
    assert "  βᵏ(c₂) = βᵏ⁻¹(c₂) + α_k G_β(c₂)/(k + 1)\n" in shown
    assert "No flow of this rule is known; it is followed step by step." in shown and "∂ₜ" not in shown


def test_weights_that_stand_for_their_means():
    """After reduction: what becomes of the deviations, in letters (theory B.2, B.3, C.1)."""
    net = mf.load(ROOT / "specs" / "five_layer_gaussians.toml")
    own = {"noise": {"h3.weight": 0.01}, "weight_decay": {"h3.weight": 0.1}}
    net = net.replace(training={"optimizer": {"kind": "heavy-ball", "gamma": 1.0}, **own})
    system = mf.reduce(mf.derive(net)).system
    shown = text(system)
    for line in (
        "  κ_m_w₃ᵏ = (1 − α_k) κ_m_w₃ᵏ⁻¹ − 0.1 α_k κ_w₃ᵏ⁻¹",
        "  ∂ₜ κ_w₃ = κ_m_w₃",
        "  S_m_w₃ᵏ = (1 − α_k)² S_m_w₃ᵏ⁻¹ + 0.01 α_k² S_w₃ᵏ⁻¹ − 0.2 α_k (1 − α_k) S_{w₃,m_w₃}ᵏ⁻¹",
    ):
        assert line in shown.splitlines()
    assert re.search(r"  S_w₃ᵏ = .* \+ 0\.02 α_k\n", shown) and "  S_{w₃,m_w₃}ᵏ = " in shown
    assert "S_w₂" not in shown and "that an entry started with is multiplied by κ" in shown
    assert "noise" not in "".join(equation_text(system, equation) for equation in system.equations)


@pytest.mark.parametrize(
    ("spec", "rule"),
    [("three_layer", "noise"), ("five_layer_gaussians", "heavy-ball"), ("cnn_small", "adam"),
     ("recurrent_elman", "clip"), ("residual", "momentum")],
)  # fmt: skip
def test_pages_of_shipped_networks(spec, rule):
    """MathML is well formed and knows every command; documents are balanced and need amsmath alone."""
    system = shipped(spec, rule)
    for each in (system, mf.reduce(system).system):
        assert str(each) == text(each)
        page, document = html(each), latex_document(each)
        assert "\\" not in page and "Learning rule" in page
        ElementTree.fromstring(page)
        bare = document.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}") and document.isascii() and document.count("$") % 2 == 0
        assert len(re.findall(r"\\left\b", document)) == len(re.findall(r"\\right\b", document))


def test_lookup_of_steps_and_flows_by_name():
    system = shipped("three_layer", "momentum")
    assert system.motion["m h2.weight"] == display(system).motion["m h2.weight"]
    assert system.flow["h2.weight"] == display(system).flow["h2.weight"]
    with pytest.raises(MfError, match=r"no flow equation of 'm h2\.weight'"):
        system.flow["m h2.weight"]


def test_the_example_of_the_page(monkeypatch, capsys):
    """docs/training.md: its code prints its lines, under the titles and in the order of the page."""
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    example = page.partition("<!-- printed -->")[2].partition("<!-- end of printed -->")[0]
    code, shown = (textwrap.dedent(part) for part in example.split("Among the lines are these:"))
    exec(code, {"mf": mf})
    printed = iter(capsys.readouterr().out.splitlines())
    lines = [line for line in shown.splitlines() if line]
    assert len(lines) >= 14
    for line in lines:
        assert line in printed, line
