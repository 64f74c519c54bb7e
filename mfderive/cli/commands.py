"""What each command of the command line does: load, call the package, say what came out.

Every function takes the parsed flags and returns an :class:`Outcome`; errors are raised as MfError.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from ..errors import DivergenceError
from ..network.solve_options import ENDS
from ..runs.error_sentences import LOSS_ERROR, error_sentences
from ..runs.flow_sentences import flow_sentences
from .command_tools import Outcome, given_options, load_network, say, stem
from .console import (
    curve,
    curve_text,
    final_text,
    run_text,
    told,
    tolerance_text,
    warnings_of,
    warnings_text,
)
from .folders import output_folder, write_answer
from .unfinished import keeping, refuse_unfinished

RUN_SEEDS = 2  # networks per width that `run` trains


def _end(network: Any) -> dict[str, Any]:
    """Where networks stop: where the limit does. ([check] may end earlier, for itself.)"""
    table = dict(network.solver)
    return {key: table[key] for key in ENDS if key in table}


def _widths(network: Any) -> list[int]:
    from ..verdict.settings import DEFAULT_WIDTHS

    return list(dict(network.check).get("widths", DEFAULT_WIDTHS))


# --- show, derive, generate ------------------------------------------------------------------------------


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
    equations = printed(chosen(limit, arguments), arguments.format, arguments.notation)
    data["equations"] = equations
    if arguments.format == "mathml":
        equations = _graph(network, limit, reduced) + equations
    if arguments.format == "text":
        equations += _listed("What collapses, and why", log) + _listed("Warnings", warnings)
    # Pages have no place for warnings, and a file is not read at once: they are said beside both.
    apart = () if arguments.format == "text" and arguments.output is None else tuple(warnings)
    if not (arguments.json or arguments.quiet):
        for warning in apart:
            say(f"warning: {warning}")
    if arguments.output is None:
        return Outcome(data, equations, warnings=tuple(warnings))
    write_answer(arguments.output, equations)
    told_where = f"The equations are in {arguments.output}"
    if arguments.format == "latex":
        told_where += f"\nA PDF of them: pdflatex {arguments.output}"
    return Outcome({**data, "file": str(arguments.output)}, told_where, warnings=tuple(warnings))


def _graph(network: Any, limit: Any, reduced: Any) -> str:
    """The drawing of a network's graph as an HTML fragment."""
    from ..report.graph import graph_data
    from ..report.page import graph_figure

    return graph_figure(graph_data(network, limit, reduced.system), network.title) + "\n"


def _listed(title: str, lines: list[str]) -> str:
    """A section of lines, each wrapped under its own dash; nothing where there are none."""
    wrapped = [fill(line, 110, initial_indent="  - ", subsequent_indent="    ") for line in lines]
    return "\n".join(["", title, *wrapped, ""]) if lines else ""


def chosen(limit: Any, arguments: argparse.Namespace) -> Any:
    """The limit that is printed or generated: itself, reduced, or with its linearisation."""
    import mfderive

    found = mfderive.reduce(limit) if arguments.reduced else limit
    return mfderive.linearise(found) if arguments.second_order else found


def printed(limit: Any, form: str, notation: str) -> str:
    """The equations of a limit in one of the forms and notations of `derive`."""
    from ..notation import html, latex_document, text

    printer = {"text": text, "latex": latex_document, "mathml": html}[form]
    return printer(limit, notation)


def generate(arguments: argparse.Namespace) -> Outcome:
    """Write the solver of the limit."""
    import mfderive

    network = load_network(arguments)
    folder = output_folder(arguments, Path("generated") / stem(arguments))
    solved = chosen(mfderive.derive(network), arguments)
    mfderive.generate(solved, directory=folder, overwrite=arguments.overwrite)
    written = sorted(str(path) for path in folder.iterdir() if path.is_file())
    return Outcome({"folder": str(folder), "files": written}, "\n".join(written))


