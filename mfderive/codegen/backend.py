"""The registry of backends: one file of ``backends/`` is one row."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..algebra.arguments import choice
from ..algebra.system import LimitSystem
from . import backends
from .protocol import Solver


@dataclass(frozen=True)
class Backend:
    """A way of making solvers.

    ``generate(system, directory, overwrite)`` makes the solver of a limit. It may write files: into
    ``directory``, or the user's cache where that is None; ``overwrite`` allows it to replace edited ones.
    """

    name: str
    generate: Callable[[LimitSystem, Path | None, bool], Solver]


def backend_names() -> tuple[str, ...]:
    """The names of all backends: those of the files of ``backends/``."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(backends.__path__)))


def find_backend(name: str) -> Backend:
    """The backend of a name, whose file is imported only now.

    Its file defines ``generate(system, directory, overwrite)``. Raises ArgumentError for an unknown name.
    """
    module = importlib.import_module(f"{backends.__name__}.{choice('backend', name, backend_names())}")
    return Backend(name, module.generate)
