"""A reduced limit and the ways between it and the whole network.

A pass of the reduction takes a system and returns a :class:`PassResult`: a smaller system, how data and
states of the one become those of the other, and what it found. A :class:`Reduced` keeps the results of all
passes in their order, so whoever holds it can go both ways. What makes them is the room ``reduction``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .arguments import LIMIT, instance
from .findings import Finding
from .showing import Shown, names, words, wrapped
from .system import Equations, LimitSystem

Array = Any
StateMapping = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class DrawnNetwork(Shown):
    """A network of finite width on its way back through the passes of a reduction.

    ``state``: its values in the layout of the system that has been reached, in which every neuron has drawn
    a node of its population (a weight that has noise of its own has both of its ends and no noise slot);
    ``labels``: the initial values (t = 0) of the parameters that lifts ask for, on the same neurons.
    ``sizes`` are the neurons of every population of the whole network; ``generator(name)`` gives random
    numbers of one purpose, the same at every call.
    """

    state: StateMapping
    labels: StateMapping
    sizes: Mapping[str, int]
    generator: Callable[[str], Any]


def same_data(x: Array, y: Array | None) -> tuple[Array, Array | None]:
    """The data as it is."""
    return x, y


def same_law(law: Any) -> Any:
    """The law of the data as it is."""
    return law


def same_state(state: StateMapping) -> StateMapping:
    """The state as it is."""
    return state


def same_network(network: DrawnNetwork) -> DrawnNetwork:
    """The network as it is."""
    return network


@dataclass(frozen=True, repr=False)
class PassResult(Shown):
    """What one pass makes of a system.

    ``encode(x, y)``: data of the system before -> data of ``system`` (y None where only x is known);
    ``restrict(state)``: a state of the system before -> a state of ``system``, StateError where values differ
    along what the pass dropped; ``lift(network)``: a drawn network of ``system`` -> one of the system before,
    random where the pass dropped information. ``initial_values`` names the parameters whose values at t = 0
    ``lift`` reads. ``integrate(law)``: a law of the data in standard variables
    (:class:`mfderive.samples.standard_law.StandardLaw`) -> one of fewer numbers whose samples, encoded, have
    the same law. ``fold(state)``: a state of ``system`` on nodes -> the same on fewer, where some are images
    of others. A pass that changes nothing returns ``PassResult(system)``.
    """

    system: LimitSystem
    findings: tuple[Finding, ...] = ()
    encode: Callable[[Array, Array | None], tuple[Array, Array | None]] = field(
        default=same_data, repr=False, compare=False
    )
    restrict: Callable[[StateMapping], StateMapping] = field(default=same_state, repr=False, compare=False)
    lift: Callable[[DrawnNetwork], DrawnNetwork] = field(default=same_network, repr=False, compare=False)
    initial_values: tuple[str, ...] = ()
    integrate: Callable[[Any], Any] = field(default=same_law, repr=False, compare=False)
    fold: Callable[[StateMapping], StateMapping] = field(default=same_state, repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class LogEntry(Shown):
    """What one pass found, in words: the name of the pass, and its text."""

    pass_name: str
    text: str

    def __str__(self) -> str:
        return f"{self.pass_name}: {self.text}"

    def _summary(self) -> Iterator[str]:
        yield from wrapped(f"LogEntry of {self}")


@dataclass(frozen=True, repr=False)
class Reduced(Shown):
    """A reduced limit: the limit ``full`` that it came from, what every pass returned, and the log.

    ``passes`` maps the passes' names to their results, in their order; ``log`` says in words what they found.
    With no pass it is the limit itself (:meth:`identity`). Prints as its system does.
    """

    full: LimitSystem
    passes: tuple[tuple[str, PassResult], ...] = ()
    log: tuple[LogEntry, ...] = ()

    @classmethod
    def identity(cls, limit: LimitSystem) -> Reduced:
        """The limit itself, through no pass."""
        return cls(limit)

    def then(self, name: str, result: PassResult) -> Reduced:
        """One pass more. A system that it made keeps the names of all passes until then."""
        if result.system is not self.system:
            result = replace(result, system=replace(result.system, passes=(*self.names, name)))
        return replace(self, passes=(*self.passes, (name, result)))

    @property
    def system(self) -> LimitSystem:
        """The reduced system, with which everything computes."""
        return self.passes[-1][1].system if self.passes else self.full

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the passes, in their order."""
        return tuple(name for name, _ in self.passes)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What all passes found, in their order."""
        return tuple(finding for _, result in self.passes for finding in result.findings)

    @property
    def title(self) -> str:
        """The network's title."""
        return self.system.title

    @property
    def forward(self) -> Equations:
        """The forward equations H of the reduced system."""
        return self.system.forward

    @property
    def backward(self) -> Equations:
        """The adjoint equations D of the reduced system."""
        return self.system.backward

    @property
    def evolution(self) -> Equations:
        """The evolution G of the reduced system."""
        return self.system.evolution

    @property
    def scalings(self) -> dict[str, tuple[str, ...]]:
        """Parameter -> population axes whose widths multiply its plain gradient (theory A.5)."""
        return self.system.scalings

    def __str__(self) -> str:
        return str(self.system)

    def _summary(self) -> Iterator[str]:
        title, small, full = words(self.full.title), self.system, self.full
        if not self.passes:
            yield f"Reduced '{title}' through no pass: the limit itself"
            return
        yield f"Reduced '{title}' by {names(self.names)}"
        yield f"  equations: {len(small.equations)} of {len(full.equations)}"
        indexed = [axis.name for axis in small.populations if any(axis.name in f.axes for f in small.fields)]
        yield f"  populations that are left: {names(indexed) or 'none'} (of {len(full.populations)})"
        for entry in self.log[:4]:
            yield f"  {entry}"
        if len(self.log) > 4:
            yield f"  and {len(self.log) - 4} more lines of its log"
        yield "  print(...) writes the reduced equations"

    # ------------------------------------------------------------------ the ways

    def encode(self, x: Array, y: Array | None = None) -> tuple[Array, Array | None]:
        """The data x [sample, ...], y [sample, outputs] as the reduced system takes it."""
        for _, result in self.passes:
            x, y = result.encode(x, y)
        return x, y

    def integrate(self, law: Any) -> Any:
        """A law of the data in standard variables, in those that the reduced system needs."""
        for _, result in self.passes:
            law = result.integrate(law)
        return law

    @property
    def integrates_the_law(self) -> bool:
        """Whether it holds on average over the law of the data only, and so not for steps on batches."""
        return any(result.integrate is not same_law for _, result in self.passes)

    @property
    def on_average(self) -> tuple[Finding, ...]:
        """What the passes found that hold on average only: of what their coordinates and lengths are."""
        averaged = (result for _, result in self.passes if result.integrate is not same_law)
        return tuple(finding for result in averaged for finding in result.findings)

    def restrict(self, state: StateMapping) -> StateMapping:
        """The state of the reduced system that a state of the whole limit is.

        Raises StateError where values differ along what a pass dropped: then there is none.
        """
        for _, result in self.passes:
            state = result.restrict(state)
        return state

    def fold(self, state: StateMapping) -> StateMapping:
        """A state of the reduced system on nodes, without nodes that are images of others."""
        for _, result in self.passes:
            state = result.fold(state)
        return state

    def lift(self, network: DrawnNetwork) -> DrawnNetwork:
        """The network of the whole limit out of one in the layout of the reduced system."""
        for _, result in reversed(self.passes):
            network = result.lift(network)
        return network

    @property
    def initial_values(self) -> tuple[str, ...]:
        """The parameters whose values at t = 0 :meth:`lift` reads, each once."""
        return tuple(dict.fromkeys(name for _, result in self.passes for name in result.initial_values))


def limit_of(given: LimitSystem | Reduced) -> LimitSystem:
    """The system with which to compute: that of a reduced limit, or a limit itself.

    Raises ArgumentError for anything else.
    """
    return reduced_of(given).system


def reduced_of(given: LimitSystem | Reduced) -> Reduced:
    """A reduced limit as it is, and a limit through no pass. ArgumentError for anything else."""
    if isinstance(given, Reduced):
        return given
    return Reduced.identity(instance(given, LimitSystem, "a limit", LIMIT))


def names_of(layout: Any) -> Sequence[str]:
    """The names of the passes of a layout: those of a reduced limit, none of the equations of a network."""
    return layout.names if isinstance(layout, Reduced) else ()
