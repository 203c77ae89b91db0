"""The element-wise forward and posterior process, between any two noise levels.

A level is given by its alpha_bar, float64: a map `[B, 1, H, W]`, or `[1, 1, 1, 1]` where all
pixels share one. A pixel whose alpha_bar does not change between two levels is frozen: the step
carries it over with weight 1 and variance 0, so 0/0 never shows.
Coefficients are computed in float64 and applied in the dtype of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

from radpipe.lazy import Tensor, torch


def like(coefficient: Tensor, x: Tensor) -> Tensor:
    """A float64 coefficient on the device and in the dtype of the images x."""
    return coefficient.to(device=x.device, dtype=x.dtype)


def q_sample(x0: Tensor, alpha_bar: Tensor, eps: Tensor) -> Tensor:
    """x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps (M2); x0, eps `[B, C, H, W]`."""
    return like(alpha_bar.sqrt(), x0) * x0 + like((1 - alpha_bar).sqrt(), x0) * eps


def forward_step(x: Tensor, alpha_bar_now: Tensor, alpha_bar_next: Tensor, eps: Tensor) -> Tensor:
    """A draw of q(x_next | x_now) for a noisier next level: abar_next <= abar_now."""
    return q_sample(x, alpha_bar_next / alpha_bar_now, eps)


def x0_from_eps(x: Tensor, eps: Tensor, alpha_bar: Tensor, clip: bool = False) -> Tensor:
    """The clean image that x_t and its noise imply; clipped to [-1, 1] if asked.

    Clean pixels (abar = 1) give x itself, clipped or not.
    """
    x0 = (x - like((1 - alpha_bar).sqrt(), x) * eps) * like(alpha_bar.rsqrt(), x)
    if clip:
        x0 = x0.clamp(-1, 1)
    return torch.where((alpha_bar == 1).to(x.device), x, x0)


def eps_from_x0(x: Tensor, x0: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise that x_t and its clean image imply; 0 at clean pixels, which have none."""
    clean = alpha_bar == 1
    scale = torch.where(clean, torch.zeros_like(alpha_bar), (1 - alpha_bar).rsqrt())
    return (x - like(alpha_bar.sqrt(), x) * x0) * like(scale, x)


@dataclass(frozen=True)
class Posterior:
    """q(x_next | x_now, x_0) = N(x0 * x_0 + x * x_now, variance); float64 tensors that broadcast
    over `[B, 1, H, W]`. `beta` is the variance of the forward step next -> now."""

    x0: Tensor
    x: Tensor
    variance: Tensor
    beta: Tensor

    def mean(self, x0: Tensor, x: Tensor) -> Tensor:
        """Posterior mean in the dtype of the images `[B, C, H, W]`; frozen pixels are x's own."""
        mean = like(self.x0, x) * x0 + like(self.x, x) * x
        return torch.where((self.beta == 0).to(x.device), x, mean)


def posterior(alpha_bar_now: Tensor, alpha_bar_next: Tensor) -> Posterior:
    """Posterior of the less noisy level `next` given the level `now` and x_0, element-wise.

    DDPM's equations 6-7 with beta = 1 - abar_now / abar_next, so levels may lie any number of
    steps apart. Frozen pixels: x_now is carried over, variance and beta 0.
    """
    ratio = alpha_bar_now / alpha_bar_next
    frozen = alpha_bar_now == alpha_bar_next
    zero = torch.zeros_like(ratio)
    beta = torch.where(frozen, zero, 1 - ratio)
    b_now = torch.where(frozen, torch.ones_like(ratio), 1 - alpha_bar_now)
    b_next = 1 - alpha_bar_next
    return Posterior(
        x0=torch.where(frozen, zero, alpha_bar_next.sqrt() * beta / b_now),
        x=torch.where(frozen, torch.ones_like(ratio), ratio.sqrt() * b_next / b_now),
        variance=torch.where(frozen, zero, beta * b_next / b_now),
        beta=beta,
    )


def learned_log_variance(v: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """iDDPM's learned range: log-variance between log(low) at v = -1 and log(high) at v = +1.

    Args:
        v: the network's extra channels `[B, C, H, W]`, about [-1, 1], not clipped.
        low, high: variances > 0, float64: the posterior variance and beta.
    """
    fraction = (v + 1) / 2
    return fraction * like(high.log(), v) + (1 - fraction) * like(low.log(), v)
