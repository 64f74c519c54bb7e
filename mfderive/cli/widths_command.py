"""Commands about widths: which factor belongs on which parameter, and sizes over the width."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command_tools import Outcome, load_network, stem
from .folders import output_folder, write_answer


def scalings(arguments: argparse.Namespace) -> Outcome:
    """Print the factors of every parameter, or write them to a file."""
    from ..scaling.scalings import scalings as find

    found = find(load_network(arguments), plain=arguments.plain)
    printed = {"text": lambda: found.text, "markdown": lambda: found.markdown, "latex": lambda: found.latex}
    answer = printed[arguments.format]()
    if arguments.output is None:
        return Outcome(found.data, answer)
    write_answer(arguments.output, answer)
    return Outcome({**found.data, "file": str(arguments.output)}, f"The scalings are in {arguments.output}")


def coords(arguments: argparse.Namespace) -> Outcome:
    """Train networks of several widths and hold the sizes of values and changes against the limit."""
    from ..scaling.coordinates import coordinate_check

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-coords")
    given = {name: getattr(arguments, f"coordinate_{name}") for name in ("widths", "seeds", "steps")}
    chosen = {name: value for name, value in given.items() if value is not None}
    found = coordinate_check(network, progress=not arguments.quiet, **chosen)
    saved = found.save(folder)
    return Outcome(
        {**found.data, "folder": str(folder)}, f"{found.text}\n\nTable, data and figure are in {saved.parent}"
    )
