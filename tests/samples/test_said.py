"""What was found in the data is said: by `show`, on the page of a run, as warnings of every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mfderive.cli import main
from mfderive.network.data_keys import DATA_COMMON, DATA_KINDS

ROWS = "\n".join(
    f"{20 + k};{1000.0 * (k % 7):g};{'fm'[k % 2]};{['ill', 'well', 'other'][k % 3]}" for k in range(30)
)
SPEC = """
format = 1
data = {{ kind = "arrays", file = "people.csv", y = "state", one_hot = ["sex"], test = 0.2{0} }}
loss = {{ kind = "cross-entropy" }}
layers = [{{ name = "h1", from = "x", weight = "normal(0, 1)", activation = "tanh" }}]
output = {{ from = "h1", weight = "normal(0, 1)" }}
training = {{ learning_rate = 0.05, steps = 2, batch_size = 5 }}
solver = {{ nodes = 16, evaluation = 6 }}
check = {{ widths = [4, 8], seeds = 1, evaluation = 6 }}
"""
SAID = [
    "cells separated by semicolons (found in the file), headings in line 2",
    "line 1 ('30;3;ill;well;other') skipped",
    "inputs: age, income, sex",
    "became 2 columns of 0 and 1: f, m",
    "targets: state",
    "ill → 0, other → 1, well → 2",
    "scaled to mean 0 and standard deviation 1",
    "24 for training, 6 for testing (each class has its share)",
]


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text(f"30;3;ill;well;other\nage;income;sex;state\n{ROWS}\n", encoding="utf-8")
    Path("scaled.toml").write_text(SPEC.format(', scale = "standardize"'), encoding="utf-8")
    Path("raw.toml").write_text(SPEC.format(""), encoding="utf-8")
    return tmp_path


def test_show_says_it(people, capsys):
    assert main(["show", "scaled.toml"]) == 0
    printed = capsys.readouterr()
    for sentence in SAID:
        assert sentence in printed.out
    assert "warning" not in printed.err
    assert main(["show", "scaled.toml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == ["ill", "other", "well"]


def test_the_page_says_it(people):
    assert main(["run", "scaled.toml", "--effort", "none", "--output", "out"]) == 0
    page = Path("out/index.html").read_text(encoding="utf-8")
    for sentence in SAID:
        assert sentence.replace("'", "&#x27;") in page or sentence in page


@pytest.mark.parametrize("command", ["show", "derive", "solve"])
def test_every_command_warns(people, capsys, command):
    assert main([command, "raw.toml"]) == 0
    said = capsys.readouterr().err
    assert said.count("the standard deviation is large in income (") == 1
    assert "first pre-activations (h1)" in said
    assert 'scale = "standardize"' in said


def test_the_page_of_data_names_every_key():
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    keys = [*DATA_KINDS["arrays"], *DATA_COMMON]
    missing = [key for key in keys if f"`{key}" not in text and f"\n{key} = " not in text]
    assert set(missing) <= {"shape", "samples"}  # of every kind of data; `mfderive schema` says them
    assert len(keys) > 12
