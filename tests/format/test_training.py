"""[training]: rules and what stands beside them, schedules by hand-computed numbers, messages of refusals."""

import copy
import math
import re
import tomllib
from pathlib import Path

import jsonschema
import networkx
import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.learning_words import BESIDE, statements
from mfderive.algebra.update_rules import RULES
from mfderive.cli import main
from mfderive.cli.command_tools import load_network
from mfderive.cli.flags import build_parser
from mfderive.errors import ArgumentError, SpecError
from mfderive.format.networkx_graph import from_networkx
from mfderive.format.reader import parse_document
from mfderive.format.schema import schema
from mfderive.network.changes import changed_document
from mfderive.network.learning_rates import alphas
from mfderive.network.schedules import SCHEDULES
from mfderive.report.summary import summarise, summary_text
from tests.format.documents import changed, small
from tests.training_page import PAGE, page

ROOT = Path(__file__).parents[2]
TEXT = PAGE.read_text(encoding="utf-8")
MOMENTUM = {"kind": "momentum", "mu": 0.9}


def trained(**keys):
    """``small()`` (h1 and h2, ten steps of size 0.01) with keys of [training]."""
    document = small()
    document["training"] |= copy.deepcopy(keys)
    return document


def training(**keys):
    return parse_document(trained(**keys)).training


# --- values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "rule", "constants"),
    [
        ("sgd", "sgd", {}),
        ("adam", "adam", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        ({"kind": "adamw", "beta2": 0.99}, "adamw", {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8}),
        (MOMENTUM, "momentum", {"mu": 0.9}),
        ({"kind": "momentum", "mu": 0}, "momentum", {"mu": 0.0}),
        ({"kind": "heavy-ball", "gamma": 2}, "heavy-ball", {"gamma": 2.0}),
    ],
    ids=["sgd", "adam", "adamw", "momentum", "momentum of 0", "heavy ball"],
)
def test_a_rule_has_all_of_its_constants(optimizer, rule, constants) -> None:
    found = training(optimizer=optimizer)
    assert (found.optimizer, dict(found.constants)) == (rule, constants)
    assert all(isinstance(value, float) for _, value in found.constants)


def test_what_stands_beside_the_rule_by_parameter() -> None:
    """A number is everybody's, 'default' is that of the others; a dotted key of TOML is the same name."""
    both = tomllib.loads('a = { "h2.weight" = 0.5, default = 1 }\nb.h2.weight = 0.5\nb.default = 1')
    for written in both.values():
        network = mf.load(trained(weight_decay=written, noise=0.25, clip=2, dropout={"h2": 0.5}))
        learning = mf.forward_system(network).learning
        wanted = {"h1.weight": 1.0, "h1.bias": 1.0, "h2.weight": 0.5, "output.weight": 1.0}
        assert dict(learning.decay) == wanted
        assert dict(learning.noise) == dict.fromkeys(wanted, 0.25)
        assert (learning.clip, network.training.dropout) == (2.0, (("h2", 0.5),))
    assert training(dropout=0.1).dropout == (("h1", 0.1), ("h2", 0.1))


@pytest.mark.parametrize(
    ("rule", "written", "decoupled"),
    [("adam", {}, False), ("adamw", {}, True), ("adam", {"decoupled": True}, True)],
    ids=["adam", "adamw", "as the spec says"],
)
def test_whether_decay_is_decoupled_is_the_rules_unless_it_is_said(rule, written, decoupled) -> None:
    network = mf.load(trained(optimizer=rule, weight_decay=0.1, **written))
    assert mf.forward_system(network).learning.decoupled is decoupled


def test_frozen_parameters_neither_decay_nor_move() -> None:
    document = changed("layers.1.weight", {"law": "normal(1, 0.1)", "rate": 0})
    document["training"] |= {"weight_decay": 0.1, "noise": {"default": 1}}
    learning = mf.forward_system(mf.load(document)).learning
    assert "h2.weight" not in dict(learning.decay) | dict(learning.noise)
    assert set(dict(learning.decay)) == set(dict(learning.noise)) == {"h1.weight", "h1.bias", "output.weight"}


# --- schedules ----------------------------------------------------------------------------------------

