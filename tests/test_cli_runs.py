"""What `run` leaves: stage by stage, beside other runs, after a kill, on divergence. docs/runs.md says it."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import INTERRUPTED, commands, main, running
from mfderive.report.run_folder import open_folder, tidy
from mfderive.runs.folder_lock import LOCK, owner_of, take_lock

SPEC = """\
format = 1
title = "tiny"
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
activation = "softplus"
[output]
from = "h1"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.01
batch_size = 5
steps = 12
[solver]
evaluation = 50
[check]
widths = [4, 8]
"""
QUICK = ["--effort", "none", "--quiet"]


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A small spec in an empty working folder; its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


@pytest.fixture(scope="module")
def finished_runs(tmp_path_factory):
    """A folder of runs with a finished one, "tiny", to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "tiny.toml").write_text(SPEC)
        assert main(["run", "tiny.toml", *QUICK]) == 0
    return folder / "runs"


@pytest.fixture
def finished(spec, finished_runs, tmp_path):
    """The folder of a finished run of ``spec``, its own for every test."""
    shutil.copytree(finished_runs, tmp_path / "runs")
    return tmp_path / "runs" / "tiny"


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def record(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


# --- divergence ------------------------------------------------------------------------------------------

HOT = ["--learning-rate", "5", "--steps", "4"]


def test_solve_keeps_a_loss_that_diverged_and_ends_with_three(capsys, spec, tmp_path):
    assert main(["solve", spec, *HOT, "--json"]) == 3
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [each["kind"] for each in found["findings"]] == ["loss-diverged"]
    assert "the loss diverged: it began at" in captured.err and "smaller learning rate" in captured.err
    assert captured.err.count("\n") == 1
    kept = mf.Trajectory.load(tmp_path / found["trajectory"])
    assert kept.loss[-1] > 1e6 and kept.findings[0].facts["end"] == kept.loss[-1]


def test_a_trajectory_that_takes_the_place_of_another_says_so(capsys, spec):
    """The second of two solutions in one folder overwrote the first without a word."""
    words = ["solve", spec, "--steps", "1", "--quiet"]
    said = []
    for more in ([], [], ["--overwrite"]):
        assert main([*words, *more]) == 0
        said.append(capsys.readouterr().err)
    assert said == [
        "",
        "mfderive: warning: runs/tiny-limit/limit.npz took the place of an earlier one. --output names "
        "another folder\n",
        "",
    ]


def test_solve_keeps_what_was_solved_before_values_left_the_finite_numbers(capsys, spec, tmp_path):
    assert main(["solve", spec, "--learning-rate", "1e9", "--steps", "400", "--json"]) == 3
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [each["kind"] for each in found["findings"]] == ["not-finite"]
    assert (
        "diverged by t =" in captured.err
        and "What was solved until then is in runs/tiny-limit" in captured.err
    )
    kept = mf.Trajectory.load(tmp_path / found["trajectory"])
    assert np.isfinite(kept.loss).all() and 1 < len(kept.loss) == len(found["curve"])


def test_run_shows_a_loss_that_diverged_on_its_page(capsys, spec, tmp_path):
    assert main(["run", spec, *HOT, *QUICK]) == 3
    folder = tmp_path / "runs/tiny"
    assert "The limit: the loss diverged" in page(folder) and 'class="alarm"' in page(folder)
    assert record(folder)["status"] in ("finished", "stopped") and LOCK not in names(folder)
    assert mf.Trajectory.load(folder / "trajectories" / "limit.npz").findings


def test_run_that_leaves_the_finite_numbers_keeps_its_folder(capsys, spec, tmp_path):
    assert main(["run", spec, "--learning-rate", "1e9", "--steps", "400", *QUICK]) == 3
    message = capsys.readouterr().err
    assert "diverged by t =" in message and "What was done until then is in runs/tiny" in message
    folder = tmp_path / "runs/tiny"
    assert record(folder)["status"] == "stopped"
    assert record(folder)["missing"] == ["the solution of the limit", "networks"]
    assert "This run stopped before its end: the limit of" in page(folder)
    assert mf.Trajectory.load(folder / "trajectories").findings[0].kind == "not-finite"
    assert main(["report", "runs/tiny"]) == 0
    assert "This run stopped before its end" in page(folder)


# --- two runs, one folder --------------------------------------------------------------------------------


def test_an_earlier_run_is_left_alone_until_it_is_to_be_replaced(capsys, spec, finished, tmp_path):
    folder = finished
    made = (folder / "run.json").read_bytes()
    assert main(["run", spec, *QUICK]) == 2
    message = capsys.readouterr().err
    whose = (
        rf"an earlier run \({re.escape(getpass.getuser())} on \S+, started 20\d\d-\d\d-\d\dT[\d:+]+\), which"
    )
    assert re.search(whose, message) and message.count("\n") == 1
    assert "--overwrite" in message and "--numbered keeps them and takes runs/tiny-2" in message
    assert (folder / "run.json").read_bytes() == made
    assert main(["run", spec, *QUICK, "--numbered"]) == 0
    assert main(["run", spec, *QUICK, "--numbered"]) == 0
    assert names(tmp_path / "runs") == ["tiny", "tiny-2", "tiny-3"]
    assert main(["run", spec, *QUICK, "--overwrite", "--steps", "6"]) == 0
    assert names(tmp_path / "runs") == ["tiny", "tiny-2", "tiny-3"]
    assert record(folder)["settings"]["flags"] == {"steps": 6}
    assert record(tmp_path / "runs/tiny-2")["settings"]["flags"] == {}
    assert main(["run", spec, *QUICK, "--overwrite", "--numbered"]) == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_failed_replacement_leaves_the_earlier_run(capsys, spec, finished, tmp_path, monkeypatch):
    made = (tmp_path / "runs/tiny/run.json").read_bytes()

    def broken(*arguments):
        raise mf.MfError("the lights went out")
        yield

    monkeypatch.setattr(running, "trained", broken)
    assert main(["run", spec, *QUICK, "--overwrite"]) == 2
    message = capsys.readouterr().err
    assert "the lights went out. What was done until then is in runs/tiny.unfinished" in message
    assert (tmp_path / "runs/tiny/run.json").read_bytes() == made
    assert names(tmp_path / "runs") == ["tiny", "tiny.unfinished"]
    assert "This run stopped before its end: the lights went out." in page(tmp_path / "runs/tiny.unfinished")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["run", spec, *QUICK, "--overwrite"]) == 0
    assert names(tmp_path / "runs") == ["tiny"]


