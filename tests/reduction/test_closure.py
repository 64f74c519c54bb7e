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
from mfderive.state.draw import initial_state
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from mfderive.state.sample import sample_network
from mfderive.tensor.interpreter import interpret

from .blowup import disagreement, euler, small_state
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

Z, C1, D1, K = (
    Index("z", "data"),
    Index("c1", "h1"),
    Index("c1'", "h1"),
    Index("k", "outputs"),
)


def two_weights(product: str):
    """h2(c2) = mean of w v h1 over c1 (and c1'): w and v on the same pair, on two, or crosswise.

    "inside": crosswise, with all neurons in one population; "itself": w(c2, c1) w(c1, c2) there.
    """
    normal = Law(LawKind.NORMAL, (sp.Rational(1, 2), sp.Integer(1)))
    upper = "h1" if product in ("inside", "itself") else "h2"  # the population of c2
    C2, crosswise = Index("c2", upper), product not in ("one pair", "two pairs")
    noise = {"w": Index("n", "noise w"), "v": Index("m", "noise v")}
    axes = [Axis("data", AxisKind.DATA)]
    axes += [Axis(name, AxisKind.POPULATION) for name in dict.fromkeys(("h1", upper))]
    axes += [Axis("outputs", AxisKind.FINITE, 1), Axis("noise w", AxisKind.NOISE)]
    axes += [Axis("noise v", AxisKind.NOISE)]
    shapes = {"w": (upper, "h1"), "v": ("h1", upper) if crosswise else (upper, "h1")}
    fields = [Field("x", ("data", "outputs"), Role.INPUT), Field("y", ("data", "outputs"), Role.INPUT)]
    parameters = []
    for name, slots in {"a": ("h1",), "b": (upper,)}.items():
        fields.append(Field(name, slots, Role.PARAMETER))
        parameters.append(Variable(name, slots, normal, sp.Integer(1)))
    for name, slots in shapes.items():
        layout = (*slots, f"noise {name}")
        fields.append(Field(name, layout, Role.PARAMETER))
        parameters.append(Variable(name, layout, normal, sp.Integer(1), f"noise {name}"))
    other = D1 if product == "two pairs" else C1
    second = (C1, C2) if crosswise else (C2, other)
    twice = product == "itself"
    A, B, H, X, Q, Y = sp.symbols("a b h x q yy")
    reads = (
        (W, Access("w", (C2, C1, noise["w"]))),
        (V, Access("w" if twice else "v", (*second, Index("m", "noise w") if twice else noise["v"]))),
        (H, Access("h1", (Z, C1))),
    )
    over = (C1, D1) if product == "two pairs" else (C1,)
    terms = {
        "h1": (
            (Z, C1),
            Term((Z, C1), (K,), call("tanh", A * X), ((A, Access("a", (C1,))), (X, Access("x", (Z, K))))),
        ),
        "h2": ((Z, C2), Term((Z, C2), (*over, *(reads[k][1].slots[-1] for k in (0, 1))), W * V * H, reads)),
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


@pytest.mark.parametrize("product", ["crosswise", "inside"])
def test_crosswise_products_share_their_pairs_noise(product):
    """w(c2, c1) v(c1, c2): read from opposite ends, the two weights of a pair have one noise node."""
    full = two_weights(product)
    reduced = mf.reduce(full).system
    assert reduced.parameter["w"].noise == reduced.parameter["v"].noise == "noise w"
    assert reduced.parameter["v"].crosswise and not reduced.parameter["w"].crosswise
    rng = np.random.default_rng(3)
    batches = [(rng.standard_normal((4, 1)), rng.standard_normal((4, 1))) for _ in range(30)]
    state = small_state(reduced, 3, 1)
    assert disagreement(full, reduced, state, batches, 0.05) < 1e-12
    # The noises do belong together: with independent ones the same nodes give something else.
    (one, *_), (other, *_) = (euler(reduced, start, batches, 0.05)["b"] for start in (state, turned(state)))
    assert abs(one - other) > 1e-6


def turned(state):
    """The state with the noise nodes of v in another order."""
    return {**state, "v": np.roll(state["v"], 1, axis=-1)}


@pytest.mark.parametrize("product", ["one pair", "crosswise", "inside"])
def test_a_sampled_pair_has_one_noise_node(product):
    """Both weights of every pair of neurons are those of one noise node, in whatever direction they read."""
    found = mf.reduce(two_weights(product))
    state = small_state(found.system, 3, 1)
    network = sample_network(found, state, {}, 7, seed=2)
    w, v = network["w"], network["v"] if product == "one pair" else network["v"].T
    swapped = product != "one pair"
    nodes = state["v"].swapaxes(0, 1) if swapped else state["v"]
    pairs = {(float(a), float(b)) for a, b in zip(state["w"].ravel(), nodes.ravel(), strict=True)}
    drawn = set(zip(w.ravel().tolist(), v.ravel().tolist(), strict=True))
    assert drawn <= pairs and len(drawn) > 9


def test_a_weight_multiplied_with_itself_crosswise_is_refused():
    """w(c2, c1) w(c1, c2): two independent entries on one pair, which no node has. Said, not guessed."""
    with pytest.raises(MfError, match="opposite directions"):
        mf.reduce(two_weights("itself"))


@pytest.mark.study
def test_wide_networks_approach_the_crosswise_kernel():
    """The outputs of the whole system at random entries: their distance to the reduced ones falls as 1/width.

    Labels are those of the reduced nodes at every width, so what is left is the noise of pairs.
    """
    full = two_weights("crosswise")
    reduced = mf.reduce(full).system
    rng = np.random.default_rng(5)
    batches = [(rng.standard_normal((6, 1)), rng.standard_normal((6, 1))) for _ in range(20)]
    plans = plan_ensembles(reduced, nodes={"noise w": 256, "h1": 4, "h2": 4}, rule={"noise w": "gauss"})
    small = ensemble_state(reduced, plans, 0)
    expected = interpret(reduced, euler(reduced, small, batches, 0.1), *batches[0])[0]["yhat"]
    distances = []
    for copies in (8, 16, 32, 64):
        found = []
        for seed in range(8):
            state = initial_state(
                full, {name: copies * len(p) for name, p in small["p"].items() if name[0] == "h"}, seed
            )
            state["p"] = {
                name: np.repeat(p / copies, copies) for name, p in small["p"].items() if name[0] == "h"
            }
            state |= {name: np.repeat(small[name], copies) for name in ("a", "b")}
            found.append(interpret(full, euler(full, state, batches, 0.1), *batches[0])[0]["yhat"])
        distances.append(np.sqrt(np.mean((np.mean(found, axis=0) - expected) ** 2)))
    assert distances[-1] < 0.4 * distances[0], distances
