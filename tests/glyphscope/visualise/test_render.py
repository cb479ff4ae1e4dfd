import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glyphscope import checkpoint as checkpoints
from glyphscope.activations import activations
from glyphscope.catalogue import network_spec
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput, NotFound
from glyphscope.examples import Examples
from glyphscope.manifest import Manifest, sha256
from glyphscope.networks import build, place
from glyphscope.preprocess import to_tensor
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from glyphscope.visualise import (
    PRESETS,
    MaximisationRequest,
    Regularisers,
    digest,
    maximise,
    resolve,
)
from glyphscope.visualise.objectives import diversity

ROOT = Path(__file__).parents[3]
STORE = Store(ROOT / "checkpoints")
FEW = 24


def ask(layer: str = "act2", **more: object) -> MaximisationRequest:
    return MaximisationRequest.model_validate({"layer": layer, "steps": FEW, **more})


def hooks(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in network.modules())


def test_pictures_drive_their_units_more_than_random_images(checkpoint: Checkpoint) -> None:
    found = maximise(checkpoint, ask("logits", steps=64, regularisers={"total_variation": 0}))
    noise = np.random.default_rng(0).integers(0, 256, (200, 1, 28, 28), dtype=np.uint8)
    x = to_tensor(noise, checkpoint.manifest.input)
    highest = activations(checkpoint.network, x, ["logits"])["logits"].amax(0)
    assert all(image.activation > highest[image.unit] for image in found)


def test_the_activation_is_that_of_the_served_bytes(checkpoint: Checkpoint) -> None:
    found = maximise(checkpoint, ask(units=[0, 3]))
    x = to_tensor(np.stack([image.pixels for image in found]), checkpoint.manifest.input)
    output = activations(checkpoint.network, x, ["act2"])["act2"]
    for i, image in enumerate(found):
        assert image.activation == pytest.approx(float(output[i, image.unit].max()), rel=1e-4)


@pytest.mark.parametrize(
    ("layer", "more"),
    [
        ("act2", {"preset": "default"}),
        ("conv2", {"preset": "yosinski2015"}),
        ("logits", {"preset": "maco", "patience": 1, "steps": 64}),
        ("act1", {"objective": "neuron", "parameterisation": "pyramid"}),
    ],
)
def test_a_picture_is_the_same_alone_or_in_any_company(
    checkpoint: Checkpoint, layer: str, more: dict[str, object]
) -> None:
    def draw(units: object) -> dict[int, bytes]:
        found = maximise(checkpoint, ask(layer, units=units, **more))
        return {image.unit: image.pixels.tobytes() for image in found}

    together = draw("all")
    for units in ([3], [5, 2, 3]):
        for unit, pixels in draw(units).items():
            assert pixels == together[unit], (units, unit)


def test_neither_cores_nor_other_threads_show_in_a_picture(checkpoint: Checkpoint) -> None:
    alone = [i.pixels.tobytes() for i in maximise(checkpoint, ask("logits"))]
    torch.set_num_threads(2)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: maximise(checkpoint, ask("logits")), range(2)))
    assert all([i.pixels.tobytes() for i in images] == alone for images in both)
    assert hooks(checkpoint.network) == 0


