"""Solvers as Python files that numba compiles."""

from __future__ import annotations

from pathlib import Path

from ...algebra.system import LimitSystem, draw_noise
from ...notation.document import latex_document
from ..digest import digest
from ..numba.module import solver_source
from ..protocol import Solver
from ..solver_files import EQUATIONS, SOLVER, load_solver, write_files
from ..solver_module import as_solver


def generate(system: LimitSystem, directory: Path | None, overwrite: bool) -> Solver:
    """Write ``solver.py``, ``equations.tex`` and ``manifest.json``, and import the solver."""
    name = digest(system)
    files = {SOLVER: solver_source(draw_noise(system), name), EQUATIONS: latex_document(system)}
    solver: Solver = as_solver(load_solver(write_files(files, name, directory, overwrite)), system)
    return solver
