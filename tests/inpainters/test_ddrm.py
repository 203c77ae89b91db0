"""DDRM: its update against the formula worked by hand, and against another implementation."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from radpipe.diffusion.levels import Level, LevelPath, spaced_levels
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters.base import Inpainter
from radpipe.inpainters.ddrm import SpectralUpdate
from radpipe.torchvision_compat import ensure_torchvision


class Scripted(PerImageNoise):
    """Given numbers, in order; counts what was asked for."""

    def __init__(self, draws: list[Tensor]) -> None:
        super().__init__([0] * draws[0].shape[0])
        self.draws = list(draws)

    def normal(self, x: Tensor) -> Tensor:
        return self.draws.pop(0).to(x)


@pytest.mark.parametrize("known", [False, True])
def test_one_step_of_one_pixel(known: bool) -> None:
    """abar 0.2 -> 0.5: sigma 2 -> 1. x = 1, eps = 0.5, z = 2, y = 0.25, eta 0.6, eta_b 0.9."""
    now, next = (
        Level(t, torch.full((1, 1, 1, 1), abar, dtype=torch.float64))
        for t, abar in ((2, 0.2), (1, 0.5))
    )
    pixel = torch.ones(1, 1, 1, 1)
    update = SpectralUpdate(0.25 * pixel, torch.full((1, 1, 1, 1), not known), 0.6, 0.9)
    out = update.step(pixel, Prediction(0.5 * pixel, v=None), now, next, Scripted([2 * pixel]))
    x0 = 5**0.5 - 2 * 0.5  # xbar - sigma eps
    xbar = 0.1 * x0 + 0.9 * 0.25 + 2 if known else x0 + 0.8 * 0.5 + 0.6 * 2
    assert out.item() == pytest.approx(0.5**0.5 * xbar, rel=1e-6)


def test_the_variance_channels_are_not_used(toy: SimpleNamespace) -> None:
    mixing = toy.Mixing()
    hole = torch.from_numpy(toy.corner())[None, None]
    known = torch.rand(1, 3, 16, 16)

    def without(x: Tensor, level: Level) -> Prediction:
        return Prediction(mixing(x, level).eps)

    first, second = (
        toy.make("ddrm", model).inpaint(known, hole, PerImageNoise([5]))
        for model in (mixing, without)
    )
    assert torch.equal(first, second)


def test_levels_are_the_official_ones(toy: SimpleNamespace) -> None:
    model = toy.Mixing()
    hole = torch.from_numpy(toy.corner())[None, None]
    toy.make("ddrm", model, small=False).inpaint(
        torch.zeros(1, 3, 16, 16), hole, PerImageNoise([5])
    )
    assert [t for t, _ in model.seen] == list(range(951, 0, -50))


def test_the_input_is_pasted_where_eta_b_leaves_a_difference(toy: SimpleNamespace) -> None:
    hole = torch.from_numpy(toy.corner())[None, None]
    known = torch.rand(1, 3, 16, 16)
    out = toy.make("ddrm", eta_b=0.5).inpaint(known, hole, PerImageNoise([5]))
    assert torch.equal(out[~hole.expand_as(out)], known[~hole.expand_as(known)])


def test_agrees_with_deepinv(toy: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same noise through deepinv's DDRM gives the same hole.

    deepinv divides its draws by sqrt(2), which is not in the paper: its draws are scaled up here.
    Its last denoising is our step to the clean level. It works on images `[B, 3, H, W]` in the
    variance-exploding form, and its masks are 1 where known.
    """
    ensure_torchvision()
    deepinv = pytest.importorskip(
        "deepinv", reason="deepinv is not installed (pip install deepinv)"
    )
    torch.manual_seed(1)
    hole = torch.from_numpy(toy.corner())[None, None]
    known = (torch.rand(1, 3, 16, 16) * 2 - 1).masked_fill(hole, 0.0)
    method: Inpainter = toy.make("ddrm", steps=8)
    times = spaced_levels(TwoPhaseSchedule(), 8, "leading")[:-1]
    levels = list(LevelPath(TwoPhaseSchedule(), times))
    sigmas = [((1 - lv.alpha_bar) / lv.alpha_bar).sqrt().item() for lv in levels]
    draws = [torch.randn(1, 3, 16, 16) for _ in range(9)]
    ours = method.inpaint(known, hole, Scripted(draws))

    mixing = toy.Mixing()

    def denoise(xbar: Tensor, sigma: float) -> Tensor:
        now = levels[sigmas.index(sigma)]
        return xbar - sigma * mixing(xbar * now.alpha_bar.sqrt().float(), now).eps

    physics = deepinv.physics.Inpainting(
        mask=(~hole).float().expand(1, 3, 16, 16)[0],
        img_size=(3, 16, 16),
        noise_model=deepinv.physics.GaussianNoise(0.0),
    )
    scripted = Scripted([draw * 2**0.5 for draw in draws])
    theirs = deepinv.sampling.DDRM(denoise, sigmas=sigmas, eta=0.85, etab=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn_like", scripted.normal)
        restored = theirs(known, physics)
    inside = hole.expand_as(known)
    torch.testing.assert_close(ours[inside], restored[inside], rtol=1e-3, atol=1e-3)
