import math

import numpy as np
import pytest
import torch

from glyphscope.catalogue import network_spec
from glyphscope.networks import build, place
from training.muon import Muon, orthogonalise
from training.optimisers import optimiser
from training.recipe import OptimiserRecipe


def naive_newton_schulz(gradient: np.ndarray) -> np.ndarray:
    """The iteration as the authors write it: X <- aX + b(XX')X + c(XX')^2 X."""
    x: np.ndarray = gradient / np.linalg.norm(gradient)
    for _ in range(5):
        product = x @ x.T
        x = 3.4445 * x - 4.7750 * product @ x + 2.0315 * product @ product @ x
    return x


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_orthogonalising_is_the_authors_iteration() -> None:
    for shape in ((8, 20), (20, 8), (16, 16)):
        matrix = drawn(*shape).double()
        expected = naive_newton_schulz(matrix.numpy())
        np.testing.assert_allclose(orthogonalise(matrix).numpy(), expected, atol=1e-8)


def test_singular_vectors_stay_and_singular_values_come_near_one() -> None:
    matrix = drawn(12, 40)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonalise(matrix) @ right.T
    values = inside.diagonal()
    assert torch.allclose(inside, values.diag(), atol=1e-4)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_five_steps_on_a_kernel_are_a_naive_loops() -> None:
    kernel = torch.nn.Parameter(drawn(6, 4, 3, 3).contiguous(memory_format=torch.channels_last))
    group = {"params": [kernel], "matrices": True, "weight_decay": 0.1}
    optimizer = Muon([group], lr=0.02, momentum=0.9)
    expected, buffer = kernel.detach().numpy().copy(), np.zeros((6, 36))
    for i in range(5):
        gradient = torch.sin(kernel.detach() * (i + 1))
        kernel.grad = gradient.clone()
        optimizer.step()
        flat = gradient.numpy().reshape(6, 36)
        buffer = 0.9 * buffer + 0.1 * flat
        turned = naive_newton_schulz(0.1 * flat + 0.9 * buffer).reshape(6, 4, 3, 3)
        expected = expected * (1 - 0.02 * 0.1) - 0.02 * 0.2 * math.sqrt(36) * turned
    np.testing.assert_allclose(kernel.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "apart"),
    [(torch.bfloat16, 1e-6), (torch.float32, 0.02)],  # bfloat16 keeps 8 bits
)
def test_on_matrices_it_is_pytorchs_muon(precision: torch.dtype, apart: float) -> None:
    ours, theirs = (torch.nn.Parameter(drawn(10, 30)) for _ in range(2))
    groups = [{"params": [ours], "matrices": True, "weight_decay": 0.1}]
    mine = Muon(groups, lr=0.01, precision=precision)
    reference = torch.optim.Muon(
        [theirs], lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    start = ours.detach().clone()
    for _ in range(3):
        ours.grad, theirs.grad = ours.detach().sin(), theirs.detach().sin()
        mine.step()
        reference.step()
    moved = (ours - start).norm()
    assert (ours - theirs).norm() < apart * moved


def test_a_recipe_in_bfloat16_iterates_in_it() -> None:
    network = build(network_spec("mlp", (1, 4, 4), 3, units=[8, 8]))
    how = OptimiserRecipe(name="muon")
    for precision in (torch.float32, torch.bfloat16):
        made = optimiser(network, how, precision)
        assert isinstance(made, Muon)
        assert made.precision == precision


def test_what_is_no_matrix_goes_by_adamw() -> None:
    ours, theirs = (torch.nn.Parameter(drawn(7)) for _ in range(2))
    mine = Muon([{"params": [ours], "weight_decay": 0.1}], lr=0.01)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for _ in range(4):
        ours.grad, theirs.grad = ours.detach().cos(), theirs.detach().cos()
        mine.step()
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> float:
    x = drawn(16, 1, 28, 28)
    labels = torch.arange(16) % 4
    loss = torch.zeros(())
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_it_learns_a_small_network_and_goes_on_from_its_state() -> None:
    spec = network_spec("card-cnn", (1, 28, 28), 4, features=[4, 6], units=[32, 16])
    how = OptimiserRecipe(name="muon", learning_rate=0.02)
    cpu = torch.device("cpu")
    whole = place(build(spec), cpu)
    assert train(whole, optimiser(whole, how), 20) < 0.1
    first = place(build(spec), cpu)
    before = optimiser(first, how)
    train(first, before, 10)
    again = optimiser(first, how)
    again.load_state_dict(before.state_dict())
    train(first, again, 10)
    for a, b in zip(whole.parameters(), first.parameters(), strict=True):
        assert torch.equal(a, b)