def test_a_picture_is_the_same_in_another_process() -> None:
    code = (
        "import sys; from glyphscope import checkpoint; from glyphscope.store import Store;"
        "from glyphscope.visualise import *; from glyphscope.manifest import sha256;"
        "import torch; torch.set_num_threads(1);"
        "s = Store(sys.argv[1]); c = checkpoint.load(s.path(s.resolve('mnist')));"
        "r = MaximisationRequest(layer='out1', units=(5, 2), steps=20);"
        "print([sha256(i.pixels.tobytes()) for i in maximise(c, r)][::-1])"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = checkpoints.load(STORE.path(STORE.resolve("mnist")))
        here = maximise(found, MaximisationRequest(layer="out1", units=(2,), steps=20))
    finally:
        torch.set_num_threads(threads)
    there = subprocess.run(
        [sys.executable, "-c", code, str(STORE.root)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert sha256(here[0].pixels.tobytes()) in there.stdout.split(",")[0]


def test_the_seed_changes_the_picture(checkpoint: Checkpoint) -> None:
    first, second = (maximise(checkpoint, ask(units=[2], seed=s))[0].pixels for s in (0, 1))
    assert not np.array_equal(first, second)


def test_a_dead_unit_is_said_to_be_dead(checkpoint: Checkpoint) -> None:
    dead, alive = maximise(checkpoint, ask("act1", units=[1, 0]))
    assert dead.dead
    assert dead.activation == 0
    assert not dead.pixels.any()
    assert not alive.dead
    assert alive.pixels.any()


def test_total_variation_smooths(checkpoint: Checkpoint) -> None:
    def roughness(weight: float) -> float:
        how = Regularisers(total_variation=weight, l2=0)
        [image] = maximise(checkpoint, ask(units=[2], steps=64, regularisers=how))
        pixels = image.pixels.astype(float)
        return float(
            np.abs(np.diff(pixels, axis=1)).mean() + np.abs(np.diff(pixels, axis=2)).mean()
        )

    assert roughness(1.0) < 0.7 * roughness(0.0)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_draws(checkpoint: Checkpoint, name: str) -> None:
    [image] = maximise(checkpoint, ask(units=[2], preset=name))
    assert image.pixels.std() > 0
    assert image.activation > 0


def test_variants_of_a_unit_are_pushed_apart(checkpoint: Checkpoint) -> None:
    def alike(weight: float) -> float:
        request = ask("act2", units=[2], variants=3, diversity=weight, steps=48)
        found = maximise(checkpoint, request)
        assert [image.unit for image in found] == [0, 1, 2]
        x = to_tensor(np.stack([image.pixels for image in found]), checkpoint.manifest.input)
        heard = activations(checkpoint.network, x, ["act2"])
        return -float(diversity("act2").score(heard).mean())

    assert alike(2.0) < alike(0.0)


def test_a_sum_pulls_as_its_weights_say(checkpoint: Checkpoint) -> None:
    def values(*weights: float) -> Tensor:
        terms = [{"unit": unit, "weight": weight} for unit, weight in enumerate(weights)]
        [image] = maximise(checkpoint, ask("logits", objective=terms, preset="sharp", steps=48))
        x = to_tensor(image.pixels[None], checkpoint.manifest.input)
        found = activations(checkpoint.network, x, ["logits"])["logits"][0]
        expected = float((found[: len(weights)] * torch.tensor(weights)).sum())
        assert image.unit == 0
        assert image.activation == pytest.approx(expected, rel=1e-4)
        return found

    up, apart = values(1.0), values(1.0, -1.0)
    assert apart[0] - apart[1] > up[0] - up[1]


def test_a_whole_layer_is_one_picture(checkpoint: Checkpoint) -> None:
    [image] = maximise(checkpoint, ask("act2", objective="layer"))
    x = to_tensor(image.pixels[None], checkpoint.manifest.input)
    heard = activations(checkpoint.network, x, ["act2"])["act2"]
    assert image.activation == pytest.approx(float(heard.square().mean()), rel=1e-4)


def test_a_unit_that_nothing_moves_is_dead_before_its_rectifier_too(checkpoint: Checkpoint) -> None:
    dead, alive = maximise(checkpoint, ask("conv1", units=[1, 0]))
    assert (dead.dead, alive.dead) == (True, False)
    assert dead.activation == -1
    assert not dead.pixels.any()


def test_silent_units_are_tried_before_the_others_are_drawn(checkpoint: Checkpoint) -> None:
    """Unit 0 answers although no image of this test set drives it, unit 1 never does."""
    silent = Examples({"act1.activations": torch.zeros(6, 9)})
    shown: set[int] = set()
    found = maximise(
        replace(checkpoint, examples=silent),
        ask("act1", units=[1, 0]),
        frame=lambda step, units, pixels: shown.update(units),
    )
    assert [image.dead for image in found] == [True, False]
    assert shown == {0}


def test_colour_is_drawn_in_three_channels() -> None:
    network = build(network_spec("card-cnn", (3, 32, 40), 4, features=[6, 8], units=16), seed=4)
    network.eval().requires_grad_(False)
    manifest = Manifest(
        name="colour", version=1, created="2026-01-01T00:00:00+00:00", network=network.spec,
        input=InputSpec(
            channels=3, height=32, width=40, preprocessing="picture",
            mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2),
        ),
        labels=LabelSet(names=tuple("abcd")),
    )  # fmt: skip
    colour = Checkpoint(manifest, network, torch.device("cpu"))
    for name in PRESETS:
        [image] = maximise(colour, ask("act2", units=[0], preset=name, steps=8))
        assert image.pixels.shape == (3, 32, 40)
        assert image.pixels.std() > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_a_recorded_step_draws_what_the_cpu_draws(checkpoint: Checkpoint) -> None:
    on_cpu = maximise(checkpoint, ask("logits", steps=48))
    device = torch.device("cuda")
    moved = Checkpoint(checkpoint.manifest, place(checkpoint.network, device), device)
    on_cuda = maximise(moved, ask("logits", steps=48))
    for here, there in zip(on_cpu, on_cuda, strict=True):
        assert there.activation == pytest.approx(here.activation, rel=0.1)


def test_unknown_layers_and_units_list_the_known_ones(checkpoint: Checkpoint) -> None:
    with pytest.raises(NotFound, match="known: conv1, act1"):
        maximise(checkpoint, ask("conv9"))
    with pytest.raises(NotFound, match="unit of layer act2 '8'; known: 0, 1, 2, 3, 4, 5, 6, 7"):
        maximise(checkpoint, ask(units=[8]))


def test_dropout_has_no_units(checkpoint: Checkpoint) -> None:
    from glyphscope.catalogue import network_spec
    from glyphscope.networks import build

    network = build(network_spec("mlp", (1, 28, 28), 10, units=[8], dropout=0.5))
    with pytest.raises(InvalidInput, match="dropout1 is dropout"):
        resolve(network, ask("dropout1"))


def test_the_digest_names_all_that_determines_the_picture(checkpoint: Checkpoint) -> None:
    manifest = checkpoint.manifest
    base = digest(manifest, ask())
    assert len(base) == 40
    assert digest(manifest, ask(units=list(range(8)))) == base  # "all", written out
    assert digest(manifest.model_copy(update={"name": "other", "version": 9}), ask()) == base
    changes: list[dict[str, object]] = [
        {"seed": 1}, {"steps": 25}, {"units": [0]}, {"objective": "neuron"}, {"layer": "act1"},
        {"parameterisation": "pixels"}, {"transforms": "small"}, {"learning_rate": 0.2},
        {"regularisers": {"l2": 0.5}},
    ]  # fmt: skip
    others = {
        digest(manifest, MaximisationRequest.model_validate({**ask().model_dump(), **c}))
        for c in changes
    }
    assert len(others | {base}) == len(changes) + 1
    weights = manifest.model_copy(update={"files": {"model.safetensors": "0" * 64}})
    assert digest(weights, ask()) != base
