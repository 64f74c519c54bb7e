"""Errors that a user can act on.

Every error that a user's input can cause is an :class:`MfError`; the command line prints its message
without a traceback and exits with its code. Anything else that is raised is a fault of the program.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from .fault_kinds import FaultKind
from .quoting import bounded, listed, quoted, shown
from .wishes import is_function_elsewhere, plain_word, wish

__all__ = [
    "ArgumentError",
    "DataError",
    "DataWarning",
    "DivergenceError",
    "DivergenceWarning",
    "FaultKind",
    "MfError",
    "ResourceError",
    "SpecError",
    "StateError",
    "UnknownNameError",
    "nearest",
    "nearest_function",
    "nearest_word",
    "place_text",
    "quoted",
    "shown",
]


def place_text(file: str | None, table: str | None, key: str | None) -> str:
    """How a message begins that is about a place in a spec: ``"net.toml, data, key 'x': "``, or empty."""
    parts = [part for part in (file, table, f"key {quoted(key)}" if key else None) if part]
    return f"{', '.join(parts)}: " if parts else ""


class MfError(Exception):
    """Base of all errors that a user can act on; ``exit_code`` is what the command line returns."""

    exit_code = 2


class SpecError(MfError):
    """Something in a spec file (or graph) is wrong.

    The message names the file, the table, the key, what was found, what is allowed and what to do next,
    as far as they are known. For tools it says more: its ``kind``, the ``path`` of what is wrong in the
    document (keys and numbers of list entries), and the ``word`` of the value that it is about.
    ``others`` are faults of the same spec that do not depend on this one.
    """

    usual_kind = FaultKind.MEANING

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        table: str | None = None,
        key: str | None = None,
        remedy: str | None = None,
        kind: FaultKind | None = None,
        path: tuple[str | int, ...] = (),
        word: str | None = None,
    ) -> None:
        self.problem = bounded(problem)
        self.file = file
        self.table = table
        self.key = key
        self.remedy = remedy if remedy is None else bounded(remedy)
        self.kind = kind or self.usual_kind
        self.path = path
        self.word = word
        self.others: tuple[SpecError, ...] = ()
        super().__init__(self.problem)

    def located(
        self,
        *,
        file: str | None = None,
        table: str | None = None,
        key: str | None = None,
        path: tuple[str | int, ...] = (),
    ) -> SpecError:
        """The same error with the places filled in that were not known where it was raised."""
        found = type(self)(
            self.problem,
            file=self.file or file,
            table=self.table or table,
            key=self.key or key,
            remedy=self.remedy,
            kind=self.kind,
            path=self.path or path,
            word=self.word,
        )
        found.others = self.others
        return found

    def __str__(self) -> str:
        text = f"{place_text(self.file, self.table, self.key)}{self.problem}"
        return f"{text}. {self.remedy}" if self.remedy else text


class UnknownNameError(SpecError):
    """An expression has a name that is not known where it stands."""

    usual_kind = FaultKind.NAME


class DataError(SpecError):
    """A data file is missing, truncated, not finite, or of the wrong shape."""

    usual_kind = FaultKind.DATA


class DataWarning(UserWarning):
    """Data that can be used, with something that a person should know before training on them."""


class ArgumentError(MfError):
    """An argument of a public function has a wrong type or value, or two arguments exclude each other."""


class StateError(ArgumentError):
    """Arrays given as a state do not fit the network (names, shapes, weights p, precision)."""


class ResourceError(MfError):
    """The run would need more memory than there is; the message gives the figure and the remedy."""


class DivergenceError(MfError):
    """A run left the finite numbers; the message names time, field and remedy.

    ``path`` is the trajectory up to the last finite values, None where there are none.
    """

    exit_code = 3

    def __init__(self, message: str, path: Any = None) -> None:
        super().__init__(message)
        self.path = path


class DivergenceWarning(UserWarning):
    """A run whose loss grew beyond reason, at its end or on the way; its numbers are no training curve."""


def nearest(name: Any, allowed: Iterable[str]) -> str:
    """A sentence that lists what is allowed and names the nearest allowed name, if one is near.

    ``name``: what was found; anything but a text is near to nothing.
    """
    names = sorted(allowed)
    if not isinstance(name, str):
        return _all_of(names)
    return _question(name, names, "Did you mean '{}'? ") + _all_of(names)


def nearest_word(name: str, allowed: Iterable[str]) -> str:
    """As :func:`nearest`, for words of the format: keys, kinds, options, flags.

    Where the word is another program's for something that people want, a sentence says what it is called
    here, how it is written, or that it does not exist (:mod:`mfderive.errors.wishes`).
    """
    names = sorted(allowed)
    known = None if any(plain_word(each) == plain_word(name) for each in names) else wish(name)
    return f"{known} {_all_of(names)}" if known else nearest(name, names)


def nearest_function(name: str, allowed: Iterable[str]) -> str:
    """As :func:`nearest_word`, for functions.

    Of a name that is a function of other programs it is said that the near one computes something else.
    """
    known, names = wish(name, of_functions=True), sorted(allowed)
    if any(plain_word(each) == plain_word(name) for each in names):
        return nearest(name, names)
    if known:
        return f"{known} {_all_of(names)}"
    if is_function_elsewhere(name):
        other = f"{quoted(name)} does not exist here; '{{}}' has a similar name and is another function. "
        return _question(name, names, other) + _all_of(names)
    return nearest(name, names)


def _question(name: str, names: list[str], question: str) -> str:
    same = [each for each in names if plain_word(each) == plain_word(name)]
    near = same or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return question.format(near[0]) if near else ""


def _all_of(names: list[str]) -> str:
    return f"Allowed: {listed(names)}" if names else "There is none to choose from"
