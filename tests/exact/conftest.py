"""Fixtures of the exact leg."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mfderive.algebra.system import LimitSystem

from .comparison import plain_solver


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[LimitSystem], ModuleType]:
    """A function limit -> its generated solver, run as plain Python."""
    root: Path = tmp_path_factory.mktemp("solvers")

    def build(limit: LimitSystem) -> ModuleType:
        return plain_solver(limit, root)

    return build
