"""The command line: thin. It reads flags, calls the package and prints; nothing is computed here.

Exit codes: 0 done (check: agrees), 1 the check disagrees (coords: a factor is wrong), 2 wrong use or a bad
spec, 3 not finished, diverged or undecided, 4 a fault of the program, 130 interrupted, 143 ended by SIGTERM
(128 and the number of the signal). Anything heavy is imported inside the command that needs it, so that help
and errors come at once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ..errors import MfError, SpecError
from ..errors.disk import FULL, disk_full, free_bytes
from ..runs.signals import Terminated
from .command_tools import Outcome, say
from .flags import parse

FAULT = 4
INTERRUPTED = 130
# Set in the environment, a fault of the program prints where it happened, for a report.
TRACEBACK = "MFDERIVE_TRACEBACK"
_PACKAGE = str(Path(__file__).resolve().parents[1])


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; ``words`` default to the command line's. Returns the exit code."""
    if not sys.stderr.isatty():
        # In a file every update of a bar is kept, so they come seldom. tqdm reads this when it is imported.
        os.environ.setdefault("TQDM_MININTERVAL", "10")
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            """Warnings of the package are for the person who runs the command: one line, no source code."""
            if str(Path(filename).resolve()).startswith(_PACKAGE):
                print(f"mfderive: warning: {' '.join(str(message).split())}", file=sys.stderr)
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        try:
            return _run(list(sys.argv[1:] if words is None else words))
        except (KeyboardInterrupt, Terminated) as problem:
            left = ". ".join(getattr(problem, "__notes__", [])) or "Nothing was written"
            ended = f"ended by {problem.name}" if isinstance(problem, Terminated) else "interrupted"
            print(f"\nmfderive: {ended}. {left}", file=sys.stderr)
            return 128 + problem.number if isinstance(problem, Terminated) else INTERRUPTED
        except BrokenPipeError:
            # The reader of our output has gone (a pager, head): nothing is wrong, and nobody listens.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception as problem:
            text, code = _said(problem)
            print(f"mfderive: {text}", file=sys.stderr)
            return code


def _run(words: list[str]) -> int:
    """Run one command and print what came out."""
    arguments = parse(words)
    if arguments is None:
        return 0
    outcome: Outcome = arguments.action(arguments)
    if arguments.json:
        print(json.dumps(outcome.data, indent=2, ensure_ascii=False, allow_nan=False))
    elif outcome.text and not arguments.quiet:
        print(outcome.text)
    sys.stdout.flush()
    if arguments.json or arguments.quiet:
        for warning in outcome.warnings:
            say(f"warning: {warning}")
    return outcome.code


def _fullest(problem: OSError) -> Path:
    """Where a disk is full: the file, if it is known, else the fullest of the places that are written to."""
    if problem.filename is not None:
        return Path(str(problem.filename))
    from ..codegen.solver_files import cache_directory

    places = (Path.cwd(), cache_directory(), Path(tempfile.gettempdir()))
    return min(places, key=free_bytes)


def _said(problem: Exception) -> tuple[str, int]:
    """What is said about an error, and the exit code."""
    if isinstance(problem, OSError) and problem.errno in FULL:
        problem = disk_full(_fullest(problem), problem)
    if isinstance(problem, MfError):
        parts = [str(problem), *getattr(problem, "__notes__", [])]
        more = len(problem.others) if isinstance(problem, SpecError) else 0
        if more:
            parts.append(f"{more} more fault{'s' * (more != 1)}: `mfderive check-spec` lists all of them")
        return ". ".join(parts), problem.exit_code
    if isinstance(problem, OSError) and problem.filename is not None:
        return (
            f"{str(problem.filename)[:200]}: {problem.strerror}. Look whether it is there and may be read or "
            "written; --output names another place to write to",
            MfError.exit_code,
        )
    if isinstance(problem, MemoryError):
        return f"the memory does not suffice ({problem}). Take smaller sizes", MfError.exit_code
    if os.environ.get(TRACEBACK):
        traceback.print_exception(problem)
    last = traceback.extract_tb(problem.__traceback__)[-1:]
    where = "".join(f", {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    told = " ".join(str(problem).split())[:200]
    return (
        f"a fault of the program ({type(problem).__name__}: {told}{where}). Please report it "
        f"with the spec and what the same command prints after {TRACEBACK}=1 is set",
        FAULT,
    )
