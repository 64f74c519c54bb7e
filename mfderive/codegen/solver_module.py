"""Imported solvers as modules that say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ..algebra.showing import Shown, brief, names, words
from ..algebra.system import LimitSystem


class SolverModule(Shown, ModuleType):
    """A generated solver. Its file is an ordinary module; this class is what it gets when it is imported.

    ``limit`` is the system that it computes, where it was made from one in this session (else None).
    """

    limit: LimitSystem | None = None

    def _summary(self) -> Iterator[str]:
        layout = self.layout
        yield f"Solver of '{words(str(getattr(self, 'TITLE', self.__name__)))}'"
        yield f"  file: {self.__file__}"
        yield f"  nodes: {names(layout.measures) or 'none'}; finite axes: {brief(dict(layout.sizes))}"
        yield f"  parameters: {names(layout.parameters)}"
        frozen = f"; frozen: {names(layout.frozen)}" if layout.frozen else ""
        yield f"  {'compiled by numba' if getattr(self, 'COMPILED', True) else 'plain Python'}{frozen}"
        yield "  .sample(widths) .forward(state, x) .velocity(state, x, y) .step(...) .predict(state, x)"


def as_solver(module: Any, limit: LimitSystem | None = None) -> Any:
    """An imported solver, which from now on says what it is, and of which limit it is where that is known."""
    module.__class__ = SolverModule
    if limit is not None:
        module.limit = limit
    return module
