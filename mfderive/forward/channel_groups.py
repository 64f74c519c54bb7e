"""How a connection reads the neurons of its source: all of them, or those of one group (key ``groups``).

The neurons of a grouped layer come in G groups: one finite axis beside that of its neurons, so that neuron c
of group k is the value at (c, k), and a width counts the neurons of one group. A parameter of a neuron has an
entry for each group, and so has a weight into the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..algebra.terms import Affine, Index, Slot
from ..network.names import INPUT
from ..network.values import COUNT, Key
from .builder import GROUPS
from .kind import Positions, Site

GROUPS_KEY = Key(
    GROUPS,
    COUNT,
    "number of groups G: neurons of group k read the k-th block of the channels of x, or the k-th group of a "
    "layer that has groups; a width then counts the neurons of one group; default 1",
)


@dataclass(frozen=True)
class Neurons:
    """Which neurons of the source a connection reads, as parts of a ``Reading``.

    ``slots`` are those of the source's neurons and groups; ``neuron`` is the index of the neuron, None where
    no index names one (blocks of channels). The weight's axes and slots are [target, source, groups...].
    """

    slots: tuple[Slot, ...]
    neuron: Index | None
    weight_axes: tuple[str, ...]
    weight_slots: tuple[Slot, ...]
    reduced: tuple[Index, ...]
    counts: Mapping[str, int]


def layer_groups(site: Site) -> Positions:
    """The groups that a connection with the key ``groups`` gives its layer.

    Raises SpecError where the source has no blocks that the groups could read.
    """
    count = site.options.get(GROUPS, 1)
    if count == 1:
        return None
    source, name = site.source, site.connection.source
    if name != INPUT and not source.groups:
        kind = "finite layer" if site.is_finite(source.neurons) else "infinitely wide layer"
        raise site.error(
            f"groups = {count}: the neurons of the {kind} '{name}' come in no groups, so that none of them "
            "belongs to a group of this one",
            key=GROUPS,
            remedy=f"Leave groups out here, or give '{name}' groups: they begin at a convolution of x",
        )
    size = site.size(*(source.groups or (source.neurons,)))
    if size % count:
        what = "groups" if source.groups else "channels"
        raise site.error(
            f"groups = {count}: the {size} {what} of '{name}' do not divide into {count} equal blocks",
            key=GROUPS,
            remedy=f"Choose a divisor of {size}",
        )
    return (count,)


def kept_groups(site: Site) -> Positions:
    """A connection that reads neuron by neuron gives its layer the groups of its source."""
    return site.source.groups


def all_neurons(site: Site) -> Neurons:
    """All neurons of all groups of the source, with weights of its own for each group of the layer."""
    own, source = site.own, site.source
    neuron, *groups = site.fresh((source.neurons, *source.groups))
    if own.groups and groups and site.connection.weight is not None and site.connection.weight.transpose:
        raise site.error(
            f"a transposed weight between all groups of '{site.connection.source}' and all groups of "
            f"'{site.layer}' is not defined: only the neurons are swapped, not their groups",
            key="weight",
            remedy="Use a weight of its own, or a convolution with groups, which reads group by group",
        )
    counts = {"inputs": site.size(source.neurons)} if site.is_finite(source.neurons) else {}
    if groups:
        counts[GROUPS] = site.size(*source.groups)
    return Neurons(
        slots=(neuron, *groups),
        neuron=neuron,
        weight_axes=(own.neurons, source.neurons, *own.groups, *source.groups),
        weight_slots=(site.target[1], neuron, *site.group, *groups),
        reduced=(neuron, *groups),
        counts=counts,
    )


def chosen_neurons(site: Site) -> Neurons:
    """The neurons that the key ``groups`` chooses: for group k of the layer the k-th block of the source.

    Channels of x: ``m k + j``, j < m = channels / groups. A layer with groups: the group k itself, or, where
    it has more groups, its groups ``m k + j``.
    """
    count = site.options.get(GROUPS, 1)
    if count == 1:
        return all_neurons(site)
    own, source = site.own, site.source
    size = site.size(*(source.groups or (source.neurons,))) // count
    if source.groups and size == 1:
        (neuron,) = site.fresh((source.neurons,))
        return Neurons(
            slots=(neuron, *site.group),
            neuron=neuron,
            weight_axes=(own.neurons, source.neurons, *own.groups),
            weight_slots=(site.target[1], neuron, *site.group),
            reduced=(neuron,),
            counts={},
        )
    what = GROUPS if source.groups else "inputs"
    (axis,) = site.finite(what, (size,))
    (group,) = site.group
    if not source.groups:
        (member,) = site.fresh((axis,))
        return Neurons(
            slots=(Affine(((size, group), (1, member))),),
            neuron=None,
            weight_axes=(own.neurons, axis, *own.groups),
            weight_slots=(site.target[1], member, group),
            reduced=(member,),
            counts={what: size},
        )
    neuron, member = site.fresh((source.neurons, axis))
    return Neurons(
        slots=(neuron, Affine(((size, group), (1, member)))),
        neuron=neuron,
        weight_axes=(own.neurons, source.neurons, *own.groups, axis),
        weight_slots=(site.target[1], neuron, group, member),
        reduced=(neuron, member),
        counts={what: size},
    )
