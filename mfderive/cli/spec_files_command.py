"""The commands that work on spec files as texts: `check-spec`, `fmt` and `schema`."""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import FaultKind, MfError, SpecError
from ..runs.atomic import write_text
from .command_tools import STANDARD_INPUT, Outcome, standard_input
from .flag_values import path

SCHEMA_FILE = "mfderive.schema.json"  # where `new` and `schema --write` put the schema: beside the specs
SCHEMA_LINE = f"#:schema ./{SCHEMA_FILE}\n"
DIFFERENT = 1  # the exit code of `fmt --check` where a file would change


def add(shelf: Any) -> None:
    """Put the commands on the shelf."""
    added = shelf.command(
        "check-spec",
        check_spec,
        "List all faults of specs at once, with line, column and what to do. Exit code 2: there are some.",
    )
    _add_files(added, "a spec file (TOML); - reads standard input")
    added.add_argument(
        "--no-data", action="store_true", help="look at the spec alone, not at its data and their sizes"
    )
    added = shelf.command(
        "fmt", fmt, "Give spec files one layout, in place: comments, order and what they say stay."
    )
    _add_files(added, "a spec file (TOML); - reads standard input and prints it")
    added.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit code 1 where a file would change",
    )
    added.add_argument("--diff", action="store_true", help="write nothing, print what would change")
    added = shelf.command(
        "schema", schema, "Print the JSON Schema of spec files: every key and its values, with examples."
    )
    added.add_argument(
        "--write",
        type=path,
        nargs="?",
        const=Path(SCHEMA_FILE),
        metavar="FILE",
        help=f"write it to a file for editors (default {SCHEMA_FILE}), which a spec names in its first line: "
        f"{SCHEMA_LINE.strip()}",
    )


def _add_files(added: argparse.ArgumentParser, words: str) -> None:
    added.add_argument("files", metavar="FILE", nargs="+", help=words)


# --- check-spec -------------------------------------------------------------------------------------------


def check_spec(arguments: argparse.Namespace) -> Outcome:
    """List the faults of every file."""
    from ..samples import spec_faults

    data = not arguments.no_data
    records, texts = [], []
    for file in arguments.files:
        if file == STANDARD_INPUT:
            found = spec_faults.content_faults(standard_input(), "standard input", data=data)
        else:
            found = spec_faults.check_spec(file, data=data)
        records.append({"file": file, "faults": [fault.data for fault in found]})
        count = f"{len(found)} fault{'s' * (len(found) != 1)}" if found else "no faults"
        texts += [*(fault.text for fault in found), f"{file}: {count}"]
    total = sum(len(record["faults"]) for record in records)
    return Outcome({"files": records, "faults": total}, "\n".join(texts), MfError.exit_code if total else 0)


# --- fmt --------------------------------------------------------------------------------------------------


def fmt(arguments: argparse.Namespace) -> Outcome:
    """Give every file its layout; a file that cannot be read leaves the others as they are, too."""
    changed = [_laid_out(file) for file in arguments.files]
    keeps = arguments.check or arguments.diff
    texts: list[str] = []
    for file, before, after in changed:
        differs = before != after
        if arguments.diff:
            texts += _difference(file, before, after)
        elif file == STANDARD_INPUT and not keeps:
            texts.append(after.rstrip("\n"))
        elif differs:
            texts.append(f"{file} {'would be' if keeps else 'is'} reformatted")
        if differs and not keeps and file != STANDARD_INPUT:
            _write(Path(file), after)
    different = [file for file, before, after in changed if before != after]
    if not texts and not arguments.diff:
        texts = [f"{len(changed)} file{'s' * (len(changed) != 1)}: nothing to change"]
    data: dict[str, Any] = {"files": arguments.files, "changed": different, "written": not keeps}
    if arguments.diff:
        data["diff"] = "\n".join(texts)
    return Outcome(data, "\n".join(texts), DIFFERENT if arguments.check and different else 0)


def _laid_out(file: str) -> tuple[str, str, str]:
    """A file, its text as it is, and in its layout. Raises SpecError for what cannot be read."""
    from ..format.formatting import formatted
    from ..format.reader import spec_content
    from ..format.toml_syntax import text_of
    from ..network.place import Place

    name = "standard input" if file == STANDARD_INPUT else file
    content = standard_input() if file == STANDARD_INPUT else spec_content(Path(file), name)
    try:
        after = formatted(text_of(content, Place(name)), name)
    except SpecError as error:
        if error.remedy is not None and error.kind is FaultKind.SYNTAX:
            error.remedy = f"{error.remedy}. `mfderive check-spec` shows the place"
        raise
    before = content.decode("utf-8-sig")
    if before.count("\r\n") == before.count("\n") > 0:  # Windows line ends stay
        after = after.replace("\n", "\r\n")
    return file, before, after


def _write(file: Path, text: str) -> None:
    """Write a spec in its place; a link goes on leading to it."""
    if not os.access(file, os.W_OK):  # a file that replaces it would not ask
        raise MfError(f"{file} cannot be written: it is not yours to change, or read-only")
    _written(file, lambda: write_text(file.resolve(), text))


def _written(file: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as problem:
        raise MfError(f"{file} cannot be written: {problem.strerror}") from problem


def _difference(file: str, before: str, after: str) -> list[str]:
    rows = difflib.unified_diff(before.splitlines(), after.splitlines(), file, file, lineterm="")
    return list(rows)


# --- schema -----------------------------------------------------------------------------------------------


def schema(arguments: argparse.Namespace) -> Outcome:
    """Print the JSON Schema of spec files, or write it where editors find it."""
    from ..format.schema import schema as spec_schema

    document = spec_schema()
    if arguments.write is None:
        return Outcome(document, json.dumps(document, indent=2, ensure_ascii=False))
    write_schema(arguments.write)
    line = f"#:schema ./{arguments.write.name}"
    text = f"{arguments.write} is written. Specs in that folder name it in their first line: {line}"
    return Outcome({"file": str(arguments.write), "line": line}, text)


def write_schema(file: Path) -> None:
    """Write the JSON Schema of spec files to a file. Raises MfError where that is another file's place."""
    from ..format.schema import schema as spec_schema

    document = spec_schema()
    if file.exists() and not _is_ours(file, document["title"]):
        raise MfError(
            f"{file} exists already, is no schema of mfderive, and is left alone. Give another name: "
            "`mfderive schema --write FILE`"
        )
    _written(file, lambda: write_text(file, json.dumps(document, ensure_ascii=False) + "\n"))


def _is_ours(file: Path, title: str) -> bool:
    """Whether a file is an earlier schema of spec files."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("title") == title
