from __future__ import annotations

import math

import pytest
import torch

from radpipe.diffusion.gaussian import GaussianDenoiser, conditional
from radpipe.diffusion.levels import Level
from radpipe.diffusion.process import x0_from_eps
from radpipe.diffusion.schedule import TwoPhaseSchedule

S = TwoPhaseSchedule()


def test_independent_pixels_shrink_to_their_mean() -> None:
    mean = torch.tensor([0.2, -0.4], dtype=torch.float64).view(1, 1, 2)
    c, a = 0.3, 0.6
    x = torch.tensor([[1.0, -2.0]], dtype=torch.float64).view(1, 1, 1, 2)
    level = torch.full((1, 1, 1, 1), a, dtype=torch.float64)
    gain = math.sqrt(a) * c / (a * c + 1 - a)
    got = GaussianDenoiser(mean, c * torch.eye(2)).posterior_mean(x, level)
    assert torch.allclose(got, mean + gain * (x - math.sqrt(a) * mean), atol=1e-7)


def test_conditional_of_two_pixels() -> None:
    mean = torch.tensor([1.0, -1.0]).view(1, 1, 2)
    cov = torch.tensor([[2.0, 0.6], [0.6, 0.5]])
    hole = torch.tensor([True, False]).view(1, 1, 2)
    centre, spread = conditional(mean, cov, hole, torch.tensor([9.0, -0.5]).view(1, 1, 2))
    assert float(centre) == pytest.approx(1 + 0.6 / 0.5 * 0.5)
    assert float(spread) == pytest.approx(2 - 0.36 / 0.5)


def test_denoiser_at_rads_noisiest_level_predicts_the_conditional_mean(gaussian) -> None:
    # Known pixels clean, hole at abar_T: x_T adds next to nothing to what the known part says.
    level = Level(1000, S.alpha_bar(1000, gaussian.hole[None]))
    x = torch.where(gaussian.hole, torch.zeros(1, 2, 4).double(), gaussian.known)[None]
    pred = gaussian.denoiser(x, level)
    x0 = x0_from_eps(x, pred.eps, level.alpha_bar)
    hole = gaussian.hole[None]
    assert torch.allclose(x0[hole], gaussian.answer[0], atol=1e-3)
    assert torch.equal(x0[~hole], gaussian.known[None][~hole])
    assert (pred.eps[~hole] == 0).all() and pred.v is None


def test_images_with_maps_of_their_own_are_solved_one_by_one(gaussian) -> None:
    holes = torch.stack([gaussian.hole, ~gaussian.hole, torch.ones(1, 2, 4).bool()])
    level = Level(300, S.alpha_bar(300, holes))
    x = torch.randn(3, 1, 2, 4, generator=torch.Generator().manual_seed(0)).double()
    together = gaussian.denoiser(x, level).eps
    for i in range(3):
        alone = gaussian.denoiser(x[i : i + 1], Level(300, level.alpha_bar[i : i + 1])).eps
        assert torch.allclose(together[i : i + 1], alone, atol=1e-10)


def test_predicted_noise_is_the_score(gaussian) -> None:
    # Tweedie: eps = -sqrt(1 - abar) grad log p(x_t), with p(x_t) Gaussian.
    a = S.alpha_bar(400, torch.ones(1, 1, 1, 1))
    x = torch.randn(1, 1, 2, 4, generator=torch.Generator().manual_seed(0)).double()
    marginal = torch.distributions.MultivariateNormal(
        float(a.sqrt()) * gaussian.mean.flatten(),
        float(a) * gaussian.cov + float(1 - a) * torch.eye(8).double(),
    )
    leaf = x.flatten().requires_grad_(True)
    (score,) = torch.autograd.grad(marginal.log_prob(leaf), leaf)
    eps = gaussian.denoiser(x, Level(400, a)).eps
    assert torch.allclose(eps.flatten(), -float((1 - a).sqrt()) * score, atol=1e-9)
