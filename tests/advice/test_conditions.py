"""The conditions of global convergence: yes, no and not decidable, each for the reason that it names."""

from __future__ import annotations

import copy
import json
from functools import cache

import numpy as np
import pytest

import mfderive as mf
from mfderive.advice.condition_kinds import Ground
from mfderive.advice.conditions import ConditionKind as Kind
from mfderive.algebra.law_kinds import LAWS, Standard
from mfderive.analysis.function_facts import Answer
from mfderive.cli import main

YES, NO, OPEN = Answer.YES, Answer.NO, Answer.OPEN

NORMAL = "normal(0, 1)"
# Every condition on the start holds.
BASE = {
    "format": 1,
    "title": "base",
    "data": {"kind": "teacher", "dimension": 2, "inputs": "uniform(-1, 1)", "target": "0.5 + 0.5 * x1 * x2"},
    "loss": {"kind": "huber"},
    "layers": [
        {"name": "h1", "from": "x", "weight": NORMAL, "bias": NORMAL, "activation": "sigmoid"},
        {"name": "h2", "from": "h1", "weight": "normal(2, 0.5)", "activation": "tanh"},
    ],
    "output": {"from": "h2", "weight": "normal(1, 0.5)"},
    "training": {"learning_rate": 0.1, "batch_size": 10, "steps": 10},
}
ALIKE = ("h1", "h2", "output", "data", "loss", "training")


def spec(**changes):
    """The base with keys of its tables changed; None removes one, ``h3`` adds a third layer."""
    made = copy.deepcopy(BASE)
    tables = {"h1": made["layers"][0], "h2": made["layers"][1]} | {k: made[k] for k in ALIKE[2:]}
    if "h3" in changes:
        third = {"name": "h3", "from": "h2", "weight": "normal(1, 0.5)", "activation": "tanh"}
        made["layers"].append(third)
        made["output"]["from"] = "h3"
        tables["h3"] = third
    for name, keys in changes.items():
        for key, value in keys.items():
            if value is None:
                tables[name].pop(key, None)
            else:
                tables[name][key] = value
    return made


@cache
def _found(text):
    return mf.conditions(mf.load(json.loads(text)))


def found(**changes):
    """The conditions of a changed base."""
    return _found(json.dumps(spec(**changes)))


def labelled(layer, law, **more):
    """A layer whose neurons have a number that only laws read."""
    return {"activation": "tanh(h)", "parameters": {layer: {"law": law, "rate": 0}}, **more}


SHIFTED = {"parameters": {"b": NORMAL}, "bias": None}
# The law of the number is read by nothing but laws.
TARGETS = labelled("a", NORMAL, weight="normal(target.a, 0.1)")
WOVEN = labelled("a", NORMAL, weight="normal(tanh(source.bias * target.a), 1)")
WOVEN_ON = labelled("b", NORMAL, weight="normal(tanh(source.a * target.b), 0.1)")
ONE_POINT = {"means": [[0.0], [1.0]], "deviations": [0.0, 1.0], "labels": [0, 1]}
ONE_INPUT = {"dimension": 1, "target": "x1"}


def on_labels(weight, bias):
    """A first layer whose weight and bias b follow numbers of the neuron: a, g free, c = 2 a, e = 3 b."""
    laws = {"a": NORMAL, "g": NORMAL, "c": "2 * target.a", "e": "3 * target.b"}
    labels = {name: {"law": law, "rate": 0} for name, law in laws.items()}
    own = {"activation": "sigmoid(h + b)", "parameters": {"b": bias, **labels}, "bias": None}
    return {"weight": weight, **own}


