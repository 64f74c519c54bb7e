"""Compiled functions that several solvers have alike: compiled once per process, whichever solver calls."""

from __future__ import annotations

import builtins
import marshal
from collections.abc import Hashable
from types import CodeType, ModuleType
from typing import Any

# Functions by what decides their machine code.
_KNOWN: dict[Hashable, Any] = {}


def share_functions(module: ModuleType) -> None:
    """Put into an imported solver, in place of its own, compiled functions that another solver has alike.

    Kernels have the names of no network in them, so that networks with equal layers have equal kernels.
    Functions are alike where their bytecode, their options and all global values that they read are: a
    number edited in one solver's file makes its functions others. Where that cannot be told, a solver keeps
    its own. It keeps those that its other compiled functions call, too: these would be kept on disk with a
    function of a module that a later process does not have.
    """
    names = vars(module)
    compiled = {name: value for name, value in names.items() if hasattr(value, "py_func")}
    called = {name for value in compiled.values() for name in value.py_func.__code__.co_names}
    for name, value in compiled.items():
        key = _identity(value, ()) if name not in called else None
        if key is not None:
            names[name] = _KNOWN.setdefault(key, value)


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
