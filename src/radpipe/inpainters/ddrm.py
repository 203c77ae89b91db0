"""DDRM: diffusion restoration in the spectral space of the operator, here the 0/1 mask itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from radpipe.diffusion.levels import Level, LevelPath, check_leading
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import like, q_sample, x0_from_eps
from radpipe.diffusion.reverse import Pasted, reverse
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters._diffusion import Share, Steps
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import Tensor, torch
from radpipe.section import Section


@dataclass(frozen=True)
class SpectralUpdate:
    """DDRM's update (paper, equations 7 and 8) for inpainting without measurement noise.

    A mask is diagonal: its singular vectors are the pixels, its singular values 0 (hole) and 1
    (known). With sigma = sqrt((1 - abar) / abar) and xbar = x / sqrt(abar), the
    variance-exploding form that the paper is written in, and measurement noise sigma_0 = 0:

        hole:  xbar_next = x0 + sigma_next (sqrt(1 - eta^2) eps + eta z)
        known: xbar_next = (1 - eta_b) x0 + eta_b y + sigma_next z

    x0 is not clipped, and the network's variance channels are not used, as in the paper.
    """

    known: Tensor
    hole: Tensor
    eta: float
    eta_b: float

    def step(
        self, x: Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> Tensor:
        x0 = x0_from_eps(x, pred.eps, now.alpha_bar)
        sigma = like(((1 - next.alpha_bar) / next.alpha_bar).sqrt(), x)
        z = noise.normal(x)
        inside = x0 + sigma * ((1 - self.eta**2) ** 0.5 * pred.eps + self.eta * z)
        outside = (1 - self.eta_b) * x0 + self.eta_b * self.known + sigma * z
        return like(next.alpha_bar.sqrt(), x) * torch.where(self.hole, inside, outside)


class Ddrm(Inpainter):
    """Kawar et al., NeurIPS 2022.

    The update itself treats the known part; with eta_b = 1 its last step gives the input already,
    and the paste at the end changes nothing.
    """

    label, colour, marker = "DDRM", "#E69F00", "v"
    citation = (
        "Kawar et al., Denoising Diffusion Restoration Models, NeurIPS 2022 (arXiv 2201.11793)"
    )
    rule = "spectral update: hole as DDIM with eta, known part drawn around the input; input pasted"
    requires = "base"

    class Settings(Section):
        """Settings of DDRM."""

        steps: Annotated[Steps, AfterValidator(check_leading)] = Field(
            20,
            description="network evaluations per image, equal strides ending at level 1 (official)",
        )
        eta: Share = Field(0.85, description="share of fresh noise in the hole (official)")
        eta_b: Share = Field(
            1.0, description="weight of the measurement in the known part (official)"
        )

    settings: Settings

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        s = self.settings
        path = LevelPath.spaced(self.schedule, s.steps, "leading")
        # Start: mean y where known and 0 in the hole, standard deviation sigma everywhere.
        x = q_sample(known.masked_fill(hole, 0.0), path[0].alpha_bar, noise.normal(known))
        update = SpectralUpdate(known, hole, s.eta, s.eta_b)
        return reverse(self.model, x, path, update, Pasted(known, hole), noise)
