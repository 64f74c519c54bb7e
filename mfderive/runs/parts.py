"""Where commands keep what is unfinished: the folder, its files, and how often they are written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

# The folder of the parts within the folder of a command; each part is a file.
UNFINISHED = "unfinished"
# Seconds between two checkpoints: what a signal that nobody can watch (SIGKILL) loses at most.
EVERY = 60.0


def parts_in(folder: Path) -> list[Path]:
    """The files of the parts that are kept in a folder."""
    with suppress(OSError):
        return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))
    return []
