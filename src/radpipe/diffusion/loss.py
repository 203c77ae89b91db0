"""RAD's training loss: element-wise MSE on the noise plus the variational bound's term (M5).

The bound is iDDPM's (Nichol & Dhariwal 2021), written element-wise: it trains the variance alone,
because the predicted mean is detached in it.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from radpipe.diffusion.process import Posterior, learned_log_variance, like, posterior, x0_from_eps
from radpipe.diffusion.schedule import TwoPhaseSchedule

Region = Literal["all", "noisy"]

_HALF_PIXEL = 1 / 255  # half the distance of two 8-bit levels on [-1, 1]
_LEAST_PROBABILITY = 1e-12  # iDDPM's floor inside the decoder's logarithm


def hybrid_loss(
    schedule: TwoPhaseSchedule,
    x0: Tensor,
    x_t: Tensor,
    t: Tensor,
    m: Tensor,
    eps_true: Tensor,
    pred_eps: Tensor,
    pred_v: Tensor,
    region: Region = "all",
    vlb_weight: float = 1e-3,
) -> dict[str, Tensor]:
    """loss = MSE(eps) + vlb_weight * VLB, one number per image.

    The VLB is the term of the image's own step t -> t-1, in bits per dimension:
    - where the step's result is clean (abar_{t-1} = 1; first step of a phase, at binary masks'
      pixels), the negative log-likelihood of the 8-bit pixel under the predicted Gaussian;
    - where the pixel is noisier before the step than after, KL(posterior || predicted);
    - where it is frozen (b_t = 0), zero.
    All of it is decided per pixel from the image's own t, so a batch may mix phases. A soft
    mask's pixels are still noisy when phase 2 begins: they get the KL there, as the bound asks
    (the authors use the likelihood at that step whatever the mask).

    `vlb_weight` multiplies that one term. RAD takes 1e-3. iDDPM's 1e-3 multiplies the whole
    bound, T times the expected term, and so is `vlb_weight` = 1e-3 T = 1 here.

    `region` says over which pixels of the image both parts are averaged. all: every pixel
    (RAD's authors), also clean ones, whose noise cannot be known. noisy: those with 1 - abar_t > 0
    at the image's t, in phase 2 the frozen hole among them (its noise is what the network sees).
    Each image weighs the same in the batch, however small its hole, as it does under `all`; an
    image without a noisy pixel (an empty mask in phase 1) has loss 0 and gives no gradient.

    Args:
        schedule: the noise schedule.
        x0: `[B, C, H, W]` in [-1, 1].
        x_t: `q_sample(x0, schedule.alpha_bar(t, m), eps_true)`.
        t: int `[B]`, levels in 1..T1+T2.
        m: `[B, 1, H, W]` in [0, 1], 1 = hole.
        eps_true: the noise in x_t.
        pred_eps: predicted noise `[B, C, H, W]`; trained by the MSE only.
        pred_v: place in the learned range `[B, C, H, W]`; trained by the VLB only.
        region: see above.
        vlb_weight: see above.

    Returns:
        float32 `[B]` each: `loss`, `mse`, and `vlb` (bits per dimension, unweighted).
    """
    alpha_bar = schedule.alpha_bar(t, m)
    squared = (pred_eps.float() - eps_true.float()) ** 2
    bits = _step_bits(schedule, x0.float(), x_t.float(), t, m, pred_eps.float(), pred_v.float())
    counted = alpha_bar < 1 if region == "noisy" else torch.ones_like(alpha_bar, dtype=torch.bool)
    mse, vlb = _image_mean(squared, counted), _image_mean(bits, counted)
    return {"loss": mse + vlb_weight * vlb, "mse": mse, "vlb": vlb}


def _step_bits(
    schedule: TwoPhaseSchedule,
    x0: Tensor,
    x_t: Tensor,
    t: Tensor,
    m: Tensor,
    pred_eps: Tensor,
    pred_v: Tensor,
) -> Tensor:
    """The bound's term of every pixel and channel, bits, `[B, C, H, W]`."""
    # 1. Posterior of the step t -> t-1, and its variance range; iDDPM's range of a first step,
    #    whose posterior variance is 0, is the one of the step above it.
    now, before = schedule.alpha_bar(t, m), schedule.alpha_bar(t - 1, m)
    q = posterior(now, before)
    above = schedule.alpha_bar((t + 1).clamp(max=schedule.total_steps), m)
    moving, decoded = (q.beta > 0), (q.beta > 0) & (before == 1)
    low = _log_safe(torch.where(decoded, posterior(above, now).variance, q.variance), moving)
    log_variance = learned_log_variance(pred_v, low, _log_safe(q.beta, moving))

    # 2. Predicted mean, detached; frozen pixels' means are x_t on both sides.
    x0_hat = x0_from_eps(x_t, pred_eps.detach(), now)
    mean = q.mean(x0_hat, x_t)

    # 3. One of three terms per pixel. Few batches have an image at the first step of a phase.
    nats = _gaussian_kl(q, low, q.mean(x0, x_t) - mean, log_variance)
    if decoded.any():
        nll = _decoder_nll(x0, mean, log_variance)
        nats = torch.where(decoded.to(x_t.device), nll, nats)
    return torch.where(moving.to(x_t.device), nats, torch.zeros_like(nats)) / math.log(2)


def _log_safe(variance: Tensor, moving: Tensor) -> Tensor:
    """A variance whose logarithm exists: 1 where the pixel is frozen (its term is dropped)."""
    return torch.where(moving & (variance > 0), variance, torch.ones_like(variance))


def _gaussian_kl(q: Posterior, low: Tensor, difference: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean_q, variance_q) || N(mean, exp(log_variance))) in nats, per element."""
    log_q = like(low.log(), difference)
    excess = log_q - log_variance
    return 0.5 * (-1 - excess + excess.exp() + difference**2 * (-log_variance).exp())


def _decoder_nll(x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """-log P(8-bit pixel x0) under N(mean, exp(log_variance)) rounded to the 256 levels, nats.

    Exact normal distribution function (iDDPM uses a tanh approximation). The lowest and highest
    level take the whole tail.
    """
    inverse = (-0.5 * log_variance).exp()
    upper = (x0 - mean + _HALF_PIXEL) * inverse
    lower = (x0 - mean - _HALF_PIXEL) * inverse
    # The interval's mirror image has the same mass: difference of small numbers, not of ones.
    flip = upper + lower > 0
    high, low = torch.where(flip, -lower, upper), torch.where(flip, -upper, lower)
    mass = torch.special.ndtr(high) - torch.special.ndtr(low)
    inside = mass.clamp(min=_LEAST_PROBABILITY).log()
    log_mass = torch.where(
        x0 < -1 + _HALF_PIXEL,
        torch.special.log_ndtr(upper),
        torch.where(x0 > 1 - _HALF_PIXEL, torch.special.log_ndtr(-lower), inside),
    )
    return -log_mass.clamp(min=math.log(_LEAST_PROBABILITY))


def _image_mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over an image's counted pixels and all channels `[B]`; 0 where none is counted."""
    weight = like(counted, values)
    total = (values * weight).flatten(1).sum(1)
    return total / (weight.flatten(1).sum(1) * values.shape[1]).clamp(min=1)
