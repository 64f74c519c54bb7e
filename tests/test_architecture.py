"""The law of imports (design: one way through the house), read from the source."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mfderive"
ORDER = [
    "errors",
    "algebra",
    "notation",
    "spec",
    "data",
    "limit",
    "reduce",
    "codegen",
    "solve",
    "check",
    "report",
    "cli",
]
FINITE_MAY = {"errors", "algebra", "spec", "data", "finite"}
MAY_FINITE = {"finite", "check", "cli"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports anywhere, also inside functions."""
    depth = len(path.relative_to(PACKAGE).parts)
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            rooms |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            parts = node.module.split(".")
            if parts[0] == "mfderive":
                rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("mfderive.")}
    return rooms


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_flow_one_way(path):
    """No file imports a room above its own; finite and its readers keep to their list."""
    room, imported = room_of(path), imported_rooms(path)
    if room == "finite":
        assert imported <= FINITE_MAY
        return
    allowed = set(ORDER[: ORDER.index(room) + 1]) | {"__version__"}
    if room in MAY_FINITE:
        allowed.add("finite")
    assert imported <= allowed, f"{room} must not import {sorted(imported - allowed)}"


def test_the_reader_of_imports_sees_imports(tmp_path):
    """The test above can fail: a relative import of a higher room is seen at every nesting."""
    source = PACKAGE / "limit" / "derive.py"
    assert {"algebra", "errors", "spec"} <= imported_rooms(source)


def test_no_layer_kinds_above_the_spec():
    """Generality comes from the calculus: limit, reduce and codegen name no layer kind."""
    kinds = ("dense", "convolution", "layer_norm", "residual", "pooling", "recurrent")
    for room in ("limit", "reduce", "codegen"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare):
                    constants = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant)]
                    assert not set(constants) & set(kinds), f"{path}:{node.lineno}"
