"""Where results go: found to be writable before the work is done that would be lost otherwise."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from errno import EACCES, ENOENT
from pathlib import Path

from ..errors import MfError
from ..errors.disk import FULL, disk_full
from ..report.run_folder import tidy
from ..runs.atomic import write_text


def write_file(path: Path, text: str) -> None:
    """Write a file that was named, all at once; a device or a pipe takes the text as it comes."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
    elif not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
    else:
        write_text(path, text)


def write_answer(path: Path, text: str) -> None:
    """Write what a command would have printed to the file that --output names. Raises MfError."""
    try:
        write_file(path, text.rstrip("\n") + "\n")
    except OSError as problem:
        raise MfError(
            f"{path} cannot be written: {problem.strerror}. Name with --output a file in a "
            "folder that exists and that you may write to"
        ) from problem


def output_folder(arguments: argparse.Namespace, default: Path) -> Path:
    """The folder to write: --output, or the default. It is made for a trial, and taken away again.

    Raises MfError where it cannot be made.
    """
    folder: Path = arguments.output or default
    tidy(folder.parent)
    missing: list[Path] = []
    try:
        missing += [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as problem:
        if problem.errno in FULL:
            raise disk_full(folder, problem) from problem
        reason = "it is a file" if isinstance(problem, FileExistsError) else problem.strerror
        raise MfError(
            f"the folder {str(folder)[:200]} cannot be written: {reason}. Name with --output a "
            "folder that can be made and that you may write to"
        ) from problem
    finally:
        with suppress(OSError):
            for each in missing:
                if each.exists():
                    each.rmdir()
    return folder
