"""A place in a spec, so that every error says where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import sympy as sp

from ..algebra.parser import Names, parse_expression
from ..errors import FaultKind, SpecError, nearest_word, quoted, shown
from ..errors.gathering import Faults
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


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Sound:
    """The entries of a table that can be relied upon, and the keys that cannot: these are in doubt."""

    values: Mapping[str, Any]
    doubts: frozenset[str]


@dataclass(frozen=True)
class Place:
    """A file and a table in it, for instance ``layers[1] 'h2', connections[0]``.

    ``path`` is the way to the table in the document: ("layers", 1, "connections", 0).
    """

    file: str | None = None
    table: str = ""
    path: Path = ()

    @classmethod
    def of(cls, file: str | None, table: str, number: int | None = None) -> Place:
        """A table at the top of a document, or an entry of a list of tables there."""
        return (
            cls(file, table, (table,)) if number is None else cls(file, f"{table}[{number}]", (table, number))
        )

    def inside(self, part: str, *path: str | int) -> Place:
        """The place of a part of this table, which is called ``part`` and stands at a path in it."""
        called = f"{self.table}, {part}" if self.table else part
        return replace(self, table=called, path=(*self.path, *path))

    def error(
        self,
        problem: str,
        key: str | None = None,
        remedy: str | None = None,
        kind: FaultKind | None = None,
        path: Path = (),
        word: str | None = None,
    ) -> SpecError:
        """An error at this place; ``path``: the way to it in the document, where the key does not say it.

        ``word``: the part of the value that it is about.
        """
        return SpecError(
            problem,
            file=self.file,
            table=self.table or None,
            key=key,
            remedy=remedy,
            kind=kind,
            path=path or self._path(key),
            word=word,
        )

    def _path(self, key: str | None) -> Path:
        return self.path if key is None else (*self.path, key)

    def expression(self, text: str, key: str, names: Names) -> sp.Expr:
        """The expression that stands at a key; its errors get this place."""
        try:
            return parse_expression(text, names)
        except SpecError as error:
            raise self.locate(error, key) from None

    def locate(self, error: SpecError, key: str) -> SpecError:
        """The error with this place filled in."""
        return error.located(file=self.file, table=self.table or None, key=key, path=self._path(key))

    def check(
        self,
        values: Mapping[str, Any],
        keys: Table,
        refused: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Refuse unknown keys, missing keys and values of the wrong type: all of them in one error.

        ``refused`` names keys that make no sense here, with the reason and what to do.
        """
        faults = Faults()
        self.sound(values, keys, faults, refused)
        faults.raise_any()

    def sound(
        self,
        values: Mapping[str, Any],
        keys: Table,
        faults: Faults,
        refused: Mapping[str, tuple[str, str]] | None = None,
    ) -> Sound:
        """As :meth:`check`, but the faults are gathered, and what is right comes back.

        The key that an unknown one was probably meant to be is in doubt as well, and not said to be missing.
        """
        doubts: set[str] = set()
        for name, error in self._wrong(values, keys, refused or {}):
            faults.add(error)
            doubts.add(name)
            absent = [key for key in keys if key not in values]
            doubts.update(get_close_matches(name, absent, n=1) if name not in keys else ())
        for name, key in keys.items():
            if key.required and name not in values and name not in doubts:
                remedy = f"It must be {key.type.words}. Meaning: {key.meaning}"
                faults.add(self.error(f"the key '{name}' is missing", name, remedy, FaultKind.MISSING_KEY))
                doubts.add(name)
        return Sound({name: value for name, value in values.items() if name not in doubts}, frozenset(doubts))

    def _wrong(
        self, values: Mapping[str, Any], keys: Table, refused: Mapping[str, tuple[str, str]]
    ) -> Iterator[tuple[str, SpecError]]:
        """The entries that are not right, each with its error."""
        for name, value in values.items():
            if name in refused:
                reason, remedy = refused[name]
                problem = f"{quoted(name)} is not allowed here: {reason}"
                yield name, self.error(problem, name, remedy, FaultKind.REFUSED_KEY)
            elif name not in keys:
                remedy = f"{_home(name)}{nearest_word(name, keys)}"
                yield name, self.error(f"unknown key {quoted(name)}", name, remedy, FaultKind.UNKNOWN_KEY)
            elif not keys[name].type.accepts(value):
                problem = f"found {shown(value)}, but '{name}' must be {keys[name].type.words}"
                remedy = _remedy(value, keys[name])
                yield name, self.error(problem, name, remedy, FaultKind.WRONG_VALUE)


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
