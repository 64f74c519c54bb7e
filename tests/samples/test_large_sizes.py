"""Sizes that a spec names cost nothing while it is loaded: they are checked, and nothing of them is drawn."""

import time
import tracemalloc

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import MfError
from tests.format.documents import changed, small

TEACHER = {"kind": "teacher", "dimension": 10**6, "target": "x1 * x900000"}
LARGE = {
    "dimension": changed("data.dimension", 10**6),
    "teacher": changed("data", TEACHER),
    "sphere": changed("data", TEACHER | {"inputs": "sphere(1)"}),
    "autoencoder": changed("data", small()["data"] | {"dimension": 10**6, "y": "x"}),
    "shape": changed("data", small()["data"] | {"dimension": 10**6, "shape": [10, 100_000]}),
    "steps": changed("training.steps", 10**15),
    "batch": changed("training.batch_size", 10**15),
    "finite layer": changed("layers.0.size", 10**12),
    "nodes": changed("solver", {"nodes": 10**12}),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_sizes_load_at_once(name) -> None:
    """Half a second of the processor, and no more memory than four of the inputs take."""
    tracemalloc.start()
    begin = time.process_time()
    network = mf.load(LARGE[name])
    taken = time.process_time() - begin
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 0.5
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
    begin = time.process_time()
    with pytest.raises(MfError) as caught:
        mf.load(HOPELESS[name])
    assert time.process_time() - begin < 0.5 and len(str(caught.value)) < 600
    key = {
        "dimension": "data, key 'dimension'",
        "samples": "data, key 'samples'",
        "outputs": "output, key 'out",
    }
    assert str(caught.value).startswith(key.get(name, "layers[1]"))
