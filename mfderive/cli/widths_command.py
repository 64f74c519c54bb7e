"""Commands about widths: which factor belongs on which parameter, and sizes over the width."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from .command_tools import Outcome, load_network, stem
from .flag_values import count, widths
from .folders import output_folder, write_answer
from .given_function import given_function

_TRAIN = ("width", "seed", "steps")
# Exit codes, as those of `check`: a factor is surely wrong; what is asked cannot be told.
_WRONG, _OPEN = 1, 3


def add_coords(shelf: Any) -> None:
    """Put the command `coords` on the shelf."""
    added = shelf.spec_command(
        "coords",
        coords,
        "Hold the sizes of values and changes of networks of several widths against what the limit predicts, "
        "of this program's networks or of your own (--train): which factor is wrong? Exit code with --train "
        "0: none is found, 1: one is, 3: some cannot be told.",
        "folder to write (default runs/NAME-coords)",
    )
    for flag, read, shown, words in (
        ("widths", widths, "N,N...", "widths of the networks; default 64,128,256,512,1024"),
        ("seeds", count, "M", "networks per width; default 4"),
        ("steps", count, "K", "steps of training; default 5"),
        ("samples", count, "S", "inputs of the evaluation sample at which values are taken; default 16"),
    ):
        added.add_argument(f"--{flag}", dest=f"coordinate_{flag}", type=read, metavar=shown, help=words)
    added.add_argument(
        "--train",
        metavar="FILE.py[:NAME]",
        help="check your own networks: the function NAME (default: train) of a Python file, called as "
        "train(width, seed, steps); it returns a dictionary of arrays by the names of the spec",
    )
    added.add_argument(
        "--convention",
        metavar="NAME",
        help="the convention of your own networks: 'mean field' (default), muP or standard/NTK",
    )
    added.add_argument(
        "--plain",
        action="store_true",
        default=None,
        help="all factors of your own networks stand in their parameters, none in front of sums",
    )


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

    asked = {name: getattr(arguments, name) for name in ("convention", "plain")}
    chosen = {name: value for name, value in asked.items() if value is not None}
    if chosen and arguments.train is None:
        raise ArgumentError(
            f"--{next(iter(chosen))} says how networks of your own are written; give them with --train "
            "FILE.py[:NAME], or leave it out"
        )
    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-coords")
    for name in ("widths", "seeds", "steps", "samples"):
        value = getattr(arguments, f"coordinate_{name}")
        chosen |= {} if value is None else {name: value}
    own = arguments.train is not None
    with given_function("--train", arguments.train, "train", _TRAIN) if own else nullcontext() as train:
        found = coordinate_check(network, train, progress=not arguments.quiet, **chosen)
    saved = found.save(folder)
    return Outcome(
        {**found.data, "folder": str(folder)},
        f"{found.text}\n\nTable, data and figure are in {saved.parent}",
        _WRONG if found.named else _OPEN if found.faults or found.undecided else 0,
    )
