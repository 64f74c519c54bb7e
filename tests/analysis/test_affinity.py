"""Affinity: sound at kinks, and the one test that closure and measure notation ask."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from exact.strategies import seeded

import mfderive as mf
from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import PUBLIC_FUNCTIONS, call
from mfderive.algebra.terms import AxisKind
from mfderive.algebra.visitor import UnknownNodeError
from mfderive.analysis.affinity import entangled, kernel_obstacles, noise_obstacles
from mfderive.errors import MfError
from mfderive.notation import measure_form
from mfderive.notation.existence import closing_edge
from mfderive.reduction.closure import close_noise

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
W, V, U = sp.symbols("w v u")


def test_functions_and_powers_are_not_affine_whatever_their_second_derivative():
    for expression in (
        call("relu", W * U), call("abs", W) * U, call("max", W, U), call("min", W * U, sp.Integer(1)),
        call("heaviside", W) * U, call("sign", W), W**2, U / (1 + W), call("tanh", W) - call("tanh", W) / 2,
    ):  # fmt: skip
        assert entangled(expression, {W}) == {(W, W)}, expression


def test_coefficients_may_be_anything():
    """Degree 0 or 1 in w: whatever u does stands before it."""
    for expression in (W * call("relu", U), U**2 + 3, (W + 2) * (U + 1), W / (1 + U**2), call("max", U, V)):
        assert entangled(expression, {W}) == set(), expression


def test_weights_are_entangled_by_products_and_inside_of_functions():
    assert entangled(3 * W + V * U, {W, V}) == set()
    assert entangled(W * V, {W, V}) == {(V, W)}
    assert entangled(call("max", W, V) + U, {W, V}) == {(V, V), (V, W), (W, W)}


def test_a_node_outside_of_the_table_raises():
    with pytest.raises(UnknownNodeError):
        entangled(sp.sin(W), {W})


def random_expression(rng, depth):
    """A random expression of the closed table in w, v and u, without poles."""
    kind = rng.integers(5) if depth else 5
    if kind == 5:
        return (W, V, U, U, sp.Integer(2))[rng.integers(5)]
    parts = [random_expression(rng, depth - 1) for _ in range(2)]
    if kind == 0:
        return parts[0] + parts[1]
    if kind in (1, 2):
        return parts[0] * parts[1]
    if kind == 3:
        return call(str(rng.choice(["relu", "abs", "tanh", "sin"])), parts[0])
    return call(str(rng.choice(["max", "min"])), *parts)


def test_affine_expressions_are_affine_in_numbers():
    """No entangled pair: the value at a mean of two points is the mean of the values, to rounding.

    Points are far apart, so that kinks lie between them. Among the others most are not affine. Both weights
    carry noise in half of the expressions, in the others v is a coefficient.
    """
    rng = np.random.default_rng(1)
    counts = Counter()
    for number in range(600):
        expression = random_expression(rng, 2 + number % 2)
        both = number % 4 < 2
        affine = not entangled(sp.expand(expression), {W, V} if both else {W})
        errors = []
        for _ in range(8):
            (w1, w2), (v1, v2) = rng.normal(0, 3, (2, 2))
            v2, u = (v2 if both else v1), rng.normal()
            values = [
                float(evaluate_expression(expression, {W: w, V: v, U: u}))
                for w, v in ((w1, v1), (w2, v2), ((w1 + w2) / 2, (v1 + v2) / 2))
            ]
            errors.append(abs(values[2] - (values[0] + values[1]) / 2) / (1 + max(map(abs, values))))
        straight = max(errors) < 1e-12
        assert straight or not affine, expression
        counts[affine, straight] += 1
    assert counts[True, True] > 100
    assert counts[False, False] > 3 * counts[False, True]


# ---------------------------------------------------------------------------------------- one test for both


def with_operation(operation):
    """Two populations joined by an operation of a random weight."""
    law = "normal(0.5, 1)"
    layers = [
        {"name": "h1", "from": "x", "weight": law, "activation": "tanh"},
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": law, "operation": operation}],
        },
    ]
    return mf.derive(
        mf.load(
            {
                "format": 1,
                "title": operation,
                "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
                "loss": {"kind": "squared"},
                "layers": layers,
                "output": {"from": "h2", "weight": law},
                "training": {"learning_rate": 0.01, "batch_size": 10, "steps": 10},
            }
        )
    )


OPERATIONS = {
    "w * u": True,
    "w * relu(u) + u**2": True,
    "relu(w * u)": False,
    "abs(w) * u": False,
    "max(w, u)": False,
    "heaviside(w) * u": False,
    "tanh(w * u)": False,
}


@cache
def limit_of(name):
    if name in OPERATIONS:
        return with_operation(name)
    if isinstance(name, int):
        specimen = seeded(name, name % 4 == 3)
        return mf.derive(mf.load(specimen.document, data=specimen.arrays))
    return mf.derive(mf.load(name))


def has_measure_form(limit) -> bool:
    try:
        measure_form(limit)
    except MfError:
        return False
    return True


def loses_its_noise(limit) -> bool:
    """Whether closure leaves no noise axis (it refuses what it cannot even write with noise)."""
    try:
        left = close_noise(limit).system
    except MfError:
        return False
    return not any(axis.kind is AxisKind.NOISE for axis in left.axes)


@pytest.mark.parametrize(("operation", "affine"), OPERATIONS.items())
def test_operations_that_only_look_affine_have_no_closed_f(operation, affine):
    limit = limit_of(operation)
    assert has_measure_form(limit) is loses_its_noise(limit) is affine


def test_measure_notation_exists_where_closure_removes_the_noise():
    """On shipped and random networks with a population and without a loop between populations: "there are
    closed equations for f" (notation) and "no weight keeps a kernel" (closure) are one statement.

    A weight that is constant given its two ends has no noise, so it keeps none: f is the weight itself,
    however it is read, and measure notation exists. Where a dense edge closes a loop, or no layer is wide,
    there is no measure notation for that other reason, and nothing is stated about it here; that the two
    rooms agree about kernels is asserted there too.
    """
    counts = Counter()
    for name in (*SPECS, *range(100)):
        limit = limit_of(name)
        closed = loses_its_noise(limit)
        assert closed is not bool(kernel_obstacles(limit)), name
        if closing_edge(limit) is None and limit.populations:
            assert has_measure_form(limit) is closed, name
            counts["closed" if closed else "kernel"] += 1
            counts["constant weights read nonlinearly"] += closed and bool(nonlinear_constants(limit))
        else:
            counts["loop"] += 1
            assert not has_measure_form(limit)
    assert min(counts["closed"], counts["kernel"], counts["loop"]) >= 10, counts
    assert counts["constant weights read nonlinearly"] >= 1, counts


def nonlinear_constants(limit):
    """Weights between two populations, constant given their ends, that some forward term is not affine in."""
    constant = {
        p.name
        for p in limit.parameters
        if len(limit.population_slots(p.name)) == 2 and p.law.is_deterministic
    }
    return {
        access.field
        for equation in limit.forward
        for term in equation.terms
        for symbol, access in term.accesses
        if access.field in constant and entangled(term.expression, {symbol})
    }


def test_public_functions_are_all_seen_as_not_affine():
    """Every function of the closed table, those that a later version adds included."""
    from mfderive.algebra.functions import FUNCTIONS

    for name in PUBLIC_FUNCTIONS:
        arguments = [W, U, V][: FUNCTIONS[name].arity]
        assert (W, W) in entangled(call(name, *arguments) * U, {W}), name
    assert not noise_obstacles(limit_of("w * u"))
