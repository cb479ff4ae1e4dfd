"""Which pixels speak for an answer and which against it: Captum behind one function.

    attribute(checkpoint, pixels, method, target)  ->  Attribution with heat maps (N, H, W)

Every method explains the logit of ``target`` as a function of pixels in 0..1, normalisation
included, with black as the ground that nothing comes from. Heat is signed: positive speaks for the
target. It is summed over colour channels.

A method sets hooks on the modules that it runs. Here they are set on a twin, which shares weights
and nothing else and is thrown away, so requests at the same time never meet, and none is left
behind, whatever fails. Images are explained one by one: memory is one image's, and a heat map does
not depend on what came with it.
"""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.attribution_methods import METHODS
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.lrp import unrolled
from glyphscope.networks import Network
from glyphscope.picture import Pixels
from glyphscope.spec import Frozen
from glyphscope.twin import OnPixels, twin

_AT_A_TIME = 64
"""Images in one forward pass of the methods that look at many versions of one."""


class AttributionOptions(Frozen):
    """``layer``: Grad-CAM's, else the last with positions. ``steps``: integrated gradients'.
    ``samples`` and ``noise`` (standard deviation, of pixels in 0..1): SmoothGrad's. ``window`` and
    ``stride`` in pixels: occlusion's, else a seventh and a fourteenth of the image's side."""

    layer: str | None = None
    steps: Annotated[int, Field(ge=1, le=1024)] = 64
    samples: Annotated[int, Field(ge=1, le=1024)] = 32
    noise: Annotated[float, Field(gt=0, le=1)] = 0.15
    window: Annotated[int, Field(ge=1, le=1024)] | None = None
    stride: Annotated[int, Field(ge=1, le=1024)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


@dataclass(frozen=True)
class Attribution:
    """``heat``: (N, H, W) float32, signed. ``targets``: the class explained, of each image.
    ``logits``: the target's. ``gaps``: of the methods that share a difference out among the pixels
    (see ``Method.shares``), what their sum is away from it, as a share of it; else None."""

    method: str
    targets: tuple[int, ...]
    logits: tuple[float, ...]
    heat: NDArray[np.float32]
    gaps: tuple[float, ...] | None
    layer: str | None = None


@dataclass(frozen=True)
class Case:
    """One image on its way through one method."""

    network: Network
    model: nn.Module
    x: Tensor
    target: int
    options: AttributionOptions

    def logits(self, x: Tensor) -> Tensor:
        """(N,): the target's."""
        with torch.no_grad():
            return torch.cat([self.model(part)[:, self.target] for part in x.split(_AT_A_TIME)])

    @property
    def gain(self) -> float:
        """The target's logit over that of an empty image."""
        both = self.logits(torch.cat([self.x.detach(), torch.zeros_like(self.x)]))
        return float(both[0] - both[1])


Run = Callable[[Case], Tensor]
"""(1, C, H, W) in, the same shape or (1, 1, H, W) out."""


def attribute(
    checkpoint: Checkpoint,
    pixels: Pixels,
    method: str,
    target: int | None = None,
    options: AttributionOptions | None = None,
) -> Attribution:
    """``pixels``: uint8 (N, C, H, W), as the network sees them. ``target``: a class number; None
    explains each image's own answer.

    Raises ``NotFound`` for an unknown method, class or layer, ``InvalidInput`` where a method
    cannot be used on this network, saying why.
    """
    if method not in METHODS:
        raise NotFound("attribution method", method, METHODS)
    options = options or AttributionOptions()
    _check(checkpoint, pixels, target)
    with torch.inference_mode(False), torch.enable_grad():
        cases = _cases(checkpoint, pixels, target, options)
        heats = [_heat(RUNS[method], case) for case in cases]
        logits = [float(case.logits(case.x.detach())) for case in cases]
        gaps = [_gap(heat, case) for heat, case in zip(heats, cases, strict=True)]
    return Attribution(
        method=method,
        targets=tuple(case.target for case in cases),
        logits=tuple(logits),
        heat=np.stack([heat.numpy() for heat in heats]),
        gaps=tuple(gaps) if METHODS[method].shares else None,
        layer=_cam_layer(checkpoint.network, options) if method == "grad-cam" else None,
    )


def _check(checkpoint: Checkpoint, pixels: Pixels, target: int | None) -> None:
    classes = range(len(checkpoint.labels))
    if target is not None and target not in classes:
        raise NotFound("class", target, classes)
    if pixels.ndim != 4 or pixels.shape[1:] != checkpoint.manifest.input.shape or not len(pixels):
        wanted = ("N", *checkpoint.manifest.input.shape)
        raise InvalidInput(f"pixels must have the shape {wanted}, not {pixels.shape}")


def _cases(
    checkpoint: Checkpoint, pixels: Pixels, target: int | None, options: AttributionOptions
) -> list[Case]:
    network = twin(checkpoint.network)
    model = OnPixels(network, checkpoint.manifest.input, checkpoint.device)
    images = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(checkpoint.device)
    found = []
    for x in (images.float() / 255).split(1):
        with torch.no_grad():
            chosen = int(model(x).argmax(1)) if target is None else target
        found.append(Case(network, model, x.requires_grad_(), chosen, options))
    return found


def _heat(run: Run, case: Case) -> Tensor:
    """(H, W) on the CPU. Captum says in a warning that it is about to set hooks; it may."""
    warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
    heat = run(case).detach().sum(1)[0].float().cpu()
    if not bool(torch.isfinite(heat).all()):
        raise InvalidInput("this method gives no finite numbers for this image and network")
    return heat


def _gap(heat: Tensor, case: Case) -> float:
    gain = case.gain
    return abs(float(heat.sum()) - gain) / max(abs(gain), 1e-6)


def _saliency(case: Case) -> Tensor:
    from captum.attr import Saliency

    return _tensor(Saliency(case.model).attribute(case.x, target=case.target, abs=False))


def _integrated_gradients(case: Case) -> Tensor:
    from captum.attr import IntegratedGradients

    return _tensor(
        IntegratedGradients(case.model).attribute(
            case.x,
            baselines=torch.zeros_like(case.x),
            target=case.target,
            n_steps=case.options.steps,
            internal_batch_size=_AT_A_TIME,
        )
    )


def _smoothgrad(case: Case) -> Tensor:
    """Captum's NoiseTunnel draws from the generator that all threads share, so it is drawn here."""
    from captum.attr import Saliency

    options = case.options
    generator = torch.Generator().manual_seed(options.seed)
    noise = torch.randn(options.samples, *case.x.shape[1:], generator=generator)
    noisy = case.x.detach() + options.noise * noise.to(case.x.device)
    method, total = Saliency(case.model), torch.zeros_like(case.x)
    for part in noisy.split(_AT_A_TIME):
        found = method.attribute(part.requires_grad_(), target=case.target, abs=False)
        total = total + _tensor(found).sum(0, keepdim=True)
    return total / options.samples


def _grad_cam(case: Case) -> Tensor:
    from captum.attr import LayerGradCam

    layer = case.network.get_submodule(_cam_layer(case.network, case.options))
    found = _tensor(LayerGradCam(case.model, layer).attribute(case.x, target=case.target))
    size = case.x.shape[-2:]
    return functional.interpolate(found, size=size, mode="bilinear", align_corners=False)


def _cam_layer(network: Network, options: AttributionOptions) -> str:
    spatial = [layer.name for layer in network.layers if layer.spatial]
    if not spatial:
        raise InvalidInput("grad-cam needs a layer with positions; this network has none")
    known = [layer.name for layer in network.layers]
    if options.layer is None:
        return spatial[-1]
    if options.layer not in known:
        raise NotFound("layer", options.layer, known)
    if options.layer not in spatial:
        raise InvalidInput(
            f"grad-cam needs a layer with positions; {options.layer} has none, "
            f"these have: {', '.join(spatial)}"
        )
    return options.layer


def _guided_backprop(case: Case) -> Tensor:
    from captum.attr import GuidedBackprop

    _needs_relu(case.network, "guided-backprop")
    return _tensor(GuidedBackprop(case.model).attribute(case.x, target=case.target))


def _deconvolution(case: Case) -> Tensor:
    from captum.attr import Deconvolution

    _needs_relu(case.network, "deconvolution")
    return _tensor(Deconvolution(case.model).attribute(case.x, target=case.target))


def _needs_relu(network: Network, method: str) -> None:
    """Of another function they would be the plain gradient under a wrong name."""
    if not any(isinstance(module, nn.ReLU) for module in network.modules()):
        raise InvalidInput(f"{method} changes what ReLUs hand back; this network has none")


def _occlusion(case: Case) -> Tensor:
    from captum.attr import Occlusion

    channels, height, width = case.x.shape[1:]
    side = min(height, width)
    window = case.options.window or max(1, math.ceil(side / 7))
    stride = case.options.stride or max(1, side // 14)
    if window > side:
        raise InvalidInput(f"a window of {window} does not fit into {height}x{width}")
    if stride > window:
        raise InvalidInput(f"a stride of {stride} would leave pixels out of windows of {window}")
    return _tensor(
        Occlusion(case.model).attribute(
            case.x.detach(),
            sliding_window_shapes=(channels, window, window),
            strides=(channels, stride, stride),
            baselines=0,
            target=case.target,
            perturbations_per_eval=_AT_A_TIME,
        )
    )


def _lrp(case: Case) -> Tensor:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    normalise: Any = copy.deepcopy(case.model.get_submodule("normalise"))
    normalise.rule = EpsilonRule()
    model = nn.Sequential(normalise, *unrolled(case.network)).eval()
    return _tensor(LRP(model).attribute(case.x, target=case.target))


def _tensor(found: Any) -> Tensor:
    """Captum gives tuples for tuples, and tensors for tensors."""
    assert isinstance(found, Tensor)
    return found


RUNS: dict[str, Run] = {
    "saliency": _saliency,
    "integrated-gradients": _integrated_gradients,
    "smoothgrad": _smoothgrad,
    "grad-cam": _grad_cam,
    "guided-backprop": _guided_backprop,
    "deconvolution": _deconvolution,
    "occlusion": _occlusion,
    "lrp": _lrp,
}
