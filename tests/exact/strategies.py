"""Random spec documents (format 1, plain data as TOML gives it) with every feature of the format.

A document is built layer by layer, so that it is valid by construction: shapes fit, ties are compatible,
names exist where they are used. ``features`` records what it contains; the tests assert that all occur.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from .choices import Choices, HypothesisChoices, Picker, SeededChoices
from .parts import Node, Parts, Tie, Weights
from .vocabulary import COARSE, INEXACT, SMOOTH

Document = dict[str, Any]

_FEATURES = """
max-pool average-pool pool-all pool-padding transposed-convolution steps recurrent delay average-steps repeat
dense skip convolution stride padding average short-form long-form finite shared into neuron-parameter
activation-expression mean-neurons mean-positions sum-positions max-positions softmax-positions
nonlinear-weight end-in-operation end-in-law component named-tie transposed-tie several-weights
several-outputs several-into-output output-without-weight relative-width rate-in-time frozen positions
several-positions inner-dense squared cross-entropy logistic huber expression shuffled input-to-output
autoencoder
"""
FEATURES = frozenset(_FEATURES.split())


@dataclass(frozen=True)
class Specimen:
    """A random document and what is needed to try it: seeds, a batch, a time.

    ``arrays`` (x, y) are given to ``load`` where the data kind is "arrays". ``coarse``: kinks and ties.
    """

    document: Document
    arrays: tuple[Any, Any] | None
    batch: tuple[Any, Any]
    base_width: int
    seed: int
    t: float
    coarse: bool
    features: frozenset[str] = field(compare=False)


def random_specimen(choices: Choices, coarse: bool = False) -> Specimen:
    """A random spec with a batch of data."""
    return _Author(Picker(choices), coarse).specimen()


def seeded(seed: int, coarse: bool = False) -> Specimen:
    """The random spec of a seed."""
    return random_specimen(SeededChoices(seed), coarse)


@st.composite
def specimens(draw: Any, coarse: bool = False) -> Specimen:
    """A hypothesis strategy of random specs."""
    return random_specimen(HypothesisChoices(draw), coarse)


class _Author:
    """Writes one document; keeps what later layers may refer to."""

    def __init__(self, picker: Picker, coarse: bool) -> None:
        self.picker = picker
        self.coarse = coarse
        self.words = COARSE if coarse else SMOOTH
        self.features: set[str] = set()
        self.layers: list[Document] = []
        self.nodes: list[Node] = []
        self.ties: list[Tie] = []
        self.parts = Parts(picker, self.words, self.features, coarse)
        # Layers in any order; a tie must first be mentioned with its law, so there are none then.
        self.shuffled = picker.chance(15)
        self.weights = Weights(self.parts, self.ties, named=0 if self.shuffled else 40)
        self.inexact = False

    # ------------------------------------------------------------------ the whole

    def specimen(self) -> Specimen:
        """Choose data, layers, output and loss."""
        # Layers that are evaluated at every step of a sequence: x is [steps, ...].
        self.steps = (
            self.picker.pick((0, 0, 0, 0, 2)) if self.coarse else self.picker.pick((0, 0, 0, 0, 2, 3))
        )
        shape = self.shape()
        self.loss_kind = self.loss()
        self.outputs = self.output_count(shape)
        self.input = Node("x", "x", shape[0], shape[1:], steps=self.steps)
        shape = (self.steps, *shape) if self.steps else shape
        for number in range(self.picker.pick((2, 1, 2, 3, 4))):
            self.layer(f"h{number + 1}")
        output = self.output()
        if self.shuffled and len(self.layers) > 1:
            self.features.add("shuffled")
            self.layers.reverse()
        data, arrays = self.parts.data(shape, self.outputs, self.loss_kind, self.features)
        document = {
            "format": 1,
            "title": "random",
            "data": data,
            "loss": self.loss_table(),
            "layers": self.layers,
            "output": output,
            "training": {"learning_rate": 0.1, "steps": 3, "batch_size": 2},
        }
        batch = self.parts.batch(shape, self.outputs, self.loss_kind, "autoencoder" in self.features)
        return Specimen(
            document=document,
            arrays=arrays,
            batch=batch,
            base_width=self.picker.pick((2, 4)) if self.coarse else self.picker.number(2, 4),
            seed=self.picker.seed(),
            t=self.picker.number(1, 30) / 10,
            coarse=self.coarse,
            features=frozenset(self.features),
        )

    def shape(self) -> tuple[int, ...]:
        """The shape of one input: flat, or channels and positions."""
        kind = self.picker.pick(("flat", "flat", "positions", "positions", "several"))
        if kind == "flat":
            return (self.picker.number(1, 4),)
        channels = self.picker.number(1, 2)
        if kind == "several":
            self.features.add("several-positions")
            return (channels, 2, self.picker.number(2, 3))
        self.features.add("positions")
        return (channels, self.picker.number(3, 6))

    def loss(self) -> str:
        """The kind of loss."""
        kinds = ("squared", "expression", "huber", "logistic", "cross-entropy")
        kind = self.picker.pick(("squared", *kinds))
        self.features.add(kind)
        return kind

    def output_count(self, shape: tuple[int, ...]) -> int:
        """How many outputs; an autoencoder has as many as inputs."""
        if self.loss_kind == "squared" and self.picker.chance(25):
            size = 1
            for part in (*shape, self.steps or 1):
                size *= part
            if size <= 6:
                self.features.add("autoencoder")
                return size
        low = 2 if self.loss_kind == "cross-entropy" else 1
        count = self.picker.number(low, 3)
        if count > 1:
            self.features.add("several-outputs")
        return count

    def loss_table(self) -> Document:
        """The table [loss]."""
        if self.loss_kind == "huber":
            return {"kind": "huber", "delta": self.picker.pick((0.5, 1))}
        if self.loss_kind == "expression":
            smooth = ("(yhat - y)**4 / 4", "(yhat[0] - y[0])**2")
            return {
                "kind": "expression",
                "expression": self.picker.pick(smooth if self.inexact else self.words.losses),
            }
        return {"kind": self.loss_kind}

    # ------------------------------------------------------------------ layers

    def layer(self, name: str) -> None:
        """One more layer."""
        table: Document = {"name": name}
        node = self.neurons(name, table)
        # x is a sequence only if a layer with steps reads it: the first layer does.
        if self.steps and (not self.nodes or self.picker.chance(80)):
            table["steps"] = self.steps
            node = replace(node, steps=self.steps)
            self.features.add("steps")
        parameters, values = self.parts.parameters(node)
        node = replace(node, values=values)
        connections, node, pre = self.connections(node)
        activation = self.activation(node, pre, bool(parameters))
        if parameters:
            table["parameters"] = parameters
        table.update(activation)
        if "bias" in activation:
            node = replace(node, values=(*node.values, ("bias", ())))
        self.place(table, connections)
        self.layers.append(table)
        self.nodes.append(self.weights.with_labels(node, connections))

    def neurons(self, name: str, table: Document) -> Node:
        """A new population, a shared one, or a finite layer."""
        kind = self.picker.pick(
            ("new", "new", "shared", "finite") if self.nodes else ("new", "new", "finite")
        )
        if kind == "shared":
            owner = self.picker.pick(self.nodes)
            table["neurons"] = owner.name
            self.features.add("shared")
            return Node(name, owner.root, owner.size)
        if kind == "finite":
            table["size"] = self.picker.pick((2, 1, 4) if self.coarse else (2, 1, 3))
            self.features.add("finite")
            return Node(name, name, table["size"])
        if self.picker.chance(25):
            table["width"] = self.picker.pick((2.0, 0.5) if self.coarse else (2, 0.5, 1.5))
            self.features.add("relative-width")
        return Node(name, name, None)

    def connections(self, node: Node) -> tuple[list[Document], Node, list[str]]:
        """One to three connections; the first skip or convolution decides the positions of the layer."""
        sources = [*self.nodes, self.input]
        found: list[Document] = []
        pre = ["h"]
        positions: tuple[int, ...] | None = None
        for number in range(self.picker.pick((1, 1, 2, 3))):
            latest = self.nodes and self.picker.chance(60)
            source = self.nodes[-1] if latest else self.picker.pick(sources)
            kind, table, positions = self.parts.kind(node, source, positions)
            self.features.add("dense" if kind == "dense" else kind)
            if kind == "dense" and source.root == node.root:
                self.features.add("inner-dense")
            found.append({"from": source.name, **table})
            self.weights.read(found[-1], kind, node, source)
            if number and node.steps and source.steps and self.picker.chance(30):
                found[-1]["delay"] = 1
                self.features.add("delay")
            if number and self.picker.chance(25):
                found[-1]["into"] = "g"
                self.features.add("into")
                pre = ["h", "g"]
        node = replace(node, positions=positions or ())
        if node.steps and self.picker.chance(60):
            found.append(self.recurrent(node))
        if sum("weight" in each for each in found) > 1:
            self.features.add("several-weights")
        return found, node, pre

    def recurrent(self, node: Node) -> Document:
        """A connection from the step before, of the layer itself or of one before it."""
        source = self.picker.pick([node, *(each for each in self.nodes if each.steps)])
        self.features.add("recurrent")
        same = (source.root, source.positions) == (node.root, node.positions)
        if same and self.picker.chance(30):
            return {"from": source.name, "kind": "skip", "delay": 1}
        table: Document = {"from": source.name, "kind": "recurrent"}
        self.weights.read(table, "recurrent", node, replace(source, values=()))
        return table

    def activation(self, node: Node, pre: list[str], has_parameters: bool) -> Document:
        """A bare function with or without bias, the identity, or an expression."""
        if len(pre) > 1 or has_parameters or self.picker.chance(30):
            self.features.add("activation-expression")
            return {"activation": self.parts.expression(node, pre)}
        result: Document = {}
        if self.picker.chance(80):
            result["activation"] = self.picker.pick(self.words.functions)
        if self.picker.chance(50):
            result["bias"] = self.parts.parameter_law(node)
        return result

    def place(self, table: Document, connections: list[Document]) -> None:
        """Write the connections in the short form where they fit it."""
        short = len(connections) == 1 and not {"operation", "into", "delay"} & set(connections[0])
        if short and self.picker.chance(85):
            self.features.add("short-form")
            table.update(connections[0])
            self.repeat(table)
        else:
            self.features.add("long-form")
            table["connections"] = connections

    def repeat(self, table: Document) -> None:
        """Write a chain of copies of a layer whose first copy reads what the others read: a population."""
        weight = str(table.get("weight", ""))
        source = next((node for node in self.nodes if node.name == table["from"]), None)
        if (
            "name" not in table
            or source is None
            or source.size is not None
            or {"size", "steps", "kind"} & set(table)
            or source.positions
            or any(word in weight for word in ("source.", "name"))
        ):
            return
        own = table.get("neurons")
        if own is not None and next(node for node in self.nodes if node.name == own).size is not None:
            return
        table["repeat"] = self.picker.pick((2, 3))
        self.features.add("repeat")

    # ------------------------------------------------------------------ output

    def output(self) -> Document:
        """The output: one or several layers, with or without weights."""
        table: Document = {}
        node = Node("output", "output", self.outputs)
        last = self.nodes[-1]
        if (
            self.coarse
            and self.picker.chance(20)
            and self.layers[-1].get("activation") in self.words.functions
        ):
            self.layers[-1]["activation"], self.inexact = self.picker.pick(INEXACT), True
        sources = [last]
        while len(sources) < 3 and self.picker.chance(25):
            sources.append(self.picker.pick([*self.nodes, self.input]))
            self.features.add("several-into-output")
            if sources[-1] is self.input:
                self.features.add("input-to-output")
        connections = []
        for source in sources:
            connection: Document = {"from": source.name}
            if self.outputs == 1 and self.picker.chance(30):
                self.features.add("output-without-weight")
                if source is self.input:
                    connection["operation"] = "u"
            else:
                self.parts.averages(connection, "dense", source)
                if source.steps and self.picker.chance(50) and (not self.coarse or source.steps in (2, 4)):
                    connection["average"] = [*connection.get("average", ()), "steps"]
                    self.features.add("average-steps")
                self.weights.read(connection, "dense", node, source, must=True)
            connections.append(connection)
        if self.picker.chance(40):
            table["bias"] = self.parts.parameter_law(replace(node, values=()))
        if self.picker.chance(20):
            table["outputs"] = self.outputs
        self.place(table, connections)
        return table
