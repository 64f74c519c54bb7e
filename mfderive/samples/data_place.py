"""Where data is described: located errors, and paths relative to the spec file."""

from __future__ import annotations

import difflib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..algebra.memory import check_memory
from ..algebra.showing import Shown
from ..errors import DataError, MfError, ResourceError, place_text, quoted
from ..errors.quoting import LONGEST
from ..errors.unreadable import reason

Array = Any

SMALLER = "Take a part of the data"
DROP = "drop"  # what `missing` says where rows with missing values are left out


# What arrays hold that are no numbers, by numpy's letters.
_HELD = {
    "O": "Python objects",
    "U": "words",
    "S": "words",
    "c": "complex numbers",
    "M": "dates",
    "m": "times",
    "V": "records (several values in each entry)",
}


def few(text: str) -> str:
    """Text as a list or a spec repeats it, without quotes: on one line, cut to a readable length."""
    flat = " ".join(text[: 4 * LONGEST].split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}…"


@dataclass(frozen=True, eq=False, repr=False)
class RowNames(Shown):
    """How messages call rows: by lines of a file (int [row], counted from 1), else by numbers from 0."""

    lines: Array | None = None

    def __call__(self, row: int) -> str:
        """The name of a row."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    @property
    def note(self) -> str:
        """What a sentence with such a name ends in."""
        return " (rows counted from 0)" if self.lines is None else ""

    def kept(self, rows: Array) -> RowNames:
        """The names of some of the rows, which are counted anew where they have no lines."""
        return self if self.lines is None else RowNames(self.lines[rows])


@dataclass(frozen=True)
class DataPlace:
    """The ``[data]`` table of a spec file (None: the spec was no file, paths are relative to the folder).

    ``called`` is what errors call the file, if that is more than its path.
    """

    spec: str | None = None
    called: str | None = None

    @property
    def name(self) -> str | None:
        """What errors call the spec."""
        return self.called or self.spec

    def error(self, problem: str, key: str | None = None, remedy: str | None = None) -> DataError:
        """A DataError at this table."""
        return DataError(problem, file=self.name, table="data", key=key, remedy=remedy)

    def outputs_error(self, problem: str, remedy: str | None = None) -> DataError:
        """A DataError about ``outputs`` in ``[output]``, which the data contradict."""
        return DataError(problem, file=self.name, table="output", key="outputs", remedy=remedy)

    def check_memory(self, needed: int, what: str, key: str | None, remedy: str, table: str = "data") -> None:
        """Raise ResourceError, with the key that decides it, if ``needed`` bytes are more than are free."""
        try:
            check_memory(needed, what, remedy)
        except ResourceError as error:
            raise ResourceError(f"{place_text(self.name, table, key)}{error}") from None

    def damaged(self, path: Path, error: BaseException, key: str | None) -> MfError:
        """What is raised for a file that cannot be read, from what was raised when it was read."""
        if isinstance(error, MemoryError):
            return ResourceError(f"Reading '{path}' needs more memory than there is. {SMALLER}")
        return self.error(
            f"'{path}' cannot be read: {reason(error)}",
            key,
            "The file is truncated, damaged or of another format; write or download it again",
        )

    def path(self, text: str, key: str) -> Path:
        """The file that a key names, relative to the spec file. Raises DataError if there is none."""
        return self._found(text, key, "file")

    def folder(self, text: str, key: str) -> Path:
        """The folder that a key names, relative to the spec file. Raises DataError if there is none."""
        return self._found(text, key, "folder")

    def _found(self, text: str, key: str, wanted: Literal["file", "folder"]) -> Path:
        folder = Path(self.spec).parent if self.spec else Path()
        path = folder / text
        try:
            if path.is_file() if wanted == "file" else path.is_dir():
                return path
            found = _what(path)
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise self.error(f"the {wanted} {quoted(text)} cannot be read: {error.strerror}", key) from None
        except ValueError:
            raise self.error(f"{quoted(text)} cannot be the name of a {wanted}", key) from None
        if found:
            what, remedy = found
            raise self.error(f"'{path}' is {what}, not a {wanted}", key, remedy)
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, others, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        rest = "Paths are relative to the spec file"
        if "://" in text:
            path, hint, rest = Path(text), "", f"Data is read from files: download it, and name the {wanted}"
        elif text.startswith("~"):
            rest += "; ~ is not expanded, so write the whole path"
        called = text if "://" in text else path
        raise self.error(f"there is no {wanted} '{called}'", key, f"{hint}{rest}")

    def numbers(self, values: Any, what: str, key: str | None, missing: str | None = None) -> Array:
        """Values as finite float64, or DataError that names the first that is not.

        ``missing`` = "drop": nan may stay, because its row is left out later.
        """
        try:
            array = np.asarray(values)
        except ValueError:
            raise self.error(f"{what} has rows of unequal length", key, "Give one array") from None
        if array.dtype.kind == "O" and all(type(each) in (int, float) for each in array.flat):
            array = array.astype(np.float64)  # whole numbers beyond 64 bits
        if array.dtype.kind not in "iufb":
            held = _HELD.get(array.dtype.kind, str(array.dtype))
            raise self.error(f"{what} holds {held}, not real numbers", key, "Convert it to numbers")
        array = array.astype(np.float64)
        bad = np.isinf(array) if missing == DROP else ~np.isfinite(array)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            rows = int(bad.reshape(len(bad), -1).any(axis=1).sum()) if array.ndim else 1
            remedy = "Replace what is missing"
            if np.isnan(array[index]):
                remedy += ', or leave these rows out: missing = "drop" in [data]'
            raise self.error(
                f"{what} is {array[index]} at {list(index)} (counted from 0), and all data must be finite; "
                f"{rows} of {len(array) if array.ndim else 1} rows are not",
                key,
                remedy,
            )
        return array


def _what(path: Path) -> tuple[str, str] | None:
    """What something that is no regular file is, and what to do; None where there is nothing."""
    if path.is_symlink() and not path.exists():
        return f"a link to '{path.readlink()}', which does not exist", "Name the file itself"
    if not path.exists():
        return None
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return "a file", "Name the folder (an archive must be unpacked first)"
    if stat.S_ISDIR(mode):
        return "a folder", "Name the file in it"
    copy = "Data is read more than once: write it to a file first, and name that"
    if stat.S_ISFIFO(mode):
        return "a pipe (FIFO)", copy
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "a device", copy
    return "a socket" if stat.S_ISSOCK(mode) else "something else", copy
