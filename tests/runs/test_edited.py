"""Files of trajectories that somebody edited: refused with what differs, or read on request and marked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mfderive.errors import MfError, StateError
from mfderive.runs.trajectory import Trajectory

from .test_trajectory import DOCUMENT, path


@pytest.fixture
def file(tmp_path):
    return path(error=[0.5, np.nan, 0.1]).save(tmp_path)


def edit(file, **changes):
    """Change arrays of a file as somebody with numpy would: everything else stays as it was."""
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, change in changes.items():
        key = name.replace("_", ".")
        arrays[key] = change(arrays[key])
    np.savez(file, **arrays)


def with_nan(array):
    changed = array.copy()
    changed.flat[1] = np.nan
    return changed


def without_digests(file):
    """The same file as it was written before there were digests."""
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "digest"}
    document = json.loads(bytes(arrays["document"]).decode())
    del document["digests"]
    arrays["document"] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
    np.savez(file, **arrays)


EDITS = {
    "weights doubled": ({"c1_0": lambda a: 2 * a}, r"'h1\.weight' at t = 0\.5 differs"),
    "nan in weights": ({"c2_0": with_nan}, r"'h1\.weight' at t = 1 differs"),
    "a row less": ({"c1_0": lambda a: a[:-1]}, r"'h1\.weight' at t = 0\.5 differs"),
    "times reversed": ({"times": lambda a: a[::-1]}, "times differs"),
    "losses are words": ({"loss": lambda a: a.astype(str)}, "loss differs"),
    "another precision": ({"c0_0": lambda a: a.astype("f4")}, r"'h1\.weight' at t = 0 differs"),
    "weights of nodes": ({"c0_2": lambda a: a / 2}, r"'p\.h1' at t = 0 differs"),
    "two of them": (
        {"loss": lambda a: a / 2, "error": lambda a: a / 2},
        "loss, error differ from what was written",
    ),
    "five of them": (
        {name: lambda a: a + 1 for name in ("times", "steps", "loss", "error", "c0_0")},
        "and 2 more differ",
    ),
    "the document": (
        {"document": lambda a: np.frombuffer(bytes(a).replace(b'"seed": 7', b'"seed": 8'), np.uint8)},
        "the document .* differs",
    ),
}


@pytest.mark.parametrize(("changes", "says"), EDITS.values(), ids=EDITS)
def test_an_edited_file_is_refused_with_what_differs(file, changes, says):
    assert Trajectory.load(file).notes.get("edited") is None
    edit(file, **changes)
    with pytest.raises(MfError, match=says) as found:
        Trajectory.load(file)
    assert "edited=True" in str(found.value) and str(file) in str(found.value)


def test_an_edited_file_is_read_on_request_and_marked(file):
    edit(file, c1_0=lambda a: 2 * a)
    back = Trajectory.load(file, edited=True)
    assert back.notes["edited"] == ["'h1.weight' at t = 0.5"]
    assert np.array_equal(back.checkpoints[1].state["h1.weight"], np.full((4, 2), 2.0))
    assert np.array_equal(back.checkpoints[2].state["h1.weight"], np.full((4, 2), 2.0))
    edit(file, c1_0=with_nan)
    assert np.isnan(Trajectory.load(file, edited=True).checkpoints[1].state["h1.weight"]).sum() == 1
    # The mark stays when it is saved again, under digests of its own.
    again = Trajectory.load(file, edited=True).save(file.parent, "again")
    assert Trajectory.load(again, edited=True).edited == ("'h1.weight' at t = 0.5",)
    with pytest.raises(MfError, match="edited"):
        Trajectory.load(file, edited="yes")


def test_the_mark_is_seen_wherever_the_trajectory_is_shown(tmp_path):
    """In the repr, in HTML, among the warnings beside others, and in a run that went on from it."""
    import mfderive as mf

    network = mf.load(DOCUMENT)
    file = mf.solve(network, steps=4, nodes=8).save(tmp_path)
    says = "read from a file that was edited after it was written: 'h1.weight' at t ="
    assert says not in repr(Trajectory.load(file)) and Trajectory.load(file).edited == ()
    edit(file, c4_1=lambda a: 1.5 * a, loss=lambda a: a * [1, 1, 1, 1, 1e9])
    back = Trajectory.load(file, edited=True)
    for each in (back, mf.solve(network, steps=6, resume=back)):
        assert len(each.edited) == 2 and each.warnings[0].startswith("read from a file that was edited")
        assert "WARNING: read from a file that was edited" in repr(each)
        assert "read from a file that was edited" in each._repr_html_()
    again = mf.solve(network, steps=6, resume=back).save(tmp_path, "again")
    assert Trajectory.load(again).edited == back.edited


OTHERS = {
    "text": (b"t,loss\n0,1\n", "it is no zip archive"),
    "end missing": (
        lambda whole: whole[:-40],
        "it is no zip archive, as npz files are, or its end is missing",
    ),
    "a byte changed": (
        lambda whole: whole.replace(b'"seed"', b'"sead"', 1),
        "a part of it is missing or changed",
    ),
    "other arrays": ({"a": np.ones(2)}, r"it holds no document of a run \(but 'a'\)"),
    "objects": ({"document": np.array([{}])}, "it holds Python objects, which are never unpickled"),
    "no document": ({"document": np.zeros(3, np.uint8)}, "its text is not JSON"),
    "no format": (
        {"document": np.frombuffer(b"{}", np.uint8)},
        r"not a trajectory of format .* \(it names no format\)",
    ),
    "losses removed": ("loss", "it lacks 'loss'"),
    "state removed": ("c1.0", r"it lacks 'h1\.weight' at t = 0\.5"),
}
RAW = ("Error", "allow_pickle", "pickle.load", "KeyError", "Traceback", "NoneType", "object has no")


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_trajectory_is_said_in_words(file, name):
    """No exception's name and no advice of a library; what to do is said."""
    content, says = OTHERS[name]
    if isinstance(content, str):
        with np.load(file) as archive:
            content = {key: archive[key] for key in archive.files if key != content}
    if isinstance(content, dict):
        np.savez(file, **content)
    else:
        file.write_bytes(content if isinstance(content, bytes) else content(file.read_bytes()))
    with pytest.raises(MfError, match=says) as found:
        Trajectory.load(file)
    assert not any(word in str(found.value) for word in RAW)
    assert str(file) in str(found.value) and "Run the spec again" in str(found.value)


