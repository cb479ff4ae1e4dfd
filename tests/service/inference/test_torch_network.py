"""What runs where there is no ``model.onnx``: a network as it is, and CUDA graphs of it.

The tests marked ``cuda`` run where a GPU is, and are skipped elsewhere.
"""

import asyncio
import logging
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.preprocess import Pixels, to_tensor
from glyphscope.spec import InputSpec
from service.inference import torch_network
from service.inference.batcher import PIECE
from service.inference.engine import Engine
from service.inference.model import open_model
from service.inference.torch_network import SIZES, Graphs, Normaliser

MNIST = Path(__file__).parents[3] / "checkpoints" / "mnist" / "1"

SPECS = (
    InputSpec(mean=(0.1307,), std=(0.3081,)),
    InputSpec(
        height=6, width=5, channels=3, preprocessing="picture", mean=(0.1, 0.4, 0.5),
        std=(0.2, 0.25, 0.3),
    ),
)  # fmt: skip

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def images(count: int, spec: InputSpec, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, *spec.shape), np.uint8)


@pytest.mark.parametrize("spec", SPECS)
def test_normalised_as_everywhere(spec: InputSpec) -> None:
    pixels = images(3, spec)
    found = Normaliser(spec, torch.device("cpu"))(torch.from_numpy(pixels))
    expected = to_tensor(pixels, spec)
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()


def test_the_largest_pass_has_a_graph() -> None:
    assert SIZES[-1] == PIECE


def test_without_graphs_the_network_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Capturing on a CPU fails."""
    checkpoint = load(MNIST)
    with caplog.at_level(logging.WARNING, "glyphscope.service"):
        forward = torch_network.cuda(checkpoint)
    assert "mnist@1 runs without CUDA graphs" in caplog.text
    pixels = images(3, checkpoint.manifest.input)
    assert np.array_equal(forward(pixels), torch_network.cpu(checkpoint)(pixels))


@pytest.fixture(scope="module")
def on_gpu() -> Checkpoint:
    return load(MNIST, "cuda")


@pytest.fixture(scope="module")
def graphs(on_gpu: Checkpoint) -> Graphs:
    return Graphs(on_gpu)


def logits_of(
    checkpoint: Checkpoint, pixels: Pixels
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """As a plain pass has them."""
    with torch.inference_mode():
        logits = checkpoint.network(to_tensor(pixels, checkpoint.manifest.input, checkpoint.device))
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = logits.float().cpu().numpy()
    return found


@pytest.mark.cuda
@needs_cuda
class TestGraphs:
    def test_a_model_on_a_gpu_has_them(
        self, on_gpu: Checkpoint, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = open_model(on_gpu.manifest, MNIST, "cuda")
        assert model.runtime == "cuda"
        assert isinstance(model.forward, Graphs)
        assert "without CUDA graphs" not in caplog.text

    def test_every_number_of_images(self, graphs: Graphs, on_gpu: Checkpoint) -> None:
        for count in range(1, PIECE + 1):
            pixels = images(count, on_gpu.manifest.input, seed=count)
            expected = logits_of(on_gpu, pixels)
            np.testing.assert_allclose(graphs(pixels), expected, rtol=1e-3, atol=1e-3)

    def test_what_filled_a_batch_before_changes_nothing(
        self, graphs: Graphs, on_gpu: Checkpoint
    ) -> None:
        few, many = images(5, on_gpu.manifest.input), images(8, on_gpu.manifest.input, seed=1)
        before = graphs(few)
        graphs(many)
        assert np.array_equal(graphs(few), before)

    def test_an_answer_is_its_own(self, graphs: Graphs, on_gpu: Checkpoint) -> None:
        """Not the buffer that the next pass writes into."""
        first = graphs(images(2, on_gpu.manifest.input))
        kept = first.copy()
        graphs(images(2, on_gpu.manifest.input, seed=1))
        assert np.array_equal(first, kept)

    def test_captured_while_another_answers(self, graphs: Graphs, on_gpu: Checkpoint) -> None:
        """A version is loaded in a thread while the one before serves."""
        pixels, end, wrong = images(7, on_gpu.manifest.input), threading.Event(), list[object]()
        expected = graphs(pixels)

        def answer() -> None:
            while not end.is_set():
                torch.empty(1 << 20, device=on_gpu.device)
                if not np.array_equal(graphs(pixels), expected):
                    wrong.append(pixels)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            beside = [Graphs(load(MNIST, "cuda")) for _ in range(3)]
        finally:
            end.set()
            thread.join()
        assert wrong == []
        for found in beside:
            np.testing.assert_allclose(found(pixels), expected, rtol=1e-5, atol=1e-5)

    async def test_by_the_batcher(self, on_gpu: Checkpoint) -> None:
        model, engine = open_model(on_gpu.manifest, MNIST, "cuda"), Engine()
        sent = [images(count, model.manifest.input, seed=count) for count in (1, 3, 70, 5, 33)]
        found = await asyncio.gather(*(engine.answers(model, pixels) for pixels in sent))
        for pixels, scores in zip(sent, found, strict=True):
            np.testing.assert_allclose(
                scores.logits, logits_of(on_gpu, pixels), rtol=1e-3, atol=1e-3
            )
        engine.close()
