"""The layout of a TOML text: its lines as keys, values and comments with their places, nothing lost.

``tomllib`` says what a text means, but neither where anything stands nor what its comments are. What is read
here was accepted by ``tomllib`` before, so that nothing is checked again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"[ \t\n]*")
_COMMENT = re.compile(r"#[^\n]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ Tt]\d\d:[^\s,\]}#]*")
_PLAIN = re.compile(r"[^\s,\]}#]+")
# Up to two quotes may stand in a long string directly before those that end it.
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"""{1,3}(?!")',
        r"'''.*?'''{1,3}(?!')",
        r'"(?:\\.|[^"\\\n])*"',
        r"'[^'\n]*'",
    )
)


@dataclass(frozen=True)
class Word:
    """One part of a key: its name, and from where to where it is written."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Value:
    """A value of no parts: a string, a number, a truth value, a date."""

    start: int
    end: int


@dataclass(frozen=True)
class Comment:
    """A comment, from its ``#`` to the end of the line; ``own_line``: nothing stands before it."""

    start: int
    end: int
    own_line: bool


@dataclass(frozen=True)
class Entry:
    """A key (its parts) with its value."""

    words: tuple[Word, ...]
    value: Value | List | Inline


@dataclass(frozen=True)
class List:
    """A list: its items and the comments among them in order; ``comma``: one stands behind the last item."""

    start: int
    end: int
    items: tuple[Value | List | Inline | Comment, ...]
    comma: bool


@dataclass(frozen=True)
class Inline:
    """A table in one line."""

    start: int
    end: int
    entries: tuple[Entry, ...]


class LineKind(Enum):
    """What stands in a line: nothing, a comment alone, the head of a table or of one of several, an entry."""

    EMPTY = "empty"
    COMMENT = "comment"
    TABLE = "[table]"
    TABLES = "[[tables]]"
    ENTRY = "entry"


@dataclass(frozen=True)
class Line:
    """A line (an entry may go over several), with the comment at its end."""

    kind: LineKind
    start: int
    end: int
    words: tuple[Word, ...] = ()
    entry: Entry | None = None
    comment: Comment | None = None


def lines(text: str) -> Iterator[Line]:
    """The lines of a text that is TOML, with ``\\n`` at their ends."""
    at = 0
    while at < len(text):
        line = _Reader(text, at).line()
        yield line
        at = line.end + 1


class _Reader:
    """Reads on from a place in the text."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Go on behind what a pattern finds here; what it was, "" where it finds nothing."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def sees(self, sign: str) -> bool:
        """Go on behind a sign, if it stands here."""
        here = self.text.startswith(sign, self.at)
        self.at += len(sign) * here
        return here

    def line(self) -> Line:
        """The line that begins here."""
        begin = self.at
        self.skip(_BLANK)
        start, kind = self.at, LineKind.EMPTY
        words: tuple[Word, ...] = ()
        entry = None
        if self.sees("[["):
            kind, words = LineKind.TABLES, self.key()
            self.at += 2
        elif self.sees("["):
            kind, words = LineKind.TABLE, self.key()
            self.at += 1
        elif self.at < len(self.text) and self.text[self.at] not in "#\n":
            kind, entry = LineKind.ENTRY, self.entry()
        self.skip(_BLANK)
        comment = self.comment(begin)
        if comment is not None and kind is LineKind.EMPTY:
            kind = LineKind.COMMENT
        return Line(kind, start, self.at, words, entry, comment)

    def comment(self, begin: int) -> Comment | None:
        """The comment that stands here, in a line that began at ``begin``."""
        start = self.at
        if not self.skip(_COMMENT):
            return None
        return Comment(start, self.at, not self.text[begin:start].strip())

    def key(self) -> tuple[Word, ...]:
        """A key with its parts between dots."""
        words = []
        while True:
            self.skip(_BLANK)
            start = self.at
            written = self.skip(_BARE)
            name = written or _meaning(self.string())
            words.append(Word(name, start, self.at))
            self.skip(_BLANK)
            if not self.sees("."):
                return tuple(words)

    def string(self) -> str:
        """A string as it is written, "" where none stands here."""
        return next((found for pattern in _STRINGS if (found := self.skip(pattern))), "")

    def entry(self) -> Entry:
        """A key, the sign, and its value."""
        words = self.key()
        self.sees("=")
        self.skip(_BLANK)
        return Entry(words, self.value())

    def value(self) -> Value | List | Inline:
        """The value that stands here."""
        start = self.at
        if self.sees("["):
            return self.list(start)
        if self.sees("{"):
            return self.inline(start)
        if not self.string() and not self.skip(_DATE):
            self.skip(_PLAIN)
        return Value(start, self.at)

    def list(self, start: int) -> List:
        """The rest of a list behind its bracket."""
        items: list[Value | List | Inline | Comment] = []
        comma = False
        while True:
            self.skip(_SPACE)
            comment = self.comment(self.text.rfind("\n", 0, self.at) + 1)
            if comment is not None:
                items.append(comment)
            elif self.sees(","):
                comma = True
            elif self.sees("]"):
                return List(start, self.at, tuple(items), comma)
            else:
                items.append(self.value())
                comma = False

    def inline(self, start: int) -> Inline:
        """The rest of a table in one line behind its brace."""
        entries: list[Entry] = []
        while True:
            self.skip(_SPACE)
            if self.sees("}"):
                return Inline(start, self.at, tuple(entries))
            if not self.sees(","):
                entries.append(self.entry())


def _meaning(written: str) -> str:
    """What a string means."""
    return str(tomllib.loads(f"key = {written}")["key"])
