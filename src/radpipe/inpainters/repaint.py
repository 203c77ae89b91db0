"""RePaint: inject the noised known part before every model call, and jump back to resample."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field

from radpipe.diffusion.levels import Level, LevelPath, spaced_levels
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import Pasted
from radpipe.inpainters._diffusion import AncestralInpainter, Steps
from radpipe.lazy import Tensor


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

    def before(self, x: Tensor, now: Level, noise: PerImageNoise) -> Tensor:
        return self.drawn(x, now, noise)


class Repaint(AncestralInpainter):
    """Lugmayr et al., CVPR 2022, algorithm 1, with ADM's learned variance."""

    label, colour, marker = "RePaint", "#0072B2", "s"
    citation = (
        "Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic Models, "
        "CVPR 2022 (arXiv 2201.09865)"
    )
    rule = "known part noised to the current level before every model call; jumps back to resample"

    class Settings(AncestralInpainter.Settings):
        """Settings of RePaint."""

        steps: Steps = Field(250, description="respaced levels, spaced as ADM respaces (official)")
        jump_length: int = Field(10, ge=1, description="levels a jump goes back up (official)")
        resamplings: int = Field(
            10, ge=1, description="times each stretch of jump_length levels is sampled; 1: no jumps"
        )

    settings: Settings

    def path(self) -> LevelPath:
        """See `resampling_path`."""
        s = self.settings
        rising = spaced_levels(self.schedule, s.steps, "linspace")[::-1]
        indices = resampling_path(s.steps, s.jump_length, s.resamplings)
        return LevelPath(self.schedule, [rising[index + 1] for index in indices])

    def planned_evaluations(self) -> int:
        """One per step down."""
        return sum(b < a for a, b in pairwise(self.path().times))

    def known_part(self, known: Tensor, hole: Tensor) -> Injection:
        return Injection(known, hole)
