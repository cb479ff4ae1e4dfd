from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.attribution import RUNS, AttributionOptions, attribute
from glyphscope.attribution_methods import METHODS
from glyphscope.catalogue import network_spec
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.lrp import unrolled
from glyphscope.manifest import Manifest
from glyphscope.networks import Network, build
from glyphscope.preprocess import normalise
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.twin import OnPixels, twin

FEW = AttributionOptions(steps=8, samples=4, window=4, stride=4)
INPUT = InputSpec(height=14, width=14, mean=(0.1,), std=(0.3,))


def made(name: str, seed: int = 0, **knobs: Any) -> Checkpoint:
    """An untrained network of three classes, its batch norms as if they had seen something."""
    network = build(network_spec(name, (1, 14, 14), 3, **knobs), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                assert values is not None
                values.add_(0.3 * torch.randn(values.shape, generator=generator))
    network.eval().requires_grad_(False)
    labels = LabelSet(names=("a", "b", "c"))
    manifest = Manifest(
        name="tiny", version=1, created="", network=network.spec, input=INPUT, labels=labels
    )
    return Checkpoint(manifest, network, torch.device("cpu"))


@pytest.fixture(scope="module")
def plain() -> Checkpoint:
    return made("card-cnn", features=[4, 6], units=8)


@pytest.fixture(scope="module")
def residual() -> Checkpoint:
    return made("residual-small", features=[4, 6, 6])


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 1, 14, 14), np.uint8)


def gradient(found: Checkpoint, images: Tensor, target: int) -> Tensor:
    """By autograd alone."""
    images = images.clone().requires_grad_()
    logits = found.network(normalise(images, INPUT))
    [wanted] = torch.autograd.grad(logits[:, target].sum(), images)
    return wanted


def of(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).float() / 255


def close(found: np.ndarray, expected: Tensor) -> None:
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found, expected.squeeze(1).numpy(), atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["plain", "residual"])
def test_saliency_is_the_gradient(
    name: str, pixels: np.ndarray, request: pytest.FixtureRequest
) -> None:
    found: Checkpoint = request.getfixturevalue(name)
    heat = attribute(found, pixels, "saliency", 2)
    close(heat.heat, gradient(found, of(pixels), 2))
    assert heat.targets == (2, 2)


def test_integrated_gradients_share_out_the_difference(
    residual: Checkpoint, pixels: np.ndarray
) -> None:
    found = attribute(residual, pixels, "integrated-gradients", 1, AttributionOptions(steps=96))
    images = normalise(of(pixels), INPUT)
    empty = normalise(torch.zeros_like(of(pixels)), INPUT)
    with torch.no_grad():
        gain = (residual.network(images) - residual.network(empty))[:, 1]
        logits = residual.network(images)[:, 1]
    np.testing.assert_allclose(found.heat.sum((1, 2)), gain, rtol=0.02)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-4)
    assert found.gaps is not None
    expected = np.abs(found.heat.sum((1, 2)) - gain.numpy()) / np.abs(gain.numpy())
    np.testing.assert_allclose(found.gaps, expected, atol=1e-4)


def test_smoothgrad_is_a_mean_of_gradients(plain: Checkpoint, pixels: np.ndarray) -> None:
    options = AttributionOptions(samples=5, noise=0.1, seed=3)
    noise = 0.1 * torch.randn(5, 1, 14, 14, generator=torch.Generator().manual_seed(3))
    for i, heat in enumerate(attribute(plain, pixels, "smoothgrad", 0, options).heat):
        wanted = gradient(plain, of(pixels[i : i + 1]) + noise, 0).mean(0, keepdim=True)
        close(heat[None], wanted)


@pytest.mark.parametrize("layer", ["conv2", "act1", None])
def test_grad_cam_by_hand(plain: Checkpoint, pixels: np.ndarray, layer: str | None) -> None:
    found = attribute(plain, pixels, "grad-cam", 1, AttributionOptions(layer=layer))
    assert found.layer == (layer or "pool2")
    x, maps = normalise(of(pixels), INPUT), torch.zeros(0)
    for name, module in plain.network.named_children():
        x = module(x)
        if name == found.layer:
            maps = x = x.detach().requires_grad_()
    [slope] = torch.autograd.grad(x[:, 1].sum(), maps)
    cam = (slope.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).detach()
    close(found.heat, functional.interpolate(cam, (14, 14), mode="bilinear"))


