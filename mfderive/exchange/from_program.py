"""The ways in: ``mf.from_onnx`` and ``mf.from_torch``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .import_wishes import checked_wishes
from .imported import Imported, imported
from .onnx_reader import read_onnx
from .torch_reader import read_torch

Array = Any


def from_onnx(
    model: Any,
    second: Any = None,
    *,
    widths: Mapping[str, str] | Iterable[str] | None = None,
    laws: Mapping[str, str] | None = None,
    data: tuple[Array, Array] | None = None,
    loss: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Imported:
    """A network of an ONNX model (a path, or an ``onnx.ModelProto``), with the model's weights as its state.

    ``second``: the same model in another width; hidden layers whose size differs grow infinitely wide, the
    others stay finite. ``widths`` says it instead: the names of layers that grow (a mapping gives them other
    names). With neither, all hidden layers grow, and that is said. ``laws``: laws of initial values by the
    name of a parameter (of the network or of the model); others are estimated from the entries. ``data``:
    arrays x, in the model's own layout, and y. ``loss``, ``training``: tables of the spec; what is missing
    is assumed, and said in ``notes``.

    Raises ImportProblem (an MfError) for what a network here cannot have, with the node's name and what
    would be needed; ArgumentError for a file that is missing or no ONNX file and for unknown names;
    SpecError and DataError as :func:`mfderive.load` does.
    """
    wishes = checked_wishes(widths, laws, data, loss, training)
    graph = read_onnx(model)
    other = None if second is None else read_onnx(second)
    return imported(graph, other, wishes)


def from_torch(
    module: Any,
    example: Any,
    second: Any = None,
    *,
    widths: Mapping[str, str] | Iterable[str] | None = None,
    laws: Mapping[str, str] | None = None,
    data: tuple[Array, Array] | None = None,
    loss: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Imported:
    """A network of a ``torch.nn.Module`` in evaluation, with the module's weights as its state.

    ``example``: an input [batch, ...] (of recurrent modules [steps, batch, features], if that is their
    layout), whose sizes are those of all inputs. ``second``: the same module in another width. The rest is
    as in :func:`mfderive.from_onnx`.

    Raises ImportProblem (an MfError) for operations that a network here cannot have, ArgumentError for what
    is no module and for modules that torch.export cannot follow, and what :func:`mfderive.from_onnx` raises.
    """
    wishes = checked_wishes(widths, laws, data, loss, training)
    graph = read_torch(module, example)
    other = None if second is None else read_torch(second, example)
    return imported(graph, other, wishes)
