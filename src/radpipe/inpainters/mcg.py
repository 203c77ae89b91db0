"""MCG: replacement sampling plus a gradient step that pulls the hole towards the known part."""

from __future__ import annotations

from pydantic import Field

from radpipe.diffusion.levels import Level, LevelPath
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import x0_from_eps
from radpipe.diffusion.reverse import Pasted, reverse
from radpipe.diffusion.solvers import Ancestral, Denoiser, Prediction
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import torch
from radpipe.section import Section


class ManifoldGradient(Pasted):
    """MCG's step on unknown pixels, then replacement of the known ones.

    With x0hat the network's clean image at x_t:

        1. g = d ||known * (y - x0hat(x_t))||_2 / d x_t, the norm of each image for itself
        2. x_next <- x_next - step * g            in the hole only
        3. x_next <- a draw of q(x_next | y)      in the known part only

    The graph of one evaluation is freed before the next, so memory does not grow over the steps.
    """

    def __init__(self, known: torch.Tensor, hole: torch.Tensor, step: float, clip: bool) -> None:
        super().__init__(known, hole)
        self.step, self.clip = step, clip
        self.gradient = torch.zeros_like(known)

    def denoise(self, denoiser: Denoiser, x: torch.Tensor, now: Level) -> Prediction:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            pred = denoiser(leaf, now)
            x0 = x0_from_eps(leaf, pred.eps, now.alpha_bar, self.clip)
            residual = torch.where(self.hole, torch.zeros_like(x0), self.known - x0)
            norms = torch.linalg.vector_norm(residual, dim=(1, 2, 3))
            (self.gradient,) = torch.autograd.grad(norms.sum(), leaf)
        return Prediction(pred.eps.detach(), None if pred.v is None else pred.v.detach())

    def after(self, x: torch.Tensor, now: Level, noise: PerImageNoise) -> torch.Tensor:
        return self.drawn(x - self.step * self.gradient, now, noise)


class Mcg(Inpainter):
    """Chung et al., NeurIPS 2022, algorithm 1, on ADM's ancestral sampler."""

    label, colour, marker = "MCG", "#009E73", "D"
    citation = (
        "Chung et al., Improving Diffusion Models for Inverse Problems using Manifold Constraints, "
        "NeurIPS 2022 (arXiv 2206.00941)"
    )
    rule = "replacement plus, in the hole, a gradient step on the norm of the known part's residual"
    requires, gradient = "base", True

    class Settings(Section):
        """Settings of MCG."""

        steps: int = Field(
            1000,
            ge=1,
            le=1000,
            description="network evaluations, each with a backward pass, spaced as ADM respaces "
            "(official)",
        )
        step: float = Field(
            1.0,
            ge=0,
            description="factor of the gradient of the non-squared norm (official, for 256x256 "
            "and 1,000 steps). The norm is the whole image's, so the same pull per pixel at side S "
            "and n steps takes S/256 x 1000/n of it",
        )
        clip_x0: bool = Field(True, description="clip the predicted image to [-1, 1] (official)")

    settings: Settings

    def inpaint(
        self, known: torch.Tensor, hole: torch.Tensor, noise: PerImageNoise
    ) -> torch.Tensor:
        s = self.settings
        path = LevelPath.spaced(self.schedule, s.steps, "linspace")
        update, rule = Ancestral(s.clip_x0), ManifoldGradient(known, hole, s.step, s.clip_x0)
        return reverse(self.model, noise.normal(known), path, update, rule, noise)
