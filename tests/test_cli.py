"""The command line: what it prints, what it returns, and that nothing a person writes makes a traceback."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tomllib
import warnings
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import FAULT, INTERRUPTED, commands, main
from mfderive.cli.command_tools import load_network
from mfderive.cli.flags import build_parser
from mfderive.cli.folders import output_folder
from mfderive.errors import MfError
from tests.effort import calls

COMMANDS = [
    "new",
    "show",
    "derive",
    "scalings",
    "coords",
    "width",
    "conditions",
    "generate",
    "solve",
    "simulate",
    "run",
    "check",
    "sweep",
    "signal",
    "ising",
    "import",
    "report",
    "check-spec",
    "fmt",
    "schema",
    "completion",
    "doctor",
]

SPEC = """\
format = 1
title = "tiny <network>"
[data]
kind = "isotropic-gaussians"
dimension = 3
separation = 0.5
[loss]
kind = "squared"
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[[layers]]
name = "h2"
from = "h1"
weight = "normal(1, 0.1)"
activation = "tanh"
[output]
from = "h2"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.01
batch_size = 5
steps = 12
[solver]
widths = 20
evaluation = 50
[check]
widths = [4, 8]
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A small spec in an empty working folder; its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


def json_of(capsys, *words):
    """The JSON that a command prints, which must be all of stdout."""
    assert main([*words, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


# --- wrong use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["slove", "x.toml"], "Did you mean 'solve'"),
        (["chek", "x.toml"], "Did you mean 'check'"),
        (["solve", "--stpes", "5", "x.toml"], "Did you mean '--steps'"),
        (["show", "x.toml", "--jsno"], "Did you mean '--json'"),
        (["derive", "x.toml", "--format", "word"], "invalid choice: 'word'"),
        (["solve"], "SPEC"),
        (["solve", "x.toml", "--steps", "-3"], "whole number of at least 1, not '-3'"),
        (["solve", "x.toml", "--steps", "1.5"], "not '1.5'"),
        (["solve", "x.toml", "--steps", "5", "--horizon", "1"], "not allowed with"),
        (["simulate", "x.toml", "--horizon", "1", "--steps", "5"], "not allowed with"),
        (["run", "x.toml", "--horizon", "1", "--steps", "5"], "not allowed with"),
        (["check", "x.toml", "--horizon", "1", "--steps", "5"], "not allowed with"),
        (["solve", "x.toml", "--particles", "5"], "--nodes"),
        (["solve", "x.toml", "--dtype", "float32"], "--precision"),
        (["simulate", "x.toml", "--nodes", "5"], "no flag --nodes"),
        (["solve", "x.toml", "--nodes", "0"], "not '0'"),
        (["solve", "x.toml", "--tolerance", "inf"], "not 'inf'"),
        (["solve", "x.toml", "--steps"], "expected one argument"),
        (["solve", "x.toml", "--output", ""], "must be a path"),
        (["show", "x.toml", "--widths", "5,,6"], "not ''"),
        (["show", ""], "no spec was named"),
        (["report", ""], "must be a path"),
        (["report", "nothing"], "not the folder of a run"),
        (["schema", "x"], "one word too many"),
        ([""], "no command ''"),
        (["solve", "x.toml", "--learning-rate", "nan"], "greater than 0, not 'nan'"),
        (["solve", "x.toml", "--batch-size", "some"], "not 'some'"),
        (["run", "x.toml", "--widths", "50,0"], "not '0'"),
        (["run", "x.toml", "--widths", "50", "100"], "written 50,100,200"),
        (["run", "x.toml", "--seed", "-1"], "not '-1'"),
        (["solve", "x.toml", "--precision", "float16"], "must be float64 or float32, not 'float16'. Did you"),
        (["solve", "x.toml", "--evaluation", "0"], "whole number of at least 1, not '0'"),
        (["run", "x.toml", "--edges", "men"], "must be draw or mean, not 'men'. Did you mean 'mean'?"),
        (["check", "x.toml", "--edges", "mean"], "no flag --edges"),
    ],
)
def test_wrong_use_is_one_line_with_the_way_out(capsys, words, says):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1 and captured.err.startswith("mfderive: ")


