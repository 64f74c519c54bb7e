"""Arrays in files whose headers claim what cannot be: no axis, too much, Python objects, other lengths."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from mfderive.algebra import memory
from mfderive.cli import main
from mfderive.errors import DataError, ResourceError
from mfderive.samples.resolve import resolve

from .networks import network

Y = np.ones(3)
SPEC = """
format = 1
data = { kind = "arrays", file = "a.npz" }
loss = { kind = "squared" }
layers = [{ name = "h1", from = "x", weight = "normal(0, 1)" }]
output = { from = "h1", weight = "normal(0, 1)" }
training = { learning_rate = 0.1, steps = 1 }
"""


def read(folder, **options):
    return resolve(replace(network("arrays", **options), file=str(folder / "net.toml")))


def claim(shape, kind="<f8", content=b""):
    """The bytes of a .npy file with a header of our own."""
    file = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


def npz(folder, **entries):
    """An .npz of arrays, or of bytes as they are."""
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in entries.items():
            file = io.BytesIO()
            if isinstance(entry, bytes):
                file.write(entry)
            else:
                np.save(file, entry)
            archive.writestr(f"{name}.npy", file.getvalue())


@pytest.mark.parametrize("name", ["x", "y"])
def test_an_array_without_axes(tmp_path, name, monkeypatch, capsys):
    npz(tmp_path, **{"x": np.ones((3, 2)), "y": Y, name: np.float64(3)})
    with pytest.raises(
        DataError, match=rf"key '{name}': the array .* is a single number.*\[sample, inputs\]"
    ):
        read(tmp_path, file="a.npz")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text(SPEC)
    assert main(["show", "net.toml"]) == 2
    assert "single number" in capsys.readouterr().err


def test_what_is_claimed_is_held_against_memory_first(tmp_path, monkeypatch):
    """7.45 GiB in a file of a few bytes, under a limit of 6 GB; an array of zeros is packed small too."""
    npz(tmp_path, x=claim((10**9,)), y=Y)
    monkeypatch.setattr(memory, "free_memory", lambda: 6 * 10**9)
    with pytest.raises(
        ResourceError,
        match=r"net\.toml, data, key 'x': reading 'x' of .*shape \(1000000000,\).* 16 GB .*6 GB are free",
    ):
        read(tmp_path, file="a.npz")
    npz(tmp_path, x=np.zeros((3, 2 * 10**6)), y=Y)
    assert (tmp_path / "a.npz").stat().st_size < 10**6
    monkeypatch.setattr(memory, "free_memory", lambda: 6 * 10**7)
    with pytest.raises(ResourceError, match=r"data, key .*: reading .* 96 MB .*60 MB are free"):
        read(tmp_path, file="a.npz")
    (tmp_path / "x.npy").write_bytes(claim((10**6, 10**6)))
    (tmp_path / "y.npy").write_bytes(claim((3,), content=Y.tobytes()))
    with pytest.raises(ResourceError, match="16 TB"):
        read(tmp_path, x="x.npy", y="y.npy")


def test_less_than_claimed_is_truncated(tmp_path):
    npz(tmp_path, x=claim((3, 2), content=bytes(40)), y=Y)
    with pytest.raises(DataError, match=r"its shape \(3, 2\) needs 48 bytes, but it holds 40"):
        read(tmp_path, file="a.npz")
    (tmp_path / "x.npy").write_bytes(claim((3, 2), content=bytes(40)))
    with pytest.raises(DataError, match="needs 48 bytes, but it holds 40"):
        read(tmp_path, x="x.npy", y="x.npy")


def test_python_objects_are_called_so(tmp_path):
    objects = np.array([{"a": 1}, None, 3], dtype=object)
    np.savez(tmp_path / "a.npz", x=objects, y=Y, allow_pickle=True)
    np.save(tmp_path / "x.npy", objects, allow_pickle=True)
    words = "holds Python objects, which cannot be read safely.*Save numbers: np.savez"
    for options in ({"file": "a.npz"}, {"x": "x.npy", "y": "x.npy"}):
        with pytest.raises(DataError, match=words):
            read(tmp_path, **options)


def test_a_limit_of_the_process_counts(monkeypatch):
    """With ulimit -v, what is left of it is free, not what the machine has."""
    resource = pytest.importorskip("resource")
    used = memory.psutil.Process().memory_info().vms
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (used + 10**9, resource.RLIM_INFINITY))
    assert 0.9e9 < memory.free_memory() <= 1e9
