"""The way out: ``mf.to_torch``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..algebra.arguments import NETWORK, choice, instance, whole_number
from ..algebra.system import ForwardSystem
from ..errors import ArgumentError, StateError
from ..finite.finite_network import FiniteNetwork
from ..finite.network_fields import system_of
from ..finite.velocity import checked_state
from ..network.network import Network, register_torch_writer
from ..network.solve_options import PRECISIONS
from ..state.draw import WEIGHTS, initial_state, population_sizes
from ..state.state import State, arrays_on
from .torch_reader import torch_package

# As in simulate: the limit draws with seed 0.
FIRST_SEED = 1


def to_torch(
    network: Network,
    width: int | Mapping[str, int] | None = None,
    *,
    seed: int = FIRST_SEED,
    state: Mapping[str, Any] | None = None,
    precision: str = "float32",
) -> Any:
    """The network of a finite width as a ``torch.nn.Module``, to be trained in a loop of one's own.

    ``width``: neurons of every population (times its relative width), or a number for each. Parameters have
    the names and shapes of the spec and are drawn from its laws with ``seed``, as those of
    :func:`mfderive.simulate`; or they are those of ``state`` (arrays by name, a trajectory's ``sample(n)``,
    what was imported), and then ``width`` may be left out. ``precision``: "float32" or "float64". The module
    computes what the finite network of this package computes, ``module.loss(x, y)`` is the spec's loss,
    ``module.parameter_groups()`` gives an optimizer its learning rates (docs/import.md).

    Raises MfError where PyTorch is not installed, ArgumentError for options that do not exist, StateError
    for a state or a width that does not fit, ResourceError if the memory does not suffice.
    """
    instance(network, Network, "a network", NETWORK)
    choice("precision", precision, PRECISIONS)
    torch = torch_package()
    system = system_of(network)
    if state is None:
        if width is None:
            raise ArgumentError("to_torch needs a width, or a state to start from (state=)")
        arrays = initial_state(system, width, whole_number("seed", seed, 0), dtype=precision)
    else:
        arrays = _arrays(system, state, width)
    from .torch_module import FiniteModule

    return FiniteModule(network, arrays, getattr(torch, precision))


def _arrays(
    system: ForwardSystem, state: Mapping[str, Any], width: int | Mapping[str, int] | None
) -> dict[str, Any]:
    """A state that was given, checked; a width beside it must be the state's."""
    if isinstance(state, State):
        state = arrays_on(state, system)
    arrays = checked_state(FiniteNetwork(system), state)
    found = {name: len(weights) for name, weights in arrays[WEIGHTS].items()}
    if width is not None and population_sizes(system, width) != found:
        raise StateError(
            f"the state has populations of sizes {found}, but the width is {width}. Leave the width out, or "
            "give the state's"
        )
    return arrays


register_torch_writer(to_torch)
