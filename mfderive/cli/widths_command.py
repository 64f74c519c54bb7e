"""Commands about widths: which factor belongs on which parameter."""

from __future__ import annotations

import argparse

from .command_tools import Outcome, load_network
from .folders import write_answer


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
