"""What a worker does: one setting, from the network of the sweep to the numbers of its runs.

Everything here travels between processes, and perhaps machines: tasks and answers are plain data and arrays.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from ..codegen.generate import generate
from ..errors import DivergenceError, MfError
from ..finite.simulate import simulate
from ..network.network import Network
from ..runs.divergence import run_sentences
from ..runs.problem_facts import machine_facts
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..solution.solve import limit_to_solve, solve
from .packed_network import unpacked

DONE, DIVERGED, UNMET, FAILED = "done", "diverged", "not met", "failed"
# What leaves trajectories; with the others there is nothing to keep.
KEPT = (DONE, DIVERGED, UNMET)
# What a trajectory is made of again by whoever has its network.
_PARTS = ("kind", "width", "seed", "times", "steps", "loss", "error", "notes", "passes", "digest")
# A process computes one setting at a time, however many threads Dask gives it: threads of matrix products
# and the filters of warnings belong to the whole process.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Task:
    """A setting as a worker gets it: changes of the network, the run with its options, threads."""

    changes: Mapping[str, Any]
    run: str
    options: Mapping[str, Any]
    threads: int


@dataclass(frozen=True)
class Answer:
    """What came of a setting: its state, why it is not done, and the parts of its trajectories."""

    state: str
    note: str = ""
    paths: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    where: Mapping[str, Any] | None = None


def answer(packed: bytes, task: Task) -> Answer:
    """Compute one setting; what a setting can do wrong is said in the answer, not raised."""
    with _ONE_AT_A_TIME, _quiet(task.threads):
        begin = time.perf_counter()
        try:
            network = unpacked(packed).replace(**task.changes)
            paths = _solved(network, task) if task.run == "solve" else simulate(network, **task.options)
            found = _answer(paths)
        except DivergenceError as error:
            partial = () if error.path is None else (_parts(error.path),)
            found = Answer(DIVERGED, str(error), partial)
        except MfError as error:
            found = Answer(FAILED, str(error))
        except MemoryError as error:
            found = Answer(
                FAILED, f"the memory does not suffice ({error}). Take smaller sizes, or fewer jobs"
            )
        except Exception as error:
            told = " ".join(str(error).split())[:200]
            found = Answer(
                FAILED, f"a fault of the program ({type(error).__name__}: {told}). Please report it"
            )
        seconds = time.perf_counter() - begin
    return Answer(found.state, found.note, found.paths, seconds, here())


def here() -> dict[str, Any]:
    """Which process this is, and the versions of what makes its numbers."""
    return {"process": os.getpid(), "machine": platform.node(), "versions": machine_facts()["versions"]}


def _solved(network: Network, task: Task) -> list[Trajectory]:
    """The solution of the limit, on so many threads."""
    solver: Any = generate(limit_to_solve(network, resolve_options(network, **task.options)))
    if hasattr(solver, "THREADS"):
        # Threads of its loops. How the work is cut does not depend on them, so neither do the numbers.
        solver.THREADS = task.threads
    # A coarser solution beside each is for those who ask for it.
    return [solve(network, solver=solver, **{"stated_error": False, **task.options})]


def _answer(paths: list[Trajectory]) -> Answer:
    findings = [sentence for path in paths for sentence in run_sentences(path.findings)]
    unmet = list(filter(None, map(_unmet, paths)))
    notes = findings or unmet or [warning for path in paths for warning in path.warnings]
    state = DIVERGED if findings else UNMET if unmet else DONE
    return Answer(state, " ".join(dict.fromkeys(notes)), tuple(map(_parts, paths)))


def _unmet(path: Trajectory) -> str:
    """What is said of a tolerance that was not reached; empty where it was, or where none was asked for."""
    reached = path.notes.get("tolerance")
    if reached is None or reached["met"]:
        return ""
    within = "not known" if reached["estimate"] is None else f"{reached['estimate']:.3g}"
    return f"the tolerance {reached['asked']:g} is not met: the error of the loss curve is {within}"


def _parts(path: Trajectory) -> dict[str, Any]:
    points = tuple((point.time, point.step, dict(point.state.arrays)) for point in path.checkpoints)
    return {**{name: getattr(path, name) for name in _PARTS}, "checkpoints": points}


@contextmanager
def _quiet(threads: int) -> Iterator[None]:
    """Few threads of matrix products, and no warnings: what they say is in the answer."""
    with threadpool_limits(limits=threads, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
