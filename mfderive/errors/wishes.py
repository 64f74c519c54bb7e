"""Words of other programs that name a real wish: what is it called here, how is it written, is it missing?

One row a word. It is said beside the names that are allowed, wherever such a word stands in a spec, among
the options of a function or on the command line. A word that becomes a word of the format leaves this table
(a test looks); the page is a heading of the documentation.
"""

from __future__ import annotations

from .training_wishes import TRAINING_WISHES
from .wish_rows import (
    BESIDE,
    CLASSES,
    CONVOLUTION,
    DATA,
    DENSE,
    FUNCTIONS,
    GROUPS,
    LAYERS,
    NORMALISATION,
    OWN_KIND,
    RECURRENCE,
    SKIPS,
    SPEC,
    UNITS,
    Wish,
)
from .wish_rows import row as _wish

WISHES: tuple[Wish, ...] = (
    # --- layers ---
    _wish(
        "linear fully_connected fc affine inner_product",
        'This is kind = "dense", the kind where none is written; without an activation it is linear '
        '(activation = "identity" says so).',
        DENSE,
    ),
    _wish(
        "nn torch tf keras jax jnp np numpy flax math",
        "There are no modules here: functions stand by their bare name, as in relu(h), layers by their kind.",
        FUNCTIONS,
    ),
    _wish(
        "conv conv1d conv2d conv3d cnn",
        'This is kind = "convolution", for any number of position axes.',
        CONVOLUTION,
    ),
    _wish("maxpool1d maxpool2d max_pooling", 'This is kind = "max-pool".', CONVOLUTION),
    _wish(
        "avgpool avgpool1d avgpool2d average_pooling mean_pool",
        'This is kind = "average-pool".',
        CONVOLUTION,
    ),
    _wish(
        "deconvolution deconv conv_transpose upsample",
        'This is kind = "transposed-convolution".',
        CONVOLUTION,
    ),
    _wish(
        "flatten reshape",
        "Nothing needs to be flattened: a dense layer or output that reads positions has a weight for each; "
        "shape in [data] gives flat inputs their positions.",
        CONVOLUTION,
    ),
    _wish(
        "groups grouped depthwise separable",
        "Groups of neurons are a key of a convolution, groups = G, from x or from a layer with groups; G = "
        "channels of x is the depthwise one (specs/cnn_grouped.toml).",
        GROUPS,
    ),
    _wish(
        "dilation dilated atrous",
        "Dilated windows are not among the kinds; the page registers one in a few lines.",
        OWN_KIND,
    ),
    _wish(
        "embedding embed embedding_dim num_embeddings vocab_size",
        "An embedding is a dense layer from x whose inputs are one-hot vectors (one_hot in [data] makes them "
        "of a column): its weight is the table of the embedding.",
        DENSE,
    ),
    _wish(
        "residual shortcut add",
        'This is a connection of kind = "skip" beside another connection of the same layer.',
        SKIPS,
    ),
    _wish(
        "concat concatenate cat",
        "A layer that reads several layers has one [[layers.connections]] for each; their sums are what a "
        "weight on the concatenation would give.",
        SKIPS,
    ),
    _wish(
        "lstm cell peephole",
        "An LSTM cell is two layers whose gates are pre-activations of their own (specs/lstm.toml).",
        f"{LAYERS}#long-short-term-memory",
    ),
    _wish(
        "gru",
        "A gated recurrent unit is a layer whose gates are pre-activations of their own (specs/gru.toml).",
        f"{LAYERS}#gated-recurrent-unit",
    ),
    _wish(
        "rnn elman hidden_state",
        'A recurrent layer has steps = T and a connection of kind = "recurrent" from itself.',
        RECURRENCE,
    ),
    _wish("bidirectional", "Recurrence runs forwards only; backwards steps do not exist yet.", RECURRENCE),
    _wish(
        "attention self_attention multihead_attention transformer heads num_heads",
        'Self-attention is kind = "dot-attention" with queries and keys, one layer for each head; attention '
        "that each neuron pays by itself is softmax(e, positions) in an activation "
        "(specs/attention_positions.toml).",
        f"{LAYERS}#attention",
    ),
    _wish(
        "dropout dropout_rate drop dropout1d dropout2d",
        "Dropout, drawn anew at every step, is a key of [training]: dropout = 0.1 for all hidden layers, or "
        "dropout = { h1 = 0.1 }. A gate drawn once and frozen is a parameter of rate 0: "
        'activation = "heaviside(r - 0.5) * relu(h)".',
        BESIDE,
    ),
    _wish(
        "batch_norm batch_normalization batchnorm1d batchnorm2d bn",
        "Normalisation over the batch is refused, because the output of a sample would depend on the others; "
        "over the neurons of a layer it stands in the activation, with mean(h).",
        NORMALISATION,
    ),
    _wish(
        "layer_norm layer_normalization rms_norm",
        "Layer and root-mean-square normalisation stand in the activation: "
        '"(h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.001)".',
        NORMALISATION,
    ),
    _wish(
        "group_norm instance_norm",
        "Normalisation over positions stands in the activation, with mean(h, positions); over groups of "
        "neurons it does not exist yet.",
        NORMALISATION,
    ),
    _wish(
        "weight_norm spectral_norm",
        "Normalised weights do not exist yet; a law may be sphere(radius).",
        DENSE,
    ),
    _wish(
        "units hidden_size hidden out_features in_features filters out_channels in_channels",
        "A layer has no number of neurons, because it grows infinitely wide; width is its relative width, "
        "size = N makes it finite, and widths in [check] are those of the networks it is held against.",
        DENSE,
    ),
    _wish("kernel_size", "This is kernel, a list with one number for each position axis.", CONVOLUTION),
    _wish(
        "kernel_initializer bias_initializer initializer weight_init init initialization",
        'Initial values are laws: weight = "normal(0, sqrt(2/fan_in))", bias = "0".',
        DENSE,
    ),
    _wish("use_bias", 'A layer has a bias where the key bias gives its law: bias = "0".', DENSE),
    _wish(
        "trainable frozen freeze requires_grad",
        'A parameter is frozen by its rate: weight = { law = "normal(0, 1)", rate = 0 }.',
        DENSE,
    ),
    _wish("type class layer_type", "The type of a connection is its kind.", LAYERS),
    _wish("input inbound", "What a layer reads is called from; the inputs are x.", LAYERS),
    *TRAINING_WISHES,
    # --- losses and data ---
    _wish(
        "auxiliary aux_loss auxiliary_loss deep_supervision loss_weight loss_weights",
        "A loss on an inner layer is a table [[losses]] with from = a finite layer, kind and weight "
        "(specs/deep_supervision.toml).",
        f"{LAYERS}#losses-on-inner-layers",
    ),
    _wish(
        "mse l2_loss mean_squared_error",
        'This is kind = "squared", a sum over outputs without a factor.',
        SPEC,
    ),
    _wish(
        "mae l1_loss mean_absolute_error",
        'This is kind = "expression" with expression = "abs(yhat - y)".',
        SPEC,
    ),
    _wish(
        "bce binary_cross_entropy bce_with_logits",
        'For y = 1 and -1 this is kind = "logistic", log(1 + exp(-y yhat)).',
        SPEC,
    ),
    _wish(
        "softmax nll nll_loss categorical_cross_entropy sparse_categorical_cross_entropy "
        "log_softmax softmax_cross_entropy",
        'The loss of kind = "cross-entropy" applies the softmax to the outputs, so that the output has '
        "no activation; softmax(e, positions) stands in activations.",
        SPEC,
    ),
    _wish(
        "kl kl_div kl_divergence",
        'Of probabilities as targets kind = "cross-entropy" is this loss up to a constant.',
        SPEC,
    ),
    _wish(
        "class_weight class_weights sample_weight sample_weights pos_weight",
        'Samples have no weights; a loss that is written down may weigh signs: kind = "expression" with '
        'expression = "(2 + y) * softplus(-y * yhat)".',
        SPEC,
    ),
    _wish("hinge", 'This is kind = "expression" with expression = "max(0, 1 - y * yhat)".', SPEC),
    _wish("mnist fashion_mnist kmnist", 'Files as MNIST has them are read by kind = "idx".', SPEC),
    _wish(
        "csv tsv npz npy pandas dataframe table cifar100 imagenet iris wine diabetes breast_cancer",
        'Files of numbers are read by kind = "arrays".',
        DATA,
    ),
    _wish(
        "normalize normalise normalization normalisation standardize scaler min_max",
        'Columns of x are brought to one size by a key of [data], scale = "standardize" or "unit"; layers '
        "are normalised in their activations, with mean(h).",
        UNITS,
    ),
    _wish(
        "validation validation_split val_split test_size test_split holdout train_test_split",
        "Rows are held out by a key of [data]: test = 0.2, a fifth of them, or test = 30.",
        CLASSES,
    ),
)

