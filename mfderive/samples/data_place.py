"""Where data is described: located errors, and paths relative to the spec file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError

Array = Any


@dataclass(frozen=True)
class DataPlace:
    """The ``[data]`` table of a spec file (None: the spec was no file, paths are relative to the folder)."""

    spec: str | None = None

    def error(self, problem: str, key: str | None = None, remedy: str | None = None) -> DataError:
        """A DataError at this table."""
        return DataError(problem, file=self.spec, table="data", key=key, remedy=remedy)

    def path(self, text: str, key: str) -> Path:
        """The file that a key names, relative to the spec file. Raises DataError if there is none."""
        folder = Path(self.spec).parent if self.spec else Path()
        path = folder / text
        try:
            if path.is_file():
                return path
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise self.error(f"the file '{text[:80]}' cannot be read: {error.strerror}", key) from None
        if path.is_dir():
            raise self.error(f"'{path}' is a folder, not a file", key, "Name the file in it")
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, others, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise self.error(f"there is no file '{path}'", key, f"{hint}Paths are relative to the spec file")

    def numbers(self, values: Any, what: str, key: str | None) -> Array:
        """Values as finite float64, or DataError that names the first that is not."""
        try:
            array = np.asarray(values)
        except ValueError:
            raise self.error(f"{what} has rows of unequal length", key, "Give one array") from None
        if array.dtype.kind not in "iufb":
            raise self.error(f"{what} holds {array.dtype}, not real numbers", key, "Convert it to numbers")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            first = np.argwhere(~np.isfinite(array))[0]
            index = tuple(int(i) for i in first)
            raise self.error(
                f"{what} is {array[index]} at {list(index)} (counted from 0), and all data must be finite",
                key,
                "Remove or replace what is missing",
            )
        return array
