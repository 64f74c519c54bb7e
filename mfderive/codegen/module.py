"""The text of a solver: constants, compiled functions and sweeps put into the template."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..algebra.system import LimitSystem
from ..algebra.terms import Role
from .digest import GENERATOR, digest
from .driver import Sweep, needed, reads
from .evolution import write_evolution
from .functions import helpers
from .kernels import Kernels
from .laws import law_lines, rate_lines

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


def solver_source(system: LimitSystem, name: str | None = None) -> str:
    """The Python file that solves a system whose noise is drawn; ``name``: the digest to write into it."""
    kernels = Kernels()
    objective = _dependent(system)
    backward = needed(system.backward, {field for e in system.evolution for field in reads(e)})
    sweeps = [
        (
            "_forward",
            "Every forward field that needs no y.",
            [e for e in system.forward if e.field not in objective],
        ),
        ("_loss", "What compares the output with y.", [e for e in system.forward if e.field in objective]),
        ("_backward", "D: derivatives of the loss of each sample.", backward),
    ]
    temporaries: set[tuple[str, tuple[str, ...]]] = set()
    blocks, selects = [], False
    for title, doc, equations in sweeps:
        sweep = Sweep(system, kernels)
        for equation in equations:
            sweep.equation(equation)
        blocks.append(_function(f"{title}(f, nodes, make)", doc, sweep.lines))
        temporaries |= sweep.temporaries
        selects = selects or sweep.selects
    sweep = Sweep(system, kernels)
    write_evolution(sweep)
    doc = "out = scale * G for every trained parameter, or out += that (add)."
    blocks.append(_function("_evolution(f, nodes, make, out, scale, add)", doc, sweep.lines))
    blocks.append("\n".join(rate_lines(system)) + "\n")
    temporaries |= sweep.temporaries
    later = {field for e in (*backward, *system.evolution) for field in reads(e)}
    functions = helpers(kernels.functions) + [kernels.sources[key] for key in kernels.sources]
    if selects:
        functions.insert(0, _FIRST_MAXIMUM)
    return _fill(
        {
            "TITLE": _plain(system.title),
            "VERSION": f"(generator {GENERATOR})",
            "CONSTANTS": _constants(system, name or digest(system), temporaries),
            "FUNCTIONS": "".join(f"\n{source}\n" for source in functions),
            "EQUATIONS": "\n\n".join(blocks) + "\n",
            "LOSSCALL": "    _loss(fields, nodes, make)\n" if later & objective else "",
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


def _quoted(text: str) -> str:
    return f'"{text}"'


def _constants(system: LimitSystem, name: str, temporaries: set[tuple[str, tuple[str, ...]]]) -> str:
    measures = tuple(a.name for a in system.axes if a.is_measure and a.name != "data")
    frozen = tuple(p.name for p in system.parameters if p.is_frozen)
    shapes = sorted(temporaries)
    tables = [
        f"TITLE = {_quoted(_plain(system.title))}",
        f"DIGEST = {_quoted(name)}",
        "# Axes of every parameter's array.",
        _table("PARAMETERS", ((p.name, p.axes) for p in system.parameters)),
        f"FROZEN = {frozen!r}".replace("'", '"'),
        "# Relative width of every population.",
        _table("POPULATIONS", ((a.name, repr(a.width)) for a in system.populations)),
        f"MEASURES = {measures!r}".replace("'", '"'),
        "# Sizes of the finite axes.",
        _table("SIZES", ((a.name, a.size) for a in system.axes if not a.is_measure)),
        "# Axes of every field.",
        _table("FIELDS", ((f.name, f.axes) for f in system.fields if f.role is not Role.VELOCITY)),
        "# Axes of the temporaries, for the memory estimate.",
        "TEMPORARIES = ["
        + "".join(f"\n    {axes!r},".replace("'", '"') for _, axes in shapes)
        + ("\n]" if shapes else "]"),
    ]
    return "\n".join(tables)
