"""The options of a solution, each stated once: default, meaning, allowed values.

Python (:func:`mfderive.solve`), the command line, the table ``[solver]`` of a spec and its JSON Schema all
read them here. A new option is a new field of :class:`SolveOptions`; what carries it out stands in
:mod:`mfderive.solution`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from ..algebra import arguments
from ..algebra.showing import Shown
from ..errors import ArgumentError, nearest_word, quoted
from .values import COUNT, FLAG, POSITIVE, WHOLE, ValueType, by_name, one_of

METHODS = ("euler", "strides", "rk4", "flow", "stiff")
# Methods that choose their own steps, and what each step may be wrong by where nothing else is said: relative
# to the size of each parameter. A step of "stiff" is long, and its error estimate is cautious.
ADAPTIVE = {"flow": 1e-4, "stiff": 1e-3, "strides": 1e-4}
# That of every such method where functions have kinks: below it, steps are as short as kinks make them, and
# what nodes and samples leave is larger than what is gained.
KINKED_RTOL = 1e-3
# The absolute tolerance beside a relative one, as a part of it, where nothing else is said.
ATOL_OF_RTOL = 0.1
PRECISIONS = ("float64", "float32")
# How nodes are chosen; mfderive.state.ensembles carries the rules out.
RULES = ("gauss", "sobol", "monte-carlo")
# What a step averages over: fresh batches, or the same nodes at every step (mfderive.samples.quadrature).
DATA_RULES = ("batches", "sample", "sobol", "quadrature")
# Nodes of every population where nothing else is said: enough that the sampling error of the limit,
# of order 1/sqrt(nodes), is below that of the networks that it is usually held against.
DEFAULT_WIDTHS = 1000
# Options of which at most one may be given, because both say when to stop.
ENDS = ("horizon", "steps")
# Options that end a solution where something has happened, before these.
EVENTS = ("until_loss", "until_speed")


@dataclass(frozen=True)
class Allowed:
    """What a value may be: as a value in a spec, from a caller in Python, as a word of the command line.

    ``check(name, value)`` returns a caller's value as a plain Python object or raises ArgumentError;
    ``read`` turns a word into a value that ``type`` then judges (ValueError: it cannot). ``names``: all
    allowed values, where they are a few words.
    """

    type: ValueType
    check: Callable[[str, Any], Any]
    read: Callable[[str], Any] = str
    names: tuple[str, ...] = ()


def _names(*names: str) -> Allowed:
    return Allowed(one_of(*names), partial(_chosen, names), str, names)


def _chosen(names: tuple[str, ...], name: str, value: Any) -> str:
    return arguments.choice(name, value, names)


_COUNT = Allowed(COUNT, arguments.whole_number, int)
_WHOLE = Allowed(WHOLE, partial(arguments.whole_number, least=0), int)
_POSITIVE = Allowed(POSITIVE, arguments.positive_number, float)
_FLAG = Allowed(FLAG, arguments.flag)


@dataclass(frozen=True)
class Option:
    """One option. ``help`` is a sentence without its full stop; a default that is not None is added to it.

    ``by_name``: the value may be given for each population by its name. ``flag``: whether the command line
    has it, as ``--NAME`` (``--no-NAME`` where the default is True); ``metavar`` is its value in the help.
    """

    name: str
    default: Any
    help: str
    allowed: Allowed
    by_name: bool = False
    flag: bool = True
    metavar: str = ""

    @property
    def type(self) -> ValueType:
        """What stands at its key in a spec."""
        return by_name(self.allowed.type) if self.by_name else self.allowed.type

    @property
    def meaning(self) -> str:
        """Its help with its default."""
        if self.default is None:
            return self.help
        shown = str(self.default).lower() if isinstance(self.default, bool) else str(self.default)
        return f"{self.help}; default {shown}"

    @property
    def flag_name(self) -> str:
        """Its name on the command line, for instance ``--data-nodes`` or ``--no-reduce``."""
        return ("--no-" if self.default is True else "--") + self.name.replace("_", "-")

    def checked(self, value: Any) -> Any:
        """A caller's value as a plain Python object. Raises ArgumentError for one that it cannot have."""
        if self.by_name:
            return arguments.by_name(self.allowed.check, self.name, value)
        return self.allowed.check(self.name, value)


def _says(allowed: Allowed, help: str, **more: Any) -> Mapping[str, Any]:
    """What is stated about a field: the arguments of its :class:`Option`, but name and default."""
    return {"allowed": allowed, "help": help, **more}


