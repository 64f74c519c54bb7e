"""Which method can follow which learning rule on which data, and what its steps average over."""

from __future__ import annotations

from dataclasses import replace

from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem
from ..algebra.terms import Role
from ..algebra.update_rules import ALPHA, GRADIENT, THETA, XI
from ..analysis.bends import has_kinks
from ..errors import ArgumentError
from ..network.network import Network
from ..network.solve_options import ADAPTIVE, ATOL_OF_RTOL, DATA_RULES, KINKED_RTOL, SolveOptions
from ..samples.quadrature import default_rule
from .feed import integrated_source

# The embedded pairs of "flow" by the smallest relative tolerance at which each is taken, where all functions
# are smooth: a pair of high order pays when steps are short for accuracy, not for stability.
_PAIRS = ((1e-4, "RK23"), (1e-8, "RK45"), (0.0, "DOP853"))
# What "stiff" is integrated with (mfderive.solution.chebyshev).
STABILISED = "RKC"
# What leads along SGD's steps, many at a time (mfderive.solution.strides).
MULTIREVOLUTION = "multirevolution"
# The velocity is known to about 1e-6 of itself in float32, to 1e-15 in float64; below these tolerances, steps
# would follow its rounding.
_LEAST_RTOL = {"float32": 1e-5, "float64": 1e-13}

_FIXED = f"one of {', '.join(rule for rule in DATA_RULES if rule != 'batches')}"


def integrates(network: Network, options: SolveOptions) -> bool:
    """Whether steps integrate a law of the data whose symmetries the solution is to make use of."""
    if not options.symmetry or network.source.rows is not None:
        return False
    if options.data is None:
        return options.method in ADAPTIVE
    return options.data in ("sobol", "quadrature")


def settle(network: Network, options: SolveOptions, reduced: Reduced) -> SolveOptions:
    """The options with what a method chooses for itself where nothing is said: samples and tolerances.

    Raises ArgumentError where a method cannot follow the learning rule or the data, and says what can.
    """
    averaged = options.data not in (None, "batches")
    whole = averaged or network.training.batch_size == "all"
    adaptive = options.method in ADAPTIVE
    if options.method != "euler":
        _check_rule(reduced.system, options.method, "" if whole else _fixed(network), adaptive)
    if not adaptive:
        return replace(options, data=options.data or "batches")
    if options.data == "batches" and not whole:
        raise ArgumentError(
            f"method {options.method} averages over the law of the data, but data is batches, so that every "
            f"step would see other samples. Leave data out, set it to "
            f"{_fixed(network)}, or take the method euler"
        )
    usual = KINKED_RTOL if has_kinks(reduced.system) else ADAPTIVE[options.method]
    rtol = options.rtol or usual
    least = _LEAST_RTOL[options.precision]
    if rtol < least:
        other = "precision float64, or " if options.precision == "float32" else ""
        raise ArgumentError(
            f"rtol is {rtol:g}, but velocities in {options.precision} are rounded too coarsely for less than "
            f"{least:g}. Take {other}a larger rtol"
        )
    everything = network.training.batch_size == "all"
    data = options.data or ("batches" if everything else _default_rule(network, reduced))
    return replace(options, data=data, rtol=rtol, atol=options.atol or ATOL_OF_RTOL * rtol)


def _default_rule(network: Network, reduced: Reduced) -> str:
    return default_rule(integrated_source(network, reduced))


def _fixed(network: Network) -> str:
    """The values of ``data`` with which every step sees the same samples, in words."""
    return "sample" if network.source.rows is not None else _FIXED


def _check_rule(system: LimitSystem, method: str, fixed: str, adaptive: bool) -> None:
    """Raise ArgumentError where the learning rule has no flow that the method could follow.

    ``fixed``: values of ``data`` with which every step would see the same samples; "" where it does.
    """
    learning = system.learning
    name = f"the learning rule {learning.rule}"
    steps = "take the method euler, which makes its steps"
    if method == "strides" and not steps_are_euler(system):
        raise ArgumentError(
            f"method strides is made for steps that are a rate times a velocity, and those of {name} are "
            f"not; {steps}"
        )
    if learning.row.flow is None:
        raise ArgumentError(f"{name} has no known flow for method {method} to follow; {steps}")
    if any(field.role is Role.DRAW for field in system.fields):
        raise ArgumentError(
            f"noise in [training] makes the limit a diffusion, and method {method} follows what has none; "
            "take the method euler (its steps are those of Euler and Maruyama), or leave noise out"
        )
    full = f"Set data to {fixed}, or {steps}"
    if learning.row.flow_needs_all and fixed:
        raise ArgumentError(
            f"the flow of {name} is known for full batches only, and every step sees a batch of its own. "
            f"{full}"
        )
    if adaptive and learning.clip is not None and fixed:
        raise ArgumentError(
            "clip bounds the gradient of each batch, which is not the clipped mean over the law of the data "
            f"that method {method} follows. {full}"
        )
    if method == "stiff" and memories_moved(system):
        raise ArgumentError(
            f"method stiff is made for flows that fall, and that of {name} swings (its memory moves in "
            "time); take the method flow"
        )


def memories_moved(system: LimitSystem) -> bool:
    """Whether the flow of the learning rule moves memories of its own beside the parameters."""
    return any(name != str(THETA) for name, _ in system.learning.row.flow or ())


def steps_are_euler(system: LimitSystem) -> bool:
    """Whether a step of the learning rule is Euler's step of its own flow."""
    return system.learning.program == ((str(THETA), THETA - ALPHA * XI * GRADIENT),)


def integrator_of(system: LimitSystem, options: SolveOptions) -> str:
    """What integrates a flow, or SGD's steps: for "flow" a pair, of low order where values have kinks.

    Every kink that a step crosses costs an error of second order in it, whatever the order of the pair.
    """
    made_for = {"stiff": STABILISED, "strides": MULTIREVOLUTION}
    if options.method in made_for:
        return made_for[options.method]
    if has_kinks(system):
        return _PAIRS[0][1]
    return next(name for least, name in _PAIRS if (options.rtol or 0.0) >= least)
