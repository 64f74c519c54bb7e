"""The command `new`: a commented spec file to start from."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..errors import MfError
from ..runs.atomic import write_text
from .command_tools import Outcome
from .spec_files_command import SCHEMA_FILE, SCHEMA_LINE, write_schema

# Files of these names cannot be made on every system.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


def new(arguments: argparse.Namespace) -> Outcome:
    """Write the starter spec under a new name, with the schema that editors read beside it."""
    from importlib.resources import files

    path = _new_path(arguments.name)
    if path.exists():
        raise MfError(f"{path} exists already and is left alone. Give another name")
    starter = files("mfderive.cli").joinpath("starter.toml").read_text(encoding="utf-8")
    beside = path.with_name(SCHEMA_FILE)
    write_schema(beside)
    try:
        write_text(path, SCHEMA_LINE + starter.replace("NAME", path.stem))
    except OSError as problem:
        raise MfError(f"{path} cannot be written: {problem.strerror}") from problem
    written = f"{path} is written, and {beside} for editors. Next: mfderive run {path}"
    return Outcome({"spec": str(path), "schema": str(beside)}, written)


def _new_path(text: str) -> Path:
    """The file of a new spec. Raises MfError for a name that not every system can have, and for no folder."""
    above, _, last = text.replace("\\", "/").rpartition("/")
    name = last.removesuffix(".toml")
    if not re.fullmatch(r"\w[\w.-]{0,99}", name) or name.split(".")[0].lower() in _DEVICES:
        raise MfError(
            f"{text[:100]!r} cannot be the name of a network. Begin with a letter or a digit, go on with "
            "letters, digits, _ and - (at most 100); names of devices (con, nul, ...) are reserved"
        )
    folder = Path(above or ("/" if text.startswith("/") else "."))
    if not folder.is_dir():
        raise MfError(f"there is no folder {folder} to write {name}.toml to. Make it first")
    return folder / f"{name}.toml"
