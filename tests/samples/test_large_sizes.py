"""Sizes that a spec names cost nothing while it is loaded: they are checked, and nothing of them is drawn."""

import tracemalloc

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra import memory
from mfderive.errors import MfError
from mfderive.samples.sources import SampleSource
from tests.effort import calls
from tests.format.documents import changed, small

TEACHER = {"kind": "teacher", "dimension": 10**6, "target": "x1 * x900000"}
LARGE = {
    "dimension": changed("data.dimension", 10**6),
    "teacher": changed("data", TEACHER),
    "sphere": changed("data", TEACHER | {"inputs": "sphere(1)"}),
    "autoencoder": changed("data", small()["data"] | {"dimension": 10**6, "y": "x"}),
    "samples": changed("data", small()["data"] | {"samples": 10**8, "test": 10**7}),
    "samples of a teacher": changed("data", {**TEACHER, "dimension": 10, "target": "x1", "samples": 10**8}),
    "shape": changed("data", small()["data"] | {"dimension": 10**6, "shape": [10, 100_000]}),
    "steps": changed("training.steps", 10**15),
    "batch": changed("training.batch_size", 10**15),
    "finite layer": changed("layers.0.size", 10**12),
    "nodes": changed("solver", {"nodes": 10**12}),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_sizes_load_at_once(name, monkeypatch) -> None:
    """A million calls, half a second, and no more memory than four of the inputs take."""
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)  # a large machine's
    tracemalloc.start()
    loaded: list[mf.Network] = []
    work = calls(lambda: loaded.append(mf.load(LARGE[name])))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    network = loaded[0]
    assert work < 1_000_000
    assert peak < 50e6
    assert np.prod(network.input_shape) == dict(network.data.options)["dimension"]


def test_what_is_learned_from_a_probe_is_what_draws_would_say() -> None:
    assert mf.load(LARGE["dimension"]).loss.error == "sign"
    assert mf.load(LARGE["teacher"]).loss.error is None
    assert mf.load(LARGE["autoencoder"]).outputs == 10**6
    with pytest.raises(mf.DataError, match="target 0 is nan"):
        mf.load(changed("data", TEACHER | {"target": "log(x900000)"}))


def classes(count):
    """A law that draws labels for so many outputs."""
    data = {"kind": "teacher", "dimension": 2, "target": "heaviside(x1)"}
    return changed("output.outputs", count) | {"data": data, "loss": {"kind": "cross-entropy"}}


FIXED = {
    "Gaussians": (small()["data"] | {"samples": 30, "test": 7}, "squared"),
    "fraction": (small()["data"] | {"samples": 30, "test": 0.25}, "logistic"),
    "no test rows": (small()["data"] | {"samples": 30}, "squared"),
    "autoencoder": (small()["data"] | {"samples": 30, "y": "x"}, "squared"),
    "shape": (
        {"kind": "teacher", "dimension": 6, "target": ["x1", "x2"], "samples": 9, "shape": [2, 3]},
        "huber",
    ),
    "mixture": (
        {"kind": "gaussian-mixture", "means": [[0, 1], [2, 0]], "labels": [1, -1], "samples": 9},
        "squared",
    ),
    "classes": (
        {"kind": "gaussian-mixture", "means": [[0, 1], [2, 0]], "labels": [1, 3], "samples": 9},
        "cross-entropy",
    ),
}


@pytest.mark.parametrize("name", FIXED)
def test_what_is_said_of_a_fixed_sample_is_true_when_it_is_drawn(name) -> None:
    """It is drawn once, when it is first asked for; at once only where labels are numbered by what occurs."""
    data, loss = FIXED[name]
    document = {**small(), "data": data, "loss": {"kind": loss}}
    source = mf.load(document).source
    assert "sample" not in vars(source) and (name == "classes") == isinstance(source, SampleSource)
    line = repr(source).splitlines()[0].partition(" of ")[2]
    x, y = source.batch(1, "all")
    assert source.batch(1, "all")[0] is x
    assert (source.input_shape, source.outputs, source.rows) == (x.shape[1:], y.shape[1], len(x))
    sample = getattr(source, "sample", source)
    assert line == repr(sample).splitlines()[0].partition(" of ")[2]
    for what in ("split", "shape", "classes", "is_read", "findings"):
        assert getattr(source.facts, what) == getattr(sample.facts, what)
    again = mf.load(document).source
    assert np.array_equal(again.x, x) and np.array_equal(again.y, y)
    assert (again.test is None) == ("test" not in data)


HOPELESS = {
    "dimension": changed("data.dimension", 10**12),
    "samples": changed("data.samples", 10**15),
    "repeat": changed("layers.1.repeat", 10**6),
    "steps of a layer": changed(
        "layers.1",
        {"name": "h2", "steps": 10**6, "from": "h1", "weight": "0"},
    ),
    "name": changed("layers.1.name", "h" * 101),
    "outputs": classes(10**9),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_no_machine_holds_is_refused_at_once(name) -> None:
    with pytest.raises(MfError) as caught:
        mf.load(HOPELESS[name])  # what it held would not fit into the memory of any machine
    assert len(str(caught.value)) < 600
    key = {
        "dimension": "data, key 'dimension'",
        "samples": "data, key 'samples'",
        "outputs": "output, key 'out",
    }
    assert str(caught.value).startswith(key.get(name, "layers[1]"))