def test_every_command_has_help_and_json():
    parser = build_parser()
    subparsers = parser._subparsers._group_actions[0].choices
    assert list(subparsers) == COMMANDS
    for name, added in subparsers.items():
        assert added.description, name
        assert {"--json", "--quiet", "--help"} <= set(added._option_string_actions), name
        assert all(action.help for action in added._actions), name


def test_help_leaves_with_zero(capsys):
    assert main([]) == 0
    assert "mfderive run" in capsys.readouterr().out
    with pytest.raises(SystemExit) as leaving:
        main(["solve", "--help"])
    assert leaving.value.code == 0
    assert "--nodes" in capsys.readouterr().out


def test_the_package_is_the_command():
    """``python -m mfderive`` prints what ``mfderive`` prints."""
    module, script = (
        subprocess.run(
            [sys.executable, "-m", name, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for name in ("mfderive", "mfderive.cli")
    )
    assert module == script and module.startswith("usage: mfderive [-h]")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mfderive 0")


def imported_by(words, folder, modules):
    """A command in a fresh process: what it gave back and wrote, and which of `modules` it imported."""
    code = f"import sys; from mfderive.cli import main; code = main({words!r})\n"
    code += f"print([m for m in {modules!r} if m in sys.modules]); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    return done, literal_eval(done.stdout.splitlines()[-1])


def test_help_imports_nothing_heavy(tmp_path):
    """So that it is there at once (`tests/benchmarks/test_start.py` has the seconds)."""
    heavy = ["numpy", "sympy", "numba", "jax", "matplotlib", "scipy", "networkx", "sklearn", "tqdm"]
    done, imported = imported_by([], tmp_path, heavy)
    assert done.returncode == 0 and not imported


def test_interrupt_is_a_clean_line(capsys, monkeypatch, spec):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "load_network", interrupted)
    assert main(["show", spec]) == INTERRUPTED == 130
    captured = capsys.readouterr()
    assert "interrupted" in captured.err and "Traceback" not in captured.err


@pytest.mark.parametrize("words", [["generate", "tiny.toml"], ["solve", "tiny.toml", "--steps", "1"]])
def test_a_folder_that_cannot_be_made_is_one_line(capsys, spec, words):
    assert main([*words, "--quiet", "--output", f"{spec}/folder"]) == 2
    captured = capsys.readouterr()
    assert spec in captured.err and captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["generate", "solve", "simulate", "check", "run"])
def test_an_output_that_cannot_be_made_is_said_before_the_work(capsys, spec, monkeypatch, tmp_path, command):
    """The folder and what to do; no work is lost, and no folder is left."""
    monkeypatch.setattr("mfderive.derive", lambda *arguments: 1 / 0)
    monkeypatch.setattr("mfderive.simulate", lambda *arguments: 1 / 0)
    assert main([command, spec, "--quiet", "--output", f"{spec}/deep/folder"]) == 2
    message = capsys.readouterr().err
    assert f"the folder {spec}/deep/folder cannot be written: " in message and "--output" in message
    assert main([command, spec, "--quiet", "--output", spec]) == 2
    assert f"the folder {spec} cannot be written: it is a file. " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [spec]


def test_a_trial_of_a_folder_leaves_nothing(tmp_path):
    wanted = argparse.Namespace(output=tmp_path / "a" / "b")
    assert output_folder(wanted, tmp_path) == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


def test_equations_that_cannot_be_written(capsys, spec):
    assert main(["derive", spec, "--output", "no/such/folder"]) == 2
    message = capsys.readouterr().err
    assert "no/such/folder cannot be written" in message and "Name with --output a file" in message


def test_a_fault_of_the_program_has_a_code_of_its_own(capsys, monkeypatch, spec):
    """Exit code 1 means that a check disagrees, and nothing else; one line asks for a report."""

    def broken(*arguments):
        raise KeyError("r.weight.r")

    monkeypatch.setattr("mfderive.samples.resolve.resolve", broken)
    assert main(["show", spec]) == FAULT == 4
    message = capsys.readouterr().err
    assert message.startswith("mfderive: a fault of the program (KeyError: 'r.weight.r', test_cli.py:")
    assert "Please report it" in message and message.count("\n") == 1
    monkeypatch.setenv("MFDERIVE_TRACEBACK", "1")
    assert main(["check", spec]) == FAULT
    assert "Traceback" in capsys.readouterr().err


