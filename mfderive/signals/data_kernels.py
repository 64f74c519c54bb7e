"""Kernels of a network over data: the covariance of its Gaussian process and the neural tangent kernel, in
blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import number, real_array
from ..algebra.memory import check_memory
from ..algebra.showing import Shown, words
from ..errors import ArgumentError, MfError
from ..network.network import Network
from .gaussian_process import Prediction, check_prediction_memory, predicted
from .given_inputs import paired_values
from .kernel_system import KernelSystem, Part
from .kernel_values import KernelValues
from .lazy_training import LazyTraining, check_lazy_memory, check_times, lazily_trained
from .network_signal import scales_of
from .reading import kernel_system

Array = Any
_DOUBLE = 8
# Bytes of the arrays of one block of pairs.
_BLOCK = 2**26


@dataclass(frozen=True, repr=False)
class DataKernels(Shown):
    """The kernels of a network at infinite width and random weights, for any inputs.

    ``system`` are its kernel equations, ``scales`` the variances by name. Kernels are those of one output:
    outputs are independent and alike.
    """

    title: str
    system: KernelSystem
    scales: Mapping[str, float]
    input_shape: tuple[int, ...]
    network: Network

    def covariance(self, x: Any, other: Any = None) -> Array:
        """The covariance of the output at inputs x [N, ...] and ``other`` [M, ...] (left out: x itself), [N,
        M].

        Raises ArgumentError for other shapes, ResourceError where memory does not hold the result.
        """
        return self._over(x, other, (self._covariance,))[0]

    def tangent(self, x: Any, other: Any = None) -> Array:
        """The neural tangent kernel [N, M]: the sum over parameters of products of two gradients of one
        output.

        Raises as :meth:`covariance`, and MfError where gradients could not be derived.
        """
        self._refuse_missing_gradients()
        return self._over(x, other, (self._tangent,))[0]

    def predict(self, x_train: Any, y_train: Any, x: Any, noise: float = 0.0) -> Prediction:
        """Outputs at x [M, ...] of networks at random weights, given noisy outputs at x_train [N, ...].

        ``y_train`` [N, outputs] ([N] of one output); ``noise``: the variance of the noise of one target, and
        nothing else is added to the kernel. Takes N² + N M pairs of inputs and N³/3 operations. Raises as
        :meth:`covariance`, and MfError where no noise is given and the kernel is singular.
        """
        size = number("noise", noise)
        if size < 0:
            raise ArgumentError(f"noise is {size:g}; it is a variance, and must be 0 or more")
        train, targets, new = self._samples(x_train, y_train, x)
        check_prediction_memory(len(train), len(new), targets.shape[1])
        cross, variance = self.covariance(new, train), self._variance(new)
        return predicted(self.covariance(train), targets, cross, variance, size)

    def lazy(self, x_train: Any, y_train: Any, x: Any, times: Any) -> LazyTraining:
        """Outputs at x [M, ...] while all parameters are trained at infinite width: the lazy limit.

        Gradient flow on the mean over the samples x_train [N, ...], y_train [N, outputs] ([N] of one output)
        of the sum over outputs of (f - y)², without 1/2, as the spec's squared loss. ``times`` [T] are sums
        of learning rates of gradient descent on the normal numbers ω behind weights and biases, W = √(σ_w²/
        fan-in) ω; the residual decays at 2/N times the eigenvalues of the tangent kernel. Rates, rules and
        batches of [training] are not read. Means and variances are over initial networks. Takes N² + N M
        pairs of inputs and about 10 N³ operations. Raises as :meth:`tangent`, and MfError for another loss
        and for dropout.
        """
        self._refuse_other_training()
        train, targets, new = self._samples(x_train, y_train, x)
        when = check_times(times)
        self._refuse_missing_gradients()
        check_lazy_memory(len(train), len(new), targets.shape[1], len(when))
        both = (self._tangent, self._covariance)
        (tangent, covariance), (crossed_tangent, crossed) = (
            self._over(train, None, both),
            self._over(new, train, both),
        )
        known = covariance, crossed, self._variance(new)
        return lazily_trained((tangent, crossed_tangent), known, targets, when)

    def _refuse_missing_gradients(self) -> None:
        """Raise MfError where gradients could not be derived."""
        if self.system.missing:
            raise MfError(f"the tangent kernel is not derived: {self.system.missing[0].reason}")

    def _refuse_other_training(self) -> None:
        """Raise MfError where training is no linear flow, or none on the kernels of whole networks."""
        kind = self.network.loss.kind
        if kind != "squared" or self.network.losses:
            found = f"the loss {kind!r}" if kind != "squared" else "losses on inner layers ([[losses]])"
            raise MfError(
                "lazy training is solved for the squared loss of the output, whose flow is linear; this "
                f'spec has {found}. Change it: net.replace({{"loss.kind": "squared"}}), or use .tangent(x)'
            )
        dropped = [name for name, rate in self.network.training.dropout if rate]
        if dropped:
            raise MfError(
                f"lazy training with dropout (layers {', '.join(dropped)}) is no flow of one kernel: every "
                "step has masks of its own. Leave dropout out of [training]"
            )

    def _samples(self, x_train: Any, y_train: Any, x: Any) -> tuple[Array, Array, Array]:
        """Training inputs [N, ...], targets [N, outputs] and other inputs [M, ...]. Raises ArgumentError."""
        train, new = self._inputs("x_train", x_train), self._inputs("x", x)
        targets, outputs = real_array("y_train", y_train), self.network.outputs or 1
        if targets.shape == (len(train),) and outputs == 1:
            targets = targets[:, None]
        if targets.shape != (len(train), outputs):
            raise ArgumentError(
                f"y_train has the shape {targets.shape}; it must be [{len(train)}, {outputs}]: a row for "
                "each training input, a column for each output"
            )
        return train, targets, new

    def _variance(self, x: Array) -> Array:
        """The variance of the output at each input [M]."""
        step = self._pairs_at_once
        blocks = (x[start : start + step] for start in range(0, len(x), step))
        return np.concatenate([self._pairs(some, some, (self._covariance,), (1, 1))[0] for some in blocks])

    def _covariance(self, values: KernelValues, replicas: tuple[int, int]) -> Array:
        # Every output has the same kernel: the first stands for all.
        return values(self.system.output, replicas)[..., 0, 0]

    def _tangent(self, values: KernelValues, replicas: tuple[int, int]) -> Array:
        parts = (values(kernel.name, replicas) for kernel in self.system.of_part(Part.PARAMETERS))
        return sum(parts, np.zeros(values.shape))

    def _over(self, x: Any, other: Any, kernels: tuple[Any, ...]) -> Array:
        """Kernels at all pairs, [kernel, N, M]; of the pairs of one set those above the diagonal give the
        rest."""
        one = self._inputs("x", x)
        two = one if other is None else self._inputs("other", other)
        remedy = "Use fewer inputs, or ask for blocks of rows"
        size = len(kernels) * len(one) * len(two) * _DOUBLE
        check_memory(size, f"a kernel of {len(one)} by {len(two)} inputs", remedy)
        result = np.empty((len(kernels), len(one), len(two)))
        if other is None:
            same = np.arange(len(one))
            result[:, same, same] = self._pairs(one, one, kernels, (1, 1))
            rows, columns = np.triu_indices(len(one), 1)
        else:
            rows, columns = (index.ravel() for index in np.indices(result.shape[1:]))
        step = self._pairs_at_once
        for start in range(0, len(rows), step):
            i, j = rows[start : start + step], columns[start : start + step]
            result[:, i, j] = self._pairs(one[i], two[j], kernels, (1, 2))
            if other is None:
                result[:, j, i] = result[:, i, j]
        return result

    @property
    def _pairs_at_once(self) -> int:
        return max(1, _BLOCK // (_DOUBLE * self._entries))

    @property
    def _entries(self) -> int:
        """Numbers that one pair of inputs needs."""
        counts = [int(np.prod([self.system.axis[a].size or 1 for a in k.axes])) for k in self.system.kernels]
        return 4 * sum(counts)

    def _pairs(self, one: Array, two: Array, kernels: tuple[Any, ...], replicas: tuple[int, int]) -> Array:
        """Kernels at pairs, [kernel, pair]; what several of them read is computed once."""
        shape = (len(one),)
        scales = {s: np.full(shape, self.scales[s.name]) for s in self.system.scales}
        values = KernelValues(self.system, scales, shape, paired_values(self.system, one, two))
        return np.stack([kernel(values, replicas) for kernel in kernels])

    def _inputs(self, name: str, x: Any) -> Array:
        values = real_array(name, x)
        size = int(np.prod(self.input_shape))
        if values.shape[1:] not in (self.input_shape, (size,)) or not len(values):
            wanted = ", ".join(map(str, self.input_shape))
            raise ArgumentError(f"{name} has the shape {values.shape}; it must be [samples, {wanted}]")
        return values.reshape(len(values), *self.input_shape)

    def _summary(self) -> Iterator[str]:
        scales = ", ".join(f"{name} = {value:g}" for name, value in self.scales.items())
        yield f"DataKernels of '{words(self.title)}' at {scales}"
        yield "  .covariance(x) of the Gaussian process, .tangent(x), both [N, N]; (x, other): [N, M]"
        yield "  .predict(x_train, y_train, x, noise), .lazy(x_train, y_train, x, times)"


def kernels(network: Network, sigma_w2: float | None = None, sigma_b2: float | None = None) -> DataKernels:
    """The kernels of a resolved network over data; scales that are not given come from its table
    ``[signal]``.

    Raises ArgumentError where sigma_w2 is given nowhere, MfError where the kernels do not close.
    """
    system = kernel_system(network)
    if system.batch is not None:
        raise MfError(
            f"'{network.title}' takes means over a batch, so that its output at one input depends on all "
            "inputs of "
            "the batch, and no kernel of two inputs is that of the network. Its kernels by depth: "
            "mfderive.signal(net)"
        )
    scales = scales_of(network, system, sigma_w2, sigma_b2)
    return DataKernels(network.title, system, scales, tuple(network.input_shape or ()), network)
