"""From the bytes of a spec file to its document: what is not TOML is said with its place."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ..errors import FaultKind, SpecError, quoted
from ..network.place import Place
from .toml_places import Span

MAX_BYTES = 1_000_000
_MOST_SYNTAX = 20  # faults of syntax that are looked for; the first ones say enough
# The name of a table as messages about TOML have it: ('layers', 'weight').
_TUPLE, _NAME = re.compile(r"\('[^()]*\)"), re.compile(r"'([^']*)'")
_AGAIN = "Cannot "  # what messages about keys and tables that were there before begin with
_OVERWRITTEN = "Cannot overwrite a value"
_NAMED = re.compile(
    r"\s*\[*\s*([^\s=\]#][^=\]#]*?)\s*(?:[=\]#]|$)"
)  # the key or the table that a line begins with
_NO_BRACES = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' | \#.* """, re.VERBOSE)  # where braces mean nothing
_BRACES = "A table in braces ends in the line in which it begins; write a long one under [its name]"
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
    except UnicodeDecodeError as error:
        problem, remedy = "this is not a text file in UTF-8", "A spec is a TOML file"
        if 0 not in content:  # a text in another encoding
            byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
            problem = f"{problem}: line {line} has the byte 0x{byte:02x}"
            remedy = "Save the file in UTF-8"
        raise place.error(problem, remedy=remedy, kind=FaultKind.FILE) from None


def text_until_wrong(content: bytes) -> tuple[str, int | None]:
    """The text of bytes that are not UTF-8, with signs in the place of what is none, and where the first is.

    Of a file that is no text at all nothing comes back: "", None.
    """
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="ignore").replace("\r\n", "\n")
        return ("", None) if 0 in content else (text, len(before))
    return text, None


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


def syntax_faults(text: str, place: Place) -> list[tuple[SpecError, Span | None]]:
    """All faults of syntax of a text that is not TOML, each with its place (None: unknown).

    A line that is wrong by itself, or says again what was said before, is left out, and the rest is read on;
    what stands under the head of a table that is left out keeps to itself.
    """
    found: list[tuple[SpecError, Span | None]] = []
    written = text.split("\n")
    rows = list(written)
    while len(found) < _MOST_SYNTAX:
        try:
            document_of("\n".join(rows), place)
        except SpecError as error:
            at = _AT.search(error.problem)
            number = _row(at, rows)
            last = None if number is None else _brace_ends(rows, number)
            found.append((_placed(error, at, written, number, last), _span(written, number, at, error)))
            if number is None or not (_is_wrong(rows[number]) or _AGAIN in error.problem):
                return found
            is_head = rows[number].lstrip().startswith("[") and "=" not in rows[number]
            rows[number] = f'["line {number}"]' if is_head else ""
            if last is not None:
                rows[number : last + 1] = [""] * (last + 1 - number)
        else:
            return found
    return found


def _brace_ends(rows: list[str], number: int) -> int | None:
    """The last line of a table in braces that does not end in its line; None where a line has none."""
    depth = 0
    for last in range(number, len(rows)):
        bare = _NO_BRACES.sub("", rows[last])
        if '"' in bare or "'" in bare:
            return None  # a text that does not end: what its braces mean is open
        depth += bare.count("{") - bare.count("}")
        if depth <= 0:
            return last if last > number else None
    return None


def _placed(
    error: SpecError, at: re.Match[str] | None, rows: list[str], number: int | None, last: int | None
) -> SpecError:
    """The error without its place in words, which is said apart."""
    problem, remedy = error.problem[: at.start()] if at else error.problem, error.remedy
    named = None if number is None else _NAMED.match(rows[number])
    if _OVERWRITTEN in problem and named:
        problem = f"this is not TOML: {quoted(named[1])} is set a second time"
    elif last is not None:
        problem, remedy = "this is not TOML: a table in braces goes on in the next line", _BRACES
    return SpecError(problem, file=error.file, remedy=remedy, kind=error.kind)


def _row(at: re.Match[str] | None, rows: list[str]) -> int | None:
    """The line, from 0, that a message about TOML names."""
    if at is None or at[1] is None:
        return None
    return min(int(at[1]), len(rows)) - 1


def _span(rows: list[str], number: int | None, at: re.Match[str] | None, error: SpecError) -> Span | None:
    """What a message about TOML is about: the key that is said again, else a character."""
    if at is None:
        return None
    if number is None:
        end = len("\n".join(rows).rstrip())
        return Span(end, end + 1)
    before = sum(len(row) + 1 for row in rows[:number])
    named = _NAMED.match(rows[number])
    if _AGAIN in error.problem and named:
        return Span(before + named.start(1), before + named.end(1))
    start = before + min(int(at[2]) - 1, len(rows[number]))
    return Span(start, start + 1)


def _is_wrong(row: str) -> bool:
    """Whether a line is no TOML by itself, so that what is wrong does not lie before it."""
    try:
        tomllib.loads(row)
    except tomllib.TOMLDecodeError:
        return bool(row.strip())
    return False
