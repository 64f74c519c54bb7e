"""The signals of a network at given scales: its kernel equations, their values by depth, and what repeats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.arguments import number, optional
from ..algebra.showing import Shown, words
from ..errors import ArgumentError, MfError
from ..network.network import Network
from .by_depth import ByDepth, batch_by_depth, kernels_by_depth
from .fixed_points import fixed_points
from .kernel_code import kernel_module
from .kernel_system import SIGMA_B2, SIGMA_W2, KernelSystem
from .kernel_text import equations_latex, equations_text, remarks
from .network_map import network_map
from .position_modes import PositionModes, position_modes
from .reading import kernel_system
from .repeated_part import repeated_part
from .scales import ALL
from .signal_result import Signal

Array = Any


@dataclass(frozen=True, repr=False)
class NetworkSignal(Shown):
    """Kernel equations of a network with random weights, at given variances.

    ``kernels`` are the equations, ``scales`` the variances by name, ``repeated`` what is known of the
    repeated part (None where nothing repeats), ``input_shape`` the shape of one input.
    """

    title: str
    kernels: KernelSystem
    scales: Mapping[str, float]
    repeated: Signal | None
    input_shape: tuple[int, ...]

    # ------------------------------------------------------------------ the repeated part

    @property
    def q_star(self) -> Any:
        """The variance at rest of the repeated part, as in :class:`Signal`. Raises MfError where nothing
        repeats."""
        return self._repeated.q_star

    @property
    def c_star(self) -> Any:
        """The stable correlation of the repeated part. Raises MfError where nothing repeats."""
        return self._repeated.c_star

    @property
    def chi_1(self) -> float:
        """The growth of squared gradients per block. Raises MfError where nothing repeats."""
        return self._repeated.chi_1

    @property
    def xi_q(self) -> float:
        """Blocks in which a deviation of the variance falls by e. Raises MfError where nothing repeats."""
        return self._repeated.xi_q

    @property
    def xi_c(self) -> float:
        """Blocks in which a deviation of the correlation falls by e. Raises MfError where nothing repeats."""
        return self._repeated.xi_c

    @property
    def phase(self) -> str:
        """ordered, critical, chaotic or unbounded. Raises MfError where nothing repeats."""
        return self._repeated.phase

    @property
    def trainable_depth(self) -> float:
        """About six xi_c. Raises MfError where nothing repeats."""
        return self._repeated.trainable_depth

    @property
    def _repeated(self) -> Signal:
        if self.repeated is None:
            raise MfError(
                f"no part of '{self.title}' repeats, so that there are no fixed points: use .by_depth(x1, "
                f"x2), or write "
                "the layers as a group with 'repeat'"
            )
        return self.repeated

    @cached_property
    def modes(self) -> PositionModes:
        """Modes of deviations over positions, and by what a block multiplies each. Raises MfError where there
        are none."""
        part = repeated_part(self.kernels)
        if part is None:
            raise MfError(f"no part of '{self.title}' repeats, so that no fixed point is deviated from")
        return position_modes(self.kernels, part, self._repeated)

    # ------------------------------------------------------------------ by depth

    def by_depth(self, x1: Any, x2: Any = None, correlation: float | None = None) -> ByDepth:
        """Variances, covariances and gradients of all layers for two inputs.

        ``x1``, ``x2``: arrays of the shape of one input, or numbers |x|^2/d (then with ``correlation``, and
        of inputs without positions). Without ``x2`` both inputs are the same. Where a batch is
        normalised, ``x1`` is a number, or a batch of at least two inputs whose averages are taken, and the
        two inputs are any two of the batch. Raises ArgumentError for anything else.
        """
        if self.kernels.batch is not None:
            return batch_by_depth(self.kernels, self.scales, self.input_shape, x1, x2, correlation)
        given = kernels_by_depth(self.kernels, self.scales, self.input_shape, x1, x2, correlation)
        return given

    # ------------------------------------------------------------------ what it says

    @property
    def equations(self) -> str:
        """All kernel equations as text, with what they rest on."""
        return equations_text(self.kernels)

    @property
    def latex(self) -> str:
        """All kernel equations as LaTeX."""
        return equations_latex(self.kernels)

    @property
    def code(self) -> str:
        """All kernel equations as a Python module that needs numpy and scipy alone."""
        return kernel_module(self.kernels)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the equations rest on, what repeats and what its numbers mean."""
        return (*remarks(self.kernels), *(self.repeated.sentences if self.repeated else ()))

    @property
    def text(self) -> str:
        """Equations, and the numbers of the repeated part."""
        parts = [f"Signals of '{self.title}' at random weights", self.equations]
        if self.repeated is not None:
            parts.append(self.repeated.text)
            parts += [modes.text for modes in self._shown_modes()]
        return "\n\n".join(parts)

    def _shown_modes(self) -> list[PositionModes]:
        """The modes over positions, where there are any."""
        try:
            return [self.modes]
        except MfError:
            return []

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "title": self.title,
            "scales": dict(self.scales),
            "equations": self.equations,
            "repeated": None if self.repeated is None else self.repeated.data,
            "modes": next((modes.data for modes in self._shown_modes()), None),
            "sentences": list(self.sentences),
        }

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        scales = ", ".join(f"{name} = {value:g}" for name, value in self.scales.items())
        yield f"NetworkSignal of '{words(self.title)}' at {scales}"
        if self.repeated is None:
            yield "  no part repeats: .by_depth(x1, x2)"
        else:
            yield from (f"  {line}" for line in list(self.repeated._summary())[:3])
        yield f"  {len(self.kernels.computed)} kernels: .equations, .latex, .by_depth(x1, x2)"


def network_signal(
    network: Network, sigma_w2: float | None = None, sigma_b2: float | None = None
) -> NetworkSignal:
    """The signals of a resolved network; scales that are not given come from its table ``[signal]``.

    Raises ArgumentError where sigma_w2 is given nowhere, MfError where the kernels do not close.
    """
    system = kernel_system(network)
    scales = scales_of(network, system, sigma_w2, sigma_b2)
    depth_map = network_map(system)
    found = None
    if depth_map is not None:
        title = f"the repeated part of '{network.title}'"
        found = Signal(title, depth_map.names, scales, fixed_points(depth_map, scales))
    return NetworkSignal(network.title, system, scales, found, tuple(network.input_shape or ()))


def scales_of(
    network: Network, system: KernelSystem, sigma_w2: float | None, sigma_b2: float | None
) -> dict[str, float]:
    """The variances by name: as given, else as the table ``[signal]`` has them."""
    table = {key: dict(pairs) for key, pairs in network.signal}
    found: dict[str, float] = {}
    for symbol, given, default in ((SIGMA_W2, sigma_w2, None), (SIGMA_B2, sigma_b2, 0.0)):
        value = optional(number, symbol.name, given)
        if value is None:
            value = table.get(symbol.name, {}).get(ALL, default)
        if value is None:
            raise ArgumentError(
                f"{symbol.name} is not given: the laws of a spec are those of a mean-field limit, and say "
                f"nothing of "
                f"random weights of variance {symbol.name} / fan-in. Give {symbol.name}, or write it in a "
                f"table [signal]"
            )
        if value < 0:
            raise ArgumentError(f"{symbol.name} is {value:g}; a variance must not be negative")
        found[symbol.name] = float(np.float64(value))
    return {**found, **{symbol.name: value for symbol, value in system.own_scales}}
