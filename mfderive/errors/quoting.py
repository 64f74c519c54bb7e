"""Values of a user as messages repeat them: on one line, cut to a readable length, with the length said.

A value may be anything, also one that was made to flood a terminal; nothing here takes long for a long one.
"""

from __future__ import annotations

import reprlib
from typing import Any

LONGEST = 60  # characters of a value that a message repeats
LONGEST_TEXT = 1200  # characters of a whole sentence of a message
_FEW_BITS = 256

_repr = reprlib.Repr()
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = 12
_repr.maxstring = _repr.maxother = _repr.maxlong = 2 * LONGEST


def quoted(text: str) -> str:
    """A text in single quotes: ``'tanh(h)'``, or ``'tanh(h + h + ...' (4012 characters)``."""
    head = text[: 4 * LONGEST]
    flat = "".join(sign if sign.isprintable() else _escaped(sign) for sign in " ".join(head.split()))
    if len(text) <= 4 * LONGEST and len(flat) <= LONGEST:
        return f"'{flat}'"
    return f"'{flat[:LONGEST]}...' ({len(text)} characters)"


def shown(value: Any) -> str:
    """A value as Python writes it; where it is long its beginning, and how long it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= LONGEST else quoted(value)
    if isinstance(value, int) and value.bit_length() > _FEW_BITS:
        return f"a whole number of about {round(value.bit_length() * 0.30103)} digits"
    try:
        text = " ".join(_repr.repr(value).split())
    except Exception:  # a foreign object may not be able to say what it is
        return "?"
    entries = len(value) if isinstance(value, list | tuple | dict | set) else 0
    if len(text) <= LONGEST and entries <= _repr.maxlist:
        return text
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"{cut} ({entries} entries)" if entries else cut


def listed(names: list[str], most: int = 40) -> str:
    """Names with commas between them; of many names the first ones, and how many there are."""
    some = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names[:most]]
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(some) + more


def bounded(text: str) -> str:
    """A sentence of a message, cut where it is longer than anybody reads."""
    return (
        text if len(text) <= LONGEST_TEXT + LONGEST else f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"
    )


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
