"""Settings handed to the workers of a Dask scheduler, as many at a time as there are workers."""

from __future__ import annotations

import logging
import re
import uuid
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import islice
from queue import Empty, Queue
from typing import Any, TypeVar

from ..errors import MfError, quoted
from ..runs.problem_facts import version_of
from .sweep_task import FAILED, Answer, Task, answer

T = TypeVar("T")

CONNECT_SECONDS = 15.0
_LOOK_SECONDS = 1.0
_PROGRAM = "mfderive"
_ADDRESS = re.compile(r"(?:(\w+)://)?[^\s/]+:\d+")
_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")
_LOST = "lost", "cancelled"
_LOGGERS = tuple(f"distributed{part}" for part in ("", ".client", ".comm", ".core", ".utils"))
_CLOSE_SECONDS = 5.0


class LostError(MfError):
    """The scheduler, or the way to it, is gone."""


def require_dask() -> None:
    """Raise MfError where the packages of sweeps are not installed."""
    try:
        import dask
        import distributed
    except ImportError as problem:
        raise MfError(
            f"sweeps run on Dask, which is not installed ({problem}). Install it: pip install "
            "'mfderive[sweep]' (or pip install 'dask[distributed]')"
        ) from problem
    assert dask and distributed


class WorkerPool:
    """The workers of one scheduler. Settings go to them one by one, so that a death is blamed on few."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address

    def check_versions(self) -> None:
        """Raise MfError where a worker has no mfderive, or another version of it."""
        own = version_of(_PROGRAM)

        def probe() -> str:
            # Sent by value: it must run where mfderive is not installed.
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version("mfderive")
            except PackageNotFoundError:
                return ""

        with self._connected():
            found = self.client.run(probe)
        for worker, version in found.items():
            if version != own:
                has = f"version {version}" if version else "not installed"
                raise MfError(
                    f"mfderive is {own} here and {has} on the worker {worker} of the scheduler at "
                    f"{self.address}. Install the same version on all workers"
                )

    def answers(self, packed: bytes, tasks: Iterable[tuple[T, Task]]) -> Iterator[tuple[T, Answer]]:
        """What came of every task, as they end. Raises LostError where the scheduler is gone."""
        waiting, sweep = iter(tasks), uuid.uuid4().hex[:12]
        # A result of a task, not scattered data: where the worker that holds it dies it is made again.
        base = self._submit(_same, packed, key=f"mfderive-{sweep}-network")
        running: dict[Any, T] = {}
        ended: Queue[Any] = Queue()
        try:
            while True:
                # A worker that died leaves more under way than there are places.
                free = max(self._places() - len(running), 0)
                for label, task in islice(waiting, free):
                    future = self._submit(answer, base, task, key=f"mfderive-{sweep}-{uuid.uuid4().hex}")
                    running[future] = label
                    future.add_done_callback(ended.put)
                if not running:
                    return
                try:
                    future = ended.get(timeout=_LOOK_SECONDS)
                except Empty:
                    continue
                yield running.pop(future), self._answer_of(future)
        finally:
            with suppress(OSError, TimeoutError, CancelledError):
                self.client.cancel([*running, base])

    def _submit(self, function: Any, *arguments: Any, key: str) -> Any:
        with self._connected(), warnings.catch_warnings():
            # A network goes with its data; Dask warns of the size.
            warnings.filterwarnings("ignore", message=".*large graph.*")
            return self.client.submit(function, *arguments, key=key, pure=False)

    def _places(self) -> int:
        """How many settings may be under way: one on each worker, and one that waits where there is none."""
        with self._connected():
            return max(len(self.client.nthreads()), 1)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """A block that speaks to the scheduler. Raises LostError where that cannot be done (any more)."""
        lost = f"the scheduler at {self.address} does not answer any more"
        if self.client.status != "running":
            raise LostError(lost)
        try:
            yield
        except (OSError, TimeoutError, CancelledError) as problem:
            raise LostError(lost) from problem

    def _answer_of(self, future: Any) -> Answer:
        from distributed.scheduler import KilledWorker

        try:
            if future.status in _LOST:
                raise CancelledError
            found = future.result()
            assert isinstance(found, Answer)
            return found
        except CancelledError as problem:
            raise LostError(f"the scheduler at {self.address} has lost what was given to it") from problem
        except KilledWorker as problem:
            # Dask counts the workers that died with a task and gives it up after a few.
            return Answer(
                FAILED,
                f"the process that computed it died {problem.allowed_failures + 1} times, on another worker "
                "each time (killed, or out of memory). The same call tries again; fewer jobs leave more "
                "memory",
            )
        except Exception as problem:
            told = " ".join(str(problem).split())[:200]
            return Answer(
                FAILED, f"it could not be computed on its worker ({type(problem).__name__}: {told})"
            )
        finally:
            future.release()


@contextmanager
def worker_pool(address: str) -> Iterator[WorkerPool]:
    """The workers of the scheduler at an address. Raises MfError where nobody answers there."""
    from distributed import Client

    advice = (
        "Give the address that it prints when it starts, such as tcp://192.168.0.5:8786, or leave the "
        "scheduler out: workers are then started here"
    )
    parts = _ADDRESS.fullmatch(address)
    if parts is None or (parts[1] or _PROTOCOLS[0]) not in _PROTOCOLS:
        # Dask would try for minutes, or leave a client behind that complains when it ends.
        raise MfError(f"{quoted(address)} is no address of a Dask scheduler. {advice}")
    with _silent():
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name=_PROGRAM)
        except (OSError, ValueError, TypeError, TimeoutError, ImportError) as problem:
            told = " ".join(str(problem).split())[:200]
            raise MfError(f"no Dask scheduler answers at {quoted(address)} ({told}). {advice}") from problem
        try:
            yield WorkerPool(client, address)
        finally:
            with suppress(OSError, TimeoutError, CancelledError):
                client.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _silent() -> Iterator[None]:
    """Dask prints tracebacks where a connection is lost; what is to be known of it is said by LostError."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _same(content: bytes) -> bytes:
    return content
