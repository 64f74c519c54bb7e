"""How the parameters of a network learn, by their full names, and what its rule remembers of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from ..algebra.laws import Law, LawKind, Variable
from ..algebra.system import ForwardSystem
from ..algebra.terms import Field, Role
from ..algebra.update_rules import Learning, rule_of
from ..errors import SpecError, nearest
from ..network.network import Network

_ALL = ""  # the pair that holds for every parameter without one of its own


def with_learning(system: ForwardSystem, network: Network) -> ForwardSystem:
    """The forward equations with how the network learns, and with the memories of its rule as variables.

    Raises SpecError where the spec names a parameter that does not exist.
    """
    learning = _learning(network, [p.name for p in system.parameters if not p.is_frozen])
    memories = [
        memory
        for parameter in system.parameters
        if not parameter.is_frozen
        for memory in _memories(system, learning, parameter)
    ]
    return replace(
        system,
        learning=learning,
        fields=(*system.fields, *(field for field, _ in memories)),
        variables=(*system.variables, *(variable for _, variable in memories)),
    )


def shared_noise(system: ForwardSystem) -> tuple[str, ...]:
    """The parameters with fresh noise that belong to no neuron of a population, such as a bias of the output.

    Noise of neurons averages out over them; here all of them feel the same, so that the limit is random.
    """
    return tuple(name for name, _ in system.learning.noise if not system.population_slots(name))


def _learning(network: Network, trained: list[str]) -> Learning:
    training = network.training
    decoupled = rule_of(training.optimizer).decoupled if training.decoupled is None else training.decoupled
    return Learning(
        training.optimizer,
        training.constants,
        decay=_by_parameter(network, "weight_decay", training.weight_decay, trained),
        decoupled=decoupled,
        noise=_by_parameter(network, "noise", training.noise, trained),
        clip=training.clip,
    )


def _by_parameter(
    network: Network, key: str, pairs: Iterable[tuple[str, float]], trained: list[str]
) -> tuple[tuple[str, float], ...]:
    """The value of every trained parameter that has one which is not 0."""
    given = dict(pairs)
    for name in given:
        if name != _ALL and name not in trained:
            raise SpecError(
                f"there is no trained parameter '{name}'. {nearest(name, trained)}",
                file=network.where,
                table="training",
                key=key,
            )
    found = ((name, given.get(name, given.get(_ALL, 0.0))) for name in trained)
    return tuple((name, value) for name, value in found if value)


def _memories(
    system: ForwardSystem, learning: Learning, parameter: Variable
) -> Iterable[tuple[Field, Variable]]:
    """The memories of one parameter: the same axes, and the same value everywhere at the start."""
    own = system.field[parameter.name]
    for name, start in learning.row.memories:
        number = sp.Rational(repr(float(start)))
        law = Law(LawKind.CONSTANT, (number,), text=f"{start:g}")
        field = replace(own, name=f"{name} {own.name}", role=Role.MEMORY, of=own.name, part=name, given="")
        yield field, Variable(field.name, own.axes, law, parameter.rate, parameter.noise, of=own.name)
