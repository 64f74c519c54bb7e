"""Words of the command line, values with variables, and dotted keys: read as data, never evaluated."""

import re
import shlex
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.cli.flags import build_parser
from mfderive.cli.sweep_words import assignment, variable
from mfderive.errors import ArgumentError
from mfderive.sweeps.dotted_keys import changes_of, check_keys, fitting, parts_of_key
from mfderive.sweeps.grid_values import (
    COLUMNS,
    check_variables,
    checked_grid,
    combinations,
    filled,
    setting_name,
)

from .material import TINY

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("layers.h2.weight=normal(1, {tau})", "layers.h2.weight", "normal(1, {tau})"),
        ("training.steps = 10", "training.steps", 10),
        ("training.learning_rate={a}", "training.learning_rate", "{a}"),
        ("training.optimizer={ kind = 'momentum', mu = {mu} }", "training.optimizer",
         {"kind": "momentum", "mu": "{mu}"}),
        ("data.range=[{a}, 1]", "data.range", ["{a}", 1]),
        ("title='{a} of {b}'", "title", "{a} of {b}"),
        ('training.weight_decay."h1.weight"={l}', 'training.weight_decay."h1.weight"', "{l}"),
        ("layers.h1.activation=h == 1", "layers.h1.activation", "h == 1"),
        ("training.steps=10\nother = 1", "training.steps", "10\nother = 1"),
        ("training.steps=2020-01-01", "training.steps", "2020-01-01"),
    ],
)  # fmt: skip
def test_assignments(text, key, value):
    """A value is what a spec file would hold, with variables in it; what is no such value is a text."""
    assert assignment(text) == (key, value)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("tau=0.1,1,3", "tau", [0.1, 1, 3]),
        ("a=.5,-1e-3,true", "a", [0.5, -1e-3, True]),
        ("w=normal(0, 1),'a,b',tanh", "w", ["normal(0, 1)", "a,b", "tanh"]),
        ("a=__import__('os'),1", "a", ["__import__('os')", 1]),
        ("a=", "a", []),
    ],
)
def test_variables(text, name, values):
    """Commas separate values, but for those in brackets and quotes; nothing is evaluated."""
    found = variable(text)
    assert found == (name, values) and list(map(type, found[1])) == list(map(type, values))


@pytest.mark.parametrize("text", ["", "a", "=1", "a=1,,2"])
def test_words_that_are_no_variable(text):
    with pytest.raises(ArgumentTypeError, match=r"NAME=VALUE|two commas"):
        variable(text)


@pytest.mark.parametrize("text", ["", "a", "=1", "a=", "a= "])
def test_words_that_are_no_assignment(text):
    with pytest.raises(ArgumentTypeError, match="must be KEY=VALUE"):
        assignment(text)


def test_values_in_texts():
    """A variable alone is its value; in a text it is written so that the text means what it says."""
    values = {"a": -0.5, "b": 1e-05, "c": 2, "f": "tanh", "g": True}
    assert filled("{a}", values) == -0.5 and filled(" {g} ", values) is True
    assert filled("{a}**2 + {b}*{c}", values) == "(-0.5)**2 + 1e-05*2"
    assert filled({"law": "{f}(h)", "rate": ["{c}", 3]}, values) == {"law": "tanh(h)", "rate": [2, 3]}
    assert filled("{0} {} {a b}", values) == "{0} {} {a b}"


def test_names_of_settings_are_files_of_their_own():
    """Settings that differ have names that differ, whatever their texts hold and however long they are."""
    values = ["a/b", "a_b", "a:b", "../x", "y" * 300, "y" * 301, "tanh", "Tanh", 1, "1", True, 0.1]
    names = [setting_name({"v": value}) for value in values]
    assert len({name.lower() for name in names}) == len(values)
    assert all(len(name) < 120 and "/" not in name and name.startswith("v=") for name in names)
    assert setting_name({"tau": 0.1, "n": -3}) == "tau=0.1,n=-3"


def test_grids():
    """All combinations, the last variable changing fastest; arrays are lists."""
    import numpy as np

    grid = checked_grid({"a": np.array([1.0, 2.0]), "b": ("x", "y")})
    assert grid == {"a": (1.0, 2.0), "b": ("x", "y")}
    assert [tuple(each.values()) for each in combinations(grid)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert checked_grid({"a": [0, False]}) == {"a": (0, False)}


# --- dotted keys -----------------------------------------------------------------------------------------

LONG = """\
format = 1
[data]
kind = "teacher"
dimension = 2
target = "x1"
[loss]
kind = "squared"
[[layers]]
name = "h1"
parameters.gain = "1"
activation = "gain * tanh(h + g)"
[[layers.connections]]
from = "x"
weight = "normal(0, 1)"
[[layers.connections]]
from = "x"
weight = "normal(0, 2)"
into = "g"
[output]
from = "h1"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.1
steps = 2
optimizer = "adam"
"""


@pytest.fixture
def network(tmp_path):
    file = tmp_path / "long.toml"
    file.write_text(LONG)
    return mf.load(file)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("layers.h2.weight", ("layers", "h2", "weight")),
        ("a.\"b.c\".'d'", ("a", "b.c", "d")),
        ("a.connections[1].weight", ("a", "connections", "1", "weight")),
        ("a.connections.1.weight", ("a", "connections", "1", "weight")),
    ],
)
def test_parts_of_keys(text, parts):
    assert parts_of_key(text) == parts


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", 'a."b', "a b", "a[x]", 3, None])
def test_keys_that_are_none(text):
    with pytest.raises(ArgumentError, match="no dotted key"):
        parts_of_key(text)


