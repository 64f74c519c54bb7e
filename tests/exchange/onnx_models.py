"""Models of many architectures as ONNX, with random weights in float64. ``n`` are their hidden widths."""

import numpy as np

from tests.exchange.onnx_builder import build, node


def _random(seed=0):
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(size=shape)

    return draw


def linear(name, source, target):
    """A layer as PyTorch exports it."""
    return node("Gemm", [source, f"{name}.weight", f"{name}.bias"], target, transB=1)


def weights(draw, **sizes):
    """Weight [out, in] and bias of layers by name."""
    found = {}
    for name, (inputs, outputs) in sizes.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = draw(outputs, inputs), draw(outputs)
    return found


def mlp(n=(5, 4)):
    nodes = [
        linear("fc1", "x", "a"),
        node("Tanh", ["a"], "u"),
        linear("fc2", "u", "b"),
        node("Softplus", ["b"], "v"),
        linear("fc3", "v", "y"),
    ]
    return build(nodes, weights(_random(1), fc1=(3, n[0]), fc2=(n[0], n[1]), fc3=(n[1], 2)), [3])


def tied_autoencoder(n=(4, 3)):
    draw = _random(2)
    nodes = [
        linear("e1", "x", "a"),
        node("Tanh", ["a"], "u"),
        linear("e2", "u", "b"),
        node("Tanh", ["b"], "v"),
        node("Gemm", ["v", "e2.weight", "d2.bias"], "c"),
        node("Tanh", ["c"], "w"),
        node("Gemm", ["w", "e1.weight", "d1.bias"], "y"),
    ]
    arrays = weights(draw, e1=(5, n[0]), e2=(n[0], n[1]))
    return build(nodes, {**arrays, "d2.bias": draw(n[0]), "d1.bias": draw(5)}, [5])


def cnn(n=(3, 4)):
    draw = _random(3)
    arrays = {
        "c1.weight": draw(n[0], 2, 3, 3),
        "c1.bias": draw(n[0]),
        "c2.weight": draw(n[1], n[0], 2, 2) / 3,
        "c2.bias": draw(n[1]),
        **weights(draw, fc=(n[1] * 4, 2)),
    }
    nodes = [
        node("Conv", ["x", "c1.weight", "c1.bias"], "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Tanh", ["a"], "b"),
        node("AveragePool", ["b"], "c", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["c", "c2.weight", "c2.bias"], "d", kernel_shape=[2, 2]),
        node("Sigmoid", ["d"], "e"),
        node("Flatten", ["e"], "f"),
        linear("fc", "f", "y"),
    ]
    return build(nodes, arrays, [2, 6, 6])


def residual_cnn(n=(3, 4)):
    """Stem, a block with batch normalisation in evaluation, global pooling."""
    draw = _random(4)
    wide, inner = n
    arrays = {
        "stem.weight": draw(wide, 1, 3) / 2,
        "k1.weight": draw(inner, wide, 3) / 2,
        "k2.weight": draw(wide, inner, 3) / 2,
        "bn.weight": draw(inner),
        "bn.bias": draw(inner),
        "bn.mean": draw(inner),
        "bn.var": draw(inner) ** 2 + 0.5,
        **weights(draw, fc=(wide, 2)),
    }
    same = {"kernel_shape": [3], "pads": [1, 1]}
    nodes = [
        node("Conv", ["x", "stem.weight"], "s", **same),
        node("Conv", ["s", "k1.weight"], "a", **same),
        node("BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.mean", "bn.var"], "b", epsilon=1e-3),
        node("Tanh", ["b"], "c"),
        node("Conv", ["c", "k2.weight"], "d", **same),
        node("Add", ["s", "d"], "e"),
        node("Tanh", ["e"], "f"),
        node("GlobalAveragePool", ["f"], "g"),
        node("Flatten", ["g"], "i"),
        linear("fc", "i", "y"),
    ]
    return build(nodes, arrays, [1, 6])


def layer_norm_mlp(n=(5, 4)):
    """One normalisation as a node, one written out, as older exporters do."""
    draw = _random(5)
    arrays = {
        **weights(draw, fc1=(3, n[0]), fc2=(n[0], n[1]), fc3=(n[1], 2)),
        "ln1.weight": draw(n[0]),
        "ln1.bias": draw(n[0]),
        "ln2.weight": draw(n[1]),
        "ln2.bias": draw(n[1]),
        "two": np.array(2.0),
        "eps": np.array(1e-2),
    }
    nodes = [
        linear("fc1", "x", "a"),
        node("LayerNormalization", ["a", "ln1.weight", "ln1.bias"], "b", epsilon=1e-2),
        node("Tanh", ["b"], "u"),
        linear("fc2", "u", "c"),
        node("ReduceMean", ["c"], "m", axes=[-1]),
        node("Sub", ["c", "m"], "r"),
        node("Pow", ["r", "two"], "q"),
        node("ReduceMean", ["q"], "s", axes=[-1]),
        node("Add", ["s", "eps"], "t"),
        node("Sqrt", ["t"], "z"),
        node("Div", ["r", "z"], "o"),
        node("Mul", ["o", "ln2.weight"], "og"),
        node("Add", ["og", "ln2.bias"], "ob"),
        node("Tanh", ["ob"], "v"),
        linear("fc3", "v", "y"),
    ]
    return build(nodes, arrays, [3])


