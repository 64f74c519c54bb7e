"""Faults that do not depend on each other, gathered: the first is raised, and the others come with it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from . import FaultKind, SpecError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Faults:
    """The faults of a spec in the order in which its checks found them, each place once.

    A second fault at one key is nearly always what follows from the first; it comes back if it is not.
    """

    def __init__(self) -> None:
        self.found: list[SpecError] = []
        self._places: set[tuple[object, ...]] = set()

    def add(self, error: SpecError) -> None:
        """Take an error in, with those that came with it."""
        for each in (error, *error.others):
            place = _place(each)
            if place not in self._places:
                self._places.add(place)
                self.found.append(each)

    def tried(self, read: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T | None:
        """What a function makes of its arguments; None where it finds a fault, which is kept."""
        try:
            return read(*arguments, **named)
        except SpecError as error:
            self.add(error)
            return None

    def tried_in_doubt(self, read: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T | None:
        """As :meth:`tried`, where names come from what is faulty itself: faults of names are not kept."""
        inner = Faults()
        found = inner.tried(read, *arguments, **named)
        for error in inner.found:
            if error.kind is not FaultKind.NAME:
                error.others = ()
                self.add(error)
        return found

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is raised in the block comes after what was kept: the end of a block raises all of it."""
        if isinstance(error, SpecError):
            self.add(error)
        if error is None or isinstance(error, SpecError):
            self.raise_any()

    def raise_any(self) -> None:
        """Raise the first fault with the others beside it; nothing where there is none."""
        if self.found:
            first, *others = self.found
            for other in others:
                other.others = ()
            first.others = tuple(others)
            raise first from None


def _place(error: SpecError) -> tuple[object, ...]:
    """What tells faults apart: where they are, and what is wrong where that is not known by a key."""
    if error.path:
        return (error.file, ".".join(map(str, error.path)), "" if error.key else error.problem)
    return (error.file, error.table, error.key or error.problem)
