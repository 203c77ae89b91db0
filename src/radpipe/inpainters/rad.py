"""RAD: a plain reverse process in which only the hole is noisy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.solvers import (
    Ancestral,
    Ddim,
    DpmSolver2M,
    KnownRegion,
    LevelPath,
    Spacing,
    Update,
    for_hole,
    reverse,
    spaced_levels,
)
from radpipe.inpainters.base import Inpainter
from radpipe.section import Section


class RadSettings(Section):
    """How RAD samples."""

    solver: Literal["ancestral", "ddim", "dpmpp_2m"] = Field(
        default="ancestral", description="ancestral (the paper's), ddim, or dpmpp_2m (10-25 steps)"
    )
    steps: int = Field(default=100, ge=1, le=1000, description="network evaluations per image")
    spacing: Spacing = Field(
        default="leading",
        description="levels: leading (the authors'), trailing, linspace; logsnr suits dpmpp_2m",
    )
    eta: float = Field(default=0.0, ge=0, le=1, description="noise of ddim; other solvers: unused")
    clip_x0: bool = Field(default=True, description="clip predicted images to [-1, 1]")

    def update(self) -> Update:
        """A fresh update rule."""
        if self.solver == "ancestral":
            return Ancestral(self.clip_x0)
        if self.solver == "ddim":
            return Ddim(self.eta, self.clip_x0)
        return DpmSolver2M(self.clip_x0)


class Rad(Inpainter):
    """Phase 1 of the element-wise process, reversed: known pixels are clean at every step.

    The hole starts as N(0, I). The authors start it at q(x_T | x_0), which leaves
    sqrt(abar_T) = 0.00635 of the truth in the hole; here the truth is not there to leak.
    Known pixels come out bit for bit without being pasted: their posterior carries them over.
    """

    citation = (
        "Kim, Suh, Lee: RAD: Region-Aware Diffusion Models for Image Inpainting. "
        "CVPR 2025, arXiv:2412.09191"
    )
    rule = "one reverse process; noise level per pixel, known pixels clean throughout"
    requires = "rad"
    Settings = RadSettings
    settings: RadSettings

    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """See `Inpainter.inpaint`; float32 or float64."""
        times = spaced_levels(self.schedule, self.settings.steps, self.settings.spacing)
        return reverse(
            for_hole(self.counted_model, hole),
            torch.where(hole, noise.normal(known), known),
            LevelPath(self.schedule, times, hole),
            self.settings.update(),
            KnownRegion(),
            noise,
            on_step,
        )

    def planned_evaluations(self) -> int:
        """One per step."""
        return self.settings.steps
