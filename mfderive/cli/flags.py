"""The flags of the command line, what they mean, and what is said about words that mean nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NoReturn

from ..errors import MfError, nearest, nearest_word, quoted
from ..network.solve_options import ENDS, OPTIONS
from ..runs.parts import EVERY
from . import (
    checking,
    commands,
    completion_command,
    conditions_command,
    doctor_command,
    import_command,
    ising_command,
    running,
    signal_command,
    spec_files_command,
    starting,
    sweeping,
    width_command,
    widths_command,
)
from .command_tools import Outcome
from .flag_values import batch, by_name, count, number, path, positive, reader, rule, widths
from .sweep_words import assignment, variable
from .version import print_version

EFFORTS = ("quick", "normal", "thorough")
RUN_KINDS, MOST = ("solve", "simulate"), 1000  # of a sweep, as mfderive.sweeps has them


class UsageError(MfError):
    """Wrong use of the command line."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are MfErrors, so that there is one way in which errors are printed."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{message}{'' if message[-1:] == '?' else '.'} `{self.prog} --help` explains")


def _option_flag(group: Any, name: str, with_default: bool = True) -> None:
    """The flag of an option of a solution: its name, its values and its help are the option's own."""
    option = OPTIONS[name]
    words = (option.meaning if with_default else option.help).replace("%", "%%")
    if isinstance(option.default, bool):
        group.add_argument(
            option.flag_name, dest=name, action="store_const", const=not option.default, help=words
        )
        return
    read = reader(option.allowed.read, option.allowed.type, option.allowed.names)
    group.add_argument(
        option.flag_name,
        dest=name,
        type=by_name(read) if option.by_name else read,
        metavar=option.metavar or f"{{{','.join(option.allowed.names)}}}",
        help=words,
    )


# Options of a solution that the training of finite networks has as well.
_SHARED = (*ENDS, "seed", "precision")


def _training_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training (each flag replaces what the spec says)")
    end = group.add_mutually_exclusive_group()
    for name in _SHARED:
        # Defaults are left out: finite networks have their own.
        _option_flag(end if name in ENDS else group, name, with_default=False)
    group.add_argument("--learning-rate", type=positive, metavar="A", help="learning rate alpha")
    group.add_argument("--batch-size", type=batch, metavar="B", help="samples per step, or 'all'")
    group.add_argument(
        "--schedule", metavar="S", help="an expression in the step k, or the name of a schedule"
    )
    group.add_argument(
        "--optimizer",
        type=rule,
        metavar="RULE[,C=V...]",
        help="the learning rule with its constants, for example momentum,mu=0.9",
    )
    for name, letter, words in (
        ("--weight-decay", "L", "weight decay, for all parameters or by name: h2.weight=0.01,default=0.001"),
        ("--noise", "T", "temperature of the noise of every step, for all parameters or by name"),
        ("--dropout", "Q", "probability with which a step of a network leaves out a neuron, or by layer"),
    ):
        group.add_argument(name, type=by_name(number), metavar=letter, help=words)
    group.add_argument(
        "--clip", type=positive, metavar="C", help="largest norm of a batch's gradient in L2(P)"
    )


def _limit_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limit (each flag replaces what the spec says)")
    for name, option in OPTIONS.items():
        if option.flag and name not in _SHARED:
            _option_flag(group, name)


def _network_flags(parser: argparse.ArgumentParser, seeds: str) -> None:
    group = parser.add_argument_group("finite networks")
    group.add_argument(
        "--widths",
        "--width",
        type=widths,
        metavar="N[,N...]",
        help="neurons per layer, for example 50,100,200",
    )
    group.add_argument("--seeds", dest=seeds, type=count, metavar="M", help="networks per width")


def _keeping_flags(parser: argparse.ArgumentParser, existing: Any) -> None:
    """Flags of commands that may run for long; ``existing``: the group of what to do with an earlier run."""
    existing.add_argument(
        "--resume", action="store_true", help="go on from what an interrupted or killed run kept"
    )
    parser.add_argument(
        "--checkpoint-every",
        type=positive,
        metavar="SECONDS",
        help=f"how often the state on the way is kept; default: {EVERY:g}",
    )


Action = Callable[[argparse.Namespace], Outcome]


