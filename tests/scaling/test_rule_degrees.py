"""How the update of a learning rule grows with the gradient, held against the rule's own lines in numbers."""

from fractions import Fraction

import numpy as np
import pytest

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.update_rules import RULES, RuleConstant, UpdateRule
from mfderive.scaling.rule_degrees import rule_degree

EPS = RuleConstant("eps", "added", 1e-3)
DECAY = RuleConstant("b", "memory", 0.9)
OWN = [
    UpdateRule("signed", "sign", (("theta", "theta - alpha*xi*sign(g)"),)),
    UpdateRule("cubed", "cube", (("theta", "theta - alpha*xi*g**3"),)),
    UpdateRule(
        "rms",
        "root of squares",
        (("v", "b*v + (1 - b)*g**2"), ("theta", "theta - alpha*xi*g/sqrt(v + eps)")),
        memories=(("v", 0.0),),
        constants=(DECAY, EPS),
    ),
]


@pytest.mark.parametrize("rule", [*RULES.values(), *OWN], ids=lambda rule: rule.name)
def test_degree_is_that_of_the_numbers(rule: UpdateRule) -> None:
    """Gradients, and the constants that follow them, times c: three steps move theta by c^p times as much."""
    degree = rule_degree(rule)
    assert degree.update is not None
    values = {constant.name: constant.default or 0.25 for constant in rule.constants}

    def moved(scale: float) -> float:
        follow = {name: values[name] * scale ** float(power) for name, power in degree.constants}
        known = {**values, **follow, **dict(rule.memories), "theta": 0.0, "xi": 1.0, "alpha": 0.1, "t": 0.0}
        for step, gradient in enumerate((0.3, -0.1, 0.4), start=1):
            known |= {"g": gradient * scale, "k": step}
            for name, line in rule.program:
                known[name] = float(evaluate_expression(line, {s: known[s.name] for s in line.free_symbols}))
        return known["theta"]

    np.testing.assert_allclose(moved(16.0), 16.0 ** float(degree.update) * moved(1.0), rtol=1e-12)


@pytest.mark.parametrize("line", ["theta - alpha*xi*tanh(g)", "theta - alpha*xi*(g + g**2)", "theta - g - 1"])
def test_no_power_is_no_degree(line: str) -> None:
    """A rule whose update follows no power of the gradient has no factors."""
    assert rule_degree(UpdateRule("own", "own", (("theta", line),))).update is None


def test_epsilon_follows_the_gradient() -> None:
    """Adam's epsilon stands beside the root of v, the other one beside v itself."""
    assert rule_degree(RULES["adam"]).constants == (("eps", Fraction(1)),)
    assert rule_degree(OWN[2]).constants == (("eps", Fraction(2)),)
