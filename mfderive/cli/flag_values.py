"""Values of flags: readers that make data of words, and say what a word must be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import quoted
from ..network.values import COUNT, NUMBER, POSITIVE, ValueType


def reader(read: Callable[[str], Any], kind: ValueType, names: Sequence[str] = ()) -> Callable[[str], Any]:
    """A reader of words: ``read`` makes a value of a word, which must be of a kind (one of ``names``)."""

    def value_of(text: str) -> Any:
        try:
            value = read(text)
        except ValueError:
            value = None
        if value is not None and kind.accepts(value):
            return value
        words = f"{', '.join(names[:-1])} or {names[-1]}" if names else kind.words
        near = "".join(f". Did you mean '{name}'?" for name in get_close_matches(text, names, 1))
        raise argparse.ArgumentTypeError(f"must be {words}, not {quoted(text)}{near}")

    return value_of


count, positive, number = reader(int, COUNT), reader(float, POSITIVE), reader(float, NUMBER)


def path(text: str) -> Path:
    """The path of a file or a folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path, not ''")
    return Path(text)


def batch(text: str) -> int | str:
    """The size of a batch."""
    return text if text == "all" else int(count(text))


def widths(text: str) -> list[int]:
    """Widths with commas between them."""
    return [count(part) for part in text.split(",")]


def positive_numbers(text: str) -> list[float]:
    """Numbers above 0 with commas between them."""
    found = [float(number(part)) for part in text.split(",")]
    if not all(value > 0 for value in found):
        raise argparse.ArgumentTypeError(
            f"must be numbers above 0 with commas between them, not {quoted(text)}"
        )
    return found


def by_name(one: Callable[[str], Any]) -> Callable[[str], Any]:
    """A value for all, or NAME=VALUE[,NAME=VALUE...]: a value for each of some names."""

    def read(text: str) -> Any:
        if "=" not in text:
            return one(text)
        found: dict[str, Any] = {}
        for part in text.split(","):
            name, sign, value = (piece.strip() for piece in part.partition("="))
            if not (name and sign):
                raise argparse.ArgumentTypeError(
                    f"must be one value for all, or NAME=VALUE,NAME=VALUE by names, not {quoted(text)}"
                )
            if name in found:
                raise argparse.ArgumentTypeError(f"names {quoted(name)} twice")
            found[name] = one(value)
        return found

    return read


def rule(text: str) -> str | dict[str, Any]:
    """A learning rule by its name, with constants as NAME=VALUE behind it."""
    name, sign, rest = text.partition(",")
    if not sign:
        return text
    if "=" not in rest:
        raise argparse.ArgumentTypeError(
            f"must be RULE or RULE,CONSTANT=VALUE (momentum,mu=0.9), not {quoted(text)}"
        )
    return {"kind": name.strip(), **by_name(number)(rest)}