def test_warnings_of_the_package_are_one_line(capsys, monkeypatch, spec):
    """Those of other packages stay as they are."""

    def warned(*arguments):
        # As warnings.warn in a file of the package does, and in another one.
        warnings.warn_explicit("two\nlines", UserWarning, commands.__file__, 1, registry={})
        warnings.warn_explicit("foreign", UserWarning, "/elsewhere/file.py", 7, registry={})
        raise MfError("the end")

    monkeypatch.setattr("mfderive.samples.resolve.resolve", warned)
    seen = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *rest: seen.append(str(message)))
    assert main(["show", spec]) == 2
    assert capsys.readouterr().err == "mfderive: warning: two lines\nmfderive: the end\n"
    assert seen == ["foreign"]


def test_a_name_too_long_is_one_line(capsys):
    assert main(["show", "a" * 5000]) == 2
    assert "too long" in capsys.readouterr().err


def test_memory_that_does_not_suffice_is_one_line(capsys, monkeypatch, spec):
    def full(*arguments):
        raise MemoryError("1 TB")

    monkeypatch.setattr("mfderive.samples.resolve.resolve", full)
    assert main(["show", spec]) == 2
    assert capsys.readouterr().err.startswith("mfderive: the memory does not suffice (1 TB)")


# --- bad specs -------------------------------------------------------------------------------------------


def swap(old, new):
    """The good spec with one piece replaced."""
    assert SPEC.count(old) >= 1
    return SPEC.replace(old, new, 1)


ARRAYS = 'kind = "arrays"\nfile = "data.npz"\n'
GAUSSIANS = 'kind = "isotropic-gaussians"\ndimension = 3\nseparation = 0.5\n'
BAD_SPECS = {
    "unknown key": (swap("batch_size", "batchsize"), ["training", "batchsize", "'batch_size'"]),
    "unknown table": (swap("[training]", "[trainings]"), ["trainings", "'training'"]),
    "misspelt activation": (swap('"tanh"', '"tahn"'), ["h1", "activation", "tahn", "'tanh'"]),
    "misspelt law": (swap("normal(0, 1)", "nromal(0, 1)"), ["h1", "weight", "nromal", "'normal'"]),
    "missing layer": (swap('from = "h1"', 'from = "g1"'), ["h2", "from", "g1", "h1"]),
    "cycle": (swap('from = "x"', 'from = "h2"'), ["h1", "h2"]),
    "no layers": (
        SPEC.split("[[layers]]")[0] + "layers = []\n[output]" + SPEC.split("[output]")[1],
        ["layers"],
    ),
    "width 0": (swap('name = "h1"', 'name = "h1"\nwidth = 0'), ["h1", "width", "0"]),
    "width 0 of a check": (swap("widths = [4, 8]", "widths = [0]"), ["check", "widths", "0"]),
    "negative deviation": (swap("normal(0, 1)", "normal(0, -1)"), ["h1", "weight", "-1"]),
    "wrong shape": (swap("dimension = 3\n", "dimension = 3\nshape = [2, 2]\n"), ["data", "shape"]),
    "foreign call": (swap('"tanh"', "\"__import__('os').system('true')\""), ["h1", "activation"]),
    "foreign attribute": (swap('"tanh"', '"h.__class__"'), ["h1", "activation"]),
    "power bomb": (swap('"tanh"', '"h * 9**9**9"'), ["h1", "activation"]),
    "bracket bomb": (swap('"tanh"', '"' + "(" * 10_000 + "h" + ")" * 10_000 + '"'), ["h1", "activation"]),
    "long bomb": (swap('"tanh"', '"' + "+".join(["h"] * 100_000) + '"'), ["h1", "activation"]),
    "bombs beside no bias": (
        swap('activation = "tanh"\n[output]', 'activation = "h * 9**9**9"\n[output]'),
        ["h2"],
    ),
    "brackets beside no bias": (
        swap('activation = "tanh"\n[output]', f'activation = "{"(" * 10_000}h{")" * 10_000}"\n[output]'),
        ["h2", "activation"],
    ),
    "foreign call beside no bias": (
        swap('activation = "tanh"\n[output]', "activation = \"open('x')\"\n[output]"),
        ["h2", "activation", "open"],
    ),
    "law bomb": (swap("normal(0, 1)", "normal(0, 9**9**9)"), ["h1", "weight"]),
    "wrong type": (swap("steps = 12", 'steps = "many"'), ["training", "steps", "many"]),
    "no training": (SPEC.split("[training]")[0], ["training"]),
    "other format": (swap("format = 1", "format = 2"), ["format", "2"]),
    "unknown data kind": (
        swap('"isotropic-gaussians"', '"isotropic-gausians"'),
        ["data", "'isotropic-gaussians'"],
    ),
    "data file missing": (swap(GAUSSIANS, ARRAYS), ["data.npz"]),
    "not TOML": ("format = = 1", ["line 1"]),
    "empty": ("", ["format"]),
}


