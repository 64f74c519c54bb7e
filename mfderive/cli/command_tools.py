"""What several commands share: the network of a spec with the flags written in, stages, what comes out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MfError, SpecError
from ..network.solve_options import ENDS, OPTIONS

# The table and the key of a spec that each flag replaces: flags are edits of the spec, so they are checked
# and stored like it. The limit ends where training ends, so --steps are the steps of both.
FLAG_KEYS = {name: ("solver", name) for name, option in OPTIONS.items() if option.flag} | {
    "steps": ("training", "steps"),
    **{
        name: ("training", name)
        for name in (
            "learning_rate",
            "batch_size",
            "schedule",
            "optimizer",
            "weight_decay",
            "noise",
            "clip",
            "dropout",
        )
    },
    "widths": ("check", "widths"),
    "seeds": ("check", "seeds"),
}


STANDARD_INPUT = "-"  # in the place of SPEC


@dataclass(frozen=True)
class Outcome:
    """What a command has to say: plain data for --json, text for people, and the exit code.

    ``warnings`` stand in the text and in the data; where the text is not printed they are said on stderr.
    """

    data: dict[str, Any]
    text: str
    code: int = 0
    warnings: tuple[str, ...] = ()


def say(text: str) -> None:
    """One line on stderr, as errors are said."""
    print(f"mfderive: {text}", file=sys.stderr, flush=True)


@dataclass
class Stages:
    """Names of the stages on stderr while they run, and their times in seconds."""

    quiet: bool
    total: int
    timings: dict[str, float] = field(default_factory=dict)
    earlier: Mapping[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """One stage: its name is printed when it begins, its time kept when it ends.

        What a run that goes on took ``earlier`` is added.
        """
        if not self.quiet:
            print(f"[{len(self.timings) + 1}/{self.total}] {name}", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        yield
        self.timings[name] = self.earlier.get(name, 0.0) + time.perf_counter() - begin


def given_flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that replace something in the spec, as far as they were given."""
    given = {flag: getattr(arguments, flag, None) for flag in FLAG_KEYS}
    return {flag: value for flag, value in given.items() if value is not None}


def flag_name(flag: str) -> str:
    """A flag as it is written: --batch-size, --no-reduce."""
    return OPTIONS[flag].flag_name if flag in OPTIONS else f"--{flag.replace('_', '-')}"


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the solution among the flags that were given."""
    return {
        name: value
        for name, value in given_flags(arguments).items()
        if name in OPTIONS and OPTIONS[name].flag
    }


def stem(arguments: argparse.Namespace) -> str:
    """The name of the spec's file without its ending; ``stdin`` where it was read from standard input."""
    return "stdin" if arguments.spec == STANDARD_INPUT else Path(arguments.spec).stem


def spec_text(arguments: argparse.Namespace) -> str:
    """The text of the spec as it stands now; what was read where it can be read once, or was given."""
    content: bytes | None = getattr(arguments, "content", None)
    if content is not None:
        return content.decode("utf-8-sig")
    return Path(arguments.spec).read_text(encoding="utf-8")


def _parsed(arguments: argparse.Namespace) -> Any:
    """The network of the spec file that was named, or of what standard input says, not yet resolved."""
    from ..format.reader import read, read_content

    content = getattr(arguments, "content", None)
    if arguments.spec != STANDARD_INPUT:
        if content is not None:
            return read_content(content, arguments.spec)
        return read(_spec_path(arguments.spec))
    arguments.content = standard_input() if content is None else content
    return read_content(arguments.content, "standard input")


def standard_input() -> bytes:
    """What standard input says, up to the size that a spec may have, and a byte more where it is larger."""
    from ..format.toml_syntax import MAX_BYTES

    if sys.stdin is None:  # it was closed by whoever started the command
        raise MfError("standard input is closed. Give the path of a spec file, or a pipe")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _spec_path(text: str) -> Path:
    """The spec file that was named. Raises SpecError, with the shipped spec of that name if there is one."""
    if not text:
        raise SpecError(
            "no spec was named",
            remedy="Name a .toml file, or - for standard input; `mfderive new NAME` writes one",
        )
    from ..format.reader import near_spec

    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        raise SpecError("this is a folder, not a spec file", file=text, remedy="Name a .toml file")
    if path.exists():
        raise SpecError(
            "this is a pipe or a device, not a file",
            file=text,
            remedy="A spec from a pipe is read with - as SPEC: cat my_network.toml | mfderive show -",
        )
    try:
        near = near_spec(path)
    except OSError as error:
        raise SpecError(f"the file cannot be read: {error.strerror}", file=text) from None
    end = "" if near.endswith("?") else "."
    raise SpecError(
        "there is no such file", file=text, remedy=f"{near}{end} `mfderive new NAME` writes one to start from"
    )


def load_network(arguments: argparse.Namespace) -> Any:
    """The network of the spec with the flags written into it, resolved."""
    from ..format.reader import parse_document
    from ..samples.loading import warn_of_data
    from ..samples.resolve import resolve

    parsed = _parsed(arguments)
    document = dict(parsed.document)
    if any(getattr(arguments, end, None) is not None for end in ENDS):
        for name in ("solver", "check"):
            table = document.get(name, {})
            document[name] = {key: value for key, value in table.items() if key not in ENDS}
    for flag, value in given_flags(arguments).items():
        name, key = FLAG_KEYS[flag]
        document[name] = {**document.get(name, {}), key: value}
    _full_ensemble(arguments, document)
    if document != parsed.document:
        parsed = parse_document(document, parsed.file, [flag_name(flag) for flag in given_flags(arguments)])
    network = resolve(parsed, None, int(dict(parsed.solver).get("data_seed", 0)))
    warn_of_data(network)
    return network


def _full_ensemble(arguments: argparse.Namespace, document: dict[str, Any]) -> None:
    """Where the limit is not reduced, --nodes are those of the full ensemble, and no rule chooses them."""
    solver = document.get("solver", {})
    if not isinstance(solver, Mapping) or solver.get("reduce") is not False:
        return
    if getattr(arguments, "rule", None) is not None:
        raise MfError(
            "--rule chooses the nodes of the reduced system, but the full ensemble (--no-reduce, or reduce = "
            "false in [solver]) is drawn from the laws. Leave one of them out"
        )
    if getattr(arguments, "nodes", None) is not None:
        document["solver"] = {**solver, "widths": arguments.nodes}
