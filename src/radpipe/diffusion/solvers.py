"""Networks as the reverse loop sees them, and update rules: ancestral, DDIM, DPM-Solver++."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from radpipe.diffusion.levels import Level, half_log_snr
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import (
    eps_from_x0,
    learned_log_variance,
    like,
    posterior,
    x0_from_eps,
)
from radpipe.lazy import Tensor, torch


@dataclass(frozen=True)
class Prediction:
    """What a network says of x_t: its noise eps `[B, C, H, W]`, and v `[B, C, H, W]`, the place
    of the log-variance in the learned range (-1: posterior variance, +1: beta; None: fixed)."""

    eps: Tensor
    v: Tensor | None = None


class Denoiser(Protocol):
    """A network wrapper, or an exact denoiser: x_t `[B, C, H, W]` and its level in, noise out.

    One whose input depends on the hole beyond what the level says also has `with_hole`
    (see `for_hole`).
    """

    def __call__(self, x: Tensor, level: Level) -> Prediction: ...


def for_hole(denoiser: Denoiser, hole: Tensor) -> Denoiser:
    """The denoiser to use for holes `[B, 1, H, W]` (bool, True = hole).

    `denoiser.with_hole(hole)` where the denoiser has that method (RAD's network, whose time
    input is built from the hole); the denoiser itself where it has none (an exact denoiser,
    which reads the level's map).
    """
    with_hole: Callable[[Tensor], Denoiser] | None = getattr(denoiser, "with_hole", None)
    return denoiser if with_hole is None else with_hole(hole)


class Update(Protocol):
    """One run of an update rule; may keep state, so each run needs its own."""

    def step(
        self, x: Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> Tensor:
        """x at the less noisy level `next`. Frozen pixels may come out as anything."""
        ...


@dataclass(frozen=True)
class Ancestral:
    """DDPM's posterior step with the learned variance (iDDPM), or the posterior's own where the
    network predicts none. `clip`: x0 clipped to [-1, 1] first. No noise where `next` is clean."""

    clip: bool = True

    def step(
        self, x: Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> Tensor:
        q = posterior(now.alpha_bar, next.alpha_bar)
        mean = q.mean(x0_from_eps(x, pred.eps, now.alpha_bar, self.clip), x)
        noisy = q.variance > 0
        if not bool(noisy.any()):
            return mean
        one = torch.ones_like(q.variance)
        low, high = torch.where(noisy, q.variance, one), torch.where(noisy, q.beta, one)
        v = pred.v if pred.v is not None else torch.full_like(x, -1)
        sigma = (0.5 * learned_log_variance(v, low, high)).exp()
        return torch.where(noisy.to(x.device), mean + sigma * noise.normal(x), mean)


@dataclass(frozen=True)
class Ddim:
    """DDIM (Song et al. 2021, eq. 12 and 16): eta 0 is deterministic, eta 1 is DDPM's posterior.
    `clip`: x0 clipped to [-1, 1] and the noise recomputed from it, as ADM does."""

    eta: float = 0.0
    clip: bool = True

    def step(
        self, x: Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> Tensor:
        x0 = x0_from_eps(x, pred.eps, now.alpha_bar, self.clip)
        eps = eps_from_x0(x, x0, now.alpha_bar) if self.clip else pred.eps
        variance = self.eta**2 * posterior(now.alpha_bar, next.alpha_bar).variance
        direction = (1 - next.alpha_bar - variance).clamp(min=0).sqrt()
        mean = like(next.alpha_bar.sqrt(), x) * x0 + like(direction, x) * eps
        if not bool((variance > 0).any()):
            return mean
        return mean + like(variance.sqrt(), x) * noise.normal(x)


class DpmSolver2M:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): two-step, data prediction, deterministic.

    Element-wise: every pixel that moves uses its own log-SNR; in RAD the pixels of a hole share
    one. First order for the first step of a run, for the step to a clean level (infinite
    log-SNR) and after a jump to a noisier level, where there is no step before.
    """

    def __init__(self, clip: bool = True) -> None:
        self.clip = clip
        self._last: tuple[Tensor, Tensor] | None = None  # x0 and log-SNR step of the step before
        self._landed: int | None = None

    def step(
        self, x: Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> Tensor:
        x0 = x0_from_eps(x, pred.eps, now.alpha_bar, self.clip)
        h = half_log_snr(next.alpha_bar) - half_log_snr(now.alpha_bar)  # inf to a clean level
        data = x0
        if self._last is not None and self._landed == now.t:
            x0_last, h_last = self._last
            usable = torch.isfinite(h) & torch.isfinite(h_last) & (h > 0) & (h_last > 0)
            half_step = torch.where(usable, h / (2 * h_last), torch.zeros_like(h))  # 1 / (2 r)
            data = x0 + like(half_step, x) * (x0 - x0_last)
        self._last, self._landed = (x0, h), next.t
        # (sigma_next / sigma_now) x - alpha_next (exp(-h) - 1) D, with exp(-h) written out.
        shrink = _safe_ratio((1 - next.alpha_bar).sqrt(), (1 - now.alpha_bar).sqrt())
        weight = next.alpha_bar.sqrt() - now.alpha_bar.sqrt() * shrink
        return like(shrink, x) * x + like(weight, x) * data


def _safe_ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 1 where b is 0 (a clean pixel, which the loop carries over)."""
    return torch.where(b == 0, torch.ones_like(a * b), a / torch.where(b == 0, 1.0, b))
