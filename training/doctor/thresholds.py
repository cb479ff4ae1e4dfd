"""Where the doctor draws its lines, each with its source. docs/doctor.md says how far healthy and
sick runs lie from them.
"""

import math


def softmax_twice_floor(classes: int) -> float:
    """The least cross-entropy when probabilities are taken for logits: the best is 1 on the right
    class and 0 elsewhere, so -ln(e / (e + K - 1)) = ln(e + K - 1) - 1; 1.461 for 10 classes."""
    return math.log(math.e + classes - 1) - 1


def tanh_floor(classes: int) -> float:
    """The same for logits in -1..1: -ln(e / (e + (K - 1) / e)) = ln(e^2 + K - 1) - 2."""
    return math.log(math.e**2 + classes - 1) - 2


LEARNED = 0.5
"""A loss below this share of where it started was learned. Chosen: half way to perfect."""

MOVED = 0.95
"""A loss above this share of where it started has not moved. Chosen: a mini-batch's loss differs by
about 5 % from the next one's at the start (n = 41 healthy runs)."""

NEIGHBOURS = 0.25
"""Share of equal labels in a row above chance. A shuffled stream has 0 with a standard error below
0.03 from 200 labels on; sorted classes have 1 - 1/K."""

Z_CHANCE = 3.0
"""Standard errors above chance that count as more than chance: one in 740 is above by luck."""

Z_PROBE = 2.0
"""The probe of the labels is held to less: labels that fit have 30 and more on MNIST."""

INPUT_LARGE = 4.0
"""Of |mean| or standard deviation. LeCun et al. 1998 ask for 0 and 1; pixels in 0..255 have 30 to
130 and 60 to 120, pixels in 0..1 at most 1 and 0.5."""

INPUT_SMALL = 0.02
"""Of the standard deviation; dividing by 255 twice gives about 0.001."""

LEAKED = 0.01
"""Share of validation images that were trained on. Exact copies make up none of MNIST's test images
and less than 1 % of any usual set; near copies are 3.3 % of CIFAR-10's (Barz and Denzler 2020)."""

START = 3.0
"""Loss of the first step over ln K. Random logits of standard deviation s give at most
ln K + s^2 / 2 (Jensen), so for 10 classes it takes an s above 3; He's initialisation gives 1.4."""

GAIN_LARGE = 3.0
"""Of standard deviation times sqrt(inputs): He 1.41, Glorot 1, PyTorch's default 0.58."""

GAIN_SMALL = 0.1

SPREAD_SMALL = 1e-3
"""Standard deviation of the first logits over images: nothing of the image reaches them."""

EXTREME_FIRST = 0.5
"""Share of sigmoids outside 0.02..0.98 (tanh: 0.98) before the first step, where the slope is below
a twelfth of the steepest (Glorot and Bengio 2010, section 3, call it saturated)."""

EXTREME = 0.9
"""The same while it trains: a trained layer may well have made up its mind."""

DEAD = 0.75
"""Share of a layer's ReLUs that answer no image. Sparse layers that learn have up to a half."""

FALL = 1e-3
"""Gradient of the first weight over that of the last. A sigmoid's slope is at most 1/4, so five of
them in a row bring about this (Hochreiter 1991)."""

EXPLODED = 100.0
"""Norm of the gradient at the first step. Pascanu et al. 2013 clip at 1 to 45."""

SPIKE = 3.0
"""Loss over where it started. Below twice the best rate a convex loss cannot rise (LeCun et al.
1998, section 5.1); mini-batches and momentum let healthy runs reach 2."""

UPDATE_HIGH = 0.1
"""Change over weight in a step: a hundred times the usual 1/1000 (Karpathy 2015)."""

UPDATE_LOW = 2e-4
"""A fifth of the usual 1/1000."""

CLIMB = 0.35
"""Rise of the held-out loss from its lowest, over ln K. Prechelt 1998 compares stopping rules from
1 % on; classifiers grow too sure of themselves without losing accuracy (Guo et al. 2017), so the
line is drawn at a third of what knowing nothing costs."""

STALE = 0.5
"""Share of steps: the ailment is there at every step or at none."""
