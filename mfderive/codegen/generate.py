"""From a limit to a solver."""

from __future__ import annotations

from pathlib import Path

from ..algebra.arguments import file_path, flag
from ..algebra.reduced import Reduced, limit_of
from ..algebra.system import LimitSystem
from .backend import find_backend
from .protocol import Solver, missing_parts
from .solver_files import EQUATIONS, MANIFEST, SOLVER, cache_directory, load_solver

__all__ = ["EQUATIONS", "MANIFEST", "SOLVER", "cache_directory", "generate", "load_solver"]


def generate(
    system: LimitSystem | Reduced,
    directory: Path | str | None = None,
    *,
    backend: str = "numba",
    overwrite: bool = False,
) -> Solver:
    """The solver of a limit, or of a reduced one (:class:`mfderive.codegen.protocol.Solver`), by a backend.

    "numba" writes an importable module (``solver.py``, ``equations.tex``, ``manifest.json``) and imports it.
    ``directory`` None: a folder of the user's cache, named by the system's digest, without the equations (the
    environment variable MFDERIVE_CACHE moves the cache). The same system gives the same bytes; files that
    are already right are not touched, so that compiled code on disk stays valid. A file that was edited by
    hand is replaced only with ``overwrite``. Raises ArgumentError for a backend that does not exist, and
    MfError for a node that code cannot express, for a folder that cannot be written, and for a file that was
    edited.
    """
    limit = limit_of(system)
    flag("overwrite", overwrite)
    chosen = find_backend(backend)
    solver = chosen.generate(
        limit, None if directory is None else file_path("directory", directory), overwrite
    )
    missing = missing_parts(solver)
    if missing:
        raise TypeError(f"the solver of backend '{backend}' lacks {', '.join(missing)}")
    return solver