# --- solve, simulate, report ----------------------------------------------------------------------------


def solve(arguments: argparse.Namespace) -> Outcome:
    """Solve the limit and keep its trajectory."""
    import mfderive

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-limit")
    refuse_unfinished(arguments, folder)
    with keeping(arguments, folder, network) as keeper:
        try:
            path = mfderive.solve(
                network, progress=not arguments.quiet, keep=keeper, **given_options(arguments)
            )
        except DivergenceError as error:
            if error.path is None:
                raise
            path = error.path
            say(f"{error}. What was solved until then is in {folder}")
            saved = save(path, folder, arguments.overwrite)
        else:
            saved = save(path, folder, arguments.overwrite)
            keeper.finish()
    data = {"trajectory": str(saved), "curve": curve(path), "findings": told(path)}
    data["warnings"] = list(path.notes.get("warnings", ()))
    warnings = warnings_of(path)
    text = f"{curve_text(path)}\n\n{warnings_text(warnings)}"
    if LOSS_ERROR in path.notes:
        data["loss_error"] = path.notes[LOSS_ERROR]
        text += "".join(f"{sentence}\n\n" for sentence in error_sentences(path.notes))
    flow = flow_sentences(path.notes)
    if flow:
        data["flow"] = flow
        text += "".join(f"{sentence}\n\n" for sentence in flow)
    reached = path.notes.get("tolerance")
    if reached is not None:
        data["tolerance"] = reached
        text += f"{tolerance_text(reached)}\n\n"
    code = 0 if (reached is None or reached["met"]) and not path.findings else 3
    return Outcome(data, f"{text}The trajectory is in {saved}", code, warnings)


def save(path: Any, folder: Path, asked: bool) -> Path:
    """Save a trajectory; what it takes the place of is said, unless that was ``asked`` for."""
    before = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    saved: Path = path.save(folder)
    if saved.name in before and not asked:
        say(f"warning: {saved} took the place of an earlier one. --output names another folder")
    return saved


def simulate(arguments: argparse.Namespace) -> Outcome:
    """Train finite networks and keep their trajectories."""
    from ..report.curves import curve_of, final_table

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-networks")
    paths: list[Any] = []
    saved: list[str] = []
    refuse_unfinished(arguments, folder)
    with keeping(arguments, folder, network) as keeper:
        try:
            for group in trained(network, arguments, arguments.seed, keeper):
                paths += group
                saved += [str(save(path, folder, arguments.overwrite)) for path in group]
        except BaseException as error:
            if saved:
                error.add_note(f"What was trained until then is in {folder}")
            raise
        keeper.finish()
    rows = final_table([curve_of(path) for path in paths])
    found = [finding for path in paths for finding in told(path)]
    data = {"trajectories": saved, "final": rows, "findings": found}
    return Outcome(data, f"{final_text(rows)}\n\nThe trajectories are in {folder}", 3 if found else 0)


def report(arguments: argparse.Namespace) -> Outcome:
    """Draw figures and page of a run again."""
    from ..report.folder import rebuild

    record = rebuild(arguments.run)
    return Outcome(record, run_text(record))


def trained(
    network: Any,
    arguments: argparse.Namespace,
    first_seed: int | None,
    keeper: Any,
    common_seed: int | None = None,
) -> Iterator[list[Any]]:
    """Trajectories of one width after the other, narrow ones first, up to the same end as the limit.

    ``common_seed``: of the limit beside them, whose numbers that belong to no neuron they have, too.
    """
    import mfderive

    seed = dict(network.check).get("seed") if first_seed is None else first_seed
    options = {"precision": arguments.precision, "first_seed": seed, "common_seed": common_seed}
    given = _end(network) | {name: value for name, value in options.items() if value is not None}
    for width in sorted(set(_widths(network))):
        yield mfderive.simulate(
            network,
            width,
            arguments.seeds or RUN_SEEDS,
            progress=not arguments.quiet,
            keep=keeper,
            **given,
        )
