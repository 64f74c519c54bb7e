"""Who is at work in a folder: a lock that ends with its process, however that ends, and says whose it is."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors.disk import room_on_disk

# The file of the lock, in the folder. The system holds the lock on it as long as the process lives, so a
# file that was left behind locks nothing.
LOCK = ".running"
_LOOK = 0.02  # seconds


@dataclass
class FolderLock:
    """A lock on a folder that this process holds."""

    folder: Path
    handle: int

    def release(self) -> None:
        """Let others work in the folder, and remove the file."""
        path = self.folder / LOCK
        with suppress(OSError):  # the folder may have vanished, or be somebody else's by now
            if os.path.samestat(os.fstat(self.handle), path.stat()):
                if os.name == "nt":  # there an open file cannot be removed
                    self.let_go()
                path.unlink()
        self.let_go()

    def let_go(self) -> None:
        """Close the file; the lock is gone, the file stays."""
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1


def take_lock(folder: Path) -> FolderLock | None:
    """The lock of a folder that exists, or None where another process holds it."""
    path, tries = folder / LOCK, 5
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(handle):
            os.close(handle)
            tries -= 1
            if not tries:
                return None
            time.sleep(_LOOK)  # somebody may only be looking whether it is held
            continue
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                break
        # Whoever had it removed the file before it was locked here: there is another file now.
        os.close(handle)
    owner = {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "user": _user(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    lock = FolderLock(folder, handle)
    try:
        os.ftruncate(handle, 0)
        with room_on_disk(path):
            os.write(handle, json.dumps(owner).encode())
    except BaseException:
        lock.release()
        raise
    return lock


def owner_of(folder: Path) -> str | None:
    """Who is at work in a folder, in words; None where nobody is."""
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        if _locked(handle):
            return None
        text = os.read(handle, 4096)
    finally:
        os.close(handle)
    try:
        owner = json.loads(text)
        return f"process {owner['process']} of {owner_text(owner)}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just started"


def owner_record(folder: Path) -> dict[str, Any] | None:
    """What the lock of a folder says of whose it is, whether it is held or not; None where there is none."""
    try:
        owner = json.loads((folder / LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def owner_text(owner: Mapping[str, Any]) -> str:
    """Whose a run is and when it was started, in words; raises KeyError where a record does not say it."""
    return f"{owner['user']} on {owner['machine']}, started {owner['started']}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "an unknown user"


def _locked(handle: int) -> bool:
    """Lock an open file; False where another one holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            # A byte far behind the text, which others may then read.
            os.lseek(handle, 1_000_000, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.lseek(handle, 0, os.SEEK_SET)
        return False
    return True
