"""Closure: what is affine, what only looks affine, and what shares the noise of one pair."""

import dataclasses

import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.functions import call
from mfderive.algebra.laws import Law, LawKind, Variable
from mfderive.algebra.system import ForwardSystem
from mfderive.algebra.terms import Access, Axis, AxisKind, Equation, Field, Index, Role, Term
from mfderive.analysis.affinity import entangled, noise_obstacles
from mfderive.errors import MfError
from mfderive.limit.derive import derive_system

from .blowup import disagreement, small_state
from .specs import document, layer

W, V, U = sp.symbols("w v u")


def with_operation(operation, weight="normal(0.5, 1)", **keys):
    layers = [
        layer("h1", "x", "normal(0, 1)", parameters={"a": "normal(1, 0.1)"}, activation="a * tanh(h)"),
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": weight, "operation": operation, **keys}],
        },
    ]
    return document(layers, {"from": "h2", "weight": "normal(1, 0.5)"})


def kept(spec) -> bool:
    reduced = mf.reduce(mf.derive(mf.load(spec))).system
    return reduced.parameter["h2.weight"].noise is not None


@pytest.mark.parametrize(
    ("operation", "stays"),
    [
        ("w * u", False),
        ("w * tanh(u) + u**2", False),
        ("source.a * w * u", False),
        ("(w + 2) * (u + 1) + w / (1 + u**2)", False),
        ("tanh(w * u)", True),
        ("w**2 * u", True),
        ("w * u + 0.1 * w**2", True),
        ("u / (1 + w**2)", True),
        # Second derivatives that vanish wherever they exist:
        ("relu(w * u)", True),
        ("abs(w) * u", True),
        ("max(w, u)", True),
        ("min(w * u, 1)", True),
        ("heaviside(w) * u", True),
        ("sign(w) * u", True),
        ("leaky_relu(w + u)", True),
    ],
)
@pytest.mark.parametrize("rate", [1, 0])
def test_operations(operation, stays, rate):
    """Trained or frozen: what counts is whether the equations are affine in the weight."""
    assert kept(with_operation(operation, {"law": "normal(0.5, 1)", "rate": rate})) is stays


def test_evolution_counts_too():
    """Closure asks H, D and G: a term of G alone that is not affine in the weight keeps the kernel."""
    limit = mf.derive(mf.load(with_operation("w * u")))
    assert not noise_obstacles(limit)
    place = next(k for k, e in enumerate(limit.evolution) if e.field == "d h2.weight")
    equation = limit.evolution[place]
    weight = sp.Symbol("h2.weight")
    for power, obstructed in ((1, False), (3, True)):  # linear decay closes, cubic does not
        decay = Term(equation.target, (), -(weight**power), ((weight, Access("h2.weight", equation.target)),))
        changed = dataclasses.replace(equation, terms=(*equation.terms, decay))
        found = noise_obstacles(
            limit.map_equations(lambda e, new=changed: new if e.field == new.field else e)
        )
        assert bool(found) is obstructed
        assert all(obstacle.equation == "d h2.weight" for obstacle in found)


def test_entangled_symbols():
    tanh = call("tanh", W + U)
    assert entangled(W * U + 3 * V, {W, V}) == set()
    assert entangled(W * V * U, {W, V}) in ({(W, V)}, {(V, W)})
    assert entangled(tanh * U + V, {W, V}) == {(W, W)}
    assert {frozenset(pair) for pair in entangled(call("max", W, V), {W, V})} == {
        frozenset({W}),
        frozenset({V}),
        frozenset({W, V}),
    }
    assert entangled(U / W, {W}) == {(W, W)}


# ---------------------------------------------------------------------------------------- one noise a pair

Z, C1, C2, D1, K = (
    Index("z", "data"),
    Index("c1", "h1"),
    Index("c2", "h2"),
    Index("c1'", "h1"),
    Index("k", "outputs"),
)


