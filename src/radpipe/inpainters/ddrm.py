"""DDRM: diffusion restoration in the spectral space of the operator, here the 0/1 mask itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import like, q_sample, x0_from_eps
from radpipe.diffusion.solvers import (
    KnownRegion,
    Level,
    LevelPath,
    Prediction,
    reverse,
    spaced_levels,
)
from radpipe.inpainters.base import Inpainter
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


class PasteAtEnd(KnownRegion):
    """The update itself treats the known part; the input is pasted over it at the end.

    With eta_b = 1 the last step gives y already and the paste changes nothing.
    """

    def __init__(self, known: Tensor, hole: Tensor) -> None:
        self.known, self.hole = known, hole

    def finish(self, x: Tensor) -> Tensor:
        return torch.where(self.hole, x, self.known)


class DdrmSettings(Section):
    """Settings of DDRM."""

    steps: int = Field(
        20,
        ge=1,
        le=1000,
        description="network evaluations per image, equal strides ending at level 1 (official)",
    )
    eta: float = Field(0.85, ge=0, le=1, description="share of fresh noise in the hole (official)")
    eta_b: float = Field(
        1.0, ge=0, le=1, description="weight of the measurement in the known part (official)"
    )


class Ddrm(Inpainter):
    """Kawar et al., NeurIPS 2022."""

    citation: ClassVar[str] = (
        "Kawar et al., Denoising Diffusion Restoration Models, NeurIPS 2022 (arXiv 2201.11793)"
    )
    rule: ClassVar[str] = (
        "spectral update: hole as DDIM with eta, known part drawn around the input; input pasted"
    )
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = "base"
    Settings: ClassVar[type[Section]] = DdrmSettings
    settings: DdrmSettings

    def planned_evaluations(self) -> int:
        return self.settings.steps

    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        times = spaced_levels(self.schedule, self.settings.steps, "leading")
        path = LevelPath(self.schedule, times)
        # Start: mean y where known and 0 in the hole, standard deviation sigma everywhere.
        x = q_sample(known.masked_fill(hole, 0.0), path[0].alpha_bar, noise.normal(known))
        update = SpectralUpdate(known, hole, self.settings.eta, self.settings.eta_b)
        return reverse(self.counted_model, x, path, update, PasteAtEnd(known, hole), noise, on_step)
