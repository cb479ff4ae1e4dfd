"""Which script is to be found with what: its first finding, which is the cause.

python -m examples.doctor.sick.zero_init --seed 3 --report why
"""

import importlib

from examples.doctor.digits import Train

CASES = {
    "zero_init": "init-constant",
    "constant_init": "init-constant",
    "learning_rate_high": "learning-rate-high",
    "learning_rate_diverges": "learning-rate-high",
    "learning_rate_low": "learning-rate-low",
    "saturated_sigmoids": "init-scale",
    "saturated_tanh": "units-saturated",
    "init_too_large": "init-scale",
    "init_too_small": "init-scale",
    "softmax_twice": "softmax-twice",
    "sigmoid_output": "output-activated",
    "relu_output": "output-activated",
    "nll_on_logits": "loss-wrong",
    "unnormalised_input": "input-unnormalised",
    "unshuffled": "data-unshuffled",
    "shuffled_labels": "labels-mismatched",
    "labels_from_one": "labels-out-of-range",
    "vanishing_gradients": "gradient-vanishing",
    "exploding_gradients": "gradient-exploding",
    "dead_relus": "relu-dead",
    "missing_activation": "activation-missing",
    "no_zero_grad": "no-zero-grad",
    "cleared_too_late": "gradient-missing",
    "eval_mode": "eval-mode",
    "layers_in_a_list": "parameters-missing",
    "head_forgotten": "parameters-missing",
    "overfitting": "overfitting",
    "leaking_splits": "splits-leak",
}

COURSE = (
    "zero_init",
    "learning_rate_high",
    "saturated_sigmoids",
    "softmax_twice",
    "unshuffled",
)
"""The classic failing networks of a deep learning course; each has a mended script."""

MENDED = (*COURSE, "unnormalised_input")


def sick(name: str) -> Train:
    found: Train = importlib.import_module(f"examples.doctor.sick.{name}").train
    return found


def mended(name: str) -> Train:
    found: Train = importlib.import_module(f"examples.doctor.mended.{name}").train
    return found
