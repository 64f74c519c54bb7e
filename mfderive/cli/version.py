"""What ``mfderive --version`` says: the version, and with --json those of all parts that results rest on."""

from __future__ import annotations

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = "extra =="


def versions() -> dict[str, str | None]:
    """Versions by name: mfderive, Python, and every package that it needs (None: not installed)."""
    needed = [line for line in requires("mfderive") or () if _EXTRA not in line]
    # What numba and jax are built on decides results too.
    names = {"jaxlib", "llvmlite"} | {match.group() for line in needed if (match := _NAME.match(line))}
    found: dict[str, str | None] = {"mfderive": version("mfderive"), "python": platform.python_version()}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def print_version(as_json: bool) -> None:
    """One line, or a JSON object with a version for each part."""
    print(json.dumps(versions(), indent=2) if as_json else f"mfderive {version('mfderive')}")
