"""Twenty kills (SIGKILL) at random moments of a command: what is resumed is what nothing had disturbed."""

from __future__ import annotations

import shutil
import signal
import time
from contextlib import suppress

import numpy as np
import pytest

from mfderive.runs.keeping import read_part
from mfderive.runs.parts import parts_in

from .survival import SPEC, all_whole, arrays_in, command, ended, when

KILLS = 20
COMMANDS = {
    "solve": ["--steps", "20000", "--nodes", "64"],
    "simulate": ["--steps", "50000", "--widths", "4,8"],
    "run": ["--steps", "4000", "--widths", "4,8,12", "--effort", "quick"],
    "check": ["--steps", "4000", "--widths", "4,8,12", "--effort", "quick"],
}


@pytest.mark.study
@pytest.mark.parametrize("name", COMMANDS)
def test_twenty_kills(tmp_path, name):
    """The command is started with --resume and killed, again and again, until it is through; then anew.

    One kill in three falls anywhere between the start of the process and the end of an undisturbed run: while
    it imports, compiles, steps, writes, draws. The others fall within two seconds (twenty intervals) after it
    has kept something. After each, every file with a final name is whole, and no part is behind where it was.
    """
    (tmp_path / "tiny.toml").write_text(SPEC)
    words = [name, "tiny.toml", *COMMANDS[name], "--quiet", "--checkpoint-every", "0.1"]
    begin = time.monotonic()
    code, said = ended(command(*words, "--output", "whole", cwd=tmp_path), None)
    assert code in (0, 3), said
    seconds = time.monotonic() - begin
    expected, verdict = results(tmp_path / "whole")
    random, kills, kept_at, finished = np.random.default_rng(len(name)), 0, [], 0
    folder = tmp_path / "out"
    while kills < KILLS or folder.exists():
        process = command(*words, "--output", "out", "--resume", cwd=tmp_path)
        begin = time.time()
        if kills < KILLS and kills % 3 == 0:
            time.sleep(random.uniform(0, seconds))
        elif kills < KILLS:
            when(process, lambda begin=begin: has_written(folder, begin))
            time.sleep(random.uniform(0, 2))
        if kills < KILLS and process.poll() is None:
            before = {file.name: read_part(file)[0].number for file in parts_in(folder / "unfinished")}
            ended(process, signal.SIGKILL)
            kills += 1
            assert not folder.exists() or all_whole(folder)
            after = {file.name: read_part(file)[0].number for file in parts_in(folder / "unfinished")}
            assert all(after.get(part, number) >= number for part, number in before.items())
            kept_at.append(sum(after.values()))
            continue
        code, said = ended(process, None)
        assert code in (0, 3), said
        assert results(folder) == (expected, verdict)
        assert not (folder / "unfinished").exists() and not list(folder.rglob("*.tmp"))
        shutil.rmtree(folder)
        finished += 1
    print(f"{name}: {kills} kills, steps that were kept: {kept_at}; {finished} runs went through")
    assert any(kept_at) and finished


def has_written(folder, since):
    """Whether a process that was started at some time has kept something."""
    for file in parts_in(folder / "unfinished"):
        with suppress(OSError):
            if file.stat().st_mtime > since:
                return True
    return False


def results(folder):
    """The arrays of a folder, and the rows of its verdict."""
    trajectories = list(folder.rglob("*.npz"))
    verdict = folder / "verdict.csv"
    return arrays_in(folder) if trajectories else {}, verdict.read_bytes() if verdict.is_file() else b""
