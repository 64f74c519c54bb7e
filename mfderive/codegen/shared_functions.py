"""Compiled functions that several solvers have alike: compiled once per machine, whichever solver calls."""

from __future__ import annotations

import builtins
import marshal
from collections.abc import Hashable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .function_files import digest_of, from_file

# Functions by what decides their machine code, with the digest of that.
_KNOWN: dict[Hashable, tuple[Any, str]] = {}


def share_functions(module: ModuleType, folder: Path) -> None:
    """Put into an imported solver, in place of its own, compiled functions that another solver has alike.

    Kernels have the names of no network in them, so that networks with equal layers have equal kernels.
    Functions are alike where their bytecode, their options and all global values that they read are: a
    number edited in one solver's file makes its functions others. Where that cannot be told, a solver keeps
    its own. What is shared stands in files in ``folder`` (:mod:`mfderive.codegen.function_files`), so that a
    later process finds the machine code there, whatever solver it loads.
    """
    names = vars(module)
    for name, value in [*names.items()]:
        if hasattr(value, "py_func"):
            names[name] = _shared(value, folder)[0]


def _shared(own: Any, folder: Path) -> tuple[Any, str]:
    """The function that all solvers have in place of ``own``, and its digest; ``own`` and "" where none."""
    identity = _identity(own, ())
    if identity is None:
        return own, ""
    if identity not in _KNOWN:
        function = own.py_func
        read = {name: function.__globals__.get(name) for name in function.__code__.co_names}
        called = {
            name: _shared(value, folder)[1] for name, value in read.items() if hasattr(value, "py_func")
        }
        digest = digest_of(identity)
        found = from_file(own, digest, called, folder) if all(called.values()) else None
        if found is None:
            return own, ""  # it would be kept on disk as a function of a module that no later process has
        _KNOWN[identity] = found, digest
    return _KNOWN[identity]


def _identity(dispatcher: Any, callers: tuple[Any, ...]) -> Hashable | None:
    """What decides the machine code of a function and of all that it calls; None where that is unknown."""
    function = dispatcher.py_func
    code: CodeType = function.__code__
    nested = any(isinstance(constant, CodeType) for constant in code.co_consts)
    if nested or function.__closure__ or function.__defaults__ or dispatcher in callers:
        return None
    read = []
    for name in code.co_names:  # of globals and of attributes
        if name in function.__globals__:
            value = _identity_of_value(function.__globals__[name], (*callers, dispatcher))
            if value is None:
                return None
            read.append((name, value))
        elif hasattr(builtins, name):
            read.append((name, "builtin"))
    options = repr(sorted((key, _in_order(each)) for key, each in dispatcher.targetoptions.items()))
    return _bytecode(code), options, tuple(read)


def _identity_of_value(value: Any, callers: tuple[Any, ...]) -> Hashable | None:
    if hasattr(value, "py_func"):
        return _identity(value, callers)
    if isinstance(value, ModuleType):
        return "module", value.__name__
    if value is None or isinstance(value, bool | int | float | str):
        return type(value).__name__, repr(value)
    return None


def _bytecode(code: CodeType) -> bytes:
    """A function's bytecode with its constants, whatever its name and wherever it stands."""
    plain = code.replace(co_filename="", co_name="", co_qualname="", co_firstlineno=1, co_linetable=b"")
    return marshal.dumps(plain, 2)  # later versions depend on how often an object is referred to


def _in_order(option: Any) -> str:
    return repr(sorted(option)) if isinstance(option, set | frozenset) else repr(option)
