"""One layout for spec files: what ``mfderive fmt`` writes. The order of everything and all comments stay.

The style is that of the shipped specs: an empty line before every table, entries without indent and one space
around ``=``, texts in double quotes, ``[1, 2]`` and ``{ a = 1 }`` in one line, two spaces before a comment.
Comments of neighbouring lines that begin in one column keep it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..network.place import Place
from .toml_layout import Comment, Inline, Line, LineKind, List, Value, Word, lines
from .toml_syntax import document_of

WIDTH = 110  # of a line; a longer list is written with one item in each line
_INDENT = "    "
_GAP = 2  # spaces before a comment at the end of a line
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def formatted(text: str, file: str | None = None) -> str:
    """A spec text in the one layout. It says the same, has every comment, and does not change a second time.

    Raises SpecError for what is not TOML.
    """
    text = text.replace("\r\n", "\n")
    before = document_of(text, Place(file))
    after = _Layout(text).written()
    if not same(before, tomllib.loads(after)) or comments(text) != comments(after):
        raise AssertionError(f"the layout of {file or 'a text'} would change what it says")
    return after


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same, with the order of their keys; nan is nan."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


@dataclass
class _Row:
    """A written line: its text, and its comment with the column (from 0) where that began."""

    text: str
    comment: str = ""
    column: int = 0

    @property
    def length(self) -> int:
        """Characters before the comment; of a text over several lines those of the last."""
        return len(self.text) - (self.text.rfind("\n") + 1)

    @property
    def indent(self) -> int:
        """Spaces at the beginning."""
        return len(self.text) - len(self.text.lstrip(" "))


class _Layout:
    """The rows of a text in the one layout."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows: list[_Row] = []

    def written(self) -> str:
        """The whole text."""
        read = list(lines(self.text))
        kept = [number for number, line in enumerate(read) if line.kind is not LineKind.EMPTY]
        for number in kept:
            above = read[number - 1] if number else None
            was_empty = above is not None and above.kind is LineKind.EMPTY
            if self.rows and (
                _begins_table(read, number) or (was_empty and not self._after_head(read, number))
            ):
                self.rows.append(_Row(""))
            self._write(read[number])
        _align(self.rows)
        return "".join(f"{_joined(row)}\n" for row in self.rows)

    def _after_head(self, read: list[Line], number: int) -> bool:
        """Whether the last line before this one that is not empty is the head of a table."""
        before = next(line for line in reversed(read[:number]) if line.kind is not LineKind.EMPTY)
        return before.kind in _HEADS and read[number].kind not in _HEADS

    def _write(self, line: Line) -> None:
        if line.kind in _HEADS:
            key = self._key(line.words)
            rows = [_Row(f"[{key}]" if line.kind is LineKind.TABLE else f"[[{key}]]")]
        elif line.entry is not None:
            rows = self._rows(f"{self._key(line.entry.words)} = ", line.entry.value, "", "")
        else:
            rows = [_Row(self._comment(line.comment))] if line.comment else []
            self.rows += rows
            return
        if line.comment is not None:
            self._beside(rows, line.comment, "")
        self.rows += rows

    def _rows(self, before: str, value: Value | List | Inline, behind: str, indent: str) -> list[_Row]:
        """A value between what stands around it: in one row, or a list with a row for each item."""
        if isinstance(value, Inline) and _has_comments(value):
            return self._inline_rows(before, value, behind, indent)
        if not isinstance(value, List) or not self._is_long(before, value, behind):
            return [_Row(f"{before}{self._one_line(value)}{behind}")]
        rows = [_Row(f"{before}[")]
        inner = indent + _INDENT
        for item in value.items:
            if isinstance(item, Comment):
                self._beside(rows, item, inner)
            else:
                rows += self._rows(inner, item, ",", inner)
        return [*rows, _Row(f"{indent}]{behind}")]

    def _inline_rows(self, before: str, value: Inline, behind: str, indent: str) -> list[_Row]:
        """A table in braces with comments inside its lists: a line may end only within a list."""
        rows, here = [], f"{before}{{ "
        for number, entry in enumerate(value.entries):
            end = ", " if number < len(value.entries) - 1 else f" }}{behind}"
            *above, last = self._rows(f"{here}{self._key(entry.words)} = ", entry.value, end, indent)
            rows += above
            here = last.text
        return [*rows, _Row(here)]

    def _is_long(self, before: str, value: List, behind: str) -> bool:
        """Whether a list has a row for each item: it has comments, was so before, or is too long."""
        if _has_comments(value):
            return True
        if not value.items:
            return False
        was_long = value.comma and "\n" in self.text[value.start : value.end]
        return was_long or len(f"{before}{self._one_line(value)}{behind}") > WIDTH

    def _beside(self, rows: list[_Row], comment: Comment, indent: str) -> None:
        """Put a comment at the end of the last row, or in one of its own."""
        text = self._comment(comment)
        if comment.own_line or rows[-1].comment or rows[-1].text.lstrip().startswith("#"):
            rows.append(_Row(f"{indent}{text}"))
        else:
            column = comment.start - (self.text.rfind("\n", 0, comment.start) + 1)
            rows[-1].comment, rows[-1].column = text, column

    def _comment(self, comment: Comment) -> str:
        return self.text[comment.start : comment.end].rstrip()

    def _key(self, words: tuple[Word, ...]) -> str:
        return ".".join(
            word.name if _BARE.fullmatch(word.name) else _quotes(self.text[word.start : word.end])
            for word in words
        )

    def _one_line(self, value: Value | List | Inline) -> str:
        if isinstance(value, Value):
            return _quotes(self.text[value.start : value.end])
        if isinstance(value, List):
            return f"[{', '.join(self._one_line(i) for i in value.items if not isinstance(i, Comment))}]"
        entries = ", ".join(
            f"{self._key(each.words)} = {self._one_line(each.value)}" for each in value.entries
        )
        return f"{{ {entries} }}" if entries else "{}"


