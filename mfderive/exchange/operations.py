"""A model of another program as a small graph of typed operations: readers make it, one translator reads it.

Values have names, batch first. A node has one of the kinds of :data:`KINDS`; readers bring everything that
their program says to these few, so that one translator serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import MfError

Array = Any
T = TypeVar("T")

# The kinds of operations, each with what it does to its inputs (options by name).
KINDS: dict[str, str] = {
    "identity": "the value itself (dropout in evaluation, casts between real numbers)",
    "function": "apply: a function of sympy expressions, pointwise, of all inputs",
    "matmul": "matrix product of the last two axes",
    "embedding": "rows of a weight [words, out] by number; inputs weight, numbers",
    "convolution": "channels first; kernel, stride, padding [(before, after)]; inputs x, weight, bias",
    "pool": "average or maximum (maximum: bool) over a window; window None: over all positions",
    "mean": "mean over axes, keep: whether they stay with size 1",
    "sum": "the same of sums",
    "softmax": "softmax over one axis",
    "normalise": "(x - mean) / sqrt(variance + epsilon) over the last axes (how many), gain and shift",
    "reshape": "to a shape, -1 once",
    "transpose": "axes in another order",
    "select": "one index of one axis, which goes (keep: it stays with size 1)",
    "part": "the entries from start to stop of one axis of a weight",
    "recurrent": "cell rnn, lstm or gru over steps; inputs x, W, R, b; outputs all steps, last step",
}


class ImportProblem(MfError):  # noqa: N818 (a problem of the model, not of the program)
    """What a model has and a network here cannot have: which node, and what would be needed."""


def refuse(node: Operation | None, problem: str, remedy: str) -> ImportProblem:
    """The error for one operation of a model."""
    where = "" if node is None else f"node '{node.name}' ({node.origin}): "
    return ImportProblem(f"{where}{problem}. {remedy}")


@dataclass(frozen=True)
class Operation:
    """One node: ``kind`` as in :data:`KINDS`, ``origin`` what its program calls the operation."""

    kind: str
    name: str
    origin: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An operation of an unknown kind is a fault of its reader."""
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind of operation '{self.kind}'")


@dataclass(frozen=True)
class Graph:
    """A model: operations in order of evaluation.

    ``shape`` is that of the input without the batch, whose place in the program's array is ``batch_axis``;
    ``parameters`` are the trained arrays by name, ``constants`` the others (buffers, numbers, shapes);
    ``frozen`` names those of the parameters that the program does not train, where it says so at all
    (``says_what_is_trained``). ``vocabulary``: how many words there are where the input is numbers of words,
    and its last axis their one-hot vectors; else 0. ``notes``: what the reader has to say of the model.
    """

    title: str
    input: str
    shape: tuple[int, ...]
    batch_axis: int
    parameters: Mapping[str, Array]
    constants: Mapping[str, Array]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]
    frozen: frozenset[str] = frozenset()
    vocabulary: int = 0
    says_what_is_trained: bool = False
    notes: tuple[str, ...] = ()

    def readers(self) -> dict[str, list[Operation]]:
        """The operations that read each value."""
        found: dict[str, list[Operation]] = {}
        for operation in self.operations:
            for name in operation.inputs:
                found.setdefault(name, []).append(operation)
        return found


def entering(table: dict[str, T]) -> Callable[..., Callable[[T], T]]:
    """A decorator that enters a function in a table under one or several words."""

    def under(*words: str) -> Callable[[T], T]:
        def enter(function: T) -> T:
            table.update(dict.fromkeys(words, function))
            return function

        return enter

    return under


# What is to be done about operations that are not read, by words that stand in their names.
_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("split", "chunk", "cat", "concat", "stack", "glu"),
        "Layers are not cut apart or joined here: write each part as a layer of its own, and in place of a "
        "layer that reads several joined values the sum of one layer for each",
    ),
    (
        ("log_softmax", "logsoftmax"),
        "A softmax over the outputs belongs to the loss: leave it out, and give "
        'loss = {"kind": "cross-entropy"}',
    ),
    (
        ("rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell"),
        "Read all steps by one nn.RNN, nn.LSTM or nn.GRU in place of a cell in a loop",
    ),
    (
        ("group_norm", "instance_norm", "groupnorm", "instancenorm", "rms_norm"),
        "Layer normalisation is read, and batch normalisation in evaluation",
    ),
    (("conv_transpose", "convtranspose"), "It is a kind of layers here: add it to the spec by hand"),
    (("pad",), "Padding with zeros is a number in the convolution or the pooling"),
    (("weight_norm",), "Make the weight an array again (torch.nn.utils.parametrize.remove_parametrizations)"),
    (("rand", "bernoulli", "normal_"), "A network here is a function of x: leave the noise out"),
    (("embedding_bag",), "Write nn.Embedding and a sum over the words"),
)
_READ = (
    "Read are linear layers, convolutions, pooling, means, layer normalisation, embeddings, recurrent "
    "layers, attention, sums and functions of one number (docs/import.md)"
)
_BY_HAND = (
    "Replace the node in the model, or describe the layer in a spec by hand (a kind of your own: "
    "docs/layers.md)"
)


def unknown_operations(listed: Iterable[tuple[str, str]], where: str) -> ImportProblem:
    """The error for operations that no reader knows: (node, operation) each, all of them at once."""
    found = list(listed)
    each = "; ".join(f"node '{name}' is a {operation}" for name, operation in found[:6])
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    kinds = [operation.lower() for _, operation in found]
    remedies = [
        remedy for words, remedy in _REMEDIES if any(word in kind for kind in kinds for word in words)
    ]
    return ImportProblem(
        f"{where}: {each}{more}. This is not read. {'. '.join([*remedies, _READ, _BY_HAND])}"
    )


def own_word(name: str | None) -> str:
    """What a model calls numbers of neurons, if that says more than that they are a weight or a bias."""
    last = (name or "").rpartition(".")[2]
    return "" if last in ("weight", "bias") or not last.isidentifier() else last


def name_of_weight(name: str) -> str:
    """What an operation is called after its weight: ``fc1`` of fc1.weight, else the whole name."""
    return front_of(name) or name


def front_of(name: str | None) -> str:
    """What stands before the word weight or bias: ``fc1`` of fc1.weight and fc1.weight.left; else nothing."""
    for word in ("weight", "bias"):
        front, found, _ = f"{name or ''}.".partition(f".{word}.")
        if found and front:
            return front
    return ""
