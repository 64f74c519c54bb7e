"""The parts of a random spec: connections, weights and ties, expressions, laws, data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .choices import Picker
from .vocabulary import Vocabulary
from .windows import pools, turned, windows

Table = dict[str, Any]
Shape = tuple[int, ...]
WEIGHTLESS = ("skip", "max-pool", "average-pool")


@dataclass(frozen=True)
class Node:
    """A layer (or x, or the output): whose neurons it has, its positions, what source.X may name.

    ``size`` is None for a population. ``values`` are names with the sizes of their components.
    """

    name: str
    root: str
    size: int | None
    positions: Shape = ()
    values: tuple[tuple[str, Shape], ...] = ()
    steps: int = 0

    @property
    def end(self) -> str | int:
        """What ties compare: the population, or the size of a finite layer."""
        return self.root if self.size is None else self.size


@dataclass(frozen=True)
class Tie:
    """A named weight: the kind of its connection, its two ends and its further sizes."""

    name: str
    kind: str
    ends: tuple[str | int, str | int]
    rest: Shape


class Parts:
    """Draws parts and notes their features."""

    def __init__(self, picker: Picker, words: Vocabulary, features: set[str], coarse: bool) -> None:
        self.picker, self.words, self.features, self.coarse = picker, words, features, coarse

    # ------------------------------------------------------------------ connections

    def kind(self, node: Node, source: Node, positions: Shape | None) -> tuple[str, Table, Shape | None]:
        """A kind that fits the positions chosen so far, with its keys, and the positions after it."""
        shares = source.root == node.root
        kinds = ["dense"]
        if shares and positions in (None, source.positions):
            kinds += ["skip", "skip"]
        options = {
            "convolution": windows(source.positions, positions, "kernel"),
            "transposed-convolution": turned(source.positions, positions) if source.positions else [],
        }
        if shares and source.positions:
            options["max-pool"] = pools(source.positions, positions, False)
            options["average-pool"] = pools(source.positions, positions, self.coarse)
            if positions in (None, ()):
                options["max-pool"] += [({"window": "all"}, ())] * 40
                if not self.coarse or int(np.prod(source.positions)) in (1, 2, 4, 8):
                    options["average-pool"] += [({"window": "all"}, ())] * 40
        for name, weight in (
            ("convolution", 2),
            ("transposed-convolution", 1),
            ("max-pool", 5),
            ("average-pool", 4),
        ):
            kinds += [name] * weight if options.get(name) else []
        kind = self.picker.pick(kinds)
        table: Table = {} if kind == "dense" else {"kind": kind}
        if kind == "skip":
            return kind, table, source.positions
        if kind == "dense":
            self.averages(table, kind, source)
            return kind, table, positions
        keys, left = self.picker.pick(options[kind])
        table.update(keys)
        if keys.get("window") == "all":
            self.features.add("pool-all")
        elif kind in WEIGHTLESS:
            self.features.update({"pool-padding"} if "padding" in keys else ())
        else:
            self.features.update({"stride", "padding"} & set(keys))
            self.averages(table, kind, source)
        return kind, table, left

    def averages(self, table: Table, kind: str, source: Node) -> None:
        """Divide finite sums too, where the quotient is exact if it must be."""
        counts = {}
        if source.size is not None:
            counts["inputs"] = source.size
        if kind in ("dense", "recurrent") and source.positions:
            counts["positions"] = int(np.prod(source.positions))
        if "kernel" in table:
            counts["taps"] = int(np.prod(table["kernel"]))
        allowed = [name for name, count in counts.items() if not self.coarse or count in (1, 2, 4, 8)]
        chosen = [name for name in allowed if self.picker.chance(20)]
        if chosen:
            table["average"] = chosen
            self.features.add("average")

    # ------------------------------------------------------------------ names at the ends

    def named(self, template: str, node: Node | None, source: Node | None) -> str | None:
        """A template with values of the ends filled in; None where there is no such value."""
        for letter, end, place in (("{a}", "source", source), ("{b}", "target", node)):
            if letter in template:
                values = place.values if place is not None else ()
                if not values:
                    return None
                template = template.replace(letter, f"{end}.{self.value(values)}")
        return template

    def value(self, values: tuple[tuple[str, Shape], ...]) -> str:
        """One value of a neuron, with its component where it has several."""
        name, sizes = self.picker.pick(values)
        if not sizes:
            return name
        self.features.add("component")
        return f"{name}[{', '.join(str(self.picker.number(0, size - 1)) for size in sizes)}]"

    # ------------------------------------------------------------------ parameters and laws

    def parameters(self, node: Node) -> tuple[Table, tuple[tuple[str, Shape], ...]]:
        """Per-neuron parameters of a layer; a later one may be given by an earlier one."""
        table: Table = {}
        for name in ("gain", "shift")[: self.picker.pick((0, 0, 1, 2))]:
            table[name] = self.parameter_law(replace(node, values=tuple((known, ()) for known in table)))
            self.features.add("neuron-parameter")
        return table, tuple((name, ()) for name in table)

    def parameter_law(self, node: Node) -> Any:
        """A law of one neuron, as a string or as a table with a rate."""
        law = self.picker.pick(self.words.laws)
        if node.values and self.picker.chance(40):
            law = self.named(self.picker.pick(self.words.linked), node, None) or law
        return self.rated(law, self.picker.chance(35))

    def rated(self, law: str, table: bool) -> Any:
        """The law alone, or in a table with a rate."""
        return {"law": law, "rate": self.rate()} if table else law

    def rate(self) -> object:
        """A rate: a number, 0, or an expression in t."""
        rate = self.picker.pick(self.words.rates)
        self.features.update(
            {"rate-in-time"} if isinstance(rate, str) else {"frozen"} if rate == 0 else set()
        )
        return rate

    def weight_law(self, node: Node, source: Node) -> str:
        """The law of a weight."""
        if self.picker.chance(30):
            law = self.named(self.picker.pick(self.words.linked), node, source)
            if law is not None:
                self.features.add("end-in-law")
                return law
        laws = list(self.words.laws)
        if source.size is not None and not self.coarse:
            laws += ["normal(0, sqrt(2 / fan_in))", "sphere(1.2)"]
        return self.picker.pick(laws)

    # ------------------------------------------------------------------ activations

    def expression(self, node: Node, pre: list[str]) -> str:
        """An expression in every pre-activation and parameter, with statistics where they exist."""
        names = [*pre, *(name for name, _ in node.values)]
        text = self.tree(node, names, 2)
        for name in names:
            # Every pre-activation must be used; a factor of its own keeps it from cancelling.
            text = f"{self.picker.pick(self.words.inner).format(name)} * 0.5 + {text}"
        return text

    def tree(self, node: Node, names: list[str], depth: int) -> str:
        """A random expression tree."""
        if depth == 0 or self.picker.chance(15):
            return self.picker.pick([*names, self.picker.pick(self.words.numbers)])
        form = self.picker.pick(("inner", "pair", "statistic", "statistic"))
        if form == "statistic" and (node.size is None or node.positions):
            return self.statistic(node, self.tree(node, names, depth - 1))
        if form == "pair":
            parts = [self.tree(node, names, depth - 1) for _ in range(2)]
            return f"({self.picker.pick(self.words.pairs).format(*parts)})"
        return f"({self.picker.pick(self.words.inner).format(self.tree(node, names, depth - 1))})"

    def statistic(self, node: Node, inner: str) -> str:
        """mean over neurons, or mean, max, softmax over positions."""
        forms = []
        if node.size is None:
            forms += [("mean-neurons", f"({inner} - mean({inner}))"), ("mean-neurons", f"mean(({inner})**2)")]
            if not self.coarse:
                scale = f"sqrt(0.1 + mean(({inner} - mean({inner}))**2))"
                forms.append(("mean-neurons", f"(({inner} - mean({inner})) / {scale})"))
        if node.positions:
            forms = [*forms[:1], ("max-positions", f"max({inner}, positions)")]
            forms.append(("sum-positions", f"sum({inner}, positions)"))
            if not self.coarse or int(np.prod(node.positions)) in (1, 2, 4, 8):
                forms.append(("mean-positions", f"mean({inner}, positions)"))
            if not self.coarse:
                forms.append(("softmax-positions", f"softmax({inner}, positions)"))
        feature, text = self.picker.pick(forms)
        self.features.add(feature)
        return text

    # ------------------------------------------------------------------ data

    def data(self, shape: Shape, outputs: int, loss: str, features: set[str]) -> tuple[Table, Any]:
        """[data] of some kind, and arrays where it is of kind "arrays"."""
        size = int(np.prod(shape))
        extra: Table = {"shape": list(shape)} if len(shape) > 1 else {}
        if "autoencoder" in features:
            extra["y"] = "x"
        kind = self.picker.pick(("arrays", "gaussian-mixture", "teacher", "isotropic-gaussians"))
        if kind == "isotropic-gaussians" and (outputs == 1 or "autoencoder" in features):
            return {"kind": kind, "dimension": size, "separation": 0.4, **extra}, None
        if kind == "gaussian-mixture":
            labels = np.eye(outputs) if outputs > 1 else np.array([[1.0], [-1.0]])
            if loss == "logistic" and outputs > 1:
                labels = 2 * labels - 1
            means = np.arange(len(labels) * size).reshape(len(labels), size) / size
            table = {"kind": kind, "means": means.tolist(), "deviations": 0.5}
            return {**table, "labels": labels.tolist(), **extra}, None
        if kind == "teacher" and loss in ("squared", "expression", "huber"):
            target = [f"tanh(x1 + {number})" for number in range(outputs)]
            return {"kind": kind, "dimension": size, "target": target, **extra}, None
        x, y = self.batch(shape, outputs, loss, False, 6)
        return {"kind": "arrays", **({"y": "x"} if "autoencoder" in features else {})}, (x, y)

    def batch(
        self, shape: Shape, outputs: int, loss: str, autoencoder: bool, count: int | None = None
    ) -> tuple[Any, Any]:
        """Samples x [sample, shape...] and y [sample, outputs]."""
        count = count or (self.picker.pick((2, 4)) if self.coarse else self.picker.number(2, 4))
        rng = np.random.default_rng(self.picker.seed())
        x = rng.standard_normal((count, *shape))
        y = rng.standard_normal((count, outputs))
        if self.coarse:
            x, y = rng.integers(-2, 3, x.shape) / 2, rng.integers(-2, 3, y.shape) / 2
        if loss == "logistic":
            y = np.where(y > 0, 1.0, -1.0)
        if loss == "cross-entropy":
            y = np.eye(outputs)[rng.integers(0, outputs, count)]
            if count >= outputs:
                y[:outputs] = np.eye(outputs)
        return x, x.reshape(count, -1) if autoencoder else y


class Weights:
    """Operations and weights of connections, and the names by which weights are tied."""

    def __init__(self, parts: Parts, ties: list[Tie], named: int) -> None:
        self.parts, self.ties, self.named = parts, ties, named
        self.picker, self.features, self.words = parts.picker, parts.features, parts.words
        # By identity of a connection's table: name and component sizes (None where tied) of a label weight.
        self.labels: dict[int, tuple[str | None, Shape | None]] = {}
        self.tables: list[Table] = []  # kept alive, so that no two have one identity

    def read(self, table: Table, kind: str, node: Node, source: Node, must: bool = False) -> None:
        """Choose operation and weight of a connection; ``must``: it has a weight."""
        weighted = kind not in WEIGHTLESS and (must or self.picker.chance(85))
        if not weighted or self.picker.chance(50):
            options = self.words.weighted if weighted else self.words.plain
            end = source if source.name != "x" else None
            operation = self.parts.named(self.picker.pick(options), node, end)
            if operation is None and not weighted:
                operation = "u"
            if operation is not None:
                table["operation"] = operation
                for feature, marks in (
                    ("end-in-operation", ("source.", "target.")),
                    ("nonlinear-weight", ("(w", "w**")),
                ):
                    if any(mark in operation for mark in marks):
                        self.features.add(feature)
        if weighted:
            table["weight"] = weight = self.weight(table, kind, node, source)
            if source.size is not None:
                named = weight.get("name") if isinstance(weight, Mapping) else None
                rest = tuple(table["kernel"]) if "kernel" in table else source.positions
                tied = isinstance(weight, Mapping) and "law" not in weight
                self.tables.append(table)
                self.labels[id(table)] = (named, None if tied else (source.size, *rest))

    def weight(self, table: Table, kind: str, node: Node, source: Node) -> Any:
        """A tie with an earlier weight, or a new one."""
        rest = tuple(table["kernel"]) if "kernel" in table else source.positions
        ends = (node.end, source.end)
        fitting = [
            (tie, transpose)
            for tie in self.ties
            for transpose in (False, True)
            if (tie.kind, tie.rest) == (kind, rest)
            if tie.ends == (ends[::-1] if transpose else ends)
        ]
        if fitting and self.picker.chance(60):
            tie, transpose = self.picker.pick(fitting)
            self.features.add("transposed-tie" if transpose else "named-tie")
            return {"name": tie.name, "transpose": True} if transpose else {"name": tie.name}
        end = source if source.name != "x" else Node("x", "x", source.size)
        law = self.parts.weight_law(node, end)
        if not self.picker.chance(self.named):
            return self.parts.rated(law, self.picker.chance(35))
        self.ties.append(Tie(f"W{len(self.ties) + 1}", kind, ends, rest))
        named = self.parts.rated(law, self.picker.chance(35))
        return {**(named if isinstance(named, Mapping) else {"law": named}), "name": self.ties[-1].name}

    def with_labels(self, node: Node, connections: list[Table]) -> Node:
        """The node with its weights from finite sources among its values: by name, and as w if only one."""
        labels = [self.labels[id(table)] for table in connections if id(table) in self.labels]
        values = [(name, sizes) for name, sizes in labels if name is not None and sizes is not None]
        if len(labels) == 1 and labels[0][1] is not None:
            values.append(("w", labels[0][1]))
        return replace(node, values=(*node.values, *values))