# What a word means where a function or a law is asked for.
FUNCTION_WISHES: tuple[Wish, ...] = (
    # --- functions ---
    _wish("swish", "silu is the same function, x sigmoid(x).", FUNCTIONS),
    _wish("celu", "Write a * elu(h / a).", FUNCTIONS),
    _wish("mish", "Write h * tanh(softplus(h)).", FUNCTIONS),
    _wish(
        "hard_tanh clip_by_value clamp",
        "Write max(-1, min(h, 1)), with the bounds that are meant.",
        FUNCTIONS,
    ),
    _wish("relu6", "Write min(max(h, 0), 6).", FUNCTIONS),
    _wish("hard_sigmoid", "Write max(0, min(h / 6 + 0.5, 1)).", FUNCTIONS),
    _wish("hard_swish hard_silu", "Write h * max(0, min(h / 6 + 0.5, 1)).", FUNCTIONS),
    _wish("prelu", "Write max(h, 0) + a * min(h, 0), with parameters.a as its trained slope.", FUNCTIONS),
    _wish("softsign", "Write h / (1 + abs(h)).", FUNCTIONS),
    _wish("log_sigmoid", "Write -softplus(-h).", FUNCTIONS),
    _wish("glu swiglu geglu", 'A gate is a second pre-activation: into = "g" and "h * sigmoid(g)".', SKIPS),
    _wish("maxout", 'Write max(h, g), with a second connection into = "g".', SKIPS),
    _wish("gelu_tanh gelu_new", "gelu is exact; write the approximation with tanh(...).", FUNCTIONS),
    _wish("expit", "sigmoid is this function, 1 / (1 + exp(-x)).", FUNCTIONS),
    _wish("ln", "log is the natural logarithm.", FUNCTIONS),
    _wish(
        "log2 log10", "log is the natural logarithm: write log(h) / log(2) or log(h) / log(10).", FUNCTIONS
    ),
    _wish("pow power square", "Powers are written **: h**2.", FUNCTIONS),
    _wish("sinh", "Write (exp(h) - exp(-h)) / 2.", FUNCTIONS),
    _wish("cosh", "Write (exp(h) + exp(-h)) / 2.", FUNCTIONS),
    _wish("tan", "Write sin(h) / cos(h).", FUNCTIONS),
    _wish(
        "where piecewise select cond",
        "Write it with heaviside(h), which is 1 where h > 0 and else 0.",
        FUNCTIONS,
    ),
    _wish("erfc", "Write 1 - erf(h).", FUNCTIONS),
    _wish("log1p", "Write log(1 + h).", FUNCTIONS),
    _wish("expm1", "Write exp(h) - 1.", FUNCTIONS),
    _wish("relu2 squared_relu", "Write relu(h)**2.", FUNCTIONS),
    _wish("tanhshrink", "Write h - tanh(h).", FUNCTIONS),
    # --- laws ---
    _wish("gaussian gauss randn", "This law is normal(mean, standard deviation).", DENSE),
    _wish(
        "he_normal he_uniform he kaiming kaiming_normal kaiming_uniform",
        "For a fixed number of inputs this is normal(0, sqrt(2/fan_in)); a layer that grows infinitely wide "
        "is averaged over, so that weights from it stay of size 1, as in normal(0, 1).",
        DENSE,
    ),
    _wish(
        "glorot_normal glorot_uniform glorot xavier xavier_normal xavier_uniform lecun_normal lecun_uniform",
        "For a fixed number of inputs write normal(0, sqrt(1/fan_in)); a layer that grows infinitely wide "
        "is averaged over, so that weights from it stay of size 1, as in normal(0, 1).",
        DENSE,
    ),
    _wish(
        "truncated_normal trunc_normal clipped_normal",
        "A normal law that is cut off does not exist here; uniform(low, high) is bounded.",
        DENSE,
    ),
    _wish("zeros constant const ones", 'A constant is written as its number: weight = "0".', DENSE),
    _wish("bernoulli", "Signs +a and -a with equal odds are rademacher(a).", DENSE),
    # --- words that mean something else elsewhere ---
    _wish(
        "linear none null no_activation pass noop",
        'A layer without an activation leaves the key out, or says activation = "identity".',
        FUNCTIONS,
    ),
    _wish(
        "step binary_step unit_step hard_limit threshold",
        "heaviside(h) is 1 where h > 0 and else 0; its slope is 0, so that nothing in front of it is trained "
        "(sigmoid(10 * h) is a smooth one).",
        FUNCTIONS,
    ),
    _wish("logistic", "sigmoid is this function, 1 / (1 + exp(-x)).", FUNCTIONS),
    _wish("sgn signum", "This is sign(h).", FUNCTIONS),
)

