"""The prior: its arithmetic against plain Gaussians, its images, its file, its fallback."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import BrokenCheckpoint
from glyphscope.spec import InputSpec
from glyphscope.visualise.mixture import fit
from glyphscope.visualise.prior import SIGMA, Mixture, Waves, fitted, packed, prior, unpacked

CPU = torch.device("cpu")
SHAPE = (1, 3, 4)


def mixture(clouds: int = 3, rank: int = 2) -> Mixture:
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(clouds, 12, rank, generator=generator)).Q.mT
    return Mixture(
        shape=SHAPE,
        means=torch.rand(clouds, 12, generator=generator),
        axes=axes.contiguous(),
        variances=torch.rand(clouds, rank, generator=generator) * 0.2 + 0.05,
        noise=torch.rand(clouds, generator=generator) * 0.02 + 0.01,
        shares=torch.tensor([0.5, 0.3, 0.2]),
    )


def covariance(of: Mixture, k: int) -> Tensor:
    along = of.axes[k].T @ torch.diag(of.variances[k] - of.noise[k]) @ of.axes[k]
    return along + torch.eye(12) * of.noise[k]


def test_denoised_is_the_posterior_mean_of_full_gaussians() -> None:
    of = mixture()
    images = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    flat, noisy = images.flatten(1), torch.eye(12) * SIGMA**2
    odds, means = [], []
    for k in range(3):
        total = covariance(of, k) + noisy
        gaussian = torch.distributions.MultivariateNormal(of.means[k], total)
        odds.append(gaussian.log_prob(flat) + of.shares[k].log())
        gain = covariance(of, k) @ torch.linalg.inv(total)
        means.append(of.means[k] + (flat - of.means[k]) @ gain.T)
    weights = torch.stack(odds, 1).softmax(1)
    expected = (weights[..., None] * torch.stack(means, 1)).sum(1).view_as(images)
    torch.testing.assert_close(of.denoised(images), expected, atol=1e-4, rtol=1e-4)


def test_the_pull_is_the_gradient_of_the_log_probability() -> None:
    of = mixture()
    image = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(2)).requires_grad_()
    clouds = [
        torch.distributions.MultivariateNormal(
            of.means[k], covariance(of, k) + torch.eye(12) * SIGMA**2
        )
        for k in range(3)
    ]
    logs = [c.log_prob(image.flatten()) + of.shares[k].log() for k, c in enumerate(clouds)]
    [gradient] = torch.autograd.grad(torch.stack(logs).logsumexp(0), image)
    pull = (of.denoised(image) - image) / SIGMA**2
    torch.testing.assert_close(pull, gradient, atol=1e-2, rtol=1e-3)


def test_an_image_is_denoised_the_same_alone_and_beside_others() -> None:
    of = mixture()
    images = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(3))
    others = torch.cat([images[:1], images[1:].flip(0)])
    assert torch.equal(of.denoised(images)[0], of.denoised(others)[0])


def test_a_fit_finds_the_clouds_that_images_were_drawn_from() -> None:
    generator = torch.Generator().manual_seed(4)
    middles = torch.tensor([0.2, 0.8]).view(2, 1, 1, 1, 1)
    stripe = torch.zeros(1, 1, 4, 4)
    stripe[..., 1] = 0.5
    along = torch.randn(2, 500, 1, 1, 1, generator=generator) * 0.4
    noise = torch.randn(2, 500, 1, 4, 4, generator=generator) * 0.02
    found = fit((middles + along * stripe + noise).flatten(0, 1), clouds=2, rank=1)
    # The stripe's length is 1, so along it the variance is 0.16; elsewhere 0.0004.
    assert sorted(found.means[:, 0].tolist()) == pytest.approx([0.2, 0.8], abs=0.01)
    assert found.shares.tolist() == [0.5, 0.5]
    assert found.variances.flatten().tolist() == pytest.approx([0.16, 0.16], rel=0.15)
    assert found.noise.tolist() == pytest.approx([0.0004, 0.0004], rel=0.15)
    alike = (found.axes[:, 0] @ stripe.flatten()).abs() / stripe.norm()
    assert alike.min() > 0.99


def test_a_cloud_of_few_images_gets_fewer_axes() -> None:
    images = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(5))
    found = fit(images, clouds=1, rank=8)
    assert found.axes.shape == (1, 8, 12)
    assert torch.isfinite(found.denoised(images)).all()


def test_bytes_keep_what_matters() -> None:
    of = mixture()
    back = unpacked(packed(of), SHAPE)
    images = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(back.denoised(images), of.denoised(images), atol=0.02, rtol=0)
    torch.testing.assert_close(back.axes.norm(dim=2), torch.ones(3, 2))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "emnist"])
def test_shipped_priors_draw_images_in_range_and_take_noise_out(name: str) -> None:
    found = fitted(InputSpec(preprocessing=name, mean=(0.2,), std=(0.3,)), CPU)
    assert found is not None
    images = found.sample()
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, found.sample())
    some = images[:: len(images) // 20]
    noisy = some + SIGMA * torch.randn(some.shape, generator=torch.Generator().manual_seed(7))
    left = (found.denoised(noisy) - some).square().mean().sqrt()
    assert left < 0.8 * SIGMA


def test_a_versions_own_prior_comes_before_that_of_its_preprocessing(
    checkpoint: Checkpoint,
) -> None:
    assert isinstance(shipped := prior(checkpoint), Mixture)
    generator = torch.Generator().manual_seed(9)
    own = packed(fit(torch.rand(60, 1, 28, 28, generator=generator), clouds=2, rank=3))
    found = prior(replace(checkpoint, prior=own))
    assert isinstance(found, Mixture)
    assert found.axes.shape == (2, 3, 784)
    assert found.means.shape != shipped.means.shape


def test_a_prior_is_read_once(checkpoint: Checkpoint) -> None:
    first = prior(checkpoint)
    assert prior(checkpoint) is first
    assert isinstance(first, Mixture)
    assert first.sample() is first.sample()


@pytest.mark.parametrize("broken", ["field", "size"])
def test_a_prior_that_does_not_fit_is_refused(checkpoint: Checkpoint, broken: str) -> None:
    own = packed(mixture())
    if broken == "field":
        del own["noise"]
    with pytest.raises(BrokenCheckpoint, match=r"prior\.safetensors does not hold"):
        prior(replace(checkpoint, prior=own))


def test_other_data_has_the_prior_of_its_waves(checkpoint: Checkpoint) -> None:
    spec = InputSpec(
        channels=3, height=32, width=40, preprocessing="picture", mean=(0.4,) * 3, std=(0.2,) * 3
    )
    manifest = checkpoint.manifest.model_copy(update={"input": spec})
    found = prior(replace(checkpoint, manifest=manifest))
    assert isinstance(found, Waves)
    assert found.sample() is None
    flat = torch.full((1, 3, 32, 40), 0.4)
    torch.testing.assert_close(found.denoised(flat), flat)
    # Fine noise is taken out, a coarse wave stays.
    coarse = flat + 0.2 * torch.cos(2 * math.pi * torch.arange(40) / 40)
    torch.testing.assert_close(found.denoised(coarse), coarse, atol=0.01, rtol=0)
    noise = SIGMA * torch.randn(flat.shape, generator=torch.Generator().manual_seed(8))
    assert (found.denoised(flat + noise) - flat).std() < 0.7 * SIGMA


def test_a_fitted_prior_of_another_size_is_not_taken() -> None:
    spec = InputSpec(height=32, width=32, preprocessing="mnist", mean=(0.2,), std=(0.3,))
    assert fitted(spec, CPU) is None


@pytest.mark.parametrize(
    ("preprocessing", "samples"), [("mnist", 512), ("fashion-mnist", 512), ("emnist", 1024)]
)
def test_more_clouds_have_fewer_samples_each(preprocessing: str, samples: int) -> None:
    """The first picture of a layer looks at all of them."""
    found = fitted(InputSpec(mean=(0.1,), std=(0.3,), preprocessing=preprocessing), CPU)
    assert found is not None
    assert len(found.sample()) == samples
