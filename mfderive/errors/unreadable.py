"""Why a file cannot be read, in words: what libraries raise says little to whoever wrote the file."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
import zlib

from . import quoted


class UnreadableError(ValueError):
    """A file that is not what it should be; the text says what is wrong, as a message repeats it."""


def reason(error: BaseException) -> str:
    """What is wrong with a file, from what was raised when it was read; the sentence is about "it"."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, KeyError) and error.args:
        return f"it lacks {quoted(str(error.args[0]))}"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    if isinstance(error, ValueError) and "pickle" in str(error).lower():
        return "it holds Python objects, which are never unpickled"
    return "its content is not laid out as it should be"


_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((gzip.BadGzipFile,), "it is not compressed by gzip, or its checksums do not fit"),
    ((zipfile.BadZipFile, zlib.error), "it is no zip archive, or a part of it is missing or changed"),
    ((EOFError,), "it ends too early"),
    ((NotImplementedError,), "it is compressed in an unknown way"),
    ((UnicodeDecodeError,), "its text is not UTF-8"),
    ((csv.Error,), "a cell holds a zero byte or is longer than any cell"),
    ((json.JSONDecodeError,), "its text is not JSON"),
)
