"""MCG: replacement sampling plus a gradient step that pulls the hole towards the known part."""

from __future__ import annotations

from pydantic import Field

from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import x0_from_eps
from radpipe.diffusion.reverse import Pasted
from radpipe.diffusion.solvers import Denoiser, Prediction
from radpipe.inpainters._diffusion import AncestralInpainter
from radpipe.lazy import Tensor, torch


class ManifoldGradient(Pasted):
    """MCG's step on unknown pixels, then replacement of the known ones.

    With x0hat the network's clean image at x_t:

        1. g = d ||known * (y - x0hat(x_t))||_2 / d x_t, the norm of each image for itself
        2. x_next <- x_next - step * g            in the hole only
        3. x_next <- a draw of q(x_next | y)      in the known part only

    The graph of one evaluation is freed before the next, so memory does not grow over the steps.
    """

    def __init__(self, known: Tensor, hole: Tensor, step: float, clip: bool) -> None:
        super().__init__(known, hole)
        self.step, self.clip = step, clip
        self.gradient = torch.zeros_like(known)

    def denoise(self, denoiser: Denoiser, x: Tensor, now: Level) -> Prediction:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            pred = denoiser(leaf, now)
            x0 = x0_from_eps(leaf, pred.eps, now.alpha_bar, self.clip)
            residual = torch.where(self.hole, torch.zeros_like(x0), self.known - x0)
            norms = torch.linalg.vector_norm(residual, dim=(1, 2, 3))
            (self.gradient,) = torch.autograd.grad(norms.sum(), leaf)
        return Prediction(pred.eps.detach(), None if pred.v is None else pred.v.detach())

    def after(self, x: Tensor, now: Level, noise: PerImageNoise) -> Tensor:
        return self.drawn(x - self.step * self.gradient, now, noise)


class Mcg(AncestralInpainter):
    """Chung et al., NeurIPS 2022, algorithm 1, on ADM's ancestral sampler."""

    label, colour, marker = "MCG", "#009E73", "D"
    citation = (
        "Chung et al., Improving Diffusion Models for Inverse Problems using Manifold Constraints, "
        "NeurIPS 2022 (arXiv 2206.00941)"
    )
    rule = "replacement plus, in the hole, a gradient step on the norm of the known part's residual"
    gradient = True

    class Settings(AncestralInpainter.Settings):
        """Settings of MCG; each of the `steps` has a backward pass, too."""

        step: float = Field(
            1.0,
            ge=0,
            description="factor of the gradient of the non-squared norm (official, for 256x256 "
            "and 1,000 steps). The norm is the whole image's, so the same pull per pixel at side S "
            "and n steps takes S/256 x 1000/n of it",
        )

    settings: Settings

    def known_part(self, known: Tensor, hole: Tensor) -> ManifoldGradient:
        return ManifoldGradient(known, hole, self.settings.step, self.settings.clip_x0)