@pytest.mark.parametrize("name", BAD_SPECS)
def test_a_bad_spec_is_one_message_at_once(spec, capsys, name, tmp_path):
    """File, place, what was found and what is allowed; exit code 2; no traceback; 100,000 calls."""
    text, says = BAD_SPECS[name]
    (tmp_path / "bad.toml").write_text(text)
    codes = []
    assert calls(lambda: codes.append(main(["show", "bad.toml"]))) < 100_000
    assert codes == [2]
    message = capsys.readouterr().err
    assert message.startswith("mfderive: ") and "bad.toml" in message
    for word in says:
        assert word in message, message
    assert "Traceback" not in message and len(message) < 1500


def _save(path, **arrays):
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: _save(path, x=np.array([[1.0, np.nan]]), y=np.ones(1)), "finite"),
        (lambda path: _save(path, x=np.array([[1.0, np.inf]]), y=np.ones(1)), "finite"),
        (lambda path: _save(path, x=np.ones((4, 2)), y=np.ones(3)), "3"),
        (lambda path: _save(path, z=np.ones((4, 2))), "z"),
        (lambda path: path.write_bytes(b"PK\x03\x04 cut off"), "data.npz"),
        (lambda path: path.write_bytes(b""), "data.npz"),
        (lambda path: None, "data.npz"),
    ],
    ids=["nan", "inf", "rows", "names", "truncated", "empty", "missing"],
)
def test_bad_data_is_one_message(spec, capsys, tmp_path, write, says):
    (tmp_path / "bad.toml").write_text(swap(GAUSSIANS, ARRAYS))
    write(tmp_path / "data.npz")
    assert main(["show", "bad.toml"]) == 2
    message = capsys.readouterr().err
    assert "data" in message and says in message and "Traceback" not in message


def test_a_bad_spec_is_refused_before_solvers_and_figures_are_imported(spec, tmp_path):
    """So that it takes little more than the import of sympy (`tests/benchmarks/test_start.py`)."""
    (tmp_path / "bad.toml").write_text(BAD_SPECS["misspelt activation"][0])
    heavy = ["numba", "jax", "matplotlib", "networkx", "sklearn", "tqdm"]
    done, imported = imported_by(["run", "bad.toml"], tmp_path, heavy)
    assert done.returncode == 2 and done.stdout.count("\n") == 1 and not imported
    assert "'tanh'" in done.stderr and "Traceback" not in done.stderr


def test_a_missing_spec_names_the_shipped_one(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "my_net.toml").write_text(SPEC)
    assert main(["show", "my_net"]) == 2
    assert "specs/my_net.toml" in capsys.readouterr().err
    assert main(["show", "my_ent.toml"]) == 2
    assert "Did you mean 'specs/my_net.toml'?" in capsys.readouterr().err
    assert main(["show", "specs"]) == 2
    assert "folder" in capsys.readouterr().err


# --- commands --------------------------------------------------------------------------------------------


