"""Sizes held against the memory that is free, before anything is allocated."""

from __future__ import annotations

import psutil

from ..errors import ResourceError
from ..errors.disk import size_text

# Bytes that are not worth a question.
_ALWAYS_FREE = 2**24


def free_memory() -> int:
    """Bytes that this process may still take: what is free, or what its own limit (ulimit -v) leaves."""
    available = int(psutil.virtual_memory().available)
    try:
        import resource

        allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):  # not every system has such limits
        return available
    if allowed == resource.RLIM_INFINITY:
        return available
    return max(0, min(available, allowed - int(psutil.Process().memory_info().vms)))


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise ResourceError if ``needed`` bytes are more than the memory that is free now."""
    if needed < _ALWAYS_FREE:
        return  # asking the system takes longer than drawing a batch
    available = free_memory()
    if needed > available:
        raise ResourceError(
            f"{what} needs {size_text(needed)} of memory, but {size_text(available)} are free. {remedy}"
        )
