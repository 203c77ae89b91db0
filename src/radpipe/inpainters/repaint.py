"""RePaint: inject the noised known part before every model call, and jump back to resample."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field

from radpipe.diffusion.levels import Level, LevelPath, spaced_levels
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import Pasted, reverse
from radpipe.diffusion.solvers import Ancestral
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import torch
from radpipe.section import Section


def resampling_path(steps: int, jump_length: int, resamplings: int) -> list[int]:
    """Indices of the respaced levels in the order they are visited, from steps - 1 to -1 (clean).

    Walking down, every index that is a multiple of `jump_length`, except those less than one jump
    below the top, is reached `resamplings` times: after each but the last, the path goes up
    `jump_length` indices and down again (paper, section 4.2 and appendix).
    """
    path: list[int] = []
    for index in reversed(range(steps)):
        path.append(index)
        top = index + jump_length
        if index % jump_length == 0 and top < steps:
            for _ in range(resamplings - 1):
                path += [*range(index + 1, top + 1), *reversed(range(index, top))]
    return [*path, -1]


class Injection(Pasted):
    """Known pixels become a fresh draw of q(x_now | y) before every model call; y is pasted last.

    Jumps use the loop's own `renoise`: one forward step of the respaced chain, whose beta is that
    of the level it goes *to* (t + 1), for all pixels.
    The paste is needed: the last model call's update leaves its own guess in the known part.
    """

    def before(self, x: torch.Tensor, now: Level, noise: PerImageNoise) -> torch.Tensor:
        return self.drawn(x, now, noise)


class Repaint(Inpainter):
    """Lugmayr et al., CVPR 2022, algorithm 1, with ADM's learned variance."""

    label, colour, marker = "RePaint", "#0072B2", "s"
    citation = (
        "Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic Models, "
        "CVPR 2022 (arXiv 2201.09865)"
    )
    rule = "known part noised to the current level before every model call; jumps back to resample"
    requires = "base"

    class Settings(Section):
        """Settings of RePaint."""

        steps: int = Field(
            250, ge=1, le=1000, description="respaced levels, spaced as ADM respaces (official)"
        )
        jump_length: int = Field(10, ge=1, description="levels a jump goes back up (official)")
        resamplings: int = Field(
            10, ge=1, description="times each stretch of jump_length levels is sampled; 1: no jumps"
        )
        clip_x0: bool = Field(True, description="clip the predicted image to [-1, 1] (official)")

    settings: Settings

    def path(self) -> list[int]:
        """See `resampling_path`."""
        s = self.settings
        return resampling_path(s.steps, s.jump_length, s.resamplings)

    def planned_evaluations(self) -> int:
        """One per step down."""
        return sum(b < a for a, b in pairwise(self.path()))

    def inpaint(
        self, known: torch.Tensor, hole: torch.Tensor, noise: PerImageNoise
    ) -> torch.Tensor:
        rising = spaced_levels(self.schedule, self.settings.steps, "linspace")[::-1]
        path = LevelPath(self.schedule, [rising[index + 1] for index in self.path()])
        update, rule = Ancestral(self.settings.clip_x0), Injection(known, hole)
        return reverse(self.model, noise.normal(known), path, update, rule, noise)