def test_new_writes_a_spec_that_loads_and_overwrites_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert json_of(capsys, "new", "first") == {"spec": "first.toml", "schema": "mfderive.schema.json"}
    document = tomllib.loads((tmp_path / "first.toml").read_text())
    assert document["title"] == "first"
    assert json_of(capsys, "show", "first.toml")["title"] == "first"
    # What it offers in comments loads where the mark is taken away, one key at a time.
    text = (tmp_path / "first.toml").read_text()
    offered = re.findall(r"^# (\w+) = .*$", text, re.M)
    assert {"optimizer", "schedule", "weight_decay", "noise", "clip", "dropout"} == set(offered)
    for key in offered:
        training = mf.load(tomllib.loads(text.replace(f"# {key} =", f"{key} ="))).training
        assert getattr(training, key) != getattr(mf.load(document).training, key)
    (tmp_path / "first.toml").write_text("mine")
    assert main(["new", "first.toml"]) == 2
    assert "left alone" in capsys.readouterr().err
    assert (tmp_path / "first.toml").read_text() == "mine"
    assert main(["new", 'a"b']) == 2
    assert main(["new", "no/such/folder/a"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/", "/", ".hidden", "nul", "COM1.toml", "a b", "a\nb", "*", "é" * 101, 'a"b', "x\0y"],
)
def test_names_that_no_spec_can_have(capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    message = capsys.readouterr().err
    assert "cannot be the name of a network" in message and message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_new_writes_into_a_folder_that_exists(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "a/b"]) == 2
    assert "no folder a" in capsys.readouterr().err
    (tmp_path / "a").mkdir()
    assert json_of(capsys, "new", "a/b.toml") == {"spec": "a/b.toml", "schema": "a/mfderive.schema.json"}
    assert json_of(capsys, "new", "réseau-2")["spec"] == "réseau-2.toml"
    (tmp_path / "taken.toml").mkdir()
    assert main(["new", "taken"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.random.default_rng(0).bytes(2000), "UTF-8"),
        (b"\xff\xfea\x00", "UTF-8"),
        (b"", "'format' is missing"),
        (b"   \n\n", "'format' is missing"),
        (b"a\0b", "not TOML"),
        (b"format = 1\n" * 2, "not TOML"),
    ],
    ids=["random", "utf-16", "empty", "blank", "nul", "twice"],
)
def test_files_that_are_no_specs(capsys, tmp_path, content, says):
    (tmp_path / "bad.toml").write_bytes(content)
    for command in ("show", "derive", "generate", "solve", "simulate", "check", "run"):
        assert main([command, str(tmp_path / "bad.toml")]) == 2
        message = capsys.readouterr().err
        assert says in message and "bad.toml" in message and message.count("\n") == 1


