"""Random numbers that belong to no neuron: every network draws them once, and no width averages them out.

An output's bias with a random law, or weights between finite layers. Networks of different seeds then have
different limits. What is predicted are deviations from one of these, that of the limit's own draw, so that
networks are held against it that start with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..algebra.showing import words
from ..errors import MfError
from ..finite.network_fields import system_of
from ..finite.simulate import FIRST_SEED, simulate
from ..network.network import Network
from ..runs.trajectory import Trajectory
from ..solution.options import resolve_options
from ..state.draw import initial_state, population_sizes

Array = Any


def common_draws(network: Network) -> tuple[str, ...]:
    """The parameters of random laws that no population indexes."""
    system = system_of(network)
    return tuple(
        p.name
        for p in system.parameters
        if not p.law.is_deterministic and not system.population_slots(p.name)
    )


def common_words(network: Network) -> str:
    """What networks have in common with the limit, in a sentence; empty where they need nothing."""
    names = common_draws(network)
    if not names:
        return ""
    return (
        f"What belongs to no neuron ({', '.join(map(words, names))}) is drawn once in every network and "
        "never averages out, so that networks of other seeds have other limits"
    )


def trained(
    network: Network, width: int, count: int, changes: Mapping[str, Any], **options: Any
) -> Sequence[Trajectory]:
    """``count`` networks of a width, trained, that share with the limit what belongs to no neuron.

    ``changes``: the options of the limit, whose seed draws that; ``options`` as in :func:`mfderive.simulate`.
    Raises MfError where labels of neurons are drawn around such numbers.
    """
    names = common_draws(network)
    if not names:
        return simulate(network, width, count, **options)
    system = system_of(network)
    for parameter in system.parameters:
        around = {reference.parameter for _, reference in parameter.law.references} & set(names)
        if around and parameter.name not in names:
            raise MfError(
                f"the law of {parameter.name} names {min(around)}, which belongs to no neuron: networks that "
                "share it with the limit cannot be drawn yet. Give it a law without random numbers"
            )
    seed = resolve_options(network, None, **changes).seed
    own = initial_state(system, population_sizes(system, 1), seed)
    found: list[Trajectory] = []
    for number in range(FIRST_SEED, FIRST_SEED + count):
        state = initial_state(system, width, number) | {name: own[name] for name in names}
        found += simulate(network, None, [number], initial=state, **options)
    return found
