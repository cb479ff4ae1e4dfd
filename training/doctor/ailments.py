"""Every ailment that the doctor knows, from the root to the leaf.

AILMENTS: dict[code, Ailment]. The order is the order of causes: data, wiring, initial weights,
learning rate, what these do inside the network, and last what they do to the loss. ``causes`` are
the codes that can bring an ailment about; where one of them is found too, this one only follows.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Ailment:
    title: str
    severity: Literal["critical", "warning", "note"]
    advice: str
    source: str
    picture: str
    causes: tuple[str, ...] = ()


DATA = ("labels-out-of-range", "labels-mismatched", "data-unshuffled", "input-unnormalised")
WIRING = (
    "softmax-twice",
    "loss-wrong",
    "output-activated",
    "no-zero-grad",
    "parameters-missing",
    "gradient-missing",
    "eval-mode",
)
INIT = ("init-constant", "init-scale")
ROOTS = (*DATA, *WIRING, *INIT)

AILMENTS: dict[str, Ailment] = {
    "labels-out-of-range": Ailment(
        "Labels do not fit the outputs",
        "critical",
        "Make the labels run from 0 to K-1, and the last layer give K outputs.",
        "definition of cross-entropy over K classes",
        "labels",
    ),
    "labels-mismatched": Ailment(
        "Labels do not belong to their images",
        "critical",
        "Look at the picture: each image with the label it is trained on. Shuffle images and "
        "labels with one and the same permutation, and check how labels are read and joined.",
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization: random "
        "labels can be learned by heart but never predicted",
        "examples",
    ),
    "data-unshuffled": Ailment(
        "The data is not shuffled",
        "critical",
        "Shuffle before batching: DataLoader(..., shuffle=True), or a new torch.randperm an epoch.",
        "Bottou 2012, Stochastic gradient descent tricks, section 3.2; LeCun et al. 1998, "
        "Efficient BackProp, section 4.2",
        "order",
    ),
    "input-unnormalised": Ailment(
        "The input is not normalised",
        "critical",
        "Divide pixels by 255, then subtract the mean and divide by the standard deviation of the "
        "training set.",
        "LeCun et al. 1998, Efficient BackProp, section 4.3",
        "inputs",
    ),
    "splits-leak": Ailment(
        "Validation images are in the training set",
        "critical",
        "Split before anything is copied, augmented or shuffled, and take duplicates out; until "
        "then the validation accuracy means nothing.",
        "Barz and Denzler 2020, Do we train on test data?",
        "leak",
    ),
    "softmax-twice": Ailment(
        "Softmax is applied twice",
        "critical",
        "Take the softmax out of the network: cross_entropy does it. Use it only to show "
        "probabilities.",
        "derived: probabilities as logits, the best answer gives ln(e + K - 1) - 1",
        "loss",
    ),
    "loss-wrong": Ailment(
        "The loss does not fit the output",
        "critical",
        "Use cross_entropy on raw logits, or nll_loss on log_softmax; labels are class numbers.",
        "PyTorch, documentation of the loss functions",
        "loss",
    ),
    "output-activated": Ailment(
        "An activation function stands behind the last layer",
        "critical",
        "Give the last layer's raw numbers to cross_entropy: take the last activation out.",
        "derived: logits held in 0..1 keep the loss above ln(e + K - 1) - 1, in -1..1 above "
        "ln(e^2 + K - 1) - 2; a ReLU gives no gradient where it is 0",
        "loss",
    ),
    "no-zero-grad": Ailment(
        "Gradients are never cleared",
        "critical",
        "Call optimiser.zero_grad() before each loss.backward().",
        "PyTorch adds each backward pass to .grad (documentation of Optimizer.zero_grad)",
        "gradient-norm",
    ),
    "parameters-missing": Ailment(
        "Parameters are missing from the optimiser",
        "critical",
        "Give network.parameters() to the optimiser after all layers are made, keep layers in "
        "nn.ModuleList rather than a list, and freeze on purpose with requires_grad_(False).",
        "read off the graph of the loss: a parameter gets a gradient and no optimiser holds it",
        "parameters",
    ),
    "gradient-missing": Ailment(
        "Parameters get no gradient",
        "critical",
        "Call step() right after backward(), and look for detach(), .data, no_grad() or a layer "
        "that is never used.",
        "a parameter without a gradient cannot learn",
        "parameters",
    ),
    "eval-mode": Ailment(
        "It trains in eval mode",
        "warning",
        "Call network.train() at the start of each epoch: dropout is off and batch norm does not "
        "learn its statistics in eval mode.",
        "PyTorch, documentation of Module.eval",
        "loss",
    ),
    "activation-missing": Ailment(
        "Two linear layers stand in a row",
        "warning",
        "Put an activation function between them: without one they are a single linear layer.",
        "W2 (W1 x) = (W2 W1) x",
        "chain",
    ),
    "init-constant": Ailment(
        "Weights start constant",
        "critical",
        "Leave the default initialisation, or draw weights at random (nn.init.kaiming_normal_); "
        "zeros are fine for biases.",
        "Goodfellow et al. 2016, Deep Learning, section 8.4: units that start equal stay equal",
        "units",
    ),
    "init-scale": Ailment(
        "Weights start at the wrong scale",
        "critical",
        "Draw weights with standard deviation sqrt(2 / inputs) before ReLU (He) or "
        "sqrt(1 / inputs) before tanh and sigmoid (Glorot).",
        "Glorot and Bengio 2010; He et al. 2015, Delving deep into rectifiers",
        "gains",
    ),
    "learning-rate-high": Ailment(
        "The learning rate is too high",
        "critical",
        "Divide it by 10, and again if need be.",
        "LeCun et al. 1998, Efficient BackProp, section 5: beyond twice the best rate it diverges",
        "loss",
        causes=(*ROOTS, "gradient-exploding"),
    ),
    "relu-dead": Ailment(
        "ReLUs are dead",
        "critical",
        "Lower the learning rate, start biases at 0, or use leaky_relu.",
        "Maas et al. 2013, section 2; Lu et al. 2019, Dying ReLU and initialization",
        "activations",
        causes=(*ROOTS, "learning-rate-high"),
    ),
    "units-saturated": Ailment(
        "Sigmoid or tanh units are saturated",
        "critical",
        "Make what goes into them smaller: smaller weights and biases, normalised input; or use "
        "ReLU.",
        "Glorot and Bengio 2010, section 3; LeCun et al. 1998, Efficient BackProp, section 4.4",
        "activations",
        causes=(*ROOTS, "learning-rate-high"),
    ),
    "gradient-vanishing": Ailment(
        "The gradient vanishes on its way back",
        "critical",
        "Use ReLU rather than sigmoid, fewer layers, batch norm, or residual connections.",
        "Hochreiter 1991; Glorot and Bengio 2010, section 4.2: each sigmoid shrinks it to a "
        "quarter or less",
        "gradients",
        causes=(*ROOTS, "learning-rate-high", "relu-dead", "units-saturated"),
    ),
    "gradient-exploding": Ailment(
        "The gradient explodes on its way back",
        "critical",
        "Clip the gradient (clip_grad_norm_), normalise between layers, or scale residual sums.",
        "Pascanu et al. 2013, On the difficulty of training recurrent neural networks",
        "gradients",
        causes=("input-unnormalised", "init-scale", "no-zero-grad"),
    ),
    "learning-rate-low": Ailment(
        "The learning rate is too low",
        "warning",
        "Multiply it by 10, and again while the loss still falls smoothly.",
        "updates of about 1/1000 of the weights are usual (Karpathy 2015, CS231n notes, "
        "'Ratio of weights:updates')",
        "updates",
        causes=(*ROOTS, "relu-dead", "units-saturated", "gradient-vanishing"),
    ),
    "loss-not-finite": Ailment(
        "The loss is no number any more",
        "critical",
        "Go back to the last good weights; mend what is found above, or lower the learning rate.",
        "overflow of float32 or float16",
        "loss",
        causes=(*ROOTS, "learning-rate-high", "gradient-exploding"),
    ),
    "loss-flat": Ailment(
        "Nothing is learned",
        "warning",
        "Try to learn a single batch by heart first (fit --overfit-batches 1): it shows whether "
        "network and loss can learn at all.",
        "the loss of one who knows nothing of K classes is ln K",
        "loss",
        causes=(
            *ROOTS,
            "learning-rate-high",
            "relu-dead",
            "units-saturated",
            "gradient-vanishing",
            "gradient-exploding",
            "learning-rate-low",
        ),
    ),
    "overfitting": Ailment(
        "It overfits",
        "warning",
        "Stop at the lowest validation loss, use more data or augmentation, dropout, weight decay, "
        "or a smaller network.",
        "Prechelt 1998, Early stopping - but when?: generalisation loss",
        "held-out",
        causes=("labels-mismatched", "data-unshuffled"),
    ),
}