def test_a_file_without_permission_is_one_line(capsys, monkeypatch, spec):
    def closed(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", closed)
    monkeypatch.setattr("pathlib.Path.read_bytes", closed)
    monkeypatch.setattr("pathlib.Path.read_text", closed)
    assert main(["show", spec]) == 2
    message = capsys.readouterr().err
    assert spec in message and "ermission denied" in message and message.count("\n") == 1


RECURRENT = """
[[layers]]
name = "r"
steps = 3
activation = "tanh"
bias = "0"
[[layers.connections]]
from = "x"
weight = "normal(0, 1)"
[[layers.connections]]
from = "r"
kind = "recurrent"
weight = "normal(0, 1)"
[[layers.connections]]
from = "r"
delay = 2
weight = "normal(0, 1)"
"""


def test_show_prints_delays_and_activations_as_written(capsys, spec, tmp_path):
    """The same activation reads the same in every layer, also in copies."""
    layers = SPEC[SPEC.index("[[layers]]") : SPEC.index("[output]")]
    copies = layers.replace('from = "x"', 'from = "r"\nrepeat = 2')
    text = SPEC.replace(layers, RECURRENT + copies).replace("dimension = 3", "dimension = 3\nshape = [3, 1]")
    (tmp_path / spec).write_text(text)
    rows = {row["name"]: row for row in json_of(capsys, "show", spec)["layers"]}
    assert rows["r"]["from"] == ["x", "r (recurrent, 1 step before)", "r (2 steps before)"]
    assert {rows[name]["activation"] for name in ("r", "h1_1", "h1_2", "h2")} == {"tanh"}


def test_show_prints_a_table(capsys, spec):
    assert main(["show", spec, "--widths", "10"]) == 0
    text = capsys.readouterr().out
    assert "tiny <network>" in text and "h2.weight" in text and "normal(1, 0.1)" in text
    # By hand: h1 3*10 + 10, h2 10*10, output 10.
    assert json_of(capsys, "show", spec, "--widths", "10")["sizes"][0]["parameters"] == 150


@pytest.mark.parametrize(
    ("form", "piece"), [("text", "H₂"), ("latex", r"\documentclass"), ("mathml", "<math")]
)
def test_derive_prints_equations(capsys, spec, tmp_path, form, piece):
    assert main(["derive", spec, "--format", form]) == 0
    printed = capsys.readouterr().out
    assert piece in printed
    assert main(["derive", spec, "--format", form, "--output", "equations"]) == 0
    assert (tmp_path / "equations").read_text().strip() == printed.strip()
    said = capsys.readouterr().out
    assert "equations" in said and ("pdflatex equations" in said) is (form == "latex")
    assert piece in json_of(capsys, "derive", spec, "--format", form)["equations"]


def test_derive_speaks_two_notations(capsys, spec):
    """Labels c_1 belong to the embedding, laws rho to the measures; "both" has both."""
    embedding, measure, both = (
        json_of(capsys, "derive", spec, "--notation", name)["equations"]
        for name in ("embedding", "measure", "both")
    )
    assert "c₁" in embedding and "ρ" not in embedding
    assert "ρ" in measure and "c₁" not in measure
    assert "c₁" in both and "ρ" in both


def test_derive_reduced_prints_smaller_equations_and_keeps_a_log(capsys, spec):
    """h2 has no label: after reduction its neurons are one type and its weight loses its noise."""
    full, reduced = json_of(capsys, "derive", spec), json_of(capsys, "derive", spec, "--reduce")
    assert "ζ" in full["equations"] and "log" not in full
    assert "ζ" not in reduced["equations"]
    assert any("h2.weight" in line for line in reduced["log"])
    kinds = [finding["kind"] for finding in reduced["findings"]]
    assert "idle-deviation" in kinds and len(kinds) == len(reduced["warnings"])


def test_flags_are_edits_of_the_spec(spec):
    """Every flag arrives where the spec has it, so the reader checks it and trajectories keep it."""
    words = "--learning-rate 0.5 --batch-size 7 --seed 3 --precision float32 --nodes 9 --method rk4"
    words += " --no-reduce --widths 5,6 --seeds 4 --horizon 2.5"
    network = load_network(build_parser().parse_args(["run", spec, *words.split()]))
    assert network.training.learning_rate == 0.5 and network.training.batch_size == 7
    assert dict(network.solver) == {
        "seed": 3,
        "precision": "float32",
        "widths": 9,
        "nodes": 9,
        "reduce": False,
        "method": "rk4",
        "horizon": 2.5,
        "evaluation": 50,
    }
    assert dict(network.check)["widths"] in ([5, 6], (5, 6)) and dict(network.check)["seeds"] == 4
    assert network.document["training"]["batch_size"] == 7


def test_steps_replace_a_horizon_of_the_spec(spec, tmp_path):
    """A horizon in the file must not silently win over --steps."""
    (tmp_path / spec).write_text(SPEC.replace("widths = 20", "widths = 20\nhorizon = 9.0"))
    network = load_network(build_parser().parse_args(["run", spec, "--steps", "5"]))
    assert network.training.steps == 5 and "horizon" not in dict(network.solver)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--step", "0.1"], "take the method rk4"), (["--edges", "mean"], "Leave edges out")],
)
def test_flags_that_nothing_would_read_are_refused(capsys, spec, words, says):
    """As the same arguments in Python are."""
    assert main(["solve", spec, *words]) == 2
    assert says in capsys.readouterr().err


