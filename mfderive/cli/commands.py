"""What each command of the command line does: load, call the package, say what came out.

Every function takes the parsed flags and returns an :class:`Outcome`; errors are raised as MfError.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

from ..errors import MfError, SpecError, nearest
from .console import curve, curve_text, final_text, run_text, tolerance_text
from .folders import output_folder

DEFAULT_WIDTHS = (50, 100, 200, 400)
RUN_SEEDS = 2  # networks a width that `run` trains

# Where each flag belongs in a spec: flags are edits of the spec, so they are checked and stored like it.
_PLACES = {
    "steps": (("training", "steps"),),
    "learning_rate": (("training", "learning_rate"),),
    "batch_size": (("training", "batch_size"),),
    "horizon": (("solver", "horizon"),),
    "method": (("solver", "method"),),
    "nodes": (("solver", "nodes"),),
    "rule": (("solver", "rule"),),
    "reduce": (("solver", "reduce"),),
    "data": (("solver", "data"),),
    "data_nodes": (("solver", "data_nodes"),),
    "tolerance": (("solver", "tolerance"),),
    "precision": (("solver", "precision"),),
    "seed": (("solver", "seed"),),
    "widths": (("check", "widths"),),
    "seeds": (("check", "seeds"),),
}
# Keys that end a run: a flag that sets the end replaces all of them.
_ENDS = ("horizon", "steps")


@dataclass(frozen=True)
class Outcome:
    """What a command has to say: plain data for --json, text for people, and the exit code."""

    data: dict[str, Any]
    text: str
    code: int = 0


@dataclass
class Stages:
    """Names of the stages on stderr while they run, and their times in seconds."""

    quiet: bool
    total: int
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """One stage: its name is printed when it begins, its time kept when it ends."""
        if not self.quiet:
            print(f"[{len(self.timings) + 1}/{self.total}] {name}", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - begin


# --- specs ---------------------------------------------------------------------------------------------


def _spec_path(text: str) -> Path:
    """The spec file that was named. Raises SpecError, with the shipped spec of that name if there is one."""
    if not text:
        raise SpecError("no spec was named", remedy="Name a .toml file; `mfderive new NAME` writes one")
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        raise SpecError("this is a folder, not a spec file", file=text, remedy="Name a .toml file")
    shipped = {spec.stem: spec for folder in _spec_folders() for spec in sorted(folder.glob("*.toml"))}
    if path.stem in shipped:
        remedy = f"The shipped spec of that name is {shipped[path.stem]}"
    elif shipped:
        near = nearest(path.stem, shipped).replace("Allowed:", "Shipped:")
        remedy = f"{near}. `mfderive new NAME` writes one to start from"
    else:
        remedy = "`mfderive new NAME` writes one to start from"
    raise SpecError("there is no such file", file=text, remedy=remedy)


def _spec_folders() -> list[Path]:
    """Where shipped specs may lie: here, and in the checkout that the package runs from."""
    here, checkout = Path("specs"), Path(__file__).resolve().parents[2] / "specs"
    if here.resolve() == checkout:
        return [here]
    return [folder for folder in (checkout, here) if folder.is_dir()]


def load_network(arguments: argparse.Namespace) -> Any:
    """The network of the spec with the flags written into it, resolved."""
    from ..format.reader import parse_document, read
    from ..samples.resolve import resolve

    parsed = read(_spec_path(arguments.spec))
    document = dict(parsed.document)
    if getattr(arguments, "steps", None) is not None or getattr(arguments, "horizon", None) is not None:
        for name in ("solver", "check"):
            table = document.get(name, {})
            document[name] = {key: value for key, value in table.items() if key not in _ENDS}
    for flag, places in _PLACES.items():
        value = getattr(arguments, flag, None)
        if value is not None:
            for name, key in places:
                document[name] = {**document.get(name, {}), key: value}
    _full_ensemble(arguments, document)
    if document != parsed.document:
        parsed = parse_document(document, parsed.file)
    return resolve(parsed, None, int(dict(parsed.solver).get("data_seed", 0)))


def _full_ensemble(arguments: argparse.Namespace, document: dict[str, Any]) -> None:
    """Where the limit is not reduced, --nodes are those of the full ensemble, and no rule chooses them."""
    solver = document.get("solver", {})
    if not isinstance(solver, Mapping) or solver.get("reduce") is not False:
        return
    if getattr(arguments, "rule", None) is not None:
        raise MfError(
            "--rule chooses the nodes of the reduced system, but the full ensemble (--no-reduce, or reduce = "
            "false in [solver]) is drawn from the laws. Leave one of them out"
        )
    if getattr(arguments, "nodes", None) is not None:
        document["solver"] = {**solver, "widths": arguments.nodes}


def _end(network: Any) -> dict[str, Any]:
    """Where networks stop: where the limit does. ([check] may end earlier, for itself.)"""
    table = dict(network.solver)
    return {key: table[key] for key in _ENDS if key in table}


def _widths(network: Any) -> list[int]:
    return list(dict(network.check).get("widths", DEFAULT_WIDTHS))


def _stem(arguments: argparse.Namespace) -> str:
    return Path(arguments.spec).stem


# --- show, derive, generate, schema ----------------------------------------------------------------------


def show(arguments: argparse.Namespace) -> Outcome:
    """Print what a network consists of."""
    from ..forward.equations import forward_system
    from ..report.summary import summarise, summary_text

    network = load_network(arguments)
    summary = summarise(network, forward_system(network), arguments.widths or _widths(network))
    return Outcome(summary, summary_text(summary))


def derive(arguments: argparse.Namespace) -> Outcome:
    """Print the equations of the limit, or write them to a file."""
    from ..advice.advise import advise
    from ..limit.derive import derive as derive_limit
    from ..reduction.reduce import reduce as reduce_limit

    network = load_network(arguments)
    limit = derive_limit(network)
    reduced = reduce_limit(limit)
    warnings = list(advise(network, limit, reduced))
    data: dict[str, Any] = {"format": arguments.format, "notation": arguments.notation, "warnings": warnings}
    log = list(reduced.log) if arguments.reduced else []
    if arguments.reduced:
        data["log"] = log
    equations = _printed(reduced if arguments.reduced else limit, arguments.format, arguments.notation)
    data["equations"] = equations
    if arguments.format == "mathml":
        equations = _graph(network, limit, reduced) + equations
    if arguments.format == "text":
        equations += _listed("What collapses, and why", log) + _listed("Warnings", warnings)
    if arguments.output is None:
        return Outcome(data, equations)
    try:
        arguments.output.write_text(equations.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as problem:
        raise MfError(
            f"{arguments.output} cannot be written: {problem.strerror}. Name with --output a file in a "
            "folder that exists and that you may write to"
        ) from problem
    return Outcome({**data, "file": str(arguments.output)}, f"The equations are in {arguments.output}")


def _graph(network: Any, limit: Any, reduced: Any) -> str:
    """The drawing of a network's graph as an HTML fragment."""
    from ..report.graph import graph_data
    from ..report.page import graph_figure

    return graph_figure(graph_data(network, limit, reduced), network.title) + "\n"