_HEADS = (LineKind.TABLE, LineKind.TABLES)


def _begins_table(read: list[Line], number: int) -> bool:
    """Whether a line is the head of a table at the top, or the first of the comments directly above it."""
    if number and read[number - 1].kind is LineKind.COMMENT:
        return False
    while number < len(read) and read[number].kind is LineKind.COMMENT:
        number += 1
    return number < len(read) and read[number].kind in _HEADS and len(read[number].words) == 1


def _has_comments(value: Value | List | Inline | Comment) -> bool:
    return any(True for _ in _comments_in(value))


def _comments_in(value: Value | List | Inline | Comment) -> Iterator[Comment]:
    """The comments among the items of lists, however deep these lie."""
    if isinstance(value, Comment):
        yield value
    elif isinstance(value, List):
        yield from (comment for item in value.items for comment in _comments_in(item))
    elif isinstance(value, Inline):
        yield from (comment for entry in value.entries for comment in _comments_in(entry.value))


def comments(text: str) -> list[str]:
    """All comments of a text that is TOML, in their order, without spaces at their ends."""
    found: list[Comment] = []
    for line in lines(text):
        if line.entry is not None:
            found += _comments_in(line.entry.value)
        if line.comment is not None:
            found.append(line.comment)
    return [text[each.start : each.end].rstrip() for each in found]


def _quotes(written: str) -> str:
    """A text in single quotes in double ones, where it means the same in them; anything else as it is."""
    simple = written.startswith("'") and not written.startswith("'''")
    return f'"{written[1:-1]}"' if simple and not re.search(r'["\\\x00-\x1f\x7f]', written) else written


def _align(rows: list[_Row]) -> None:
    """Give the comments of neighbouring rows of one indent one column: theirs, if they share one."""
    for (has_comments, _), group in groupby(rows, lambda row: (bool(row.comment), row.indent)):
        run = list(group) if has_comments else []
        room = max((row.length for row in run), default=0) + _GAP
        columns = {row.column for row in run}
        column = max(room, *columns) if len(columns) == 1 else room
        for row in run:
            row.column = column


def _joined(row: _Row) -> str:
    if not row.comment:
        return row.text
    return f"{row.text}{' ' * (row.column - row.length)}{row.comment}"