def test_a_run_that_is_interrupted_says_what_it_left(capsys, spec, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(running, "trained", interrupted)
    assert main(["run", spec, *QUICK]) == INTERRUPTED
    assert "interrupted. What was done until then is in runs/tiny" in capsys.readouterr().err
    assert "it was interrupted." in page(tmp_path / "runs/tiny")
    monkeypatch.setattr("mfderive.solve", lambda *arguments, **options: interrupted().__next__())
    assert main(["run", spec, *QUICK, "--output", "other"]) == INTERRUPTED
    assert "Nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


HOLD = """\
import sys, time
from pathlib import Path
from mfderive.report.run_folder import open_folder
held = open_folder(Path(sys.argv[1]), overwrite=True)
print("ready", flush=True)
time.sleep(60)
"""


def holding(folder, code=HOLD):
    """A process that works in a folder until it is ended."""
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_folder_in_which_a_run_is_at_work_is_refused(capsys, spec, tmp_path):
    folder = tmp_path / "runs" / "tiny"
    process = holding(folder)
    try:
        for flags in ([], ["--overwrite"]):
            assert main(["run", spec, *QUICK, *flags]) == 2
            message = capsys.readouterr().err
            assert f"another run is at work there (process {process.pid} of " in message
            assert ", started 20" in message and "--numbered takes runs/tiny-2" in message
        assert main(["run", spec, *QUICK, "--numbered"]) == 0
        assert names(tmp_path / "runs") == ["tiny", "tiny-2"]
    finally:
        end(process)
    # Nothing was solved there, so the next run takes the folder.
    assert main(["run", spec, *QUICK]) == 0
    assert record(folder)["status"] == "finished" and LOCK not in names(folder)


def test_locks(tmp_path):
    assert owner_of(tmp_path) is None
    lock = take_lock(tmp_path)
    assert f"process {os.getpid()} of " in owner_of(tmp_path)
    assert take_lock(tmp_path) is None
    lock.release()
    assert owner_of(tmp_path) is None and names(tmp_path) == []
    (tmp_path / LOCK).write_text("left behind")
    assert owner_of(tmp_path) is None
    take_lock(tmp_path).release()


def test_foreign_folders_are_left_alone(capsys, spec, tmp_path):
    for content in ("thesis.tex", ".git"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / content).write_text("precious")
        assert main(["run", spec, *QUICK, "--output", "mine", "--overwrite"]) == 2
        assert "left alone" in capsys.readouterr().err
        assert (tmp_path / "mine" / content).read_text() == "precious"
        (tmp_path / "mine" / content).unlink()


# --- killed ----------------------------------------------------------------------------------------------

KILLED = """\
import os, signal, sys
from mfderive.cli import main, running
from mfderive.report import run_folder

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

place, words = sys.argv[1], sys.argv[2:]
if place == "networks":
    running.trained = kill
elif place == "solver":
    import mfderive
    mfderive.solve = kill
elif place == "exchange":
    # Between the two renames: the old run stepped aside, the new one is not there yet.
    rename = run_folder.Path.rename
    run_folder.Path.rename = lambda self, to: kill() if ".unfinished" in self.name else rename(self, to)
elif place == "removal":
    remove = run_folder.shutil.rmtree
    run_folder.shutil.rmtree = lambda path, **options: (
        kill() if "replaced" in path.name and path.exists() else remove(path, **options)
    )
main(words)
"""


def killed(place, *words):
    """Run a command in a process that is killed (-9) at some place."""
    done = subprocess.run([sys.executable, "-c", KILLED, place, *words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_run_that_is_killed_leaves_what_was_done(capsys, spec, tmp_path):
    killed("networks", "run", spec, "--effort", "quick")
    folder = tmp_path / "runs/tiny"
    kept = mf.Trajectory.load(folder / "trajectories" / "limit.npz")
    assert kept.steps[-1] == 12 and len(kept.predict(np.ones((2, 3)))) == 2
    for name in ("equations.txt", "equations.tex", "equations.html", "solver.py", "spec.toml"):
        assert (folder / name).stat().st_size > 0
    assert "This run is not finished." in page(folder)
    assert "missing: networks, predicted fluctuations, the verdict." in page(folder)
    assert "<svg" in page(folder)
    assert not list(folder.rglob("*.tmp"))
    # Its page can be drawn again; its results are not replaced without a word.
    assert main(["report", "runs/tiny"]) == 0
    assert main(["run", spec, *QUICK]) == 2
    assert "holds the results of an earlier run" in capsys.readouterr().err
    assert main(["run", spec, *QUICK, "--overwrite"]) == 0
    assert "not finished" not in page(folder) and names(tmp_path / "runs") == ["tiny"]


def test_a_run_that_is_killed_before_anything_is_solved_leaves_a_folder_for_the_next(capsys, spec, tmp_path):
    killed("solver", "run", spec, *QUICK)
    folder = tmp_path / "runs/tiny"
    assert (folder / "equations.txt").stat().st_size > 0
    assert "missing: the solution of the limit, networks." in page(folder)
    assert main(["run", spec, *QUICK]) == 0
    assert record(folder)["status"] == "finished"


@pytest.mark.parametrize("place", ["exchange", pytest.param("removal", marks=pytest.mark.study)])
def test_a_kill_while_a_run_replaces_another_is_mended_by_the_next_command(capsys, spec, tmp_path, place):
    assert main(["run", spec, *QUICK]) == 0
    killed(place, "run", spec, *QUICK, "--overwrite", "--steps", "6")
    assert ".tiny.mfderive-replaced" in names(tmp_path / "runs")
    # Any command that writes there: here the solution of another spec.
    (tmp_path / "other.toml").write_text(SPEC)
    assert main(["solve", "other.toml", "--steps", "2", "--quiet"]) == 0
    assert names(tmp_path / "runs") == ["other-limit", "tiny"]
    assert record(tmp_path / "runs/tiny")["settings"]["flags"] == {"steps": 6}
    assert LOCK not in names(tmp_path / "runs/tiny")


@pytest.mark.study
def test_a_kill_before_a_replacement_has_solved_anything_leaves_nothing(capsys, spec, tmp_path):
    assert main(["run", spec, *QUICK]) == 0
    made = (tmp_path / "runs/tiny/run.json").read_bytes()
    killed("solver", "run", spec, *QUICK, "--overwrite")
    assert names(tmp_path / "runs") == ["tiny", "tiny.unfinished"]
    assert main(["report", "runs/tiny"]) == 0
    assert main(["simulate", spec, "--quiet", "--steps", "1"]) == 0
    assert names(tmp_path / "runs") == ["tiny", "tiny-networks"]
    assert (tmp_path / "runs/tiny/run.json").read_bytes() == made


def test_tidying_leaves_folders_alone_that_somebody_works_in(tmp_path):
    process = holding(tmp_path / "tiny")
    try:
        (tmp_path / ".tiny.mfderive-replaced").mkdir()
        tidy(tmp_path)
        assert names(tmp_path) == [".tiny.mfderive-replaced", "tiny"]
    finally:
        end(process)
    tidy(tmp_path)
    assert names(tmp_path) == ["tiny"]


def test_temporary_files_of_killed_processes_are_removed(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / f".verdict.json.{process.pid}-1.tmp").write_text("half")
    (tmp_path / f".verdict.json.{os.getpid()}-1.tmp").write_text("of one that is at work")
    run_folder_files = open_folder(tmp_path / "run")
    run_folder_files.finish()
    from mfderive.runs.atomic import write_text

    write_text(tmp_path / "verdict.json", "whole")
    assert f".verdict.json.{process.pid}-1.tmp" not in names(tmp_path)
    assert f".verdict.json.{os.getpid()}-1.tmp" in names(tmp_path)


def test_networks_that_were_trained_before_one_failed_are_kept(capsys, spec, tmp_path, monkeypatch):
    trained = commands.trained

    def first_only(*arguments):
        yield next(iter(trained(*arguments)))
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "trained", first_only)
    assert main(["simulate", spec, "--quiet"]) == INTERRUPTED
    assert "interrupted. What was trained until then is in runs/tiny-networks" in capsys.readouterr().err
    assert names(tmp_path / "runs/tiny-networks")[0] == "network-4-1.json"
