"""What `mfderive doctor` looks at: each check tries the thing itself and says what it found."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from ..algebra.memory import free_memory
from ..codegen.solver_files import cache_directory
from ..errors.disk import free_bytes, size_text

# Below these, the smallest of the shipped specs fail or leave nothing to others.
_LITTLE_MEMORY, _LITTLE_DISK = 2**30, 2**30
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=\s*([0-9][0-9.]*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_NUMBER = re.compile(r"\d+")
# The extras of people who use mfderive, with what they bring; the others are for its own development.
EXTRAS = {
    "import": ("models of other programs (mfderive import)", ("onnx",)),
    "torch": ("models of PyTorch (mf.from_torch, net.to_torch)", ("torch",)),
    "sweep": ("grids of runs (mfderive sweep)", ("dask", "distributed")),
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Status(StrEnum):
    """What a check came to; an extra that is not installed is no problem."""

    OK = "ok"
    ABSENT = "absent"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Examined:
    """One check: what was looked at, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    remedy: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        """The check as plain data."""
        return {**asdict(self), "status": self.status.value}


def examined() -> list[Examined]:
    """All checks, each by itself: one that fails in an unknown way is a problem too, and the others go on."""
    found: list[Examined] = []
    for name, check in _CHECKS.items():
        try:
            found += check()
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            found.append(Examined(name, Status.PROBLEM, said, _REINSTALL))
    return found


_REINSTALL = "Install it again: python -m pip install --force-reinstall mfderive"


def _python() -> Iterator[Examined]:
    system = f"{platform.platform(terse=True)} ({platform.machine()})"
    found = f"{platform.python_version()} on {system}, {sys.executable}"
    yield Examined("python", Status.OK, found, facts={"version": platform.python_version()})


def _packages() -> Iterator[Examined]:
    """mfderive and everything that it needs, in the versions that it asks for."""
    yield Examined("mfderive", Status.OK, f"{version('mfderive')} from {Path(__file__).parents[1]}")
    versions, wrong = {}, []
    for name, least in _requirements(None):
        versions[name] = _version(name)
        if not _suffices(versions[name], least):
            wrong.append(
                f"{name} {versions[name] or 'is not installed'} (at least {least or 'any'} is needed)"
            )
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    if not wrong:
        yield Examined("packages", Status.OK, listed, facts={"versions": versions})
        return
    names = " ".join(f"'{name}>={least}'" if least else name for name, least in _requirements(None))
    remedy = f"python -m pip install {names}"
    yield Examined("packages", Status.PROBLEM, "; ".join(wrong), remedy, {"versions": versions})


def _requirements(extra: str | None) -> Iterator[tuple[str, str | None]]:
    """The packages that mfderive needs (of an extra), with the least version."""
    for line in requires("mfderive") or ():
        of = _EXTRA.search(line)
        match = _REQUIREMENT.match(line)
        if match and (of[1] if of else None) == extra:
            yield match[1], match[2]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _suffices(found: str | None, least: str | None) -> bool:
    """Whether a version is there and not older than another (numbers between dots)."""
    if found is None:
        return False
    numbers = [[int(part) for part in _NUMBER.findall(text)][:3] for text in (found, least or "0")]
    return numbers[0] >= numbers[1]


def _extras() -> Iterator[Examined]:
    for extra, (use, modules) in EXTRAS.items():
        needed = list(_requirements(extra))
        install = f"For {use}: python -m pip install 'mfderive[{extra}]'"
        missing = [name for name, _ in needed if _version(name) is None]
        old = [name for name, least in needed if name not in missing and not _suffices(_version(name), least)]
        # What was not installed cannot be broken, whatever its modules are called.
        broken = [name for name in modules if not missing and not _is_found(name)]
        facts = {"extra": extra, "versions": {name: _version(name) for name, _ in needed}}
        if old or broken:
            what = "is too old" if old else "cannot be imported"
            found = f"{', '.join(old or broken)} {what}"
            yield Examined(f"extra '{extra}'", Status.PROBLEM, found, install, facts)
        elif missing:
            found = f"{', '.join(missing)} not installed"
            yield Examined(f"extra '{extra}'", Status.ABSENT, found, install, facts)
        else:
            listed = ", ".join(f"{name} {_version(name)}" for name, _ in needed)
            yield Examined(f"extra '{extra}'", Status.OK, listed, None, facts)


