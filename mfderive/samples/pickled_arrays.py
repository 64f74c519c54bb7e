"""Pickles of dictionaries, lists, words, numbers and arrays of numbers, read without running what they name.

A pickle may call any function of any module. Here the few names that arrays of numpy are made of stand for
recorders of this file, every other name is refused, and arrays are made of recorded bytes afterwards: no code
of numpy or of any other library sees what the file says before it has been checked.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, Literal

import numpy as np

from ..errors import quoted
from ..errors.unreadable import UnreadableError

_NUMBERS = "biuf"  # numpy's letters of truth values, whole numbers and real numbers
_ORDERS: dict[str, Literal["<", ">", "|", "="]] = {"<": "<", ">": ">", "|": "|", "=": "="}  # of bytes


class _Recorded:
    """What a pickle calls for and the state that it gives to it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Type(_Recorded):
    """A type of entries: ("u1", ...) with the state (version, byte order, ...)."""


class _Array(_Recorded):
    """An array whose state is (version, shape, type, whether Fortran's order, bytes)."""


class _ArrayClass(_Recorded):
    """The class of arrays itself, as an argument."""


class _Buffer(_Recorded):
    """An array as (bytes, type, shape, order), in newer files."""


def _encoded(text: Any, encoding: Any) -> bytes:
    """Bytes that Python 3 wrote for readers of Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise UnreadableError("it holds text in an unknown encoding")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayClass,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encoded,
    **{
        (module, name): recorder
        for core in ("numpy.core", "numpy._core")
        for module, name, recorder in (
            (f"{core}.multiarray", "_reconstruct", _Array),
            (f"{core}.numeric", "_frombuffer", _Buffer),
        )
    },
}


class _Reader(pickle.Unpickler):
    """An unpickler that knows the names of arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        """The recorder of a name. Raises UnreadableError for all that no array of numbers needs."""
        if (module, name) not in _ALLOWED:
            raise UnreadableError(
                f"it asks for {quoted(f'{module}.{name}')}, and only numbers, words and arrays of numbers "
                "are read from pickles"
            )
        return _ALLOWED[module, name]


def read_pickle(content: bytes) -> dict[str, Any]:
    """The dictionary in a pickle; its words are bytes where Python 2 wrote them, its keys are text.

    Arrays of numbers become arrays [...] of numpy; containers inside of it stay as they are read. Raises
    UnreadableError for anything else.
    """
    try:
        found = _Reader(io.BytesIO(content), encoding="bytes").load()
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle may raise almost anything, as its documentation says
        raise UnreadableError("it is no pickle, or a damaged one") from error
    if not isinstance(found, dict):
        raise UnreadableError("it is no pickle of a dictionary")
    return {text_of(key): _plain(value) for key, value in found.items()}


def text_of(value: Any) -> str:
    """Words of Python 2 (bytes) or 3 as text."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return _array(value)
    if isinstance(value, _Buffer):
        buffer, kind, shape, order = (*value.arguments, None, None, None, None)[:4]
        return _filled(buffer, kind, shape, order in ("F", b"F"))
    return value


def _array(found: _Array) -> Any:
    state = found.state
    if not isinstance(state, tuple) or len(state) != 5:
        raise UnreadableError("it holds an array of an unknown version")
    _, shape, kind, fortran, content = state
    return _filled(content, kind, shape, bool(fortran))


def _filled(content: Any, kind: Any, shape: Any, fortran: bool) -> Any:
    """An array of a recorded type and shape out of bytes."""
    entry = _entry_type(kind)
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise UnreadableError("it holds an array whose shape is none")
    needed = math.prod(sizes) * entry.itemsize
    if not isinstance(content, bytes | bytearray) or len(content) != needed:
        raise UnreadableError(f"it holds an array of shape {sizes} whose bytes do not fit")
    return np.frombuffer(content, dtype=entry).reshape(sizes, order="F" if fortran else "C")


def _entry_type(kind: Any) -> Any:
    if not isinstance(kind, _Type) or not kind.arguments:
        raise UnreadableError("it holds an array of an unknown type")
    letters = text_of(kind.arguments[0])
    order = text_of(kind.state[1]) if isinstance(kind.state, tuple) and len(kind.state) > 1 else "="
    if letters[:1] not in _NUMBERS or not letters[1:].isdecimal() or order not in _ORDERS:
        raise UnreadableError(f"it holds an array of type {quoted(letters)}, not of numbers")
    try:
        return np.dtype(letters).newbyteorder(_ORDERS[order])
    except TypeError:
        raise UnreadableError(f"it holds an array of the unknown type {quoted(letters)}") from None
