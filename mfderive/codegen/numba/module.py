"""The text of a solver: constants, compiled functions and sweeps, put between the run-time parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from ...algebra.laws import VariableKind
from ...algebra.system import LimitSystem
from ...algebra.terms import AxisKind, Role
from ...tensor.instructions import Planned
from ...tensor.learning_plan import LearningPlan, plan_flow, plan_step
from ...tensor.scheduling import Schedule, schedule
from ..digest import GENERATOR, digest
from ..protocol import MOVERS
from .evolution import write_evolution
from .function_code import CODE
from .initial_values import draw_functions, law_lines, rate_lines
from .learning_code import ADVANCE, FLOW, write_advance, write_flow
from .loops import Kernels
from .splice import heading, import_lines, part, reads_scipy, with_callees
from .sweep import Sweep

Temporaries = set[tuple[str, tuple[str, ...]]]

_HEAD = '''"""{title}

Mean-field limit of the network above, written by mfderive (generator {generator}). This file needs numpy,
numba and scipy only; it may be read, edited and run again.

A state is a dictionary: an array for every parameter (axes in PARAMETERS) and state["p"], the weights of the
nodes of every population, which sum to 1. Arrays of data are [sample, neuron, positions...]. Time is the sum
of the learning rates.
"""'''

# Run-time parts before the equations, those that only repeated loops need, and those behind the equations.
_BEFORE = ("node_weights", "matrix_product", "planned_calls", "workspace")
_REPEATED = ("compiled_gemm", "threaded_loops")
_BEHIND = ("node_counts", "state_checks", "solver_calls")


_ADVANCE_DOC = "The variables in out after step k of size alpha at time t; seed: that of all fresh noise."
_FLOW_DOC = "out = d(variable)/dt at time t for every variable that moves."


class _Body:
    """The sweeps of a solver and what they need: compiled functions and temporaries."""

    def __init__(self, system: LimitSystem, plan: Schedule) -> None:
        self.system = system
        self.kernels = Kernels()
        self.temporaries: Temporaries = set()
        self.scratch: Temporaries = set()
        self.selects = self.repeats = False
        self.blocks: list[str] = []
        self.sweep("compute_forward", "Every forward field that needs no y.", plan.forward)
        self.sweep("compute_loss", "The fields that compare the output with y.", plan.loss)
        first = ["    compute_loss(f, nodes, make, call)"] if plan.gradient_reads_loss else []
        self.sweep("compute_backward", "D: derivatives of the loss of each sample.", plan.backward, first)
        sweep = Sweep(system, self.kernels, planned=True)
        write_evolution(sweep, plan.updates)
        numbers = "scale: Mapping[str, float], keep: Mapping[str, float]"
        self.add(
            sweep,
            f"evolve(f: Fields, nodes: Nodes, make: Maker, call: Caller, out: Fields, {numbers})",
            "out = keep * out + scale * G for every trained parameter.",
        )
        self.learn(ADVANCE, _ADVANCE_DOC, write_advance, plan_step(system))
        self.learn(FLOW, _FLOW_DOC, write_flow, plan_flow(system))
        self.blocks.append("\n".join(rate_lines(system)) + "\n")

    def learn(
        self, signature: str, doc: str, write: Callable[[Sweep, LearningPlan], None], plan: LearningPlan
    ) -> None:
        sweep = Sweep(self.system, self.kernels)
        write(sweep, plan)
        self.add(sweep, signature, doc)

    def sweep(self, name: str, doc: str, equations: Iterable[Planned], first: Iterable[str] = ()) -> None:
        sweep = Sweep(self.system, self.kernels, [*first], planned=True)
        for planned in equations:
            sweep.compute(planned)
        self.add(sweep, f"{name}(f: Fields, nodes: Nodes, make: Maker, call: Caller)", doc)

    def add(self, sweep: Sweep, signature: str, doc: str) -> None:
        self.blocks.append(_function(f"{signature} -> None", doc, sweep.lines))
        self.temporaries |= sweep.temporaries
        self.scratch |= sweep.scratch
        self.selects = self.selects or sweep.selects
        self.repeats = self.repeats or sweep.repeats


def solver_source(system: LimitSystem, name: str | None = None) -> str:
    """The Python file that solves a system whose noise is drawn; ``name``: the digest that it holds."""
    body = _Body(system, schedule(system))
    before = [*map(part, _BEFORE), *(map(part, _REPEATED) if body.repeats else ())]
    behind = [part("layout"), *map(part, _BEHIND)]
    scalar, maximum, draws = part("scalar_functions"), part("first_maximum"), part("initial_draws")
    helpers = with_callees(scalar, filter(None, (CODE[f].helper for f in body.kernels.functions)))
    laws = _initial_values(system)
    special = "from scipy import special\n" if any(map(reads_scipy, (*body.blocks, laws))) else ""
    if any(field.role is Role.DRAW for field in system.fields):
        before.append(part("fresh_noise"))
    used = [part("compilation"), *before, *behind, draws, *([scalar] if helpers else [])]
    functions = [*([maximum.text] if body.selects else []), *helpers, *body.kernels.sources.values()]
    head = _HEAD.format(title=_plain(system.title), generator=GENERATOR)
    constants = _constants(system, name or digest(system), body.temporaries, body.scratch)
    return "\n\n".join(
        [
            "\n".join([head + "\n", import_lines(used, special), part("compilation").text]),
            constants + "\n",
            *(section.section for section in before),
            heading("Compiled loops of the equations"),
            *functions,
            heading("Equations"),
            *body.blocks,
            draws.section,
            *draw_functions(system),
            laws,
            *(section.section for section in behind),
        ]
    )


def _initial_values(system: LimitSystem) -> str:
    lines = [
        "def initial_values(n: Mapping[str, int], seed: int, edges: str) -> dict[str, Array]:",
        '    """A draw of every parameter, in float64; edges="mean": weights with noise at their mean."""',
        "    values: dict[str, Array] = {}",
        *law_lines(system),
        "    return values",
    ]
    return "\n".join(lines) + "\n"


def _plain(title: str) -> str:
    """A title that can stand in a docstring: on one line, with nothing that ends it."""
    line = "".join(sign if sign.isprintable() else " " for sign in title)
    return " ".join(line.replace("\\", "/").replace('"""', "'''").split()).rstrip('"') or "A network"


