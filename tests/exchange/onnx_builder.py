"""ONNX models in a few lines, in float64, and their numbers by onnx.reference: neither knows mfderive."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def node(kind, inputs, output, **attributes):
    outputs = output if isinstance(output, list) else [output]
    return helper.make_node(kind, inputs, outputs, name=f"{outputs[0]}_node", **attributes)


def build(nodes, arrays, shape, outputs=("y",), opset=17):
    """A model of x [batch, *shape]; a shape that begins with None has the batch elsewhere."""
    shape = [None, *shape] if None not in shape else list(shape)
    graph = helper.make_graph(
        nodes,
        "imported",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def run(model, x):
    """All outputs of a model, [batch, outputs] each."""
    return [
        np.asarray(out).reshape(-1, np.shape(out)[-1])
        for out in ReferenceEvaluator(model).run(None, {"x": x})
    ]


def moved(model, name, step):
    """The model with a step added to one of its arrays."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + step, name))
    return copy


# Weights of the central difference of order 8: (f(x + k h) - f(x - k h)) / h, k = 1 ... 4. Its error is
# f^(9) h^8 / 630, its rounding about 2 eps |f| / h.
STENCIL = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
STEP = 2e-3


def slope(model, name, direction, loss):
    """The derivative of loss(model) along a direction of one array."""
    total = 0.0
    for k, weight in enumerate(STENCIL, 1):
        ends = [loss(moved(model, name, sign * k * STEP * direction)) for sign in (1, -1)]
        total += weight * (ends[0] - ends[1])
    return total / STEP
