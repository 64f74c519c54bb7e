"""The flags of the command line that choose data and tolerance."""

import json

import pytest

from mfderive.cli import main
from mfderive.runs.trajectory import Trajectory

SPEC = """
format = 1
title = "Tiny"
[data]
kind = "teacher"
dimension = 1
inputs = "uniform(-1, 1)"
target = "x1"
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "tanh"
[output]
from = "h1"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.05
steps = 4
[solver]
evaluation = 50
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


def test_solve_says_how_well_the_loss_is_known(spec, capsys):
    """As a column of the table, a sentence and numbers; nothing of it where it is switched off."""
    assert main(["solve", spec, "--nodes", "8", "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(row["loss_error"] > 0 for row in found["curve"]) and found["loss_error"]["largest"] > 0
    assert main(["solve", spec, "--nodes", "8", "--output", "again"]) == 0
    said = capsys.readouterr().out
    assert "known to" in said.splitlines()[0] and "The limit's loss is known to within" in said
    assert main(["solve", spec, "--nodes", "8", "--output", "without", "--no-stated-error"]) == 0
    assert "known to" not in capsys.readouterr().out
    assert main(["solve", spec, "--nodes", "8", "--output", "last", "--no-stated-error", "--json"]) == 0
    assert "loss_error" not in json.loads(capsys.readouterr().out)


def test_solve_reports_what_a_tolerance_reached(spec, capsys):
    flags = ["--tolerance", "1e-3", "--data", "quadrature", "--method", "rk4"]
    assert main(["solve", spec, *flags, "--json"]) == 0
    reached = json.loads(capsys.readouterr().out)["tolerance"]
    assert reached["met"] and 0 < reached["estimate"] <= reached["asked"] == 1e-3
    assert main(["solve", spec, *flags, "--output", "again"]) == 0
    assert "within" in capsys.readouterr().out


def test_a_tolerance_that_is_not_met_is_not_finished(spec, capsys, monkeypatch):
    from mfderive.solution import tolerance

    monkeypatch.setattr(tolerance, "DOUBLINGS", 1)
    assert main(["solve", spec, "--quiet", "--tolerance", "1e-15"]) == 3
    warning = capsys.readouterr().err
    assert warning.startswith("mfderive: warning: the loss curve of 'Tiny' is known to ")
    assert warning.count("\n") == 1 and ".py" not in warning
    assert main(["solve", spec, "--tolerance", "1e-15"]) == 3
    assert "not met" in capsys.readouterr().out


NODES = {
    "nodes for all": (["--nodes", "9"], "", {"h1": 9}),
    "nodes by name": (["--nodes", "h1=9"], "", {"h1": 9}),
    "nodes by name in the spec": ([], "nodes = { h1 = 9 }", {"h1": 9}),
    "a flag replaces the spec": (["--nodes", "h1=9"], "nodes = { h1 = 4 }", {"h1": 9}),
    "rule for all": (["--rule", "monte-carlo", "--nodes", "7"], "", {"h1": 7}),
    "rule by name": (["--rule", "h1=sobol", "--nodes=h1=7"], "", {"h1": 8}),
    "rule in the spec": (["--nodes", "7"], 'rule = "sobol"', {"h1": 8}),
    "rule by name in the spec": ([], 'nodes = 7\nrule = { h1 = "sobol" }', {"h1": 8}),
    "full ensemble": (["--no-reduce", "--nodes", "h1=7"], "", {"h1": 7}),
    "full ensemble of the spec": ([], "reduce = false\nwidths = { h1 = 7 }", {"h1": 7}),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes_and_rules_for_all_or_by_name(spec, tmp_path, capsys, name):
    """The nodes that were solved on; Gauss nodes of two labels are a square, Sobol points a power of two."""
    words, table, expected = NODES[name]
    (tmp_path / "tiny.toml").write_text(f"{SPEC}\n{table}\n")
    assert main(["solve", "tiny.toml", "--quiet", "--json", "--steps", "2", *words]) == 0
    path = Trajectory.load(json.loads(capsys.readouterr().out)["trajectory"])
    assert {axis: path.notes["nodes"][axis] for axis in expected} == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rule", "sobl"], "must be gauss, sobol or monte-carlo, not 'sobl'"),
        (["--rule", "h1=sobl"], "not 'sobl'"),
        (
            ["--rule", "h9=sobol"],
            "there is no population 'h9' to give rule for. Allowed: h1",
        ),
        (
            ["--nodes", "h9=8"],
            "there is no population 'h9' to give nodes for. Allowed: h1",
        ),
        (["--nodes", "h1=0"], "at least 1, not '0'"),
        (["--nodes", "h1=4,=5"], "NAME=VALUE"),
        (["--nodes", "h1=4,5"], "NAME=VALUE"),
        (["--nodes", "h1=4,h1=5"], "names 'h1' twice"),
        (["--rule", "sobol", "--no-reduce"], "--rule chooses the nodes of the reduced system"),
    ],
)
def test_wrong_nodes_and_rules_are_one_line(spec, capsys, words, says):
    assert main(["solve", spec, *words]) == 2
    message = capsys.readouterr().err
    assert says in message and message.count("\n") == 1


def test_data_nodes_without_nodes_are_refused(spec, capsys):
    assert main(["solve", spec, "--data-nodes", "8"]) == 2
    assert "data_nodes" in capsys.readouterr().err
    assert main(["solve", spec, "--data", "sobol", "--data-nodes", "8"]) == 0