SAMPLES = {"kind": "gaussian-mixture", "inputs": None, "dimension": None, "target": None}
CASES = [
    (Kind.CHAIN, NO, {"h2": {"activation": "tanh(h - mean(h))"}}),
    (Kind.CHAIN, NO, {"h2": {"operation": "tanh(w * u)"}}),
    (Kind.CHAIN, NO, {"h1": {"size": 4}}),
    (Kind.OUTPUT, NO, {"data": {"target": ["x1", "x2"]}}),
    (Kind.PARAMETERS, NO, {"h2": {"bias": "0"}}),
    (Kind.PARAMETERS, NO, {"output": {"bias": "0"}}),
    (Kind.PARAMETERS, NO, {"h2": {"activation": "g * tanh(h)", "parameters": {"g": "1"}}}),
    (Kind.PARAMETERS, OPEN, {"h2": {"operation": "tanh(w * u)"}}),
    (Kind.RULE, NO, {"training": {"optimizer": "adam"}}),
    (Kind.RULE, NO, {"training": {"weight_decay": 0.1}}),
    (Kind.RULE, NO, {"training": {"clip": 1.0}}),
    (Kind.RATES, NO, {"h2": {"weight": {"law": "normal(2, 0.5)", "rate": 2}}}),
    (Kind.RATES, NO, {"h1": {"weight": {"law": "normal(0, 1)", "rate": 0}}}),
    (Kind.BOUNDED, NO, {"h1": {"activation": "softplus"}}),
    (Kind.BOUNDED, OPEN, {"h1": {"activation": "sin(h + b) + 2 * (h + b)", **SHIFTED}}),
    (Kind.SMOOTH, NO, {"h1": {"activation": "relu"}}),
    (Kind.SMOOTH, OPEN, {"h2": {"activation": "h * sigmoid(h)"}}),
    (Kind.SLOPES, NO, {"h2": {"activation": "gelu"}}),
    (Kind.SLOPES, OPEN, {"h2": {"activation": "2 * h + h * sin(h) / (1 + h**2)"}}),
    (Kind.LOSS_SLOPE, NO, {"loss": {"kind": "squared"}}),
    (Kind.LOSS_SLOPE, OPEN, {"loss": {"kind": "expression", "expression": "log(1 + (yhat - y)**2)"}}),
    (Kind.LOSS_SHAPE, NO, {"loss": {"kind": "expression", "expression": "1 - cos(yhat - y)"}}),
    (Kind.LOSS_SHAPE, OPEN, {"loss": {"kind": "expression", "expression": "log(1 + (yhat - y)**2)"}}),
    (Kind.LOSS_SHAPE, OPEN, {"loss": {"kind": "expression", "expression": "sqrt(1 + (yhat - y)**2)"}}),
    (Kind.INPUTS, NO, {"data": {"inputs": "normal(0, 1)"}}),
    (Kind.TAILS, NO, {"h2": labelled("a", "normal(0, 1)", weight="normal(source.bias * target.a, 0.1)")}),
    (Kind.TAILS, OPEN, {"h2": {"weight": "normal(1, exp(source.bias))"}}),
    (Kind.INDEPENDENT, NO, {"h2": {"weight": "normal(1 + source.bias, 0.1)"}}),
    (Kind.SUPPORT, NO, {"h1": {"bias": "0"}}),
    (Kind.SUPPORT, NO, {"h1": {"weight": "uniform(-1, 1)"}}),
    (Kind.SUPPORT, NO, {"h1": {"weight": "sphere(1)"}}),
    (Kind.SUPPORT, NO, {"h1": {"bias": "2 * target.w[0]"}}),
    (Kind.SUPPORT, OPEN, {"h1": {"weight": "normal(0, abs(target.bias))"}}),
    (Kind.UNIVERSAL, NO, {"h1": {"activation": "h**2 + h", "bias": None}}),
    (Kind.UNIVERSAL, NO, {"h1": {"bias": None}}),
    (Kind.UNIVERSAL, OPEN, {"h1": {"activation": "exp", "bias": None}}),
    (Kind.UNIVERSAL, OPEN, {"h1": {"activation": "relu(h + b) - relu(-h - b)", **SHIFTED}}),
    (Kind.UNIVERSAL, OPEN, {"h1": {"activation": "abs(h + b)**2", **SHIFTED}}),
    (Kind.UNIVERSAL, OPEN, {"h1": {"activation": "1 / (h + b - 1)", **SHIFTED}}),
    (Kind.UNIVERSAL, OPEN, {"h1": {"activation": "sigmoid(h + 2 * b)", **SHIFTED}}),
    (Kind.OUTPUT_STAYS, NO, {"output": {"weight": "0"}, "h2": {"weight": "normal(0, 1)"}}),
    (Kind.OUTPUT_STAYS, OPEN, {"output": {"weight": "normal(0, 1)"}}),
    (Kind.DIVERSITY, NO, {"h3": {}}),
    (Kind.DIVERSITY, NO, {"h3": TARGETS, "h2": {"weight": "normal(source.bias, 1)"}}),
    (Kind.DIVERSITY, OPEN, {"h2": WOVEN, "h3": WOVEN_ON}),
    (Kind.TARGET, NO, {"data": {"noise": 0.1}}),
    (Kind.TARGET, OPEN, {"data": {**SAMPLES, **ONE_POINT}}),
    (Kind.CONVERGENCE, YES, {"output": {"weight": "0"}, "h2": {"weight": "normal(0, 1)"}}),
    (Kind.CONVERGENCE, NO, {"loss": {"kind": "logistic"}, "data": {"target": "1 - 2 * heaviside(x1 - 0.8)"}}),
]  # fmt: skip


