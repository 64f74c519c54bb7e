"""Compiled functions in files of their own: what solvers share is found by later processes, too.

A file is named by what decides the machine code of its function. It holds the function as it stands in the
solver that was loaded first and the values that it reads; functions that it calls are imported from their
files. So it depends on no solver, and numba keeps the machine code beside it.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import textwrap
from collections.abc import Hashable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numba

from ..errors import MfError
from ..runs.atomic import write_text

_HEADER = '''"""A compiled function that several solvers of mfderive have alike."""

from __future__ import annotations

from typing import Any

from numba import njit

Array = Real = Any
'''

# Functions are alike whatever their names are.
_FOOTER = "\nSHARED = {}\n"

_PACKAGE = "mfderive_functions"
_PREFIX = "function_"
# Options that say what njit says itself, or what it is given here.
_UNSAID = ("nopython", "boundscheck")


def digest_of(identity: Hashable) -> str:
    """The digest of what decides the machine code of a function; of this form of files, too."""
    text = f"{_HEADER} {_FOOTER} {numba.__version__} {sys.version} {identity!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def from_file(dispatcher: Any, digest: str, called: Mapping[str, str], folder: Path) -> Any | None:
    """The compiled function ``dispatcher``, from its file in ``folder``; None where there can be none.

    ``digest`` names the file; ``called`` holds the digests of the functions that it calls, by the names that
    they have in it: their files are there.
    """
    path = folder / f"{_PREFIX}{digest}.py"
    try:
        if not path.is_file():
            write_text(path, _text(dispatcher, called))
        return _imported(path).SHARED
    except (MfError, OSError, AttributeError, ImportError, SyntaxError, NameError, TypeError):
        return None  # no source, no room, or a file that is not whole: the solver has the function itself


def _imported(path: Path) -> ModuleType:
    """The module of a file, in one package for all folders: files import each other."""
    if _PACKAGE not in sys.modules:
        package = ModuleType(_PACKAGE, "Compiled functions that solvers share.")
        package.__path__ = []
        sys.modules[_PACKAGE] = package
    places = sys.modules[_PACKAGE].__path__
    if str(path.parent) not in places:
        places.append(str(path.parent))
    return importlib.import_module(f"{_PACKAGE}.{path.stem}")


def _text(dispatcher: Any, called: Mapping[str, str]) -> str:
    """The file of a function: what it reads comes before it."""
    function = dispatcher.py_func
    lines = []
    for name in function.__code__.co_names:
        if name in function.__globals__:
            lines.append(_line(name, function.__globals__[name], called))
    source = textwrap.dedent(inspect.getsource(function))
    source = source[source.index(f"def {function.__name__}(") :]
    options = {key: value for key, value in dispatcher.targetoptions.items() if key not in _UNSAID}
    arguments = "".join(f", {key}={_option(value)}" for key, value in sorted(options.items()))
    return "\n".join([_HEADER, *lines, "", "", f"@njit(cache=True{arguments})", source, ""]) + _FOOTER.format(
        function.__name__
    )


def _line(name: str, value: Any, called: Mapping[str, str]) -> str:
    """The line that gives a file what its function reads by a name."""
    if hasattr(value, "py_func"):
        return f"from {_PACKAGE}.{_PREFIX}{called[name]} import SHARED as {name}"
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    return f"{name} = {value!r}"


def _option(value: Any) -> str:
    """An option of a compiled function as Python writes it; sets in their order."""
    return f"{{{', '.join(map(repr, sorted(value)))}}}" if isinstance(value, set | frozenset) else repr(value)
