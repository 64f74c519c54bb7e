"""What the advice about a limit looks at."""

from __future__ import annotations

from dataclasses import dataclass

from ..algebra.system import LimitSystem
from ..network.network import Network
from .probe import Probe


@dataclass(frozen=True)
class Case:
    """What the warnings look at: the network, its limit, the reduced limit, and how that starts to move."""

    network: Network
    limit: LimitSystem
    reduced: LimitSystem
    probe: Probe

    @property
    def closed(self) -> list[str]:
        """The weights between populations of which only the mean is left."""
        kept = self.reduced.parameter
        return [p.name for p in self.limit.parameters if p.noise and not kept[p.name].noise]

    @property
    def collapsed(self) -> list[str]:
        """The layers all of whose neurons are equal at all times."""
        found = []
        for layer in self.network.layers:
            names = [name for name in self.own_fields(layer.name) if self.limit.population_slots(name)]
            if names and not any(self.reduced.population_slots(name) for name in names):
                found.append(layer.name)
        return found

    @property
    def statistics(self) -> list[str]:
        """The forward fields that average over their own layer's neurons."""
        limit, found = self.limit, []
        for layer in self.network.layers:
            own = {axis for name in self.own_fields(layer.name) for axis in limit.population_slots(name)}
            for equation in limit.forward:
                if limit.field[equation.field].owner != layer.name or limit.population_slots(equation.field):
                    continue
                averaged = {index.axis for term in equation.terms for index in term.reduced}
                reads = {limit.field[name].owner for name in equation.reads}
                if own & averaged and reads == {layer.name}:
                    found.append(equation.field)
        return found

    def own_fields(self, layer: str) -> list[str]:
        """The visible forward fields of a layer, at all of its steps."""
        return [
            equation.field
            for equation in self.limit.forward
            if self.limit.field[equation.field].owner == layer and not self.limit.field[equation.field].hidden
        ]