def test_all_hold_for_the_base_and_no_start_decides_convergence():
    base = found()
    assert base.answer is YES
    assert not base.failing
    assert [str(c.kind) for c in base.conditions if c.answer is not YES] == [Kind.CONVERGENCE]
    assert base.condition[Kind.CONVERGENCE].answer is OPEN
    assert base.layers == 2
    assert base.collapsed == ()


@pytest.mark.parametrize(("kind", "answer", "changes"), CASES, ids=lambda part: str(part)[:60])
def test_one_change_changes_one_answer(kind, answer, changes):
    """What the base has as yes (convergence: open) gets another answer by a change that concerns it."""
    changed = found(**changes)
    assert changed.condition[kind].answer is answer
    if answer is NO and kind not in (Kind.TARGET, Kind.CONVERGENCE):
        assert changed.answer is NO
        assert kind in changed.failing


def test_numbers_that_hang_on_one_another_fill_a_line_and_no_plane():
    """With one input the weight and the bias of a neuron are two numbers; what their laws share decides."""
    cases = {
        ("target.a", "1 - 2 * target.a"): NO,
        ("target.c", "target.a"): NO,
        ("target.e", NORMAL): NO,
        ("normal(target.a, 1)", "target.a"): YES,
        ("target.c", "target.g"): YES,
    }
    for (weight, bias), answer in cases.items():
        answers = found(data=ONE_INPUT, h1=on_labels(weight, bias)).condition
        assert answers[Kind.SUPPORT].answer is answer


def test_a_bias_that_is_fixed_at_0_is_none():
    """tanh with such a bias spans odd functions only, and is not held back by the law of the bias."""
    fixed, none = ({"h1": {"activation": "tanh", "bias": bias}} for bias in ({"law": "0", "rate": 0}, None))
    answers = [{c.kind: c.answer for c in found(**changes).conditions} for changes in (fixed, none)]
    assert answers[0] == answers[1]
    assert answers[0][Kind.UNIVERSAL] is NO and answers[0][Kind.SUPPORT] is YES


def test_answers_that_are_always_decided_say_so_by_their_cases():
    """The three answers of every condition, but for those whose question always has an answer.

    Diversity is never yes: laws name finitely many numbers of a neuron, and the theorem asks for infinitely
    many dimensions. Inputs are bounded or not for every kind of data.
    """
    seen = {kind: {YES} for kind in Kind if kind not in (Kind.CONVERGENCE, Kind.DIVERSITY)}
    seen |= {Kind.CONVERGENCE: {OPEN}, Kind.DIVERSITY: set()}
    for kind, answer, _ in CASES:
        seen[kind].add(answer)
    decided = {Kind.CHAIN, Kind.OUTPUT, Kind.RULE, Kind.RATES, Kind.INPUTS, Kind.INDEPENDENT}
    for kind, answers in seen.items():
        missing = {OPEN} if kind in decided else {YES} if kind is Kind.DIVERSITY else set()
        assert answers == set(Answer) - missing, kind


def test_names_and_ways_of_writing_decide_nothing():
    """2 sigmoid(2h) - 1 is tanh; layers may be called anything; a constant coordinate of x is a bias."""
    usual = found(h2={"activation": "tanh"})
    other = found(h2={"activation": "2 * sigmoid(2 * h) - 1"})
    assert [c.answer for c in usual.conditions] == [c.answer for c in other.conditions]
    renamed = json.loads(json.dumps(BASE).replace("h1", "relu_net").replace("h2", "conv"))
    again = mf.conditions(mf.load(renamed))
    assert [c.answer for c in again.conditions] == [c.answer for c in usual.conditions]
    shifted = spec(h1={"bias": None, "activation": "sigmoid(h + s)", "parameters": {"s": "normal(0, 1)"}})
    assert mf.conditions(mf.load(shifted)).answer is YES


def test_a_constant_column_takes_the_place_of_a_bias():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (12, 2))
    y = x[:, :1] ** 2
    without = spec(h1={"bias": None})
    without["data"] = {"kind": "arrays"}
    for column, answer in ((x[:, 1], OPEN), (np.ones(12), YES)):
        net = mf.load(without, data=(np.column_stack([x[:, 0], column]), y))
        assert mf.conditions(net).condition[Kind.UNIVERSAL].answer is answer
    repeated = mf.load(without, data=(np.ones((12, 2)), y))
    assert mf.conditions(repeated).condition[Kind.TARGET].answer is NO


