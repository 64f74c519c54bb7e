"""The flags of the command line that choose data and tolerance."""

import json

import pytest

from mfderive.cli import main

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


def test_solve_reports_what_a_tolerance_reached(spec, capsys):
    flags = ["--tolerance", "1e-3", "--data", "quadrature", "--method", "rk4"]
    assert main(["solve", spec, *flags, "--json"]) == 0
    reached = json.loads(capsys.readouterr().out)["tolerance"]
    assert reached["met"] and 0 < reached["estimate"] <= reached["asked"] == 1e-3
    assert main(["solve", spec, *flags, "--output", "again"]) == 0
    assert "within" in capsys.readouterr().out


def test_a_tolerance_that_is_not_met_is_not_finished(spec, capsys, monkeypatch):
    from mfderive.solve import tolerance

    monkeypatch.setattr(tolerance, "DOUBLINGS", 1)
    with pytest.warns(UserWarning, match="is known to"):
        assert main(["solve", spec, "--tolerance", "1e-15"]) == 3
    assert "not met" in capsys.readouterr().out


def test_data_nodes_without_nodes_are_refused(spec, capsys):
    assert main(["solve", spec, "--data-nodes", "8"]) == 2
    assert "data_nodes" in capsys.readouterr().err
    assert main(["solve", spec, "--data", "sobol", "--data-nodes", "8"]) == 0