def _listed(title: str, lines: list[str]) -> str:
    """A section of lines, each wrapped under its own dash; nothing where there are none."""
    wrapped = [fill(line, 110, initial_indent="  - ", subsequent_indent="    ") for line in lines]
    return "\n".join(["", title, *wrapped, ""]) if lines else ""


def _printed(limit: Any, form: str, notation: str) -> str:
    """The equations of a limit in one of the forms and notations of `derive`."""
    from ..notation import html, latex_document, text

    printer = {"text": text, "latex": latex_document, "mathml": html}[form]
    return printer(limit, notation)


def generate(arguments: argparse.Namespace) -> Outcome:
    """Write the solver of the limit."""
    import mfderive

    network = load_network(arguments)
    folder = output_folder(arguments, Path("generated") / _stem(arguments))
    limit = mfderive.derive(network)
    if arguments.reduced:
        limit = mfderive.reduce(limit)
    mfderive.generate(limit, directory=folder, overwrite=arguments.overwrite)
    written = sorted(str(path) for path in folder.iterdir() if path.is_file())
    return Outcome({"folder": str(folder), "files": written}, "\n".join(written))


def schema(arguments: argparse.Namespace) -> Outcome:
    """Print the JSON Schema of spec files."""
    import json

    from ..format.schema import schema as spec_schema

    document = spec_schema()
    return Outcome(document, json.dumps(document, indent=2, ensure_ascii=False))


# --- solve, simulate, run, report ------------------------------------------------------------------------


def solve(arguments: argparse.Namespace) -> Outcome:
    """Solve the limit and keep its trajectory."""
    import mfderive

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{_stem(arguments)}-limit")
    path = mfderive.solve(network, progress=not arguments.quiet)
    saved = path.save(folder)
    data = {"trajectory": str(saved), "curve": curve(path)}
    text = f"{curve_text(path)}\n\n"
    reached = path.notes.get("tolerance")
    if reached is not None:
        data["tolerance"] = reached
        text += f"{tolerance_text(reached)}\n\n"
    code = 0 if reached is None or reached["met"] else 3
    return Outcome(data, f"{text}The trajectory is in {saved}", code)