@dataclass(frozen=True)
class Shelf:
    """Where commands are put: each gets the flags that every command has."""

    subparsers: Any
    parser: Any  # of the whole command line

    def command(self, name: str, action: Action, words: str, output: str = "") -> Parser:
        """A new command; ``output`` explains its flag --output, "" leaves that flag out."""
        added: Parser = self.subparsers.add_parser(name, help=words, description=words, allow_abbrev=False)
        added.set_defaults(action=action)
        added.add_argument(
            "--json", action="store_true", help="print the result as JSON, and nothing else on stdout"
        )
        added.add_argument(
            "--quiet",
            action="store_true",
            help="print no text and no progress bars, only warnings and errors",
        )
        if output:
            added.add_argument("--output", type=path, metavar="PATH", help=output)
        return added

    def spec_command(self, name: str, action: Action, words: str, output: str = "") -> Parser:
        """A new command that begins with a spec."""
        added = self.command(name, action, words, output)
        added.add_argument(
            "spec",
            metavar="SPEC",
            help="the spec file (TOML) of the network; - reads standard input",
        )
        return added


def build_parser() -> Parser:
    """The parser of all commands, in the order in which a person meets them."""
    parser = Parser(
        prog="mfderive",
        allow_abbrev=False,
        description="Derive the mean-field (infinite-width) limit of the training of a neural network that "
        "a small file describes, solve it, and compare it with finite networks.",
        epilog="Start with `mfderive new my_network`, then `mfderive run my_network.toml`. "
        "Exit codes: 0 done (check: agrees), 1 the check disagrees (coords: a factor is wrong), "
        "2 wrong use or a bad spec, 3 undecided, not finished or diverged (sweep: some settings), "
        "4 a fault of the program.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    parser.add_argument(
        "--json",
        dest="all_json",
        action="store_true",
        help="print as JSON; beside --version: the versions of all parts",
    )
    added = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    shelf = Shelf(added, parser)
    new = shelf.command("new", starting.new, "Write a commented spec file that runs, to start from.")
    new.add_argument("name", metavar="NAME", help="name of the network; NAME.toml is written")
    _add_equations(shelf)
    _add_runs(shelf)
    _add_sweep(shelf)
    signal_command.add(shelf)
    ising_command.add(shelf)
    import_command.add(shelf)
    report = shelf.command(
        "report", commands.report, "Draw the figures and the page of a finished run again."
    )
    report.add_argument("run", metavar="RUN", type=path, help="the folder of a run")
    spec_files_command.add(shelf)
    completion_command.add(shelf)
    doctor_command.add(shelf)
    return parser


def _add_equations(shelf: Shelf) -> None:
    """Commands that read and derive, and run nothing."""
    show = shelf.spec_command(
        "show", commands.show, "Check a spec and print its layers, populations, parameters, laws and sizes."
    )
    show.add_argument(
        "--widths", "--width", type=widths, metavar="N[,N...]", help="widths for which sizes are counted"
    )
    derive = shelf.spec_command(
        "derive", commands.derive, "Print the equations of the mean-field limit.", "write to this file"
    )
    derive.add_argument("--format", choices=("text", "latex", "mathml"), default="text", help="default: text")
    derive.add_argument(
        "--notation",
        choices=("embedding", "measure", "both"),
        default="both",
        help="functions of neuron labels, measures as in the paper (where they exist), or both (default)",
    )
    scalings = shelf.spec_command(
        "scalings",
        widths_command.scalings,
        "Print which power of the width belongs on every parameter, and why, in three conventions.",
        "write to this file",
    )
    scalings.add_argument(
        "--format", choices=("text", "markdown", "latex"), default="text", help="default: text"
    )
    scalings.add_argument(
        "--plain", action="store_true", help="all factors in the parameters, none in front of sums"
    )
    widths_command.add_coords(shelf)
    width_command.add(shelf)
    conditions_command.add(shelf)
    generate = shelf.spec_command(
        "generate",
        commands.generate,
        "Write the limit's solver as a readable Python module.",
        "folder to write (default generated/NAME)",
    )
    generate.add_argument(
        "--overwrite", action="store_true", help="replace files that were edited after they were generated"
    )
    for added in (derive, generate):
        added.add_argument(
            "--reduce", dest="reduced", action="store_true", help="reduce the limit exactly first"
        )
        added.add_argument(
            "--second-order", action="store_true", help="with its linearisation: what fluctuations obey"
        )


