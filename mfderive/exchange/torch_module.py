"""A network of finite width as a ``torch.nn.Module``: the forward equations, interpreted over tensors.

This module imports torch; it is imported only where torch is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ..algebra.arguments import instance
from ..algebra.terms import AxisKind
from ..errors import StateError
from ..finite.dropout import Dropout
from ..finite.finite_network import FiniteNetwork
from ..finite.network_fields import system_of
from ..finite.rule_step import RuleStep
from ..finite.torch_arrays import torch_namespace
from ..network.network import Network
from ..state.draw import WEIGHTS
from .optimizer_groups import group_rates, parameter_groups

Array = Any


class Part(nn.Module):
    """Parameters under one word of their names.

    A spec may have both "h.weight.x" and "h.weight.x.g"; as an attribute the part goes before the parameter,
    which PyTorch reaches by the table.
    """

    def __getattr__(self, name: str) -> Any:
        """A part, or else what modules have."""
        parts = self.__dict__.get("_modules", {})
        return parts[name] if name in parts else super().__getattr__(name)


class FiniteModule(Part):
    """A network of finite width whose parameters have the names, the shapes and the values of a state.

    Made by :func:`mfderive.to_torch`. ``module(x)`` are the outputs yhat [sample, outputs] of inputs x
    [sample, inputs...] in the network's layout, as its own finite network computes them: sums over
    infinitely wide layers are divided by the width. ``named_parameters()`` and ``state_dict()`` have the
    names of the spec ("h2.weight"); parameters of rate 0 have ``requires_grad = False``. Dropout of the
    spec acts in training mode.
    """

    def __init__(self, network: Network, state: Mapping[str, Any], dtype: Any) -> None:
        """``state``: arrays by parameter name, checked; ``dtype`` of torch."""
        super().__init__()
        self.network = network
        self.finite = FiniteNetwork(system_of(network))
        self.dropout = Dropout(network, self.finite.system)
        for parameter in self.finite.system.parameters:
            values = torch.tensor(np.asarray(state[parameter.name]), dtype=dtype)
            self._enter(parameter.name, nn.Parameter(values, requires_grad=not parameter.is_frozen))
        self.widths = self._population_sizes()

    def _enter(self, name: str, parameter: nn.Parameter) -> None:
        """Register a parameter under a dotted name.

        The tables are written to directly: a layer may be called like a method of modules ("half").
        """
        owner: nn.Module = self
        word, dot, rest = name.partition(".")
        while dot:
            owner = owner._modules.setdefault(word, Part())
            word, dot, rest = rest.partition(".")
        owner._parameters[word] = parameter

    def _population_sizes(self) -> dict[str, int]:
        shapes = {name: tuple(values.shape) for name, values in self.named_parameters()}
        sizes = self.finite.sizes(shapes, 1)
        axes = self.finite.system.axes
        return {axis.name: sizes[axis.name] for axis in axes if axis.kind is AxisKind.POPULATION}

    # ------------------------------------------------------------------ what the network computes

    def forward(self, x: Any) -> Array:
        """The outputs yhat [sample, outputs]. Raises StateError for inputs of another shape."""
        return self._evaluated({"x": x}, "yhat")["yhat"]

    def fields(self, x: Any) -> dict[str, Array]:
        """Every field up to the outputs by name, [sample, neuron, positions...], and what it was computed of.

        Raises StateError for inputs of another shape.
        """
        return self._evaluated({"x": x}, "yhat")

    def loss(self, x: Any, y: Any) -> Array:
        """The mean over the batch of the spec's whole loss (losses on inner layers too), a scalar.

        ``y`` [sample, outputs], as the network's data source gives it. Raises StateError for shapes that do
        not fit. Source equation: forward equation ``loss``.
        """
        return self._evaluated({"x": x, "y": y}, None)["loss"].mean()

    def _evaluated(self, data: Mapping[str, Any], until: str | None) -> dict[str, Array]:
        parameters = dict(self.named_parameters())
        one = next(iter(parameters.values()))
        given = {name: self._data(name, values, one) for name, values in data.items()}
        counts = {name: len(values) for name, values in given.items()}
        if len(set(counts.values())) > 1:
            raise StateError(f"x has {counts['x']} samples, y has {counts['y']}")
        shapes = {name: tuple(values.shape) for name, values in parameters.items()}
        sizes = self.finite.sizes(shapes, counts["x"])
        masks = self._masks(sizes, one) if self.training else {}
        namespace = torch_namespace(one.device)
        return self.finite.evaluate({**parameters, **given}, sizes, namespace, until=until, masks=masks)

    def _data(self, name: str, values: Any, like: Array) -> Array:
        """x or y as a tensor like the parameters, in the network's shape."""
        system = self.finite.system
        expected = tuple(system.axis[axis].size for axis in system.field[name].axes[1:])
        tensor = values if isinstance(values, torch.Tensor) else torch.as_tensor(np.asarray(values))
        if (tensor.dtype, tensor.device) != (like.dtype, like.device):
            tensor = tensor.to(device=like.device, dtype=like.dtype)
        if tensor.ndim == 1 and all(size == 1 for size in expected):
            tensor = tensor.reshape((len(tensor), *expected))
        if tuple(tensor.shape[1:]) != expected or tensor.ndim != 1 + len(expected) or not len(tensor):
            raise StateError(f"{name} has shape {tuple(tensor.shape)}; expected [sample, {expected}]")
        return tensor

    def _masks(self, sizes: Mapping[str, int], like: Array) -> dict[str, Array]:
        """The masks of inverted dropout, drawn by PyTorch (theory B.8)."""
        found: dict[str, Array] = {}
        for layer, rate in self.dropout.rates.items():
            draws = torch.rand(self.dropout.shape(layer, sizes), dtype=like.dtype, device=like.device)
            mask = (draws >= rate).to(like.dtype) / (1.0 - rate)
            found |= dict.fromkeys(self.dropout.fields[layer], mask)
        return found

    # ------------------------------------------------------------------ what people train

    @property
    def state(self) -> dict[str, Any]:
        """The parameters as numpy arrays by name, and weights ``p``: a state of the finite network."""
        found: dict[str, Any] = {n: v.detach().cpu().numpy().copy() for n, v in self.named_parameters()}
        weights = {name: np.full(size, 1.0 / size) for name, size in self.widths.items()}
        return {**found, WEIGHTS: weights}

    def parameter_groups(
        self, learning_rate: float | None = None, rule: str | None = None, **constants: float
    ) -> list[dict[str, Any]]:
        """Groups for an optimizer of torch.optim, one for each trained parameter.

        Their learning rates, weight decays and constants carry the powers of the width that make the
        optimizer take this package's steps: ``torch.optim.SGD(module.parameter_groups(0.1))``.
        ``learning_rate`` None: the spec's; ``rule``: a row of the table of learning rules (None: the
        spec's), ``constants`` its constants in the units of the scaled gradient (eps, mu, ...).

        Raises ArgumentError for a rate or a constant that is none, and for a rule that follows no power.
        Source equation: docs/scalings.md, mean field: rate M^p, constants M^-q, M the product of widths.
        """
        return parameter_groups(
            self.network, self._rule(), dict(self.named_parameters()), learning_rate, rule, constants
        )

    def schedule(self, optimizer: Any) -> Any:
        """A ``LambdaLR`` with the spec's schedule and its rates in time; call its ``step`` after each step.

        ``optimizer`` was made of :meth:`parameter_groups`, whose learning rates are those of step 1. Raises
        ArgumentError for anything else.
        """
        instance(optimizer, torch.optim.Optimizer, "an optimizer made of module.parameter_groups()")
        rates = group_rates(self.network, self._rule(), optimizer.param_groups)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, rates)

    def _rule(self) -> RuleStep:
        return RuleStep(self.finite.system, {n: tuple(v.shape) for n, v in self.named_parameters()})

    def extra_repr(self) -> str:
        """The title and the widths, in ``repr``."""
        widths = ", ".join(f"{name} = {size}" for name, size in self.widths.items())
        return f"'{self.network.title}', {widths or 'no layer is wide'}"
