"""What reads the nodes of an ONNX model: names, attributes, constants, the table of readers by type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .operations import Graph, ImportProblem, Operation, entering, name_of_weight, unknown_operations

Array = Any


@dataclass
class NodeReader:
    """One model, node by node."""

    onnx: Any
    model: Any
    where: str
    operations: list[Operation] = field(default_factory=list)
    parameters: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    count: int = 0

    def graph(self) -> Graph:
        """The whole model."""
        graph = self.model.graph
        to_array = self.onnx.numpy_helper.to_array
        for tensor in graph.initializer:
            array = to_array(tensor)
            kind = (
                self.parameters
                if np.issubdtype(array.dtype, np.floating) and array.ndim > 0
                else self.constants
            )
            kind[tensor.name] = array
        inputs = [each for each in graph.input if each.name not in {*self.parameters, *self.constants}]
        if len(inputs) != 1:
            raise ImportProblem(
                f"{self.where} has {len(inputs)} inputs ({', '.join(each.name for each in inputs)}), and a "
                "network here "
                "has one, x. Join them into one in the model"
            )
        nodes = self.unfolded()
        unknown = [(n.name or n.output[0], n.op_type) for n in nodes if n.op_type not in READERS]
        if unknown:
            raise unknown_operations(unknown, self.where)
        for node in nodes:
            READERS[node.op_type](self, node, self.attributes(node))
        shape, batch_axis = self.input_shape(inputs[0])
        return Graph(
            graph.name or "Imported model",
            inputs[0].name,
            shape,
            batch_axis,
            self.parameters,
            self.constants,
            tuple(self.operations),
            tuple(each.name for each in graph.output),
        )

    def unfolded(self) -> list[Any]:
        """The nodes that are left when shapes, and what is computed of them and of constants, are numbers."""
        shapes = self.shapes()
        left = []
        for node in self.model.graph.node:
            if node.op_type == "Shape" and not node.attribute and node.input[0] in shapes:
                self.constants[node.output[0]] = np.array(shapes[node.input[0]], dtype=np.int64)
            elif node.input and all(name in self.constants for name in node.input if name):
                feeds = {name: np.asarray(self.constants[name]) for name in node.input if name}
                found = self.onnx.reference.ReferenceEvaluator(node).run(None, feeds)
                self.constants.update(zip(node.output, found, strict=False))
            else:
                if node.op_type == "Constant":
                    READERS["Constant"](self, node, self.attributes(node))
                left.append(node)
        return left

    def shapes(self) -> dict[str, list[int]]:
        """The shapes that are known; one open size, which is the batch, counts as 1."""
        graph = self.onnx.shape_inference.infer_shapes(self.model).graph
        found = {}
        for value in (*graph.input, *graph.value_info):
            sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
            if value.type.tensor_type.HasField("shape") and sum(size <= 0 for size in sizes) <= 1:
                found[value.name] = [max(size, 1) for size in sizes]
        return found

    def attributes(self, node: Any) -> dict[str, Any]:
        """The attributes of a node as plain values."""
        return {each.name: self.onnx.helper.get_attribute_value(each) for each in node.attribute}

    def input_shape(self, value: Any) -> tuple[tuple[int, ...], int]:
        """The shape without the batch, and where the batch stands (second for ONNX's recurrent layout)."""
        sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in value.type.tensor_type.shape.dim]
        direct = any(
            each.kind == "recurrent" and value.name in each.inputs and not each.options["batch_first"]
            for each in self.operations
        )
        batch_axis = 1 if direct else 0
        rest = [size for axis, size in enumerate(sizes) if axis != batch_axis]
        if not sizes or any(size <= 0 for size in rest):
            raise ImportProblem(
                f"{self.where}: input '{value.name}' has the shape "
                f"[{', '.join(str(size or '?') for size in sizes)}], of which only axis {batch_axis}, "
                "the batch, may be open (?). Export the model with fixed sizes"
            )
        return tuple(rest), batch_axis

    # ------------------------------------------------------------------ parts

    def add(
        self, kind: str, node: Any, inputs: Iterable[str], outputs: Iterable[str], **options: Any
    ) -> None:
        """One operation of the graph."""
        name = self.name(node)
        self.operations.append(Operation(kind, name, node.op_type, tuple(inputs), tuple(outputs), options))

    def name(self, node: Any) -> str:
        """What a node is called: after its weight without ``.weight``, its own name, or what it makes."""
        for each in node.input:
            if each in self.parameters and "::" not in each:
                return name_of_weight(str(each))
        # Arrays whose names the exporter made up: /block/fc/MatMul belongs to the module block/fc.
        path, _, _ = node.name.strip("/").rpartition("/")
        return str(path or node.name or node.output[0])

    def between(self) -> str:
        """A name for a value that only this reader sees."""
        self.count += 1
        return f"//{self.count}"

    def constant(self, name: str, node: Any) -> Array:
        """An array that must be known: shapes and the like."""
        found = {**self.parameters, **self.constants}.get(name)
        if found is None:
            raise ImportProblem(
                f"{self.where}: node '{node.name or node.output[0]}' ({node.op_type}) computes '{name}' "
                "from the input. "
                "Export the model with fixed sizes (constant folding)"
            )
        return found

    def whole(self, name: str, node: Any) -> list[int]:
        """A constant list of whole numbers."""
        return [int(each) for each in np.ravel(self.constant(name, node))]


Read = Callable[[NodeReader, Any, dict[str, Any]], None]
READERS: dict[str, Read] = {}
# Enters what reads nodes of some types.
reads = entering(READERS)
