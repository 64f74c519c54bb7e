"""The command `import`: a spec file of a model of another program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, quoted
from .command_tools import Outcome
from .flag_values import path
from .folders import write_answer


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.command(
        "import",
        import_model,
        "Read an ONNX model (of PyTorch and others) and write it as a spec file, to be edited.",
        "write the spec to this file (.toml)",
    )
    added.add_argument("model", metavar="MODEL.onnx", type=path, help="the model")
    added.add_argument(
        "--second",
        type=path,
        metavar="OTHER.onnx",
        help="the same model in another width: layers whose size differs grow infinitely wide",
    )
    added.add_argument(
        "--widths",
        type=layer_names,
        metavar="NAMES",
        help="the layers that grow, as fc1,fc2; default (without --second): all hidden ones",
    )


def layer_names(text: str) -> tuple[str, ...]:
    """Names of layers between commas."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"must be names of layers between commas, not {quoted(text)}")
    return names


def import_model(arguments: argparse.Namespace) -> Outcome:
    """Print or write the spec of a model."""
    from ..exchange.from_program import from_onnx

    if arguments.second is not None and arguments.widths is not None:
        raise ArgumentError("--second and --widths both say which layers grow. Give one of them")
    if arguments.output is not None and Path(arguments.output).suffix != ".toml":
        raise ArgumentError(f"--output must end with .toml, not {quoted(str(arguments.output))}")
    found = from_onnx(arguments.model, arguments.second, widths=arguments.widths)
    data: dict[str, Any] = {
        "document": dict(found.document),
        "widths": dict(found.widths),
        "notes": list(found.notes),
        "laws": {name: {"law": law.text, "from": law.sentence} for name, law in found.laws.items()},
    }
    if arguments.output is None:
        return Outcome({**data, "toml": found.toml}, found.toml)
    write_answer(arguments.output, found.toml)
    said = "\n".join(f"- {note}" for note in found.notes)
    return Outcome({**data, "file": str(arguments.output)}, f"The spec is in {arguments.output}\n{said}")
