"""What a run leaves: times, loss, error and checkpoints, saved atomically and never through pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..algebra.arguments import file_path, flag, found, number, real_array, whole_number
from ..algebra.entries import fill, ground_table, homes
from ..algebra.findings import Finding
from ..algebra.reduced import Reduced, names_of
from ..algebra.showing import Shown, first_line, names, words, wrapped
from ..errors import ArgumentError, StateError, nearest
from ..network.network import Network
from ..state.draw import WEIGHTS
from ..state.sample import sample_network
from ..state.state import State, StateLayout
from .archive import damaged, flattened, locate, plain, write_run
from .between import NOTE, Between, Steps, is_same
from .divergence import NOTE as FINDINGS
from .divergence import finding_of, run_sentences
from .error_sentences import known_to
from .network_record import check_pair, network_of_record, network_record
from .stored import CURVES, EDITED, read_stored, some_of

Array = Any

KINDS = ("limit", "network")
# The key of the notes for what the advice about a limit says of its solution.
WARNINGS = "warnings"
_EDITED = "read from a file that was edited after it was written"


@dataclass(frozen=True, repr=False)
class Ground(Shown):
    """What the states of a trajectory live on, and what evaluates their fields.

    ``fields(state, x)`` returns a dict of arrays [sample, neuron, positions...] with "yhat" [sample, outputs]
    among them; ``steps(record)`` makes steps of the run again (:mod:`mfderive.runs.between`), None
    where it is not known how. ``digest`` names the equations behind the layout ("": nobody named them).
    """

    layout: StateLayout
    fields: Callable[[Mapping[str, Any], Array], Mapping[str, Array]] = field(repr=False)
    steps: Callable[[Mapping[str, Any]], Steps] | None = field(default=None, repr=False)
    digest: str = field(default="", repr=False)


# What makes the ground of a trajectory that was read from a file, by its kind. The rooms that can do it
# import this one, so they enter themselves here.
_GROUNDS: dict[str, Callable[[Trajectory], Ground]] = {}


def register_ground(kind: str, make: Callable[[Trajectory], Ground]) -> None:
    """Enter the function that makes the ground of a loaded "limit" or "network" trajectory, once for each."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; allowed: {KINDS}")
    _GROUNDS[kind] = make