def test_a_document_that_was_edited_beyond_use_is_said_in_words(file):
    def without_spec(array):
        document = json.loads(bytes(array).decode())
        return np.frombuffer(json.dumps({**document, "data": 3}).encode(), np.uint8)

    edit(file, document=without_spec)
    with pytest.raises(MfError, match="its content is not laid out as it should be"):
        Trajectory.load(file, edited=True)


STRUCTURE = {
    "losses are words": ({"loss": lambda a: a.astype(str)}, "loss holds words, not numbers"),
    "times are words": ({"times": lambda a: a.astype(str)}, "times holds words, not numbers"),
    "a loss less": ({"loss": lambda a: a[:-1]}, r"loss has shape \(2,\), times has \(3,\)"),
    "a table of losses": ({"loss": lambda a: np.stack([a, a])}, r"loss has shape \(2, 3\)"),
    "times reversed": ({"times": lambda a: a[::-1]}, "times do not increase"),
    "nan in times": ({"times": with_nan}, "times do not increase|not finite"),
    "steps reversed": ({"steps": lambda a: a[::-1]}, "steps do not increase"),
    "a row less": ({"c1_0": lambda a: a[:-1]}, r"'h1\.weight' at t = 0\.5 has shape \(3, 2\), and \(4, 2\)"),
    "weights are words": ({"c1_0": lambda a: a.astype(str)}, r"'h1\.weight' at t = 0\.5 holds words"),
    "weights are bits": ({"c1_0": lambda a: a > 0}, "holds true and false, not numbers"),
}


@pytest.mark.parametrize(("changes", "says"), STRUCTURE.values(), ids=STRUCTURE)
def test_what_cannot_be_a_trajectory_is_refused_even_on_request(file, changes, says):
    """One clear error, with and without digests."""
    edit(file, **changes)
    with pytest.raises(MfError, match=says):
        Trajectory.load(file, edited=True)
    without_digests(file)
    with pytest.raises(MfError, match=says):
        Trajectory.load(file)


def test_files_of_before_there_were_digests(file):
    """They are read; values that no run writes are still refused."""
    without_digests(file)
    assert Trajectory.load(file).seed == 7
    edit(file, c2_0=with_nan)
    with pytest.raises(MfError, match=r"'h1\.weight' at t = 1 holds values that are not finite"):
        Trajectory.load(file)
    edit(file, c2_0=lambda a: np.zeros_like(a), loss=with_nan)
    with pytest.raises(MfError, match="loss holds values that are not finite"):
        Trajectory.load(file)


def test_states_of_the_wrong_size_at_every_time_are_refused_by_the_layout(tmp_path):
    """What all checkpoints agree on is held against the system when it is first evaluated."""
    import mfderive as mf

    parts = path()
    solved = mf.solve(parts.network, steps=4, nodes=8)
    file = solved.save(tmp_path)
    with np.load(file) as archive:
        names = [name for name in archive.files if archive[name].ndim and len(archive[name]) > 3]
    weights = {name for name in names if name.startswith("c") and name.endswith(".0")}
    edit(file, **{name.replace(".", "_"): lambda a: a[:-1] for name in weights})
    back = Trajectory.load(file, edited=True)
    with pytest.raises(StateError, match="its file was edited"):
        back.predict(np.ones((2, 2)))
