"""What a network consists of, as plain data: the tables of ``mfderive show`` and of the page of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from ..algebra.laws import Variable
from ..algebra.learning_words import statements
from ..algebra.system import ForwardSystem, draw_noise
from ..algebra.terms import AxisKind
from ..network.names import MAIN
from ..network.network import Connection, Layer, Loss, Network
from ..network.schedules import SCHEDULES
from ..network.training_keys import KIND
from ..samples.data_findings import data_findings
from ..samples.data_sentences import fact_lines, finding_text

_UNITS = ("B", "kB", "MB", "GB", "TB")


def summarise(network: Network, system: ForwardSystem, widths: Sequence[int] = ()) -> dict[str, Any]:
    """The network in plain data (what json can hold).

    ``network`` is resolved. Keys: title, file, data, facts (what was found in the data and done to it),
    classes (labels in the order of the outputs), data_warnings, inputs (shape), outputs, loss, training,
    layers, populations, parameters, sizes (numbers of parameters and bytes in float64 at each of ``widths``).
    """
    return {
        "title": network.title,
        "file": network.file,
        "data": {"kind": network.data.kind, **{key: _plain(value) for key, value in network.data.options}},
        "facts": fact_lines(network.source.facts),
        "classes": [_plain(label) for label in network.classes],
        "data_warnings": [finding_text(finding) for finding in data_findings(network)],
        "inputs": list(network.input_shape or ()),
        "outputs": network.outputs,
        "loss": _losses(network),
        "training": _training(network, system),
        "layers": [_layer_row(layer) for layer in network.layers] + [_output_row(network)],
        "populations": _population_rows(network, system),
        "parameters": [_parameter_row(system, parameter) for parameter in system.parameters],
        "sizes": [_size_row(system, width) for width in widths],
    }


def _plain(value: Any) -> Any:
    """A value of a spec as json holds it; big arrays (data given in Python) by their shape alone."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value] if len(value) <= 64 else f"{len(value)} values"
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    shape = getattr(value, "shape", None)
    return f"array of shape {tuple(shape)}" if shape is not None else str(value)


def _losses(network: Network) -> str:
    """The loss of the output, and those that training adds to it."""
    more = [f" + {inner.weight:g} ({_loss(inner.loss)}) of {inner.source}" for inner in network.losses]
    return "".join([_loss(network.loss), *more])


def _training(network: Network, system: ForwardSystem) -> dict[str, Any]:
    """Steps and rates, and how the parameters learn: each part of it with the limit that it has."""
    training = network.training
    trained = [parameter.name for parameter in system.parameters if not parameter.is_frozen]
    parts = statements(system.learning, training.dropout, trained)
    return {
        "learning_rate": training.learning_rate,
        "schedule": _schedule(network),
        "batch_size": training.batch_size,
        "steps": training.steps,
        "learning": [{"part": each.part, "chosen": each.chosen, "text": str(each)} for each in parts],
    }


def _schedule(network: Network) -> str:
    """The schedule as the spec has it: its name with its numbers, else the expression."""
    written = network.document.get("training", {}).get("schedule")
    if isinstance(written, Mapping):
        numbers = ", ".join(f"{key} {_plain(value)}" for key, value in written.items() if key != KIND)
        return f"{written[KIND]} ({numbers})" if numbers else str(written[KIND])
    return written.strip() if written in SCHEDULES else str(network.training.schedule)


def _loss(loss: Loss) -> str:
    if loss.expression is not None:
        return str(loss.expression)
    return ", ".join([loss.kind, *(f"{name} {value:g}" for name, value in loss.constants)])


def _connection_text(connection: Connection) -> str:
    how = [] if connection.kind == "dense" else [connection.kind]
    if connection.delay:
        how.append(f"{connection.delay} step{'s' * (connection.delay > 1)} before")
    text = f"{connection.source} ({', '.join(how)})" if how else connection.source
    if connection.weight is not None and connection.weight.name:
        tied = "ᵀ" if connection.weight.transpose else ""
        text += f" by {connection.weight.name}{tied}"
    return text if connection.into == "h" else f"{text} into {connection.into}"


def _layer_row(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "from": [_connection_text(connection) for connection in layer.connections],
        "neurons": f"{layer.size} (finite)" if layer.size is not None else _population_text(layer),
        "activation": _activation(layer),
    }


def _activation(layer: Layer) -> str:
    """The activation as the file has it; a layer that no file has shows its expression."""
    text = layer.written or str(layer.activation)
    return "identity" if text == MAIN else text


def _population_text(layer: Layer) -> str:
    if layer.neurons is not None and layer.neurons != layer.name:
        return f"those of {layer.neurons}"
    return "n" if layer.width == 1 else f"{layer.width:g} n"


def _output_row(network: Network) -> dict[str, Any]:
    return {
        "name": "output",
        "from": [_connection_text(connection) for connection in network.output.connections],
        "neurons": f"{network.outputs} (outputs)",
        "activation": "identity",
    }


