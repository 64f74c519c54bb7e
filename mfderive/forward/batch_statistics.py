"""Statistics over the samples of a batch, as batch normalisation takes them: who reads them, and who
cannot."""

from __future__ import annotations

import sympy as sp

from ..errors import SpecError
from ..network.network import AxisReduction, Network

# The axis of mean(e, batch) in an activation: the samples that a step of training reads together.
BATCH = "batch"
BATCH_REASON = (
    "the output of a sample would depend on the other samples, so that a prediction has no meaning of its "
    "own, and batches of every size have a limit of their own. Write mean(h), over the neurons of the layer, "
    "or mean(h, positions); at random weights, mfderive signal follows mean(h, batch)"
)


def has_batch_statistics(network: Network) -> bool:
    """Whether an activation takes a mean over the samples of a batch."""
    return any(_batch_means(layer.activation) for layer in network.layers)


def refuse_batch_statistics(network: Network) -> None:
    """Raises SpecError where an activation takes a mean over the batch: training has no limit with it."""
    for layer in network.layers:
        if _batch_means(layer.activation):
            raise SpecError(
                f"mean over {BATCH} has no mean-field limit, and is not trained here: {BATCH_REASON}",
                file=network.where,
                table=layer.table,
                key="activation",
            )


def _batch_means(activation: sp.Expr) -> bool:
    return any(node.axis == BATCH for node in activation.atoms(AxisReduction))
