"""RAD: a plain reverse process in which only the hole is noisy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from radpipe.diffusion.levels import LevelPath, Spacing, check_leading
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import KnownRegion, reverse
from radpipe.diffusion.solvers import Ancestral, Ddim, DpmSolver2M, Update
from radpipe.inpainters._diffusion import Share, Steps
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import Tensor, torch
from radpipe.section import Section


class Rad(Inpainter):
    """Phase 1 of the element-wise process, reversed: known pixels are clean at every step.

    The hole starts as N(0, I). The authors start it at q(x_T | x_0), which leaves
    sqrt(abar_T) = 0.00635 of the truth in the hole; here the truth is not there to leak.
    Known pixels come out bit for bit without being pasted: their posterior carries them over.
    """

    label, colour, marker = "RAD", "#D55E00", "o"
    citation = (
        "Kim, Suh, Lee: RAD: Region-Aware Diffusion Models for Image Inpainting. "
        "CVPR 2025, arXiv:2412.09191"
    )
    rule = "one reverse process; noise level per pixel, known pixels clean throughout"
    requires = "rad"

    class Settings(Section):
        """How RAD samples."""

        solver: Literal["ancestral", "ddim", "dpmpp_2m"] = Field(
            "ancestral", description="ancestral (the paper's), ddim, or dpmpp_2m (10-25 steps)"
        )
        steps: Steps = 100
        spacing: Spacing = Field(
            "leading",
            validate_default=True,
            description="levels: leading (the authors'), trailing, linspace; logsnr suits dpmpp_2m",
        )
        eta: Share = Field(0.0, description="noise of ddim; other solvers: unused")
        clip_x0: bool = Field(True, description="clip predicted images to [-1, 1]")

        @field_validator("spacing")
        @classmethod
        def _reach_the_noise(cls, spacing: Spacing, info: ValidationInfo) -> Spacing:
            if spacing == "leading" and "steps" in info.data:
                check_leading(info.data["steps"])
            return spacing

        def update(self) -> Update:
            """A fresh update rule."""
            if self.solver == "ancestral":
                return Ancestral(self.clip_x0)
            if self.solver == "ddim":
                return Ddim(self.eta, self.clip_x0)
            return DpmSolver2M(self.clip_x0)

    settings: Settings

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        """See `Inpainter.inpaint`; float32 or float64."""
        s = self.settings
        path = LevelPath.spaced(self.schedule, s.steps, s.spacing, hole)
        x = torch.where(hole, noise.normal(known), known)
        return reverse(self.model.with_hole(hole), x, path, s.update(), KnownRegion(), noise)
