"""What a solution needs to know beside the network: arguments, then ``[solver]``, then defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..algebra.arguments import (
    NETWORK,
    by_name,
    choice,
    exclusive,
    flag,
    instance,
    positive_number,
    whole_number,
)
from ..errors import ArgumentError, MfError, SpecError, nearest
from ..network.network import Network
from ..network.tables import BY_AXIS, RULES
from ..samples.quadrature import DATA_RULES

# Nodes of every population where nothing else is said: enough that the sampling error of the limit,
# of order 1/sqrt(nodes), is below that of the networks that it is usually held against.
DEFAULT_WIDTHS = 1000
DEFAULT_EVALUATION = 2000
METHODS = ("euler", "rk4")
PRECISIONS = ("float64", "float32")


@dataclass(frozen=True)
class Options:
    """Resolved options of one solution.

    ``reduce``: solve the exact reduction, on ``nodes`` nodes by ``rule`` (None: chosen from the labels);
    ``widths``: nodes of every population of the full system (times its relative width); ``step``: the time
    step of rk4 (None: ten SGD steps at the first learning rate); ``horizon``: time t at which to stop (None:
    after ``steps``); ``evaluation``: samples on which loss and error are measured.
    """

    widths: int | dict[str, int] = DEFAULT_WIDTHS
    seed: int = 0
    method: str = "euler"
    step: float | None = None
    precision: str = "float64"
    edges: str = "draw"
    evaluation: int = DEFAULT_EVALUATION
    horizon: float | None = None
    steps: int | None = None
    reduce: bool = True
    nodes: int | dict[str, int] | None = None
    rule: str | dict[str, str] | None = None
    data: str = "batches"
    data_nodes: int | None = None
    tolerance: float | None = None

    @property
    def dtype(self) -> Any:
        """The numpy type of the arithmetic."""
        return np.dtype(self.precision)


def resolve_options(network: Network, **given: Any) -> Options:
    """Options from arguments (None: not given), else from ``[solver]``, else defaults.

    ``horizon`` given replaces the spec's steps, and the other way round; ``nodes`` given are those of the
    full ensemble where the limit is not reduced. Raises ArgumentError for an option, method, precision or
    number that does not exist, and for one that would have no effect.
    """
    instance(network, Network, "a network", NETWORK)
    known = {field.name for field in fields(Options)}
    for name in given:
        if name not in known:
            raise MfError(f"solve has no option '{name}'. {nearest(name, known)}")
    chosen = {name: _checked(name, value) for name, value in given.items() if value is not None}
    exclusive(**{name: chosen.get(name) for name in _ENDS})
    # Frozen as it is in a network, a table by name is a tuple of pairs.
    stated = {
        name: dict(value) if name in BY_AXIS and isinstance(value, tuple) else value
        for name, value in network.solver
        if name in known
    }
    if set(_ENDS) <= set(stated):
        raise SpecError(
            "horizon and steps both say when to stop",
            file=network.file,
            table="solver",
            key="horizon",
            remedy="Leave one of them out",
        )
    if any(name in chosen for name in _ENDS):
        stated = {name: value for name, value in stated.items() if name not in _ENDS}
    checked = {name: _checked(name, value) for name, value in stated.items()}
    options = Options(**{**checked, **chosen})
    _check_use(options, chosen)
    if not options.reduce and "nodes" in chosen:
        options = replace(options, widths=chosen["nodes"])
    return options


_ENDS = ("horizon", "steps")
_CHOICES: dict[str, tuple[str, ...]] = {
    "method": METHODS,
    "precision": PRECISIONS,
    "edges": ("draw", "mean"),
    "data": DATA_RULES,
}


def _checked(name: str, value: Any) -> Any:
    """An option's value if it is one that the option can have."""
    if name in _CHOICES:
        return choice(name, value, _CHOICES[name])
    if name in ("step", "horizon", "tolerance"):
        return positive_number(name, value)
    if name == "reduce":
        return flag(name, value)
    if name == "rule":
        return by_name(choice, name, value, RULES)
    if name in ("widths", "nodes"):
        return by_name(whole_number, name, value)
    return whole_number(name, value, 0 if name == "seed" else 1)


def _check_use(options: Options, chosen: Mapping[str, Any]) -> None:
    """Raise ArgumentError for what a caller gave and nothing would read."""
    full = "the full ensemble (reduce=False)"
    if options.reduce and "widths" in chosen:
        raise ArgumentError(
            f"widths are the nodes of {full}, but this limit is reduced before it is solved. Give nodes, the "
            "nodes of the reduced system's ensembles, or reduce=False"
        )
    if options.reduce and "edges" in chosen:
        raise ArgumentError(
            f"edges says how the weights of {full} start, but this limit is reduced before it is solved. "
            "Leave edges out, or give reduce=False"
        )
    if not options.reduce:
        exclusive(nodes=chosen.get("nodes"), widths=chosen.get("widths"))
        if "rule" in chosen:
            raise ArgumentError(
                f"rule chooses the nodes of the reduced system, but {full} is drawn from the laws. Leave one "
                "of them out"
            )
    if options.method == "euler" and "step" in chosen:
        raise ArgumentError(
            f"step is {options.step}, but euler makes the steps of SGD (learning_rate in [training]). Leave "
            "step out, or take the method rk4"
        )
    if options.data_nodes is not None and options.data == "batches":
        fixed = ", ".join(rule for rule in DATA_RULES if rule != "batches")
        raise ArgumentError(
            f"data_nodes is {options.data_nodes}, but every step takes a batch of its own (batch_size in "
            f"[training]). Set data to one of {fixed}, or leave data_nodes out"
        )
