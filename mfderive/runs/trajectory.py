"""What a run leaves: times, loss, error and checkpoints, saved atomically and never through pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..algebra.arguments import file_path, flag, found, number, real_array, whole_number
from ..algebra.findings import Finding
from ..algebra.reduced import Reduced, names_of
from ..errors import ArgumentError, StateError, nearest
from ..network.network import Network
from ..state.draw import WEIGHTS
from ..state.sample import sample_network
from ..state.state import State, StateLayout
from .archive import flattened, locate, plain, write_run
from .divergence import NOTE, finding_of
from .network_record import check_pair, network_of_record, network_record
from .stored import CURVES, read_stored

Array = Any

KINDS = ("limit", "network")


@dataclass(frozen=True)
class Ground:
    """What the states of a trajectory live on, and what evaluates their fields.

    ``fields(state, x)`` returns a dict of arrays [sample, neuron, positions...] with "yhat" [sample, outputs]
    among them.
    """

    layout: StateLayout
    fields: Callable[[Mapping[str, Any], Array], Mapping[str, Array]] = field(repr=False)


# What makes the ground of a trajectory that was read from a file, by its kind. The rooms that can do it
# import this one, so they enter themselves here.
_GROUNDS: dict[str, Callable[[Trajectory], Ground]] = {}


def register_ground(kind: str, make: Callable[[Trajectory], Ground]) -> None:
    """Enter the function that makes the ground of a loaded "limit" or "network" trajectory, once for each."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; allowed: {KINDS}")
    _GROUNDS[kind] = make


@dataclass(frozen=True)
class Checkpoint:
    """The state after ``step`` steps, at time ``time`` (the sum of the learning rates until then)."""

    time: float
    step: int
    state: State = field(repr=False)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The path of one run: of the limit (``kind`` "limit") or of one finite network ("network").

    ``times`` float64 [T] (sums of learning rates) and ``steps`` int64 [T] say when ``loss`` and ``error``,
    float64 [T], were evaluated, on the evaluation sample of the network's data source; ``error`` is nan where
    no classification error is meaningful. ``checkpoints`` hold states in increasing order of time.
    ``width`` is the width of a finite network (the number of nodes, where a limit has one such number).
    ``notes`` is plain data: method, precision, numbers of nodes, ... ``ground`` is what the states live on,
    attached by whoever made the trajectory; one that was read from a file knows the names of the ``passes``
    of its reduction, and makes the ground again when it is first asked for.
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
    ground: Ground | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Bring the curves to their types and check that they belong together."""
        if self.kind not in KINDS:
            raise StateError(f"the kind of a trajectory is {self.kind!r}; allowed: {', '.join(KINDS)}")
        for name, kind in (
            ("times", np.float64),
            ("steps", np.int64),
            ("loss", np.float64),
            ("error", np.float64),
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
        points = tuple(map(self._on_ground, self.checkpoints))
        if any(a.time > b.time for a, b in pairwise(points)):
            raise StateError("the checkpoints of a trajectory must be in increasing order of time")
        object.__setattr__(self, "checkpoints", points)

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
        if self.kind not in _GROUNDS:
            room = {"limit": "mfderive.solution", "network": "mfderive.finite"}[self.kind]
            raise StateError(
                f"nothing can evaluate a {self.kind} trajectory yet; import {room} (or mfderive) first"
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
        """The stored checkpoint whose time is nearest to ``t`` (the earlier one of two); None: the last.

        Exact where a checkpoint was stored at ``t``, otherwise ``.time`` says how far away it is. Raises
        StateError for a time outside the stored range.
        """
        if not self.checkpoints:
            raise StateError("this trajectory holds no checkpoints; run it again with checkpoints")
        if t is None:
            return self.checkpoints[-1]
        t = number("t", t)
        first, last = self.checkpoints[0].time, self.checkpoints[-1].time
        # Times are sums of learning rates: a time that a person types may miss the end by rounding.
        slack = 1e-9 * max(abs(first), abs(last))
        if not first - slack <= t <= last + slack:
            raise StateError(
                f"t = {t} is outside of this trajectory, which has checkpoints from {first} to {last}"
            )
        distances = [abs(point.time - t) for point in self.checkpoints]
        return self.checkpoints[distances.index(min(distances))]

    def at(self, t: float | None = None) -> State:
        """The stored state nearest to time ``t`` (see :meth:`checkpoint`); None: the last one."""
        return self.checkpoint(t).state

    def fields(self, x: Array, t: float | None = None) -> Mapping[str, Array]:
        """Every field at inputs ``x`` [sample, *input_shape], from the stored state nearest to ``t``."""
        ground, inputs = self._found_ground, _inputs(self.network, x)
        if isinstance(ground.layout, Reduced):
            inputs, _ = ground.layout.encode(inputs)
        return ground.fields(self.at(t).arrays, inputs)

    def observe(self, field: str, x: Array, t: float | None = None) -> Array:
        """One field, for example "h2" [sample, neuron], at ``x``, from the stored state nearest to ``t``."""
        fields = self.fields(x, t)
        if not isinstance(field, str) or field not in fields:
            raise StateError(f"there is no field {found(field)}. {nearest(str(field), fields)}")
        return fields[field]

    def predict(self, x: Array, t: float | None = None) -> Array:
        """The outputs yhat [sample, outputs] at inputs ``x``, from the stored state nearest to ``t``.

        Where the spec has ``scale``, ``scale_y`` or ``one_hot``, ``x`` and the answer are in the units of
        the data: ``x`` [sample, column of the data], a frame too. Classes are in the order of
        ``network.classes``.
        """
        facts = self.network.source.facts
        return np.asarray(facts.decode(self.observe("yhat", facts.encode(x), t)))

    def sample(self, n: int | Mapping[str, int], t: float | None = None, seed: int = 0) -> State:
        """A network of width ``n`` drawn from this solution, at the stored time nearest to ``t``.

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
        return tuple(finding_of(entry) for entry in self.notes.get(NOTE, ()))

    @property
    def name(self) -> str:
        """The file name that :meth:`save` uses: limit, or network-<width>-<seed>."""
        return self.kind if self.kind == "limit" else f"network-{self.width}-{self.seed}"

    def save(self, folder: str | Path, name: str | None = None) -> Path:
        """Write ``<name>.npz`` and ``<name>.json`` into a folder, atomically; returns the path of the npz.

        The npz holds everything; the json repeats all but the states for people and other programs.
        """
        if name is not None and not (isinstance(name, str) and name and Path(name).name == name):
            raise ArgumentError(f"name is {found(name)}; it must be the name of a file without its folder")
        arrays: dict[str, Array] = {curve: getattr(self, curve) for curve in CURVES}
        checkpoints = []
        for count, point in enumerate(self.checkpoints):
            keys = []
            for place, (path, array) in enumerate(flattened(point.state)):
                arrays[f"c{count}.{place}"] = array
                keys.append(list(path))
            checkpoints.append({"time": float(point.time), "step": int(point.step), "keys": keys})
        document = {
            "kind": self.kind,
            "width": None if self.width is None else int(self.width),
            "seed": int(self.seed),
            **network_record(self.network),
            "reduction": list(self.passes),
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
        network = network_of_record(stored.record, data, str(stored.file))
        return Trajectory(network=network, **stored.parts)


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
