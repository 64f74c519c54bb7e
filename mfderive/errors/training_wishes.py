"""Answers to words of other programs about training: rules, schedules, decay and the like, arithmetic."""

from __future__ import annotations

from .wish_rows import BESIDE, OWN_RULE, RULES, SCHEDULES, SPEC, TRAINING, Wish, row

TRAINING_WISHES: tuple[Wish, ...] = (
    row(
        "optimizer optim optimiser sgd adam adamw beta1 beta2",
        'The learning rule is a key of [training]: optimizer = "adam", or '
        'optimizer = { kind = "adam", beta1 = 0.9, beta2 = 0.999 }.',
        RULES,
    ),
    row(
        "momentum mu heavy_ball",
        'This is a learning rule, in [training]: optimizer = { kind = "momentum", mu = 0.9 }, or '
        'optimizer = { kind = "heavy-ball", gamma = 1 }.',
        RULES,
    ),
    row(
        "rmsprop adagrad adadelta adamax nadam nesterov nag lion sign_sgd",
        "This learning rule is not in the table; the page enters one of its own in a few lines.",
        OWN_RULE,
    ),
    row(
        "weight_decay decay regularization regularizer kernel_regularizer",
        "Weight decay is a key of [training]: weight_decay = 0.01 for all parameters, or "
        'weight_decay = { "h2.weight" = 0.01 }. Its penalty is a mean over the entries, not their sum.',
        BESIDE,
    ),
    row(
        "l2 ridge",
        "As a penalty this is weight_decay in [training], a mean over the entries; as a loss it is kind = "
        '"squared".',
        BESIDE,
    ),
    row(
        "l1 l1_regularizer lasso",
        "There is no L1 penalty yet (weight_decay in [training] is the L2 one); as a loss this is kind = "
        '"expression" with expression = "abs(yhat - y)".',
        BESIDE,
    ),
    row(
        "gradient_clip gradient_clipping clip clip_norm clip_grad clip_grad_norm max_grad_norm max_norm",
        "The norm of the gradient is held by a key of [training]: clip = 1.0, a norm in L2(P), which "
        "does not grow with the width.",
        BESIDE,
    ),
    row(
        "clip_value clip_grad_value",
        "Gradients are clipped by the norm of all of them (clip in [training]), not entry by entry.",
        BESIDE,
    ),
    row(
        "langevin sgld temperature",
        "Langevin noise is a key of [training]: noise = T, the temperature, for all parameters or by name.",
        BESIDE,
    ),
    row(
        "epochs epoch n_epochs num_epochs",
        "Training is counted in steps: steps = epochs * samples / batch_size.",
        TRAINING,
    ),
    row("lr alpha step_size eta", "This is learning_rate in [training].", TRAINING),
    row(
        "scheduler lr_schedule lr_scheduler warmup warmup_steps learning_rate_schedule lr_decay",
        'The rate of step k is learning_rate * schedule: schedule = "cosine", schedule = { kind = "cosine", '
        'warmup = 100 }, or an expression in k, schedule = "1 / (1 + k / 100)".',
        SCHEDULES,
    ),
    row("cosine_annealing cosine_decay", 'This is schedule = "cosine" in [training].', SCHEDULES),
    row(
        "step_lr multi_step multi_step_lr step_decay",
        'This is schedule = { kind = "piecewise", at = [1000, 2000], factors = [0.1, 0.01] } in [training].',
        SCHEDULES,
    ),
    row(
        "plateau reduce_on_plateau reduce_lr_on_plateau one_cycle cyclic cosine_restarts",
        "This schedule is not in the table. An expression in the step k is one; no rate follows the loss.",
        SCHEDULES,
    ),
    row("batch minibatch", "This is batch_size in [training].", TRAINING),
    row(
        "shuffle random_state random_seed rng",
        "Every batch is drawn at random: seed in [solver] is that of initial values, data_seed in it that of "
        "the data.",
        TRAINING,
    ),
    row(
        "early_stopping patience", "Training ends after a number of steps; it is not stopped early.", TRAINING
    ),
    row(
        "dtype float32 float64 float16 bfloat16 mixed_precision amp",
        'The arithmetic is float64; precision = "float32" in [solver] or --precision changes it.',
        TRAINING,
    ),
    row(
        "device gpu cuda cpu mps tpu", "Everything runs on the processor; there is no device to choose.", SPEC
    ),
)