def test_schema_accepts_the_spec(capsys):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(tomllib.loads(SPEC), json_of(capsys, "schema"))


def test_simulate_trains_every_width(capsys, spec, tmp_path):
    result = json_of(capsys, "simulate", spec, "--seeds", "2")
    assert [(row["width"], row["seeds"]) for row in result["final"]] == [(4, 2), (8, 2)]
    assert all((tmp_path / path).is_file() for path in result["trajectories"])
    assert len(result["trajectories"]) == 4


def test_divergence_is_exit_code_three(capsys, spec, tmp_path):
    """A linear network with a learning rate far too large: one line, code 3."""
    (tmp_path / spec).write_text(
        SPEC.replace('activation = "tanh"\n', "").replace("steps = 12", "steps = 400")
    )
    assert main(["simulate", spec, "--widths", "4", "--learning-rate", "1000", "--quiet"]) == 3
    message = capsys.readouterr().err
    assert "diverged" in message and "Traceback" not in message


def test_solve_keeps_the_trajectory(capsys, spec, tmp_path):
    result = json_of(capsys, "solve", spec, "--steps", "6")
    assert result["curve"][0]["step"] == 0 and result["curve"][-1]["step"] == 6
    assert np.isclose(result["curve"][-1]["t"], 0.06, rtol=1e-12)
    assert (tmp_path / result["trajectory"]).is_file()


def test_generate_writes_the_solver(capsys, spec, tmp_path):
    result = json_of(capsys, "generate", spec)
    assert result["folder"] == "generated/tiny"
    assert {"solver.py", "manifest.json", "equations.tex"} <= {
        path.name for path in (tmp_path / "generated/tiny").iterdir()
    }