def two_weights(product: str):
    """h2(c2) = mean of w v h1 over c1 (and c1'): w and v on the same pair, on two, or crosswise."""
    normal = Law(LawKind.NORMAL, (sp.Rational(1, 2), sp.Integer(1)))
    noise = {"w": Index("n", "noise w"), "v": Index("m", "noise v")}
    axes = [Axis("data", AxisKind.DATA), Axis("h1", AxisKind.POPULATION), Axis("h2", AxisKind.POPULATION)]
    axes += [Axis("outputs", AxisKind.FINITE, 1), Axis("noise w", AxisKind.NOISE)]
    axes += [Axis("noise v", AxisKind.NOISE)]
    shapes = {"w": ("h2", "h1"), "v": ("h1", "h2") if product == "crosswise" else ("h2", "h1")}
    fields = [Field("x", ("data", "outputs"), Role.INPUT), Field("y", ("data", "outputs"), Role.INPUT)]
    parameters = []
    for name, slots in {"a": ("h1",), "b": ("h2",)}.items():
        fields.append(Field(name, slots, Role.PARAMETER))
        parameters.append(Variable(name, slots, normal, sp.Integer(1)))
    for name, slots in shapes.items():
        layout = (*slots, f"noise {name}")
        fields.append(Field(name, layout, Role.PARAMETER))
        parameters.append(Variable(name, layout, normal, sp.Integer(1), f"noise {name}"))
    other = D1 if product == "two pairs" else C1
    second = (C1, C2) if product == "crosswise" else (C2, other)
    A, B, H, X, Q, Y = sp.symbols("a b h x q yy")
    reads = (
        (W, Access("w", (C2, C1, noise["w"]))),
        (V, Access("v", (*second, noise["v"]))),
        (H, Access("h1", (Z, C1))),
    )
    over = (C1, D1) if product == "two pairs" else (C1,)
    terms = {
        "h1": (
            (Z, C1),
            Term((Z, C1), (K,), call("tanh", A * X), ((A, Access("a", (C1,))), (X, Access("x", (Z, K))))),
        ),
        "h2": ((Z, C2), Term((Z, C2), (*over, *noise.values()), W * V * H, reads)),
        "yhat": (
            (Z, K),
            Term((Z, K), (C2,), B * call("tanh", H), ((B, Access("b", (C2,))), (H, Access("h2", (Z, C2))))),
        ),
        "loss": (
            (Z,),
            Term((Z,), (K,), (Q - Y) ** 2, ((Q, Access("yhat", (Z, K))), (Y, Access("y", (Z, K))))),
        ),
    }
    equations = []
    for name, (target, term) in terms.items():
        fields.append(Field(name, tuple(index.axis for index in target), Role.FORWARD))
        equations.append(Equation(name, target, (term,)))
    return derive_system(
        ForwardSystem("by hand", tuple(axes), tuple(fields), tuple(parameters), tuple(equations))
    )


def test_two_noisy_weights_on_one_pair_stay_together():
    """w v on the same pair: both kernels stay, on one common noise, and the blow-up follows exactly."""
    full = two_weights("one pair")
    found = mf.reduce(full)
    reduced = found.system
    assert reduced.parameter["w"].noise == reduced.parameter["v"].noise == "noise w"
    assert "is multiplied with v on the same pair" in "\n".join(map(str, found.log))
    rng = np.random.default_rng(3)
    batches = [(rng.standard_normal((4, 1)), rng.standard_normal((4, 1))) for _ in range(30)]
    assert disagreement(full, reduced, small_state(reduced, 3, 1), batches, 0.05) < 1e-12


def test_products_on_two_pairs_close():
    """w(c2, c1) v(c2, c1'): independent noises average to the product of the means."""
    reduced = mf.reduce(two_weights("two pairs")).system
    assert reduced.parameter["w"].noise is None and reduced.parameter["v"].noise is None


def test_crosswise_products_are_refused():
    """w(c2, c1) v(c1, c2) share a pair in opposite directions: said, not guessed."""
    with pytest.raises(MfError, match="opposite directions"):
        mf.reduce(two_weights("crosswise"))
