"""The command `conditions`: the conditions of the theorems of global convergence, one by one."""

from __future__ import annotations

import argparse
from typing import Any

from .command_tools import Outcome, load_network, stem
from .folders import write_answer


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.spec_command(
        "conditions",
        conditions,
        "Check the conditions under which the loss is proved to reach its least value, each with yes, no or "
        "not decidable, and why.",
        "write to this file",
    )
    added.add_argument("--latex", action="store_true", help="as a LaTeX table (package booktabs)")


def conditions(arguments: argparse.Namespace) -> Outcome:
    """Print the conditions, or write them to a file."""
    from ..advice.conditions import conditions as find

    found = find(load_network(arguments))
    answer = found.latex if arguments.latex else found.text
    data = {"name": stem(arguments), **found.data}
    if arguments.output is None:
        return Outcome(data, answer)
    write_answer(arguments.output, answer)
    return Outcome({**data, "file": str(arguments.output)}, f"The conditions are in {arguments.output}")
