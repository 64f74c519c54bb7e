"""Results that belong to a frozen object and are computed once for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")


def once(function: Callable[[S], T]) -> Callable[[S], T]:
    """A function of one frozen object that computes its result at the first call and then keeps it there.

    The result lives in the object's ``__dict__`` and goes with it, so nothing has to be forgotten by hand.
    The object must never change after the first call, which a frozen dataclass does not.
    """
    key = f"once {function.__module__}.{function.__qualname__}"

    @wraps(function)
    def kept(value: S) -> T:
        known: dict[str, Any] = value.__dict__
        if key not in known:
            known[key] = function(value)
        result: T = known[key]
        return result

    return kept
