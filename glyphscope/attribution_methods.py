"""The methods of ``attribution.py``, and who they are from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """``shares``: its heat adds up to the target's logit over that of an empty image."""

    title: str
    source: str
    shares: bool = False


METHODS: dict[str, Method] = {
    "saliency": Method(
        "Saliency", "Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034, section 3"
    ),
    "integrated-gradients": Method(
        "Integrated gradients", "Sundararajan, Taly & Yan 2017, arXiv:1703.01365", shares=True
    ),
    "smoothgrad": Method("SmoothGrad", "Smilkov et al. 2017, arXiv:1706.03825"),
    "grad-cam": Method("Grad-CAM", "Selvaraju et al. 2016, arXiv:1610.02391"),
    "guided-backprop": Method(
        "Guided backpropagation", "Springenberg et al. 2014, arXiv:1412.6806"
    ),
    "deconvolution": Method("Deconvolution", "Zeiler & Fergus 2013, arXiv:1311.2901"),
    "occlusion": Method("Occlusion", "Zeiler & Fergus 2013, arXiv:1311.2901, section 4.2"),
    # Not shared out: what biases give takes relevance away.
    "lrp": Method(
        "Layer-wise relevance propagation", "Bach et al. 2015, doi:10.1371/journal.pone.0130140"
    ),
}
