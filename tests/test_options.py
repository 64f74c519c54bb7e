"""The options of a solution are the same in Python, in [solver], its schema, on the command line, in docs."""

import copy
import inspect
import pickle
import re
import tomllib
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli.command_tools import FLAG_KEYS, load_network
from mfderive.cli.flags import build_parser
from mfderive.errors import ArgumentError, SpecError
from mfderive.network.solve_options import OPTIONS
from mfderive.network.tables import SOLVER
from mfderive.solution.options import resolve_options

PAGE = (Path(__file__).parent.parent / "docs" / "reductions.md").read_text(encoding="utf-8")
LISTED = PAGE.partition("## All options")[2]
PARTS = {"initial", "resume", "system", "solver", "progress", "keep"}
SPEC = {
    "format": 1,
    "data": {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.4},
    "loss": {"kind": "squared"},
    "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
    "output": {"from": "h1", "weight": "normal(0, 1)"},
    "training": {"learning_rate": 0.1, "steps": 2, "batch_size": 4},
}
# Values of every option that are not its default, as a spec file has them: each is the option's alone.
VALUES = {
    "horizon": (0.25, "0.25"),
    "steps": (3, "3"),
    "nodes": ({"h1": 5}, "h1=5"),
    "rule": ("sobol", "sobol"),
    "method": ("rk4", "rk4"),
    "step": (0.05, "0.05"),
    "rtol": (0.03, "0.03"),
    "atol": (0.02, "0.02"),
    "until_loss": (0.25, "0.25"),
    "until_speed": (0.5, "0.5"),
    "tolerance": (0.5, "0.5"),
    "data": ("sobol", "sobol"),
    "data_nodes": (16, "16"),
    "reduce": (False, None),
    "symmetry": (False, None),
    "widths": ({"h1": 5}, None),
    "edges": ("mean", "mean"),
    "seed": (7, "7"),
    "precision": ("float32", "float32"),
    "evaluation": (11, "11"),
    "observations": (5, "5"),
    "checkpoints": (4, "4"),
    "stated_error": (False, None),
}
NEEDS = {"step": {"method": "rk4"}, "data_nodes": {"data": "sobol"}}
NEEDS |= {name: {"method": "flow"} for name in ("rtol", "atol", "until_loss", "until_speed")}
NEEDS |= {name: {"reduce": False} for name in ("widths", "edges")}


def flags_of(command):
    """The flags of a command by what they set."""
    subparsers = build_parser()._subparsers._group_actions[0].choices
    return {action.dest: action for action in subparsers[command]._actions if action.option_strings}


def test_every_option_stands_everywhere():
    """Fields, keys of [solver] and its schema, arguments of solve, flags of solve and run, lines of docs."""
    names = [entry.name for entry in fields(mf.SolveOptions)]
    assert len(names) == 23 and list(OPTIONS) == names == list(VALUES)
    schema = mf.schema()["$defs"]["solver"]["properties"]
    assert set(SOLVER) == set(schema) == {*names, "data_seed"}
    assert list(inspect.signature(mf.SolveOptions).parameters) == names
    assert set(inspect.signature(mf.solve).parameters) == {*names, "network", "options", *PARTS}
    listed = re.findall(r"^\| `(\w+)` \|", LISTED, re.M)
    assert listed == names
    told = mf.solve.__doc__
    assert [name for name in names if f"    {name}: " in told] == names
    for command in ("solve", "run"):
        flags = flags_of(command)
        assert {name for name in names if name in flags and name != "widths"} == set(names) - {"widths"}
    assert {name for name, option in OPTIONS.items() if not option.flag} == {"widths"}
    training = {key for key, (table, _) in FLAG_KEYS.items() if table == "training"}
    assert set(FLAG_KEYS) - set(names) == training - {"steps"} | {"seeds"}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_words_are_the_same_everywhere(name):
    """Meaning, default and allowed values of the page, the schema and the flag are the option's own."""
    option, flags = OPTIONS[name], flags_of("solve")
    schema = mf.schema()["$defs"]["solver"]["properties"][name]
    assert schema["description"] == option.meaning
    one = schema["anyOf"][0] if option.by_name else schema
    assert tuple(one.get("enum", ())) == option.allowed.names
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", LISTED, re.M)
    assert row == f"`{option.flag_name}` | {option.meaning}" if option.flag else row == f" | {option.meaning}"
    if option.flag:
        assert flags[name].option_strings == [option.flag_name]
        assert flags[name].help in (option.help, option.meaning)
        for allowed in option.allowed.names:
            assert flags[name].type(allowed) == allowed and allowed in (
                flags[name].metavar + flags[name].help
            )


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_value_arrives_from_everywhere(name, tmp_path):
    """A value that is not the default: argument, field, key of a spec, flag."""
    value, word = VALUES[name]
    assert value != OPTIONS[name].default
    needs = NEEDS.get(name, {})
    network = mf.load(SPEC)
    for found in (
        resolve_options(network, **needs, **{name: value}),
        resolve_options(network, mf.SolveOptions(**needs, **{name: value})),
        resolve_options(mf.load(SPEC | {"solver": {**needs, name: value}})),
    ):
        assert getattr(found, name) == value and found != mf.SolveOptions(**needs)
    if OPTIONS[name].flag:
        (tmp_path / "a.toml").write_text(TOML)
        words = [OPTIONS[name].flag_name, *([word] if word else [])]
        for need, given in needs.items():
            words += [OPTIONS[need].flag_name, *([given] if given is not False else [])]
        arguments = build_parser().parse_args(["solve", str(tmp_path / "a.toml"), *words])
        network = load_network(arguments)
        stated = network.training.steps if name == "steps" else getattr(resolve_options(network), name)
        assert stated == value


