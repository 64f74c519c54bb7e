"""What each command of the command line does: load, call the package, say what came out.

Every function takes the parsed flags and returns an :class:`Outcome`; errors are raised as MfError.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from ..errors import MfError
from ..network.solve_options import ENDS
from .checking import verdict_of
from .command_tools import Outcome, Stages, given_flags, given_options, load_network, spec_text, stem
from .console import curve, curve_text, final_text, run_text, tolerance_text
from .folders import output_folder

RUN_SEEDS = 2  # networks per width that `run` trains


def _end(network: Any) -> dict[str, Any]:
    """Where networks stop: where the limit does. ([check] may end earlier, for itself.)"""
    table = dict(network.solver)
    return {key: table[key] for key in ENDS if key in table}


def _widths(network: Any) -> list[int]:
    from ..verdict.settings import DEFAULT_WIDTHS

    return list(dict(network.check).get("widths", DEFAULT_WIDTHS))


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
    from ..advice.sentences import sentences
    from ..limit.derive import derive as derive_limit
    from ..reduction.reduce import reduce as reduce_limit

    network = load_network(arguments)
    limit = derive_limit(network)
    reduced = reduce_limit(limit)
    findings = advise(network, limit, reduced)
    warnings = list(sentences(findings))
    data: dict[str, Any] = {"format": arguments.format, "notation": arguments.notation, "warnings": warnings}
    data["findings"] = [{"kind": str(each.kind), "subjects": list(each.subjects)} for each in findings]
    log = list(map(str, reduced.log)) if arguments.reduced else []
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

    return graph_figure(graph_data(network, limit, reduced.system), network.title) + "\n"


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
    folder = output_folder(arguments, Path("generated") / stem(arguments))
    limit = mfderive.derive(network)
    solved = mfderive.reduce(limit) if arguments.reduced else limit
    mfderive.generate(solved, directory=folder, overwrite=arguments.overwrite)
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
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-limit")
    path = mfderive.solve(network, progress=not arguments.quiet, **given_options(arguments))
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
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-networks")
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
    from ..advice.sentences import sentences
    from ..report.folder import RunResult, check_replaceable, write_run
    from ..solution.options import resolve_options
    from ..solution.solve import limit_to_solve

    folder = output_folder(arguments, Path("runs") / stem(arguments))
    check_replaceable(folder)
    network = load_network(arguments)
    # Read now: the person may edit the file while this run goes on.
    spec = spec_text(arguments)
    options = given_options(arguments)
    stages = Stages(arguments.quiet, total=5 if arguments.effort == "none" else 6)
    with stages("derive and reduce the limit"):
        limit = mfderive.derive(network)
        reduced = mfderive.reduce(limit)
        warnings = sentences(advise(network, limit, reduced))
        solved = limit_to_solve(network, resolve_options(network, **options))
    with stages("generate the solver"):
        # From the cache of solvers, so that a second run finds it compiled.
        solver = mfderive.generate(solved)
    with stages("solve the limit"):
        path = mfderive.solve(network, system=solved, solver=solver, progress=not arguments.quiet, **options)
    with stages("train finite networks"):
        # The limit has the seed that was given; networks that drew the same numbers would be its copies.
        networks = _trained(network, arguments, None if arguments.seed is None else arguments.seed + 1)
    verdict = None
    if arguments.effort != "none":
        with stages("check the limit against networks"):
            verdict = verdict_of(network, arguments, arguments.effort)
    with stages("write figures and page"):
        result = RunResult(
            network=network,
            limit=limit,
            equations=_equations(limit, solved),
            reduction=solved.log,
            warnings=warnings,
            solver=Path(str(getattr(solver, "__file__", ""))),
            trajectories=(path, *networks),
            spec=spec,
            settings=_settings(arguments, path, networks),
            timings=stages.timings,
            verdict=verdict,
            reduced=reduced.system,
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
    if solved.system is limit:
        return printed
    return {**printed, "reduced": _printed(solved, "mathml", "embedding")}


def _settings(arguments: argparse.Namespace, path: Any, networks: Sequence[Any]) -> dict[str, Any]:
    """What a reader needs to make the same run again, beside the spec."""
    return {
        "spec file": str(arguments.spec),
        "flags": given_flags(arguments),
        "limit": dict(path.notes),
        "limit seed": path.seed,
        "network widths": sorted({network.width for network in networks}),
        "network seeds": sorted({network.seed for network in networks}),
    }
