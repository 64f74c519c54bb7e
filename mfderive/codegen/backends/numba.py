"""Solvers as Python files that numba compiles."""

from __future__ import annotations

from pathlib import Path

from ...algebra.memo import once
from ...algebra.system import LimitSystem, draw_noise
from ...notation.document import latex_document
from ..digest import digest
from ..numba.module import solver_source
from ..protocol import Solver
from ..solver_files import EQUATIONS, SOLVER, load_solver, write_files
from ..solver_module import as_solver


def generate(system: LimitSystem, directory: Path | None, overwrite: bool) -> Solver:
    """Write ``solver.py`` and ``manifest.json``, and import the solver.

    A ``directory`` that people look into gets ``equations.tex``, too; the cache does not.
    """
    name, source = _named_source(system)
    files = {SOLVER: source}
    if directory is not None:
        files[EQUATIONS] = latex_document(system)
    solver: Solver = as_solver(load_solver(write_files(files, name, directory, overwrite)), system)
    return solver


@once
def _named_source(system: LimitSystem) -> tuple[str, str]:
    """The digest of a system and the text of its solver."""
    name = digest(system)
    return name, solver_source(draw_noise(system), name)
