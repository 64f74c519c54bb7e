"""The law of the house, read from the source: one list of rooms, one-way imports, no circles, short files.

The list is the one of docs/architecture.md. A room imports itself and the rooms before it; the witness
``finite`` sees neither the limit nor anything that is made of it.
"""

import ast
from pathlib import Path

import pytest

from mfderive.forward.kinds import KINDS
from mfderive.network.tables import BY_AXIS

PACKAGE = Path(__file__).parent.parent / "mfderive"
ORDER = (
    "errors",
    "algebra",
    "network",
    "forward",
    "format",
    "samples",
    "limit",
    "analysis",
    "tensor",
    "state",
    "notation",
    "reduction",
    "advice",
    "runs",
    "codegen",
    "solution",
    "finite",
    "fluctuation",
    "verdict",
    "scaling",
    "signals",
    "report",
    "variational",
    "sweeps",
    "exchange",
    "cli",
    "__main__",
)
# The witness must not know what it is held against.
FINITE_MAY = {"errors", "algebra", "network", "forward", "format", "samples", "state", "runs", "finite"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules_imported(path):
    """The files of the package that a file imports anywhere, also inside functions."""
    package = list(path.relative_to(PACKAGE.parent).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = [*base, *(node.module.split(".") if node.module else [])]
            if target[:1] == ["mfderive"]:
                found |= {file_of([*target, alias.name]) or file_of(target) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {file_of(alias.name.split(".")) for alias in node.names}
    return found - {None}


def file_of(parts):
    """The file of a dotted module of the package; None for anything else."""
    if parts[:1] != ["mfderive"]:
        return None
    place = PACKAGE.joinpath(*parts[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file() and path != PACKAGE / "__init__.py":
            return path
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_flow_one_way(path):
    """No file imports a room after its own; the witness keeps to its own list."""
    room, imported = room_of(path), {room_of(other) for other in modules_imported(path)}
    allowed = FINITE_MAY if room == "finite" else set(ORDER[: ORDER.index(room) + 1])
    assert imported <= allowed, f"{room} must not import {sorted(imported - allowed)}"


def test_no_two_files_import_each_other():
    """The imports of files make no circle, inside rooms either."""
    graph = {path: modules_imported(path) for path in FILES}
    done = set()

    def visit(path, above):
        if path in above:
            circle = [str(p.relative_to(PACKAGE)) for p in (*above[above.index(path) :], path)]
            pytest.fail(" -> ".join(circle))
        if path not in done:
            for other in sorted(graph[path] - {path}):
                visit(other, (*above, path))
            done.add(path)

    for path in FILES:
        visit(path, ())
    assert len(done) == len(FILES) > 100


def test_the_reader_of_imports_sees_imports():
    """The tests above can fail: imports at every nesting, and inside functions, are seen."""
    imported = modules_imported(PACKAGE / "limit" / "derive.py")
    assert PACKAGE / "algebra" / "system.py" in imported
    assert {"algebra", "forward", "network"} <= {room_of(path) for path in imported}
    assert {room_of(path) for path in modules_imported(PACKAGE / "cli" / "commands.py")} >= {"report"}


def test_rooms_are_those_of_the_list():
    """Every room stands in the list, and no room has the name of a public function."""
    import mfderive as mf

    rooms = {room_of(path) for path in FILES}
    assert rooms == set(ORDER)
    assert not rooms & set(mf.__all__)


def test_no_two_files_have_one_name():
    """A file's name says what it is in the whole house; only packages' own files share one."""
    names = [path.name for path in FILES if path.name not in ("__init__.py", "__main__.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path):
    """A file can be read in one sitting, a function seen on one screen."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


CALCULUS = ("limit", "analysis", "reduction", "tensor", "codegen")


def test_the_calculus_names_no_layer_kind():
    """Generality comes from the calculus: its rooms compare nothing with the name of a layer kind.

    The names come from the table of kinds; a name that means something else there (a connection's slot may be
    a "skip" in no other sense) would be seen too.
    """
    kinds = set(KINDS)
    assert len(kinds) >= 6
    looked_at = 0
    for room in CALCULUS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Compare | ast.MatchValue | ast.Dict):
                    looked_at += 1
                    constants = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
                    named = {c for c in constants if isinstance(c, str)} & kinds
                    assert not named, f"{path}:{getattr(node, 'lineno', '')} names {named}"
    assert looked_at > 300


def test_no_decision_is_made_by_taking_names_apart():
    """Relations are objects: nothing decides by parsing a field's name or by the rank of an array."""
    forbidden = ('.split(".")', 'startswith("adj', 'startswith("d ', "removesuffix", "np.ndim(", '"adj ')
    allowed = {
        # Files and paths have suffixes; an expression's own text is read by its parser.
        ("cli/starting.py", "removesuffix"),
        ("cli/starting.py", '.split(".")'),
        ("samples/files.py", "removesuffix"),
        # The smallest solver written by hand: its fields have names.
        ("codegen/numba/runtime/example.py", '"adj '),
    }
    found = []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        where = str(path.relative_to(PACKAGE))
        found += [(where, word) for word in forbidden if word in text and (where, word) not in allowed]
    assert found == []
    assert BY_AXIS  # the package was imported, not an empty folder read


# Methods that take a text apart, or ask what it is made of.
TAKING_APART = {
    *("rsplit", "partition", "rpartition", "removeprefix", "removesuffix", "startswith", "endswith"),
    *(
        "match",
        "fullmatch",
        "search",
        "findall",
        "finditer",
        "isdigit",
        "isupper",
        "islower",
        "find",
        "rfind",
    ),
}
# Rooms that read what people and other programs write: specs, flags, files, web pages.
READERS = {"errors", "network", "format", "samples", "runs", "report", "sweeps", "exchange", "cli"}
# Elsewhere texts are taken apart that are no names: expressions of a spec, LaTeX that was just written (a
# given name W2 is printed with a subscript), brackets of code, Python files, the parts of a Python class.
OF_TEXTS = {
    "algebra/parser.py": {"partition"},
    "algebra/syntax.py": {"partition", "match"},
    "notation/breaking.py": {"startswith", "fullmatch", "findall", "isupper"},
    "notation/letters.py": {"fullmatch"},
    "notation/rule_printer.py": {"fullmatch"},
    "notation/styles.py": {"fullmatch", "search", "isdigit"},
    "codegen/numba/splice.py": {"match", "partition"},
    "codegen/protocol.py": {"startswith"},
}


def taken_apart(node):
    """How a node takes a text apart, if it does: by a method, or by a part of somebody's ``name``."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        return "name[...]" if node.value.attr == "name" else None
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    word, of = node.func.attr, node.func.value
    is_split = word == "split" and node.args and not (isinstance(of, ast.Name) and of.id == "np")
    return word if is_split or word in TAKING_APART else None


@pytest.mark.parametrize("disguise", ["symbol.name[1:]", "re.match(r'(.*) b', name)", "name.split(' ', 1)"])
def test_disguises_are_seen(disguise):
    assert any(taken_apart(node) for node in ast.walk(ast.parse(disguise)))


def test_no_text_is_taken_apart_where_equations_are_made():
    """The same by syntax: outside of the readers of texts no method takes one apart, whoever it is of."""
    looked_at, found = 0, {}
    for path in FILES:
        where = str(path.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            looked_at += isinstance(node, ast.Call)
            word = taken_apart(node)
            if word is not None and (room_of(path) not in READERS or word == "name[...]"):
                found.setdefault(where, set()).add(word)
    assert found.pop("report/run_folder.py") == {"name[...]"}  # the name of a file
    assert found == OF_TEXTS
    assert looked_at > 5000
