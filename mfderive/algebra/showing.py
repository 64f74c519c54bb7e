"""How objects show themselves: a repr of a few short lines, and HTML in notebooks.

A class says in ``_summary`` what its objects are; without it, its fields are listed by size and kind, never
entry by entry. HTML is drawn by rooms that stand far behind the classes; they enter themselves with
:func:`register_html` (:mod:`mfderive.algebra.entries`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from itertools import islice
from textwrap import wrap
from typing import Any

from ..errors import shown
from .entries import HTML, fill

LONGEST_LINE = 118  # characters
MOST_LINES = 9
_FEW = 6  # entries that are listed one by one
_INDENT = "  "
_LONG_WORD = 48

_HTML: dict[type, Callable[[Any], str]] = {}


def register_html(kind: type, draw: Callable[[Any], str]) -> None:
    """Let objects of a class, and of classes made from it, be shown in notebooks by ``draw`` (HTML)."""
    _HTML[kind] = draw


def html_of(value: object) -> str | None:
    """An object as an HTML fragment; None where nothing draws its class."""
    fill(HTML)
    for kind in type(value).__mro__:
        if kind in _HTML:
            return _HTML[kind](value)
    return None


class Shown:
    """An object with a short repr; a dataclass of this kind is made with ``repr=False``."""

    def _summary(self) -> Iterable[str]:
        """What the object is, one line after the other; the first begins with the name of its class."""
        return listing(self)

    def __repr__(self) -> str:
        return short(self._summary())

    def _repr_html_(self) -> str | None:
        return html_of(self)


def short(lines: Iterable[str]) -> str:
    """At most ten lines of at most 120 characters: long ones are cut, further ones left out."""
    some = [_cut(line) for line in islice(lines, MOST_LINES + 1)]
    if len(some) > MOST_LINES:
        some = [*some[:MOST_LINES], f"{_INDENT}..."]
    return "\n".join(some)


def wrapped(text: str) -> Iterator[str]:
    """A long text as lines of a summary, all but the first of them indented."""
    yield from wrap(
        text[: LONGEST_LINE * (MOST_LINES + 2)],
        LONGEST_LINE,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )


def listing(value: Any) -> Iterator[str]:
    """The name of a class and the fields of one of its dataclass objects, each as short as :func:`brief`."""
    return wrapped(f"{type(value).__name__}({', '.join(_fields(value))})")


def brief(value: Any) -> str:
    """A value in a few words: arrays by kind and shape, long collections by their first entries."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, Shown):
        return first_line(value)
    if isinstance(value, Mapping):
        return _joined(
            "{", (f"{words(str(key))}: {brief(one)}" for key, one in value.items()), "}", len(value)
        )
    if isinstance(value, list | tuple):
        return _joined("[", (brief(one) for one in value), "]", len(value))
    if isinstance(value, Enum):
        return str(value.value)
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__
    return words(shown(value), 2 * _LONG_WORD)


def first_line(value: Shown) -> str:
    """What an object is, in one line."""
    return next(iter(value._summary())).rstrip(":, ")


def names(given: Iterable[str], most: int = 8) -> str:
    """Names with commas between them; of many names the first ones, and how many there are."""
    every = [words(name) for name in given]
    more = f", ... ({len(every)} in all)" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def words(text: str, most: int = _LONG_WORD) -> str:
    """A user's words on one line, cut to a readable length."""
    flat = " ".join(text[: 4 * most].split())
    printable = "".join(sign if sign.isprintable() else "?" for sign in flat)
    return printable if len(printable) <= most and len(text) <= 4 * most else f"{printable[:most]}..."


def _fields(value: Any) -> Iterator[str]:
    for each in fields(value):
        if each.repr:
            own = getattr(value, each.name)
            if each.default is MISSING or not _is_default(own, each.default):
                yield f"{each.name}={brief(own)}"


def _is_default(own: Any, default: Any) -> bool:
    """Whether a value is a default: the same object, or an equal plain one (that was pickled, say)."""
    plain = isinstance(own, str | int | float) and type(own) is type(default)
    return own is default or (plain and own == default)


def _joined(start: str, parts: Iterator[str], end: str, count: int) -> str:
    more = f", ... {count} entries" if count > _FEW else ""
    return f"{start}{', '.join(islice(parts, _FEW))}{more}{end}"


def _cut(line: str) -> str:
    flat = " ".join(line.splitlines()).rstrip()
    return flat if len(flat) <= LONGEST_LINE else f"{flat[: LONGEST_LINE - 3]}..."