def _is_found(name: str) -> bool:
    """Whether a package can be found by import (which is not tried: some take seconds)."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _caches() -> Iterator[Examined]:
    """The folder of generated solvers and compiled code, and that of temporary files."""
    name = "MFDERIVE_CACHE names another folder"
    for what, folder, remedy in (
        ("cache", cache_directory(), f"Make it writable, or choose another: {name}"),
        ("temporary files", Path(tempfile.gettempdir()), "Set TMPDIR to a folder that may be written"),
    ):
        problem = _not_writable(folder)
        size = _size(folder) if what == "cache" else None
        held = f", {size_text(size)}" if size is not None else ""
        facts = {"folder": str(folder), "bytes": size}
        if problem:
            yield Examined(what, Status.PROBLEM, f"{folder} cannot be written: {problem}", remedy, facts)
        else:
            yield Examined(
                what, Status.OK, f"{folder}{held}, writable, and may be deleted at any time", None, facts
            )


def _not_writable(folder: Path) -> str | None:
    """Why no file can be made in a folder (or its nearest one that exists); None where one can."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".mfderive-doctor-"):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _size(folder: Path) -> int:
    """The bytes of all files in a folder; those that vanish meanwhile, or may not be seen, are left out."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            status = file.lstat()
            total += status.st_size * stat.S_ISREG(status.st_mode)
    return total


def _room() -> Iterator[Examined]:
    memory = free_memory()
    few = memory < _LITTLE_MEMORY
    remedy = "Close other programs, or take smaller --nodes, --widths and --batch-size" if few else None
    status = Status.PROBLEM if few else Status.OK
    yield Examined("memory", status, f"{size_text(memory)} free", remedy, {"bytes": memory})
    places = {"disk, this folder": Path.cwd(), "disk, cache": cache_directory()}
    if _not_writable(places["disk, cache"]):  # said of the cache already; its disk is not the question
        del places["disk, cache"]
    for what, folder in places.items():
        free = free_bytes(folder)
        few = free < _LITTLE_DISK
        where = (
            "--output names another place" if what != "disk, cache" else "MFDERIVE_CACHE names another place"
        )
        known = free != float("inf")
        found = f"{size_text(int(free))} free" if known else "how much is free is not known"
        facts = {"folder": str(folder), "bytes": int(free) if known else None}
        status = Status.PROBLEM if few else Status.OK
        yield Examined(what, status, found, f"Make room, or {where}" if few else None, facts)


def _numba() -> Iterator[Examined]:
    """Compile a function in parallel, and run it."""
    import numba
    import numpy as np

    def total(values: Any) -> Any:
        found = 0.0
        for number in numba.prange(values.size):
            found += values[number]
        return found

    values = np.arange(1000.0)
    result = float(numba.njit(parallel=True)(total)(values))
    threads, layer = numba.get_num_threads(), numba.threading_layer()
    found = f"compiles and runs, {threads} threads, threading layer {layer}"
    facts = {"threads": threads, "layer": layer}
    if result != float(values.sum()):
        yield Examined("numba", Status.PROBLEM, "compiled code gives a wrong sum", _REINSTALL, facts)
    else:
        yield Examined("numba", Status.OK, found, None, facts)


def _blas() -> Iterator[Examined]:
    """Which BLAS numpy and scipy call, and with how many threads beside how many processors."""
    import numpy as np
    import scipy.linalg  # noqa: F401  (its BLAS is loaded with it)
    from threadpoolctl import threadpool_info

    matrix = np.full((64, 64), 0.5)
    works = bool(np.all(matrix @ matrix == 16.0))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    set_by = {name: os.environ[name] for name in _THREADS if name in os.environ}
    listed = ", ".join(
        f"{pool['internal_api']} {pool.get('version') or ''} with {pool['num_threads']} threads"
        for pool in pools
    )
    limited = f" ({', '.join(f'{name}={value}' for name, value in set_by.items())})" if set_by else ""
    found = f"{listed or 'none that can be asked'}, {usable} processors usable{limited}"
    facts = {"processors": usable, "environment": set_by, "threads": [pool["num_threads"] for pool in pools]}
    most = max((pool["num_threads"] for pool in pools), default=1)
    if not works:
        yield Examined("BLAS", Status.PROBLEM, "a product of two matrices is wrong", _REINSTALL, facts)
    elif most > usable:
        remedy = f"Threads wait for each other: set OMP_NUM_THREADS={usable}"
        yield Examined("BLAS", Status.PROBLEM, found, remedy, facts)
    else:
        yield Examined("BLAS", Status.OK, found, None, facts)


def _jax() -> Iterator[Examined]:
    """Differentiate in 64-bit arithmetic, as the finite networks do."""
    import jax

    from ..finite.namespace import precision

    with precision(jax, "float64"):
        slope = jax.grad(lambda value: value**3)(2.0)
        works = float(slope) == 12.0 and str(slope.dtype) == "float64"
    devices = [str(device) for device in jax.devices()]
    facts = {"devices": devices}
    if works:
        yield Examined("JAX", Status.OK, f"differentiates in float64 on {', '.join(devices)}", None, facts)
    else:
        found = f"the derivative of x^3 at 2 is {slope} ({slope.dtype}), not 12 in float64"
        yield Examined("JAX", Status.PROBLEM, found, _REINSTALL, facts)


_CHECKS: dict[str, Callable[[], Iterator[Examined]]] = {
    "python": _python,
    "packages": _packages,
    "numba": _numba,
    "BLAS": _blas,
    "JAX": _jax,
    "cache": _caches,
    "memory": _room,
    "extras": _extras,
}