SCHEDULED = {
    # Half a cosine over ten steps: (1 + cos(pi (k - 1) / 10)) / 2 at k = 1, 6, 11 (after the end: 0).
    "cosine": ("cosine", {1: 1, 6: 0.5, 3: (1 + math.cos(0.2 * math.pi)) / 2, 11: 0, 50: 0}),
    # Two steps of warm-up, then eight of the cosine to 0.2: half-way is 0.2 + 0.8 / 2 at four of them.
    "cosine, warm-up, end": (
        {"kind": "cosine", "warmup": 2, "end": 0.2},
        {1: 0.5, 2: 1, 3: 1, 7: 0.6, 11: 0.2, 20: 0.2},
    ),
    # The line from 1 to 0.5 over its own four steps: an eighth each.
    "linear": ({"kind": "linear", "end": 0.5, "steps": 4}, {1: 1, 2: 0.875, 3: 0.75, 5: 0.5, 10: 0.5}),
    "warmup": ({"kind": "warmup", "warmup": 4}, {1: 0.25, 2: 0.5, 4: 1, 10: 1}),
    "constant": ("constant", {1: 1, 10: 1}),
    # Halved every three steps after a warm-up of one: 2^(-j/3) with j = k - 2.
    "exponential": (
        {"kind": "exponential", "factor": 0.5, "every": 3, "warmup": 1},
        {1: 1, 2: 1, 3: 0.5 ** (1 / 3), 5: 0.5, 8: 0.25},
    ),
    "exponential, end": (
        {"kind": "exponential", "factor": 0.1, "end": 0.05},
        {1: 1, 2: 0.1, 3: 0.05, 9: 0.05},
    ),
    # The whole rate for three steps, a tenth for the next two, then nothing.
    "piecewise": (
        {"kind": "piecewise", "at": [3, 5], "factors": [0.1, 0]},
        {1: 1, 3: 1, 4: 0.1, 5: 0.1, 6: 0, 10: 0},
    ),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_schedules_by_hand(name) -> None:
    """The numbers stand beside their formulas above; every operation rounds once, so 1e-14 is ample."""
    schedule, numbers = SCHEDULED[name]
    found = training(schedule=schedule)
    rates = alphas(found, max(numbers)) / found.learning_rate
    for k, factor in numbers.items():
        assert rates[k - 1] == pytest.approx(factor, rel=1e-14, abs=1e-14), k


def test_every_schedule_is_tried_by_hand() -> None:
    kinds = {value["kind"] if isinstance(value, dict) else value for value, _ in SCHEDULED.values()}
    assert kinds == set(SCHEDULES)


def rate_of(document):
    """The rate of h2's weight at the beginning of every step."""
    network = parse_document(document)
    (connection,) = network.layer["h2"].connections
    begins = np.concatenate([[0], np.cumsum(alphas(network.training))])[:-1]
    rate = evaluate_expression(connection.weight.rate, {sp.Symbol("t"): begins})
    return np.broadcast_to(rate, begins.shape), begins


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("learning_rate", [0.01, 0.3, 1 / 3])
def test_a_rate_follows_the_same_schedule(name, learning_rate) -> None:
    """At a constant learning rate, the rate at the time of a step is the factor of its number.

    Times are sums of ten terms: they miss k - 1 learning rates by 10 roundings or fewer, the factors have
    slopes of at most 1 per step (the warm-up), and jumps lie half a step away: 1e-13.
    """
    schedule = SCHEDULED[name][0]
    document = trained(learning_rate=learning_rate)
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": schedule}
    wanted = alphas(training(schedule=schedule)) / 0.01
    np.testing.assert_allclose(rate_of(document)[0], wanted, rtol=1e-13, atol=1e-13)


def test_a_rate_follows_the_fraction_of_the_time() -> None:
    """Under another schedule of the learning rate: a line in t / t_end, here with learning rates 1/k."""
    document = trained(schedule="1 / k")
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": "linear"}
    rates, begins = rate_of(document)
    end = 0.01 * sum(1 / k for k in range(1, 11))
    np.testing.assert_allclose(rates, 1 - begins / end, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("part", ["bias", "parameter"])
def test_rates_of_biases_and_parameters_are_schedules_too(part) -> None:
    own = {"law": "0", "rate": {"kind": "piecewise", "at": [5], "factors": [0.5]}}
    if part == "bias":
        rate = parse_document(changed("layers.0.bias", own)).layer["h1"].bias.rate
    else:
        layer = {"name": "h2", "from": "h1", "weight": "0", "activation": "h + b", "parameters": {"b": own}}
        rate = dict(parse_document(changed("layers.1", layer)).layer["h2"].parameters)["b"].rate
    values = [float(evaluate_expression(rate, {sp.Symbol("t"): t})) for t in (0.0, 0.04, 0.05, 0.09)]
    assert values == [1, 1, 0.5, 0.5]


def test_other_steps_change_every_schedule() -> None:
    """The network is read again: a rate that follows 20 steps reaches its half at the eleventh."""
    document = trained(schedule="cosine")
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": "linear"}
    net = mf.load(document).replace(training={"steps": 20})
    assert alphas(net.training)[10] == pytest.approx(0.005, rel=1e-14)
    rates, begins = rate_of(net.document)
    assert len(rates) == 20
    np.testing.assert_allclose(rates, 1 - begins / alphas(net.training).sum(), rtol=1e-13, atol=1e-13)


# --- round trips --------------------------------------------------------------------------------------

FULL = {
    "schedule": {"kind": "cosine", "warmup": 2},
    "optimizer": MOMENTUM,
    "weight_decay": {"h2.weight": 0.01, "default": 0.001},
    "decoupled": True,
    "noise": 0.1,
    "clip": 1.5,
    "dropout": {"h1": 0.1},
}


def test_graphs_and_documents_lose_nothing() -> None:
    network = parse_document(trained(**FULL))
    assert network.document["training"] == trained(**FULL)["training"]
    graph = network.to_networkx()
    assert isinstance(graph, networkx.MultiDiGraph) and graph.graph["training"]["optimizer"] == MOMENTUM
    assert from_networkx(graph) == network == parse_document(network.document)


@pytest.mark.parametrize(
    ("old", "change", "new"),
    [
        ("adam", {"beta1": 0.8}, {"kind": "adam", "beta1": 0.8}),
        ({"kind": "adam", "beta1": 0.8}, {"eps": 1e-6}, {"kind": "adam", "beta1": 0.8, "eps": 1e-6}),
        ({"kind": "adam", "beta1": 0.8}, MOMENTUM, MOMENTUM),
        ("adam", MOMENTUM, MOMENTUM),
        (MOMENTUM, "sgd", "sgd"),
        (MOMENTUM, None, ...),
    ],
    ids=["word", "same kind", "other kind", "word to another kind", "to a word", "removed"],
)
def test_changes_of_a_rule(old, change, new) -> None:
    found = changed_document(trained(optimizer=old), {"training": {"optimizer": change}})
    assert found["training"].get("optimizer", ...) == new


def test_changes_of_a_schedule_and_of_decay() -> None:
    document = trained(schedule="cosine", weight_decay={"h2.weight": 0.1})
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": "linear"}
    change = {"schedule": {"warmup": 3}, "weight_decay": {"default": 1.0}}
    rate = {"h2": {"weight": {"rate": {"end": 0.5}}}}
    found = changed_document(document, {"training": change, "layers": rate})
    assert found["training"]["schedule"] == {"kind": "cosine", "warmup": 3}
    assert found["training"]["weight_decay"] == {"h2.weight": 0.1, "default": 1.0}
    assert found["layers"][1]["weight"]["rate"] == {"kind": "linear", "end": 0.5}


def test_keys_of_training_are_arguments_and_flags() -> None:
    """What Python and the command line say ends up where the spec has it."""
    words = "--schedule cosine --optimizer momentum,mu=0.9 --noise 0.1 --clip 1.5 --dropout h1=0.1 "
    words += "--weight-decay h2.weight=0.01,default=0.001"
    given = ["solve", str(ROOT / "specs/three_layer.toml"), *words.split()]
    network = load_network(build_parser().parse_args(given))
    wanted = {key: value for key, value in FULL.items() if key != "decoupled"} | {"schedule": "cosine"}
    assert {key: network.document["training"][key] for key in wanted} == wanted
    assert network == mf.load(ROOT / "specs/three_layer.toml").replace(training=wanted)
    assert network.training.optimizer == "momentum" and network.training.clip == 1.5


# --- the schema ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [{}, FULL, {"optimizer": "adam"}, {"weight_decay": {"h2": {"weight": 1}}}, {"schedule": "1 / k"}],
    ids=["none", "full", "word", "nested names", "expression"],
)
def test_the_schema_accepts(keys) -> None:
    jsonschema.Draft202012Validator(schema()).validate(trained(**keys))
    parse_document(trained(**keys))


def test_every_key_is_described() -> None:
    parts = schema()["$defs"]
    assert all(each["description"] for each in parts["training"]["properties"].values())
    kinds = parts["optimizer"]["anyOf"][1]["oneOf"]
    assert [each["properties"]["kind"]["const"] for each in kinds] == list(RULES)
    mu = next(each["properties"]["mu"] for each in kinds if "mu" in each["properties"])
    assert (mu["minimum"], mu["exclusiveMaximum"]) == (0, 1) and mu["description"]


# --- refusals -----------------------------------------------------------------------------------------

REFUSED = {
    "no such rule": (
        {"optimizer": "adamm"},
        ["'optimizer'", "Did you mean 'adam'?", "mfderive.register_rule"],
    ),
    "another program's rule": ({"optimizer": "rmsprop"}, ["not in the table", "#a-rule-of-your-own"]),
    "no kind": ({"optimizer": {"mu": 1}}, ["'optimizer.kind'", "has no 'kind'", "Allowed: adam"]),
    "constant missing": (
        {"optimizer": "momentum"},
        ["needs its constant 'mu'", '{ kind = "momentum", mu = ... }', "0 <= mu < 1"],
    ),
    "mu of 1": ({"optimizer": {"kind": "momentum", "mu": 1}}, ["key 'mu'", "found 1,", "0 <= mu < 1"]),
    "beta2 above 1": ({"optimizer": {"kind": "adam", "beta2": 1.5}}, ["found 1.5", "0 < beta2 < 1"]),
    "eps of 0": ({"optimizer": {"kind": "adam", "eps": 0}}, ["found 0,", "0 < eps"]),
    "friction below 0": ({"optimizer": {"kind": "heavy-ball", "gamma": -1}}, ["found -1", "0 <= gamma"]),
    "another rule's constant": (
        {"optimizer": {"kind": "adam", "mu": 0.9}},
        ["unknown key 'mu'", "beta1, beta2"],
    ),
    "a constant that is true": ({"optimizer": {"kind": "momentum", "mu": True}}, ["found True", "a number"]),
    "a rule that is a number": ({"optimizer": 3}, ["found 3", "the name of a learning rule"]),
    "momentum as a key": ({"momentum": 0.9}, ['optimizer = { kind = "momentum", mu = 0.9 }']),
    "negative decay": ({"weight_decay": -0.1}, ["found -0.1", "at least 0"]),
    "negative decay of one": ({"weight_decay": {"h2.weight": -0.1}}, ["-0.1", "at least 0"]),
    "decay of nobody": ({"weight_decay": {"h2.weigt": 1}}, ["no parameter 'h2.weigt'", "'h2.weight'?"]),
    "decay twice": ({"weight_decay": {"h2.weight": 1, "h2": {"weight": 2}}}, ["'h2.weight' is given twice"]),
    "decoupled alone": ({"decoupled": True}, ["without 'weight_decay'"]),
    "negative noise": ({"noise": -1}, ["'noise'", "at least 0"]),
    "noise of nobody": ({"noise": {"h3.bias": 1}}, ["'noise.h3.bias'", "Did you mean 'h1.bias'?"]),
    "clip of 0": ({"clip": 0}, ["found 0,", "greater than 0"]),
    "dropout of all": ({"dropout": 1.0}, ["found 1.0", "0 <= q < 1"]),
    "dropout of no layer": ({"dropout": {"h3": 0.1}}, ["'dropout.h3'", "no layer 'h3'", "Allowed: h1, h2"]),
    "dropout of the output": ({"dropout": {"output": 0.1}}, ["the output is the prediction", "h1, h2"]),
    "dropout of x": ({"dropout": {"x": 0.1}}, ["the inputs are data"]),
    "no such schedule": (
        {"schedule": "cosin"},
        ["'cosin'. Did you mean 'cosine'?", "expression in the step k"],
    ),
    "another program's": ({"schedule": "plateau"}, ["not in the table", "no rate follows the loss"]),
    "schedule of no kind": ({"schedule": {"warmup": 3}}, ["'schedule.kind'", "has no 'kind'"]),
    "another schedule's key": (
        {"schedule": {"kind": "cosine", "at": [1]}},
        ["unknown key 'at'", "end, steps"],
    ),
    "factor missing": ({"schedule": "exponential"}, ["'factor' is missing", "multiplied by"]),
    "factor below 0": ({"schedule": {"kind": "exponential", "factor": -1}}, ["found -1", "greater than 0"]),
    "end below 0": ({"schedule": {"kind": "linear", "end": -1}}, ["found -1", "at least 0"]),
    "warm-up too long": ({"schedule": {"kind": "cosine", "warmup": 10}}, ["10 steps leaves none of the 10"]),
    "unequal lists": (
        {"schedule": {"kind": "piecewise", "at": [1, 2], "factors": [0.1]}},
        ["'at' has 2 entries and 'factors' 1"],
    ),
    "steps fall": (
        {"schedule": {"kind": "piecewise", "at": [5, 2], "factors": [0.1, 0]}},
        ["[5, 2] do not rise"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name) -> None:
    """One message: where it is, what was found, what is allowed."""
    keys, says = REFUSED[name]
    with pytest.raises(SpecError) as caught:
        parse_document(trained(**keys), "net.toml")
    message = str(caught.value)
    assert message.startswith("net.toml, training")
    assert [part for part in says if part not in message] == [], message


def refused(document):
    with pytest.raises(SpecError) as caught:
        parse_document(document)
    return str(caught.value)


def test_decay_of_a_frozen_parameter_is_refused() -> None:
    document = changed("layers.1.weight", {"law": "normal(1, 0.1)", "rate": 0})
    document["training"]["weight_decay"] = {"h2.weight": 0.1}
    assert "'h2.weight' is frozen (rate 0), so that nothing acts on it" in refused(document)


def test_dropout_of_finite_layers_is_refused() -> None:
    document = changed("layers.1", {"name": "h2", "from": "h1", "weight": "normal(1, 0.1)", "size": 3})
    document["training"]["dropout"] = {"h2": 0.1}
    assert "masks of so few neurons do not average out" in refused(document)
    document["training"]["dropout"] = 0.1
    assert parse_document(document).training.dropout == (("h1", 0.1),)
    document["layers"][0]["size"] = 2
    assert "no layer is infinitely wide" in refused(document)


@pytest.mark.parametrize(
    ("rate", "keys", "says"),
    [
        ("cosin", {}, "Did you mean 'cosine'?"),
        ({"kind": "cosin"}, {}, "key 'weight.rate.kind': unknown schedule 'cosin'. Did you mean 'cosine'?"),
        ({"kind": "cosine", "warmup": 10}, {}, "weight.rate 'cosine', key 'warmup': the warm-up of 10 steps"),
        ("cosine", {"schedule": "heaviside(k - 100) * k"}, "so that time stands still"),
        ("cosine", {"schedule": "3 - k"}, "the learning rate of step 4 is -0.01"),
    ],
    ids=["word", "kind", "warm-up", "no time", "negative"],
)
def test_rates_refused(rate, keys, says) -> None:
    document = trained(**keys)
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": rate}
    assert says in refused(document)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--optimizer momentum,0.9", "RULE,CONSTANT=VALUE (momentum,mu=0.9)"),
        ("--optimizer momentum,mu=1", "0 <= mu < 1"),
        ("--momentum 0.9", 'optimizer = { kind = "momentum", mu = 0.9 }'),
        ("--noise h2.weight=0.1,h2.weight=2", "names 'h2.weight' twice"),
    ],
    ids=["form", "range", "word", "twice"],
)
def test_flags_refused(words, says, capsys) -> None:
    assert main(["solve", str(ROOT / "specs/three_layer.toml"), *words.split()]) == 2
    assert says in capsys.readouterr().err


# --- a rule of one's own ------------------------------------------------------------------------------


@pytest.fixture
def own_rules():
    """Rules that are registered meanwhile leave the table again."""
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def test_the_rule_of_the_page(own_rules, monkeypatch) -> None:
    """The page's own code: the spec is held against the row, and the equations know it."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    monkeypatch.chdir(ROOT)
    found: dict = {}
    exec(code, found)
    net = found["net"]
    assert net.training.constants == (("beta", 0.9), ("c", 0.1))
    system = mf.forward_system(net)
    assert system.learning.row.name == "sign-momentum" and "m h1.weight" in system.field
    assert "sign-momentum" in str(schema()["$defs"]["optimizer"])
    with pytest.raises(SpecError, match=r"needs its constant 'c'.*0 < c"):
        net.replace(training={"optimizer": {"c": None}})


def test_what_is_no_row_is_no_rule() -> None:
    with pytest.raises(ArgumentError, match=r"a learning rule is needed, found 5"):
        mf.register_rule(5)


def test_a_rule_that_is_not_registered_is_refused_with_the_way_to_do_it() -> None:
    assert "mfderive.register_rule" in refused(trained(optimizer="sign-momentum"))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"step": (("theta", "theta - alpha*q"),)}, "unknown name 'q'"),
        ({"step": (("m", "g"),)}, "must assign 'theta'"),
        ({"name": "adam"}, "there is a learning rule 'adam' already"),
        ({"constants": (mf.RuleConstant("alpha", "", 1.0),)}, "a constant cannot be called 'alpha'"),
        ({"constants": (mf.RuleConstant("kind", "", 1.0),)}, "a constant cannot be called 'kind'"),
        ({"constants": (mf.RuleConstant("c", "", 2.0, high=1.0),)}, "c is 2.0 by default; allowed is c <= 1"),
        ({"constants": (mf.RuleConstant("c", "", 2.0, open="left"),)}, "one of '', 'low', 'high', 'both'"),
        ({"constants": ("c",)}, "it must be a tuple of mfderive.RuleConstant"),
        ({"name": ""}, "it must be a word of letters"),
        ({"name": 5}, "it must be a word of letters"),
        ({"doc": 3}, "doc is 3 (int), not a text"),
        ({"step": "theta - alpha*g"}, "it must be a tuple of pairs (name, expression)"),
        ({"step": {"theta": "theta - alpha*g"}}, "it must be a tuple of pairs (name, expression)"),
        ({"step": (("theta", 3),)}, "it must be a tuple of pairs (name, expression)"),
        ({"memories": (("m", float("nan")),)}, "it must be a tuple of pairs (name, value at the start)"),
        ({"memories": (("m", 0.0), ("m", 1.0))}, "a memory or a constant cannot be called 'm'"),
        ({"flow": ()}, "its flow must say the derivative of theta"),
        ({"flow": (("theta", "-g"), ("theta", "-g"))}, "its flow must say the derivative of theta"),
    ],
)
def test_rows_that_are_none_are_refused(own_rules, row, says) -> None:
    given = {"name": "own", "doc": "", "step": (("theta", "theta - alpha*xi*g"),), **row}
    with pytest.raises(ArgumentError, match=re.escape(says)):
        mf.register_rule(mf.UpdateRule(**given))


# --- what is said, and the page -----------------------------------------------------------------------


def test_show_says_the_rule_and_what_stands_beside_it() -> None:
    network = mf.load(trained(**FULL))
    system = mf.forward_system(network)
    summary = summarise(network, system)
    text = summary_text(summary)
    assert "learning rate 0.01 · cosine (warmup 2)" in text
    assert "\nrule      momentum (mu 0.9). At fixed mu" in text
    assert "h2.weight 0.01, output.weight 0.001, beside the rule" in " ".join(text.split())
    assert "\nnoise     temperature 0.1. " in text and "\nclip      gradients of norm at most 1.5. " in text
    assert "\ndropout   h1 0.1. " in text
    assert [each["part"] for each in summary["training"]["learning"]] == ["rule", *BESIDE]
    plain = mf.forward_system(mf.load(small()))
    assert [each.part for each in statements(plain.learning)] == ["rule"]


def test_the_page_is_made_of_the_tables() -> None:
    assert page() == TEXT, "write it again: python tests/training_page.py"


def test_the_specs_of_the_page() -> None:
    (table,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    network = parse_document(small() | tomllib.loads(table))
    assert network.training.optimizer == "momentum" and network.training.steps == 2000
    lines = re.findall(r"^    (schedule = .*)$", TEXT, re.M)
    assert len(lines) == 5
    for line in lines:
        training(steps=3000, **tomllib.loads(line))
    (rate,) = re.findall(r"`(weight = \{.*?\})`", TEXT)
    parse_document(changed("layers.1.weight", tomllib.loads(rate)["weight"]))
    commands = re.findall(r"^    mfderive (.*)$", TEXT, re.M)
    assert len(commands) == 2
    for command in commands:
        arguments = build_parser().parse_args(command.replace("specs/", f"{ROOT}/specs/").split())
        assert load_network(arguments).training.steps == 1000