# Functions and laws that other programs have and this one has not: a name here that is near is another thing.
FUNCTIONS_ELSEWHERE = frozenset(
    "rrelu crelu threshold_relu thresholded_relu hardshrink softshrink softmin logsumexp tanhexp lisht sinc "
    "arcsin arccos arctan asin acos atan arcsinh arccosh arctanh asinh acosh atanh sec csc cot sech csch "
    "coth erfinv exp2 cbrt rsqrt floor ceil round gumbel hypot lgamma digamma "
    "log_normal lognormal half_normal exponential laplace cauchy poisson gamma beta "
    "variance_scaling orthogonal".replace("_", "").split()
)

# What to write where a text stands at a key that takes none, or none like it.
_TEXTS = {
    "learning_rate": "Write a number; a rate that changes from step to step is learning_rate * schedule, "
    'where schedule is an expression in the step k: schedule = "1 / (1 + k / 100)"',
    "activation": 'A layer without an activation leaves the key out, or says activation = "identity"',
}


def about_text(key: str) -> str | None:
    """What to write instead of a text at a key that does not take it; None where nothing is known."""
    return _TEXTS.get(key)


def plain_word(word: str) -> str:
    """A word without capitals, dashes and underscores: ``Batch-Norm`` and ``batch_norm`` are one word."""
    return "".join(sign for sign in word[:60].lower() if sign.isalnum())


_BY_WORD = {plain_word(word): each for each in WISHES for word in each.words}
_OF_FUNCTIONS = {plain_word(word): each for each in FUNCTION_WISHES for word in each.words}


def wish(word: str, of_functions: bool = False) -> str | None:
    """The sentence about a word with its page in brackets; None where the word names no known wish.

    Of a dotted word (``nn.ReLU``) the part before the dot is looked up. ``of_functions``: the word stands
    where a function does.
    """
    found = _OF_FUNCTIONS.get(plain_word(word)) if of_functions else None
    found = found or _BY_WORD.get(plain_word(word)) or _BY_WORD.get(plain_word(word.partition(".")[0]))
    return f"{found.sentence[:-1]} ({found.page})." if found else None


def is_function_elsewhere(word: str) -> bool:
    """Whether other programs have a function or a law of this name, which this one has not."""
    return plain_word(word) in FUNCTIONS_ELSEWHERE
