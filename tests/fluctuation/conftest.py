"""Solvers of small networks as plain Python: nothing is compiled, the source is the same."""

from collections.abc import Iterator

import pytest

from mfderive.algebra.reduced import limit_of
from mfderive.fluctuation import fluctuations, influence
from tests.exact.comparison import plain_solver


@pytest.fixture(autouse=True)
def plain_solvers(request, tmp_path_factory, monkeypatch) -> Iterator[None]:
    """Every solver that a prediction makes, outside of studies."""
    if request.node.get_closest_marker("study") is None:
        root = tmp_path_factory.mktemp("solvers")
        for module in (fluctuations, influence):
            monkeypatch.setattr(module, "generate", lambda system: plain_solver(limit_of(system), root))
    yield
