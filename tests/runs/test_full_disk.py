"""A full disk: one message with what is needed and what is free, earlier files whole, nothing empty left."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.errors.disk import disk_full, room_on_disk, size_text
from mfderive.runs.atomic import write_bytes, write_text, write_together

from .test_trajectory import path

QUICK = ["--effort", "none", "--quiet"]
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


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A small spec in an empty working folder; its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return "tiny.toml"


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def refuse(monkeypatch, after, code=errno.ENOSPC):
    """From now on the disk takes ``after`` more files, and no byte after them."""
    opened = Path.open
    count = [after]

    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(code, os.strerror(code))

        def fileno(self):
            raise OSError(code, os.strerror(code))

        def close(self):
            pass

    def limited(self, mode="r", *rest, **options):
        if "w" in mode:
            count[0] -= 1
            if count[0] < 0:
                opened(self, mode, *rest, **options).close()
                return Full()
        return opened(self, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", limited)


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "quota is used")]
)
def test_one_message_with_the_figures(tmp_path, monkeypatch, code, words):
    refuse(monkeypatch, 0, code)
    with pytest.raises(mf.ResourceError, match=words) as found:
        path().save(tmp_path / "new" / "folder")
    text = str(found.value)
    assert (
        "kB are needed and" in text
        and "are free" in text
        and "Files that were there before are as they" in text
    )
    assert str(tmp_path / "new/folder/limit.npz") in text
    assert names(tmp_path) == []


def test_files_that_belong_together_are_replaced_together(tmp_path, monkeypatch):
    """The second file finds no room: the first is not replaced either."""
    file = path().save(tmp_path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    refuse(monkeypatch, 1)
    with pytest.raises(mf.ResourceError):
        path(seed=8).save(tmp_path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    monkeypatch.undo()
    assert mf.Trajectory.load(file).seed == 7


def test_other_errors_of_writing_stay_what_they_are(tmp_path):
    def fail(file):
        raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output"):
        write_together([(tmp_path / "a" / "b", fail)])
    assert names(tmp_path) == []
    with pytest.raises(PermissionError), room_on_disk(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_sizes_read_well():
    assert [size_text(n) for n in (0, 999, 1000, 12345, 4_560_000_000, 7 * 10**15)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "12.3 kB",
        "4.56 GB",
        "7e+03 TB",
    ]
    assert "bytes are needed" not in str(disk_full(Path("x"), OSError(errno.ENOSPC, "")))


COMMANDS = [
    *((after, ["solve", "tiny.toml"]) for after in (0, 1)),
    *((after, ["simulate", "tiny.toml", "--widths", "4"]) for after in (0, 1, 3)),
    *((after, ["generate", "tiny.toml"]) for after in (0, 1)),
    *((after, ["run", "tiny.toml", "--effort", "none"]) for after in (0, 1, 5)),
    (0, ["derive", "tiny.toml", "--output", "equations.txt"]),
    (0, ["new", "another"]),
]


@pytest.mark.parametrize(("after", "words"), COMMANDS, ids=str)
def test_commands_on_a_full_disk(capsys, spec, tmp_path, monkeypatch, words, after):
    """Exit code 2 or 3, one line, no empty folder; whatever there was is as it was."""
    (tmp_path / "equations.txt").write_text("earlier")
    refuse(monkeypatch, after)
    code = main([*words, "--quiet"])
    message = capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert code in (2, 3) and "the disk is full" in message and "Traceback" not in message, message
    assert message.count("\n") == 1
    assert (tmp_path / "equations.txt").read_text() == "earlier"
    for folder, inner, files in os.walk(tmp_path):
        assert inner or files, f"{folder} is empty"
        assert not [
            file for file in files if file.endswith(".tmp") or not (Path(folder) / file).stat().st_size
        ]


def test_a_run_that_replaces_another_leaves_it_on_a_full_disk(capsys, spec, tmp_path, monkeypatch):
    assert main(["run", spec, *QUICK]) == 0
    before = {each: each.read_bytes() for each in (tmp_path / "runs/tiny").rglob("*") if each.is_file()}
    refuse(monkeypatch, 12)
    assert main(["run", spec, *QUICK, "--overwrite"]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert {each: each.read_bytes() for each in before} == before


def test_the_solver_cache_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "cache"))
    refuse(monkeypatch, 0)
    with pytest.raises(mf.ResourceError, match="MFDERIVE_CACHE"):
        mf.generate(mf.reduce(mf.derive(path().network)))
    assert names(tmp_path) == []


SMALL = """\
import sys
from mfderive.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_really_is_full(tmp_path):
    """A file system of 400 kB in memory, where this machine lets a test have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        (tmp_path / "tiny.toml").write_text(SPEC)
        write_text(place / "earlier", "whole")
        write_bytes(place / "filler", np.zeros(380_000, np.uint8).tobytes())
        for words in (["solve", "--nodes", "4096"], ["run", "--effort", "none"], ["generate"]):
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    SMALL,
                    words[0],
                    "../tiny.toml",
                    *words[1:],
                    "--quiet",
                    "--output",
                    "out/deep",
                ],
                cwd=place,
                capture_output=True,
                text=True,
            )
            assert done.returncode in (2, 3), done.stderr
            assert "the disk is full" in done.stderr and "are free" in done.stderr
            # A slow machine may have had a state to keep on the way, and says that it could not.
            errors = [line for line in done.stderr.splitlines() if "goes on without it" not in line]
            assert len(errors) == 1, done.stderr
            left = [each for each in place.rglob("*") if each.is_dir() and not any(each.iterdir())]
            assert left == [] and (place / "earlier").read_text() == "whole"
            assert not list(place.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", str(place)], check=True)
