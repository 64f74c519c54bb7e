"""Verdicts under learning rules: the right limit is not refused, one whose rule is a little wrong is."""

from dataclasses import replace

import pytest

import mfderive as mf
from mfderive.verdict.measurements import measure
from mfderive.verdict.verdict import judge

from .wrong import network, settings

# Each rule with a wrong twin: another memory, decay that is not there, another exponent of Adam's memory.
CASES = {
    "momentum": (
        {"optimizer": "momentum", "constants": (("mu", 0.8),), "weight_decay": (("", 0.2),)},
        {"constants": (("mu", 0.75),)},
    ),
    "decay": ({"weight_decay": (("", 0.5),)}, {"weight_decay": ()}),
    "adamw": (
        {"optimizer": "adamw", "constants": (("beta1", 0.9), ("beta2", 0.99), ("eps", 0.01))},
        {"constants": (("beta1", 0.7), ("beta2", 0.99), ("eps", 0.01))},
    ),
}


def learning(net, **training):
    return replace(net, training=replace(net.training, **training))


@pytest.mark.parametrize(
    "name", ["momentum", *(pytest.param(n, marks=pytest.mark.study) for n in ("decay", "adamw"))]
)
def test_the_right_rule_is_not_refused_and_a_wrong_one_is(name):
    """Four widths, eight seeds each; both sides share the networks that were trained."""
    right, changes = CASES[name]
    net = learning(network(), **right)
    made = settings(net, ensembles=3, random_ensembles=12)
    trained = measure(net, made)
    assert judge(trained).status != "disagrees"
    wrong = mf.reduce(mf.derive(learning(net, **changes))).system
    assert judge(measure(net, made, wrong, trained=trained)).agrees is False
