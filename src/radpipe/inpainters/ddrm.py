"""DDRM: diffusion restoration in the spectral space of the operator, here the 0/1 mask itself."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, field_validator

from radpipe.diffusion.levels import Level, LevelPath, check_leading
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import like, q_sample, x0_from_eps
from radpipe.diffusion.reverse import Pasted, reverse
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import torch
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

    known: torch.Tensor
    hole: torch.Tensor
    eta: float
    eta_b: float

    def step(
        self, x: torch.Tensor, pred: Prediction, now: Level, next: Level, noise: PerImageNoise
    ) -> torch.Tensor:
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

        steps: int = Field(
            20,
            ge=1,
            le=1000,
            description="network evaluations per image, equal strides ending at level 1 (official)",
        )
        eta: float = Field(
            0.85, ge=0, le=1, description="share of fresh noise in the hole (official)"
        )
        eta_b: float = Field(
            1.0, ge=0, le=1, description="weight of the measurement in the known part (official)"
        )

        @field_validator("steps")
        @classmethod
        def _reach_the_noise(cls, steps: int) -> int:
            check_leading(steps)
            return steps

    settings: Settings

    def inpaint(
        self, known: torch.Tensor, hole: torch.Tensor, noise: PerImageNoise
    ) -> torch.Tensor:
        path = LevelPath.spaced(self.schedule, self.settings.steps, "leading")
        # Start: mean y where known and 0 in the hole, standard deviation sigma everywhere.
        x = q_sample(known.masked_fill(hole, 0.0), path[0].alpha_bar, noise.normal(known))
        update = SpectralUpdate(known, hole, self.settings.eta, self.settings.eta_b)
        return reverse(self.model, x, path, update, Pasted(known, hole), noise)
