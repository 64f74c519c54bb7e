"""PyTorch modules as graphs of operations, through torch.export."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..algebra.showing import names
from ..errors import ArgumentError, MfError, quoted
from . import torch_layers, torch_pointwise, torch_sums
from .operations import Graph, ImportProblem, unknown_operations
from .torch_heads import heads_apart
from .torch_nodes import READERS, ProgramReader, word_of

Array = Any

# The files whose import enters the readers of nodes.
ENTERED = (torch_layers, torch_pointwise, torch_sums)


def torch_package() -> Any:
    """The package torch; MfError where it is not installed."""
    try:
        return import_module("torch")
    except ImportError:
        raise MfError(
            "modules are read by PyTorch itself. Install it: pip install 'mfderive[torch]'"
        ) from None


def read_torch(module: Any, example: Any) -> Graph:
    """The graph of a module in evaluation at inputs like ``example`` [batch, ...].

    Raises ArgumentError for what is no module and for a module that cannot be exported, ImportProblem for
    operations that are not read.
    """
    torch = torch_package()
    if not isinstance(module, torch.nn.Module):
        raise ArgumentError(f"from_torch reads a torch.nn.Module, not {quoted(type(module).__name__)}")
    module = getattr(module, "_orig_mod", module)  # what torch.compile was given
    title = type(module).__name__
    example = _example(torch, example)
    kind = next((parameter.dtype for parameter in module.parameters()), example.dtype)
    example = example.to(kind if example.is_floating_point() else example.dtype)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        _run_once(torch, module, example)
        with heads_apart(torch, module):
            program = torch.export.export(module, (example,), strict=False)
    except MfError:
        raise
    except Exception as error:  # torch.export raises errors of many classes of its own
        raise ArgumentError(
            f"torch.export cannot follow {title}: {type(error).__name__}: {quoted(str(error))}. Often that "
            "is a forward that depends on the values of the input, by `if` or a loop"
        ) from error
    finally:
        for part, mode in modes:
            part.training = mode
    return _graph(title, program, tuple(_said_of_modes(torch, modes)))


def _example(torch: Any, example: Any) -> Any:
    """An example input as a tensor."""
    if isinstance(example, torch.Tensor):
        return example
    array = np.asarray(example) if isinstance(example, (np.ndarray, list)) else np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(
            f"the example is {found(example)}; it must be an input [batch, ...] of the module, as "
            "torch.zeros(1, 3)"
        )
    return torch.as_tensor(array)


def _run_once(torch: Any, module: Any, example: Any) -> None:
    """ArgumentError where the module does not take the example, which torch.export would say at length."""
    try:
        with torch.no_grad():
            module(example)
    except Exception as error:  # whatever a module raises
        raise ArgumentError(
            f"{type(module).__name__} fails at the example of shape {list(example.shape)}: "
            f"{type(error).__name__}: {quoted(str(error))}. Give one input [batch, ...] that it takes"
        ) from error


def _said_of_modes(torch: Any, modes: list[tuple[Any, bool]]) -> Iterator[str]:
    """A note on parts of a module that do something else in training."""
    kinds = torch.nn.modules
    others = (kinds.batchnorm._BatchNorm, kinds.dropout._DropoutNd)
    named = dict.fromkeys(type(part).__name__ for part, mode in modes if mode and isinstance(part, others))
    if named:
        yield (
            f"{names(named)}: the module is in training, and was read as in evaluation (running means, no "
            "dropout)"
        )


def _graph(title: str, program: Any, notes: tuple[str, ...]) -> Graph:
    nodes = list(program.graph.nodes)
    reader, inputs = _arrays(program)
    calls = [node for node in nodes if node.op == "call_function"]
    unknown = [(node.name, word_of(node)) for node in calls if word_of(node) not in READERS]
    if unknown:
        raise unknown_operations(unknown, title)
    for node in calls:
        READERS[word_of(node)](reader, node)
    if len(inputs) != 1:
        raise ImportProblem(
            f"{title} has {len(inputs)} inputs, and a network here has one, x. Join them in the module"
        )
    (results,) = nodes[-1].args
    if not results or any(each not in reader.names for each in results):
        raise ImportProblem(
            f"{title} returns something that is no array of the input. Return its outputs alone"
        )
    outputs = tuple(reader.names[each] for each in results)
    shape = [int(size) for size in inputs[0].meta["val"].shape]
    batch_axis = 1 if _steps_come_first(reader, str(inputs[0].name)) else 0
    del shape[batch_axis]
    return Graph(
        title,
        str(inputs[0].name),
        tuple(shape),
        batch_axis,
        reader.parameters,
        reader.constants,
        tuple(reader.operations),
        outputs,
        frozenset(reader.frozen),
        says_what_is_trained=True,
        notes=notes,
    )


def _steps_come_first(reader: ProgramReader, name: str) -> bool:
    """Whether the input is [steps, batch, features], as recurrent modules read it unless they are told."""
    cells = [each for each in reader.operations if each.kind == "recurrent" and name in each.inputs]
    return any(not cell.options["batch_first"] for cell in cells)


def _arrays(program: Any) -> tuple[ProgramReader, list[Any]]:
    """The arrays of a program under the names of the module (one for tied ones), and the nodes of inputs."""
    signature, state = program.graph_signature, program.state_dict
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    constants = {**signature.inputs_to_lifted_tensor_constants}
    reader = ProgramReader({}, {}, {})
    known: dict[tuple[Any, ...], str] = {}
    inputs = []
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        name = named.get(node.name) or constants.get(node.name)
        if name is None:
            inputs.append(node)
            reader.names[node] = str(node.name)
            continue
        tensor = state[name] if name in state else program.constants[name]
        same = (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()))
        is_trained = node.name in signature.inputs_to_parameters
        reader.names[node] = known.setdefault(same, name) if is_trained else name
        arrays = reader.parameters if is_trained else reader.constants
        arrays[reader.names[node]] = tensor.detach().cpu().numpy()
        if is_trained and not tensor.requires_grad:
            reader.frozen.add(reader.names[node])
    return reader, inputs
