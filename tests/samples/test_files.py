"""Files of data, good ones made on the spot and bad ones of every sort."""

from __future__ import annotations

import gzip
import struct
import warnings
from dataclasses import replace

import numpy as np
import pytest

from mfderive.errors import DataError, DataWarning, ResourceError
from mfderive.samples.loading import load
from mfderive.samples.resolve import resolve

from .networks import network


def at(folder, net):
    """The network as if its spec stood in ``folder``: paths are relative to it."""
    return replace(net, file=str(folder / "net.toml"))


def idx(array, code):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Twelve 3 x 2 images of three classes, plain and compressed."""
    images = np.arange(72, dtype=np.uint8).reshape(12, 3, 2)
    labels = (np.arange(12) % 3).astype(np.uint8)
    (tmp_path / "images").write_bytes(idx(images, 8))
    (tmp_path / "labels").write_bytes(idx(labels, 8))
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(images, 8)))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(idx(labels, 8)))
    return tmp_path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx(mnist, ending):
    options = {"images": f"images{ending}", "labels": f"labels{ending}", "range": [0.0, 1.0]}
    net = resolve(at(mnist, network("idx", "cross-entropy", **options)))
    assert (net.input_shape, net.outputs, net.source.rows) == ((6,), 3, 12)
    x, y = net.source.batch(1, "all")
    assert np.allclose(x, np.arange(72).reshape(12, 6) / 255, rtol=1e-15)
    assert y.argmax(axis=1).tolist() == [0, 1, 2] * 4


def test_idx_without_range_keeps_its_pixels_and_is_warned_of(mnist):
    """Bytes stay 0 to 255 where nothing is said; the warning names range, whatever the largest entry is."""
    spec = {
        "format": 1,
        "data": {"kind": "idx", "images": str(mnist / "images"), "labels": str(mnist / "labels")},
        "loss": {"kind": "cross-entropy"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, sqrt(2/fan_in))", "activation": "relu"}],
        "output": {"from": "h1", "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 4},
    }
    with pytest.warns(DataWarning, match=r"run from 0 to 71, as pixels do.*range = \[-1, 1\] in \[data\]"):
        net = load(spec)
    assert np.array_equal(net.source.x, np.arange(72.0).reshape(12, 6))
    spec["data"]["range"] = [-1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(load(spec).source.x, np.arange(72.0).reshape(12, 6) / 127.5 - 1, rtol=1e-15)


def test_idx_reads_big_endian_floats(mnist):
    images = np.linspace(-1, 1, 24).reshape(12, 2).astype(np.float32)
    (mnist / "floats").write_bytes(idx(images, 0x0D))
    net = resolve(at(mnist, network("idx", images="floats", labels="labels")))
    assert np.array_equal(net.source.x, images.astype(np.float64))


def test_idx_test_files_are_the_test_split(mnist):
    images = np.full((2, 3, 2), 200, dtype=np.uint8)
    (mnist / "more").write_bytes(idx(images, 8))
    (mnist / "their").write_bytes(idx(np.array([0, 3], dtype=np.uint8), 8))
    options = {"images": "images", "labels": "labels", "test_images": "more", "test_labels": "their"}
    net = resolve(at(mnist, network("idx", "cross-entropy", **options)))
    assert net.outputs == 4  # a class that only the test files show
    x, y = net.source.evaluation(100)
    assert np.array_equal(x, np.full((2, 6), 200.0))
    assert y.argmax(axis=1).tolist() == [0, 3]
    assert len(net.source.evaluation(100, split="train")[0]) == 12
    with pytest.raises(DataError, match="'test' beside test files"):
        resolve(at(mnist, network("idx", **options, test=3)))


def header(*sizes, code=8):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"PK\x03\x04 something else", "not an idx file"),
        (header(12, 3, 2)[:9], "ends within its header"),
        (header(12, 3, 2) + bytes(71), "72 bytes.*only 71.*truncated"),
        (header(12, 3, 2) + bytes(73), "holds more"),
        (header(12, 3, 2, code=7), "not an idx file"),
        (header(11, 3, 2) + bytes(66), "11 images but 12 labels"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_bad_idx_files(mnist, content, message, ending):
    (mnist / f"bad{ending}").write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(DataError, match=message) as caught:
        resolve(at(mnist, network("idx", images=f"bad{ending}", labels="labels")))
    assert "net.toml, data, key" in str(caught.value)


def test_a_header_that_claims_more_than_memory_is_refused(mnist):
    (mnist / "huge").write_bytes(header(2**32 - 1, 2**31) + bytes(10))
    with pytest.raises(ResourceError, match="GB"):
        resolve(at(mnist, network("idx", images="huge", labels="labels")))


def test_truncated_and_damaged_compression(mnist):
    whole = (mnist / "images.gz").read_bytes()
    damaged = bytearray(whole)
    damaged[-6] ^= 0xFF  # the checksum
    for content in (whole[:-12], bytes(damaged), b"not gzip at all"):
        (mnist / "bad.gz").write_bytes(content)
        with pytest.raises(DataError, match="images"):
            resolve(at(mnist, network("idx", images="bad.gz", labels="labels")))


def test_labels_must_be_labels(mnist):
    with pytest.raises(DataError, match=r"labels have shape \(12, 3, 2\)"):
        resolve(at(mnist, network("idx", images="images", labels="images")))
    with pytest.raises(DataError, match="label of row 2 is 2"):
        resolve(at(mnist, network("idx", "cross-entropy", 2, images="images", labels="labels")))


x = np.arange(8.0).reshape(4, 2)
y = np.array([1.0, -1.0, 1.0, -1.0])


def test_npz_npy_and_csv_hold_the_same(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=x, y=y)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    rows = "\n".join(f"{a},{b},{c}" for (a, b), c in zip(x, y, strict=True))
    (tmp_path / "a.csv").write_text(f"first, second,label\n{rows}\n\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(rows, encoding="utf-8")
    for options in (
        {"file": "a.npz", "x": "inputs"},
        {"x": "x.npy", "y": "y.npy"},
        {"file": "a.csv", "x": ["first", "second"], "y": "label"},
        {"file": "a.csv", "x": [0, "second"], "y": 2},
        {"file": "b.csv", "x": [0, 1], "y": [2]},
    ):
        net = resolve(at(tmp_path, network("arrays", **options)))
        assert np.array_equal(net.source.x, x), options
        assert np.array_equal(net.source.y[:, 0], y), options
        assert net.loss.error == "sign"
    copy = resolve(at(tmp_path, network("arrays", file="a.npz", x="inputs", y="x")))
    assert np.array_equal(copy.source.y, x)


class Evil:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('pickle was loaded')",)


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "evil.npz", x=np.array([Evil()], dtype=object), y=y, allow_pickle=True)
    for options in ({"x": "evil.npy", "y": "evil.npy"}, {"file": "evil.npz"}):
        with pytest.raises(DataError, match="cannot be read"):
            resolve(at(tmp_path, network("arrays", **options)))


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.npz", b"PK truncated", {}, "cannot be read"),
        ("a.npz", None, {"x": "imputs"}, "no array 'imputs'.*It holds: inputs, y"),
        ("a.npz", None, {"file": "a.npzz"}, "no file.*Did you mean 'a.npz'"),
        ("a.txt", b"1,2", {}, "unknown ending"),
        ("a.csv", b"", {}, "empty"),
        ("a.csv", b"x,y\n", {}, "no rows"),
        ("a.csv", b"x,y\n1,2\n3\n", {}, "line 3 .* has 1 column, not 2"),
        ("a.csv", b"x,y\n1,2\n3,many\n", {}, r"line 3, column 2 \('y'\) .* 'many'"),
        ("a.csv", b"x,y\n1,2\n3,inf\n", {}, "not a finite number"),
        ("a.csv", b"x,y\n1,2\n", {"x": "z"}, "no column 'z'.*Headings: x, y"),
        ("a.csv", b"x,x,y\n1,2,3\n", {}, "2 columns have the heading 'x'"),
        ("a.csv", b"1,2\n", {"x": 5, "y": 1}, "no column 5.*0 to 1"),
        ("a.csv", b"x,y\n\xff\xfe,2\n", {}, "cannot be read"),
    ],
)
def test_bad_tables(tmp_path, name, content, options, message):
    if content is None:
        np.savez(tmp_path / name, inputs=x, y=y)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        resolve(at(tmp_path, network("arrays", **{"file": name, **options})))
    assert "net.toml, data, key" in str(caught.value)


def test_truncated_arrays(tmp_path):
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    whole = (tmp_path / "x.npy").read_bytes()
    for length in (len(whole) - 5, 40, 0):
        (tmp_path / "x.npy").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"x\.npy.*cannot be read"):
            resolve(at(tmp_path, network("arrays", x="x.npy", y="y.npy")))
    np.savez(tmp_path / "a.npz", x=x, y=y)
    damaged = bytearray((tmp_path / "a.npz").read_bytes())
    damaged[180] ^= 0xFF  # inside the values of x: only the checksum can tell
    (tmp_path / "a.npz").write_bytes(bytes(damaged))
    with pytest.raises(DataError, match=r"a\.npz.*cannot be read"):
        resolve(at(tmp_path, network("arrays", file="a.npz")))
