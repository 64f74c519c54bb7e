"""Sizes held against the memory that is free, before anything is allocated."""

from __future__ import annotations

import psutil

from ..errors import ResourceError

# Bytes that are not worth a question.
_ALWAYS_FREE = 2**24


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise ResourceError if ``needed`` bytes are more than the memory that is free now."""
    if needed < _ALWAYS_FREE:
        return  # asking the system takes longer than drawing a batch
    available = int(psutil.virtual_memory().available)
    if needed > available:
        raise ResourceError(
            f"{what} needs {needed / 1e9:.3g} GB of memory, but {available / 1e9:.3g} GB are free. {remedy}"
        )
