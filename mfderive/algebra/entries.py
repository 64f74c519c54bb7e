"""What later rooms enter in tables of earlier ones: imported from its home when a table is first asked.

An earlier room cannot import what carries out some of its methods: the printing of equations, HTML, the
evaluation of trajectories that were read from files. The package's own file names where they are at home.
"""

from __future__ import annotations

from importlib import import_module

_HOMES: dict[str, list[str]] = {}

PRINTER, HTML, CHANGER, GRAPH_WRITER = "printer", "html", "changer", "graph writer"
TORCH_WRITER = "torch writer"
FIGURE = "figure of a coordinate check"


def ground_table(kind: str) -> str:
    """The name of the table with what evaluates trajectories of a kind, limit or network."""
    return f"ground of a {kind}"


def register_home(table: str, module: str) -> None:
    """Name a module that enters something in a table when it is imported."""
    _HOMES.setdefault(table, []).append(module)


def fill(table: str) -> None:
    """Import the modules that enter something in a table; it costs next to nothing after the first time."""
    for module in _HOMES.get(table, ()):
        import_module(module)


def homes(table: str) -> str:
    """The modules that enter something in a table, for messages."""
    return ", ".join(_HOMES.get(table, ())) or "mfderive"
