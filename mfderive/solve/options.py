"""What a solution needs to know beside the network: arguments, then ``[solver]``, then defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..data.quadrature import DATA_RULES
from ..errors import MfError, nearest
from ..spec.network import Network

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

    Raises MfError for a method, precision or number that does not exist.
    """
    known = {field.name for field in fields(Options)}
    for name in given:
        if name not in known:
            raise MfError(f"solve has no option '{name}'. {nearest(name, known)}")
    values = {name: value for name, value in network.solver if name in known}
    values.update({name: value for name, value in given.items() if value is not None})
    options = Options(**values)
    choices: dict[str, tuple[str, ...]] = {
        "method": METHODS,
        "precision": PRECISIONS,
        "edges": ("draw", "mean"),
        "data": DATA_RULES,
    }
    for name, allowed in choices.items():
        chosen = getattr(options, name)
        if chosen not in allowed:
            raise MfError(f"{name} is '{chosen}'. {nearest(str(chosen), allowed)}")
    for name in ("step", "horizon", "tolerance"):
        number = getattr(options, name)
        if number is not None and not (np.isfinite(number) and number > 0):
            raise MfError(f"{name} is {number}; it must be a finite number greater than 0")
    if options.steps is not None and options.steps < 1:
        raise MfError(f"steps is {options.steps}; there must be at least 1")
    if options.evaluation < 1:
        raise MfError(f"evaluation is {options.evaluation}; there must be at least 1 sample")
    if options.data_nodes is not None and options.data == "batches":
        fixed = ", ".join(rule for rule in DATA_RULES if rule != "batches")
        raise MfError(
            f"data_nodes is {options.data_nodes}, but every step takes a batch of its own (batch_size in "
            f"[training]). Set data to one of {fixed}, or leave data_nodes out"
        )
    return options
