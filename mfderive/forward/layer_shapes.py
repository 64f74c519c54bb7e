"""Where the values of every layer live: its neurons, its positions and its recurrent steps."""

from __future__ import annotations

from abc import abstractmethod

from ..algebra.terms import Axis, AxisKind, Field, Role
from ..network.names import INPUT
from ..network.network import Connection, Layer
from .builder import GROUPS, POSITIONS, STEPS, Shape
from .declarations import Declarations
from .kind import Positions


class Shapes(Declarations):
    """Finds the axes of the data and of all layers."""

    def inputs(self) -> None:
        """Declare x and y. A shape is [channels, positions...], with steps [steps, ...]."""
        shape = self.network.input_shape or ()
        steps = next((layer.steps for layer in self.network.layers if layer.steps and self.reads_x(layer)), 0)
        if steps and len(shape) > 1:
            if shape[0] != steps:
                raise self.located(
                    f"the data has {shape[0]} steps, but a layer that reads x has {steps}",
                    "data",
                    "shape",
                    "The first number of the shape is the number of steps",
                )
            self.finite(STEPS, steps, STEPS)
            shape = shape[1:]
        else:
            steps = 0
        if len(shape) == 1:
            self.shapes[INPUT] = Shape(self.finite("inputs", shape[0], "inputs"), steps=steps)
        else:
            positions = self.finite_axes("", "positions", tuple(shape[1:]))
            self.shapes[INPUT] = Shape(self.finite("channels", shape[0], "channels"), positions, steps)
        self.finite("outputs", self.network.outputs or 1, "outputs")
        data, *rest = self.shapes[INPUT].axes
        self.declare(Field("x", (data, *((STEPS,) if steps else ()), *rest), Role.INPUT, owner="x", part="x"))
        self.declare(Field("y", ("data", "outputs"), Role.INPUT, owner="y", part="y"))

    def reads_x(self, layer: Layer) -> bool:
        """Whether a layer reads the input itself."""
        return any(connection.source == INPUT for connection in layer.connections)

    # ------------------------------------------------------------------ shapes

    def find_shapes(self) -> None:
        """Find the axes of all layers, each if possible after everything that it reads.

        Layers that read each other's steps before wait for what they read at their own step only.
        """
        waiting = list(self.network.layers)
        while waiting:
            ready = [layer for layer in waiting if self.is_ready(layer, before=False)]
            layer = next((layer for layer in ready if self.is_ready(layer, before=True)), ready[0])
            self.shape(layer)
            waiting.remove(layer)

    def is_ready(self, layer: Layer, before: bool) -> bool:
        """Whether the axes are known of what a layer reads at its own step (and at steps ``before``)."""
        needed = {layer.neurons} if layer.neurons is not None else set()
        for connection in layer.connections:
            needed |= connection.now | ({connection.source} if before else set())
        return needed - {layer.name} <= self.shapes.keys()

    def shape(self, layer: Layer) -> None:
        """Find the axes of a layer: its neurons (own or shared), their groups and its positions."""
        if layer.neurons is not None:
            neurons = self.shapes[layer.neurons].neurons
        elif layer.size is not None:
            neurons = self.finite(layer.name, layer.size)
        else:
            neurons = self.axis(Axis(layer.name, AxisKind.POPULATION, None, layer.width))
        groups, positions = (self.made_axes(layer, part) for part in (GROUPS, POSITIONS))
        if groups and self.axes[neurons].kind is not AxisKind.POPULATION:
            raise self.located(
                f"the finite layer '{layer.name}' cannot have groups: its size would be that of one group",
                layer.table,
                "size",
                "Leave size out, or groups",
            )
        self.shapes[layer.name] = Shape(neurons, positions, layer.steps, groups)

    def made_axes(self, layer: Layer, part: str) -> tuple[str, ...]:
        """The position axes (or that of the groups) of a layer: those that a connection keeps, else new ones.

        Connections that read a step before decide only where no other one does.
        """
        now = [connection for connection in layer.connections if not connection.delay]
        before = [c for c in layer.connections if c.delay and c.source in self.shapes]
        for group in (now, before):
            made = [(c, found) for c in group if (found := self.made(layer.name, c, part)) is not None]
            if not made:
                continue
            first, axes = made[0]
            for connection, other in made[1:]:
                self.check_made(layer.name, connection, part, other, first.source, axes)
            kept = [p for _, p in made if all(isinstance(axis, str) for axis in p)]
            if kept:
                return tuple(str(axis) for axis in kept[0])
            return self.finite_axes(layer.name, part, self.sizes(axes))
        return ()

    @abstractmethod
    def made(self, layer: str, connection: Connection, part: str) -> Positions:
        """The positions (or groups) that a connection gives a layer: names or sizes of axes, or None."""

    def sizes(self, axes: tuple[int, ...] | tuple[str, ...]) -> tuple[int, ...]:
        """The sizes of axes given as sizes or by name."""
        return tuple(self.size(each) if isinstance(each, str) else each for each in axes)

    def check_made(
        self,
        layer: str,
        connection: Connection,
        part: str,
        own: tuple[int, ...] | tuple[str, ...],
        other: str,
        wanted: tuple[int, ...] | tuple[str, ...],
    ) -> None:
        """Refuse a connection that gives a layer other positions (or groups) than another one does."""
        sizes, known = self.sizes(own), self.sizes(wanted)
        if sizes == known:
            return
        if part == GROUPS:
            raise self.error(
                connection,
                f"this connection gives '{layer}' {_number(sizes)}, another ({other}) gives {_number(known)}",
                remedy="A skip or pooling keeps the groups of its source: use as many groups everywhere",
            )
        raise self.error(
            connection,
            f"this connection gives '{layer}' positions of shape {list(sizes)}, another "
            f"({other}) gives {list(known)}",
            remedy="Choose kernel, stride and padding so that they agree",
        )


def _number(sizes: tuple[int, ...]) -> str:
    return f"{sizes[0]} groups" if sizes else "no groups"
