"""Imported solvers as modules that say what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from ..algebra.showing import Shown, brief, names, words
from ..algebra.system import LimitSystem

Importer = Callable[[], Any]


class SolverModule(Shown, ModuleType):
    """A generated solver. Its file is an ordinary module; this class is what it gets when it is imported.

    ``limit`` is the system that it computes, where it was made from one in this session (else None).
    ``imported_by`` imports its file again: pickle keeps this and no code, so the file must be there when a
    pickled solver is read. A copy is the solver itself.
    """

    limit: LimitSystem | None = None
    imported_by: Importer | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """The file from which the solver is imported again."""
        if self.imported_by is None:
            raise TypeError(f"the solver '{self.__name__}' cannot be pickled: it was not read by load_solver")
        return _again, (self.imported_by, self.limit)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def _summary(self) -> Iterator[str]:
        layout = self.layout
        yield f"Solver of '{words(str(getattr(self, 'TITLE', self.__name__)))}'"
        yield f"  file: {self.__file__}"
        yield f"  nodes: {names(layout.measures) or 'none'}; finite axes: {brief(dict(layout.sizes))}"
        yield f"  parameters: {names(layout.parameters)}"
        frozen = f"; frozen: {names(layout.frozen)}" if layout.frozen else ""
        yield f"  {'compiled by numba' if getattr(self, 'COMPILED', True) else 'plain Python'}{frozen}"
        yield "  .sample(widths) .forward(state, x) .velocity(state, x, y) .step(...) .predict(state, x)"


def as_solver(module: Any, limit: LimitSystem | None = None, imported_by: Importer | None = None) -> Any:
    """An imported solver, which from now on says what it is, and of which limit it is where that is known."""
    module.__class__ = SolverModule
    if limit is not None:
        module.limit = limit
    if imported_by is not None:
        module.imported_by = imported_by
    return module


def _again(imported_by: Importer, limit: LimitSystem | None) -> Any:
    return as_solver(imported_by(), limit)
