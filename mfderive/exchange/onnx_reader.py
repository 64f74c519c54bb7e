"""ONNX files as graphs of operations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ArgumentError, MfError, quoted
from . import onnx_layers, onnx_pointwise
from .onnx_nodes import NodeReader
from .operations import Graph

# The files whose import enters the readers of nodes.
ENTERED = (onnx_layers, onnx_pointwise)


def onnx_package() -> Any:
    """The package onnx; MfError where it is not installed."""
    try:
        import onnx
        import onnx.reference
    except ImportError:
        raise MfError(
            "ONNX files are read by the package onnx. Install it: pip install 'mfderive[import]'"
        ) from None
    return onnx


def read_onnx(model: Any) -> Graph:
    """The graph of an ONNX file (a path) or of a model in memory.

    Raises ArgumentError where there is no such file or it is no ONNX file, ImportProblem for operations that
    are not read.
    """
    onnx = onnx_package()
    where = "the model"
    if not isinstance(model, onnx.ModelProto):
        if not isinstance(model, (str, Path)):
            raise ArgumentError(
                f"an ONNX model is a path or an onnx.ModelProto, not {quoted(type(model).__name__)}"
            )
        where = str(model)
        model = _loaded(onnx, Path(model))
    return NodeReader(onnx, model, where).graph()


def _loaded(onnx: Any, path: Path) -> Any:
    if not path.is_file():
        raise ArgumentError(f"there is no file {quoted(str(path))}")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf and onnx raise errors of many classes of their own
        raise ArgumentError(
            f"{quoted(str(path))} is no ONNX file that can be read ({type(error).__name__})"
        ) from None
    if not model.graph.node:
        raise ArgumentError(f"{quoted(str(path))} is no ONNX file, or one without any operation")
    return model
