"""What generated solvers make of learning rules: temporaries, shared passes, marches, missing flows."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.algebra.update_rules import RULES as TABLE
from mfderive.algebra.update_rules import UpdateRule
from mfderive.codegen.numba.module import solver_source
from tests.exact.test_rules import RULES

SPECS = Path(__file__).parents[2] / "specs"
WEIGHT = ("h2", "h1")


def limit(**training):
    network = mf.load(SPECS / "three_layer.toml")
    return mf.derive(replace(network, training=replace(network.training, **training)))


def step_of(source):
    """The function that makes a step."""
    return source[source.index("def advance(") : source.index("def flow(")]


def weight_sized(source):
    """How many temporaries of the largest weight's size a solver states."""
    listed = re.search(r"^TEMPORARIES = \[(.*?)\]", source, re.MULTILINE | re.DOTALL).group(1)
    return listed.count('("h2", "h1")')


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("decay", 0),
        ("momentum", 0),
        ("heavy-ball", 1),
        ("noise", 1),
        ("adam", 1),
        ("adamw", 1),
        ("clipped", 1),
    ],
)
def test_a_step_makes_no_array_of_a_weights_size_without_need(rule, count):
    """Decay and momentum: none. One for fresh noise, or for a gradient that several values read."""
    assert weight_sized(solver_source(draw_noise(limit(**RULES[rule])))) == count
    if rule == "heavy-ball":
        alone = {key: value for key, value in RULES[rule].items() if key != "noise"}
        assert weight_sized(solver_source(draw_noise(limit(**alone)))) == 0


def test_decay_is_a_factor_of_the_product():
    """BLAS multiplies what a product is added to; nothing else touches the weight."""
    step = step_of(solver_source(draw_noise(limit(weight_decay=(("h2.weight", 0.25),)))))
    assert '"h2.weight": float(1.0 - 0.25*alpha),' in step
    assert "update" not in step


def test_parameters_of_one_shape_share_their_pass():
    """Three weights, two axes each: one function."""
    step = step_of(solver_source(draw_noise(limit(**RULES["adam"]))))
    assert len(re.findall(r"    update(\w*)\(", step)) == 3
    assert set(re.findall(r"    update(\w*)\(", step)) == {""}


@pytest.mark.parametrize("rule", ["adamw", "heavy-ball"])
def test_a_march_counts_its_steps(rule):
    """Bit for bit what single steps with their numbers and the same seed make."""
    system = limit(**RULES[rule])
    solver = mf.generate(system)
    network = mf.load(SPECS / "three_layer.toml")
    moves = [(*network.source.batch(k, 6), 0.1 * k, 0.05, None, k) for k in (1, 2, 3, 4)]
    marched, stepped = solver.sample(5, seed=1), solver.sample(5, seed=1)
    solver.march(marched, moves, seed=9)
    for x, y, t, alpha, weights, k in moves:
        stepped = solver.step(stepped, x, y, t, alpha, weights=weights, k=k, seed=9)
    other = solver.march(solver.sample(5, seed=1), [(*move[:5], 1) for move in moves], seed=8)
    for name in solver.layout.parameters:
        assert np.array_equal(marched[name], stepped[name]), name
    assert not np.array_equal(marched["h2.weight"], other["h2.weight"])


def test_a_rule_without_a_flow_has_steps_only():
    """velocity says so; the step is the rule's."""
    rule = UpdateRule("signed", "a step of fixed length", (("theta", "theta - alpha*xi*sign(g)"),))
    mf.register_rule(rule)
    try:
        system = limit(optimizer="signed")
        solver = mf.generate(system)
        network = mf.load(SPECS / "three_layer.toml")
        state, batch = solver.sample(4, seed=1), network.source.batch(1, 5)
        with pytest.raises(ValueError, match="signed has no known flow"):
            solver.velocity(state, *batch)
        after = solver.step(state, *batch, 0.0, 0.1)
        plain = mf.generate(limit()).velocity(state, *batch)
        for name in solver.layout.parameters:
            np.testing.assert_allclose(after[name], state[name] + 0.1 * np.sign(plain[name]), atol=1e-15)
    finally:
        del TABLE["signed"]
