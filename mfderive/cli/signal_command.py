"""The command `signal`: kernel equations of a network at random weights, by depth and at their fixed
points."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import MfError, quoted
from .command_tools import Outcome, load_network
from .flag_values import count, number, path, positive_numbers
from .folders import write_answer

_FIGURES = (".png", ".svg")
_GRID = 40
_BATCH = 64  # inputs of the data whose averages stand for a batch


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.spec_command(
        "signal",
        signal,
        "Follow signals and gradients through the network at random weights: kernels, fixed points, phase.",
        "write the text to this file",
    )
    added.add_argument(
        "--sigma-w2", type=variance, metavar="V", help="variance of weights times fan-in; default: [signal]"
    )
    added.add_argument(
        "--sigma-b2", type=variance, metavar="V", help="variance of biases; default: [signal], or 0"
    )
    added.add_argument(
        "--critical",
        action="store_true",
        help="the sigma_w2 at which gradients neither grow nor fade, for sigma_b2",
    )
    added.add_argument(
        "--figure",
        type=figure_path,
        metavar="FILE",
        help="variances, correlation and gradients by depth: .png or .svg",
    )
    added.add_argument(
        "--phase",
        type=figure_path,
        metavar="FILE",
        help="phase diagram over sigma_w2 and sigma_b2 around the given ones: .png or .svg",
    )
    added.add_argument(
        "--lazy",
        type=figure_path,
        metavar="FILE",
        help="training with outputs divided by gamma, beside the linear dynamics of gamma -> 0: .png, .svg",
    )
    added.add_argument(
        "--gammas",
        type=positive_numbers,
        metavar="G,G,...",
        help="with --lazy: what outputs are divided by; default 1,0.3,0.1",
    )
    added.add_argument(
        "--width", type=count, metavar="N", help="with --lazy: finite networks of this width are trained too"
    )
    added.add_argument("--latex", action="store_true", help="print the equations as LaTeX")
    added.add_argument("--code", type=path, metavar="FILE", help="write the equations as a Python module")


def variance(text: str) -> float:
    """A number of at least 0."""
    value = float(number(text))
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {quoted(text)}")
    return value


def figure_path(text: str) -> Path:
    """The file of a figure."""
    file = Path(path(text))
    if file.suffix not in _FIGURES:
        raise argparse.ArgumentTypeError(f"must end with {' or '.join(_FIGURES)}, not {quoted(text)}")
    return file


def signal(arguments: argparse.Namespace) -> Outcome:
    """Print, draw or write what is known of a network's signals."""
    network = load_network(arguments)
    if arguments.lazy is not None:
        return _lazy(network, arguments)
    for flag in ("gammas", "width"):
        if getattr(arguments, flag) is not None:
            raise MfError(f"--{flag} belongs to --lazy FILE, which is not given")
    data, text = _critical(network, arguments) if arguments.critical else _followed(network, arguments)
    if arguments.phase is not None:
        _write_phase(network, arguments)
        data, text = (
            {**data, "phase_figure": str(arguments.phase)},
            f"{text}\n\nThe phase diagram is {arguments.phase}",
        )
    if arguments.output is not None:
        write_answer(arguments.output, text)
        return Outcome({**data, "file": str(arguments.output)}, f"The answer is in {arguments.output}")
    return Outcome(data, text)


def _lazy(network: Any, arguments: argparse.Namespace) -> Outcome:
    """Draw training between lazy and rich; say how far the limit is from the linear dynamics."""
    from ..report.figures import figure_bytes
    from ..runs.atomic import write_bytes
    from ..signals.lazy_and_rich import lazy_and_rich

    found = lazy_and_rich(network, arguments.gammas or (1.0, 0.3, 0.1), width=arguments.width)
    write_bytes(arguments.lazy, figure_bytes(found.figure(), arguments.lazy.suffix[1:]))
    text = f"{found.text}\n\nThe figure is {arguments.lazy}"
    if arguments.output is not None:
        write_answer(arguments.output, text)
    return Outcome({**found.data, "figure": str(arguments.lazy)}, text)


def _critical(network: Any, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from ..signals.signal import critical

    found = critical(network, sigma_b2=arguments.sigma_b2)
    return found.data, found.text


def _followed(network: Any, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Equations, fixed points and kernels by depth, of the first two inputs of the spec's data."""
    from ..signals.network_signal import network_signal

    found = network_signal(network, arguments.sigma_w2, arguments.sigma_b2)
    if arguments.code is not None:
        write_answer(arguments.code, found.code)
    if arguments.latex:
        return {**found.data, "latex": found.latex}, found.latex
    depth, inputs = _depth(network, found)
    data = {**found.data, "by_depth": depth.data}
    text = f"{found.text}\n\n{depth.text} ({inputs})"
    if arguments.figure is not None:
        from ..report.figures import figure_bytes
        from ..runs.atomic import write_bytes

        write_bytes(arguments.figure, figure_bytes(depth.figure(), arguments.figure.suffix[1:]))
        data, text = {**data, "figure": str(arguments.figure)}, f"{text}\n\nThe figure is {arguments.figure}"
    if arguments.code is not None:
        data, text = (
            {**data, "code": str(arguments.code)},
            f"{text}\n\nThe equations as code are in {arguments.code}",
        )
    return data, text


def _depth(network: Any, found: Any) -> tuple[Any, str]:
    """Kernels by depth of the first inputs of the data, and which these are."""
    if found.kernels.batch is None:
        x = network.source.evaluation(2)[0]
        return found.by_depth(x[0], x[1]), "the first two inputs of the data"
    x = network.source.evaluation(_BATCH)[0]
    which = f"any two of a batch, alike: averages over the first {len(x)} inputs of the data"
    return found.by_depth(x), which


def _write_phase(network: Any, arguments: argparse.Namespace) -> None:
    """The phase diagram around the given scales, or around a critical point where none are given."""
    import numpy as np

    from ..report.figures import figure_bytes
    from ..report.signal_figures import draw_phase
    from ..runs.atomic import write_bytes
    from ..signals.network_signal import scales_of
    from ..signals.phase_diagram import phase_diagram
    from ..signals.reading import kernel_system

    system = kernel_system(network)
    if system.own_scales:
        raise MfError(
            "a phase diagram is over sigma_w2 and sigma_b2 of all parameters, and [signal] gives some "
            "parameters scales "
            f"of their own ({', '.join(s.name for s, _ in system.own_scales)}). Remove these"
        )
    scales = scales_of(network, system, arguments.sigma_w2, arguments.sigma_b2)
    widest = max(2 * scales["sigma_w2"], 1.0), max(2 * scales["sigma_b2"], 0.2)
    grid = [np.linspace(reach / _GRID, reach, _GRID) for reach in widest]
    diagram = phase_diagram(network, sigma_w2=grid[0], sigma_b2=grid[1])
    write_bytes(arguments.phase, figure_bytes(draw_phase(diagram), arguments.phase.suffix[1:]))
