"""Gaussian data, for which everything a diffusion method approximates is known exactly.

If x_0 ~ N(mean, cov), then E[x_0 | x_t] is linear in x_t at any map of noise levels, and so is the
distribution of the hole given the known part. A method run with this denoiser can be compared with
the right answer (idea: deepinv's analytic denoisers).
"""

from __future__ import annotations

from radpipe.diffusion.process import eps_from_x0
from radpipe.diffusion.solvers import Level, Prediction
from radpipe.lazy import Tensor, torch


class GaussianDenoiser:
    """The exact denoiser of N(mean, cov), for scalar and element-wise noise levels.

    Args:
        mean: `[C, H, W]`.
        cov: `[n, n]`, n = C H W, positive definite; index order as in `mean.flatten()`.

    Predicts no v: the variance of a step is the posterior's.
    """

    def __init__(self, mean: Tensor, cov: Tensor) -> None:
        self.mean, self.cov = mean.double(), cov.double()

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        """Noise in x `[B, C, H, W]`; differentiable in x; in the dtype of x."""
        x0 = self.posterior_mean(x.double(), level.alpha_bar)
        return Prediction(eps_from_x0(x.double(), x0, level.alpha_bar).to(x.dtype))

    def posterior_mean(self, x: Tensor, alpha_bar: Tensor) -> Tensor:
        """E[x_0 | x_t = x] = mean + cov A (A cov A + B)^-1 (x - A mean), A = diag(sqrt(abar)),
        B = diag(1 - abar); x `[B, C, H, W]` float64, alpha_bar `[B or 1, 1, h, w]`."""
        alpha_bar = alpha_bar.to(x.device)
        shared = bool((alpha_bar == alpha_bar[:1]).all())
        maps = (alpha_bar[:1] if shared else alpha_bar).expand(-1, *self.mean.shape).flatten(1)
        a = maps.sqrt()
        mean, cov = self.mean.flatten().to(x.device), self.cov.to(x.device)
        noisy_cov = a[:, :, None] * cov * a[:, None, :] + torch.diag_embed(1 - maps)
        residual = x.flatten(1) - a * mean
        if shared:  # one system, many right-hand sides
            solved = torch.linalg.solve(noisy_cov[0], residual.T).T
        else:
            solved = torch.linalg.solve(noisy_cov, residual[:, :, None])[:, :, 0]
        return (mean + (a * solved) @ cov).reshape(x.shape)


def conditional(mean: Tensor, cov: Tensor, hole: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Distribution of the hole's values given the known ones, in closed form.

    Args:
        mean: `[C, H, W]`.
        cov: `[n, n]`, n = C H W.
        hole: bool `[1, H, W]`, True = hole; shared by the channels.
        known: `[C, H, W]`; values in the hole are not looked at.

    Returns:
        (mean `[k]`, covariance `[k, k]`) of the k hole values, float64, in the order of
        `x[hole.expand_as(x)]`.
    """
    h = hole.expand_as(mean).flatten()
    mu, sigma = mean.double().flatten(), cov.double()
    gain = torch.linalg.solve(sigma[~h][:, ~h], sigma[~h][:, h]).T
    centre = mu[h] + gain @ (known.double().flatten()[~h] - mu[~h])
    return centre, sigma[h][:, h] - gain @ sigma[~h][:, h]
