"""Runs that end early, for tests: by a signal at a chosen piece of steps, or by a kill from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np

from mfderive.runs import keeping
from mfderive.runs.archive import read_run
from mfderive.runs.keeping import read_part
from mfderive.runs.parts import UNFINISHED

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
[[layers]]
name = "h2"
from = "h1"
weight = "normal(1, 0.3)"
activation = "tanh"
[output]
from = "h2"
weight = "normal(1, 0.1)"
[training]
learning_rate = 0.05
batch_size = 5
steps = 40
[solver]
nodes = 27
evaluation = 50
[check]
widths = [4, 8, 12]
seeds = 2
"""


@contextmanager
def stopped_at(count, end):
    """Within it, ``end()`` is called as piece number ``count`` (1, 2, ...) of all loops begins."""
    begun, usual = [0], keeping.Part.next

    def following(self, number, target, content):
        goal = usual(self, number, target, content)
        begun[0] += 1
        if begun[0] == count:
            end()
        return goal

    keeping.Part.next = following
    try:
        yield begun
    finally:
        keeping.Part.next = usual


def signalled(number=signal.SIGINT):
    """A function that sends this process a signal."""
    return lambda: os.kill(os.getpid(), number)


def same(one, other):
    """Whether two trajectories are the same to the bit, notes too."""
    curves = ("times", "steps", "loss", "error")
    if not all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=True) for c in curves):
        return False
    points = list(zip(one.checkpoints, other.checkpoints, strict=True))
    return one.notes == other.notes and all(
        (p.time, p.step) == (q.time, q.step)
        and p.state.keys() == q.state.keys()
        and all(np.array_equal(p.state[name], q.state[name]) for name in p.state if name != "p")
        and all(np.array_equal(p.state["p"][name], q.state["p"][name]) for name in p.state["p"])
        for p, q in points
    )


def arrays_in(folder):
    """All arrays of the trajectories in a folder: by file and name, as type, shape and bytes."""
    found = {}
    for file in sorted(folder.rglob("*.npz")):
        archive = read_run(file)
        assert not archive.edited
        found |= {(file.name, n): (a.dtype.str, a.shape, a.tobytes()) for n, a in archive.arrays.items()}
    assert found
    return found


def all_whole(folder):
    """Read every file that has its final name, whatever has happened: archives by their digests."""
    for file in folder.rglob("*"):
        if file.suffix == ".npz" and not file.name.startswith("."):
            read = read_part if file.parent.name == UNFINISHED else read_run
            read(file)
        elif file.is_file() and file.suffix != ".tmp" and file.name != ".running":
            assert file.stat().st_size > 0, file
    return True


def command(*words, cwd):
    """A command in a process of its own."""
    code = "import sys; from mfderive.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def when(process, there, seconds=120):
    """Wait until something is there while a process runs; whether it still runs."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        if there():
            return True
        assert time.monotonic() < end, "it never was there"
        time.sleep(0.01)
    return False


def ended(process, number):
    """Send a signal and wait: exit code and what was said."""
    if number is not None:
        process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said
