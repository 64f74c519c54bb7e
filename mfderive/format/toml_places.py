"""Where the entries of a TOML text stand: line and column of every key, value and head of a table."""

from __future__ import annotations

from dataclasses import dataclass

from .toml_layout import Comment, Entry, Inline, LineKind, List, Value, Word, lines

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Span:
    """From where to where something is written, in characters from the beginning of the text."""

    start: int
    end: int


@dataclass(frozen=True)
class Spot:
    """Where an entry stands: its key (of a table the name in its head; None: a list's item) and its value."""

    key: Span | None
    value: Span


class Places:
    """The spots of a text by their way in the document, written with dots: "layers.1.weight.law"."""

    def __init__(self, text: str) -> None:
        self._spots: dict[str, Spot] = {}
        self._tables: dict[Path, int] = {}  # lists of tables, with the number of tables until now
        within: Path = ()
        for line in lines(text):
            if line.kind in (LineKind.TABLE, LineKind.TABLES):
                within = self._head(line.words, Span(line.start, line.end), line.kind is LineKind.TABLES)
            elif line.entry is not None:
                self._entry(within, line.entry)

    def spot(self, path: Path) -> tuple[Spot | None, bool]:
        """The spot of a way, and whether it is that itself; else the nearest table around it, or None."""
        rest = dotted(path)
        exact = True
        while rest:
            if rest in self._spots:
                return self._spots[rest], exact
            rest, exact = rest.rpartition(".")[0], False
        return None, False

    def _head(self, words: tuple[Word, ...], line: Span, is_one_of: bool) -> Path:
        path: Path = ()
        for number, word in enumerate(words):
            path = (*path, word.name)
            last = number == len(words) - 1
            if last and is_one_of:
                self._tables[path] = self._tables.get(path, 0) + 1
            spot = Spot(Span(words[0].start, word.end), line)
            if last and not is_one_of:
                self._spots[dotted(path)] = spot
            self._spots.setdefault(dotted(path), spot)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self._spots.setdefault(dotted(path), spot)
        return path

    def _entry(self, within: Path, entry: Entry) -> None:
        path = within
        for word in entry.words:
            path = (*path, word.name)
            spot = Spot(Span(word.start, word.end), Span(entry.value.start, entry.value.end))
            self._spots.setdefault(dotted(path), spot)
        self._inside(path, entry.value)

    def _inside(self, path: Path, value: Value | List | Inline) -> None:
        if isinstance(value, Inline):
            for entry in value.entries:
                self._entry(path, entry)
        elif isinstance(value, List):
            items = [item for item in value.items if not isinstance(item, Comment)]
            for number, item in enumerate(items):
                self._spots[dotted((*path, number))] = Spot(None, Span(item.start, item.end))
                self._inside((*path, number), item)


def dotted(path: Path) -> str:
    """A way in a document with dots between its parts."""
    return ".".join(map(str, path))


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Line and column of a character, both from 1 as editors count them."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
