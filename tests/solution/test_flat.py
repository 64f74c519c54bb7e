"""A solution in which nothing is learned says so, wherever it is shown; one that learns asks nobody."""

from __future__ import annotations

import json

import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.runs.trajectory import Trajectory
from mfderive.solution import flat

SPEC = """
format = 1
title = "Flat"
[data]
kind = "isotropic-gaussians"
dimension = 4
separation = 0.4
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "relu"
[[layers]]
name = "h2"
from = "h1"
weight = "normal(MEAN, 1)"
activation = "tanh"
[output]
from = "h2"
weight = "OUTPUT"
[training]
learning_rate = 0.1
batch_size = 20
steps = 12
"""


def spec(tmp_path, output, mean="0"):
    file = tmp_path / "flat.toml"
    file.write_text(SPEC.replace("OUTPUT", output).replace("MEAN", mean))
    return file


def test_a_stationary_start_is_told_with_its_solution(tmp_path, capsys):
    file = spec(tmp_path, "0")
    path = mf.solve(mf.load(file), evaluation=50, nodes=16)
    assert len(set(path.loss)) == 1
    (entry,) = path.notes["warnings"]
    assert entry["kind"] == "stationary" and path.warnings == (entry["text"],) and not path.findings
    assert "nothing is learned" in " ".join(repr(path).split()) and "nothing is learned" in path._repr_html_()
    assert Trajectory.load(path.save(tmp_path)).warnings == path.warnings
    onward = mf.solve(mf.load(file), evaluation=50, steps=20, resume=path)
    assert onward.warnings == path.warnings
    place = str(tmp_path / "run")
    assert main(["solve", str(file), "--evaluation", "50", "--nodes", "16", "--output", place]) == 0
    assert "Warning: The initial state is stationary" in capsys.readouterr().out
    assert main(["solve", str(file), "--nodes", "16", "--output", place + "2", "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["warnings"] == [entry]
    assert said.err == f"mfderive: warning: {entry['text']}\n"


@pytest.mark.parametrize("words", [("solve",), ("run", "--effort", "none", "--width", "4", "--seeds", "1")])
def test_quiet_leaves_out_the_text_and_not_the_warning(tmp_path, capsys, words):
    """A script that reads neither text nor JSON hears it on stderr; in text it stands beside the numbers."""
    command, *flags = words
    run = [command, str(spec(tmp_path, "0")), *flags, "--nodes", "16", "--steps", "3", "--output"]
    assert main([*run, str(tmp_path / "quiet"), "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("mfderive: warning: The initial state is stationary")
    assert main([*run, str(tmp_path / "text")]) == 0
    said = capsys.readouterr()
    assert said.out.count("Warning: The initial state is stationary") == 1 and "stationary" not in said.err


def test_a_solution_that_learns_asks_for_no_advice(tmp_path, monkeypatch):
    """The advice takes time, which only a flat curve is worth."""

    def asked(*_):
        pytest.fail("the advice was asked")

    monkeypatch.setattr(flat, "advise", asked)
    path = mf.solve(mf.load(spec(tmp_path, "normal(1, 0.1)", mean="1")), evaluation=50, nodes=16)
    assert "warnings" not in path.notes and not path.warnings and "WARNING" not in repr(path)
    assert flat.relative_motion(path) > flat.FLAT


def test_a_given_start_is_not_the_spec_s(tmp_path):
    net = mf.load(spec(tmp_path, "0"))
    path = mf.solve(net, evaluation=50, nodes=16)
    given = mf.solve(net, evaluation=50, initial=path.at())
    assert "warnings" not in given.notes
