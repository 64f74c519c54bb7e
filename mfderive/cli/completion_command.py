"""The command `completion`: a script by which a shell completes commands, flags, spec files and values."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from ..network.solve_options import OPTIONS
from .command_tools import Outcome
from .completion_scripts import SCRIPTS, Argument, Commands, Flag, Kind, Offered
from .flag_values import path

_SPECS = ("SPEC", "FILE")  # what positional arguments are called that are spec files
_INSTALL = {
    "bash": 'eval "$(mfderive completion bash)"    # in ~/.bashrc',
    "zsh": "mfderive completion zsh > _mfderive    # in a folder of $fpath, before compinit",
    "fish": "mfderive completion fish > ~/.config/fish/completions/mfderive.fish",
}


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    added = shelf.command(
        "completion",
        partial(completion, shelf),
        "Print the script by which a shell completes commands, flags, spec files and values. To use it: "
        + "; ".join(_INSTALL.values()).replace("    #", " "),
    )
    added.add_argument("shell", choices=tuple(SCRIPTS), help="the shell")


def completion(shelf: Any, arguments: argparse.Namespace) -> Outcome:
    """Print the script of a shell."""
    commands = _commands(shelf)
    script = SCRIPTS[arguments.shell](commands)
    return Outcome({"shell": arguments.shell, "script": script}, script.rstrip("\n"))


def _commands(shelf: Any) -> Commands:
    """Every command with its flags and arguments, and the flags that stand before commands."""
    described = {action.dest: action.help or "" for action in shelf.subparsers._choices_actions}
    found = {
        name: Offered(
            described.get(name, ""),
            tuple(_flag(action) for action in parser._actions if action.option_strings),
            tuple(_argument(action) for action in parser._actions if not action.option_strings),
        )
        for name, parser in shelf.subparsers.choices.items()
    }
    own = tuple(_flag(action) for action in shelf.parser._actions if action.option_strings)
    return Commands(found, own)


def _flag(action: argparse.Action) -> Flag:
    words = (action.help or "") % {"default": action.default} if action.help else ""
    takes = Kind.NOTHING if action.nargs == 0 else _kind(action)
    return Flag(tuple(action.option_strings), words, takes, _values(action), action.nargs == "?")


def _argument(action: argparse.Action) -> Argument:
    kind = _kind(action)
    if action.metavar in _SPECS and kind is Kind.WORD:
        kind = Kind.SPEC
    return Argument(action.dest, kind, _values(action), action.nargs == "+")


def _kind(action: argparse.Action) -> Kind:
    if _values(action):
        return Kind.VALUES
    return Kind.FILE if action.type is path or action.metavar in ("MODEL", "FILE.py[:NAME]") else Kind.WORD


def _values(action: argparse.Action) -> tuple[str, ...]:
    """The values that a flag or an argument may have, where they are a few words."""
    if action.choices is not None:
        return tuple(map(str, action.choices))
    if action.nargs == 0:
        return ()
    if action.dest in OPTIONS:
        return OPTIONS[action.dest].allowed.names
    if action.dest not in ("optimizer", "schedule"):
        return ()
    from ..algebra.update_rules import RULES
    from ..network.schedules import SCHEDULES

    return tuple(RULES if action.dest == "optimizer" else SCHEDULES)
