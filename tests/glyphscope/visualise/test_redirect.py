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
