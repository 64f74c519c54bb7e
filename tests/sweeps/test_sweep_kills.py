"""Twenty kills (SIGKILL) at random moments of a sweep, and a setting whose workers always die: studies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

import mfderive as mf
from mfderive.errors import MfError
from mfderive.forward.kinds import KINDS
from mfderive.runs.archive import read_run
from mfderive.runs.folder_lock import owner_of
from mfderive.sweeps.local_workers import local_workers

from .material import GRID, RATES, SET, TINY, results, wait_for

KILLS = 20
WORDS = ["sweep", "tiny.toml", "--quiet", "--jobs", "2", "--set", "training.learning_rate={a}"]
WORDS += ["--grid", f"a={','.join(map(str, RATES))}", "--output"]


def command(folder, cwd):
    return subprocess.Popen([sys.executable, "-m", "mfderive", *WORDS, folder], cwd=cwd)


def arrays_in(folder):
    """All arrays of all settings, by setting and name, as type, shape and bytes."""
    found = {}
    for file in sorted(folder.rglob("*.npz")):
        archive = read_run(file)
        assert not archive.edited
        name = file.parent.name
        found |= {(name, n): (a.dtype.str, a.shape, a.tobytes()) for n, a in archive.arrays.items()}
    return found


@pytest.mark.study
def test_twenty_kills(tmp_path):
    """The sweep is killed anywhere between its start and the end of an undisturbed one, until it is through.

    After each kill every process that it started ends, every result is whole, and none that was there is
    gone or written anew. What it leaves in the end is, to the bit, what nothing had disturbed; then anew.
    """
    (tmp_path / "tiny.toml").write_text(TINY)
    begin = time.monotonic()
    assert command("whole", tmp_path).wait() == 3
    seconds = time.monotonic() - begin
    expected = arrays_in(tmp_path / "whole")
    assert len({setting for setting, _ in expected}) == len(RATES)
    random, kills, kept, finished = np.random.default_rng(5), 0, [], 0
    folder = tmp_path / "out"
    while kills < KILLS or folder.exists():
        before = {file: file.stat().st_mtime_ns for file in results(folder)}
        process = command("out", tmp_path)
        if kills < KILLS:
            time.sleep(random.uniform(0, seconds))
        if kills < KILLS and process.poll() is None:
            started = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            kills += 1
            _, alive = psutil.wait_procs(started, timeout=30)
            assert not alive and (not folder.exists() or owner_of(folder) is None)
            after = {file: file.stat().st_mtime_ns for file in results(folder)}
            assert before.items() <= after.items()
            whole = arrays_in(folder)
            assert whole.items() <= expected.items()
            kept.append(len(after))
            continue
        assert process.wait() == 3
        assert arrays_in(folder) == expected and not list(folder.rglob("*.tmp"))
        assert (folder / "table.csv").is_file()
        shutil.rmtree(folder)
        finished += 1
    print(f"{kills} kills, settings that were there: {kept}; {finished} sweeps went through")
    assert any(kept) and finished


@pytest.mark.study
def test_a_setting_whose_workers_always_die(tmp_path):
    """Its process is killed each time: after four of them the setting has failed, and the others are done."""
    (tmp_path / "tiny.toml").write_text(TINY)
    usual, here = KINDS["dense"].read, os.getpid()

    def read(site):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(site)

    try:
        mf.register_kind(mf.ConnectionKind("deadly", read))
        found = mf.sweep(
            mf.load(tmp_path / "tiny.toml"),
            {"layers.h1.kind": "{kind}", "training.steps": "{n}"},
            {"kind": ["dense", "deadly"], "n": [3, 4]},
            jobs=2,
            folder=tmp_path / "out",
        )
    finally:
        KINDS.pop("deadly", None)
    assert [row["state"] for row in found.table] == ["done", "done", "failed", "failed"]
    assert all("died 4 times" in row["note"] for row in found.table[2:])
    assert len(results(tmp_path / "out")) == 2


@pytest.mark.study
def test_the_scheduler_is_lost(tmp_path):
    """One message; what was whole is there, and the same call goes on with other workers."""
    (tmp_path / "tiny.toml").write_text(TINY)
    network, out = mf.load(tmp_path / "tiny.toml"), tmp_path / "out"
    with local_workers(2, 1) as workers:
        address = workers.address()

        def kill():
            wait_for(lambda: len(results(out)) >= 3)
            workers.process.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(MfError, match="the scheduler at tcp") as caught:
            mf.sweep(network, SET, GRID, scheduler=address, folder=out)
        killer.join()
    count = len(results(out))
    assert caught.value.__notes__ == [
        f"In {out} are {count} of 12 settings. The same sweep goes on from there"
    ]
    found = mf.sweep(network, SET, GRID, jobs=2, folder=out)
    assert [row["state"] for row in found.table].count("done") == 11 and len(results(out)) == 12
