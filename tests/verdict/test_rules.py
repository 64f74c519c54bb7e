"""Verdicts under learning rules: the right limit is not refused, one whose rule is a little wrong is."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mfderive as mf
from mfderive.advice.advise import advise
from mfderive.advice.sentences import sentences
from mfderive.algebra.update_rules import RULES
from mfderive.errors import SpecError
from mfderive.finite.velocity import finite_step
from mfderive.state.draw import initial_state
from mfderive.verdict import measurements
from mfderive.verdict.measurements import measure
from mfderive.verdict.verdict import judge
from tests.exact.comparison import plain_solver

from .wrong import document, network, settings

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


def shallow():
    """One hidden layer with little to scatter: small widths tell much, and little is compiled."""
    spec = document(deviation="0.5")
    spec["layers"] = spec["layers"][:1]
    spec["output"] |= {"from": "h1", "weight": "normal(1, 0.1)"}
    spec["check"]["widths"] = [16, 32, 64]
    return mf.load(spec)


def judged(net, changes, made):
    """The verdicts on the right limit and on a wrong one; both share the networks that were trained."""
    trained = measure(net, made)
    wrong = mf.reduce(mf.derive(learning(net, **changes))).system
    return judge(trained), judge(measure(net, made, wrong, trained=trained))


@pytest.fixture
def page():
    """What the page's own code makes: a rule of the user's own, and a network that learns by it."""
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    found = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), found)
    yield found["net"]
    del RULES["sign-momentum"]


def test_a_rule_of_the_user_s_own_is_derived_solved_and_checked(page):
    """The rule of the page: its terms are printed, its limit passes a check, and SGD's limit does not.

    Three widths, six seeds each. (Constants that are a little wrong: the study.)
    """
    assert "βᵏ(c₁) = βᵏ⁻¹(c₁) − α_k m_βᵏ(c₁)/(abs(m_βᵏ(c₁)) + 0.1)" in str(mf.derive(page))
    net = shallow().replace(training={"optimizer": {"kind": "sign-momentum", "c": 0.1}, "steps": 25})
    right, wrong = judged(
        net,
        {"optimizer": "sgd", "constants": ()},
        settings(net, ensembles=3, random_ensembles=12, steps=25, seeds=6),
    )
    assert right.status != "disagrees"
    assert wrong.agrees is False
    path = right.measured.limit
    assert np.isfinite(path.loss).all() and "m h1.weight" in path.at()


@pytest.mark.study
@pytest.mark.parametrize("name", CASES)
def test_the_right_rule_is_not_refused_and_a_wrong_one_is(name):
    """Four widths, eight seeds each; half a minute a rule."""
    right, changes = CASES[name]
    net = learning(network(), **right)
    passed, refused = judged(net, changes, settings(net, ensembles=3, random_ensembles=12))
    assert passed.status != "disagrees"
    assert refused.agrees is False


def test_noise_that_all_neurons_feel_alike_leaves_no_one_limit():
    """The output's bias belongs to no neuron: said in advance, refused by a check with the way out."""
    noisy = shallow().replace(training={"noise": 0.1})
    limit = mf.derive(noisy)
    said = [s for s in sentences(advise(noisy, limit, mf.reduce(limit))) if s.startswith("output.bias: ")]
    assert len(said) == 1 and "makes the limit itself random" in said[0]
    assert "the limit is random, and meant given this path" in str(limit)
    with pytest.raises(SpecError, match=r"key 'noise'.*output.bias.*noise = \{ \"output.bias\" = 0, default"):
        mf.check(noisy)
    quiet = noisy.replace(training={"noise": {"output.bias": 0, "default": 0.1}})
    limit = mf.derive(quiet)
    assert not any("random" in s for s in sentences(advise(quiet, limit, mf.reduce(limit))))
    assert "the limit is random" not in str(limit)


def test_ensembles_draw_noise_of_their_own_and_networks_share_theirs(monkeypatch):
    """Fresh noise is a part of what is drawn: a limit on a network's labels has that network's own."""
    noisy = shallow().replace(training={"noise": {"output.bias": 0, "default": 0.1}})
    seeds = {}

    def record(network, options, **given):
        seeds.setdefault(kind[0], []).append(options.seed)
        return SimpleNamespace(steps=[0])

    monkeypatch.setattr(measurements, "solve", record)
    monkeypatch.setattr(measurements._Limit, "values", lambda self, path: {})
    made = settings(noisy, ensembles=3, random_ensembles=4, matched=3)
    limit = measurements._Limit(noisy, made, mf.reduce(mf.derive(noisy)))
    kind = ["ensembles"]
    for kind[0], run in (
        ("ensembles", limit.ensembles),
        ("random", limit.random),
        ("matched", lambda: limit.matched(16)),
    ):
        run()
    assert sorted(seeds["matched"]) == [1, 2, 3]  # those of the networks
    independent = seeds["ensembles"] + seeds["random"]
    assert len(independent) == len({*independent} - {*range(1, made.seeds + 1)}) == 7


def test_a_limit_on_the_labels_and_the_noise_of_a_network_makes_its_steps(tmp_path):
    """One hidden layer has no noise of pairs: nothing is left but rounding, of some steps in float64."""
    noisy = shallow().replace(training={"noise": {"output.bias": 0, "default": 0.1}, "batch_size": 2})
    system, limit = mf.forward_system(noisy), mf.derive(noisy)
    start = state = initial_state(system, 5, 7)
    for k in (1, 2, 3):
        state = finite_step(noisy, state, *noisy.source.batch(k, 2), 0.05 * (k - 1), 0.05, k, 7)
    options = {"system": limit, "solver": plain_solver(limit, tmp_path)}
    same = mf.solve(noisy, initial=start, seed=7, steps=3, evaluation=5, **options)
    other = mf.solve(noisy, initial=start, seed=8, steps=3, evaluation=5, **options)
    found, expected = same.at()["h1.weight"], state["h1.weight"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert np.abs(other.at()["h1.weight"] - expected).max() > 1e-3
