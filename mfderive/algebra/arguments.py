"""Checks of what callers pass to public functions: one set, so that all of them refuse in the same words.

Every check returns the value that it lets through, as a plain Python object, or raises
:class:`mfderive.errors.ArgumentError`, which says what was found and what is allowed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ArgumentError, nearest_word, shown

T = TypeVar("T")
Array = Any

LARGEST = 2**63 - 1  # as in spec files
NETWORK = "Load one first: mfderive.load(path), or mfderive.from_networkx(graph)"
LIMIT = "Derive one first: mfderive.derive(network)"


def found(value: Any) -> str:
    """What a caller gave, in few words."""
    if value is None:
        return "None"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array of shape {shape}"
    return f"{shown(value)} ({type(value).__name__})"


def instance(value: Any, kinds: type[T] | tuple[type[T], ...], what: str, remedy: str = "") -> T:
    """``value`` where it has one of the types; ``what`` names what is needed ("a network")."""
    if not isinstance(value, kinds):
        raise ArgumentError(f"{what} is needed, found {found(value)}." + (f" {remedy}" if remedy else ""))
    return value


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """An integer of at least ``least``; numpy's integers too, but neither 3.0 nor True."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ArgumentError(f"{name} is {found(value)}; it must be a whole number of at least {least}")
    if int(value) > LARGEST:
        raise ArgumentError(f"{name} is {found(value)}; it must not be larger than {LARGEST}")
    return int(value)


def number(name: str, value: Any) -> float:
    """A finite real number."""
    if not math.isfinite(_real(value)):
        raise ArgumentError(f"{name} is {found(value)}; it must be a finite number")
    return float(value)


def positive_number(name: str, value: Any) -> float:
    """A finite real number greater than 0."""
    if not 0 < _real(value) < math.inf:
        raise ArgumentError(f"{name} is {found(value)}; it must be a finite number greater than 0")
    return float(value)


def _real(value: Any) -> float:
    """A real number as a float; nan for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that is only taken for one of them."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} is {found(value)}; it must be True or False")
    return value


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """One of some names."""
    names = tuple(allowed)
    if not isinstance(value, str) or value not in names:
        word = value if isinstance(value, str) else ""
        raise ArgumentError(f"{name} is {found(value)}. {nearest_word(word, names)}")
    return value


def optional(check: Callable[..., T], name: str, value: Any, *rest: Any) -> T | None:
    """None, or what ``check`` lets through."""
    return None if value is None else check(name, value, *rest)


def by_name(check: Callable[..., T], name: str, value: Any, *rest: Any) -> T | dict[str, T]:
    """One value for all, or a mapping from names to values."""
    if isinstance(value, Mapping):
        return {str(key): check(f"{name}[{shown(str(key))}]", entry, *rest) for key, entry in value.items()}
    return check(name, value, *rest)


def file_path(name: str, value: Any) -> Path:
    """The path of a file or folder."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(value, bytes) or not os.fspath(value):
        raise ArgumentError(f"{name} is {found(value)}; it must be the path of a file or folder")
    path = os.fspath(value)
    if not isinstance(path, str) or "\0" in path:
        raise ArgumentError(f"{name} is {found(value)}; it must be the path of a file or folder")
    return Path(path)


def exclusive(**given: Any) -> None:
    """At most one of some arguments may be given (not None)."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ArgumentError(f"{names[0]} and {names[1]} cannot both be given. Leave one of them out")


def real_array(name: str, values: Any) -> Array:
    """Finite real numbers as a float64 array."""
    import numpy as np

    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise ArgumentError(f"{name} is not an array of numbers: its rows differ in length") from problem
    if array.dtype.kind not in "iufb":
        raise ArgumentError(f"{name} has entries of type {array.dtype}; it must hold real numbers")
    array = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise ArgumentError(f"{name} is {array[place]} at {list(place)}; it must hold finite numbers")
    return array
