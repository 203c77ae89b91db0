"""Score-SDE's inpainting: replace the known part by a noised copy of the input after every step."""

from __future__ import annotations

from pydantic import Field

from radpipe.diffusion.levels import Level, LevelPath
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import Pasted, reverse
from radpipe.diffusion.solvers import Ancestral
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import torch
from radpipe.section import Section


class Replacement(Pasted):
    """After every step, known pixels become a fresh draw of q(x_next | y).

    At the last level, which is clean, the draw is y itself: the paste changes nothing.
    """

    def after(self, x: torch.Tensor, now: Level, noise: PerImageNoise) -> torch.Tensor:
        return self.drawn(x, now, noise)


class ScoreSde(Inpainter):
    """Song et al., ICLR 2021, appendix I.2, on a discrete variance-preserving model.

    As inpainting tables use it: ADM's ancestral sampler with learned variance, no corrector.
    """

    label, colour, marker = "Score-SDE", "#56B4E9", "^"
    citation = (
        "Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, "
        "ICLR 2021 (arXiv 2011.13456)"
    )
    rule = "ancestral sampling; known part replaced by a noised copy after each step"
    requires = "base"

    class Settings(Section):
        """Settings of replacement sampling."""

        steps: int = Field(
            1000,
            ge=1,
            le=1000,
            description="network evaluations per image, spaced as ADM respaces (official)",
        )
        clip_x0: bool = Field(True, description="clip the predicted image to [-1, 1] (ADM's)")

    settings: Settings

    def inpaint(
        self, known: torch.Tensor, hole: torch.Tensor, noise: PerImageNoise
    ) -> torch.Tensor:
        path = LevelPath.spaced(self.schedule, self.settings.steps, "linspace")
        update, rule = Ancestral(self.settings.clip_x0), Replacement(known, hole)
        return reverse(self.model, noise.normal(known), path, update, rule, noise)
