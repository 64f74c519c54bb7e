"""From the bytes of a spec file to its document: what is not TOML is said with its place."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ..errors import FaultKind, SpecError
from ..network.place import Place

MAX_BYTES = 1_000_000
_MOST_SYNTAX = 20  # faults of syntax that are looked for; the first ones say enough
# The name of a table as messages about TOML have it: ('layers', 'weight').
_TUPLE, _NAME = re.compile(r"\('[^()]*\)"), re.compile(r"'([^']*)'")
_AGAIN = "Cannot "  # what messages about keys and tables that were there before begin with
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def text_of(content: bytes, place: Place) -> str:
    """The text of a file, with ``\\n`` at the ends of its lines. Raises SpecError for what is no text."""
    if len(content) > MAX_BYTES:
        raise place.error(
            f"the file is larger than {MAX_BYTES} bytes",
            remedy="A spec is a small text file",
            kind=FaultKind.FILE,
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        problem = "this is not a text file in UTF-8"
        raise place.error(problem, remedy="A spec is a TOML file", kind=FaultKind.FILE) from None


def document_of(text: str, place: Place) -> dict[str, Any]:
    """The document that a text says. Raises SpecError for what is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = _TUPLE.sub(lambda names: f"[{'.'.join(_NAME.findall(names[0]))}]", str(error)[:200])
        raise place.error(
            f"this is not TOML: {said}",
            remedy="Texts stand in quotes, and each key once in its table; README.md shows a spec",
            kind=FaultKind.SYNTAX,
        ) from None
    except (RecursionError, ValueError):
        raise place.error(
            "this is not TOML: nested too deep, or a number too long",
            remedy="README.md shows a spec",
            kind=FaultKind.SYNTAX,
        ) from None


def syntax_faults(text: str, place: Place) -> list[tuple[SpecError, int | None]]:
    """All faults of syntax of a text that is not TOML, each with its place in characters (None: unknown).

    A line that is wrong by itself, or says again what was said before, is left out, and the rest is read on.
    """
    found: list[tuple[SpecError, int | None]] = []
    rows = text.split("\n")
    while len(found) < _MOST_SYNTAX:
        try:
            document_of("\n".join(rows), place)
        except SpecError as error:
            at = _AT.search(error.problem)
            number = _row(at, rows)
            found.append((_placed(error, at), _character(rows, number, at)))
            if number is None or not (_is_wrong(rows[number]) or _AGAIN in error.problem):
                return found
            rows[number] = " " * len(rows[number])
        else:
            return found
    return found


def _placed(error: SpecError, at: re.Match[str] | None) -> SpecError:
    """The error without its place in words, which is said apart."""
    problem = error.problem[: at.start()] if at else error.problem
    return SpecError(problem, file=error.file, remedy=error.remedy, kind=error.kind)


def _row(at: re.Match[str] | None, rows: list[str]) -> int | None:
    """The line, from 0, that a message about TOML names."""
    if at is None or at[1] is None:
        return None
    return min(int(at[1]), len(rows)) - 1


def _character(rows: list[str], number: int | None, at: re.Match[str] | None) -> int | None:
    if at is None:
        return None
    if number is None:
        return len("\n".join(rows).rstrip())
    return sum(len(row) + 1 for row in rows[:number]) + min(int(at[2]) - 1, len(rows[number]))


def _is_wrong(row: str) -> bool:
    """Whether a line is no TOML by itself, so that what is wrong does not lie before it."""
    try:
        tomllib.loads(row)
    except tomllib.TOMLDecodeError:
        return bool(row.strip())
    return False
