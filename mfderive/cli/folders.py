"""Where results go: found to be writable before the work is done that would be lost otherwise."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from errno import EACCES
from pathlib import Path

from ..errors import MfError


def output_folder(arguments: argparse.Namespace, default: Path) -> Path:
    """The folder to write: --output, or the default. It is made for a trial, and taken away again.

    Raises MfError where it cannot be made.
    """
    folder: Path = arguments.output or default
    missing: list[Path] = []
    try:
        missing += [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as problem:
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
