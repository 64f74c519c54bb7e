"""Trajectories: what they answer, and that their files come back whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf

# Tests replace the table of grounds: what enters itself in it must have done so before, and for good.
import mfderive.finite.simulate
import mfderive.solution.solve
from mfderive.algebra.reduced import Reduced
from mfderive.errors import ArgumentError, DataError, MfError, StateError
from mfderive.format.reader import parse_document
from mfderive.runs import trajectory as room
from mfderive.runs.archive import write_atomically
from mfderive.runs.trajectory import Checkpoint, Ground, Trajectory, register_ground
from mfderive.samples.resolve import resolve

DOCUMENT = {
    "format": 1,
    "title": "Two layers",
    "data": {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.4},
    "loss": {"kind": "squared"},
    "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "relu"}],
    "output": {"from": "h1", "weight": "normal(1, 0.1)"},
    "training": {"learning_rate": 0.1, "steps": 10},
}
ARRAYS = (np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0, 1.0]))


def state(value):
    return {"h1.weight": np.full((4, 2), value), "scale": np.float32(value), "p": {"h1": np.full(4, 0.25)}}


def path(document=None, data=None, **changes):
    parts = {
        "kind": "limit",
        "network": resolve(parse_document(document or DOCUMENT), data=data, seed=3),
        "width": None,
        "seed": 7,
        "times": [0.0, 0.5, 1.0],
        "steps": [0, 5, 10],
        "loss": [1.0, 0.7, 0.4],
        "error": [0.5, np.nan, 0.1],
        "checkpoints": ((0.0, 0, state(0.0)), (0.5, 5, state(1.0)), (1.0, 10, state(2.0))),
        "notes": {"method": "euler", "alpha": np.float64(0.1), "sizes": (1, 2), "nothing": None},
    }
    return Trajectory(**{**parts, **changes})


@pytest.fixture
def forward(monkeypatch):
    """What evaluates loaded trajectories of the kind "limit" in one test, and for which it was made."""
    made = []

    def make(path):
        made.append(path)
        fields = lambda state, x: {"yhat": x @ state["h1.weight"][:1].T, "h1": x}  # noqa: E731
        return Ground(Reduced.identity(mf.derive(path.network)), fields)

    monkeypatch.setattr(room, "_GROUNDS", {})
    register_ground("limit", make)
    return made


def test_at_gives_the_stored_state_exactly_and_refuses_where_steps_are_not_known(forward):
    run = path()
    assert run.at(0.5) is run.checkpoints[1].state
    assert run.checkpoint(0.5) == Checkpoint(0.5, 5, run.checkpoints[1].state)
    for known in (run, path(ground=Ground(run.reduced, lambda state, x: {}))):
        with pytest.raises(StateError, match=r"t = 0\.7 is between the stored times.*0\.0, 0\.5, 1\.0"):
            known.at(0.7)
    assert run.at() is run.checkpoints[-1].state
    for t in (-0.1, 1.1):
        with pytest.raises(StateError, match=r"outside.*from t = 0\.0 to 1\.0"):
            run.at(t)
    for t in (float("nan"), "0.5", True, [0.5]):
        with pytest.raises(ArgumentError, match=r"t is .*must be a finite number"):
            run.at(t)
    with pytest.raises(StateError, match="no checkpoints"):
        path(checkpoints=()).at()


def test_predict_and_observe_use_what_is_attached_or_made_once(forward):
    run = path()
    x = np.array([[1.0, 2.0]])
    assert run.predict(x, 0.5) == 3.0
    assert run.predict(x) == 6.0
    assert np.array_equal(run.observe("h1", x), x)
    with pytest.raises(StateError, match="no field 'h2' "):
        run.observe("h2", x)
    with pytest.raises(StateError, match=r"x has shape \(2,\); expected \[sample, 2\]"):
        run.predict(x[0])
    assert forward == [run] and run.at().layout is run.reduced
    ground = Ground(run.reduced, lambda state, x: {"yhat": 0 * x})
    attached = path(ground=ground)
    assert not attached.predict(x).any() and len(forward) == 1 and attached.reduced is run.reduced


def test_a_kind_that_nothing_evaluates_says_what_to_import(monkeypatch):
    monkeypatch.setattr(room, "_GROUNDS", {})
    with pytest.raises(StateError, match=r"import mfderive\.solution"):
        path().predict(np.ones((1, 2)))


def test_curves_must_belong_together():
    with pytest.raises(StateError, match=r"loss has shape \(2,\)"):
        path(loss=[1.0, 2.0])
    with pytest.raises(StateError, match="increasing"):
        path(checkpoints=((1.0, 1, state(0)), (0.0, 0, state(0))))
    with pytest.raises(StateError, match="kind"):
        path(kind="limits")


def same(tree, other):
    assert tree.keys() == other.keys()
    for key, value in tree.items():
        if isinstance(value, Mapping):
            same(value, other[key])
        else:
            assert np.asarray(value).dtype == other[key].dtype
            assert np.array_equal(value, other[key])


def test_saved_and_loaded_is_the_same(tmp_path):
    run = path(kind="network", width=50)
    file = run.save(tmp_path / "new" / "folder")
    assert file.name == "network-50-7.npz"
    for place in (file, file.with_suffix(".json"), file.parent):
        back = Trajectory.load(place)
        assert (back.kind, back.width, back.seed) == ("network", 50, 7)
        for curve in ("times", "steps", "loss", "error"):
            assert np.array_equal(getattr(back, curve), getattr(run, curve), equal_nan=True)
        for ours, theirs in zip(run.checkpoints, back.checkpoints, strict=True):
            assert (ours.time, ours.step) == (theirs.time, theirs.step)
            same(ours.state, theirs.state)
        assert back.notes == {"method": "euler", "alpha": 0.1, "sizes": [1, 2], "nothing": None}
        assert back.network == run.network
        assert np.array_equal(back.network.source.batch(4, 5)[0], run.network.source.batch(4, 5)[0])
    readable = json.loads(file.with_suffix(".json").read_text(), parse_constant=pytest.fail)
    assert readable["curves"]["error"] == [0.5, None, 0.1]
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["network-50-7.json", "network-50-7.npz"]


def test_the_json_is_a_copy_only(tmp_path):
    file = path().save(tmp_path)
    file.with_suffix(".json").write_text("{")
    assert Trajectory.load(tmp_path).seed == 7


def test_given_arrays_are_asked_for_again(tmp_path):
    document = {**DOCUMENT, "data": {"kind": "arrays"}}
    file = path(document, ARRAYS).save(tmp_path)
    assert np.array_equal(Trajectory.load(file, data=ARRAYS).network.source.x, ARRAYS[0])
    with pytest.raises(DataError, match=r"3 rows.*data=\(x, y\)"):
        Trajectory.load(file)
    with pytest.raises(DataError, match="not those"):
        Trajectory.load(file, data=(ARRAYS[0] + 1, ARRAYS[1]))


def test_truncated_damaged_and_foreign_files(tmp_path):
    file = path().save(tmp_path)
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(b"c1.0.npy") + 160] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:-3], bytes(damaged), b"", b"text"):
        file.write_bytes(content)
        with pytest.raises(MfError, match="truncated or damaged"):
            Trajectory.load(file)
    np.savez(file, a=np.ones(3))
    with pytest.raises(MfError, match="not a trajectory"):
        Trajectory.load(file)
    np.savez(file, document=np.frombuffer(b'{"format": "other"}', dtype=np.uint8))
    with pytest.raises(MfError, match="found 'other'"):
        Trajectory.load(file)
    np.savez(file, document=np.frombuffer(b'{"format": "mfderive trajectory 2"}', dtype=np.uint8))
    with pytest.raises(MfError, match="truncated or damaged"):
        Trajectory.load(file)
    np.savez(file, document=np.frombuffer(b'{"format": "mfderive trajectory 1"}', dtype=np.uint8))
    with pytest.raises(MfError, match=r"on what reduction it lives .found 'mfderive trajectory 1'"):
        Trajectory.load(file)


class Evil:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('pickle was loaded')",)


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", document=np.array([Evil()], dtype=object))
    with pytest.raises(MfError, match="damaged"):
        Trajectory.load(tmp_path / "a.npz")


def test_missing_files_and_full_folders(tmp_path):
    with pytest.raises(MfError, match="no such file"):
        Trajectory.load(tmp_path / "limit.npz")
    with pytest.raises(MfError, match="found none"):
        Trajectory.load(tmp_path)
    path().save(tmp_path)
    path().save(tmp_path, "again")
    with pytest.raises(MfError, match=r"found again\.npz, limit\.npz"):
        Trajectory.load(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail(file):
        file.write(b"half of the new")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_atomically(target, fail)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_data_that_changed_since_is_refused(tmp_path, monkeypatch):
    """Another word for a class gave other classes to the stored outputs, another unit other predictions."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{k % 7},{k % 5},{'cat' if k % 2 else 'dog'}" for k in range(20)]
    text = "\n".join(["a,b,kind", *rows, ""])
    spec = {
        "format": 1,
        "data": {"kind": "arrays", "file": "pets.csv", "y": "kind", "scale": "standardize"},
        "loss": {"kind": "cross-entropy"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 1, "batch_size": 5},
    }
    Path("pets.csv").write_text(text)
    mf.simulate(mf.load(spec), width=3, seeds=1)[0].save("kept")
    assert mf.Trajectory.load("kept").network.classes == ("cat", "dog")
    Path("pets.csv").write_text(f"# looked through\n{text}")
    mf.Trajectory.load("kept")
    for changed in (text.replace("dog", "ape"), text.replace("6,", "60,"), text + "1,2,cat\n"):
        Path("pets.csv").write_text(changed)
        with pytest.raises(DataError, match=r"data of this run has changed since .*Put the data back"):
            mf.Trajectory.load("kept")
