"""The command `check`, and the verdict that `run` leaves on its page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .command_tools import Outcome, load_network, stem
from .folders import output_folder
from .unfinished import keeping, refuse_unfinished


def check(arguments: argparse.Namespace) -> Outcome:
    """Hold finite networks against the limit; the exit code is the verdict's."""
    from ..report.verdict_section import write_verdict_page

    network = load_network(arguments)
    folder = output_folder(arguments, Path("runs") / f"{stem(arguments)}-check")
    refuse_unfinished(arguments, folder)
    with keeping(arguments, folder, network) as keeper:
        verdict = verdict_of(network, arguments, arguments.effort, keeper)
        saved = verdict.save(folder)
        page = write_verdict_page(verdict.data, folder)
        keeper.finish()
    data = {**verdict.data, "file": str(saved), "page": str(page)}
    return Outcome(data, f"{verdict.text}\n\nThe page: {page}", verdict.exit_code)


def verdict_of(network: Any, arguments: argparse.Namespace, effort: str, keeper: Any) -> Any:
    """The verdict on a network with the flags of the command line; what a flag says is taken as it is."""
    import mfderive

    return mfderive.check(
        network,
        effort,
        widths=arguments.widths,
        seeds=getattr(arguments, "check_seeds", None),
        first_seed=arguments.seed,
        steps=arguments.steps,
        horizon=arguments.horizon,
        precision=arguments.precision,
        progress=not arguments.quiet,
        keep=keeper,
    )
