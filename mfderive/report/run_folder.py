"""Where a run writes: who may use a folder, what becomes of an earlier run, and what killed runs left.

A run fills its folder stage by stage. One that replaces an earlier run works in ``NAME.unfinished`` beside it
and takes its place when it is finished, so that the earlier run is whole until then. The exchange is two
renames; where a process is killed between them, the next command in that place ends it (:func:`tidy`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import MfError
from ..runs.atomic import is_temporary, make_folder, remove_empty
from ..runs.folder_lock import LOCK, FolderLock, owner_of, owner_text, take_lock
from ..runs.parts import UNFINISHED, parts_in

RECORD = "run.json"
_UNFINISHED = ".unfinished"
_REPLACED = ".mfderive-replaced"


@dataclass
class RunFolder:
    """A folder that one run fills: its files are in ``work`` until :meth:`finish` puts them at ``target``."""

    target: Path
    work: Path
    lock: FolderLock = field(repr=False)
    made: list[Path] = field(default_factory=list, repr=False)

    def finish(self) -> None:
        """Put the run where it belongs, and let others work there."""
        if self.work != self.target:
            if os.name == "nt":  # there a folder with an open file cannot be renamed
                self.lock.let_go()
            aside = _aside(self.target)
            shutil.rmtree(aside, ignore_errors=True)
            # A folder cannot be replaced in one move: the old one steps aside first.
            if self.target.exists():
                self.target.rename(aside)
            self.work.rename(self.target)
            self.lock.folder = self.work = self.target
            shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(self.target / UNFINISHED, ignore_errors=True)
        self.lock.release()

    def discard(self) -> None:
        """Take everything away again."""
        _clear(self.work)
        self.stop()

    def stop(self) -> None:
        """End before the run is finished: what was solved stays, with a page; anything less is removed."""
        if not has_results(self.work):
            _clear(self.work)
        self.lock.release()
        remove_empty([self.work, *self.made])


def target_of(folder: Path, overwrite: bool = False, numbered: bool = False, resume: bool = False) -> Path:
    """The folder that a run may fill: ``folder``, or with ``numbered`` the first free one of NAME-2, ...

    ``resume``: the run that is there goes on. Raises MfError where another run is at work there, where an
    earlier run's results are and neither ``overwrite`` nor ``resume`` is given, and where the folder is not
    one of a run.
    """
    tidy(folder.parent)
    if numbered and not _is_free(folder):
        return next_free(folder)
    for each in (folder, _unfinished(folder)):
        _check_own(each)
        owner = owner_of(each)
        if owner is not None:
            raise MfError(
                f"{folder}: another run is at work there ({owner}). Wait until it is done, or give another "
                f"folder: --numbered takes {next_free(folder)}"
            )
    if has_results(folder) and not (overwrite or resume):
        also = "--resume goes on with it, " if parts_in(folder / UNFINISHED) else ""
        raise MfError(
            f"{folder} holds the results of an earlier run{_whose(folder)}, which are left alone. "
            f"{also}--overwrite replaces them when the new run is finished, --numbered keeps them and takes "
            f"{next_free(folder)}"
        )
    return folder


def _whose(folder: Path) -> str:
    """Whose an earlier run is and when it was started, as far as its record says it."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return f" ({owner_text(record['owner']) if record.get('owner') else 'made ' + record['made']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def open_folder(
    folder: Path, overwrite: bool = False, numbered: bool = False, resume: bool = False
) -> RunFolder:
    """Take a folder for a run (:func:`target_of`, which says what is raised), locked.

    It is empty, but for what a run left that is to go on (``resume``).
    """
    target = target_of(folder, overwrite, numbered, resume)
    work = unfinished_in(target) if resume else _unfinished(target) if has_results(target) else target
    made = make_folder(work)
    lock = take_lock(work)
    if lock is None:
        raise MfError(f"{folder}: another run is at work there ({owner_of(work)}). Give another folder")
    if resume and has_results(work):
        _drop_broken(work / "trajectories")
    else:
        _clear(work)
    return RunFolder(target, work, lock, [each for each in made if each != work])


def unfinished_in(target: Path) -> Path:
    """Where the run works that is to go on: beside the results that it will replace, or in their place."""
    beside = _unfinished(target)
    return beside if has_results(beside) else target


def _drop_broken(trajectories: Path) -> None:
    """Remove the files of trajectories that are not whole, so that they are written again."""
    from ..runs.archive import read_run

    for file in sorted(trajectories.glob("*.npz")):
        readable = file.with_suffix(".json")
        try:
            whole = not read_run(file).edited and readable.is_file()
        except MfError:
            whole = False
        if not whole:
            file.unlink(missing_ok=True)
            readable.unlink(missing_ok=True)


def next_free(folder: Path) -> Path:
    """The first of NAME-2, NAME-3, ... that a run may fill."""
    number, folder = 2, _named(folder)
    while not _is_free(folder.with_name(f"{folder.name}-{number}")):
        number += 1
    return folder.with_name(f"{folder.name}-{number}")


def has_results(folder: Path) -> bool:
    """Whether a run left something there that took time: a trajectory, or the way to one."""
    if not (folder / RECORD).is_file():
        return False
    return any((folder / "trajectories").glob("*.npz")) or bool(parts_in(folder / UNFINISHED))


def tidy(parent: Path) -> None:
    """End what runs that were killed left half done in a folder of runs.

    An exchange that was begun is ended: the new run is in its place and the old one gone. Folders of killed
    runs in which nothing was solved are removed.
    """
    for aside in _entries(parent, f".*{_REPLACED}"):
        target = parent / aside.name[1 : -len(_REPLACED)]
        work = _unfinished(target)
        if owner_of(target) is not None or owner_of(work) is not None:
            continue
        with suppress(OSError):
            if not target.exists():
                (work if (work / RECORD).is_file() else aside).rename(target)
            (target / LOCK).unlink(missing_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
    for work in _entries(parent, f"*{_UNFINISHED}"):
        if _is_own(work) and not has_results(work) and owner_of(work) is None:
            shutil.rmtree(work, ignore_errors=True)


def _entries(parent: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return [each for each in sorted(parent.glob(pattern)) if each.is_dir()]
    return []


def _aside(target: Path) -> Path:
    named = _named(target)
    return named.with_name(f".{named.name}{_REPLACED}")


def _unfinished(target: Path) -> Path:
    named = _named(target)
    return named.with_name(f"{named.name}{_UNFINISHED}")


def _named(folder: Path) -> Path:
    """The folder by its name: "." and ".." have none beside which another one could be."""
    return folder if folder.name not in ("", "..") else folder.resolve()


def _is_free(folder: Path) -> bool:
    return not folder.exists() and not _unfinished(folder).exists()


def _is_own(folder: Path) -> bool:
    """Whether a folder holds a run, or what one left that was killed as it began; or nothing."""
    if (folder / RECORD).is_file():
        return True
    return all(each.name == LOCK or is_temporary(each) or _is_begun(each) for each in folder.iterdir())


def _is_begun(folder: Path) -> bool:
    """Whether a folder is one for unfinished parts, in which there are none yet."""
    return folder.name == UNFINISHED and not parts_in(folder) and owner_of(folder) is None


def _check_own(folder: Path) -> None:
    """Raise MfError where a folder is none of a run's: it is left alone."""
    if folder.exists() and not (folder.is_dir() and _is_own(folder)):
        raise MfError(
            f"{folder} exists and is not the folder of an earlier run, so it is left alone. "
            "Give another folder with --output"
        )


def _clear(folder: Path) -> None:
    """Remove what is in a folder of a run, but for the lock."""
    for each in _but_lock(folder.iterdir()):
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _but_lock(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.name != LOCK]
