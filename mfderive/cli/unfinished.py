"""What a command keeps while it is at work, and how it goes on: the flags --checkpoint-every and --resume."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MfError
from ..runs.folder_lock import owner_of
from ..runs.parts import EVERY, UNFINISHED, parts_in
from .command_tools import say

if TYPE_CHECKING:
    from ..runs.keeping import Keeper

AGAIN = "The same command with --resume goes on from there"


def refuse_unfinished(arguments: argparse.Namespace, folder: Path) -> None:
    """Raise MfError where a folder holds an unfinished run, and nothing says what is to become of it."""
    from ..runs.keeping import saved_words

    place = folder / UNFINISHED
    parts = [] if arguments.resume or arguments.overwrite else parts_in(place)
    if parts and owner_of(place) is None:
        raise MfError(
            f"{folder} holds an unfinished run ({saved_words(parts)}). --resume goes on with it, --overwrite "
            "begins again"
        )


@contextmanager
def keeping(arguments: argparse.Namespace, folder: Path, network: Any) -> Iterator[Keeper]:
    """The keeper of a command that fills a folder.

    Raises MfError where another process is at work there, and OtherProblemError where what is to go on is of
    another problem.
    """
    with keeper_in(arguments, folder) as keeper:
        if arguments.resume:
            keeper.check(network)
            if not keeper.files() and keeper.say is not None:
                keeper.say(f"nothing is unfinished in {folder}: this run begins at its start")
        yield keeper


def keeper_in(arguments: argparse.Namespace, folder: Path) -> Keeper:
    """The keeper of what is unfinished in a folder, as the flags want it."""
    from ..runs.keeping import Keeper

    return Keeper(
        folder / UNFINISHED,
        arguments.checkpoint_every or EVERY,
        fresh=not arguments.resume,
        again=AGAIN,
        say=None if arguments.quiet else say,
    )
