"""The kinds of faults that a spec can have, for programs that read what is wrong with it."""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """What sort of fault it is; the sentence of the fault says the rest."""

    FILE = "file"  # the file cannot be read
    SYNTAX = "syntax"  # its text is not TOML
    UNKNOWN_KEY = "unknown-key"
    REFUSED_KEY = "key-not-here"  # a key of the format that makes no sense where it stands
    MISSING_KEY = "missing-key"
    WRONG_VALUE = "wrong-value"  # a value of another type, or out of its range
    NAME = "unknown-name"  # a name in an expression that means nothing there
    MEANING = "meaning"  # every other rule of the format
    DATA = "data"  # what the data say against the spec
