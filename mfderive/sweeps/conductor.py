"""A sweep from its grid to its table: what is there is kept, what is missing goes to workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..algebra.arguments import file_path, flag, found, optional, whole_number
from ..codegen.digest import digest
from ..errors import ArgumentError, MfError
from ..network.network import Network
from ..report.curves import curve_of
from ..runs.signals import WATCH, Terminated
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..solution.solve import limit_to_solve, solve
from .local_workers import LocalWorkers, local_workers
from .packed_network import packed
from .sweep_folder import Outcome, SweepFolder, sweep_folder
from .sweep_plan import MOST, Plan, Setting, make_plan
from .sweep_result import MISSING, Sweep
from .sweep_task import FAILED, KEPT, Answer, Task
from .worker_pool import require_dask, worker_pool


def sweep(
    network: Network,
    set: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    *,
    run: str = "solve",
    folder: str | Path | None = None,
    jobs: int | None = None,
    threads: int = 1,
    scheduler: str | None = None,
    most: int = MOST,
    progress: bool = False,
    **options: Any,
) -> Sweep:
    """One run for each setting of a grid, on the workers of Dask: ``mf.sweep(net, set={...}, grid={...})``.

    ``grid``: lists of values by variable; all combinations are computed. ``set``: new values at dotted keys
    of the spec, in which ``{name}`` stands for the value of a variable:
    ``{"layers.h2.weight": "normal(1, {tau})"}``. A text that is ``{name}`` alone becomes the value itself.
    ``run``: "solve" (the limit) or "simulate" (networks, which need ``width``; ``seeds`` of them);
    ``options`` are those of that function, keys of [training] among them.

    ``folder``: where results are kept, each as soon as it is whole; the same call goes on from there.
    ``jobs``: workers that are started on this machine (default: as many as there are processors, and settings
    to compute), each with ``threads`` of matrix products; ``scheduler``: the address of a Dask scheduler
    whose workers are used in their place. ``most``: the largest number of settings that is begun;
    ``progress`` shows a progress bar.

    A setting that diverges or is wrong does not stop the others: the table says why (docs/sweeps.md). Raises
    ArgumentError for keys, variables and options that do not exist or would have no effect, and where no
    setting of all can be read; MfError where Dask is not installed or no scheduler answers, and for a folder
    of another sweep.
    """
    plan = make_plan(network, set, grid, run, options, most)
    workers = optional(whole_number, "jobs", jobs)
    whole_number("threads", threads)
    flag("progress", progress)
    if scheduler is not None and not (isinstance(scheduler, str) and scheduler):
        raise ArgumentError(
            f"scheduler is {found(scheduler)}; give the address of one, such as tcp://host:8786"
        )
    if scheduler is not None and workers is not None:
        raise ArgumentError(
            "jobs and scheduler cannot both be given: a scheduler has its own workers. Leave one of them out"
        )
    require_dask()
    target = None if folder is None else file_path("folder", folder)
    with ExitStack() as stack:
        stack.enter_context(WATCH)
        kept = None if target is None else stack.enter_context(sweep_folder(target, plan))
        return _Conducted(plan, kept, workers, threads, scheduler, progress).whole()


class _Conducted:
    """One sweep on its way: outcomes by setting, in whatever order they come."""

    def __init__(
        self,
        plan: Plan,
        folder: SweepFolder | None,
        jobs: int | None,
        threads: int,
        scheduler: str | None,
        progress: bool,
    ) -> None:
        self.plan, self.folder, self.jobs, self.threads = plan, folder, jobs, threads
        self.scheduler, self.progress = scheduler, progress
        self.settings = list(plan.settings())
        self.outcomes: dict[str, Outcome] = {}
        self.networks: dict[str, Network] = {}

    def whole(self) -> Sweep:
        """All settings; what is done stays, and is in the table, where the sweep ends early."""
        missing = self._taken_up()
        first = self._first_readable(missing)
        if self.folder is not None:
            self.folder.write_record()
        try:
            if first:
                self._compute(first, missing)
        except BaseException as error:
            self._stopped(error)
            raise
        result = self.result()
        if self.folder is not None:
            result.write_table(self.folder.folder)
            result.write_figure(self.folder.folder)
            self.folder.write_record(result.table)
        return result

    def result(self) -> Sweep:
        """The sweep, as far as it is computed."""
        unknown = [Outcome(setting, MISSING) for setting in self.settings]
        outcomes = tuple(self.outcomes.get(each.setting.name, each) for each in unknown)
        folder = None if self.folder is None else self.folder.folder
        return Sweep(self.plan.network.title, self.plan.run, self.plan.set, self.plan.grid, outcomes, folder)

    def _taken_up(self) -> list[Setting]:
        """Take what an earlier sweep left whole; the settings that are missing."""
        if self.folder is not None:
            for setting in self.settings:
                outcome = self.folder.whole(setting)
                if outcome is not None:
                    self.outcomes[setting.name] = outcome
        return [setting for setting in self.settings if setting.name not in self.outcomes]

    def _first_readable(self, missing: list[Setting]) -> list[Setting]:
        """The first setting whose network can be read, and the next; those before it have failed.

        Raises the error of the first setting where none can be read: then the sweep itself is wrong.
        """
        problem: MfError | None = None
        readable: list[Setting] = []
        for setting in missing:
            error = self._read(setting)
            problem = problem or error
            if error is None:
                readable.append(setting)
            if len(readable) == 2:
                break
        if problem is not None and not readable and not self.outcomes_that_ran():
            raise ArgumentError(f"no setting can be read; the first, {missing[0].name}, says: {problem}")
        return readable

    def outcomes_that_ran(self) -> bool:
        """Whether any setting was computed."""
        return any(outcome.state != FAILED for outcome in self.outcomes.values())

    def _read(self, setting: Setting) -> MfError | None:
        """Read the network of a setting; where that cannot be done the setting has failed, with the error."""
        if setting.name in self.networks:
            return None
        try:
            self.networks[setting.name] = self.plan.network.replace(**setting.changes)
        except MfError as error:
            self._keep(setting, Answer(FAILED, str(error)))
            return error
        return None

    def _compute(self, first: list[Setting], missing: list[Setting]) -> None:
        """Hand the settings that are missing to workers, and keep what they answer."""
        left = [setting for setting in missing if setting.name not in self.outcomes]
        with ExitStack() as stack:
            local: LocalWorkers | None = None
            if self.scheduler is None:
                jobs = min(self.jobs or _processors(), len(left))
                local = stack.enter_context(local_workers(jobs, self.threads))
                self._compile(first)  # while they start
            address = local.address() if local is not None else str(self.scheduler)
            pool = stack.enter_context(worker_pool(address))
            pool.check_versions()
            bar = stack.enter_context(
                tqdm(
                    total=len(self.settings),
                    initial=len(self.outcomes),
                    desc="sweep",
                    unit="setting",
                    disable=not self.progress,
                    leave=False,
                )
            )
            for setting, answer in pool.answers(packed(self.plan.network), self._tasks(left, bar)):
                self._keep(setting, answer)
                bar.update()

    def _tasks(self, left: list[Setting], bar: Any) -> Iterator[tuple[Setting, Task]]:
        """The tasks of the settings that can be read; the network of each is read just before it is sent."""
        for setting in left:
            if self._read(setting) is None:
                yield setting, Task(setting.changes, self.plan.run, self.plan.options, self.threads)
            else:
                bar.update()

    def _compile(self, first: list[Setting]) -> None:
        """Compile the solver where the first settings share one, so that the workers find it compiled."""
        if self.plan.run != "solve" or len(first) < 2:
            return
        with suppress(MfError):  # then the settings will say it
            networks = [self.networks[setting.name] for setting in first]
            options = [resolve_options(network, **self.plan.options) for network in networks]
            one, other = (
                limit_to_solve(network, own) for network, own in zip(networks, options, strict=True)
            )
            if digest(one.system) == digest(other.system):
                short = replace(
                    options[0], horizon=None, steps=1, tolerance=None, evaluation=2, stated_error=False
                )
                solve(networks[0], short)

    def _keep(self, setting: Setting, answer: Answer) -> None:
        network = self.networks.pop(setting.name, None)
        paths = [] if network is None else [Trajectory(network=network, **parts) for parts in answer.paths]
        if self.folder is None:
            curves = tuple(map(curve_of, paths))
            outcome = Outcome(setting, answer.state, answer.note, answer.seconds, curves, paths=tuple(paths))
        else:
            outcome = self.folder.keep(setting, answer, paths)
        self.outcomes[setting.name] = outcome

    def _stopped(self, error: BaseException) -> None:
        """Leave the table of what is done, and say so."""
        if self.folder is None:
            return
        if not self.outcomes_that_ran():
            self.folder.forget()
            return
        result = self.result()
        with suppress(MfError, OSError):
            result.write_table(self.folder.folder)
        kept = sum(outcome.state in KEPT for outcome in result.outcomes)  # what failed is tried again
        if isinstance(error, MfError | OSError | KeyboardInterrupt | Terminated):
            error.add_note(
                f"In {self.folder.folder} are {kept} of {len(self.settings)} settings. The same sweep goes "
                "on from there"
            )


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


__all__ = ["sweep"]