class _Guided(torch.autograd.Function):
    """Springenberg et al. 2014, figure 1: what is negative on the way back, or was on the way
    there, is dropped; the deconvnet drops the former alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, deconvolution: bool) -> Tensor:
        ctx.save_for_backward(x)
        ctx.deconvolution = deconvolution
        return x.relu()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (x,), back = ctx.saved_tensors, gradients[0].relu()
        return (back if ctx.deconvolution else back * (x > 0)), None


@pytest.mark.parametrize("method", ["guided-backprop", "deconvolution"])
def test_what_relus_hand_back(plain: Checkpoint, pixels: np.ndarray, method: str) -> None:
    images = of(pixels).requires_grad_()
    x = normalise(images, INPUT)
    for module in plain.network:
        is_relu = isinstance(module, nn.ReLU)
        x = _Guided.apply(x, method == "deconvolution") if is_relu else module(x)  # type: ignore[no-untyped-call]
    [wanted] = torch.autograd.grad(x[:, 0].sum(), images)
    close(attribute(plain, pixels, method, 0).heat, wanted)


def test_occlusion_is_a_naive_loop(plain: Checkpoint, pixels: np.ndarray) -> None:
    options = AttributionOptions(window=4, stride=3)
    found = attribute(plain, pixels[:1], "occlusion", 2, options)
    image = of(pixels[:1])

    def logit(images: Tensor) -> float:
        with torch.no_grad():
            return float(plain.network(normalise(images, INPUT))[0, 2])

    total, seen = torch.zeros(14, 14), torch.zeros(14, 14)
    for top in (0, 3, 6, 9, 12):
        for left in (0, 3, 6, 9, 12):
            covered = image.clone()
            covered[:, :, top : top + 4, left : left + 4] = 0
            total[top : top + 4, left : left + 4] += logit(image) - logit(covered)
            seen[top : top + 4, left : left + 4] += 1
    close(found.heat, (total / seen)[None, None])


def test_relevance_without_gamma_is_gradient_times_input() -> None:
    """Ancona et al. 2018 (arXiv:1711.06104), proposition 1: so for epsilon-LRP in a ReLU network,
    here through batch norms, sums, strides and padded shortcuts."""
    from captum.attr import LRP

    for found in (made("residual-small", features=[4, 6, 6]), made("resnet", depth=8)):
        model = unrolled(found.network, gamma=0)
        x = torch.randn(1, 1, 14, 14, generator=torch.Generator().manual_seed(1)).requires_grad_()
        torch.testing.assert_close(model(x), found.network(x), rtol=1e-4, atol=1e-5)
        [slope] = torch.autograd.grad(found.network(x)[0, 1], x)
        heat = LRP(model).attribute(x, target=1).detach()
        expected = (slope * x).detach()
        # Dividing by an activation near 0 and multiplying by it again costs digits.
        torch.testing.assert_close(heat, expected, rtol=0, atol=2e-3 * float(expected.abs().max()))


def test_relevance_by_hand(pixels: np.ndarray) -> None:
    """Gamma at the convolution, epsilon at the dense layer (Montavon et al. 2019, section 10.2)."""
    found = made("cnn", features=[3], pool="none", units=[], batch_norm=False)
    image = of(pixels[:1])
    conv, dense = found.network.get_submodule("conv1"), found.network.get_submodule("logits")
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(dense, nn.Linear)
    scaled = normalise(image, INPUT).requires_grad_()
    hidden = conv(scaled).relu().detach()
    at_hidden = (dense.weight[1].view(hidden.shape) * hidden).detach()
    weight = conv.weight + 0.25 * conv.weight.clamp(min=0)
    z = functional.conv2d(scaled, weight, conv.bias, padding="same")
    share = at_hidden / (z + 1e-9 * z.sign()).detach()
    [back] = torch.autograd.grad((z * share).sum(), scaled)
    at_scaled = (scaled * back).detach()
    at_pixels = at_scaled / scaled.detach() * image / 0.3
    close(attribute(found, pixels[:1], "lrp", 1).heat, at_pixels)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_is_explained_by_itself(
    residual: Checkpoint, pixels: np.ndarray, method: str
) -> None:
    both = attribute(residual, pixels, method, options=FEW)
    assert both.heat.shape == (2, 14, 14)
    assert both.heat.dtype == np.float32
    for i in range(2):
        alone = attribute(residual, pixels[i : i + 1], method, options=FEW)
        np.testing.assert_array_equal(alone.heat[0], both.heat[i])
        assert alone.targets[0] == both.targets[i]


def hooks(network: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in network.modules() for kind in kinds)


def test_nothing_is_left_on_the_network(residual: Checkpoint, pixels: np.ndarray) -> None:
    before = {key: value.clone() for key, value in residual.network.state_dict().items()}
    for method in METHODS:
        attribute(residual, pixels, method, options=FEW)
    with torch.inference_mode():
        attribute(residual, pixels, "guided-backprop")
    assert hooks(residual.network) == 0
    assert not residual.network.training
    assert not any(p.requires_grad or p.grad is not None for p in residual.network.parameters())
    assert not any(hasattr(module, "rule") for module in residual.network.modules())
    for key, value in residual.network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_requests_at_the_same_time_do_not_meet(residual: Checkpoint, pixels: np.ndarray) -> None:
    alone = {name: attribute(residual, pixels, name, options=FEW).heat for name in METHODS}
    work = [name for _ in range(3) for name in METHODS]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda name: attribute(residual, pixels, name, options=FEW).heat, work)
        )
    for name, heat in zip(work, found, strict=True):
        np.testing.assert_array_equal(heat, alone[name])


def test_a_twin_shares_weights_and_nothing_else(residual: Checkpoint) -> None:
    other = twin(residual.network)
    own, theirs = other.state_dict(), residual.network.state_dict()
    assert [v.data_ptr() for v in own.values()] == [v.data_ptr() for v in theirs.values()]
    assert not {*map(id, other.modules())} & {*map(id, residual.network.modules())}
    assert [layer.name for layer in other.layers] == [
        layer.name for layer in residual.network.layers
    ]
    images = torch.rand(2, 1, 14, 14)
    model = OnPixels(other, INPUT, torch.device("cpu"))
    torch.testing.assert_close(model(images), residual.network(normalise(images, INPUT)))


def test_colour_channels_are_summed() -> None:
    network: Network = build(network_spec("card-cnn", (3, 14, 14), 3, features=[4], units=8)).eval()
    network.requires_grad_(False)
    spec = InputSpec(
        channels=3, height=14, width=14, mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1),
        preprocessing="picture",
    )  # fmt: skip
    manifest = Manifest(
        name="tiny", version=1, created="", network=network.spec, input=spec,
        labels=LabelSet(names=("a", "b", "c")),
    )  # fmt: skip
    found = Checkpoint(manifest, network, torch.device("cpu"))
    colours = np.random.default_rng(0).integers(0, 256, (1, 3, 14, 14), np.uint8)
    images = of(colours).requires_grad_()
    [slope] = torch.autograd.grad(network(normalise(images, spec))[0, 1], images)
    close(attribute(found, colours, "saliency", 1).heat, slope.sum(1, keepdim=True))


Refusal = tuple[Callable[[Checkpoint, np.ndarray], object], type[Exception], str]

REFUSED: dict[str, Refusal] = {
    "method": (lambda c, p: attribute(c, p, "magic"), NotFound, "unknown attribution method"),
    "class": (lambda c, p: attribute(c, p, "saliency", 3), NotFound, "unknown class '3'"),
    "shape": (lambda c, p: attribute(c, p[:, 0], "saliency"), InvalidInput, "must have the shape"),
    "layer": (
        lambda c, p: attribute(c, p, "grad-cam", options=AttributionOptions(layer="x")),
        NotFound,
        "unknown layer 'x'",
    ),
    "flat layer": (
        lambda c, p: attribute(c, p, "grad-cam", options=AttributionOptions(layer="dense1")),
        InvalidInput,
        "dense1 has none, these have: conv1, act1",
    ),
    "window": (
        lambda c, p: attribute(c, p, "occlusion", options=AttributionOptions(window=15)),
        InvalidInput,
        "does not fit into 14x14",
    ),
    "stride": (
        lambda c, p: attribute(c, p, "occlusion", options=AttributionOptions(window=2, stride=3)),
        InvalidInput,
        "would leave pixels out",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said(plain: Checkpoint, pixels: np.ndarray, case: str) -> None:
    call, error, reason = REFUSED[case]
    with pytest.raises(error, match=reason):
        call(plain, pixels)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("lrp", r"through layer act1 \(GELU\)"),
        ("guided-backprop", "this network has none"),
        ("deconvolution", "this network has none"),
    ],
)
def test_networks_of_other_functions(pixels: np.ndarray, method: str, reason: str) -> None:
    found = made("cnn", features=[3], units=[4], batch_norm=False, function="gelu")
    with pytest.raises(InvalidInput, match=reason):
        attribute(found, pixels, method)
    flat = made("mlp", units=[4])
    with pytest.raises(InvalidInput, match="this network has none"):
        attribute(flat, pixels, "grad-cam")


def test_every_method_can_be_run() -> None:
    assert RUNS.keys() == METHODS.keys()