TOML = """
format = 1
data = { kind = "isotropic-gaussians", dimension = 2, separation = 0.4 }
loss = { kind = "squared" }
layers = [{ name = "h1", from = "x", weight = "normal(0, 1)", activation = "tanh" }]
output = { from = "h1", weight = "normal(0, 1)" }
training = { learning_rate = 0.1, steps = 2, batch_size = 4 }
"""


def test_the_two_specs_are_one():
    assert tomllib.loads(TOML) == SPEC


WRONG = [0, -1, 1.5, "some", True, [1], {}]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_values_are_refused_everywhere(name):
    """What [solver] refuses Python refuses, and the other way round (true numbers, no numpy here)."""
    judged = 0
    for value in WRONG:
        try:
            mf.SolveOptions(**{name: value})
            python = True
        except ArgumentError:
            python = False
        try:
            mf.load(SPEC | {"solver": {name: value}})
            spec = True
        except SpecError:
            spec = False
        if value != {}:  # an empty table says nothing: no error in Python, an oversight in a file
            assert python == spec, value
            judged += not spec
    assert judged >= 4


def test_numbers_of_numpy_are_numbers():
    options = mf.SolveOptions(nodes=np.int64(3), horizon=np.float32(0.5), seed=np.uint8(1))
    assert [type(value) for value in (options.nodes, options.horizon, options.seed)] == [int, float, int]


def test_an_object_can_be_copied():
    options = mf.SolveOptions(nodes={"h1": 3}, method="rk4")
    assert pickle.loads(pickle.dumps(options)) == copy.deepcopy(options) == replace(options) == options
    assert replace(options, seed=2).seed == 2 and options.seed == 0
    with pytest.raises(FrozenInstanceError):
        options.seed = 1


def test_an_unknown_name_is_answered_alike(tmp_path, capsys):
    """A key, an argument, a flag: what was found, the nearest name, what is allowed."""
    from mfderive.cli import main

    with pytest.raises(SpecError) as in_spec:
        mf.load(SPEC | {"solver": {"node": 3}})
    with pytest.raises(ArgumentError) as in_python:
        mf.solve(mf.load(SPEC), node=3)
    with pytest.raises(ArgumentError) as in_object:
        mf.SolveOptions(node=3)
    assert main(["solve", "a.toml", "--node", "3"]) == 2
    for said, sign in (
        (str(in_spec.value), ""),
        (str(in_python.value), ""),
        (str(in_object.value), ""),
        (capsys.readouterr().err, "--"),
    ):
        assert f"{sign}node" in said and f"Did you mean '{sign}nodes'? Allowed: " in said
        assert all(
            f"{sign}{name.replace('_', '-') if sign else name}" in said for name in ("data_nodes", "step")
        )


def test_options_can_be_kept_in_sets():
    """Equal options have equal hashes, however their nodes are named."""
    one, other = (
        mf.SolveOptions(nodes=dict(pairs)) for pairs in ((("a", 3), ("b", 4)), (("b", 4), ("a", 3)))
    )
    assert one == other and hash(one) == hash(other) and len({one, other, mf.SolveOptions(nodes=3)}) == 2
    assert mf.SolveOptions() in {mf.SolveOptions()}
