"""Symbols of a spec's local names that are more than a word: an end of a connection, a component, or both."""

from __future__ import annotations

from typing import Any

import sympy as sp

from .laws import End


class LocalSymbol(sp.Symbol):
    """``source.w[1,2]``: what is read (``w``), at which end (None: no end is named), and which component.

    Prints as it is written. A plain word is a plain symbol.
    """

    base: str
    end: End | None
    component: tuple[int, ...]

    def __new__(cls, base: str, end: End | None = None, component: tuple[int, ...] = ()) -> LocalSymbol:
        """The symbol; the same parts give equal symbols."""
        head = f"{end.value}." if end is not None else ""
        tail = f"[{','.join(map(str, component))}]" if component else ""
        made: LocalSymbol = super().__new__(cls, f"{head}{base}{tail}")
        made.base, made.end, made.component = base, end, component
        return made

    @classmethod
    def class_key(cls) -> Any:
        """Sorted and printed among plain symbols."""
        return sp.Symbol.class_key()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return LocalSymbol, (self.base, self.end, self.component)


def local_symbol(base: str, end: End | None = None, component: tuple[int, ...] = ()) -> sp.Symbol:
    """The symbol of a local name: a plain one where only a word is known."""
    return LocalSymbol(base, end, component) if end is not None or component else sp.Symbol(base)


def base_of(symbol: sp.Symbol) -> str:
    """What a symbol reads, without end and component."""
    return symbol.base if isinstance(symbol, LocalSymbol) else str(symbol.name)


def end_of(symbol: sp.Symbol) -> End | None:
    """The end of a connection at which a symbol reads; None where none is named."""
    return symbol.end if isinstance(symbol, LocalSymbol) else None


def component_of(symbol: sp.Symbol) -> tuple[int, ...]:
    """The component that a symbol reads; () where none is named."""
    return symbol.component if isinstance(symbol, LocalSymbol) else ()
