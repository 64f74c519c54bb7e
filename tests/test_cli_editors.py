"""Commands for spec files as texts, completion and doctor: what they print, write and return."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from mfderive.cli import doctor_checks, main
from mfderive.cli.doctor_checks import Examined, Status, examined
from mfderive.cli.flags import build_parser
from mfderive.format.formatting import formatted
from mfderive.format.schema import schema

GOOD = """\
format = 1
data = { kind = "isotropic-gaussians", dimension = 3, separation = 0.5 }
loss = { kind = "squared" }
layers = [{ name = "h1", from = "x", weight = "normal(0, 1)", activation = "tanh" }]
output = { from = "h1", weight = "normal(1, 0.1)" }
training = { learning_rate = 0.01, steps = 12 }
"""
BAD = GOOD.replace("squared", "squred").replace("steps = 12", "stpes = 12")
UNTIDY = GOOD.replace(" = ", "=") + "# the end"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a right, a wrong and an untidy spec."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("bad", BAD), ("untidy", UNTIDY)):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def typed(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


# --- check-spec ------------------------------------------------------------------------------------------


def test_check_spec_lists_the_faults_of_every_file(folder, capsys):
    assert main(["check-spec", "good.toml"]) == 0
    assert capsys.readouterr().out == "good.toml: no faults\n"
    assert main(["check-spec", "good.toml", "bad.toml"]) == 2
    printed = capsys.readouterr().out.split("\n")
    assert printed[0] == "good.toml: no faults"
    assert printed[1] == "bad.toml:3:17: unknown kind 'squred' [wrong-value]"
    assert printed[2] == '  3 | loss = { kind = "squred" }'
    assert printed[3] == "    |                 ^^^^^^^^"
    assert printed[4].startswith("    = loss: Did you mean 'squared'?")
    assert printed[5].startswith("bad.toml:6:36: unknown key 'stpes'") and printed[-2] == "bad.toml: 2 faults"


def test_check_spec_as_json_and_from_standard_input(folder, capsys, monkeypatch):
    typed(monkeypatch, BAD)
    assert main(["check-spec", "-", "none.toml", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    first, second = found["files"]
    assert found["faults"] == 3 and first["file"] == "-"
    assert [(each["line"], each["column"], each["kind"], each["key"]) for each in first["faults"]] == [
        (3, 17, "wrong-value", "kind"),
        (6, 36, "unknown-key", "stpes"),
    ]
    assert second["faults"][0]["kind"] == "file"


@pytest.mark.parametrize("command", ["check-spec", "fmt", "show"])
def test_a_closed_standard_input_is_said(command, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", None)
    assert main([command, "-"]) == 2
    assert "standard input is closed" in capsys.readouterr().err


def test_other_commands_tell_of_further_faults(folder, capsys):
    assert main(["show", "bad.toml"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "1 more fault: `mfderive check-spec` lists all of them" in said


# --- fmt -------------------------------------------------------------------------------------------------


def test_fmt_writes_checks_and_shows(folder, capsys, monkeypatch):
    untidy = folder / "untidy.toml"
    assert main(["fmt", "--check", "good.toml", "untidy.toml"]) == 1
    assert capsys.readouterr().out == "untidy.toml would be reformatted\n" and untidy.read_text() == UNTIDY
    assert main(["fmt", "--diff", "untidy.toml"]) == 0
    shown = capsys.readouterr().out
    assert "-format=1\n" in shown and "+format = 1\n" in shown and untidy.read_text() == UNTIDY
    assert main(["fmt", "good.toml", "untidy.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == ["untidy.toml"]
    assert untidy.read_text() == f"{GOOD}# the end\n" and (folder / "good.toml").read_text() == GOOD
    assert main(["fmt", "--check", "good.toml", "untidy.toml"]) == 0
    capsys.readouterr()
    typed(monkeypatch, UNTIDY)
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == f"{GOOD}# the end\n"


def test_fmt_keeps_links_modes_and_windows_line_ends(folder, capsys):
    (folder / "link.toml").symlink_to("untidy.toml")
    (folder / "untidy.toml").chmod(0o640)
    tidy = formatted((folder / "untidy.toml").read_text())
    (folder / "windows.toml").write_bytes(UNTIDY.replace("\n", "\r\n").encode())
    assert main(["fmt", "link.toml", "windows.toml"]) == 0
    assert (folder / "link.toml").is_symlink() and (folder / "untidy.toml").read_text() == tidy
    assert (folder / "untidy.toml").stat().st_mode & 0o777 == 0o640
    assert (folder / "windows.toml").read_bytes() == tidy.replace("\n", "\r\n").encode()
    assert main(["fmt", "--check", "windows.toml"]) == 0


def test_a_file_may_begin_with_a_dash_behind_two(folder, capsys):
    (folder / "-x.toml").write_text(GOOD)
    assert main(["check-spec", "--", "-x.toml"]) == 0
    assert main(["check-spec", "--foo"]) == 2


def test_fmt_leaves_all_files_where_one_is_no_toml(folder, capsys):
    (folder / "broken.toml").write_text("a = b\n")
    assert main(["fmt", "untidy.toml", "broken.toml"]) == 2
    assert "broken.toml: this is not TOML" in capsys.readouterr().err
    assert (folder / "untidy.toml").read_text() == UNTIDY


# --- schema ----------------------------------------------------------------------------------------------


def test_new_names_a_schema_that_is_there(folder, capsys):
    assert main(["new", "fresh"]) == 0
    first = (folder / "fresh.toml").read_text().split("\n")[0]
    named = folder / first.removeprefix("#:schema ")
    assert first.startswith("#:schema ./") and json.loads(named.read_text()) == schema()
    assert main(["check-spec", "fresh.toml"]) == 0 and main(["fmt", "--check", "fresh.toml"]) == 0
    capsys.readouterr()
    named.write_text('{"title": "mfderive spec, format 1", "old": true}')
    assert main(["schema", "--write"]) == 0  # an earlier one is replaced
    assert named.name in capsys.readouterr().out and json.loads(named.read_text()) == schema()
    named.write_text("mine")
    assert main(["schema", "--write"]) == 2 and main(["new", "second"]) == 2
    assert "left alone" in capsys.readouterr().err
    assert named.read_text() == "mine" and not (folder / "second.toml").exists()


# --- completion ------------------------------------------------------------------------------------------

_ASK = """
eval "$(cat script)"
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
registered=$(complete -p mfderive)
[[ $registered =~ -F\\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" mfderive "${@: -1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
OFFERED = {
    "mfderive so": {"solve"},
    "mfderive check": {"check", "check-spec"},
    "mfderive --ver": {"--version"},
    "mfderive solve --meth": {"--method"},
    "mfderive solve good.toml --method ": {"euler", "strides", "rk4", "flow", "stiff"},
    "mfderive solve --method = r": {"rk4"},
    "mfderive solve --optimizer ada": {"adam", "adamw"},
    "mfderive solve --steps ": {""},
    "mfderive derive --format m": {"mathml"},
    "mfderive solve ": {"good.toml", "bad.toml", "untidy.toml", "sub"},
    "mfderive fmt good.toml u": {"untidy.toml"},
    "mfderive solve --output n": {"notes.txt"},
    "mfderive completion ": {"bash", "zsh", "fish"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("line", OFFERED)
def test_bash_offers_what_may_stand_there(folder, capsys, line):
    """Asked is what bash asks: the function that `complete` registered, with the words of the line."""
    assert main(["completion", "bash"]) == 0
    (folder / "script").write_text(capsys.readouterr().out)
    (folder / "sub").mkdir()
    (folder / "notes.txt").write_text("")
    words = line.split(" ")
    asked = subprocess.run(["bash", "-c", _ASK, "bash", *words], capture_output=True, text=True, timeout=20)
    assert asked.stderr == ""
    assert set(asked.stdout[:-1].split("\n")) == OFFERED[line]


def test_every_script_has_every_command_and_flag(capsys):
    subparsers = next(action for action in build_parser()._actions if action.dest == "command")
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell, "--json"]) == 0
        script = json.loads(capsys.readouterr().out)["script"]
        for name, parser in subparsers.choices.items():
            assert name in script
            for flag in parser._option_string_actions:
                written = f"-l {flag[2:]}" if shell == "fish" and flag.startswith("--") else flag
                assert written in script or (shell == "fish" and f"-s {flag[1:]}" in script)


# --- doctor ----------------------------------------------------------------------------------------------


def test_doctor_finds_no_problem_here(capsys):
    """Here everything that mfderive needs works, so that a problem is a fault of the check."""
    checks = {each.name: each for each in examined()}
    problems = [each for each in checks.values() if each.status is Status.PROBLEM]
    assert [
        each for each in problems if each.name not in ("memory", "disk, this folder", "disk, cache")
    ] == []
    assert {"python", "packages", "numba", "BLAS", "JAX", "cache", "memory"} <= set(checks)
    assert checks["packages"].facts["versions"].keys() >= {"numpy", "numba", "jax", "sympy"}
    assert all(each.remedy for each in checks.values() if each.status is not Status.OK)


def test_doctor_says_what_does_not_work(tmp_path, monkeypatch, capsys):
    """A cache that cannot be written, a package too old, an extra that is absent, a check that breaks."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(
        doctor_checks, "_version", lambda name: {"numpy": "1.26.4", "torch": None}.get(name, "9999.0")
    )

    def breaks():
        raise RuntimeError("no such device")
        yield

    checks = {name: doctor_checks._CHECKS[name] for name in ("packages", "cache", "extras")} | {"JAX": breaks}
    monkeypatch.setattr(doctor_checks, "_CHECKS", checks)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    said = {each["name"]: each for each in found["checks"]}
    assert [each for each in said if said[each]["status"] == "problem"] == ["packages", "cache", "JAX"]
    assert said["packages"]["found"] == "numpy 1.26.4 (at least 2.0 is needed)"
    assert "MFDERIVE_CACHE" in said["cache"]["remedy"] and said["cache"]["status"] == "problem"
    assert (
        said["extra 'torch'"]["status"] == "absent" and "mfderive[torch]" in said["extra 'torch'"]["remedy"]
    )
    assert said["JAX"]["found"] == "RuntimeError: no such device"
    assert main(["doctor"]) == 1
    assert "\n3 problems\n" in capsys.readouterr().out


def test_extras_are_absent_where_nothing_is_installed(monkeypatch):
    """A fresh installation has none of them, and no problem: also the one whose modules have other names."""
    monkeypatch.setattr(doctor_checks, "_version", lambda name: None)
    monkeypatch.setattr(doctor_checks, "_is_found", lambda name: False)
    assert [each.status for each in doctor_checks._extras()] == [Status.ABSENT] * len(doctor_checks.EXTRAS)
    monkeypatch.setattr(doctor_checks, "_version", lambda name: "9999.0")
    assert [each.status for each in doctor_checks._extras()] == [Status.PROBLEM] * len(doctor_checks.EXTRAS)


def test_doctor_says_once_that_a_cache_cannot_be_written(tmp_path, monkeypatch):
    """The disk under a folder that cannot be written, such as one in /proc, is not the question."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "file" / "cache"))
    checks = {name: doctor_checks._CHECKS[name] for name in ("cache", "memory")}
    monkeypatch.setattr(doctor_checks, "_CHECKS", checks)
    names = [each.name for each in examined()]
    assert "cache" in names and "disk, this folder" in names and "disk, cache" not in names


def test_doctor_without_problems_ends_with_0(monkeypatch, capsys):
    checks = {"python": lambda: iter([Examined("python", Status.OK, "here")])}
    monkeypatch.setattr(doctor_checks, "_CHECKS", checks)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "ok       python  here\n\nno problems\n"


def test_requirements_are_read_as_the_project_writes_them(monkeypatch):
    """Lines of metadata, made of the project's own lists, give back every package with its least version."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [f'{line}; extra == "{name}"' for name, of in extras.items() for line in of]
    monkeypatch.setattr(doctor_checks, "requires", lambda name: [*project["dependencies"], *lines])
    found = {f"{name}>={least}" for name, least in doctor_checks._requirements(None)}
    assert found == set(project["dependencies"])
    assert dict(doctor_checks._requirements("sweep")).keys() == {"dask"}
    assert set(doctor_checks.EXTRAS) | {"docs", "dev"} == set(extras)
