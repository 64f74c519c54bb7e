"""How the findings of a pass become sentences: by kind, of the finding and the system before the pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem

# The kind of a finding -> what it says, given the system before the pass.
Sentences = Mapping[str, Callable[[LimitSystem, Finding], str]]


def listed(parts: Sequence[str]) -> str:
    """Names as a sentence lists them: "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