def simulate(arguments: argparse.Namespace) -> Outcome:
    """Train finite networks and keep their trajectories."""
    from ..report.curves import curve_of, final_table

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{_stem(arguments)}-networks")
    paths = _trained(network, arguments, arguments.seed)
    saved = [str(path.save(folder)) for path in paths]
    rows = final_table([curve_of(path) for path in paths])
    return Outcome(
        {"trajectories": saved, "final": rows}, f"{final_text(rows)}\n\nThe trajectories are in {folder}"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Go the whole way and leave one folder."""
    import mfderive

    from ..advice.advise import advise
    from ..report.folder import RunResult, check_replaceable, write_run
    from ..solution.options import resolve_options

    folder = output_folder(arguments, Path("runs") / _stem(arguments))
    check_replaceable(folder)
    network = load_network(arguments)
    # Read now: the person may edit the file while this run goes on.
    spec = Path(arguments.spec).read_text(encoding="utf-8")
    stages = Stages(arguments.quiet, total=5 if arguments.effort == "none" else 6)
    with stages("derive and reduce the limit"):
        limit = mfderive.derive(network)
        reduced = mfderive.reduce(limit)
        warnings = advise(network, limit, reduced)
        solved = reduced if resolve_options(network).reduce else limit
    with stages("generate the solver"):
        # From the cache of solvers, so that a second run finds it compiled.
        solver = mfderive.generate(solved)
    with stages("solve the limit"):
        path = mfderive.solve(network, system=solved, solver=solver, progress=not arguments.quiet)
    with stages("train finite networks"):
        # The limit has the seed that was given; networks that drew the same numbers would be its copies.
        networks = _trained(network, arguments, None if arguments.seed is None else arguments.seed + 1)
    verdict = None
    if arguments.effort != "none":
        from .checking import verdict_of

        with stages("check the limit against networks"):
            verdict = verdict_of(network, arguments, arguments.effort)
    with stages("write figures and page"):
        result = RunResult(
            network=network,
            limit=limit,
            equations=_equations(limit, solved),
            reduction=solved.log,
            warnings=warnings,
            solver=Path(str(solver.__file__)),
            trajectories=(path, *networks),
            spec=spec,
            settings=_settings(arguments, path, networks),
            timings=stages.timings,
            verdict=verdict,
            reduced=reduced,
        )
        record = write_run(folder, result)
    return Outcome(record, run_text(record))


def report(arguments: argparse.Namespace) -> Outcome:
    """Draw figures and page of a run again."""
    from ..report.folder import rebuild

    record = rebuild(arguments.run)
    return Outcome(record, run_text(record))


def _trained(network: Any, arguments: argparse.Namespace, first_seed: int | None) -> list[Any]:
    """Trajectories of all widths, narrow ones first, some seeds each, up to the same end as the limit."""
    import mfderive

    seed = dict(network.check).get("seed") if first_seed is None else first_seed
    options = {"precision": arguments.precision, "first_seed": seed}
    given = _end(network) | {name: value for name, value in options.items() if value is not None}
    paths: list[Any] = []
    for width in sorted(set(_widths(network))):
        paths += mfderive.simulate(
            network, width, arguments.seeds or RUN_SEEDS, progress=not arguments.quiet, **given
        )
    return paths


def _equations(limit: Any, solved: Any) -> dict[str, str]:
    """The equations as the files of a run hold them; "reduced" only where the reduced system was solved."""
    forms = {"text": "text", "latex": "latex", "html": "mathml"}
    printed = {name: _printed(limit, form, "both") for name, form in forms.items()}
    return printed if solved is limit else {**printed, "reduced": _printed(solved, "mathml", "embedding")}


def _settings(arguments: argparse.Namespace, path: Any, networks: Sequence[Any]) -> dict[str, Any]:
    """What a reader needs to make the same run again, beside the spec."""
    given = {flag: getattr(arguments, flag) for flag in _PLACES if getattr(arguments, flag, None) is not None}
    return {
        "spec file": str(arguments.spec),
        "flags": given,
        "limit": dict(path.notes),
        "limit seed": path.seed,
        "network widths": sorted({network.width for network in networks}),
        "network seeds": sorted({network.seed for network in networks}),
    }
