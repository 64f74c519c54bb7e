"""A place in a spec, so that every error says where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from ..algebra.parser import Names, parse_expression
from ..errors import SpecError, nearest_word, quoted, shown
from ..errors.wishes import about_text
from .signal_keys import SIGNAL
from .tables import CHECK, LAYER, OUTPUT, SOLVER, TRAINING
from .values import Key, Table

# Tables whose keys may stand in the wrong one; a key of as many as _MANY says nothing.
_HOMES = {
    "a layer": LAYER,
    "[output]": OUTPUT,
    "[training]": TRAINING,
    "[solver]": SOLVER,
    "[check]": CHECK,
    "[signal]": SIGNAL,
}
_MANY = 3
_LARGEST = 1e300  # below which a number is one
_MOST_CHANGES = 3  # that a name of a spec lists


def spec_name(file: str | None, changed: Sequence[str] = ()) -> str | None:
    """What messages call a spec: its file, with what does not stand there but was given elsewhere.

    ``changed``: keys that were changed in Python ("training.steps"), flags of the command line ("--steps").
    """
    if file is None or not changed:
        return file
    more = f" and {len(changed) - _MOST_CHANGES} more" if len(changed) > _MOST_CHANGES else ""
    return f"{file} (changed: {', '.join(changed[:_MOST_CHANGES])}{more})"


@dataclass(frozen=True)
class Place:
    """A file and a table in it, for instance ``layers[1] 'h2', connections[0]``."""

    file: str | None = None
    table: str = ""

    def inside(self, part: str) -> Place:
        """The place of a part of this table."""
        return replace(self, table=f"{self.table}, {part}" if self.table else part)

    def error(self, problem: str, key: str | None = None, remedy: str | None = None) -> SpecError:
        """An error at this place."""
        return SpecError(problem, file=self.file, table=self.table or None, key=key, remedy=remedy)

    def expression(self, text: str, key: str, names: Names) -> sp.Expr:
        """The expression that stands at a key; its errors get this place."""
        try:
            return parse_expression(text, names)
        except SpecError as error:
            raise self.locate(error, key) from None

    def locate(self, error: SpecError, key: str) -> SpecError:
        """The error with this place filled in."""
        return error.located(file=self.file, table=self.table or None, key=key)

    def check(
        self,
        values: Mapping[str, Any],
        keys: Table,
        refused: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Refuse unknown keys, missing keys and values of the wrong type.

        ``refused`` names keys that make no sense here, with the reason and what to do.
        """
        for name, value in values.items():
            if refused and name in refused:
                reason, remedy = refused[name]
                raise self.error(f"{quoted(name)} is not allowed here: {reason}", key=name, remedy=remedy)
            if name not in keys:
                remedy = f"{_home(name)}{nearest_word(name, keys)}"
                raise self.error(f"unknown key {quoted(name)}", key=name, remedy=remedy)
            if not keys[name].type.accepts(value):
                raise self.error(
                    f"found {shown(value)}, but '{name}' must be {keys[name].type.words}",
                    key=name,
                    remedy=_remedy(value, keys[name]),
                )
        for name, key in keys.items():
            if key.required and name not in values:
                remedy = f"It must be {key.type.words}. Meaning: {key.meaning}"
                raise self.error(f"the key '{name}' is missing", key=name, remedy=remedy)


def _home(name: str) -> str:
    """The tables in which a key stands, as the beginning of an advice; empty where there are none or many."""
    homes = [home for home, keys in _HOMES.items() if name in keys]
    return f"It is a key of {_or(homes)}. " if 0 < len(homes) < _MANY else ""


def other_kinds_keys(kind: str, kinds: Mapping[str, Table], what: str) -> dict[str, tuple[str, str]]:
    """The keys that only other kinds have, each with why it is refused and the kinds that have it."""
    having: dict[str, list[str]] = {}
    for name, keys in kinds.items():
        for key in keys.keys() - kinds[kind].keys():
            having.setdefault(key, []).append(f'"{name}"')
    reason = f"{what} of kind {kind} has none"
    remedy = "Remove it, or take a kind that has it: "
    return {key: (reason, remedy + _or(names)) for key, names in having.items()}


def _or(parts: list[str]) -> str:
    """Alternatives as a sentence lists them."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _remedy(value: Any, key: Key) -> str:
    """What to do about a value of the wrong type: written otherwise it is right, or what the key is."""
    accepts = key.type.accepts
    if isinstance(value, Mapping) and accepts([]):
        return f"Write [[{key.name}]] above the table, with two brackets on each side"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _LARGEST and accepts(1):
            return f"Numbers must be below {_LARGEST:g}"
        if accepts(str(value)) and not accepts(1):
            return f'Write it in quotes: "{value}"'
        if isinstance(value, float) and value.is_integer() and accepts(int(value)):
            return f"Write it without a decimal point: {int(value)}"
    if accepts([value]):
        return f"Write a list: [{shown(value)}]"
    if isinstance(value, str):
        plain = _unquoted(value)
        if plain is not None and accepts(plain):
            return f"Write it without quotes: {value.strip()}"
        about = about_text(key.name)
        if about is not None:
            return about
        if not value.strip() and not key.required:
            return f"Leave the key out where nothing is meant. Meaning: {key.meaning}"
    return f"Meaning: {key.meaning}"


def _unquoted(text: str) -> int | float | bool | None:
    """The number or truth value that a text spells as TOML does; None where it spells none."""
    word = text.strip()
    if word in ("true", "false"):
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return None
