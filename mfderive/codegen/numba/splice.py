"""The run-time part of a solver: files of ``runtime/``, put together into one text.

Every file there is ordinary Python that is linted, typed and importable on its own. A solver holds their
text without docstrings of files and without imports, which are merged at its top.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

RUNTIME = Path(__file__).with_name("runtime")
_RULE = "# " + "-" * 32


# What a file of the run-time part begins with: its docstring and its imports.
_HEAD = re.compile(
    r'"""(?P<title>[^.]*)\..*?"""\s+(?P<imports>(?:(?:from|import) [^\n(]*(?:\([^)]*\))?\n+)*)', re.DOTALL
)


@dataclass(frozen=True)
class Part:
    """A file of the run-time part: its title, its absolute imports and the rest of its text.

    Only the imports are parsed: parsing whole files would take longer than writing a solver.
    """

    title: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    text: str

    @property
    def section(self) -> str:
        """The text under a heading."""
        return f"{heading(self.title)}\n\n{self.text}"

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions of the file by name, in its order."""
        lines = self.text.splitlines(keepends=True)
        found = {}
        for node in ast.parse(self.text).body:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                names = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
                found[node.name] = Function("".join(lines[first - 1 : node.end_lineno]), names)
        return found


@dataclass(frozen=True)
class Function:
    """A function of a file: its source, decorators included, and the names that it mentions."""

    source: str
    names: frozenset[str]


def heading(title: str) -> str:
    """A line that begins a section of a solver."""
    return f"{_RULE} {title}\n"


@cache
def read_part(path: Path) -> Part:
    """A file of the run-time part."""
    source = path.read_text(encoding="utf-8")
    head = _HEAD.match(source)
    if head is None:
        raise ValueError(f"{path} does not begin with a docstring and imports")
    imports = _imports(head["imports"])
    absolute = tuple(node for node in imports if not (isinstance(node, ast.ImportFrom) and node.level))
    return Part(head["title"], absolute, source[head.end() :].strip("\n") + "\n")


def _imports(text: str) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]


def part(name: str) -> Part:
    """The file of the run-time part that has a name; "layout" is the one that all backends share."""
    return read_part((RUNTIME.parent.parent if name == "layout" else RUNTIME) / f"{name}.py")


def with_callees(part: Part, wanted: Iterable[str]) -> list[str]:
    """Sources of functions of a file and of their callees, in the file's order (callees first)."""
    found: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in part.functions[name].names if other in part.functions]
    return [function.source for name, function in part.functions.items() if name in found]


def import_lines(parts: Sequence[Part], more: str = "") -> str:
    """The imports of files and of ``more`` (lines of text), merged: standard library first."""
    modules: set[str] = set()
    names: dict[str, set[str]] = {}
    for node in (*(n for part in parts for n in part.imports), *_imports(more)):
        if isinstance(node, ast.ImportFrom):
            names.setdefault(str(node.module), set()).update(map(_alias, node.names))
        else:
            modules.update(map(_alias, node.names))
    future = names.pop("__future__")
    blocks = [[f"from __future__ import {', '.join(sorted(future))}"]]
    for standard in (True, False):
        block = [f"import {name}" for name in sorted(modules) if _is_standard(name) is standard]
        block += [
            f"from {module} import {', '.join(sorted(names[module]))}"
            for module in sorted(names)
            if _is_standard(module) is standard
        ]
        blocks.append(block)
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def reads_scipy(text: str) -> bool:
    """Whether functions read scipy's ``special``; a layer of that name stands in strings and comments."""
    # Parsing takes its time, so it is for those that may.
    return "special." in text and any(
        isinstance(node, ast.Name) and node.id == "special" for node in ast.walk(ast.parse(text))
    )


def _alias(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _is_standard(module: str) -> bool:
    return module.split(maxsplit=1)[0].partition(".")[0] in sys.stdlib_module_names
