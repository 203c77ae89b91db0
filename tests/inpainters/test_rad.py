from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radpipe.diffusion.gaussian import GaussianDenoiser, conditional
from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters.rad import Rad

S = TwoPhaseSchedule()


class Wavy:
    """A denoiser that mixes neighbours and records the states it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor]] = []

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        self.seen.append((level.t, x.clone()))
        return Prediction(torch.tanh(x + x.roll(1, -1)), torch.tanh(x.roll(1, -2)))


def plain_ddpm(net: Wavy, steps: int, seed: int, shape: tuple[int, ...]) -> Tensor:
    """ADM's ancestral sampler, written from the scalar equations with respaced betas."""
    abar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    index = np.arange(0, 1000, 1000 // steps)[:steps]  # 0, 10, ..., 990
    kept = abar[index]
    betas = 1 - kept / np.concatenate([[1.0], kept[:-1]])
    noise = PerImageNoise([seed])
    x = noise.normal(torch.empty(shape, dtype=torch.float64))
    for i in range(steps - 1, -1, -1):
        before = kept[i - 1] if i else 1.0
        pred = net(x, Level(int(index[i]) + 1, torch.tensor(0.0)))
        x0 = (x / kept[i] ** 0.5 - (1 / kept[i] - 1) ** 0.5 * pred.eps).clamp(-1, 1)
        mean = betas[i] * before**0.5 / (1 - kept[i]) * x0
        mean = mean + (1 - before) * (1 - betas[i]) ** 0.5 / (1 - kept[i]) * x
        if i == 0:
            return mean
        low = np.log(betas[i] * (1 - before) / (1 - kept[i]))
        fraction = (pred.v + 1) / 2
        log_variance = fraction * np.log(betas[i]) + (1 - fraction) * low
        x = mean + (0.5 * log_variance).exp() * noise.normal(x)
    raise AssertionError


@pytest.mark.parametrize("steps", [100, 1000])
def test_uniform_mask_is_plain_ddpm_step_for_step(steps: int) -> None:
    shape = (1, 3, 4, 4)
    ours, theirs = Wavy(), Wavy()
    rad = Rad(Rad.Settings(steps=steps), ours, S)
    zero = torch.zeros(shape, dtype=torch.float64)
    out = rad.inpaint(zero, torch.ones(1, 1, 4, 4).bool(), PerImageNoise([7]))
    reference = plain_ddpm(theirs, steps, 7, shape)
    assert len(ours.seen) == len(theirs.seen) == steps == rad.planned_evaluations()
    for (t, mine), (level, wanted) in zip(ours.seen, theirs.seen, strict=True):
        assert t == level
        assert torch.allclose(mine, wanted, rtol=0, atol=1e-8)
    assert torch.allclose(out, reference, rtol=0, atol=1e-8)


def test_hole_starts_as_pure_noise_and_known_part_clean() -> None:
    net = Wavy()
    known = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    hole = torch.zeros(1, 1, 4, 4).bool()
    hole[..., :2] = True
    Rad(Rad.Settings(steps=3), net, S).inpaint(
        known.masked_fill(hole, 0.0), hole, PerImageNoise([1])
    )
    first = net.seen[0][1]
    where = hole.expand_as(first)
    assert torch.equal(first[where], PerImageNoise([1]).normal(known)[where])
    assert torch.equal(first[~where], known[~where])


def test_the_network_is_told_the_hole() -> None:
    class Told(Wavy):
        told: Tensor | None = None

        def with_hole(self, hole: Tensor) -> Wavy:
            self.told = hole
            return self

    net = Told()
    hole = torch.eye(4).bool().view(1, 1, 4, 4)
    rad = Rad(Rad.Settings(steps=2), net, S)
    rad.inpaint(torch.zeros(1, 3, 4, 4), hole, PerImageNoise([0]))
    assert net.told is hole
    assert rad.model.tally.images == 2


@pytest.mark.parametrize(
    ("settings", "images"),
    [
        (Rad.Settings(solver="ancestral", steps=1000, clip_x0=False), 400),
        (Rad.Settings(solver="ddim", steps=250, spacing="logsnr", clip_x0=False), 1000),
        (Rad.Settings(solver="dpmpp_2m", steps=50, spacing="logsnr", clip_x0=False), 2000),
    ],
    ids=["ancestral", "ddim", "dpmpp_2m"],
)
def test_samples_of_gaussian_data_have_the_closed_forms_moments(
    settings: Rad.Settings, images: int
) -> None:
    g = torch.Generator().manual_seed(5)
    shape = (3, 1, 4)
    root = torch.randn(12, 12, generator=g).double() / 12**0.5
    mean, cov = torch.rand(shape, generator=g).double() - 0.5, 0.2 * root @ root.T
    cov += 0.05 * torch.eye(12).double()
    known = mean + 0.4 * torch.randn(shape, generator=g)
    hole = torch.tensor([False, True, True, False]).view(1, 1, 4)
    mu, sigma = conditional(mean, cov, hole, known)

    rad = Rad(settings, GaussianDenoiser(mean, cov), S)
    batch = known.masked_fill(hole, 0.0).expand(images, *shape)
    out = rad.inpaint(batch, hole.expand(images, 1, 1, 4), PerImageNoise(range(images)))
    samples = out[:, hole.expand(shape)]

    # Deviations in units of their standard errors; 6 means and 21 covariances.
    d = sigma.diagonal()
    mean_error = (samples.mean(0) - mu) / (d / images).sqrt()
    cov_error = (torch.cov(samples.T) - sigma) / ((d[:, None] * d + sigma**2) / images).sqrt()
    assert mean_error.abs().max() < 3.5
    assert cov_error.abs().max() < 3.5
    assert torch.equal(out[:, ~hole.expand(shape)], batch[:, ~hole.expand(shape)])
