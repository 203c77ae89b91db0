from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from radpipe.diffusion.process import (
    eps_from_x0,
    forward_step,
    learned_log_variance,
    posterior,
    q_sample,
    x0_from_eps,
)
from radpipe.diffusion.schedule import TwoPhaseSchedule

S = TwoPhaseSchedule()
MASKS = {
    "empty": torch.zeros(1, 1, 3, 3),
    "full": torch.ones(1, 1, 3, 3),
    "binary": torch.eye(3).view(1, 1, 3, 3),
    "soft": torch.linspace(0, 1, 9).view(1, 1, 3, 3),
}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def scalar(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def test_posterior_is_bayes_rule_on_two_gaussians() -> None:
    # x_next ~ N(sqrt(c) x0, 1 - c), x_now = sqrt(a/c) x_next + sqrt(1 - a/c) eps, given x_now
    a, c, x0, x_now = 0.3, 0.7, 0.4, -1.1
    precision = 1 / (1 - c) + (a / c) / (1 - a / c)
    mean = (math.sqrt(c) * x0 / (1 - c) + math.sqrt(a / c) * x_now / (1 - a / c)) / precision
    q = posterior(scalar(a), scalar(c))
    assert float(q.variance) == pytest.approx(1 / precision, rel=1e-12)
    assert float(q.mean(scalar(x0), scalar(x_now))) == pytest.approx(mean, rel=1e-12)
    assert float(q.beta) == pytest.approx(1 - a / c)


@pytest.mark.parametrize("mask", MASKS)
def test_posterior_is_finite_and_frozen_pixels_are_carried_over(mask: str) -> None:
    m = MASKS[mask]
    x0, x = draw(1, 3, 3, 3).float(), draw(1, 3, 3, 3).float() * 3
    for t in [*range(1, 2001, 37), 1, 2, 999, 1000, 1001, 1002, 2000]:
        for step in (1, 50):
            # respaced steps may cross from phase 2 into phase 1
            q = posterior(S.alpha_bar(t, m), S.alpha_bar(max(t - step, 0), m))
            for value in (q.x0, q.x, q.variance, q.beta):
                assert torch.isfinite(value).all() and (value >= 0).all()
            assert torch.isfinite(q.mean(x0, x)).all()
        one = posterior(S.alpha_bar(t, m), S.alpha_bar(t - 1, m))
        frozen = (S.beta(t, m) == 0).expand_as(x)
        assert torch.equal(one.mean(x0, x)[frozen], x[frozen])
        assert (one.variance[S.beta(t, m) == 0] == 0).all()
        assert torch.allclose(one.beta, S.beta(t, m), rtol=1e-6, atol=1e-15)


def test_step_to_a_clean_level_is_the_clean_image() -> None:
    q = posterior(scalar(0.9), scalar(1.0))
    x0 = draw(2, 3, 2, 2)
    assert torch.allclose(q.mean(x0, draw(2, 3, 2, 2)), x0, rtol=1e-14)
    assert float(q.variance) == 0


def test_noise_and_clean_image_determine_each_other() -> None:
    x0, eps = draw(1, 3, 3, 3).clamp(-1, 1), draw(1, 3, 3, 3).flip(-1)
    for t in (1, 500, 1000, 1001, 1500, 2000):
        for m in MASKS.values():
            a = S.alpha_bar(t, m)
            x = q_sample(x0, a, eps)
            assert torch.allclose(x0_from_eps(x, eps, a), x0, atol=1e-10)
            noisy = (a < 1).expand_as(x)
            found = eps_from_x0(x, x0, a)
            assert torch.allclose(found[noisy], eps[noisy], atol=1e-8)
            assert (found[~noisy] == 0).all()


def test_clip_leaves_clean_pixels_alone() -> None:
    a = torch.tensor([1.0, 0.5], dtype=torch.float64).view(1, 1, 1, 2)
    x = torch.full((1, 1, 1, 2), 5.0)
    clipped = x0_from_eps(x, torch.zeros_like(x), a, clip=True)
    assert clipped.flatten().tolist() == [5.0, 1.0]


def test_forward_step_composes_to_the_level() -> None:
    a, c = scalar(0.8), scalar(0.3)
    x = draw(1, 1, 2, 2)
    assert torch.allclose(forward_step(x, a, c, torch.zeros_like(x)), x * math.sqrt(0.3 / 0.8))
    variance = (1 - 0.8) * 0.3 / 0.8 + float(forward_step(scalar(0), a, c, scalar(1))) ** 2
    assert variance == pytest.approx(1 - 0.3)


def test_learned_range_ends() -> None:
    low, high = scalar(0.01), scalar(0.04)
    for v, variance in ((-1.0, 0.01), (1.0, 0.04), (0.0, 0.02)):
        got = learned_log_variance(torch.full((1, 1, 1, 1), v), low, high)
        assert float(got.exp()) == pytest.approx(variance, rel=1e-6)
