"""Finite networks between lazy and rich: trained by full gradients on the samples that the limit has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.system import ForwardSystem
from ..errors import MfError
from ..finite.simulate import simulate
from ..forward.equations import forward_system
from ..network.network import Network
from ..samples.loading import load
from ..state.draw import initial_state

Array = Any
# The step of gradient descent times the fastest rate of the linear dynamics.
_STEP = 0.05
_MOST_STEPS = 50_000
_CHECKPOINTS = 65


def on_samples(network: Network, x: Array, y: Array) -> Network:
    """The network with samples x [N, ...], y [N, outputs] as its data, read all at once in every step."""
    shape = {"shape": list(x.shape[1:])} if x.ndim > 2 else {}
    training = {**network.document["training"], "batch_size": "all", "schedule": "1"}
    changed = {**network.document, "data": {"kind": "arrays", **shape}, "training": training}
    return load(changed, data=(x, y))


def paired(system: ForwardSystem, state: Mapping[str, Any], weights: Sequence[str]) -> dict[str, Any]:
    """A state with every neuron that the output reads twice, the second time with the opposite output
    weight."""
    read = {axis for name in weights for axis in system.population_slots(name)}
    found: dict[str, Any] = {"p": {name: np.asarray(p) for name, p in state["p"].items()}}
    for variable in system.variables:
        value = np.asarray(state[variable.name])
        sign = -1.0 if variable.name in weights else 1.0
        for place, axis in enumerate(variable.axes):
            if axis in read:
                value, sign = np.concatenate([value, sign * value], axis=place), 1.0
        found[variable.name] = value
    for axis in read:
        found["p"][axis] = np.concatenate([found["p"][axis]] * 2) / 2.0
    return found


def trained_losses(
    divided: Network, gamma: float, weights: Sequence[str], times: Array, rate: float, width: int, seeds: int
) -> Array:
    """Training losses [seed, T] of networks of ``width`` whose output is divided by gamma.

    ``times`` [T] count gamma² of training time for 1, ``rate`` is the fastest of the linear dynamics in them.
    Networks start in pairs of neurons of opposite output weights. Raises MfError where it takes too many
    steps.
    """
    steps = int(np.ceil(times[-1] * rate / _STEP))
    if steps > _MOST_STEPS:
        raise MfError(
            f"finite networks would take {steps} steps of gradient descent until t = {times[-1]:g}, and at "
            "most "
            f"{_MOST_STEPS} are made: the fastest direction decays at {rate:.3g}. Give shorter times, or "
            "no width"
        )
    alpha = float(times[-1]) / steps * gamma**2
    network = replace(divided, training=replace(divided.training, learning_rate=alpha))
    system = forward_system(network)
    samples = len(network.given[0])
    half = max(width // 2, 1)
    losses = []
    for seed in range(seeds):
        start = paired(system, initial_state(system, half, seed), weights)
        (path,) = simulate(
            network,
            None,
            [seed],
            steps=steps,
            precision="float64",
            initial=start,
            evaluation=samples,
            checkpoints=_CHECKPOINTS,
        )
        losses.append(np.interp(times * gamma**2, path.times, path.loss))
    return np.array(losses)