@dataclass(frozen=True, repr=False)
class Checkpoint(Shown):
    """The state after ``step`` steps, at time ``time`` (the sum of the learning rates until then)."""

    time: float
    step: int
    state: State = field(repr=False)

    def _summary(self) -> Iterator[str]:
        yield f"Checkpoint after {self.step} step{'s' * (self.step != 1)}, at t = {self.time:.6g}"
        yield f"  state: {first_line(self.state)}"


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Shown):
    """The path of one run: of the limit (``kind`` "limit") or of one finite network ("network").

    ``times`` float64 [T] (sums of learning rates) and ``steps`` int64 [T] say when ``loss`` and ``error``,
    float64 [T], were evaluated, on the evaluation sample of the network's data source; ``error`` is nan where
    no classification error is meaningful. ``checkpoints`` hold states in increasing order of time.
    ``loss_error`` float64 [T]: how far the loss of a limit may be from its true mean over the law of the data
    (:mod:`mfderive.solution.loss_error`), nan where that is unknown or was not asked for.
    ``width`` is the width of a finite network (the number of nodes, where a limit has one such number).
    ``notes`` is plain data: method, precision, numbers of nodes, ... ``ground`` is what the states live on,
    attached by whoever made the trajectory; one that was read from a file knows the names of the ``passes``
    of its reduction and the ``digest`` of its equations, and makes the ground again when it is first asked
    for.
    """

    kind: str
    network: Network
    width: int | None
    seed: int
    times: Array = field(repr=False)
    steps: Array = field(repr=False)
    loss: Array = field(repr=False)
    error: Array = field(repr=False)
    checkpoints: tuple[Checkpoint, ...] = field(repr=False)  # (time, step, state) is accepted too
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    passes: tuple[str, ...] = field(default=(), repr=False)
    digest: str = field(default="", repr=False)
    ground: Ground | None = field(default=None, repr=False)
    loss_error: Array = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Bring the curves to their types and check that they belong together."""
        if self.kind not in KINDS:
            raise StateError(f"the kind of a trajectory is {self.kind!r}; allowed: {', '.join(KINDS)}")
        if self.loss_error is None:
            object.__setattr__(self, "loss_error", np.full(np.shape(self.times), np.nan))
        for name, kind in (
            ("times", np.float64),
            ("steps", np.int64),
            ("loss", np.float64),
            ("error", np.float64),
            ("loss_error", np.float64),
        ):
            array = np.array(getattr(self, name), dtype=kind)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
            if array.ndim != 1 or array.shape != self.times.shape:
                raise StateError(
                    f"{name} has shape {array.shape}, times has {self.times.shape}; both must be [T]"
                )
        if self.ground is not None:
            object.__setattr__(self, "passes", tuple(names_of(self.ground.layout)))
            object.__setattr__(self, "digest", self.ground.digest)
        points = tuple(map(self._on_ground, self.checkpoints))
        if any(a.time > b.time for a, b in pairwise(points)):
            raise StateError("the checkpoints of a trajectory must be in increasing order of time")
        object.__setattr__(self, "checkpoints", points)

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle keeps: the fields. States on the trajectory's own ground go as their arrays."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        parts["checkpoints"] = tuple((p.time, p.step, self._sent(p.state)) for p in self.checkpoints)
        return Trajectory, tuple(parts.values())

    def _sent(self, state: State) -> Any:
        is_ours = not state.has_own_layout or (self.ground is not None and state.layout is self.ground.layout)
        return state.arrays if is_ours else state

    def _on_ground(self, given: Any) -> Checkpoint:
        """A checkpoint, or its three values, whose state knows what it lives on."""
        point = given if isinstance(given, Checkpoint) else Checkpoint(*given)
        if isinstance(point.state, State):
            return point
        return Checkpoint(point.time, point.step, State(point.state, lambda: self._found_ground.layout))

    @cached_property
    def _found_ground(self) -> Ground:
        """The ground: the attached one, or made again, once."""
        if self.ground is not None:
            return self.ground
        table = ground_table(self.kind)
        if self.kind not in _GROUNDS:
            fill(table)
        if self.kind not in _GROUNDS:
            raise StateError(
                f"nothing can evaluate a {self.kind} trajectory yet; import {homes(table)} first"
            )
        return _GROUNDS[self.kind](self)

    @property
    def reduced(self) -> Reduced:
        """The reduced limit that a solution lives on. Raises StateError for the trajectory of a network."""
        layout = self._found_ground.layout
        if not isinstance(layout, Reduced):
            raise StateError("this is the trajectory of a network, which lives on no reduction of the limit")
        return layout

    def checkpoint(self, t: float | None = None) -> Checkpoint:
        """The state at time ``t``, with its time and step; None: the last one that is stored.

        Between two stored times the steps of the run are made again, from the stored state before ``t``: at
        the times of the run's own grid the state is the one that the run had (of a network to rounding, where
        it was trained beside others), in between it is that of one shorter step of the same method on the
        same samples (:mod:`mfderive.runs.between`). A few such states are kept. Raises StateError for a time
        outside of the stored range, and where it is not known how the run was made.
        """
        if not self.checkpoints:
            raise StateError("this trajectory holds no checkpoints; run it again with checkpoints")
        if t is None:
            return self.checkpoints[-1]
        t = number("t", t)
        times = [point.time for point in self.checkpoints]
        # Times are sums of learning rates: a time that a person types may miss a stored one by rounding.
        stored = [point for point in self.checkpoints if is_same(point.time, t)]
        if stored:
            return stored[0]
        if not times[0] < t < times[-1]:
            raise StateError(self._outside(t, times[0], times[-1]))
        before = next(point for point in reversed(self.checkpoints) if point.time < t)
        try:
            time, step, state = self._between.state(before.time, before.state.arrays, t)
        except StateError as error:
            stored_times = names(map(str, times), 20)
            raise StateError(
                f"t = {t} is between the stored times, and {error}. There are states at {stored_times}"
            ) from error
        return Checkpoint(time, step, State(state, lambda: self._found_ground.layout))

    def _outside(self, t: float, first: float, last: float) -> str:
        """That a time is outside of the stored range, and how there would be a state at it."""
        lead = f"t = {t} is outside of this trajectory, whose stored states are from t = {first} to {last}"
        if t < 0:
            return f"{lead}. Times of a run begin at 0"
        if t < first:
            return f"{lead}. Ask the run that this one went on from"
        if self.kind == "limit":
            return f"{lead}. Go on from its end: mfderive.solve(network, horizon={t:g}, resume=path)"
        return f"{lead}. Train it for longer: mfderive.simulate(network, {self.width}, horizon={t:g})"

    @cached_property
    def _between(self) -> Between:
        """What makes states between the stored ones."""
        make = self._found_ground.steps
        return Between((), _no_steps) if make is None else Between(self.notes.get(NOTE, ()), make)

    def at(self, t: float | None = None) -> State:
        """The state at time ``t``; None: the last one that is stored. Raises as :meth:`checkpoint`."""
        return self.checkpoint(t).state

    def fields(self, x: Array, t: float | None = None) -> Mapping[str, Array]:
        """Every field at inputs ``x`` [sample, *input_shape], at time ``t`` (see :meth:`checkpoint`).

        Raises StateError for an ``x`` of another shape, for a time that is not there, and where the
        trajectory was read from a file and lives on no limit that can be made again; ArgumentError for an
        ``x`` that holds no finite numbers.
        """
        ground, inputs = self._found_ground, _inputs(self.network, x)
        if isinstance(ground.layout, Reduced):
            inputs, _ = ground.layout.encode(inputs)
        return ground.fields(self.at(t).arrays, inputs)

    def observe(self, field: str, x: Array, t: float | None = None) -> Array:
        """One field, for example "h2" [sample, neuron], at ``x`` and time ``t`` (see :meth:`checkpoint`).

        Raises StateError for a field that does not exist, and as :meth:`fields`.
        """
        fields = self.fields(x, t)
        if not isinstance(field, str) or field not in fields:
            is_parameter = isinstance(field, str) and field in self.at(t).arrays
            where = f"It is a parameter: .at(t)[{field!r}]. " if is_parameter else ""
            raise StateError(f"there is no field {found(field)}. {where}{nearest(str(field), fields)}")
        return fields[field]

    def predict(self, x: Array, t: float | None = None) -> Array:
        """The outputs yhat [sample, outputs] at inputs ``x`` and time ``t`` (see :meth:`checkpoint`).

        Where the spec has ``scale``, ``scale_y`` or ``one_hot``, ``x`` and the answer are in the units of
        the data: ``x`` [sample, column of the data], a frame too. Classes are in the order of
        ``network.classes``. Raises as :meth:`fields`.
        """
        facts = self.network.source.facts
        return np.asarray(facts.decode(self.observe("yhat", facts.encode(x), t)))

    def sample(self, n: int | Mapping[str, int], t: float | None = None, seed: int = 0) -> State:
        """A network of width ``n`` drawn from this solution at time ``t`` (see :meth:`checkpoint`).

        ``n``: neurons (times the populations' relative widths), or a number for each population; ``t`` None:
        the last stored time. Neurons are independent and follow the limit's law at that time; the same
        ``seed`` draws the same neurons at every time. The state has the layout of the whole network and
        equal weights p, so :func:`mfderive.simulate` can start from it (``initial=``). The noise of weight
        entries, which training does not change, is put back (theory C.1), except where the solution
        started from given arrays of the whole network: those are then what the weights are.

        Raises StateError for a trajectory of a network and for times outside of it, ArgumentError for widths
        and seeds that are none, ResourceError (before anything is drawn) for more than memory can hold.
        """
        if self.kind != "limit":
            raise StateError(
                "only a solution of the limit can be sampled; this is a network, whose state is .at(t)"
            )
        whole_number("seed", seed, 0)
        state, reduced, first = self.at(t), self.reduced, self.checkpoints[0]
        if reduced.initial_values and first.time > 0:
            raise StateError(
                f"the noise of entries depends on labels at t = 0 ('{reduced.initial_values[0]}'), but this "
                f"trajectory begins at t = {first.time:.4g}; draw samples from one that holds its start"
            )
        network = sample_network(reduced, state, first.state, n, seed)
        return State(network, Reduced.identity(reduced.full))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be known of this run: that its loss diverged (:mod:`mfderive.runs.divergence`)."""
        return tuple(finding_of(entry) for entry in self.notes.get(FINDINGS, ()))

    @property
    def edited(self) -> tuple[str, ...]:
        """What was edited in the file that this was read from, in words (``load(path, edited=True)``)."""
        return tuple(map(str, self.notes.get(EDITED, ())))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be known of this run, in sentences: edits, findings, that nothing is learned.

        The last stand in ``notes["warnings"]``, each with the ``kind`` of its finding and its ``text``.
        """
        noted = tuple(str(entry["text"]) for entry in self.notes.get(WARNINGS, ()))
        edits = (
            [f"{_EDITED}: {some_of(self.edited)}. These are not the numbers of a run"] if self.edited else []
        )
        return (*edits, *run_sentences(self.findings), *noted)

    def _summary(self) -> Iterator[str]:
        what = "the limit" if self.kind == "limit" else f"a network of width {self.width}, seed {self.seed},"
        yield f"Trajectory of {what} of '{words(self.network.title)}'"
        first, *others = self.warnings or ("",)
        if self.edited:
            yield f"  WARNING: {first}"
            first = next(iter(others), "")
        if first:
            yield from list(wrapped(f"  WARNING: {first}"))[:3]
        if len(self.times):
            yield f"  .times: {len(self.times)} from {self.times[0]:.6g} to {self.times[-1]:.6g}"
            yield f"  .loss: from {self.loss[0]:.6g} to {self.loss[-1]:.6g}{known_to(self)}"
        stored = names((f"{point.time:.4g}" for point in self.checkpoints), 9)
        yield f"  .checkpoints: states stored at t = {stored}" if stored else "  .checkpoints: none"
        yield "  .at(t), .predict(x, t), .observe(field, x, t): any t; between states, steps are made again"

    @property
    def name(self) -> str:
        """The file name that :meth:`save` uses: limit, or network-<width>-<seed>."""
        return self.kind if self.kind == "limit" else f"network-{self.width}-{self.seed}"

    def save(self, folder: str | Path, name: str | None = None) -> Path:
        """Write ``<name>.npz`` and ``<name>.json`` into a folder, atomically; returns the path of the npz.

        The npz holds everything; the json repeats all but the states for people and other programs. Raises
        ArgumentError for a name that is no file's, and MfError where the folder cannot be made or written,
        or has too little room; an earlier file then stays as it is.
        """
        if name is not None and not (isinstance(name, str) and name and Path(name).name == name):
            raise ArgumentError(f"name is {found(name)}; it must be the name of a file without its folder")
        arrays: dict[str, Array] = {curve: getattr(self, curve) for curve in CURVES}
        checkpoints = []
        for count, point in enumerate(self.checkpoints):
            keys = []
            for position, (path, array) in enumerate(flattened(point.state)):
                arrays[f"c{count}.{position}"] = array
                keys.append(list(path))
            checkpoints.append({"time": float(point.time), "step": int(point.step), "keys": keys})
        document = {
            "kind": self.kind,
            "width": None if self.width is None else int(self.width),
            "seed": int(self.seed),
            **network_record(self.network),
            "changed": list(self.network.changed),
            "reduction": list(self.passes),
            "system": self.digest,
            "notes": plain(self.notes),
            "checkpoints": checkpoints,
        }
        return write_run(file_path("folder", folder), name or self.name, document, arrays, CURVES)

    @staticmethod
    def load(path: str | Path, data: tuple[Array, Array] | None = None, edited: bool = False) -> Trajectory:
        """Read a trajectory back from its npz or json file, or from a folder that holds only one.

        ``data``: the arrays, where the run was given its data as arrays. ``edited``: read a file that was
        changed after it was written, too; ``notes["edited"]`` then lists what differs. Raises MfError for a
        file that is missing, truncated, edited, not a trajectory or of another format.
        """
        check_pair(data)
        flag("edited", edited)
        stored = read_stored(locate(file_path("path", path)), edited)
        try:
            network = network_of_record(stored.record, data, str(stored.file))
            return Trajectory(network=network, **stored.parts)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise damaged(stored.file, error) from error


def _no_steps(record: Mapping[str, Any]) -> Steps:
    raise StateError("nothing makes the steps of this run again")


def is_finite(state: Mapping[str, Any]) -> bool:
    """Whether all parameters of a state are finite numbers."""
    return all(np.isfinite(value).all() for name, value in state.items() if name != WEIGHTS)


def _inputs(network: Network, x: Array) -> Array:
    """``x`` as float64 [sample, *input_shape]; a single input is not taken for a sample."""
    inputs = real_array("x", x)
    shape = network.input_shape
    if shape is not None and inputs.shape[1:] != shape:
        wanted = ", ".join(["sample", *map(str, shape)])
        raise StateError(f"x has shape {inputs.shape}; expected [{wanted}]")
    if not inputs.ndim or not len(inputs):
        raise StateError(f"x has shape {inputs.shape}; there must be at least one sample")
    return inputs
