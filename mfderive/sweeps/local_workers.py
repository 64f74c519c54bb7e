"""Workers on this machine: a Dask cluster in a process of its own, which ends with whoever started it.

``python -m mfderive.sweeps.local_workers JOBS THREADS`` is that process. It prints the address of its
scheduler and lives until its standard input is closed, which the system does when the caller dies, however
that is. A process of its own needs no ``if __name__ == "__main__"`` in scripts that sweep, and no Ctrl-C
reaches it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..errors import MfError

START_SECONDS, END_SECONDS = 120.0, 15.0
# Libraries read these when they are imported: NPROC is JAX's.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
# Workers end with their cluster, and leave the processor to the settings: by default each asks fifty times a
# second whether it is late, and notes a hundred times what it computes.
_DASK = {
    "distributed.worker.daemon": True,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
_LAST_WORDS = 300  # characters of what a process said before it ended


def main(words: list[str]) -> None:
    """Hold a cluster until standard input is closed."""
    import dask
    from distributed import LocalCluster

    jobs, threads = map(int, words)
    environment = dict.fromkeys(_THREADS, str(threads))
    # The sizes of a run are held against the memory by the run itself; a worker that fills the memory all the
    # same is killed by the system, and its setting is tried again elsewhere. Dask's own limits would stop it
    # at a share of the memory that nobody chose.
    with (
        dask.config.set(_DASK),
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            env=environment,
        ) as cluster,
    ):
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


class LocalWorkers:
    """The process of the cluster, from the caller's side: started at once, ready when it has an address."""

    def __init__(self, jobs: int, threads: int) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        paths = [path or str(Path.cwd()) for path in sys.path]
        environment = dict.fromkeys(_THREADS, str(threads)) | {"PYTHONPATH": os.pathsep.join(paths)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(jobs), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def address(self) -> str:
        """Wait until the workers are there. Raises MfError where they do not start."""
        lines: list[bytes] = []
        output: Any = self.process.stdout
        reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
        reader.start()
        reader.join(START_SECONDS)
        if not lines or not lines[0].strip():
            raise MfError(f"the workers of the sweep did not start{self._said()}. Try fewer jobs")
        return lines[0].decode().strip()

    def _said(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f" ({said[-1][:_LAST_WORDS]})" if said else f" within {START_SECONDS:g} seconds"

    def end(self) -> None:
        """Let the cluster end; one that does not is killed, and its workers end with it."""
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()


@contextmanager
def local_workers(jobs: int, threads: int) -> Iterator[LocalWorkers]:
    """So many workers on this machine, each with so many threads of matrix products."""
    workers = LocalWorkers(jobs, threads)
    try:
        yield workers
    finally:
        workers.end()


if __name__ == "__main__":
    main(sys.argv[1:])
