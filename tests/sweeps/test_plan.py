"""What a sweep refuses before anything is computed, in one message each."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.codegen.digest import digest
from mfderive.errors import ArgumentError, MfError
from mfderive.sweeps import conductor, worker_pool
from mfderive.sweeps.sweep_plan import make_plan
from mfderive.sweeps.sweep_task import answer

from .material import SET, TINY

ONE = {"a": [0.1, 0.2]}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    file = tmp_path_factory.mktemp("spec") / "tiny.toml"
    file.write_text(TINY)
    return mf.load(file)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("a sweep must be told what the grid changes", {"set": {}}),
        ("set is 3 (int)", {"set": 3}),
        ("a sweep needs at least one variable", {"grid": {}}),
        ("grid is [1] (list)", {"grid": [1]}),
        ("a has no values", {"grid": {"a": []}}),
        ("a is 0.1 (float); give a list", {"grid": {"a": 0.1}}),
        ("the value nan", {"grid": {"a": [float("nan")]}}),
        ("the value [1]; a value is", {"grid": {"a": [[1]]}}),
        ("the value ''; a value", {"grid": {"a": [""]}}),
        ("the value 1.0 twice", {"grid": {"a": [1, 1.0]}}),
        ("'a b' cannot be the name of a variable", {"grid": {"a b": [1]}}),
        ("'loss' is a column of the table", {"grid": {"loss": [1]}}),
        ("no variable 'a'. Did you mean 'aa'", {"grid": {"aa": [1]}}),
        ("nothing that is set reads {b}", {"grid": {**ONE, "b": [1]}}),
        ("6 settings, 2 (a) x 3 (b)",
         {"grid": {**ONE, "b": [1, 2, 3]}, "most": 5, "set": {**SET, "title": "{b}"}}),
        ("most is 0 (int)", {"most": 0}),
        ("run is 'train'", {"run": "train"}),
        ("no option 'node'. Did you mean 'nodes'", {"node": 3}),
        ("no option 'initial'", {"initial": {}}),
        ("nodes is 0 (int)", {"nodes": 0}),
        ("horizon and steps cannot both", {"horizon": 1.0, "steps": 3}),
        ("learning_rate is given for every run", {"learning_rate": 0.1}),
        ("steps is given for every run", {"steps": 3, "set": {"solver.horizon": "{a}"}}),
        ("networks need a width", {"run": "simulate"}),
        ("no option 'nodes'", {"run": "simulate", "width": 3, "nodes": 3}),
        ("width is 0 (int)", {"run": "simulate", "width": 0}),
        ("seeds[0] is -1", {"run": "simulate", "width": 3, "seeds": [-1]}),
    ],
)  # fmt: skip
def test_plans_that_are_refused(network, words, arguments):
    given = {"set": SET, "grid": ONE, "run": "solve", "most": 1000, **arguments}
    own = {name: given.pop(name) for name in ("set", "grid", "run", "most")}
    with pytest.raises(ArgumentError) as caught:
        make_plan(network, options=given, **own)
    assert words in str(caught.value)


def test_plans_of_something_else():
    with pytest.raises(ArgumentError, match="a network is needed"):
        make_plan("tiny.toml", SET, ONE, "solve", {}, 10)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("jobs is 0", {"jobs": 0}),
        ("threads is 0", {"threads": 0}),
        ("scheduler is ''", {"scheduler": ""}),
        ("jobs and scheduler cannot both be given", {"jobs": 1, "scheduler": "tcp://a:1"}),
        ("'foo' is no address of a Dask scheduler", {"scheduler": "foo"}),
        ("'http://a:80' is no address", {"scheduler": "http://a:80"}),
        ("folder is 3 (int)", {"folder": 3}),
        ("no setting can be read; the first, a=-1, says", {"grid": {"a": [-1, -2]}}),
    ],
)
def test_sweeps_that_are_refused(network, tmp_path, words, arguments):
    """Nothing is left in the folder by a sweep that did not begin."""
    given = {"set": SET, "grid": ONE, "folder": tmp_path / "out", **arguments}
    with pytest.raises(MfError) as caught:
        mf.sweep(network, **given)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_is_said_of_a_sweep_that_ends_early(network, tmp_path, monkeypatch):
    """It names how many settings are kept, without those that failed. The next call takes them up."""
    seen = []

    class Pool:
        def check_versions(self):
            pass

        def answers(self, packed, tasks):
            label, task = next(tasks)
            seen.append(label.name)
            yield label, answer(packed, task)
            raise KeyboardInterrupt

    monkeypatch.setattr(conductor, "worker_pool", lambda address: nullcontext(Pool()))
    for kept, computed in ((1, "a=0.1"), (2, "a=0.2")):
        with pytest.raises(KeyboardInterrupt) as caught:
            mf.sweep(network, SET, {"a": [-1, 0.1, 0.2, 0.3]}, folder=tmp_path, scheduler="any", steps=2)
        assert caught.value.__notes__ == [
            f"In {tmp_path} are {kept} of 4 settings. The same sweep goes on from there"
        ]
        assert seen[-1] == computed
    assert [row["state"] for row in mf.Sweep.read(tmp_path).table] == ["missing", "done", "done", "missing"]


def test_settings_that_share_a_solver():
    """The deviation of weights between two populations is no part of the reduced limit; their mean is."""
    net = mf.load(Path(__file__).parents[2] / "specs" / "three_layer.toml")

    def name(law):
        return digest(mf.reduce(mf.derive(net.replace(layers={"h2": {"weight": law}}))).system)

    assert name("normal(1, 0.1)") == name("normal(1, 3)") != name("normal(2, 0.1)")


def test_no_scheduler_answers(network, monkeypatch):
    """The message names the address."""
    monkeypatch.setattr(worker_pool, "CONNECT_SECONDS", 0.2)
    with pytest.raises(MfError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"):
        mf.sweep(network, SET, ONE, scheduler="tcp://127.0.0.1:1")


def test_dask_is_not_installed(network, monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MfError, match=r"pip install 'mfderive\[sweep\]'"):
        mf.sweep(network, SET, ONE)


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("a sweep must be told what the grid changes", []),
        ("--grid names 'a' twice", ["--grid", "a=1", "--grid", "a=2"]),
        ("--set names 'training.learning_rate' twice", ["--set", "training.learning_rate=1", "--set",
                                                       "training.learning_rate=2"]),
        ("--learning-rate and --set 'training.learning_rate' give the same",
         ["--set", "training.learning_rate={a}", "--grid", "a=1", "--learning-rate", "2"]),
        ("--width is of finite networks",
         ["--set", "training.learning_rate={a}", "--grid", "a=1", "--width", "2"]),
        ("--nodes is an option of the limit", ["--run", "simulate", "--width", "2", "--nodes", "3"]),
        ("must be a whole number of at least 1, not '0'", ["--jobs", "0"]),
    ],
)  # fmt: skip
def test_commands_that_are_refused(tmp_path, monkeypatch, capsys, words, flags):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    assert main(["sweep", "tiny.toml", *flags]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["tiny.toml"]
