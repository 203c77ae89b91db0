from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor

from radpipe.diffusion.loss import Region, hybrid_loss
from radpipe.diffusion.process import q_sample
from radpipe.diffusion.schedule import TwoPhaseSchedule

S = TwoPhaseSchedule()
BETAS = np.linspace(1e-4, 0.02, 1000)
ABAR = np.concatenate([[1.0], np.cumprod(1 - BETAS)])


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def evaluate(
    t: Tensor,
    m: Tensor,
    region: Region = "all",
    vlb_weight: float = 1e-3,
    perfect: bool = False,
    v: float | None = None,
    x0: Tensor | None = None,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The loss of a random or perfect prediction, and the two leaves it was made of."""
    shape = (len(t), 3, *m.shape[-2:])
    if x0 is None:
        x0 = (torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))) / 127.5 - 1
    eps = normal(shape, 1)
    x_t = q_sample(x0, S.alpha_bar(t, m), eps)
    pred = (eps.clone() if perfect else eps + 0.3 * normal(shape, 2)).requires_grad_(True)
    pred_v = torch.full(shape, v) if v is not None else normal(shape, 3)
    pred_v.requires_grad_(True)
    terms = hybrid_loss(S, x0, x_t, t, m, eps, pred, pred_v, region, vlb_weight)
    return terms, pred, pred_v


def masks(batch: int) -> dict[str, Tensor]:
    checker = (torch.arange(16) % 2).view(1, 1, 4, 4).float()
    grey = torch.linspace(0, 1, 16).view(1, 1, 4, 4)
    kinds = {
        "empty": torch.zeros(1, 1, 4, 4),
        "full": torch.ones(1, 1, 4, 4),
        "binary": checker,
        "soft": grey,
        "nearly binary": (checker + 1e-6) / (1 + 2e-6),
    }
    return {name: m.expand(batch, 1, 4, 4) for name, m in kinds.items()}


def test_perfect_predictor_has_no_loss_after_the_first_step() -> None:
    for m in masks(4).values():
        terms, _, _ = evaluate(torch.tensor([2, 700, 1002, 1900]), m, perfect=True, v=-1.0)
        assert torch.equal(terms["mse"], torch.zeros(4))
        assert terms["vlb"].abs().max() < 1e-5


def test_perfect_predictor_at_the_first_step_of_each_phase() -> None:
    # The pixel's level under N(x0, variance of the step 2 -> 1), integrated over one 8-bit bin.
    sigma = math.sqrt(BETAS[1] * (1 - ABAR[1]) / (1 - ABAR[2]))
    inside = 2 * NormalDist().cdf(1 / 255 / sigma) - 1
    mid = torch.full((2, 3, 4, 4), 64 / 127.5 - 1)
    for m, t in ((torch.ones(2, 1, 4, 4), 1), (torch.zeros(2, 1, 4, 4), 1001)):
        terms, _, _ = evaluate(torch.full((2,), t), m, perfect=True, v=-1.0, x0=mid)
        assert terms["vlb"].tolist() == pytest.approx([-math.log2(inside)] * 2, rel=1e-3)
        # the darkest level takes its whole tail
        dark = torch.full((2, 3, 4, 4), -1.0)
        terms, _, _ = evaluate(torch.full((2,), t), m, perfect=True, v=-1.0, x0=dark)
        tail = NormalDist().cdf(1 / 255 / sigma)
        assert terms["vlb"].tolist() == pytest.approx([-math.log2(tail)] * 2, rel=1e-3)


def test_too_wide_a_variance_costs_its_kl() -> None:
    t = 400
    ratio = (1 - ABAR[t - 1]) / (1 - ABAR[t])  # posterior variance / beta
    wanted = 0.5 * (ratio - 1 - math.log(ratio)) / math.log(2)
    terms, _, _ = evaluate(torch.tensor([t]), torch.ones(1, 1, 4, 4), perfect=True, v=1.0)
    assert terms["vlb"].tolist() == pytest.approx([wanted], rel=1e-3, abs=1e-7)


def scalar_iddpm(x0: Tensor, x_t: Tensor, t: int, eps: Tensor, pred: Tensor, v: Tensor) -> float:
    """iDDPM's L_hybrid (RESCALED_MSE) of one image, from the papers' scalar equations, float64."""
    x0n, xn, e, p, vn = (a.detach().double().numpy() for a in (x0, x_t, eps, pred, v))
    beta, now, before = BETAS[t - 1], ABAR[t], ABAR[t - 1]
    variance = beta * (1 - before) / (1 - now)
    clipped = variance if t > 1 else BETAS[1] * (1 - ABAR[1]) / (1 - ABAR[2])
    log_variance = (vn + 1) / 2 * np.log(beta) + (1 - vn) / 2 * np.log(clipped)
    x0_hat = (xn - np.sqrt(1 - now) * p) / np.sqrt(now)
    c0 = np.sqrt(before) * beta / (1 - now)
    c1 = np.sqrt(1 - beta) * (1 - before) / (1 - now)
    true, mean = c0 * x0n + c1 * xn, c0 * x0_hat + c1 * xn
    if t > 1:
        log_ratio = log_variance - np.log(clipped)
        term = 0.5 * (log_ratio - 1 + np.exp(-log_ratio))
        term = term + 0.5 * (true - mean) ** 2 / np.exp(log_variance)
    else:
        cdf = np.vectorize(NormalDist().cdf)
        sigma = np.exp(0.5 * log_variance)
        upper = np.where(x0n > 0.999, 1.0, cdf((x0n + 1 / 255 - mean) / sigma))
        lower = np.where(x0n < -0.999, 0.0, cdf((x0n - 1 / 255 - mean) / sigma))
        term = -np.log(np.maximum(upper - lower, 1e-12))
    return float(((p - e) ** 2).mean() + term.mean() / np.log(2))


@pytest.mark.parametrize("t", [1, 2, 3, 50, 500, 999, 1000])
def test_uniform_map_gives_the_scalar_iddpm_loss(t: int) -> None:
    shape = (1, 3, 4, 4)
    x0 = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)) / 127.5 - 1
    x0.view(-1)[:2] = torch.tensor([-1.0, 1.0])
    eps, v = normal(shape, 1), normal(shape, 3).clamp(-1, 1)
    pred = eps + 0.1 * normal(shape, 2)
    m = torch.ones(1, 1, 4, 4)
    x_t = q_sample(x0, S.alpha_bar(t, m), eps)
    wanted = scalar_iddpm(x0, x_t, t, eps, pred, v)
    for region in ("all", "noisy"):
        # iDDPM's weight on one term of the bound is 1e-3 T = 1
        got = hybrid_loss(S, x0, x_t, torch.tensor([t]), m, eps, pred, v, region, 1.0)  # type: ignore[arg-type]
        assert float(got["loss"]) == pytest.approx(wanted, rel=2e-4)
    # and phase 2 of an empty mask is the same process
    empty = torch.zeros(1, 1, 4, 4)
    again = hybrid_loss(S, x0, x_t, torch.tensor([1000 + t]), empty, eps, pred, v, "all", 1.0)
    assert float(again["loss"]) == pytest.approx(wanted, rel=2e-4)


@pytest.mark.parametrize("kind", masks(1))
@pytest.mark.parametrize("region", ["all", "noisy"])
def test_no_nan_in_loss_or_gradient_at_any_step(kind: str, region: Region) -> None:
    t = torch.arange(1, 2001)
    terms, pred, v = evaluate(t, masks(len(t))[kind], region)
    gradients = torch.autograd.grad(terms["loss"].sum(), (pred, v))
    for value in (*terms.values(), *gradients):
        assert torch.isfinite(value).all()
    assert (terms["vlb"] > -1e-6).all()


def test_bound_trains_the_variance_and_mse_the_mean() -> None:
    t, m = torch.tensor([1, 300, 1001, 1700]), masks(4)["binary"]
    terms, pred, v = evaluate(t, m)
    by_mse = torch.autograd.grad(
        terms["mse"].sum(), (pred, v), retain_graph=True, allow_unused=True
    )
    by_vlb = torch.autograd.grad(terms["vlb"].sum(), (pred, v), allow_unused=True)
    assert by_mse[1] is None and by_mse[0].abs().sum() > 0
    assert by_vlb[0] is None and by_vlb[1].abs().sum() > 0


def test_each_image_is_treated_by_its_own_phase() -> None:
    t = torch.tensor([1, 1001, 500, 1500])
    m = masks(4)["binary"]
    together, _, v = evaluate(t, m)
    gradient = torch.autograd.grad(together["vlb"].sum(), v)[0]
    hole = m.bool().expand_as(gradient)
    moving = torch.stack([hole[0], ~hole[1], hole[2], ~hole[3]])
    assert (gradient[moving] != 0).all()
    assert (gradient[~moving] == 0).all()


def test_region_noisy_ignores_what_cannot_be_known() -> None:
    t = torch.tensor([500, 500, 500, 1500])
    m = torch.zeros(4, 1, 4, 4)
    m[0, 0, 0, 0] = 1  # a hole of one pixel
    m[1, 0, :2] = 1
    m[3, 0, :2] = 1  # image 2 has an empty mask, image 3 is in phase 2
    terms, pred, _ = evaluate(t, m, "noisy")
    everywhere = evaluate(t, m, "all")[0]
    squared = ((pred - normal((4, 3, 4, 4), 1)) ** 2).detach()
    wanted = [squared[0, :, 0, 0].mean(), squared[1, :, :2].mean(), 0.0, squared[3].mean()]
    assert terms["mse"].tolist() == pytest.approx([float(w) for w in wanted], rel=1e-5)
    assert everywhere["mse"].tolist() == pytest.approx(squared.flatten(1).mean(1).tolist())
    spread = 16 * everywhere["vlb"].detach()[0]
    assert float(terms["vlb"].detach()[0]) == pytest.approx(float(spread), rel=1e-4)
    gradient = torch.autograd.grad(terms["loss"].sum(), pred)[0]
    assert (gradient[2] == 0).all() and (gradient[0, :, 1:] == 0).all()