def _population_rows(network: Network, system: ForwardSystem) -> list[dict[str, Any]]:
    members: dict[str, list[str]] = {axis.name: [] for axis in system.populations}
    for layer in network.layers:
        name: str | None = layer.name
        while name is not None and name not in members:
            name = network.layer[name].neurons if name in network.layer else None
        if name is not None and layer.size is None:
            members[name].append(layer.name)
    return [
        {"name": axis.name, "layers": members[axis.name], "width": axis.width} for axis in system.populations
    ]


def _parameter_row(system: ForwardSystem, parameter: Variable) -> dict[str, Any]:
    axes = [name for name in parameter.axes if system.axis[name].kind is not AxisKind.NOISE]
    return {
        "name": parameter.name,
        "axes": [_axis_text(system, name) for name in axes],
        "law": parameter.law.text or _law_text(parameter),
        "rate": "frozen" if parameter.is_frozen else str(parameter.rate),
        "scaling": [name for name in axes if system.axis[name].kind is AxisKind.POPULATION],
    }


def _axis_text(system: ForwardSystem, name: str) -> str:
    axis = system.axis[name]
    return name if axis.size is None else f"{name} ({axis.size})"


def _law_text(parameter: Variable) -> str:
    arguments = ", ".join(str(argument) for argument in parameter.law.arguments)
    return f"{parameter.law.kind}({arguments})" if parameter.law.row.is_written else arguments


def array_shapes(system: ForwardSystem, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter's array in a network of width ``width``, noise drawn once per pair."""
    drawn = draw_noise(system)
    sizes = {
        axis.name: axis.size if axis.size is not None else max(1, round(width * axis.width))
        for axis in drawn.axes
    }
    return {parameter.name: tuple(sizes[name] for name in parameter.axes) for parameter in drawn.parameters}


def _size_row(system: ForwardSystem, width: int) -> dict[str, Any]:
    count = sum(math.prod(shape) for shape in array_shapes(system, width).values())
    return {"width": width, "parameters": count, "bytes": 8 * count}


def bytes_text(count: float) -> str:
    """A number of bytes for people: 12.3 MB."""
    for unit in _UNITS[:-1]:
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {_UNITS[-1]}"


def text_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table for a terminal: left aligned, two spaces between columns."""
    cells = [[str(heading) for heading in headings], *([str(cell) for cell in row] for row in rows)]
    spans = [max(len(row[position]) for row in cells) for position in range(len(headings))]
    lines = [
        "  ".join(cell.ljust(span) for cell, span in zip(row, spans, strict=True)).rstrip() for row in cells
    ]
    rule = "  ".join("-" * span for span in spans)
    return "\n".join([lines[0], rule, *lines[1:]])


def _learning_lines(parts: Sequence[Mapping[str, str]]) -> list[str]:
    """The rule and what stands beside it, one after the other, wrapped."""
    return [
        line
        for part in parts
        for line in wrap(part["text"], 110, initial_indent=f"{part['part']:10}", subsequent_indent=" " * 10)
    ]


def summary_text(summary: Mapping[str, Any]) -> str:
    """The summary as ``mfderive show`` prints it."""
    training, data = summary["training"], dict(summary["data"])
    kind = data.pop("kind")
    options = ", ".join(f"{key} {value}" for key, value in data.items())
    shape = " × ".join(str(size) for size in summary["inputs"])
    schedule = "" if training["schedule"] == "1" else f" · {training['schedule']}"
    parts = [
        summary["title"],
        f"data      {kind}{f' ({options})' if options else ''}; inputs {shape}, outputs {summary['outputs']}",
        *(f"          {line}" for line in summary["facts"]),
        f"loss      {summary['loss']}",
        f"training  {training['steps']} steps, batch {training['batch_size']}, "
        f"learning rate {training['learning_rate']:g}{schedule}",
        *_learning_lines(training["learning"]),
        "",
        text_table(
            ("layer", "from", "neurons", "activation"),
            [(r["name"], ", ".join(r["from"]), r["neurons"], r["activation"]) for r in summary["layers"]],
        ),
        "",
        text_table(
            ("population", "layers", "relative width"),
            [(r["name"], ", ".join(r["layers"]), f"{r['width']:g}") for r in summary["populations"]],
        ),
        "",
        text_table(
            ("parameter", "array", "initial law", "rate", "gradient scaled by widths of"),
            [
                (
                    r["name"],
                    " × ".join(r["axes"]) or "one number",
                    r["law"],
                    r["rate"],
                    " × ".join(r["scaling"]) or "1",
                )
                for r in summary["parameters"]
            ],
        ),
    ]
    if summary["sizes"]:
        rows = [(r["width"], f"{r['parameters']:,}", bytes_text(r["bytes"])) for r in summary["sizes"]]
        parts += ["", text_table(("width n", "numbers to train", "memory (float64)"), rows)]
    return "\n".join(parts)
