"""Errors that a user can act on.

Every error that a user's input can cause is an :class:`MfError`; the command line prints its message
without a traceback and exits with its code. Anything else that is raised is a fault of the program.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MfError(Exception):
    """Base of all errors that a user can act on; ``exit_code`` is what the command line returns."""

    exit_code = 2


class SpecError(MfError):
    """Something in a spec file (or graph) is wrong.

    The message names the file, the table, the key, what was found, what is allowed and what to do next,
    as far as they are known.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        table: str | None = None,
        key: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.table = table
        self.key = key
        self.remedy = remedy
        super().__init__(problem)

    def located(
        self, *, file: str | None = None, table: str | None = None, key: str | None = None
    ) -> SpecError:
        """The same error with the places filled in that were not known where it was raised."""
        return type(self)(
            self.problem,
            file=self.file or file,
            table=self.table or table,
            key=self.key or key,
            remedy=self.remedy,
        )

    def __str__(self) -> str:
        place = [part for part in (self.file, self.table) if part]
        if self.key:
            place.append(f"key '{self.key}'")
        head = ", ".join(place)
        text = f"{head}: {self.problem}" if head else self.problem
        return f"{text}. {self.remedy}" if self.remedy else text


class DataError(SpecError):
    """A data file is missing, truncated, not finite, or of the wrong shape."""


class ArgumentError(MfError):
    """An argument of a public function has a wrong type or value, or two arguments exclude each other."""


class StateError(ArgumentError):
    """Arrays given as a state do not fit the network (names, shapes, weights p, precision)."""


class ResourceError(MfError):
    """The run would need more memory than there is; the message gives the figure and the remedy."""


class DivergenceError(MfError):
    """A run left the finite numbers; the message names time, field and remedy."""

    exit_code = 3


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A sentence that lists what is allowed and names the nearest allowed name, if one is near."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Allowed: {', '.join(names)}" if names else f"{hint}Nothing is allowed here"