def test_generate_leaves_an_edited_solver_alone(capsys, spec, tmp_path):
    assert main(["generate", spec]) == 0
    solver = tmp_path / "generated/tiny/solver.py"
    written = solver.read_text()
    solver.write_text(written + "\n# mine\n")
    capsys.readouterr()
    assert main(["generate", spec]) == 2
    message = capsys.readouterr().err
    assert "generated/tiny/solver.py" in message and "--overwrite" in message and message.count("\n") == 1
    assert solver.read_text().endswith("# mine\n")
    assert main(["generate", spec, "--output", "other"]) == 0
    assert main(["generate", spec, "--overwrite"]) == 0
    assert solver.read_text() == written


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["solve", "--nodes", "99999999999"], "fewer nodes"),
        (["solve", "--no-reduce", "--nodes", "99999999999"], "smaller widths"),
        (["solve", "--data", "sobol", "--data-nodes", "99999999999"], "fewer data_nodes"),
        (["solve", "--steps", "999999999999999"], "fewer steps"),
        (["solve", "--batch-size", "99999999999999"], "fewer samples"),
        (["simulate", "--widths", "9999999999"], "smaller width"),
        (["simulate", "--seeds", "999999999999999"], "fewer seeds"),
    ],
)
def test_more_than_the_memory_is_refused_with_the_way_out(capsys, spec, words, says):
    assert main([words[0], spec, *words[1:], "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "GB are free" in message and says in message and message.count("\n") == 1


def test_run_leaves_one_folder_and_report_draws_it_again(capsys, spec, tmp_path):
    assert main(["run", spec]) == 0
    captured = capsys.readouterr()
    assert "runs/tiny/index.html" in captured.out
    assert "[1/7] derive and reduce the limit" in captured.err
    page = (tmp_path / "runs/tiny/index.html").read_text(encoding="utf-8")
    assert "tiny &lt;network&gt;" in page and "<math" in page and page.count("<svg") == 10
    (tmp_path / "tiny.toml").unlink()
    (tmp_path / "runs/tiny/index.html").unlink()
    record = json_of(capsys, "report", "runs/tiny")
    assert (tmp_path / "runs/tiny/index.html").read_text(encoding="utf-8") == page
    assert [(row["width"], row["seeds"]) for row in record["final"]] == [(4, 2), (8, 2), (None, 1)]
    assert (tmp_path / "runs/tiny/spec.toml").read_text() == SPEC


def test_run_refuses_a_foreign_folder_before_it_works(capsys, spec, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    assert main(["run", spec, "--output", "mine"]) == 2
    assert "left alone" in capsys.readouterr().err
    assert main(["report", "mine"]) == 2
    assert "not the folder of a run" in capsys.readouterr().err


def test_standard_input_is_a_spec(capsys, spec, monkeypatch, tmp_path):
    """`-` is read once; errors call it standard input, folders stdin, and flags edit it like a file."""
    text = Path(spec).read_bytes()

    def says(content):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    from_file = json_of(capsys, "show", spec)
    says(text)
    assert json_of(capsys, "show", "-")["layers"] == from_file["layers"]
    says(text)
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "-", "--width", "4", "--seeds", "1", "--steps", "2", "--quiet"]) == 0
    assert list((tmp_path / "runs").iterdir()) == [tmp_path / "runs" / "stdin-networks"]
    capsys.readouterr()
    says(text.replace(b"steps", b"stepps"))
    assert main(["show", "-"]) == 2
    message = capsys.readouterr().err
    assert "standard input, training, key 'stepps'" in message and message.count("\n") == 1
    says(b"")
    assert main(["show", "-"]) == 2


def test_run_keeps_the_spec_of_standard_input(capsys, spec, monkeypatch, tmp_path):
    text = Path(spec).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    folder = tmp_path / "out"
    assert main(["run", "-", "--output", str(folder), "--quiet", "--effort", "none", "--width", "4"]) == 0
    kept = [path for path in folder.rglob("*.toml") if path.read_bytes() == text]
    assert kept


def test_versions_of_the_parts(capsys):
    """Those of the installed packages and of Python; --json may stand before the command too."""
    from importlib.metadata import version

    found = json_of_text(capsys, "--version", "--json")
    assert found["mfderive"] == version("mfderive") and found["python"] == ".".join(
        map(str, sys.version_info[:3])
    )
    for name in ("numpy", "scipy", "numba", "sympy", "jax", "jaxlib", "llvmlite"):
        assert found[name] == version(name)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mfderive {version('mfderive')}\n"
    assert json_of_text(capsys, "--json", "schema") == json_of_text(capsys, "schema", "--json")


def json_of_text(capsys, *words):
    """What a command prints, as data; the words are taken as they are."""
    assert main(list(words)) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["solve", "tiny.toml", "--epochs", "3"], "steps = epochs * samples / batch_size"),
        (["solve", "tiny.toml", "--momentum=0.9"], 'optimizer = { kind = "momentum", mu = 0.9 }'),
        (["run", "tiny.toml", "--device", "cuda"], "runs on the processor"),
        (["solve", "tiny.toml", "--" + "x" * 100_000], "(100002 characters)"),
        (["y" * 100_000], "(100000 characters)"),
        (["solve", "tiny.toml", "--steps", "9" * 100_000], "(100000 characters)"),
    ],
    ids=["epochs", "momentum", "device", "long flag", "long command", "long value"],
)
def test_words_of_other_programs_and_long_words(capsys, spec, words, says):
    assert main(words) == 2
    message = capsys.readouterr().err
    assert says in message and message.count("\n") == 1 and len(message) < 1500


@pytest.mark.parametrize(
    "flags", [[], ["--format", "latex"], ["--format", "mathml"], ["--quiet"], ["--json"]]
)
@pytest.mark.parametrize("into", [False, True])
def test_derive_says_its_warnings_in_every_form(flags, into, capsys, tmp_path):
    """Pages of equations, and files, said nothing of a limit in which nothing is learned."""
    spec = tmp_path / "still.toml"
    text = Path("specs/two_layer.toml").read_text(encoding="utf-8")
    spec.write_text(
        re.sub(r"^(bias|weight) = .*$", r'\1 = "0"', text, flags=re.M),
        encoding="utf-8",
    )
    target = ["--output", str(tmp_path / "page")] if into else []
    assert main(["derive", str(spec), *flags, *target]) == 0
    captured = capsys.readouterr()
    said = captured.err if flags or into else captured.out
    assert "initial state is partly stationary" in " ".join(said.split())
    assert captured.err.count("stationary") <= 1
