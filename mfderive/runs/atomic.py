"""Files that appear all at once: a process that is killed and a disk that is full leave the old ones.

A file is written under a temporary name beside its own and renamed when it is whole. What fails takes its
temporary files with it, and the folders that were made for them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import IO

from ..errors import MfError
from ..errors.disk import FULL, disk_full, room_on_disk

_ENDING = ".tmp"
_TEMPORARY = re.compile(r"\.(.+)\.(\d+)-\d+\.tmp")

Write = Callable[[IO[bytes]], object]


def write_atomically(path: Path, write: Write, needed: int | None = None) -> None:
    """Call ``write`` with an open file; ``path`` then appears, or is replaced, all at once.

    Raises MfError where the folder cannot be made, and for a full disk (``needed``: bytes, where known).
    """
    write_together([(path, write)], needed)


def write_together(files: Sequence[tuple[Path, Write]], needed: int | None = None) -> None:
    """Several files that belong together: none of them appears, or is replaced, before all are written."""
    made: list[Path] = []
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, write in files:
            made += make_folder(path.parent)
            _remove_abandoned(path)
            temporary = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}{_ENDING}")
            waiting.append((temporary, path))
            with room_on_disk(path, needed), temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            _keep_mode(path, temporary)
        for temporary, path in waiting:
            temporary.replace(path)
    except BaseException:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
        remove_empty(made)
        raise


def _keep_mode(path: Path, temporary: Path) -> None:
    """Who may read and write a file stays, when another takes its place."""
    with suppress(OSError):
        temporary.chmod(stat.S_IMODE(path.stat().st_mode))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, all at once."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, all at once."""
    write_atomically(path, lambda file: file.write(content), len(content))


def make_folder(folder: Path) -> list[Path]:
    """Make a folder with all above it; those that were made, the innermost first. Raises MfError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        remove_empty(missing)
        if problem.errno in FULL:
            raise disk_full(folder, problem) from problem
        file = next((each for each in (folder, *folder.parents) if each.exists() and not each.is_dir()), None)
        reason = problem.strerror if file is None else f"{file} is a file"
        raise MfError(f"the folder {folder} cannot be made: {reason}. Name another folder") from problem
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of the folders that are empty, in their order."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def is_temporary(path: Path) -> bool:
    """Whether a file is one that has not yet its own name."""
    return _TEMPORARY.fullmatch(path.name) is not None


def is_running(process: int) -> bool:
    """Whether a process of this machine is alive."""
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is another user's
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed left of this file."""
    with suppress(OSError):
        for entry in path.parent.iterdir():
            found = _TEMPORARY.fullmatch(entry.name)
            if found and found[1] == path.name and os.name == "posix" and not is_running(int(found[2])):
                entry.unlink(missing_ok=True)
