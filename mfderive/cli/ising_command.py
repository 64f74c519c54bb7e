"""The command `ising`: mean field of an Ising model on a lattice, a chain, or any other graph."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import DataError, quoted
from .command_tools import Outcome
from .flag_values import count, number, path, positive

_MOST_SPINS = 250_000
_LONGEST_CHAIN = 10_000  # the eigenvalues of longer ones lie too close together to be told apart in a minute
_FIGURES = (".png", ".svg")


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.command(
        "ising",
        ising,
        "Solve the mean field of an Ising model: all magnetisations, stability, free energy, transitions.",
        "write the text to this file",
    )
    graph = added.add_argument_group("graph (one of them)").add_mutually_exclusive_group(required=True)
    graph.add_argument(
        "--lattice", type=lattice, metavar="8x8", help="a periodic lattice, for example 8x8 or 4x4x4"
    )
    graph.add_argument("--chain", type=chain, metavar="N", help="N spins in a row, with open ends")
    graph.add_argument(
        "--regular", type=regular, metavar="D,N", help="a random graph of N spins with D neighbours each"
    )
    graph.add_argument(
        "--graph", type=path, metavar="FILE", help="a graph: .gml, or a list of edges 'A B [J]'"
    )
    _add_numbers(added)


def _add_numbers(added: Any) -> None:
    """Couplings, temperature, effort and what is written."""
    added.add_argument(
        "--open", action="store_true", help="a lattice with open ends instead of a periodic one"
    )
    added.add_argument(
        "--J",
        type=coupling,
        default=1.0,
        metavar="J",
        help="coupling, or the name of an edge attribute (of a list of edges: weight); default 1",
    )
    added.add_argument(
        "--h",
        type=coupling,
        default=0.0,
        metavar="H",
        help="field, or the name of a node attribute; default 0",
    )
    added.add_argument(
        "--T", type=positive, metavar="T", help="temperature; default 1 (with --T-range: its middle)"
    )
    added.add_argument(
        "--T-range",
        type=temperatures,
        metavar="A:B:N",
        help="the magnetisation at N temperatures from A to B",
    )
    added.add_argument(
        "--starts",
        type=count,
        metavar="K",
        help="random starts of the search; default 24, or 8 beyond 400 spins",
    )
    added.add_argument(
        "--seed", type=count, default=1, metavar="S", help="of random graphs, starts and samples; default 1"
    )
    added.add_argument("--latex", action="store_true", help="print the equations as LaTeX")
    added.add_argument(
        "--figure",
        type=figure_path,
        metavar="FILE",
        help="m over T with --T-range, else the graphical solution: .png or .svg",
    )


def coupling(text: str) -> float | str:
    """A number, or the name of an attribute."""
    try:
        float(text)
    except ValueError:
        return text
    return float(number(text))


def lattice(text: str) -> tuple[int, ...]:
    """Sizes of a lattice."""
    try:
        sizes = tuple(int(part) for part in text.split("x"))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 8x8 or 4x4x4, not {quoted(text)}")
    _fitting(_product(sizes))
    return sizes


def chain(text: str) -> int:
    """The number of spins of a chain."""
    spins: int = count(text)
    _fitting(spins, _LONGEST_CHAIN)
    return spins


def regular(text: str) -> tuple[int, int]:
    """Degree and number of spins of a random regular graph."""
    try:
        degree, spins = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be D,N such as 3,100, not {quoted(text)}") from None
    if not 0 <= degree < spins or degree * spins % 2:
        raise argparse.ArgumentTypeError(
            f"asks for {spins} spins with {degree} neighbours each; D must be less than N, and D times N even"
        )
    _fitting(spins)
    return degree, spins


def temperatures(text: str) -> tuple[float, float, int]:
    """First and last temperature and how many."""
    try:
        first, last, places = text.split(":")
        found = float(first), float(last), int(places)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be A:B:N such as 0.5:5:40, not {quoted(text)}") from None
    if not (0 < found[0] < found[1] < float("inf") and 2 <= found[2] <= 10_000):
        raise argparse.ArgumentTypeError(
            f"must be A:B:N with 0 < A < B and N from 2 to 10000, not {quoted(text)}"
        )
    return found


def figure_path(text: str) -> Path:
    """The file of a figure."""
    file = path(text)
    if file.suffix not in _FIGURES:
        raise argparse.ArgumentTypeError(f"must end with {' or '.join(_FIGURES)}, not {quoted(text)}")
    return file


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _fitting(spins: int, most: int = _MOST_SPINS) -> None:
    if spins > most:
        raise argparse.ArgumentTypeError(f"asks for {spins} spins; at most {most} are taken")


def _graph(arguments: argparse.Namespace) -> Any:
    """The graph that the flags name."""
    import networkx as nx

    if arguments.lattice is not None:
        return nx.grid_graph(list(reversed(arguments.lattice)), periodic=not arguments.open)
    if arguments.chain is not None:
        return nx.path_graph(arguments.chain)
    if arguments.regular is not None:
        return nx.random_regular_graph(*arguments.regular, seed=arguments.seed)
    return _read_graph(arguments.graph)


def _read_graph(file: Path) -> Any:
    """A graph from a file. Raises DataError where there is none in it."""
    import networkx as nx

    if not file.is_file():
        raise DataError("there is no such file", file=str(file), remedy="Name a .gml file or a list of edges")
    try:
        if file.suffix == ".gml":
            return nx.read_gml(file, label=None)
        return _edge_list(file.read_text(encoding="utf-8"))
    except (nx.NetworkXError, ValueError, UnicodeDecodeError, IndexError) as problem:
        raise DataError(
            f"no graph can be read: {problem}",
            file=str(file),
            remedy="A .gml file is read as GML; any other as lines 'A B' or 'A B J', one for each edge",
        ) from None


def _edge_list(text: str) -> Any:
    """A graph from lines 'A B' or 'A B J', with comments after #; J becomes the attribute weight."""
    import networkx as nx

    graph = nx.Graph()
    for row, line in enumerate(text.splitlines(), start=1):
        parts = line.split("#")[0].replace(",", " ").split()
        if not parts:
            continue
        if len(parts) not in (2, 3):
            raise ValueError(f"line {row} has {len(parts)} words, not 'A B' or 'A B J'")
        values = {}
        if len(parts) == 3:
            try:
                values["weight"] = float(parts[2])
            except ValueError:
                raise ValueError(f"line {row}: {quoted(parts[2])} is not a number") from None
        graph.add_edge(parts[0], parts[1], **values)
    return graph


