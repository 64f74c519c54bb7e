"""What the scripts of this folder share: a figure of Nguyen (2019), trained, drawn, counted and resumed.

A script states a :class:`Figure` and calls :func:`run` with it. Every curve, of the limit and of each width,
is written when it is finished, and what is unfinished is kept on the way (docs/runs.md): the same command
goes on where it was killed. The limit makes the same steps on the same batches as the networks, so that the
distance of their curves is that of a finite width alone.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paper_output import draw, print_numbers, slopes_of, table_of, write_numbers
from paper_runs import Asked, Curve, Setting, trained

import mfderive as mf

__all__ = [
    "POPULATION",
    "SPECS",
    "TRAINING_AND_TEST",
    "Figure",
    "Row",
    "Setting",
    "run",
    "whole_flag",
    "widths_flag",
]

SPECS = Path(__file__).parent / "specs"
# Panels of a row: what is drawn, and on which sample.
POPULATION = (("loss", "test"), ("error", "test"))
TRAINING_AND_TEST = (("loss", "train"), ("loss", "test"), ("error", "train"), ("error", "test"))

# What of [data] stands for the spec's own, from the folder of --data (None where it is not given).
DataTable = Callable[[Path | None], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Row:
    """A row of a figure: its settings (the second is dotted) and the lengths at which they are trained.

    ``widths`` and ``steps`` are those that end in minutes, ``full_widths`` and ``full_steps`` the paper's.
    ``data`` makes the table [data] out of the folder given by --data; None: that of the spec.
    """

    title: str
    settings: tuple[Setting, ...]
    widths: tuple[int, ...]
    steps: int
    full_widths: tuple[int, ...]
    full_steps: int = 100_000
    data: DataTable | None = None


@dataclass(frozen=True)
class Figure:
    """A figure of the paper: ``says`` is what the paper reads off it, ``unchecked`` what nobody can check."""

    name: str
    title: str
    rows: tuple[Row, ...]
    panels: tuple[tuple[str, str], ...]
    says: str
    unchecked: tuple[str, ...]
    seeds: int = 1


def run(figure: Figure, arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Train what the flags ask for, draw it, print and write its numbers; returns them.

    Ends with a message and code 2 for what the program refuses (flags, data, a folder).
    """
    parser = _parser(figure)
    flags = parser.parse_args(arguments)
    print(f"{figure.title}\nThe paper: {figure.says}", flush=True)
    try:
        tables = [None if row.data is None else row.data(flags.data) for row in figure.rows]
        titles = [_title(row, table) for row, table in zip(figure.rows, tables, strict=True)]
        curves = _curves(figure, titles, tables, flags)
        table = table_of(curves)
        print_numbers(table, titles)
        print("\nWhat cannot be checked:", *figure.unchecked, sep="\n  - ")
        document = {
            "figure": figure.title,
            "rows": titles,
            "full": flags.full,
            "mfderive": mf.__version__,
            "table": table,
            "slopes": slopes_of(table),
            "unchecked": figure.unchecked,
        }
        write_numbers(flags.output, document, curves, figure.name)
        draw(flags.output, figure.name, figure.title, titles, figure.panels, curves)
    except mf.MfError as error:
        parser.exit(2, f"{figure.name}: {error}\n")
    print(f"\n{flags.output / figure.name}.png, .svg, .csv, .json")
    return document


def _title(row: Row, table: Mapping[str, Any] | None) -> str:
    """What stands above a row: whether its data is the paper's, too."""
    stand_in = row.data is not None and (table is None or isinstance(table.get("x"), np.ndarray))
    return f"{row.title} (stand-in: digits)" if stand_in else row.title


def _curves(
    figure: Figure,
    titles: Sequence[str],
    tables: Sequence[Mapping[str, Any] | None],
    flags: argparse.Namespace,
) -> list[Curve]:
    """All curves of the figure, row by row."""
    curves: list[Curve] = []
    for number, row in enumerate(figure.rows):
        widths, steps = (row.full_widths, row.full_steps) if flags.full else (row.widths, row.steps)
        widths, steps, seeds = flags.widths or widths, flags.steps or steps, flags.seeds or figure.seeds
        asked = Asked(widths, seeds, steps, flags.output, flags.nodes)
        print(f"{titles[number]}:", flush=True)
        for setting in row.settings:
            curves += trained(number, setting, setting.network(tables[number]), asked)
    return curves


def _parser(figure: Figure) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python examples/paper/{figure.name}.py",
        description=f"{figure.title}. The same command goes on where it was interrupted.",
    )
    folder = Path("runs") / figure.name
    parser.add_argument("--full", action="store_true", help="widths and number of steps of the paper")
    parser.add_argument("--output", type=Path, default=folder, help="a folder (%(default)s)")
    parser.add_argument("--widths", type=widths_flag, help="widths of the networks, such as 50,100,200")
    parser.add_argument("--seeds", type=whole_flag, help=f"networks of each width ({figure.seeds})")
    parser.add_argument("--steps", type=whole_flag, help="steps of SGD")
    parser.add_argument("--nodes", type=whole_flag, help="nodes of each population of the limit")
    if any(row.data is not None for row in figure.rows):
        parser.add_argument("--data", type=Path, help="the folder with the files of the data set")
    else:
        parser.set_defaults(data=None)
    return parser


def whole_flag(text: str) -> int:
    """A positive whole number of the command line."""
    if not text.strip().isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


def widths_flag(text: str) -> tuple[int, ...]:
    """Positive whole numbers between commas, ascending."""
    return tuple(sorted({whole_flag(part) for part in text.split(",")}))
