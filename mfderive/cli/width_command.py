"""The command `width`: from which width on networks lie within an error of the limit."""

from __future__ import annotations

import argparse
import math
from typing import Any

from ..errors import ArgumentError
from .command_tools import Outcome, load_network, stem
from .flag_values import count, positive
from .folders import write_answer

_TIME = "t="
_ALLOWED = "loss, output or t=NUMBER"


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.spec_command(
        "width",
        width,
        "Print the width from which 95 of 100 networks lie within an error of the limit, training none.",
        "write to this file",
    )
    added.add_argument("--error", type=positive, default=0.01, metavar="E", help="the error; default 0.01")
    added.add_argument(
        "--at",
        type=place,
        action="append",
        metavar="WHAT",
        help="loss (default), output, or t=NUMBER for a time before the end of training; may be repeated",
    )
    added.add_argument(
        "--confirm",
        type=count,
        nargs="?",
        const=100,
        metavar="M",
        help="train M networks at that width (default 100) and say how many lie within the error",
    )


def place(word: str) -> tuple[str, str | float]:
    """What a word after --at says: ("at", "loss" or "output"), or ("t", a time)."""
    if word in ("loss", "output"):
        return "at", word
    try:
        time = float(word.removeprefix(_TIME)) if word.startswith(_TIME) else math.nan
    except ValueError:
        time = math.nan
    if not (math.isfinite(time) and time >= 0):
        raise argparse.ArgumentTypeError(f"{word!r} is not {_ALLOWED}")
    return "t", time


def width(arguments: argparse.Namespace) -> Outcome:
    """Print the width with the reasoning, or write it to a file."""
    from ..fluctuation.width import width_for

    given = arguments.at or ()
    chosen = dict(given)
    if len(chosen) < len(given):
        raise ArgumentError(
            "--at says twice at which quantity, or twice at which time: give one of loss and output, and one "
            "t=NUMBER beside it, or run the command for each"
        )
    found = width_for(
        load_network(arguments),
        arguments.error,
        str(chosen.get("at", "loss")),
        chosen.get("t"),
        confirm=arguments.confirm or 0,
    )
    data = {"name": stem(arguments), **found.data, "text": found.text}
    if arguments.output is None:
        return Outcome(data, found.text)
    write_answer(arguments.output, found.text)
    return Outcome({**data, "file": str(arguments.output)}, f"The answer is in {arguments.output}")
