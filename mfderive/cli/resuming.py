"""`run --resume`: which run goes on, and whether it is the one that the command line asks for."""

from __future__ import annotations

import argparse
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import MfError
from ..runs.parts import UNFINISHED
from .command_tools import STANDARD_INPUT, flag_name, given_flags

# What the record of a run keeps, under "settings", of how it was started.
_SPEC, _FLAGS, _EFFORT, _PLACE = "spec file", "flags", "effort", "started in"


def start_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """How a run was started: all that `run --resume FOLDER` needs beside the spec."""
    return {
        _SPEC: str(arguments.spec),
        _FLAGS: given_flags(arguments),
        _EFFORT: arguments.effort,
        _PLACE: str(Path.cwd()),
    }


def resumed_arguments(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments of `run --resume FOLDER`: those with which the run was started; others as they are.

    Raises MfError where FOLDER holds no run, and for flags beside it.
    """
    from ..report.run_folder import unfinished_in

    folder = Path(arguments.spec)
    if not (arguments.resume and folder.is_dir()):
        return arguments
    given = [flag_name(flag) for flag in given_flags(arguments)]
    given += ["--output"] if arguments.output is not None else []
    if given:
        raise MfError(
            f"{given[0]} stands beside --resume {folder}, where the run goes on with the spec and the flags "
            "that it was started with. Leave it out"
        )
    work = unfinished_in(folder)
    settings = _settings(work)
    then = argparse.Namespace(**{**vars(arguments), **settings[_FLAGS], "effort": settings[_EFFORT]})
    place = Path(settings[_PLACE])
    then.spec = settings[_SPEC]
    if then.spec != STANDARD_INPUT and place != Path.cwd():
        then.spec = str(place / then.spec)
    then.content = (work / "spec.toml").read_bytes()
    then.output = folder
    return then


def finished_record(arguments: argparse.Namespace, folder: Path, spec: str) -> dict[str, Any] | None:
    """The record of the run that is to go on, where it is finished; None where it is not, or is not there.

    Raises MfError where the spec or the flags are others than those of the run, with what differs.
    """
    from ..report.folder import located, read_record
    from ..report.run_folder import RECORD, unfinished_in

    work = unfinished_in(folder)
    if not (work / RECORD).is_file():
        return None
    written = (work / "spec.toml").read_text(encoding="utf-8")
    other = list(_others(written, _settings(work), spec, start_settings(arguments)))
    if other:
        raise MfError(
            f"{folder} holds the run of another spec or of other flags, and nothing goes on from it. What "
            f"differs: {'; '.join(other[:4])}. `mfderive run --resume {folder}` goes on with those that it "
            "was started with, --overwrite begins again"
        )
    record = read_record(work)
    if record["status"] != "finished" or work != folder:
        return None
    shutil.rmtree(work / UNFINISHED, ignore_errors=True)  # it was killed as it ended
    return located(record, work)


def _settings(work: Path) -> dict[str, Any]:
    """How the run in a folder was started."""
    from ..report.folder import read_record

    settings: dict[str, Any] = read_record(work)["settings"]
    if not {_SPEC, _FLAGS, _EFFORT, _PLACE} <= settings.keys():
        raise MfError(f"{work / 'run.json'} does not say how this run was started. Begin again: --overwrite")
    return settings


def _others(written: str, then: dict[str, Any], spec: str, now: dict[str, Any]) -> Iterator[str]:
    from ..runs.problem_facts import as_facts, differences

    yield from differences(tomllib.loads(written), tomllib.loads(spec))
    for name in (_FLAGS, _EFFORT):
        yield from differences(as_facts(then)[name], as_facts(now)[name], f"the {name}")
