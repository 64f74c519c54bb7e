"""The command line: thin. It reads flags, calls the package and prints; nothing is computed here.

Exit codes: 0 done (check: agrees), 1 the check disagrees, 2 wrong use or a bad spec, 3 not finished, diverged
or undecided, 130 interrupted. Anything heavy is
imported inside the command that needs it, so that help and errors come at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from ..errors import MfError
from .commands import Outcome
from .parser import parse

INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; ``words`` default to the command line's. Returns the exit code."""
    if not sys.stderr.isatty():
        # In a file every update of a bar is kept, so they come seldom. tqdm reads this when it is imported.
        os.environ.setdefault("TQDM_MININTERVAL", "10")
    try:
        arguments = parse(list(sys.argv[1:] if words is None else words))
        if arguments is None:
            return 0
        outcome: Outcome = arguments.action(arguments)
        if arguments.json:
            print(json.dumps(outcome.data, indent=2, ensure_ascii=False, allow_nan=False))
        elif outcome.text and not arguments.quiet:
            print(outcome.text)
        sys.stdout.flush()
        return outcome.code
    except MfError as problem:
        print(f"mfderive: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("\nmfderive: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (a pager, head): nothing is wrong, and nobody listens.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        if problem.filename is None:
            raise
        print(f"mfderive: {str(problem.filename)[:200]}: {problem.strerror}", file=sys.stderr)
        return MfError.exit_code
    except MemoryError as problem:
        print(f"mfderive: the memory does not suffice ({problem}). Take smaller sizes", file=sys.stderr)
        return MfError.exit_code
    return 0