def _function(signature: str, doc: str, lines: list[str]) -> str:
    body = list(lines)
    text = "\n".join(body)
    head = [name for name, part in (("n", 'n["'), ("p", 'p["')) if part in text]
    nodes = "plan.nodes" if "plan: Plan" in signature else "nodes"
    values = {"n": f"{nodes}.size", "p": f"{nodes}.weights"}
    if head:
        body.insert(0, f"    {', '.join(head)} = {', '.join(values[name] for name in head)}")
    return "\n".join([f"def {signature}:", f'    """{doc}"""', *body]) + "\n"


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
    memories = tuple(v.name for v in system.variables if v.kind is VariableKind.MEMORY)
    tables = [
        # A title is a user's words: whatever stands in it, this line is one string.
        f"TITLE = {json.dumps(_plain(system.title), ensure_ascii=False)}",
        f"DIGEST = {_quoted(name)}",
        "# Axes of every array of a state.",
        _table("PARAMETERS", ((v.name, v.axes) for v in system.variables)),
        f"FROZEN = {frozen!r}".replace("'", '"'),
        "# What a learning rule remembers of parameters.",
        f"MEMORIES = {memories!r}".replace("'", '"'),
        f"POPULATIONS = {populations!r}".replace("'", '"'),
        '# Axes whose nodes have weights in state["p"], and their relative widths.',
        _table("MEASURES", ((a.name, repr(a.width)) for a in measures)),
        "# Sizes of the finite axes.",
        _table("SIZES", ((a.name, a.size) for a in system.axes if not a.is_measure)),
        "# Axes of every field.",
        _table("FIELDS", ((f.name, f.axes) for f in system.fields if f.role not in MOVERS)),
        "# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.",
        _list("TEMPORARIES", temporaries),
        _list("SCRATCH", scratch),
    ]
    return "\n".join(tables)
