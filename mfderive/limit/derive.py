"""Forward equations -> mean-field limit: the conductor of the derivation."""

from __future__ import annotations

from dataclasses import replace

from ..algebra.arguments import NETWORK, instance
from ..algebra.memo import once
from ..algebra.system import ForwardSystem, LimitSystem
from ..forward.batch_statistics import refuse_batch_statistics
from ..forward.equations import forward_system
from ..network.network import Network
from ..samples.invariances import data_law
from .apply_rule import apply_rule
from .reverse import reverse_pass


def derive(network: Network) -> LimitSystem:
    """The mean-field limit of a resolved network (see :func:`derive_system`).

    The limit states the law of the data, too (``data_law``). A network is derived once; asked again it gives
    the same object. Raises ArgumentError for anything that is
    not a network, SpecError where sizes are not known.
    """
    return _derive(instance(network, Network, "a network", NETWORK))


@once
def _derive(network: Network) -> LimitSystem:
    refuse_batch_statistics(network)
    # The witness has the forward equations alone: what the data is invariant under is the limit's business.
    return replace(derive_system(forward_system(network)), data_law=data_law(network))


@once
def derive_system(system: ForwardSystem) -> LimitSystem:
    """The mean-field limit of forward equations: H, then D, then G, then what the learning rule makes of G.

    ``scalings`` of the result are the populations that index each parameter (theory A.5).
    """
    backward, evolution = reverse_pass(system)
    limit = LimitSystem(
        system.title,
        system.axes,
        (*system.fields, *backward.fields, *evolution.fields),
        system.variables,
        (*system.equations, *backward.equations, *evolution.equations),
        system.learning,
        indexed=tuple((p.name, system.population_slots(p.name)) for p in system.parameters),
    )
    return apply_rule(limit)