def _add_runs(shelf: Shelf) -> None:
    """Commands that solve and train."""
    solve = shelf.spec_command(
        "solve", commands.solve, "Solve the mean-field limit.", "folder to write (default runs/NAME-limit)"
    )
    simulate = shelf.spec_command(
        "simulate",
        commands.simulate,
        "Train finite networks.",
        "folder to write (default runs/NAME-networks)",
    )
    run = shelf.spec_command(
        "run",
        running.run,
        "Go the whole way: derive, generate, solve, train networks, write a page.",
        "folder to write (default runs/NAME)",
    )
    check = shelf.spec_command(
        "check",
        checking.check,
        "Decide by finite networks whether the limit is right: exit code 0 agrees, 1 disagrees, 3 undecided.",
        "folder to write (default runs/NAME-check)",
    )
    check.add_argument(
        "--effort", choices=EFFORTS, default="normal", help="how much to train for it; default: normal"
    )
    run.add_argument(
        "--effort",
        choices=("none", *EFFORTS),
        default="quick",
        help="effort of the check that goes on the page; default: quick",
    )
    existing = run.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", help="replace an earlier run there, once this one is finished"
    )
    existing.add_argument(
        "--numbered", action="store_true", help="where the folder is taken, take NAME-2, NAME-3, ..."
    )
    _keeping_flags(run, existing)
    for added in (solve, simulate, check):
        existing = added.add_mutually_exclusive_group()
        existing.add_argument(
            "--overwrite", action="store_true", help="begin again where an unfinished run is kept"
        )
        _keeping_flags(added, existing)
    for added in (solve, simulate, run, check):
        _training_flags(added)
    for added in (solve, run):
        _limit_flags(added)
    for added in (simulate, run):
        _network_flags(added, "seeds")
    _network_flags(check, "check_seeds")


def _add_sweep(shelf: Shelf) -> None:
    """The command that runs one spec many times."""
    added = shelf.spec_command(
        "sweep",
        sweeping.sweep,
        "Solve the limit (or train networks) for every setting of a grid: a table and a figure. Exit code 0: "
        "all settings are done, 3: some are not, and the table says why. The same command goes on.",
        "folder to write (default runs/NAME-sweep)",
    )
    for flag, read, shown, words in (
        ("--set", assignment, "KEY=VALUE", "a key that changes: 'layers.h2.weight=normal(1, {tau})'"),
        ("--grid", variable, "NAME=V,V...", "values of a variable: tau=0.1,1,3; several: all combinations"),
    ):
        added.add_argument(flag, action="append", type=read, metavar=shown, help=words)
    added.add_argument(
        "--run", choices=RUN_KINDS, default="solve", help="what a setting runs; default: solve"
    )
    for flag, dest, default, words in (
        ("--width", "width", None, "neurons per layer, for --run simulate"),
        ("--seeds", "networks", None, "networks per setting, for --run simulate; default 2"),
        ("--jobs", "jobs", None, "workers on this machine; default: one for each processor"),
        ("--threads", "threads", 1, "threads of matrix products per worker; default 1"),
        ("--most", "most", MOST, f"the largest number of settings that is begun; default {MOST}"),
    ):
        added.add_argument(flag, dest=dest, default=default, type=count, metavar="N", help=words)
    added.add_argument(
        "--scheduler", metavar="ADDRESS", help="use the workers of this Dask scheduler instead"
    )
    _training_flags(added)
    _limit_flags(added)


def _check_words(parser: Parser, words: Sequence[str]) -> None:
    """Raise UsageError, with the nearest known name, for a command or a flag that does not exist.

    argparse would speak of missing arguments first, and name nothing near.
    """
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in subparsers.choices:
        raise UsageError(f"there is no command {quoted(name)}. {nearest(name, subparsers.choices)}")
    known: list[str] = list(parser._option_string_actions)
    if name is not None:
        known = list(subparsers.choices[name]._option_string_actions)
        words = words[words.index(name) + 1 :]
    for word in takewhile(lambda word: word != "--", words):  # behind it are files, whatever they begin with
        flag = word.split("=", 1)[0]
        letter = flag.startswith("-") and flag[1:].isalpha()  # -o of other programs
        if (flag.startswith("--") or letter) and flag not in known:
            of = f"`mfderive {name}`" if name else "`mfderive`"
            flags = [each for each in known if each.startswith("--")]
            shown = flag if len(flag) < len(quoted(flag)) < 60 else quoted(flag)
            raise UsageError(f"{of} has no flag {shown}. {nearest_word(flag, flags)}")


def parse(words: Sequence[str]) -> argparse.Namespace | None:
    """The parsed command line; None where help was printed because no command was given."""
    parser = build_parser()
    _check_words(parser, words)
    arguments, extra = parser.parse_known_args(words)
    if extra:
        hint = " Several widths are written 50,100,200" if extra[0].isdecimal() else ""
        raise UsageError(f"{quoted(extra[0])} is one word too many.{hint}")
    arguments.json = arguments.all_json or getattr(arguments, "json", False)
    if arguments.version:
        print_version(arguments.json)
        return None
    if arguments.command is None:
        parser.print_help()
        return None
    return arguments
