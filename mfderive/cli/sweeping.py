"""The command `sweep`: one run for each setting of a grid, a table and a figure."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import MfError, quoted
from ..network.solve_options import ENDS, OPTIONS
from .command_tools import FLAG_KEYS, Outcome, flag_name, given_flags, given_options, load_network, stem
from .folders import output_folder
from .sweep_words import together

UNFINISHED = 3
_LONGEST_NOTE = 60
# Options of a solution that networks have too.
_SHARED = (*ENDS, "precision")


def sweep(arguments: argparse.Namespace) -> Outcome:
    """Compute every setting of a grid; the exit code says whether all of them are done."""
    import mfderive

    changes = together(arguments.set or (), "--set")
    grid = together(arguments.grid or (), "--grid")
    options = _options(arguments)
    _check_flags(arguments, changes)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-sweep")
    result = mfderive.sweep(
        load_network(arguments),
        changes,
        grid,
        run=arguments.run,
        folder=folder,
        jobs=arguments.jobs,
        threads=arguments.threads,
        scheduler=arguments.scheduler,
        most=arguments.most,
        progress=not arguments.quiet,
        **options,
    )
    return _outcome(result, folder)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the runs: those of `solve`, or the few of them that networks have, and their own."""
    given = given_options(arguments)
    own = {"width": arguments.width, "seeds": arguments.networks}
    named = [f"--{name}" for name, value in own.items() if value is not None]
    if arguments.run == "solve":
        if named:
            raise MfError(f"{named[0]} is of finite networks, but the limit is solved. Give --run simulate")
        return given
    for name in given:
        if name not in (*_SHARED, "seed", "evaluation", "checkpoints"):
            raise MfError(f"{flag_name(name)} is an option of the limit, but --run simulate trains networks")
    found = {name: value for name, value in given.items() if name in OPTIONS and name != "seed"}
    return found | own | {"first_seed": given.get("seed")}


def _check_flags(arguments: argparse.Namespace, changes: Mapping[str, Any]) -> None:
    """Raise MfError for a flag whose entry of the spec is set as well."""
    from ..sweeps.dotted_keys import parts_of_key

    flags: dict[tuple[str, ...], str] = {FLAG_KEYS[flag]: flag_name(flag) for flag in given_flags(arguments)}
    for key in changes:
        flag = flags.get(parts_of_key(key)[:2])
        if flag is not None:
            raise MfError(f"{flag} and --set {quoted(key)} give the same. Leave one of them out")


def _outcome(result: Any, folder: Path) -> Outcome:
    from ..report.summary import text_table
    from ..sweeps.sweep_folder import TABLE
    from ..sweeps.sweep_result import FIGURE, cell_text, columns_of

    rows = result.table
    shown = columns_of(rows, result.grid)
    table = text_table(shown, [[_short(cell_text(row[name])) for name in shown] for row in rows])
    figure = folder / f"{FIGURE}.svg"
    places = [f"The table is in {folder / TABLE}"]
    places += [f"the figure in {figure}"] if figure.is_file() else []
    data = {
        "folder": str(folder),
        "file": str(folder / TABLE),
        "figure": str(figure) if figure.is_file() else None,
        "grid": {name: list(values) for name, values in result.grid.items()},
        "table": rows,
    }
    text = f"{table}\n\n{_count(rows)}. {', '.join(places)}"
    return Outcome(data, text, 0 if result.is_done else UNFINISHED)


def _count(rows: list[Mapping[str, Any]]) -> str:
    done = sum(row["state"] == "done" for row in rows)
    rest = "" if done == len(rows) else "; the column note says why the others are not"
    return f"{done} of {len(rows)} settings are done{rest}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]}..."