def changed(network, **values):
    """The network after new values at dotted keys (written with __ for dots)."""
    document = network.document
    keys = {key.replace("__", "."): value for key, value in values.items()}
    parts = check_keys(document, keys)
    new = {parts[key]: fitting(document, parts[key], value) for key, value in keys.items()}
    return network.replace(**changes_of(document, new)).document


def test_keys_change_what_they_name(network):
    """Tables in tables, places in lists, laws and kinds that stand as a word; the rest stays as it is."""
    found = changed(
        network,
        layers__h1__connections__1__weight__rate=0.5,
        layers__h1__connections__0__weight="normal(0, 3)",
        layers__h1__parameters__gain=2,
        training__optimizer__beta1=0.8,
        training__steps=5,
        output__bias=0.25,
        title="new",
    )
    layer = found["layers"][0]
    assert [each["weight"] for each in layer["connections"]] == [
        "normal(0, 3)",
        {"law": "normal(0, 2)", "rate": 0.5},
    ]
    # Laws are texts: a number becomes one.
    assert layer["parameters"] == {"gain": "2"} and found["output"]["bias"] == "0.25"
    assert found["training"] == {
        "learning_rate": 0.1,
        "steps": 5,
        "optimizer": {"kind": "adam", "beta1": 0.8},
    }
    assert found["title"] == "new" and "title" not in network.document


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["layers.h1x.weight"], "no layer 'h1x'. Did you mean 'h1'"),
        (["layers.h1.wieght"], "layers.h1 has no key 'wieght'. Did you mean 'weight'"),
        (["layers.h1.connections.0.form"], "has no key 'form'. Did you mean 'from'"),
        (["layers.h1.connections.2.weight"], "its places are 0 to 1, not '2'"),
        (["layers.h1.connections.x.weight"], "its places are 0 to 1, not 'x'"),
        (["layers.h1"], "h1 is a layer; name a key"),
        (["layer.h1.weight"], "no table 'layer'. Did you mean 'layers'"),
        (["training"], "training is a table; name a key in it"),
        (["training.learningrate"], "has no key 'learningrate'. Did you mean 'learning_rate'"),
        (["training.lr"], "learning_rate in [training]"),
        (["data.dimensions"], "has no key 'dimensions'. Did you mean 'dimension'"),
        (["loss.kinds"], "has no key 'kinds'. Did you mean 'kind'"),
        (["check.widths"], "nothing in a sweep reads [check]"),
        (["format"], "nothing in a sweep reads [format]"),
        (["losses.0.weight"], "the spec has no [[losses]]"),
        (["training.optimizer", "training.optimizer.mu"], "changes a part of 'training.optimizer'"),
    ],
)
def test_keys_that_name_nothing(network, keys, words):
    with pytest.raises(ArgumentError) as caught:
        check_keys(network.document, keys)
    assert words in str(caught.value)


def test_the_page():
    """The keys of the page are keys, its commands can be read, and it explains every column of the table."""
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    keys = re.findall(r"`([^`]+)`", page.partition("| key | what it is |")[2].partition("\n\n")[0])
    document = mf.load(ROOT / "specs" / "three_layer.toml").document
    layers = [{"name": "h2", "connections": [{}, {}], "parameters": {}}]
    assert len(check_keys({**document, "layers": layers, "losses": [{}]}, keys[:1] + keys[2:])) == 13
    commands = re.findall(r"^    (mfderive sweep (?:.*\\\n)*.*)$", page, re.MULTILINE)
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))[1:]
        arguments = build_parser().parse_args(words)
        check_keys(document, [key for key, _ in arguments.set])
        check_variables(dict(arguments.set), checked_grid(dict(arguments.grid)))
    assert len(commands) == 2
    columns = re.findall(
        r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", page.partition("| column |")[2], re.M))
    )
    assert set(columns) | {"loss_low", "loss_high"} == set(COLUMNS)


def test_the_material_can_be_read(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    assert mf.load(tmp_path / "tiny.toml").training.steps == 400
