import torch

from glyphscope.visualise.redirect import redirected_relu


def test_a_blocked_gradient_is_redirected_and_a_true_one_is_left_alone() -> None:
    x = torch.tensor([[-1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    weight = torch.tensor([1.0, -1.0])
    [found] = torch.autograd.grad((redirected_relu(x) * weight).sum(), x)
    # Image 0 is dead: where climbing raises the input the gradient passes, elsewhere it does not.
    # Image 1 has a gradient of its own, and keeps it.
    assert found.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    [plain] = torch.autograd.grad((x.relu() * weight).sum(), x)
    assert plain.tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_maps_in_any_layout_are_redirected_image_by_image() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, 4, 5, generator=generator)
    x[::2] = -x[::2].abs()
    gradient = torch.randn(6, 3, 4, 5, generator=generator)
    climbing = gradient * ((x > 0) | (gradient > 0))
    true = gradient * (x > 0)
    expected = torch.stack([c if not t.any() else t for c, t in zip(climbing, true, strict=True)])
    assert not torch.equal(expected, true)
    for layout in (torch.contiguous_format, torch.channels_last):
        leaf = x.to(memory_format=layout).requires_grad_()
        [found] = torch.autograd.grad(redirected_relu(leaf), leaf, gradient)
        assert torch.equal(found, expected)
