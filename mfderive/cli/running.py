"""The command `run`: the whole way, stage by stage, into one folder that shows how far it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DivergenceError, MfError
from ..runs.signals import Terminated
from .checking import verdict_of
from .command_tools import Outcome, Stages, given_options, load_network, say, spec_text, stem
from .commands import printed, trained
from .console import run_text, warnings_of, warnings_text
from .folders import output_folder
from .resuming import finished_record, resumed_arguments, start_settings
from .unfinished import keeper_in

if TYPE_CHECKING:
    from ..report.folder import RunResult
    from ..report.run_folder import RunFolder
    from ..runs.keeping import Keeper

SOLVER, LIMIT, NETWORKS, VERDICT = "the solver", "the solution of the limit", "networks", "the verdict"
PREDICTIONS = "predicted fluctuations"


def run(arguments: argparse.Namespace) -> Outcome:
    """Go the whole way and leave one folder."""
    from ..report.run_folder import open_folder, target_of

    arguments = resumed_arguments(arguments)
    folder = output_folder(arguments, Path("runs") / stem(arguments))
    choice = {name: getattr(arguments, name) for name in ("overwrite", "numbered", "resume")}
    target_of(folder, **choice)
    network = load_network(arguments)
    # Read now: the person may edit the file while this run goes on.
    spec = spec_text(arguments)
    done = finished_record(arguments, folder, spec) if arguments.resume else None
    if done is not None:
        return Outcome(done, run_text(done), 3 if done["alarms"] else 0)
    run_folder = open_folder(folder, **choice)
    work = _Work(arguments, network, spec, run_folder)
    try:
        with keeper_in(arguments, run_folder.work) as keeper:
            work.whole(keeper)
    except DivergenceError as error:
        record = work.stopped(error)
        if record is None:
            raise
        say(f"{error}. What was done until then is in {record['folder']}")
        return work.outcome(record, error.exit_code)
    except BaseException as error:
        record = work.stopped(error)
        if record is not None and isinstance(error, MfError | OSError | KeyboardInterrupt | Terminated):
            error.add_note(f"What was done until then is in {record['folder']}")
        raise
    record = work.finished()
    return work.outcome(record, 3 if record["alarms"] else 0)


@dataclass
class _Work:
    """One run on its way: what is made so far, and the folder that shows it."""

    arguments: argparse.Namespace
    network: Any
    spec: str
    folder: RunFolder
    record: dict[str, Any] = field(default_factory=dict)
    result: RunResult | None = None

    def __post_init__(self) -> None:
        self.checked = self.arguments.effort != "none"
        self.stages = Stages(self.arguments.quiet, total=7 if self.checked else 5)
        self.missing = [SOLVER, LIMIT, NETWORKS, *([PREDICTIONS, VERDICT] if self.checked else [])]

    def whole(self, keeper: Keeper) -> None:
        """All stages; after each of them the folder shows what there is. Within them, ``keeper`` keeps."""
        import mfderive

        self.stages.earlier = self.going_on(keeper) if self.arguments.resume else {}

        arguments, network = self.arguments, self.network
        options = given_options(arguments)
        with self.stages("derive and reduce the limit"):
            solved = self.derived(options)
        with self.stage("generate the solver", SOLVER):
            # From the cache of solvers, so that a second run finds it compiled.
            solver = mfderive.generate(solved)
            self.put(solver=Path(str(getattr(solver, "__file__", ""))))
        with self.stage("solve the limit", LIMIT):
            path = self.solved(solved, solver, options, keeper)
        networks: list[Any] = []
        with self.stage("train finite networks", NETWORKS):
            # The limit has the seed that was given; networks that drew the same numbers would be its copies.
            seed = None if arguments.seed is None else arguments.seed + 1
            for group in trained(network, arguments, seed, keeper, path.seed):
                networks += group
                self.put(trajectories=(path, *networks), settings=_settings(arguments, path, networks))
                self.write(page=False)
        if self.checked:
            with self.stage("predict fluctuations", PREDICTIONS):
                self.put(predictions=self.predicted(path, networks))
            with self.stage("check the limit against networks", VERDICT):
                self.put(verdict=verdict_of(network, arguments, arguments.effort, keeper))
        with self.stages("write figures and page"):
            self.write()

    def going_on(self, keeper: Keeper) -> dict[str, float]:
        """Look at what is to go on: the seconds that its stages took. Raises OtherProblemError."""
        from ..report.folder import read_record
        from ..report.run_folder import has_results

        keeper.check(self.network)
        timings: dict[str, float] = {}
        if has_results(self.folder.work):
            timings = read_record(self.folder.work)["timings"]
        elif keeper.say is not None:
            keeper.say(f"nothing is unfinished in {self.folder.target}: this run begins at its start")
        return timings

    def derived(self, options: dict[str, Any]) -> Any:
        """The limit that is solved, and the equations on the page."""
        import mfderive

        from ..advice.advise import advise
        from ..advice.sentences import sentences
        from ..algebra.findings import Finding
        from ..fluctuation.predictions import UNASKED, without
        from ..report.folder import RunResult
        from ..solution.options import resolve_options
        from ..solution.solve import limit_to_solve

        limit = mfderive.derive(self.network)
        reduced = mfderive.reduce(limit)
        solved = limit_to_solve(self.network, resolve_options(self.network, **options))
        self.result = RunResult(
            network=self.network,
            limit=limit,
            equations=_equations(limit, solved),
            solver=None,
            trajectories=(),
            spec=self.spec,
            reduction=solved.log,
            warnings=sentences(advise(self.network, limit, reduced)),
            settings=_settings(self.arguments, None, ()),
            predictions=None if self.checked else without(Finding.of(UNASKED)),
            reduced=reduced.system,
        )
        self.write()
        return solved

    def solved(self, solved: Any, solver: Any, options: dict[str, Any], keeper: Keeper) -> Any:
        """The limit's trajectory, on the page even where it ends early."""
        import mfderive

        from ..solution.flat import with_warnings

        try:
            path = mfderive.solve(
                self.network,
                system=solved,
                solver=solver,
                progress=not self.arguments.quiet,
                keep=keeper,
                **options,
            )
        except DivergenceError as error:
            if error.path is not None:
                self.put(trajectories=(error.path,), settings=_settings(self.arguments, error.path, ()))
            raise
        path = with_warnings(path)  # the system that was given is the network's own
        self.put(trajectories=(path,), settings=_settings(self.arguments, path, ()))
        return path

    def predicted(self, path: Any, networks: Sequence[Any]) -> dict[str, Any]:
        """What is predicted of the fluctuations of these networks around the limit."""
        from ..fluctuation.predictions import predictions

        return predictions(self.network, path, sorted({network.width for network in networks}))

    @contextmanager
    def stage(self, name: str, makes: str) -> Iterator[None]:
        """A stage that makes something: when it is done, that is in the folder and on the page."""
        with self.stages(name):
            yield
            self.missing.remove(makes)
            if self.missing:  # else the last stage writes all
                self.write()

    def outcome(self, record: dict[str, Any], code: int) -> Outcome:
        """What is said in the end; a solution that stayed where it was says why."""
        assert self.result is not None
        limits = [path for path in self.result.trajectories if path.kind == "limit"]
        warnings = tuple(warning for path in limits for warning in warnings_of(path))
        return Outcome(record, f"{warnings_text(warnings)}{run_text(record)}", code, warnings)

    def put(self, **parts: Any) -> None:
        """Keep what was made."""
        assert self.result is not None
        self.result = replace(self.result, **parts)

    def write(self, page: bool = True) -> None:
        """Write what there is; without ``page`` the files and the record alone."""
        from ..report.folder import write_stage

        assert self.result is not None
        self.result = replace(self.result, timings=self.stages.timings, missing=tuple(self.missing))
        self.record = write_stage(self.folder.work, self.result, page)

    def stopped(self, error: BaseException) -> dict[str, Any] | None:
        """End early: the record of what there is, None where nothing was solved (then nothing is left).

        A run that was not to go on from what is there leaves that as it is.
        """
        from ..report.folder import located
        from ..report.run_folder import has_results
        from ..runs.keeping import OtherProblemError

        if isinstance(error, OtherProblemError):
            self.folder.lock.release()
            return None
        try:
            if self.result is not None and (self.result.trajectories or has_results(self.folder.work)):
                self.put(stopped=_reason(error))
                self.write()
        except (MfError, OSError):
            pass  # the page stays as it was after the last stage
        kept = has_results(self.folder.work)
        self.folder.stop()
        return located(self.record, self.folder.work) if kept else None

    def finished(self) -> dict[str, Any]:
        """Put the folder where it belongs; its record."""
        from ..report.folder import located

        self.folder.finish()
        return located(self.record, self.folder.target)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted."
    if isinstance(error, Terminated):
        return f"it was ended by {error.name}."
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text or type(error).__name__}."


def _equations(limit: Any, solved: Any) -> dict[str, str]:
    """The equations as the files of a run hold them; "reduced" only where the reduced system was solved."""
    forms = {"text": "text", "latex": "latex", "html": "mathml"}
    texts = {name: printed(limit, form, "both") for name, form in forms.items()}
    if solved.system is limit:
        return texts
    return {**texts, "reduced": printed(solved, "mathml", "embedding")}


def _settings(arguments: argparse.Namespace, path: Any, networks: Sequence[Any]) -> dict[str, Any]:
    """What a reader needs to make the same run again, beside the spec; as far as it is known yet."""
    from ..runs.divergence import NOTE
    from ..runs.error_sentences import LOSS_ERROR

    settings: dict[str, Any] = start_settings(arguments)
    if path is not None:
        limit = {name: value for name, value in path.notes.items() if name not in (NOTE, LOSS_ERROR)}
        settings |= {"limit": limit, "limit seed": path.seed}
    if networks:
        settings |= {
            "network widths": sorted({network.width for network in networks}),
            "network seeds": sorted({network.seed for network in networks}),
        }
    return settings
