"""Score-SDE's inpainting: replace the known part by a noised copy of the input after every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import q_sample
from radpipe.diffusion.solvers import (
    Ancestral,
    KnownRegion,
    Level,
    LevelPath,
    Prediction,
    reverse,
    spaced_levels,
)
from radpipe.inpainters.base import Inpainter
from radpipe.section import Section


class Replacement(KnownRegion):
    """After every step, known pixels become a fresh draw of q(x_next | y).

    At the last level, which is clean, the draw is y itself: nothing is pasted.

    Args:
        known: y, `[B, 3, H, W]` in [-1, 1], anything inside the hole.
        hole: bool `[B, 1, H, W]`, True = hole.
    """

    def __init__(self, known: Tensor, hole: Tensor) -> None:
        self.known, self.hole = known, hole

    def replace(self, x: Tensor, level: Level, noise: PerImageNoise) -> Tensor:
        """x with its known pixels drawn anew from q(x_level | y)."""
        if bool((level.alpha_bar == 1).all()):
            return torch.where(self.hole, x, self.known)
        drawn = q_sample(self.known, level.alpha_bar, noise.normal(x))
        return torch.where(self.hole, x, drawn)

    def after(
        self,
        x_next: Tensor,
        x: Tensor,
        pred: Prediction,
        now: Level,
        next: Level,
        noise: PerImageNoise,
    ) -> Tensor:
        return self.replace(x_next, next, noise)


class ScoreSdeSettings(Section):
    """Settings of replacement sampling."""

    steps: int = Field(
        1000,
        ge=1,
        le=1000,
        description="network evaluations per image, spaced as ADM respaces (official)",
    )
    clip_x0: bool = Field(True, description="clip the predicted image to [-1, 1] (ADM's default)")


class ScoreSde(Inpainter):
    """Song et al., ICLR 2021, appendix I.2, on a discrete variance-preserving model.

    As inpainting tables use it: ADM's ancestral sampler with learned variance, no corrector.
    """

    citation: ClassVar[str] = (
        "Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, "
        "ICLR 2021 (arXiv 2011.13456)"
    )
    rule: ClassVar[str] = "ancestral sampling; known part replaced by a noised copy after each step"
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = "base"
    Settings: ClassVar[type[Section]] = ScoreSdeSettings
    settings: ScoreSdeSettings

    def planned_evaluations(self) -> int:
        return self.settings.steps

    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        times = spaced_levels(self.schedule, self.settings.steps, "linspace")
        return reverse(
            self.counted_model,
            noise.normal(known),
            LevelPath(self.schedule, times),
            Ancestral(self.settings.clip_x0),
            Replacement(known, hole),
            noise,
            on_step,
        )