def test_the_reach_of_a_correlated_start_counts_its_products():
    """source.b target.a + source.c (target.a)^2: two functions of the target, two of the source."""
    law = "normal(1 + source.bias * target.a + source.w[0] * target.a**2, 0.1)"
    changed = found(h2=labelled("a", "uniform(0, 1)", weight=law), h3={})
    first, second = changed.condition[Kind.DIVERSITY].findings
    assert (first.facts["targets"], first.facts["sources"]) == (2, 2)
    assert (second.facts["targets"], second.facts["sources"]) == (0, 0)


def test_four_layers_with_an_independent_start_are_degenerate():
    """The layers that the reduction finds to be one neuron each, between the first and the last."""
    assert found(h3={}).collapsed == ("h2",)
    assert found().collapsed == ()


def test_the_start_is_compared_by_its_losses():
    """The output starts at about tanh(1): losses within their error of those of a large draw of networks.

    The two losses are means over the same 512 points; their difference is held within the stated error, and
    the draw of 200 networks of width 400 has an error of its own, three standard errors of which are added.
    """
    (start,) = found().condition[Kind.OUTPUT_STAYS].findings
    assert start.kind == Ground.START
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (4000, 2))
    y = 0.5 + 0.5 * x[:, 0] * x[:, 1]
    # All first sums are the same in the limit, E sigmoid = 1/2 by symmetry: h2 = 2 / 2 = 1, yhat = tanh(1).
    gains = np.abs(y) - np.abs(y - np.tanh(1))
    assert (np.abs(y - np.tanh(1)) < 1).all()
    differences = 0.5 * y**2 - 0.5 * (y - np.tanh(1)) ** 2
    assert gains.shape == differences.shape
    error = start.facts["error"] + 3 * differences.std() / np.sqrt(len(y))
    assert abs(start.facts["of_zero"] - start.facts["loss"] - differences.mean()) < error


def test_rows_of_laws_are_bounded_or_full_or_neither():
    """Values of bounded laws stay within their arguments; those of full ones pass ten times these."""
    rng = np.random.default_rng(3)
    for row in LAWS.values():
        assert not (row.is_full and row.is_bounded)
        if row.transform is None:
            continue
        arguments = (np.asarray(3.0),) * len(row.arguments)
        standard = rng.random((4000, 2))
        if row.standard in (Standard.NORMAL, Standard.HALVES):
            standard = 10 * rng.standard_normal((4000, 2))
        values = np.abs(row.transform(arguments, standard))
        if row.is_bounded:
            assert values.max() <= 3.0 + 1e-12
        elif row.is_full:
            assert values.max() > 30


def test_data_is_plain_and_every_sentence_is_made(capsys, tmp_path):
    """JSON without infinities, LaTeX that escapes, one sentence for each finding of every case."""
    for _, _, changes in CASES:
        told = json.loads(found(**changes).to_json())
        for condition in told["conditions"]:
            assert condition["findings"]
            assert all(finding["text"] for finding in condition["findings"])
    file = tmp_path / "net.toml"
    file.write_text(
        'format = 1\ndata = { kind = "teacher", dimension = 2, target = "x1" }\nloss = { kind = "huber" }\n'
        'layers = [{ name = "h_1", from = "x", weight = "normal(0, 1)", activation = "tanh" }]\n'
        'output = { from = "h_1", weight = "normal(0, 1)" }\ntraining = { learning_rate = 0.1, steps = 3 }\n'
    )
    assert main(["conditions", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "no"
    assert main(["conditions", str(file), "--latex"]) == 0
    latex = capsys.readouterr().out
    assert r"\toprule" in latex
    assert r"h\_1" in latex
    assert main(["conditions", str(file), "--output", str(tmp_path / "told.txt")]) == 0
    assert "The theorems do not apply" in (tmp_path / "told.txt").read_text()


def test_a_start_that_is_not_finite_leaves_its_condition_open():
    """exp(exp(h)) of large weights is infinite: said as a reason, and JSON holds no number for it."""
    wild = found(h2={"activation": "exp(exp(h))", "weight": "normal(2000, 0.5)"})
    (start,) = wild.condition[Kind.OUTPUT_STAYS].findings
    assert start.facts["answer"] is OPEN
    assert "not finite" in start.facts["reason"]
    json.loads(wild.to_json())


def test_no_network_is_refused():
    with pytest.raises(mf.ArgumentError, match="a network is needed"):
        mf.conditions("specs/three_layer.toml")
