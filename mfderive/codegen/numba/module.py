"""The text of a solver: constants, compiled functions and sweeps put into the template."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...algebra.system import LimitSystem
from ...algebra.terms import AxisKind, Equation, Role
from ..digest import GENERATOR, digest
from .evolution import write_evolution
from .function_code import helpers
from .initial_values import law_lines, rate_lines
from .loops import Kernels
from .repeated import PRODUCT
from .sweep import Sweep, needed, reads

_FIRST_MAXIMUM = '''@compiled
def first_maximum(rows):
    """Replace every row by 1 at its first maximum and 0 elsewhere."""
    for i in range(rows.shape[0]):
        best = 0
        for j in range(1, rows.shape[1]):
            if rows[i, j] > rows[i, best]:
                best = j
        for j in range(rows.shape[1]):
            rows[i, j] = 0
        rows[i, best] = 1
'''


Temporaries = set[tuple[str, tuple[str, ...]]]


class _Body:
    """The sweeps of a solver and what they need: compiled functions and temporaries."""

    def __init__(self, system: LimitSystem) -> None:
        self.kernels = Kernels()
        self.temporaries: Temporaries = set()
        self.scratch: Temporaries = set()
        self.selects = self.repeats = False
        self.blocks: list[str] = []
        objective = _dependent(system)
        backward = needed(system.backward, {field for e in system.evolution for field in reads(e)})
        before = [e for e in system.forward if e.field not in objective]
        after = [e for e in system.forward if e.field in objective]
        self.sweep(system, "_forward", "Every forward field that needs no y.", before)
        self.sweep(system, "_loss", "What compares the output with y.", after)
        self.sweep(system, "_backward", "D: derivatives of the loss of each sample.", backward)
        self.evolution(system)
        self.blocks.append("\n".join(rate_lines(system)) + "\n")
        read = {field for e in (*backward, *system.evolution) for field in reads(e)}
        self.needs_loss = bool(read & objective)

    def sweep(self, system: LimitSystem, name: str, doc: str, equations: Iterable[Equation]) -> None:
        sweep = Sweep(system, self.kernels)
        for equation in equations:
            sweep.equation(equation)
        self.add(sweep, _function(f"{name}(f, nodes, make)", doc, sweep.lines))

    def evolution(self, system: LimitSystem) -> None:
        sweep = Sweep(system, self.kernels)
        write_evolution(sweep)
        doc = "out = scale * G for every trained parameter, or out += that (add)."
        self.add(sweep, _function("_evolution(f, nodes, make, out, scale, add)", doc, sweep.lines))

    def add(self, sweep: Sweep, block: str) -> None:
        self.blocks.append(block)
        self.temporaries |= sweep.temporaries
        self.scratch |= sweep.scratch
        self.selects = self.selects or sweep.selects
        self.repeats = self.repeats or sweep.repeats

    @property
    def functions(self) -> list[str]:
        """Sources of compiled functions, callees first."""
        first = [*([PRODUCT] if self.repeats else []), *([_FIRST_MAXIMUM] if self.selects else [])]
        return [*first, *helpers(self.kernels.functions), *self.kernels.sources.values()]


def solver_source(system: LimitSystem, name: str | None = None) -> str:
    """The Python file that solves a system whose noise is drawn; ``name``: the digest to write into it."""
    body = _Body(system)
    return _fill(
        {
            "TITLE": _plain(system.title),
            "TIME": "import time\n" if body.repeats else "",
            "POOL": "from concurrent.futures import ThreadPoolExecutor\n" if body.repeats else "",
            "VERSION": f"(generator {GENERATOR})",
            "CONSTANTS": _constants(system, name or digest(system), body.temporaries, body.scratch),
            "FUNCTIONS": "".join(f"\n{source}\n" for source in body.functions),
            "EQUATIONS": "\n\n".join(body.blocks) + "\n",
            "LOSSCALL": "    _loss(fields, nodes, make)\n" if body.needs_loss else "",
            "LAWS": "\n".join(law_lines(system)),
        }
    )


def _fill(parts: dict[str, str]) -> str:
    text = Path(__file__).with_name("solver_template.txt").read_text(encoding="utf-8")
    special = any("special." in parts[key] for key in ("LAWS", "EQUATIONS"))
    for key, part in ({"SPECIAL": "from scipy import special\n" if special else ""} | parts).items():
        text = text.replace(f"${key}$", part)
    return text


def _plain(title: str) -> str:
    """A title that can stand in a docstring."""
    return title.replace("\\", "/").replace('"""', "'''").strip().rstrip('"') or "A network"


def _function(signature: str, doc: str, lines: list[str]) -> str:
    body = list(lines)
    text = "\n".join(body)
    head = [name for name, part in (("n", 'n["'), ("p", 'p["')) if part in text]
    values = {"n": "nodes.size", "p": "nodes.weights"}
    if head:
        body.insert(0, f"    {', '.join(head)} = {', '.join(values[name] for name in head)}")
    return "\n".join([f"def {signature}:", f'    """{doc}"""', *body]) + "\n"


def _dependent(system: LimitSystem) -> set[str]:
    """The forward fields that need y."""
    found = {"y"}
    for equation in system.forward:
        if reads(equation) & found:
            found.add(equation.field)
    return found - {"y"}


def _table(name: str, rows: Iterable[tuple[str, object]]) -> str:
    lines = [f"    {_quoted(key)}: {value},".replace("'", '"') for key, value in rows]
    return "\n".join([f"{name} = {{", *lines, "}"]) if lines else f"{name} = {{}}"


def _list(name: str, arrays: Temporaries) -> str:
    lines = [f"    {axes!r},".replace("'", '"') for _, axes in sorted(arrays)]
    return "\n".join([f"{name} = [", *lines, "]"]) if lines else f"{name} = []"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _constants(system: LimitSystem, name: str, temporaries: Temporaries, scratch: Temporaries) -> str:
    populations = tuple(axis.name for axis in system.populations)
    measures = [a for a in system.axes if a.is_measure and a.kind is not AxisKind.DATA]
    frozen = tuple(p.name for p in system.parameters if p.is_frozen)
    tables = [
        f"TITLE = {_quoted(_plain(system.title))}",
        f"DIGEST = {_quoted(name)}",
        "# Axes of every parameter's array.",
        _table("PARAMETERS", ((p.name, p.axes) for p in system.parameters)),
        f"FROZEN = {frozen!r}".replace("'", '"'),
        f"POPULATIONS = {populations!r}".replace("'", '"'),
        '# Axes whose nodes have weights in state["p"], and their relative widths.',
        _table("MEASURES", ((a.name, repr(a.width)) for a in measures)),
        "# Sizes of the finite axes.",
        _table("SIZES", ((a.name, a.size) for a in system.axes if not a.is_measure)),
        "# Axes of every field.",
        _table("FIELDS", ((f.name, f.axes) for f in system.fields if f.role is not Role.VELOCITY)),
        "# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.",
        _list("TEMPORARIES", temporaries),
        _list("SCRATCH", scratch),
    ]
    return "\n".join(tables)