def ising(arguments: argparse.Namespace) -> Outcome:
    """Solve the model and print, draw or write what was found."""
    import numpy as np

    from ..report.figures import figure_bytes
    from ..runs.atomic import write_bytes
    from ..variational.magnetisation_curve import magnetisation_curve
    from ..variational.mean_field import mean_field
    from .folders import write_answer

    limits = arguments.T_range
    at = arguments.T if arguments.T is not None else (limits[0] + limits[1]) / 2 if limits else 1.0
    found = mean_field(
        _graph(arguments), arguments.J, arguments.h, T=at, starts=arguments.starts, seed=arguments.seed
    )
    data, text = found.data, found.equations.latex if arguments.latex else found.text
    shown: Any = found
    if limits:
        shown = magnetisation_curve(found.model, np.linspace(*limits), seed=arguments.seed)
        data = {**data, "curve": shown.data}
        text = f"{text}\n\nMagnetisation over the temperature:\n\n{shown.text}"
    if arguments.figure is not None:
        write_bytes(arguments.figure, figure_bytes(shown.figure(), arguments.figure.suffix[1:]))
        data, text = {**data, "figure": str(arguments.figure)}, f"{text}\n\nThe figure is {arguments.figure}"
    if arguments.output is not None:
        write_answer(arguments.output, text)
        return Outcome({**data, "file": str(arguments.output)}, f"The answer is in {arguments.output}")
    return Outcome(data, text)
