"""A person's own function from a Python file, as flags name it: FILE.py or FILE.py:NAME."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ArgumentError, MfError, nearest, quoted

_ENDING = ".py"


@contextmanager
def given_function(flag: str, text: str, default: str, arguments: tuple[str, ...]) -> Iterator[Any]:
    """The function that ``text`` (FILE.py or FILE.py:NAME) names, while it is used.

    ``flag``: whose value it is; ``default``: the name where none is given; ``arguments``: what it is called
    with, by position. The folder of the file can be imported from, as when Python runs the file. What the
    function raises is raised as an MfError with the line of the file that it came from. Raises ArgumentError
    for a file that cannot be read or imported, and for a name that is no such function.
    """
    path, name = _place(flag, text, default)
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        module = _imported(flag, path)
        yield _called(path, _function(flag, path, module, name, arguments))
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _place(flag: str, text: str, default: str) -> tuple[Path, str]:
    """The file and the name. Raises ArgumentError where there is no such file."""
    shown, name = text, default
    if not text.endswith(_ENDING):
        shown, sign, name = text.rpartition(":")
        if not sign or not shown.endswith(_ENDING) or not name.isidentifier():
            raise ArgumentError(
                f"{flag} is {quoted(text)}; it must be FILE{_ENDING} or FILE{_ENDING}:NAME, the file and the "
                f"function in it (without NAME: {default})"
            )
    path = Path(shown)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        near = [p.name for p in path.parent.glob(f"*{_ENDING}")] if path.parent.is_dir() else []
        told = f" {nearest(path.name, near)}" if near else ""
        raise ArgumentError(f"{flag}: {quoted(shown)}: there is {what}.{told}")
    return path, name


def _imported(flag: str, path: Path) -> ModuleType:
    """The file as a module, executed. Raises ArgumentError where that fails, with the line."""
    # A name of its own, so that no installed module is hidden; dataclasses look their module up by it.
    label = f"mfderive_given_{path.stem}"
    spec = importlib.util.spec_from_file_location(label, path)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"{flag}: {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[label] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as problem:
        where = problem.filename or path
        raise ArgumentError(
            f"{flag}: {where}, line {problem.lineno}: this is not Python ({problem.msg})"
        ) from problem
    except SystemExit as problem:
        raise ArgumentError(
            f"{flag}: {path} ends the program when it is imported (sys.exit). Put what is to happen only "
            "when the file is run behind: if __name__ == '__main__':"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ArgumentError(f"{flag}: {path} is not text in UTF-8") from problem
    except Exception as problem:
        raise ArgumentError(f"{flag}: {_told(path, problem)} while the file was imported") from problem
    return module


def _function(
    flag: str, path: Path, module: ModuleType, name: str, arguments: tuple[str, ...]
) -> Callable[..., Any]:
    """The function of a module. Raises ArgumentError where it is none, or takes other arguments."""
    own = [
        key
        for key, value in vars(module).items()
        if inspect.isroutine(value) and getattr(value, "__module__", None) == module.__name__
    ]
    wanted = f"{name}({', '.join(arguments)})"
    if not hasattr(module, name):
        told = nearest(name, own) if own else "It defines no function"
        raise ArgumentError(f"{flag}: {path} has no function {name!r}; wanted is {wanted}. {told}")
    function = getattr(module, name)
    if not callable(function):
        raise ArgumentError(
            f"{flag}: {name} in {path} is of type {type(function).__name__}, no function; wanted is {wanted}"
        )
    try:
        inspect.signature(function).bind(*arguments)
    except ValueError:  # written in C: it says nothing about its arguments
        pass
    except TypeError as problem:
        raise ArgumentError(
            f"{flag}: {name} in {path} cannot be called as {wanted}: {problem}. Give all others a default"
        ) from problem
    found: Callable[..., Any] = function
    return found


def _called(path: Path, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose exceptions are a person's own mistakes, not faults of the program."""

    @wraps(function)
    def call(*given: Any) -> Any:
        try:
            return function(*given)
        except MfError:
            raise
        except Exception as problem:
            raise MfError(_told(path, problem)) from problem
        except SystemExit as problem:
            raise MfError(f"{path} ended the program (sys.exit)") from problem

    return call


def _told(path: Path, problem: Exception) -> str:
    """What was raised, with the last line of the file that it came through."""
    here = path.resolve()
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(problem.__traceback__)
        if Path(frame.filename).resolve() == here
    ]
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    said = " ".join(str(problem).split())[:300]
    return f"{where}: {type(problem).__name__}{f': {said}' if said else ''}"
