"""The folder of a sweep: its record, and for every setting the trajectories and, written last, the result.

A setting whose result is there is whole: files are written before it, all atomically, and read with their
digests. What a sweep that was killed left is taken up by the next one of the same kind in that folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MfError
from ..report.curves import Curve, curve_of
from ..runs.atomic import is_temporary, make_folder, remove_empty, write_text
from ..runs.folder_lock import LOCK, FolderLock, owner_of, take_lock
from ..runs.problem_facts import as_facts, differences, version_of
from ..runs.stored import CURVES, read_stored
from ..runs.trajectory import Trajectory
from .grid_values import Values
from .sweep_plan import Plan, Setting
from .sweep_task import FAILED, KEPT, Answer

FORMAT = "mfderive sweep 1"
RECORD, TABLE, RESULT, SETTINGS = "sweep.json", "table.csv", "result.json", "settings"
_PROGRAM = "mfderive"
_MOST_NAMED = 4  # differences that a message names one by one


@dataclass(frozen=True)
class Outcome:
    """What is known of one setting: its state, why it is not done, its curves, where its trajectories are."""

    setting: Setting
    state: str
    note: str = ""
    seconds: float = 0.0
    curves: tuple[Curve, ...] = field(default=(), repr=False)
    files: tuple[Path, ...] = ()
    paths: tuple[Trajectory, ...] = field(default=(), repr=False)


class SweepFolder:
    """The folder of one sweep, locked: :func:`sweep_folder` opens it."""

    def __init__(self, folder: Path, plan: Plan, lock: FolderLock, made: Sequence[Path]) -> None:
        self.folder, self.plan = folder, plan
        self._lock, self._made = lock, made

    def folder_of(self, setting: Setting) -> Path:
        """The folder of a setting."""
        return folder_of_setting(self.folder, setting)

    def whole(self, setting: Setting) -> Outcome | None:
        """What an earlier sweep left of a setting; None where that is not whole, or not what is asked for."""
        try:
            result = json.loads((self.folder_of(setting) / RESULT).read_text(encoding="utf-8"))
            same = result["digest"] == self.plan.digest(setting)
            if not same or result["versions"][_PROGRAM] != version_of(_PROGRAM):
                return None
            return outcome_of(self.folder_of(setting), setting, result)
        except (MfError, OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, setting: Setting, answer: Answer, paths: Sequence[Trajectory]) -> Outcome:
        """Write what came of a setting. What failed leaves nothing, so that it is tried again."""
        own = self.folder_of(setting)
        if answer.state == FAILED:
            with suppress(OSError):
                shutil.rmtree(own)
            return Outcome(setting, answer.state, answer.note, answer.seconds)
        (own / RESULT).unlink(missing_ok=True)
        files = [path.save(own) for path in paths]
        result = {
            "format": FORMAT,
            "values": dict(setting.values),
            "digest": self.plan.digest(setting),
            "state": answer.state,
            "note": answer.note,
            "seconds": answer.seconds,
            **(answer.where or {}),
            "trajectories": [file.name for file in files],
        }
        write_text(own / RESULT, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        curves = tuple(map(curve_of, paths))
        return Outcome(setting, answer.state, answer.note, answer.seconds, curves, tuple(files))

    def write_record(self, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Write what this sweep is, and its table once there is one."""
        write_text(
            self.folder / RECORD, json.dumps(record_of(self.plan, rows), indent=1, ensure_ascii=False) + "\n"
        )

    def check(self) -> None:
        """Raise MfError where the folder is another sweep's, or no sweep's."""
        record = self.folder / RECORD
        if not record.exists():
            strangers = [
                each.name for each in self.folder.iterdir() if each.name != LOCK and not is_temporary(each)
            ]
            if strangers:
                raise MfError(
                    f"{self.folder} exists and is not the folder of a sweep (it holds {strangers[0]}), so it "
                    "is left alone. Give another folder (--output)"
                )
            return
        other = list(differences(read_record(self.folder)["sweep"], as_facts(self.plan.facts)))
        if other and any(self.folder.glob(f"{SETTINGS}/*/{RESULT}")):
            more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
            raise MfError(
                f"{self.folder} holds another sweep. What differs: {'; '.join(other[:_MOST_NAMED])}{more}. "
                "Give another folder (--output), or remove this one"
            )

    def forget(self) -> None:
        """Leave nothing of a sweep of which nothing was computed."""
        for name in (RECORD, TABLE):
            (self.folder / name).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others work in the folder."""
        self._lock.release()
        remove_empty(self._made)


@contextmanager
def sweep_folder(folder: Path, plan: Plan) -> Iterator[SweepFolder]:
    """The folder of a sweep, made and locked. Raises MfError where another sweep is, or is at work."""
    made = make_folder(folder)
    lock = take_lock(folder)
    if lock is None:
        raise MfError(
            f"{folder}: another sweep is at work there ({owner_of(folder) or 'it has just begun'}). Wait "
            "until it is done, or give another folder (--output)"
        )
    opened = SweepFolder(folder, plan, lock, made)
    try:
        opened.check()
        yield opened
    finally:
        opened.release()


def record_of(plan: Plan, rows: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """What a sweep is, as plain data."""
    return {
        "format": FORMAT,
        "title": plan.network.title,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version_of(_PROGRAM),
        "run": plan.run,
        "options": dict(plan.options),
        "set": dict(plan.set),
        "grid": {name: list(values) for name, values in plan.grid.items()},
        "sweep": plan.facts,
        "table": None if rows is None else list(rows),
    }


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a sweep. Raises MfError where there is none."""
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["format"] != FORMAT or not isinstance(record["sweep"], dict):
            raise ValueError(f"its format is {record['format']!r}, not '{FORMAT}'")
    except FileNotFoundError as problem:
        raise MfError(f"{folder} is not the folder of a sweep: there is no {RECORD}") from problem
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise MfError(
            f"{file} is not the record of a sweep, or it is damaged ({problem}). Give another folder "
            "(--output)"
        ) from problem
    return dict(record)


def folder_of_setting(folder: Path, setting: Setting) -> Path:
    """The folder of a setting in that of its sweep."""
    return folder / SETTINGS / setting.name


def outcome_of(folder: Path, setting: Setting, result: Mapping[str, Any]) -> Outcome:
    """What the files of a setting hold. Raises MfError (or KeyError, TypeError) where they are not whole."""
    if result["state"] not in KEPT:
        raise KeyError(result["state"])
    curves, files = [], []
    for name in result["trajectories"]:
        file = folder / str(name)
        found = read_stored(file, edited=False).parts
        width = None if found["kind"] == "limit" else int(found["width"])
        curves.append(
            Curve(width, found["seed"], *(np.asarray(found[curve], np.float64) for curve in CURVES))
        )
        files.append(file)
    return Outcome(
        setting, result["state"], str(result["note"]), float(result["seconds"]), tuple(curves), tuple(files)
    )


def read_outcome(folder: Path, values: Values) -> Outcome | None:
    """What is there of the setting with these values; None where nothing whole is."""
    setting = Setting(values, {})
    own = folder_of_setting(folder, setting)
    try:
        result = json.loads((own / RESULT).read_text(encoding="utf-8"))
        return outcome_of(own, setting, result)
    except (MfError, OSError, ValueError, KeyError, TypeError):
        return None
