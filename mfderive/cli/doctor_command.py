"""The command `doctor`: whether everything that mfderive rests on works here, and what to do where not."""

from __future__ import annotations

import argparse
from textwrap import wrap
from typing import Any

from .command_tools import Outcome

PROBLEM = 1  # the exit code where something does not work
_WIDTH = 110


def add(shelf: Any) -> None:
    """Put the command on the shelf."""
    shelf.command(
        "doctor",
        doctor,
        "Say whether everything that mfderive rests on works here: versions, caches, compiler, threads, JAX, "
        "memory, disk, extras. Exit code 1: something does not.",
    )


def doctor(arguments: argparse.Namespace) -> Outcome:
    """Look at everything, one line each."""
    from .doctor_checks import Status, examined

    findings = examined()
    widest = max(len(finding.name) for finding in findings)
    rows = []
    for finding in findings:
        head = f"{finding.status.value:<8} {finding.name:<{widest}}  "
        text = finding.found if finding.remedy is None else f"{finding.found}. {finding.remedy}"
        rows += wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    count = f"{problems} problem{'s' * (problems != 1)}" if problems else "no problems"
    data = {"problems": problems, "checks": [finding.data for finding in findings]}
    return Outcome(data, "\n".join([*rows, "", count]), PROBLEM if problems else 0)
