"""Everything that can be wrong with a spec gives one located message, quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mfderive.errors import SpecError
from mfderive.format.reader import parse_document, read
from mfderive.samples.loading import load

from .documents import Document, changed, long_form, small

DENSE: Document = {"from": "h1", "weight": "normal(1, 1)"}
NAMED: Document = {"name": "W", "law": "normal(0, 1)"}


def second(*connections: Document, **keys: Any) -> Document:
    """``small()`` with the second layer in long form."""
    return changed("layers.1", long_form(*connections, **keys))


def third(connection: Document, weight: Any = NAMED, **keys: Any) -> Document:
    """``small()`` with a named weight in the second layer and a third layer that reads by a connection."""
    document = changed("layers.1.weight", weight)
    document["layers"].append({"name": "h3", "connections": [connection], **keys})
    return document


def laws(**parameters: Any) -> Document:
    """``small()`` whose second layer has parameters of these laws."""
    return second(DENSE, activation="a * h + b", parameters={"a": "0", "b": "0"} | parameters)


def with_layers(first: Document, later: Document) -> Document:
    """``small()`` with keys added to its two layers."""
    document = small()
    document["layers"][0] |= first
    document["layers"][1] |= later
    return document


def group(**keys: Any) -> Document:
    """``small()`` with a group of one layer in two copies; a key ``...`` is left out."""
    layers = [{"name": "inner", "from": "block", "weight": "normal(0, 1)"}]
    table = {"name": "block", "repeat": 2, "from": "h2", "layers": layers} | keys
    document = small()
    document["layers"].append({key: value for key, value in table.items() if value is not ...})
    return document


# document -> parts of the message: where (table, key) and what.
BAD: dict[str, tuple[Document, tuple[str, ...]]] = {
    "unknown key": (
        changed("layers.1.activaton", "relu"),
        ("layers[1] 'h2'", "unknown key 'activaton'", "Did you mean 'activation'"),
    ),
    "unknown table": (changed("lyers", []), ("unknown key 'lyers'", "Did you mean 'layers'")),
    "missing table": (changed("output", ...), ("key 'output'", "is missing")),
    "missing key": (changed("data.dimension", ...), ("data", "key 'dimension'", "is missing")),
    "missing learning rate": (
        changed("training.learning_rate", ...),
        ("training", "'learning_rate' is missing"),
    ),
    "wrong type": (
        changed("training.steps", "10"),
        ("training", "found '10'", "whole number", "without quotes: 10"),
    ),
    "rate in quotes": (changed("training.learning_rate", "0.1"), ("greater than 0", "without quotes: 0.1")),
    "rate as an expression": (
        changed("training.learning_rate", "1 / k"),
        ("learning_rate * schedule", 'schedule = "1 / (1 + k / 100)"'),
    ),
    "truth value in quotes": (changed("solver", {"reduce": "false"}), ("without quotes: false",)),
    "point in a whole number": (changed("training.steps", 10.0), ("without a decimal point: 10",)),
    "no word for a title": (changed("title", " "), ("Leave the key out", "what the page and the figures")),
    "fraction of a step": (changed("training.steps", 1.5), ("found 1.5", "whole number")),
    "true is no number": (changed("training.steps", True), ("found True", "whole number")),
    "list for a number": (changed("layers.1.width", [1]), ("found [1]", "number greater than 0")),
    "number for a law": (changed("layers.0.bias", 0), ("key 'bias'", 'Write it in quotes: "0"')),
    "number for a kernel": (
        second(DENSE | {"kind": "convolution", "kernel": 3}),
        ("key 'kernel'", "Write a list: [3]"),
    ),
    "another format": (changed("format", 2), ("key 'format'", "found 2")),
    "empty activation": (
        changed("layers.1.activation", ""),
        ("found ''", "leaves the key out", 'activation = "identity"'),
    ),
    "linear activation": (
        changed("layers.1.activation", "linear"),
        ("unknown activation 'linear'", 'activation = "identity"'),
    ),
    "no activation in a word": (changed("layers.1.activation", "none"), ('activation = "identity"',)),
    "step function": (changed("layers.1.activation", "step"), ("heaviside(h) is 1 where h > 0",)),
    "groups of a dense layer": (
        changed("layers.1.groups", 2),
        ("kind dense has none", 'Remove it, or take a kind that has it: "convolution" or "transposed-conv'),
    ),
    "padding of a dense layer": (
        changed("layers.1.padding", "same"),
        ("layers[1] 'h2', key 'padding'", '"max-pool" or "average-pool"'),
    ),
    "scale of a law": (
        changed("data", {"kind": "teacher", "dimension": 2, "target": "x1", "scale": "unit"}),
        ("the law itself states the size of its inputs", "Remove it; the size is stated by inputs, target"),
    ),
    "no layers": (changed("layers", []), ("no layers", "[[layers]]")),
    "layers as a table": (
        changed("layers", {"name": "h1"}),
        ("list of tables", "Write [[layers]] above the table, with two brackets"),
    ),
    "key of another table": (changed("layers.1.outputs", 2), ("It is a key of [output]. Allowed:",)),
    "key of two other tables": (
        changed("data.neurons", "h1"),
        ("unknown key 'neurons'. It is a key of a layer",),
    ),
    "key of another kind of data": (
        changed("data.means", [[0]]),
        ("data of kind isotropic-gaussians has none", 'take a kind that has it: "gaussian-mixture"'),
    ),
    "slips in numbers": (changed("layers.1.activation", "tanh(2h)"), ("a number runs into a name",)),
    "leading zeros": (changed("layers.1.weight", "normal(1, 033)"), ("a number begins with 0. Expr",)),
    "comma forgotten": (
        changed("layers.1.weight", "normal(0 1)"),
        ("not an expression: invalid syntax. Expr",),
    ),
    "kind of a loss misspelt": (changed("loss.kind", "square"), ("Did you mean 'squared'",)),
    "weight in the table of a group": (
        group(weight="0"),
        ("belongs to the layers of the group", "[[layers.layers]]"),
    ),
    "law of a list": (
        laws(a=[1]),
        ("found [1], but a law is a string or a table", "Give a law, for instance"),
    ),
    "misspelt activation": (
        changed("layers.1.activation", "rellu"),
        ("layers[1] 'h2', key 'activation'", "unknown activation 'rellu'", "Did you mean 'relu'? Allowed"),
    ),
    "misspelt function": (
        changed("layers.1.activation", "tahn(h)"),
        ("key 'activation'", "unknown function 'tahn'", "Did you mean 'tanh'"),
    ),
    "activation of two arguments": (
        changed("layers.1.activation", "max"),
        ("max takes 2 arguments", "max(h, 0)"),
    ),
    "foreign call": (changed("layers.1.activation", "exec(h)"), ("unknown function 'exec'",)),
    "bomb": (changed("layers.1.activation", "h * 9**9**9"), ("too large",)),
    "ten thousand brackets": (
        changed("layers.1.activation", "(" * 10_000 + "h" + ")" * 10_000),
        ("key 'activation'", "20001 characters"),
    ),
    "missing layer": (
        changed("layers.1.from", "h11"),
        ("layers[1] 'h2', key 'from'", "there is no layer 'h11'", "Did you mean 'h1'"),
    ),
    "output as a source": (changed("layers.1.from", "output"), ("the output is not a source",)),
    "own source": (changed("layers.1.from", "h2"), ("cycle: h2 -> h2",)),
    "cycle": (
        changed("layers.0.from", "h2"),
        ("cycle", "h1 -> h2 -> h1", 'kind = "recurrent"'),
    ),
    "duplicate name": (changed("layers.1.name", "h1"), ("layers[1] 'h1'", "two layers are called 'h1'")),
    "name of a layer": (changed("layers.1.name", "h 2"), ("key 'name'", "must be a name")),
    "keyword": (changed("layers.1.name", "lambda"), ("reserved name",)),
    "width 0": (changed("layers.1.width", 0), ("layers[1] 'h2', key 'width'", "found 0", "greater than 0")),
    "negative width": (changed("layers.1.width", -1.0), ("found -1.0",)),
    "size 0": (changed("layers.1.size", 0), ("key 'size'", "found 0")),
    "negative deviation": (
        changed("layers.1.weight", "normal(1, -0.1)"),
        ("layers[1] 'h2', key 'weight'", "standard deviation", "negative (-0.1)"),
    ),
    "negative computed deviation": (changed("layers.1.weight", "normal(1, 1 - sqrt(2))"), ("negative",)),
    "deviation is no number": (changed("layers.1.weight", "normal(1, sqrt(-1))"), ("not a finite number",)),
    "uniform upside down": (changed("layers.1.weight", "uniform(1, -1)"), ("low end above its high end",)),
    "negative radius": (changed("layers.0.weight", "sphere(-1)"), ("radius", "negative")),
    "sphere between populations": (changed("layers.1.weight", "sphere(1)"), ("finite vector",)),
    "misspelt law": (changed("layers.1.weight", "nromal(0, 1)"), ("Did you mean 'normal'? Allowed",)),
    "law of another program": (
        changed("layers.1.weight", "lognormal(0, 1)"),
        ("'lognormal' does not exist here; 'normal' has a similar name and is another function",),
    ),
    "function of another program": (
        changed("layers.1.activation", "crelu"),
        ("'crelu' does not exist here; 'relu' has a similar name and is another function",),
    ),
    "initializer of another program": (
        changed("layers.1.weight", "he_normal"),
        ("unknown name 'he_normal'", "normal(0, sqrt(2/fan_in))"),
    ),
    "law of one argument": (
        changed("layers.1.weight", "normal(0)"),
        ("normal takes 2 arguments", "Write normal(mean, deviation)"),
    ),
    "law in a product": (
        changed("layers.1.weight", "2 * normal(0, 1)"),
        ("a law stands alone", "write normal(0, 2)"),
    ),
    "fan_in of a population": (
        changed("layers.1.weight", "normal(0, 1/fan_in)"),
        ("fan_in", "'h1' is a population"),
    ),
    "fan_in of a bias": (changed("layers.0.bias", "fan_in"), ("only weights have a fan_in",)),
    "source of x": (changed("layers.0.weight", "source.b"), ("the source is x",)),
    "source of a bias": (changed("layers.0.bias", "source.b"), ("has no source",)),
    "unknown parameter of the source": (
        changed("layers.1.weight", "source.bais"),
        ("unknown name 'source.bais'", "Did you mean 'source.bias'"),
    ),
    "own value in a law": (
        changed("layers.0.weight", "target.w[0]"),
        ("'target.w' in 'target.w[0]' is not allowed", "does not name the values that it is the law of"),
    ),
    "weight without component": (changed("layers.1.weight", "source.w"), ("is a vector", "source.w[0]")),
    "weight of a pair": (
        changed("output.weight", "source.w[0]"),
        ("unknown name 'source.w'",),
    ),
    "laws in a circle": (laws(a="target.b", b="target.a"), ("circle", "h2.a", "h2.b")),
    "law in pre-activations": (changed("layers.1.weight", "h"), ("initial values only",)),
    "negative batch size": (
        changed("training.batch_size", -5),
        ("training, key 'batch_size'", "found -5", "'all'"),
    ),
    "negative learning rate": (changed("training.learning_rate", -0.1), ("greater than 0",)),
    "learning rate too large for a number": (
        changed("training.learning_rate", 10**400),
        ("which is too large. Write a number below 1e300|Numbers must be below 1e+300",),
    ),
    "steps 0": (changed("training.steps", 0), ("at least 1",)),
    "momentum as a key": (changed("training.momentum", 0.9), ("unknown key 'momentum'", 'kind = "momentum"')),
    "schedule in t": (changed("training.schedule", "1/t"), ("training, key 'schedule'", "unknown name 't'")),
    "schedule not finite": (changed("training.schedule", "1/(k - 1)"), ("k = 1",)),
    "negative schedule": (changed("training.schedule", "1.5 - k"), ("is -0.5 at k = 2",)),
    "from beside connections": (
        changed("layers.1.connections", [DENSE]),
        ("'from' stands beside [[connections]]",),
    ),
    "weight beside connections": (second(DENSE, weight="0"), ("'weight' stands beside",)),
    "no source": (changed("layers.1", {"name": "h2"}), ("layers[1] 'h2'", "no source")),
    "no connections": (second(), ("no source",)),
    "output without source": (changed("output", {"bias": "0"}), ("output", "no source")),
    "bias beside an expression": (
        changed("layers.0.activation", "tanh(h)"),
        ("layers[0] 'h1', key 'bias'", "parameters.b"),
    ),
    "bias in an expression": (changed("layers.1.activation", "tanh(h + bias)"), ("declare it",)),
    "unknown pre-activation": (
        second(DENSE, activation="h * sigmoid(g)"),
        ("key 'activation'", "unknown name 'g'"),
    ),
    "unused pre-activation": (
        second(DENSE, DENSE | {"into": "g"}, activation="tanh"),
        ("connections go into 'g', but the activation does not use it",),
    ),
    "nothing goes into h": (second(DENSE | {"into": "g"}, activation="tanh"), ("the activation acts on h",)),
    "nothing goes into h, no activation": (second(DENSE | {"into": "g"}), ("the activation acts on h",)),
    "pre-activation and parameter": (
        second(DENSE, DENSE | {"into": "g"}, activation="h * g", parameters={"g": "0"}),
        ("connections[1], key 'into'", "'g' is a parameter of the layer already"),
    ),
    "into the output": (
        changed("output", {"connections": [{"from": "h2", "weight": "0", "into": "g"}]}),
        ("output, connections[0], key 'into'",),
    ),
    "first mention without law": (
        changed("layers.1.weight", {"name": "W"}),
        ("layers[1] 'h2', key 'weight'", "'W' is mentioned here first, but has no law"),
    ),
    "second mention with law": (
        third({"from": "h1", "weight": NAMED}, neurons="h2"),
        ("layers[2] 'h3', connections[0], key 'weight'", "has its law already in layers[1] 'h2'"),
    ),
    "second mention with rate": (
        third({"from": "h1", "weight": {"name": "W", "rate": 2}}, neurons="h2"),
        ("key 'weight.rate'", "first mention"),
    ),
    "transposed first mention": (
        changed("layers.1.weight", NAMED | {"transpose": True}),
        ("'transpose' stands beside a law",),
    ),
    "weight with neither law nor name": (
        changed("layers.1.weight", {}),
        ("neither law nor name", 'law = "normal(0, 1)"'),
    ),
    "tie of other populations": (
        third({"from": "h1", "weight": {"name": "W"}}),
        ("layers[2] 'h3', connections[0]", "['h2', 'h1']", "['h3', 'h1'] is needed"),
    ),
    "tie with the wrong side": (
        third({"from": "h2", "weight": {"name": "W"}}, neurons="h1"),
        ("['h1', 'h2'] is needed", "transpose"),
    ),
    "tie of other sizes": (
        third({"from": "h1", "weight": {"name": "W"}}, NAMED, size=2),
        ("['h2', 'h1']", "[2, 'h1'] is needed"),
    ),
    "tie of unequal kinds": (
        third({"from": "h1", "kind": "convolution", "kernel": [3], "weight": {"name": "W"}}, neurons="h2"),
        ("unequal kinds or kernels",),
    ),
    "weight called as a layer": (
        changed("layers.1.weight", NAMED | {"name": "h1"}),
        ("'h1' is a layer already",),
    ),
    "weight with a reserved name": (changed("layers.1.weight", NAMED | {"name": "p"}), ("reserved name",)),
    "weight on a skip": (
        second({"from": "h1", "kind": "skip", "weight": "0"}, neurons="h1"),
        ("connections[0], key 'weight'", "kind skip has none"),
    ),
    "skip between populations": (
        second({"from": "h1", "kind": "skip"}),
        ("layers[1] 'h2', connections[0]", "same neurons", 'neurons = "h1"'),
    ),
    "skip from x": (
        second({"from": "x", "kind": "skip"}),
        ("kind skip keeps the neurons of its source, and x has none", "Let it read a layer"),
    ),
    "skip into the output": (
        changed("output", {"connections": [{"from": "h2", "kind": "skip"}]}),
        ("output, connections[0], key 'kind'", "cannot lead into the output", "dense"),
    ),
    "weight in a skip": (
        second({"from": "h1", "kind": "skip", "operation": "w * u"}, neurons="h1"),
        ("a skip has no weight",),
    ),
    "operation without its weight": (second({"from": "h1"}), ("needs a weight", "'weight' is missing")),
    "weight without use": (second(DENSE | {"operation": "tanh(u)"}), ("does not use its weight",)),
    "operation with a foreign name": (second(DENSE | {"operation": "w * v"}), ("unknown name 'v'",)),
    "operation with an unknown parameter": (
        second(DENSE | {"operation": "w * target.gain"}),
        ("unknown name 'target.gain'",),
    ),
    "operation with a mean": (second(DENSE | {"operation": "w * mean(u)"}), ("stand in an activation",)),
    "unknown neurons": (changed("layers.1.neurons", "h3"), ("key 'neurons'", "no layer 'h3'")),
    "own neurons": (changed("layers.1.neurons", "h2"), ("circle: h2 -> h2",)),
    "neurons of a later layer": (changed("layers.0.neurons", "h2"), ("evaluated after it", 'neurons = "h1"')),
    "width of shared neurons": (
        changed("layers.1", small()["layers"][1] | {"neurons": "h1", "width": 2.0}),
        ("'width' stands beside 'neurons'",),
    ),
    "size and width": (
        changed("layers.1", small()["layers"][1] | {"size": 2, "width": 2.0}),
        ("no 'width'",),
    ),
    "mean over a finite layer": (
        changed("layers.1", small()["layers"][1] | {"size": 2, "activation": "h - mean(h)"}),
        ("the layer is finite",),
    ),
    "bad parameter name": (laws(**{"a b": "0"}), ("'a b' is not a name",)),
    "reserved parameter name": (laws(mean2="0"), ("'mean2' is a reserved name",)),
    "parameter named as a function": (laws(tanh="0"), ("'tanh' is a reserved name",)),
    "parameter without law": (laws(a={"rate": 0}), ("layers[1] 'h2', parameters.a, key 'law'", "is missing")),
    "parameter of a number": (laws(a=1), ("key 'parameters.a'", 'a = "1"')),
    "rate in k": (laws(a={"law": "0", "rate": "1/k"}), ("key 'parameters.a.rate'", "unknown name 'k'")),
    "rate without a start": (laws(a={"law": "0", "rate": "1/t"}), ("parameters.a.rate", "at t = 0")),
    "kernel missing": (second(DENSE | {"kind": "convolution"}), ("'kernel' is missing",)),
    "kernel 0": (second(DENSE | {"kind": "convolution", "kernel": [0]}), ("key 'kernel'",)),
    "stride of another length": (
        second(DENSE | {"kind": "convolution", "kernel": [3], "stride": [1, 1]}),
        ("'stride' has 2 entries and 'kernel' has 1",),
    ),
    "padding of another length": (
        second(DENSE | {"kind": "convolution", "kernel": [3], "padding": [1, 1]}),
        ("'padding' has 2 entries",),
    ),
    "negative padding": (
        second(DENSE | {"kind": "convolution", "kernel": [3], "padding": [-1]}),
        ("'padding'",),
    ),
    "kernel on a dense": (second(DENSE | {"kernel": [3]}), ("a connection of kind dense has none",)),
    "unknown average": (second(DENSE | {"average": ["tap"]}), ("key 'average'",)),
    "average over a population": (second(DENSE | {"average": ["inputs"]}), ("divided already",)),
    "average twice": (
        changed(
            "layers.0",
            {"name": "h1", "connections": [{"from": "x", "weight": "0", "average": ["inputs"] * 2}]},
        ),
        ("named twice",),
    ),
    "unknown kind": (second(DENSE | {"kind": "convoluton"}), ("Did you mean 'convolution'",)),
    "kind of a number": (second(DENSE | {"kind": 3}), ("unknown kind 3",)),
    "unknown data": (changed("data.kind", "gaussians"), ("data, key 'kind'", "unknown kind 'gaussians'")),
    "data without kind": (changed("data", {}), ("data, key 'kind'", "missing")),
    "not finite data": (
        changed("data", {"kind": "gaussian-mixture", "means": [[float("nan")]], "labels": [1]}),
        ("key 'data.means[0][0]'", "not a finite number"),
    ),
    "infinite rate": (changed("training.learning_rate", float("inf")), ("not a finite number",)),
    "dimension 0": (changed("data.dimension", 0), ("found 0",)),
    "separation": (changed("data.separation", 2), ("between 0 and 1",)),
    "range of Gaussians": (changed("data.range", [0, 1]), ("no natural range",)),
    "shape that does not fit": (changed("data.shape", [2, 2]), ("4 entries", "3 inputs")),
    "ragged means": (
        changed("data", {"kind": "gaussian-mixture", "means": [[0, 1], [2]], "labels": [0, 1]}),
        ("mean 2 has 1 coordinate, but the first has 2", "Give every mean the same number"),
    ),
    "labels missing": (
        changed("data", {"kind": "gaussian-mixture", "means": [[0], [2]], "labels": [0]}),
        ("2 means, but 1 label", "Give one for each mean"),
    ),
    "teacher beyond its inputs": (
        changed("data", {"kind": "teacher", "dimension": 2, "target": "x1 * x3"}),
        ("key 'target'", "unknown name 'x3'"),
    ),
    "teacher's law": (
        changed("data", {"kind": "teacher", "dimension": 2, "target": "x1", "inputs": "normal(0, -1)"}),
        ("key 'inputs'", "negative"),
    ),
    "empty range": (changed("data", {"kind": "digits", "range": [1, 0]}), ("range", "empty")),
    "one of two test files": (
        changed("data", {"kind": "idx", "images": "a", "labels": "b", "test_images": "c"}),
        ("belong together",),
    ),
    "unknown loss": (changed("loss.kind", "cross_entropy"), ("Did you mean 'cross-entropy'",)),
    "huber's delta": (changed("loss", {"kind": "huber", "delta": 0}), ("loss, key 'delta'",)),
    "delta of squared": (
        changed("loss.delta", 1.0),
        ("a loss of kind squared has none", 'take a kind that has it: "huber"'),
    ),
    "loss without yhat": (changed("loss", {"kind": "expression", "expression": "y**2"}), ("depend on yhat",)),
    "loss in h": (changed("loss", {"kind": "expression", "expression": "yhat - h"}), ("unknown name 'h'",)),
    "steps only at one end": (
        second(DENSE | {"kind": "recurrent"}, steps=3),
        ("reads 1 step back, but 'h1' has no steps", "steps = T"),
    ),
    "recurrent without steps": (second(DENSE | {"kind": "recurrent"}), ("'h2' has no steps",)),
    "delay without steps": (second(DENSE | {"delay": 2}), ("key 'delay'", "reads 2 steps back")),
    "unequal steps": (
        with_layers({"steps": 2}, {"steps": 3}),
        ("'h2' has 3 steps and 'h1' has 2", "equal numbers of steps"),
    ),
    "mean over the batch": (
        changed("layers.1.activation", "tanh(h - mean(h, data))"),
        ("mean over data", "would depend on the other samples", "Write mean(h)"),
    ),
    "mean over steps": (changed("layers.1.activation", "mean(h, steps)"), ("steps = T",)),
    "weight of a pool": (changed("layers.1.kind", "max-pool"), ("kind max-pool has none", "'weight'")),
    "window missing": (
        changed("layers.1", {"name": "h2", "from": "h1", "kind": "max-pool"}),
        ("'window' is missing",),
    ),
    "pool of x": (
        changed("layers.1", {"name": "h2", "from": "x", "kind": "max-pool", "window": [2]}),
        ("kind max-pool keeps the neurons of its source, and x has none",),
    ),
    "stride beside all": (
        changed("layers.1", {"name": "h2", "from": "h1", "kind": "max-pool", "window": "all", "stride": [1]}),
        ("key 'stride'", 'stands beside window = "all"'),
    ),
    "window of a word": (
        changed("layers.1", {"name": "h2", "from": "h1", "kind": "max-pool", "window": "al"}),
        ("key 'window'", "'all' or a list"),
    ),
    "skip between different populations": (
        second({"from": "h1", "kind": "skip"}),
        ("layers[1] 'h2'", "skip needs the same neurons", 'neurons = "h1"'),
    ),
    "kind beside connections": (
        second(DENSE, kind="dense"),
        ("'kind' stands beside [[connections]]",),
    ),
    "operation beside connections": (
        second(DENSE, operation="w * u"),
        ("key 'operation'", "'operation' stands beside [[connections]]"),
    ),
    "operation in the short form without its weight": (
        changed("layers.1", {"name": "h2", "from": "h1", "operation": "tanh(w * u)"}),
        ("needs a weight", "'weight' is missing"),
    ),
    "into in the short form of the output": (
        changed("output.into", "g"),
        ("output, key 'into'", "only one pre-activation"),
    ),
    "delay as long as the steps": (
        with_layers({"steps": 2}, {"steps": 2, "delay": 2}),
        ("layers[1] 'h2', key 'delay'", "reads 2 steps back", "'h2' has only 2", "more than 2 steps"),
    ),
    "recurrence with one step": (
        with_layers({"steps": 1}, {"steps": 1, "kind": "recurrent"}),
        ("layers[1] 'h2', key 'kind'", "reads 1 step back", "'h2' has only 1"),
    ),
    "negative rate": (
        laws(a={"law": "0", "rate": -0.5}),
        ("parameters.a, key 'rate'", "found -0.5", "number of at least 0", "Meaning: factor of its learning"),
    ),
    "negative rate of a weight": (
        changed("layers.1.weight", {"law": "0", "rate": -1}),
        ("layers[1] 'h2', weight, key 'rate'", "found -1", "number of at least 0"),
    ),
    "rate that starts negative": (
        laws(a={"law": "0", "rate": "t - 2"}),
        ("key 'parameters.a.rate'", "t - 2 is -2 at t = 0", "at least 0"),
    ),
    "widths of a check twice": (
        changed("check", {"widths": [8, 8, 16]}),
        ("check, key 'widths'", "found [8, 8, 16]", "each once"),
    ),
    "nodes of no population": (
        changed("solver", {"nodes": {"h1": 8, "h3": 8}}),
        ("solver, key 'nodes.h3'", "no population 'h3'", "h1, h2, noise h2.weight"),
    ),
    "nodes below 1 by name": (
        changed("solver", {"nodes": {"h1": 0}}),
        ("solver, key 'nodes'", "found {'h1': 0}", "at least 1, for all or as a table by name"),
    ),
    "nodes of no names": (changed("solver", {"nodes": {}}), ("solver, key 'nodes'", "found {}")),
    "widths of edge noise": (
        changed("solver", {"widths": {"noise h2.weight": 8}}),
        ("solver, key 'widths.noise h2.weight'", "Allowed: h1, h2"),
    ),
    "unknown rule": (
        changed("solver", {"rule": "sobl"}),
        ("solver, key 'rule'", "'gauss' or 'sobol' or 'monte-carlo'"),
    ),
    "unknown rule by name": (
        changed("solver", {"rule": {"h1": "sobl"}}),
        ("solver, key 'rule'", "found {'h1': 'sobl'}", "'sobol'"),
    ),
    "nodes of shared neurons": (
        with_layers({}, {"neurons": "h1"}) | {"solver": {"nodes": {"h2": 8}}},
        ("solver, key 'nodes.h2'", "'h2' has the neurons of 'h1'"),
    ),
    "teacher with an unknown coordinate": (
        changed("data", {"kind": "teacher", "dimension": 4, "target": "x9"}),
        ("key 'target'", "unknown name 'x9'", "4 coordinates", "Allowed: x1, x2, x3, x4"),
    ),
    "teacher with an unknown name": (
        changed("data", {"kind": "teacher", "dimension": 3, "target": "x1 + z"}),
        ("unknown name 'z'", "x1, x2, x3"),
    ),
    "teacher with an unknown name among many": (
        changed("data", {"kind": "teacher", "dimension": 784, "target": ["x1", "x2 + z"]}),
        ("unknown name 'z'", "Allowed: x1 ... x784"),
    ),
    "repeat of a long form": (second(DENSE, repeat=3), ("key 'repeat'", "[[layers.layers]]")),
    "repeat 0": (changed("layers.1.repeat", 0), ("key 'repeat'", "at least 1")),
    "too many copies": (changed("layers.1.repeat", 10**9), ("key 'repeat'", "too many")),
    "group without layers": (group(layers=[]), ("there are no layers in the group",)),
    "group without source": (group(**{"from": ...}), ("the key 'from' is missing",)),
    "group without repeat": (group(repeat=...), ("the key 'repeat' is missing",)),
    "unknown key of a group": (group(wieght="0"), ("unknown key 'wieght'",)),
    "reserved name of a group": (group(name="mean"), ("reserved name",)),
    "group named as its layer": (group(name="inner"), ("name of its layer",)),
    "unknown key in a group": (
        group(layers=[{"name": "inner", "from": "block", "wait": "0"}]),
        ("layers[2] 'block', layers[0] 'inner', copy 1", "unknown key 'wait'"),
    ),
    "unknown source in a group": (
        group(layers=[{"name": "inner", "from": "blok", "weight": "0"}]),
        ("copy 1", "no layer 'blok'"),
    ),
    "unknown default": (changed("solver", {"width": 3}), ("solver", "unknown key 'width'", "widths")),
    "widths of a check": (changed("check", {"widths": [50, 0]}), ("check, key 'widths'",)),
    "foreign object": (changed("title", object()), ("found an object",)),
    "key that is no string": (changed("data", {1: 2}), ("keys are strings",)),
}
RESERVED = "h u w x y yhat t k d source target mean sum pi bias out p data loss output max tanh positions1"


@pytest.mark.parametrize("name", BAD)
def test_bad_documents(name: str) -> None:
    document, parts = BAD[name]
    with pytest.raises(SpecError) as caught:
        parse_document(document, "some.toml")
    message = str(caught.value)
    assert message.startswith("some.toml")
    assert caught.value.exit_code == 2
    assert len(message) < 700
    for part in parts:
        assert any(choice in message for choice in part.split("|")), message


@pytest.mark.parametrize("name", RESERVED.split())
@pytest.mark.parametrize("place", ["layer", "parameter", "pre-activation", "weight"])
def test_reserved_names(name: str, place: str) -> None:
    documents = {
        "layer": changed("layers.1.name", name),
        "parameter": laws(**{name: "0"}),
        "pre-activation": second(DENSE, DENSE | {"into": name}, activation="h"),
        "weight": changed("layers.1.weight", NAMED | {"name": name}),
    }
    if place == "pre-activation" and name == "h":
        pytest.skip("h is the main pre-activation")
    with pytest.raises(SpecError, match=f"'{name}' is a reserved name"):
        parse_document(documents[place])


def test_small_document_is_correct() -> None:
    """The control of this file: what the bad documents differ from is accepted."""
    parse_document(small())
    parse_document(second(DENSE, activation="tanh"))
    parse_document(laws())
    parse_document(third({"from": "h1", "weight": {"name": "W"}}, neurons="h2"))
    parse_document(third({"from": "h2", "weight": {"name": "W", "transpose": True}}, neurons="h1"))


FILES = {
    "empty": (b"", "is missing"),
    "not TOML": (b"format = \n", "this is not TOML"),
    "cut off": (b'format = 1\ntitle = "abc', "this is not TOML"),
    "twice the same key": (b"format = 1\nformat = 1\n", "this is not TOML"),
    "twice the same table": (
        b"[data.a]\n[data.a]\n",
        r"Cannot declare \[data\.a\] twice .*Texts stand in quotes",
    ),
    "text without quotes": (
        b"activation = relu\n",
        "Invalid value .at line 1, column 14.. Texts stand in quotes",
    ),
    "binary": (bytes(range(256)), "not a text file"),
    "too large": (b"# " + b"x" * 1_100_000, "larger than"),
    "deep lists": (b"format = " + b"[" * 5000 + b"]" * 5000, "nested too deep"),
    "long number": (b"format = " + b"9" * 10_000, "not TOML"),
    "date": (b"format = 1\ntitle = 1979-05-27\n", "found a date"),
    "nan": (b"format = 1\n[training]\nlearning_rate = nan\n", "key 'training.learning_rate': found nan"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    content, expected = FILES[name]
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=expected) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        read(tmp_path / "absent.toml")
    with pytest.raises(SpecError, match="not a file"):
        read(tmp_path)
    with pytest.raises(SpecError, match="cannot be read"):
        read("a" * 5000)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("specs/net", r"^specs/net: there is no such file\. Did you mean 'specs/net\.toml'\?$"),
        ("specs/nte.toml", r"Did you mean 'specs/net\.toml'\?$"),
        ("specs/nte", r"Did you mean 'specs/net\.toml'\?$"),
        ("specs/v1.5", r"Did you mean 'specs/v1\.5\.toml'\?$"),
        ("net", r"^net: there is no such file\. Did you mean 'specs/net\.toml'\?$"),
        ("two_layer", r"Did you mean '/.*/specs/two_layer\.toml'\?$"),
        ("spec/zzz", r"There is no folder 'spec' either$"),
        ("specs/zzz", r"Give the path of a spec \(\.toml\); specs there: net\.toml, v1\.5\.toml$"),
        ("zzz", r"Give the path of a spec \(\.toml\)$"),
    ],
)
def test_a_spec_that_is_not_there_is_answered_with_one_that_is(tmp_path, monkeypatch, asked, says) -> None:
    (tmp_path / "specs").mkdir()
    for name in ("net.toml", "v1.5.toml"):
        (tmp_path / "specs" / name).write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=says):
        read(asked)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text("format = 1\n", encoding="utf-8-sig")
    with pytest.raises(SpecError, match="key 'data' is missing"):
        read(path)


@pytest.mark.parametrize("spec", [None, 3, b"specs/three_layer.toml", ["specs/three_layer.toml"]])
def test_what_is_no_spec(spec: Any) -> None:
    with pytest.raises(SpecError, match="a spec is the path of a TOML file"):
        load(spec)


LONG = "a" * 100_000
FLOODS = {
    "key": changed(f"layers.1.{LONG}", 1),
    "table": changed(LONG, {}),
    "name": changed("layers.1.name", LONG),
    "source": changed("layers.1.from", LONG),
    "kind": changed("layers.1.kind", LONG),
    "kind of data": changed("data.kind", LONG),
    "kind of loss": changed("loss.kind", LONG),
    "activation": changed("layers.1.activation", LONG),
    "expression": changed("layers.1.activation", f"tanh({LONG} + 1)"),
    "law": changed("layers.1.weight", LONG),
    "schedule": changed("training.schedule", LONG),
    "number": changed("training.steps", LONG),
    "list": changed("training.steps", [1] * 100_000),
    "digits": changed("training.steps", 10**5_000),
    "neurons": changed("layers.1.neurons", LONG),
    "population": changed("solver", {"nodes": {LONG: 3}}),
    "parameter": changed("layers.1.parameters", {LONG: "0"}),
    "weight": changed("layers.1.weight", {"name": LONG, "law": "0"}),
    "group": group(name=LONG),
    "group's source": group(**{"from": LONG}),
    "file": changed("data", {"kind": "arrays", "file": LONG}),
    "column": changed("data", {"kind": "arrays", "x": LONG, "y": LONG}),
    "nested": changed("layers.1.activation", {LONG: {LONG: LONG}}),
}


@pytest.mark.parametrize("name", FLOODS)
def test_values_are_cut_to_a_line_with_their_length(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(FLOODS[name])
    message = str(caught.value)
    assert len(message) < 1200 and "\n" not in message and "a" * 200 not in message
    said = ("(1000", "digits", "at most", "1 entries")
    assert any(each in message for each in said)


@pytest.mark.parametrize(
    "layers",
    [
        [{"from": "block", "weight": "0"}],
        [{"name": 3, "from": "block", "weight": "0"}],
        [{"name": "a", "from": "block", "weight": "0"}, {"from": "a", "weight": "0"}],
        [{"name": "inner", "repeat": 2, "from": "block", "layers": [{"from": "inner", "weight": "0"}]}],
    ],
    ids=["missing", "number", "last", "nested"],
)
def test_a_layer_without_name_in_a_group_is_located(layers: list[Any]) -> None:
    with pytest.raises(SpecError) as caught:
        parse_document(group(layers=layers))
    assert caught.value.table is not None and caught.value.table.startswith("layers[2] 'block', layers[")
    assert caught.value.key == "name"
