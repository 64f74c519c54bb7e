"""mfderive: derive, solve and verify the mean-field limit of neural networks.

    import mfderive as mf
    net = mf.load("specs/three_layer.toml")     # a network
    limit = mf.derive(net)                        # its mean-field limit: forward, backward, evolution
    solver = mf.generate(limit)                   # a readable numba solver, as a module
    path = mf.solve(net, horizon=1.0)             # the limit's trajectory
    nets = mf.simulate(net, width=400, seeds=2)   # finite networks, trained by SGD
    verdict = mf.check(net)                       # do networks approach the limit? .agrees .text
    runs = mf.sweep(net, set={"training.learning_rate": "{a}"}, grid={"a": [0.01, 0.1]})    # many at once

Names are imported when they are first used, so that ``import mfderive`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .algebra.entries import (
    CHANGER,
    FIGURE,
    GRAPH_WRITER,
    HTML,
    PRINTER,
    TORCH_WRITER,
    ground_table,
    register_home,
)

if TYPE_CHECKING:
    from .advice.conditions import Conditions as Conditions
    from .advice.conditions import conditions as conditions
    from .algebra.findings import Finding as Finding
    from .algebra.reduced import Reduced as Reduced
    from .algebra.system import ForwardSystem as ForwardSystem
    from .algebra.system import LimitSystem as LimitSystem
    from .algebra.update_rules import RuleConstant as RuleConstant
    from .algebra.update_rules import UpdateRule as UpdateRule
    from .algebra.update_rules import register_rule as register_rule
    from .codegen.generate import generate as generate
    from .codegen.generate import load_solver as load_solver
    from .errors import ArgumentError as ArgumentError
    from .errors import DataError as DataError
    from .errors import DivergenceError as DivergenceError
    from .errors import DivergenceWarning as DivergenceWarning
    from .errors import MfError as MfError
    from .errors import ResourceError as ResourceError
    from .errors import SpecError as SpecError
    from .errors import StateError as StateError
    from .exchange.from_program import from_onnx as from_onnx
    from .exchange.from_program import from_torch as from_torch
    from .exchange.imported import Imported as Imported
    from .exchange.to_program import to_torch as to_torch
    from .finite.simulate import simulate as simulate
    from .finite.velocity import finite_velocity as finite_velocity
    from .fluctuation.fluctuations import Fluctuations as Fluctuations
    from .fluctuation.fluctuations import fluctuations as fluctuations
    from .fluctuation.width import Width as Width
    from .fluctuation.width import width_for as width_for
    from .format.schema import schema as schema
    from .forward.equations import forward_system as forward_system
    from .forward.kinds import ConnectionKind as ConnectionKind
    from .forward.kinds import Reading as Reading
    from .forward.kinds import register_kind as register_kind
    from .limit.derive import derive as derive
    from .limit.linearise import linearise as linearise
    from .network.network import Network as Network
    from .network.solve_options import SolveOptions as SolveOptions
    from .reduction.reduce import reduce as reduce
    from .runs.keeping import CheckpointWarning as CheckpointWarning
    from .runs.keeping import Keeper as Keeper
    from .runs.trajectory import Trajectory as Trajectory
    from .samples.loading import from_networkx as from_networkx
    from .samples.loading import load as load
    from .samples.spec_faults import check_spec as check_spec
    from .scaling.coordinates import CoordinateCheck as CoordinateCheck
    from .scaling.coordinates import coordinate_check as coordinate_check
    from .scaling.scalings import Scalings as Scalings
    from .scaling.scalings import scalings as scalings
    from .signals.batch_norm import batch_norm_growth as batch_norm_growth
    from .signals.data_kernels import DataKernels as DataKernels
    from .signals.data_kernels import kernels as kernels
    from .signals.lazy_and_rich import LazyAndRich as LazyAndRich
    from .signals.lazy_and_rich import lazy_and_rich as lazy_and_rich
    from .signals.network_signal import NetworkSignal as NetworkSignal
    from .signals.phase_diagram import PhaseDiagram as PhaseDiagram
    from .signals.phase_diagram import phase_diagram as phase_diagram
    from .signals.signal import Critical as Critical
    from .signals.signal import critical as critical
    from .signals.signal import signal as signal
    from .signals.signal_result import Signal as Signal
    from .solution.solve import solve as solve
    from .state.state import State as State
    from .sweeps.conductor import sweep as sweep
    from .sweeps.sweep_result import Sweep as Sweep
    from .variational.magnetisation_curve import magnetisation_curve as magnetisation_curve
    from .variational.mean_field import MeanField as MeanField
    from .variational.mean_field import mean_field as mean_field
    from .variational.posterior import Posterior as Posterior
    from .variational.posterior import variational_posterior as variational_posterior
    from .verdict.check import check as check
    from .verdict.verdict import Verdict as Verdict


_HOME = {
    "ArgumentError": "errors",
    "CheckpointWarning": "runs.keeping",
    "Conditions": "advice.conditions",
    "ConnectionKind": "forward.kinds",
    "CoordinateCheck": "scaling.coordinates",
    "Critical": "signals.signal",
    "DataError": "errors",
    "DataKernels": "signals.data_kernels",
    "DivergenceError": "errors",
    "DivergenceWarning": "errors",
    "Finding": "algebra.findings",
    "Fluctuations": "fluctuation.fluctuations",
    "ForwardSystem": "algebra.system",
    "Imported": "exchange.imported",
    "Keeper": "runs.keeping",
    "LazyAndRich": "signals.lazy_and_rich",
    "LimitSystem": "algebra.system",
    "MeanField": "variational.mean_field",
    "MfError": "errors",
    "Network": "network.network",
    "NetworkSignal": "signals.network_signal",
    "PhaseDiagram": "signals.phase_diagram",
    "Posterior": "variational.posterior",
    "Reading": "forward.kinds",
    "Reduced": "algebra.reduced",
    "ResourceError": "errors",
    "RuleConstant": "algebra.update_rules",
    "Scalings": "scaling.scalings",
    "Signal": "signals.signal_result",
    "SolveOptions": "network.solve_options",
    "SpecError": "errors",
    "State": "state.state",
    "StateError": "errors",
    "Sweep": "sweeps.sweep_result",
    "Trajectory": "runs.trajectory",
    "UpdateRule": "algebra.update_rules",
    "Verdict": "verdict.verdict",
    "Width": "fluctuation.width",
    "batch_norm_growth": "signals.batch_norm",
    "check": "verdict.check",
    "conditions": "advice.conditions",
    "check_spec": "samples.spec_faults",
    "coordinate_check": "scaling.coordinates",
    "critical": "signals.signal",
    "derive": "limit.derive",
    "finite_velocity": "finite.velocity",
    "fluctuations": "fluctuation.fluctuations",
    "forward_system": "forward.equations",
    "from_networkx": "samples.loading",
    "from_onnx": "exchange.from_program",
    "from_torch": "exchange.from_program",
    "generate": "codegen.generate",
    "kernels": "signals.data_kernels",
    "lazy_and_rich": "signals.lazy_and_rich",
    "linearise": "limit.linearise",
    "load": "samples.loading",
    "load_solver": "codegen.generate",
    "magnetisation_curve": "variational.magnetisation_curve",
    "mean_field": "variational.mean_field",
    "phase_diagram": "signals.phase_diagram",
    "reduce": "reduction.reduce",
    "register_kind": "forward.kinds",
    "register_rule": "algebra.update_rules",
    "scalings": "scaling.scalings",
    "schema": "format.schema",
    "signal": "signals.signal",
    "simulate": "finite.simulate",
    "solve": "solution.solve",
    "sweep": "sweeps.conductor",
    "to_torch": "exchange.to_program",
    "variational_posterior": "variational.posterior",
    "width_for": "fluctuation.width",
}

# Rooms that enter themselves in tables of rooms before them.
register_home(PRINTER, "mfderive.notation.registry")
register_home(HTML, "mfderive.notation.registry")
register_home(HTML, "mfderive.report.notebook")
register_home(HTML, "mfderive.report.signal_fragment")
register_home(CHANGER, "mfderive.samples.loading")
register_home(GRAPH_WRITER, "mfderive.format.networkx_graph")
register_home(TORCH_WRITER, "mfderive.exchange.to_program")
register_home(FIGURE, "mfderive.report.coordinate_figure")
register_home(FIGURE, "mfderive.report.signal_figures")
register_home(ground_table("limit"), "mfderive.solution.solve")
register_home(ground_table("network"), "mfderive.finite.training_steps")

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mfderive' has no attribute '{name}'")
    value = getattr(import_module(f"mfderive.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
