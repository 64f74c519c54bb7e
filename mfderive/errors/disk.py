"""A disk that is full, said once: what was needed, what is free, and that nothing earlier is lost."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import ResourceError

# No space is left on the device, the quota of the user is used up.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def room_on_disk(place: Path, needed: int | None = None) -> Iterator[None]:
    """A block that writes to ``place``; a full disk becomes a ResourceError with the figures.

    ``needed``: the bytes that the block writes, where they are known.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise disk_full(place, problem, needed) from problem


def disk_full(place: Path, problem: OSError, needed: int | None = None) -> ResourceError:
    """The error that says that nothing more could be written at ``place``."""
    quota = problem.errno == getattr(errno, "EDQUOT", None) and problem.errno != errno.ENOSPC
    what = "the disk quota is used up" if quota else "the disk is full"
    wanted = "" if needed is None else f"{size_text(needed)} are needed and "
    return ResourceError(
        f"{what}: {place} could not be written ({wanted}{free_text(place)}). Files that were there before "
        "are as they were. Make room, or name a place on another disk (--output for results; the environment "
        "variable MFDERIVE_CACHE for generated solvers)"
    )


def free_text(place: Path) -> str:
    """How much is free where ``place`` is, or would be."""
    free = free_bytes(place)
    return "how much is free is not known" if free == float("inf") else f"{size_text(int(free))} are free"


def free_bytes(place: Path) -> float:
    """The bytes that are free where ``place`` is, or would be; infinity where that is not known."""
    for folder in (place, *place.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return float("inf")


def size_text(size: int) -> str:
    """Bytes as people write them: 0 bytes, 12.3 kB, 4.56 GB."""
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.3g} {('', 'kB', 'MB', 'GB', 'TB')[power]}"
