"""Sweeps on two workers: what becomes of settings that fail, of workers and of sweeps that are killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from distributed import Client

import mfderive as mf
from mfderive.algebra.update_rules import RULES
from mfderive.cli import main
from mfderive.errors import ArgumentError, DivergenceError, MfError
from mfderive.forward.kinds import KINDS
from mfderive.runs.atomic import is_running, is_temporary
from mfderive.runs.folder_lock import owner_of
from mfderive.sweeps import worker_pool
from mfderive.sweeps.local_workers import local_workers

from .material import DIVERGING, GRID, RATES, SET, TINY, assert_same, results, wait_for

SHORT = {"steps": 5, "evaluation": 20}


@pytest.fixture(scope="module")
def workers():
    """The address of a scheduler with two workers."""
    with local_workers(2, 1) as started:
        yield started.address()


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    file = tmp_path_factory.mktemp("spec") / "tiny.toml"
    file.write_text(TINY)
    return file


@pytest.fixture(scope="module")
def network(spec):
    return mf.load(spec)


@pytest.fixture(scope="module")
def alone(network):
    """Every setting as `solve` gives it in this process; of the diverging one, what there was until then."""
    found = {}
    for rate in RATES:
        try:
            found[rate] = mf.solve(network.replace(training={"learning_rate": rate}))
        except DivergenceError as error:
            found[rate] = error.path
    return found


def assert_as_alone(found, alone):
    """Eleven settings are what `solve` gives, to the bit; one diverged, and the table says so."""
    rows = {row["a"]: row for row in found.table}
    assert [rate for rate, row in rows.items() if row["state"] != "done"] == [DIVERGING]
    assert rows[DIVERGING]["state"] == "diverged" and "diverged by t =" in rows[DIVERGING]["note"]
    assert not found.is_done and len(found.paths) == 12
    for rate in RATES:
        assert_same(found.load(a=rate), alone[rate])
        assert rows[rate]["loss"] == alone[rate].loss[-1] and rows[rate]["steps"] == alone[rate].steps[-1]


def test_one_worker_is_killed_and_one_setting_diverges(network, workers, alone, tmp_path):
    """A worker is stopped while it computes a setting, and killed: another one computes that setting."""
    killed = []

    def kill():
        with Client(workers, set_as_default=False) as client:
            wait_for(lambda: len(results(tmp_path)) >= 2)
            processes = client.run(os.getpid)

            def busy():
                for worker, keys in client.processing().items():
                    if any("network" not in str(key) for key in keys):
                        os.kill(processes[worker], signal.SIGSTOP)
                        if client.processing()[worker]:  # it cannot end any more
                            return processes[worker]
                        os.kill(processes[worker], signal.SIGCONT)
                return None

            killed.append(wait_for(busy))
            os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = mf.sweep(network, SET, GRID, scheduler=workers, folder=tmp_path)
    killer.join()
    assert_as_alone(found, alone)
    # What the killed one was at, another one computed.
    processes = [json.loads(file.read_text())["process"] for file in results(tmp_path)]
    assert len(killed) == 1 and len(processes) == 12 and set(processes) - set(killed)


def test_a_sweep_that_is_killed_goes_on(network, spec, workers, alone, tmp_path, capsys):
    """kill -9: its workers end with it, whole results stay, the same command computes the missing ones."""
    out = tmp_path / "out"
    command = ["sweep", str(spec), "--quiet", "--output", str(out), "--set", "training.learning_rate={a}"]
    command += ["--grid", f"a={','.join(map(str, RATES))}"]
    process = subprocess.Popen([sys.executable, "-m", "mfderive", *command, "--jobs", "1"])
    try:
        wait_for(lambda: len(results(out)) >= 3)
        assert "process" in (owner_of(out) or "")
    finally:
        process.kill()
        process.wait()
    before = {file: file.stat().st_mtime_ns for file in results(out)}
    assert 3 <= len(before) < 12 and owner_of(out) is None and not (out / "table.csv").exists()
    assert main([*command, "--scheduler", workers, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    found = mf.Sweep.read(out)
    assert_as_alone(found, alone)
    assert told["table"] == found.table and told["file"] == str(out / "table.csv")
    assert (out / "table.csv").is_file() and told["figure"] == str(out / "figure.svg")
    assert {file: file.stat().st_mtime_ns for file in before} == before and len(results(out)) == 12
    assert [file for file in out.rglob("*") if is_temporary(file)] == []
    workers_then = {json.loads(file.read_text())["process"] for file in before}
    assert wait_for(lambda: not any(map(is_running, workers_then)))


def test_what_is_taken_up_and_what_is_computed_again(network, workers, tmp_path):
    """Damaged and edited results are computed again; more values extend a sweep; others are refused."""

    def times():
        return {file.parent.name: file.stat().st_mtime_ns for file in results(tmp_path)}

    def sweep(grid, **options):
        return mf.sweep(network, SET, grid, scheduler=workers, folder=tmp_path, **{**SHORT, **options})

    sweep({"a": [0.1, 0.2, 0.3, 0.4]})
    first = times()
    assert set(first) == {"a=0.1", "a=0.2", "a=0.3", "a=0.4"}
    for name, change in (("a=0.1", "truncate"), ("a=0.2", "edit"), ("a=0.3", "version")):
        place = tmp_path / "settings" / name
        if change == "truncate":
            content = (place / "limit.npz").read_bytes()
            (place / "limit.npz").write_bytes(content[: len(content) // 2])
        elif change == "edit":
            with np.load(place / "limit.npz") as archive:
                arrays = dict(archive)
            np.savez(place / "limit.npz", **{**arrays, "loss": arrays["loss"] + 1})
        else:
            result = json.loads((place / "result.json").read_text())
            result["versions"]["mfderive"] = "0.0.1"
            (place / "result.json").write_text(json.dumps(result))
    found = sweep({"a": [0.4, 0.3, 0.2, 0.1, 0.5]})
    second = times()
    assert found.is_done and [row["a"] for row in found.table] == [0.4, 0.3, 0.2, 0.1, 0.5]
    assert {name for name in first if first[name] == second[name]} == {"a=0.4"} and "a=0.5" in second
    with pytest.raises(MfError, match=r"holds another sweep. What differs: options.steps: 5 then, 6 now"):
        sweep({"a": [0.1]}, steps=6)
    with pytest.raises(MfError, match="holds another sweep"):
        mf.sweep(
            network, {**SET, "title": "{b}"}, {"a": [0.1], "b": ["t"]}, folder=tmp_path, scheduler=workers
        )
    assert times() == second
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file").write_text("x")
    with pytest.raises(MfError, match=r"is not the folder of a sweep \(it holds file\)"):
        mf.sweep(network, SET, {"a": [0.1]}, folder=tmp_path / "strange", scheduler=workers)


def test_two_variables_and_the_folder_of_a_sweep(network, workers, tmp_path):
    """Laws, biases and options of the solution; CSV and figures; the folder is read back."""
    changes = {"layers.h1.weight": "normal({m}, 0.5)", "layers.h1.bias": "{m}", "solver.nodes": "{n}"}
    found = mf.sweep(
        network, changes, {"m": [-1, 0.5], "n": [4, 8]}, folder=tmp_path, scheduler=workers, **SHORT
    )
    path = found.load(m=-1, n=8)
    assert path.network.document["layers"][0]["weight"] == "normal((-1), 0.5)"
    assert path.network.document["layers"][0]["bias"] == "-1"
    assert max(path.notes["nodes"].values()) == 8
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["m"], row["n"], row["state"]) for row in rows] == [
        (m, n, "done") for m in ("-1", "0.5") for n in ("4", "8")
    ]
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in found.table]
    assert all((tmp_path / f"figure.{form}").stat().st_size > 5000 for form in ("svg", "png"))
    again = mf.Sweep.read(tmp_path)
    assert again.table == found.table and again.settings == found.settings
    assert_same(again.load("m=-1,n=8"), path)
    assert_same(again.load(again.table[1]), path)
    assert again.figure() is not None and "<svg" in again._repr_html_()
    assert repr(again).startswith("Sweep of 'tiny': 4 settings, 4 done")
    with pytest.raises(ArgumentError, match=r"m is 3 \(int\); its values: -1, 0.5"):
        again.load(m=3, n=4)
    with pytest.raises(ArgumentError, match="the setting has no value of n"):
        again.load(m=-1)
    with pytest.raises(ArgumentError, match="Did you mean 'm=-1,n=8'"):
        again.load("m=-1,n=80")
    with pytest.raises(MfError, match="not the folder of a sweep"):
        mf.Sweep.read(tmp_path / "settings")


def test_workers_of_another_version(network, workers, monkeypatch):
    """Nothing is handed to workers whose mfderive is another one."""
    monkeypatch.setattr(worker_pool, "version_of", lambda name: "9.9")
    with pytest.raises(MfError, match=r"mfderive is 9.9 here and version \S+ on the worker tcp://"):
        mf.sweep(network, SET, {"a": [0.1]}, scheduler=workers)


def test_networks_and_rules_and_kinds_of_ones_own(workers, tmp_path):
    """`simulate` in a sweep; the workers learn what was registered here alone: a rule, a kind of layer."""
    rule = mf.UpdateRule("half", "half a step", (("theta", "theta - c*alpha*xi*g"),),
                         constants=(mf.RuleConstant("c", "part of the step", 0.5, 0.0),))  # fmt: skip
    dense = KINDS["dense"]
    kind = mf.ConnectionKind("own-dense", lambda site: dense.read(site), into_output=True)
    document = TINY.replace('from = "x"', 'from = "x"\nkind = "own-dense"').replace(
        "steps = 400", 'steps = 4\noptimizer = "half"'
    )
    (tmp_path / "own.toml").write_text(document)
    try:
        mf.register_rule(rule)
        mf.register_kind(kind)
        network = mf.load(tmp_path / "own.toml")
        found = mf.sweep(network, {"training.optimizer.c": "{c}"}, {"c": [0.5, -1]}, scheduler=workers)
        assert [row["state"] for row in found.table] == ["done", "failed"]
        assert "found -1" in found.table[1]["note"] and found.table[1]["loss"] is None
        with pytest.raises(MfError, match="the setting c=-1 is failed: "):
            found.load(c=-1)
        assert_same(found.load(c=0.5), mf.solve(network))
        own = {"width": 3, "seeds": 2, "evaluation": 20}
        trained = mf.sweep(network, {"training.optimizer.c": "{c}"}, {"c": [0.5]}, run="simulate",
                           scheduler=workers, folder=tmp_path / "out", **own)  # fmt: skip
        wanted = mf.simulate(network, **own)
        for one, other in zip(trained.load(c=0.5), wanted, strict=True):
            assert (one.seed, one.width) == (other.seed, other.width) and len(one.times) == len(other.times)
            # Threads of JAX may differ between processes, so sums may be taken in another order.
            np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)
        row = trained.table[0]
        assert row["loss_low"] == min(p.loss[-1] for p in trained.load(c=0.5)) < row["loss_high"]
    finally:
        RULES.pop("half", None)
        KINDS.pop("own-dense", None)


def test_the_command_when_all_is_there(spec, workers, tmp_path, monkeypatch, capsys):
    """Nothing is missing: no workers are asked for, and the exit code is 0. The table is for people."""
    monkeypatch.chdir(tmp_path)
    words = ["sweep", str(spec), "--set", "training.learning_rate={a}", "--steps", "4", "--evaluation", "20"]
    assert main([*words, "--grid", "a=0.1,-1", "--quiet", "--scheduler", workers]) == 3
    assert capsys.readouterr() == ("", "")
    for name in ("local_workers", "worker_pool"):
        monkeypatch.setattr(f"mfderive.sweeps.conductor.{name}", None)
    assert main([*words, "--grid", "a=0.1"]) == 0
    said = capsys.readouterr().out
    assert (
        said.startswith("a    state  loss")
        and "1 of 1 settings are done. The table is in runs/tiny-sweep" in said
    )
