"""``nn.MultiheadAttention`` with its packed weights cut into heads, each of layers of its own.

The packed program moves heads into the axis of the samples, where no neuron can be told any more. While a
module is read, its attention therefore computes the same head by head: the rows of ``in_proj_weight`` that
belong to a head make its queries, keys and values, the columns of ``out_proj`` read what it attends to, and
the heads are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .operations import ImportProblem

Array = Any


@contextmanager
def heads_apart(torch: Any, module: Any) -> Iterator[None]:
    """While this lasts, every attention in a module computes head by head; the module is left as it was."""
    changed = [
        (name, part) for name, part in module.named_modules() if isinstance(part, torch.nn.MultiheadAttention)
    ]
    for name, part in changed:
        part.forward = partial(_attention, torch, part, name or type(module).__name__)
    try:
        yield
    finally:
        for _, part in changed:
            del part.forward


def _attention(
    torch: Any,
    part: Any,
    name: str,
    query: Array,
    key: Array,
    value: Array,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Array, None]:
    """What the attention returns, head by head; the shares are not returned."""
    _check(part, name, query, key_padding_mask is not None or attn_mask is not None or is_causal)
    functional = torch.nn.functional
    if not part.batch_first:
        query, key, value = (each.transpose(0, 1) for each in (query, key, value))
    width, size = part.embed_dim, part.head_dim
    outputs: list[Array] = []
    for head in range(part.num_heads):
        read = []
        for place, source in enumerate((query, key, value)):
            rows = slice(place * width + head * size, place * width + (head + 1) * size)
            bias = None if part.in_proj_bias is None else part.in_proj_bias[rows]
            read.append(functional.linear(source, part.in_proj_weight[rows], bias))
        mixed = functional.scaled_dot_product_attention(*read)
        columns = part.out_proj.weight[:, head * size : (head + 1) * size]
        outputs.append(functional.linear(mixed, columns))
    total = outputs[0]
    for other in outputs[1:]:
        total = total + other
    if part.out_proj.bias is not None:
        total = total + part.out_proj.bias
    return (total if part.batch_first else total.transpose(0, 1)), None


def _check(part: Any, name: str, query: Array, is_masked: bool) -> None:
    """Refuse what an attention here cannot be."""
    problems = {
        "a mask": is_masked,
        "inputs without a batch": query.dim() != 3,
        "keys or values of another width (kdim, vdim)": part.in_proj_weight is None,
        "further keys (add_bias_kv, add_zero_attn)": part.bias_k is not None or part.add_zero_attn,
    }
    found = [problem for problem, is_there in problems.items() if is_there]
    if found:
        raise ImportProblem(
            f"'{name}' (MultiheadAttention) has {' and '.join(found)}. Attention here reads all positions of "
            "[samples, positions, neurons]"
        )