def gated_mlp(n=(4, 5)):
    """sigmoid(gate) * tanh(value), twice, with a residual around the second."""
    draw = _random(6)
    sizes = {"g1": (3, n[0]), "v1": (3, n[0]), "g2": (n[0], n[1]), "v2": (n[0], n[1]), "p": (n[1], n[0])}
    arrays = weights(draw, **sizes, out=(n[0], 2))
    nodes = []
    for k, source in ((1, "x"), (2, "m1")):
        nodes += [
            linear(f"g{k}", source, f"ga{k}"),
            linear(f"v{k}", source, f"va{k}"),
            node("Sigmoid", [f"ga{k}"], f"gs{k}"),
            node("Tanh", [f"va{k}"], f"vt{k}"),
            node("Mul", [f"gs{k}", f"vt{k}"], f"m{k}"),
        ]
    nodes += [linear("p", "m2", "q"), node("Add", ["m1", "q"], "r"), linear("out", "r", "y")]
    return build(nodes, arrays, [3])


def two_heads(n=(5, 4)):
    arrays = weights(_random(7), fc1=(3, n[0]), fc2=(n[0], n[1]), main=(n[1], 2), guess=(n[0], 2))
    nodes = [
        linear("fc1", "x", "a"),
        node("Tanh", ["a"], "u"),
        linear("guess", "u", "z"),
        linear("fc2", "u", "b"),
        node("Tanh", ["b"], "v"),
        linear("main", "v", "y"),
    ]
    return build(nodes, arrays, [3], outputs=("y", "z"))


def pre_norm_stream(n=(4, 3)):
    """A residual stream with a bias that normalisation and the sum behind it read: it must stay one layer."""
    draw = _random(13)
    arrays = {
        **weights(draw, fc1=(3, n[0]), up=(n[0], n[1]), down=(n[1], n[0]), fc=(n[0], 2)),
        "ln.weight": draw(n[0]),
        "ln.bias": draw(n[0]),
    }
    nodes = [
        linear("fc1", "x", "s"),
        node("LayerNormalization", ["s", "ln.weight", "ln.bias"], "u", epsilon=1e-2),
        linear("up", "u", "a"),
        node("Tanh", ["a"], "v"),
        linear("down", "v", "d"),
        node("Add", ["s", "d"], "r"),
        node("Softplus", ["r"], "t"),
        linear("fc", "t", "y"),
    ]
    return build(nodes, arrays, [3])


def pointwise_tokens(n=(4, 3)):
    """Features last: each token goes through the same layers, attention pooling, mean over tokens."""
    draw = _random(8)
    arrays = {
        **{"t1.weight": draw(3, n[0]), "t1.bias": draw(n[0])},
        **{"score.weight": draw(n[0], n[1]), "value.weight": draw(n[0], n[1])},
        **weights(draw, fc=(n[1], 2)),
    }
    nodes = [
        node("MatMul", ["x", "t1.weight"], "a"),
        node("Add", ["a", "t1.bias"], "b"),
        node("Sigmoid", ["b"], "g"),
        node("Mul", ["b", "g"], "u"),
        node("MatMul", ["u", "score.weight"], "s"),
        node("Softmax", ["s"], "p", axis=1),
        node("MatMul", ["u", "value.weight"], "v"),
        node("Mul", ["p", "v"], "m"),
        node("ReduceMean", ["m", "one"], "q", keepdims=0),
        linear("fc", "q", "y"),
    ]
    return build(nodes, {**arrays, "one": np.array([1])}, [4, 3], opset=18)


def attention(n=(4, 3)):
    """A transformer block as ONNX writes it: scores, softmax, values, a residual around them."""
    draw = _random(12)
    arrays = {
        "embed.weight": draw(2, n[0]),
        **{f"{name}.weight": draw(n[0], n[1]) for name in ("queries", "keys")},
        "values.weight": draw(n[0], 5),
        "back.weight": draw(5, n[0]),
        "ln.weight": draw(n[0]),
        "ln.bias": draw(n[0]),
        "scale": np.array(0.7),
        "one": np.array([1]),
        **weights(draw, fc=(n[0], 2)),
    }
    nodes = [
        node("MatMul", ["x", "embed.weight"], "s"),
        node("LayerNormalization", ["s", "ln.weight", "ln.bias"], "u", epsilon=1e-2),
        node("MatMul", ["u", "queries.weight"], "q"),
        node("MatMul", ["u", "keys.weight"], "k"),
        node("MatMul", ["u", "values.weight"], "v"),
        node("Transpose", ["k"], "kt", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "qk"),
        node("Mul", ["qk", "scale"], "qs"),
        node("Softmax", ["qs"], "p", axis=-1),
        node("MatMul", ["p", "v"], "m"),
        node("MatMul", ["m", "back.weight"], "b"),
        node("Add", ["s", "b"], "r"),
        node("Tanh", ["r"], "t"),
        node("ReduceMean", ["t", "one"], "a", keepdims=0),
        linear("fc", "a", "y"),
    ]
    return build(nodes, arrays, [3, 2], opset=18)


def _recurrent(kind, gates, n, seed, **attributes):
    """A recurrent cell over [steps, batch, features] that is read at its last step."""
    draw = _random(seed)
    width = n[0]
    arrays = {
        "cell.W": draw(1, gates * width, 2),
        "cell.R": draw(1, gates * width, width) / 2,
        "cell.B": draw(1, 2 * gates * width),
        "first": np.array([0]),
        **weights(draw, fc=(width, 2)),
    }
    nodes = [
        node(kind, ["x", "cell.W", "cell.R", "cell.B"], ["all", "last"], hidden_size=width, **attributes),
        node("Squeeze", ["last", "first"], "u"),
        linear("fc", "u", "y"),
    ]
    return build(nodes, arrays, [3, None, 2])


def elman(n=(4,)):
    return _recurrent("RNN", 1, n, 9)


def lstm(n=(3,)):
    return _recurrent("LSTM", 4, n, 10)


def gru(n=(3,)):
    return _recurrent("GRU", 3, n, 11, linear_before_reset=1)
