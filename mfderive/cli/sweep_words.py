"""Words of ``mfderive sweep``: ``--set KEY=VALUE`` and ``--grid NAME=VALUE,VALUE``, read as data."""

from __future__ import annotations

import re
import tomllib
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import MfError, quoted

_PLACE = re.compile(r"(\{[A-Za-z_]\w*\})", re.ASCII)
# A key ends at the first sign of equality outside of quotes.
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[^"'=])+?)\s*=(.*)""", re.DOTALL)
_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'"
_PLAIN = (bool, int, float, str, list, dict)


def assignment(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``: a dotted key and its value, as a spec file has it or as a bare text."""
    match = _KEY.fullmatch(text)
    if match is None or not match[2].strip():
        raise ArgumentTypeError(
            f"must be KEY=VALUE, for instance layers.h2.weight=normal(1, {{tau}}), not {quoted(text)}"
        )
    return match[1], value_of(match[2].strip())


def value_of(text: str) -> Any:
    """A value as TOML has it, in which ``{name}`` may stand for one; anything else is a text itself."""
    found = _toml(text)
    if found is None:
        found = _toml("".join(_with_quotes(text)))
    return text if found is None else found


def _with_quotes(text: str) -> Iterator[str]:
    """A text in which every ``{name}`` that stands outside of quotes has some."""
    quote = ""
    for piece in _PLACE.split(text):
        if _PLACE.fullmatch(piece):
            yield piece if quote else f'"{piece}"'
            continue
        for sign in piece:
            if sign in _QUOTES:
                quote = sign if not quote else "" if sign == quote else quote
        yield piece


def _toml(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    value = found.get("value")
    return value if len(found) == 1 and isinstance(value, _PLAIN) else None


def variable(text: str) -> tuple[str, list[Any]]:
    """``NAME=VALUE,VALUE,...``: numbers, truth values, texts. Commas in brackets or quotes are theirs."""
    name, sign, rest = text.partition("=")
    if not (name.strip() and sign):
        raise ArgumentTypeError(f"must be NAME=VALUE,VALUE,..., for instance tau=0.1,1,3, not {quoted(text)}")
    parts = [part.strip() for part in _separated(rest)] if rest.strip() else []
    if not all(parts):
        raise ArgumentTypeError(f"has an empty value between two commas: {quoted(text)}")
    return name.strip(), [_number_or_text(part) for part in parts]


def _separated(text: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in _QUOTES:
            quote = sign
        elif sign in _OPEN or sign in _CLOSE:
            depth += 1 if sign in _OPEN else -1
        if sign == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _number_or_text(text: str) -> Any:
    found = _toml(text)
    if found is not None and not isinstance(found, list | dict):
        return found
    try:
        return float(text)  # .5, which TOML does not know
    except ValueError:
        return text


def together(pairs: Sequence[tuple[str, Any]], flag: str) -> dict[str, Any]:
    """All uses of a flag as one table. Raises MfError where two name the same."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise MfError(f"{flag} names {quoted(name)} twice. Give it once")
        found[name] = value
    return found
