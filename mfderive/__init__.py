"""mfderive: derive, solve and verify the mean-field limit of neural networks.

    import mfderive as mf
    net = mf.load("specs/three_layer.toml")     # a network
    limit = mf.derive(net)                        # its mean-field limit: forward, backward, evolution
    solver = mf.generate(limit)                   # a readable numba solver, as a module
    path = mf.solve(net, horizon=1.0)             # the limit's trajectory
    nets = mf.simulate(net, width=400, seeds=2)   # finite networks, trained by SGD
    verdict = mf.check(net)                       # do networks approach the limit? .agrees .text

Names are imported when they are first used, so that ``import mfderive`` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .algebra.system import ForwardSystem as ForwardSystem
    from .algebra.system import LimitSystem as LimitSystem
    from .check.check import check as check
    from .check.verdict import Verdict as Verdict
    from .codegen.generate import generate as generate
    from .codegen.generate import load_solver as load_solver
    from .data.loading import from_networkx as from_networkx
    from .data.loading import load as load
    from .data.trajectory import Trajectory as Trajectory
    from .errors import ArgumentError as ArgumentError
    from .errors import DataError as DataError
    from .errors import DivergenceError as DivergenceError
    from .errors import MfError as MfError
    from .errors import ResourceError as ResourceError
    from .errors import SpecError as SpecError
    from .errors import StateError as StateError
    from .finite.simulate import simulate as simulate
    from .finite.velocity import finite_velocity as finite_velocity
    from .limit.derive import derive as derive
    from .reduce.reduce import reduce as reduce
    from .solve.integrate import solve as solve
    from .spec.forward import forward_system as forward_system
    from .spec.kinds import ConnectionKind as ConnectionKind
    from .spec.kinds import Reading as Reading
    from .spec.kinds import register_kind as register_kind
    from .spec.network import Network as Network
    from .spec.schema import schema as schema

_HOME = {
    "ArgumentError": "errors",
    "ConnectionKind": "spec.kinds",
    "DataError": "errors",
    "DivergenceError": "errors",
    "ForwardSystem": "algebra.system",
    "LimitSystem": "algebra.system",
    "MfError": "errors",
    "Network": "spec.network",
    "Reading": "spec.kinds",
    "ResourceError": "errors",
    "SpecError": "errors",
    "StateError": "errors",
    "Trajectory": "data.trajectory",
    "Verdict": "check.verdict",
    "check": "check.check",
    "derive": "limit.derive",
    "finite_velocity": "finite.velocity",
    "forward_system": "spec.forward",
    "from_networkx": "data.loading",
    "generate": "codegen.generate",
    "load": "data.loading",
    "load_solver": "codegen.generate",
    "reduce": "reduce.reduce",
    "register_kind": "spec.kinds",
    "schema": "spec.schema",
    "simulate": "finite.simulate",
    "solve": "solve.integrate",
}

# Rooms that enter themselves in a table of a room below them: display of equations, fields of a state.
_ENTRIES = {
    "LimitSystem": ("notation.registry",),
    "derive": ("notation.registry",),
    "Trajectory": ("solve.integrate", "finite.simulate"),
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mfderive' has no attribute '{name}'")
    for entry in _ENTRIES.get(name, ()):
        import_module(f"mfderive.{entry}")
    value = getattr(import_module(f"mfderive.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(ModuleType):
    """Keeps a public name from being bound to the room of the same name.

    Python binds a package's submodule to its name once it is imported, so whatever imports the room
    ``mfderive.solve`` would replace the function ``mfderive.solve`` by it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
