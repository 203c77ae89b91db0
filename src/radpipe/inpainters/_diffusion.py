"""What diffusion methods share: types of settings, and ADM's ancestral sampler."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from pydantic import Field

from radpipe.diffusion.levels import LevelPath
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import KnownRegion, reverse
from radpipe.diffusion.solvers import Ancestral
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import Tensor
from radpipe.section import Section

Steps = Annotated[int, Field(ge=1, le=1000, description="network evaluations per image")]
Share = Annotated[float, Field(ge=0, le=1)]


class AncestralInpainter(Inpainter):
    """Starts as N(0, I) everywhere and goes down levels that are spaced as ADM respaces, by
    ancestral steps with ADM's learned variance; what a method adds is what it does to the known
    part."""

    requires = "base"

    class Settings(Section):
        """Settings of the sampler."""

        steps: Steps = Field(
            1000, description="network evaluations per image, spaced as ADM respaces (official)"
        )
        clip_x0: bool = Field(True, description="clip the predicted image to [-1, 1] (official)")

    settings: Settings

    @abstractmethod
    def known_part(self, known: Tensor, hole: Tensor) -> KnownRegion:
        """What the method does to the known part around each step; arguments as of `inpaint`."""

    def path(self) -> LevelPath:
        """The levels that are visited."""
        return LevelPath.spaced(self.schedule, self.settings.steps, "linspace")

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        x, update = noise.normal(known), Ancestral(self.settings.clip_x0)
        return reverse(self.model, x, self.path(), update, self.known_part(known, hole), noise)
