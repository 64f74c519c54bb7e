"""What the numbers of a run depend on, as plain data, and what differs between two runs, in words."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from ..errors import shown
from ..network.network import Network
from .archive import flattened, plain
from .network_record import network_record

Array = Any

# Tables whose entries are options of a run: these are facts of the run, not of its network.
_OPTIONS = ("solver", "check")
# The libraries whose code makes the numbers.
_LIBRARIES = ("mfderive", "numpy", "scipy", "numba", "jax")
_DIGEST = "sha256:"
_SAMPLES = 64  # of the evaluation sample, of a law: its draw is that of its digits


def network_facts(network: Network) -> dict[str, Any]:
    """The spec without the options of runs, and the data, by digests."""
    record = network_record(network)
    source = network.source
    fixed = {name: getattr(source, name, None) for name in ("x", "y")}
    rows = dict(enumerate(getattr(source, "test", None) or ()))
    if any(array is None for array in fixed.values()):
        fixed = dict(zip("xy", source.evaluation(_SAMPLES), strict=True))
    return {
        "spec": {name: table for name, table in record["spec"].items() if name not in _OPTIONS},
        "data": {
            "seed": record["data"]["seed"],
            "samples": digest_of({**fixed, "test": {str(k): array for k, array in rows.items()}}),
        },
    }


def machine_facts() -> dict[str, Any]:
    """Versions, processor and threads: sums of floating point numbers depend on them."""
    found = {"versions": {name: version_of(name) for name in _LIBRARIES}}
    libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        **found,
        "machine": {
            "processors": cores,
            "threads of matrix products": max((each["num_threads"] for each in libraries), default=1),
            "matrix products for": sorted({str(each.get("architecture")) for each in libraries}),
        },
    }


def version_of(name: str) -> str:
    """The version of an installed library."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def digest_of(tree: Mapping[str, Any]) -> str:
    """A digest of nested arrays: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for keys, array in flattened(tree):
        found = np.ascontiguousarray(array)
        digest.update(f"{keys} {found.dtype.str} {np.shape(array)} ".encode())
        if found.size:
            digest.update(found.reshape(-1).view(np.uint8).data)
    return f"{_DIGEST}{digest.hexdigest()}"


def as_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as they come back from a file."""
    found: dict[str, Any] = json.loads(json.dumps(plain(facts)))
    return found


def differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """What differs between two facts, in words, one after the other: "training.steps: 100 then, 200 now"."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*then, *now)):
            yield from differences(then.get(name), now.get(name), f"{place}.{name}" if place else str(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif then != now:
        values = (then, now)
        if any(isinstance(value, str) and value.startswith(_DIGEST) for value in values):
            yield f"{place}: other numbers"
        else:
            one, other = ("nothing" if value is None else shown(value) for value in values)
            yield f"{place}: {one} then, {other} now"