@dataclass(frozen=True, repr=False)
class SolveOptions(Shown):
    """All options of one solution of a limit; ``mfderive.solve(network, SolveOptions(nodes=64))``.

    The same names are keyword arguments of :func:`mfderive.solve`, keys of ``[solver]`` in a spec and, with
    dashes, flags of ``mfderive solve`` and ``mfderive run``. Raises ArgumentError for an option that does not
    exist, for a value that it cannot have, and where both ``horizon`` and ``steps`` are given.
    """

    horizon: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "time t at which to stop (t is the sum of the learning rates); default that of the training",
            metavar="T",
        ),
    )
    steps: int | None = field(
        default=None,
        metadata=_says(
            _COUNT, "number of steps after which to stop; default that of the training", metavar="K"
        ),
    )
    nodes: int | dict[str, int] | None = field(
        default=None,
        metadata=_says(
            _COUNT,
            "nodes of every population of the reduced system, one number for all or by name (also for the "
            "noise of a weight, 'noise h2.weight'); default chosen from its labels",
            by_name=True,
            metavar="N|NAME=N[,NAME=N...]",
        ),
    )
    rule: str | dict[str, str] | None = field(
        default=None,
        metadata=_says(
            _names(*RULES),
            f"how these nodes are chosen, for all or by name: {', '.join(RULES)}; default by the labels of "
            "each population",
            by_name=True,
            metavar="RULE|NAME=RULE[,...]",
        ),
    )
    method: str = field(
        default="euler",
        metadata=_says(
            _names(*METHODS),
            "time stepping: euler follows SGD step by step, strides many steps of it at a time on the same "
            "samples, rk4 the flow in equal steps, flow in steps that an estimate of their error chooses, "
            "stiff in long steps of many stages, for late phases",
        ),
    )
    step: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE, "time step of rk4; default ten SGD steps at the mean learning rate", metavar="H"
        ),
    )
    rtol: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "error of a step of flow, stiff or strides, relative to the root mean square of each parameter; "
            "default "
            + ", ".join(f"{value:g} for {name}" for name, value in ADAPTIVE.items())
            + f", {KINKED_RTOL:g} where functions have kinks",
            metavar="E",
        ),
    )
    atol: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "absolute part of that error, for parameters near 0; default a tenth of rtol",
            metavar="E",
        ),
    )
    until_loss: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "flow, stiff and strides end when the loss has fallen to this; default never",
            metavar="L",
        ),
    )
    until_speed: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "flow, stiff and strides end when the velocity has fallen to this, all parameters together in "
            "L2(P); default never",
            metavar="V",
        ),
    )
    tolerance: float | None = field(
        default=None,
        metadata=_says(
            _POSITIVE,
            "choose nodes and time step by self-refinement so that the loss curve is within this of the "
            "limit's, and say what was reached",
            metavar="E",
        ),
    )
    data: str | None = field(
        default=None,
        metadata=_says(
            _names(*DATA_RULES),
            "what a step averages over: a batch of its own, or the same samples at every step: the data "
            "set or fixed draws (sample), scrambled Sobol points, Gauss nodes; default batches for euler and "
            "rk4, else the data set, Gauss nodes or Sobol points, the first that there is",
        ),
    )
    data_nodes: int | None = field(
        default=None,
        metadata=_says(_COUNT, "number of these samples; default chosen by the rule", metavar="N"),
    )
    reduce: bool = field(
        default=True,
        metadata=_says(
            _FLAG, "whether to solve the exact reduction; false (--no-reduce) solves the full ensemble"
        ),
    )
    symmetry: bool = field(
        default=True,
        metadata=_says(
            _FLAG,
            "whether steps that integrate the law of the data make use of its symmetries; false "
            "(--no-symmetry) leaves x as it is",
        ),
    )
    # No flag: --widths are those of finite networks; --nodes beside --no-reduce are these.
    widths: int | dict[str, int] = field(
        default=DEFAULT_WIDTHS,
        metadata=_says(
            _COUNT,
            "nodes of every population of the full ensemble (times its relative width), for all or by name",
            by_name=True,
            flag=False,
        ),
    )
    edges: str = field(
        default="draw",
        metadata=_says(
            _names("draw", "mean"),
            "how the weights between populations of the full ensemble start: drawn, or at their mean",
        ),
    )
    seed: int = field(
        default=0,
        metadata=_says(
            _WHOLE,
            "seed of the initial values (of the first network, where several are trained)",
            metavar="S",
        ),
    )
    precision: str = field(
        default="float64", metadata=_says(_names(*PRECISIONS), "precision of the arithmetic")
    )
    evaluation: int = field(
        default=2000, metadata=_says(_COUNT, "samples on which loss and error are measured", metavar="N")
    )
    observations: int = field(
        default=80,
        metadata=_says(
            _COUNT,
            "times at which loss and error are measured, evenly spaced in log(t), start and end among them",
            metavar="N",
        ),
    )
    checkpoints: int = field(
        default=9,
        metadata=_says(_COUNT, "how many of these times keep a state, start and end among them", metavar="N"),
    )
    stated_error: bool = field(
        default=True,
        metadata=_says(
            _FLAG,
            "whether to say how far the loss curve may be off, which takes a coarser solution beside the "
            "one that is asked for; false (--no-stated-error) says nothing of it",
        ),
    )

    def __new__(cls, *values: Any, **named: Any) -> SolveOptions:
        """Names first, so that an unknown one is answered with the nearest."""
        for name in named:
            if name not in OPTIONS:
                raise ArgumentError(f"there is no option {quoted(name)}. {nearest_word(name, OPTIONS)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for option in OPTIONS.values():
            value = getattr(self, option.name)
            if value is not None or option.default is not None:
                object.__setattr__(self, option.name, option.checked(value))
        arguments.exclusive(**{name: getattr(self, name) for name in ENDS})

    def __hash__(self) -> int:
        """Of all options; nodes by name count in any order, as they do for equality."""
        return hash(tuple(_hashable(getattr(self, name)) for name in OPTIONS))

    @property
    def dtype(self) -> Any:
        """The numpy type of the arithmetic."""
        import numpy as np

        return np.dtype(self.precision)


def _hashable(value: Any) -> Any:
    return frozenset(value.items()) if isinstance(value, dict) else value


OPTIONS: Mapping[str, Option] = {
    entry.name: Option(entry.name, entry.default, **entry.metadata) for entry in fields(SolveOptions)
}
# What an editor or a notebook shows: the fields, not the arguments of __new__.
_own, *_arguments = inspect.signature(SolveOptions.__init__).parameters.values()
type.__setattr__(SolveOptions, "__signature__", inspect.Signature(_arguments))
