"""Score-SDE's inpainting: replace the known part by a noised copy of the input after every step."""

from __future__ import annotations

from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.reverse import Pasted
from radpipe.inpainters._diffusion import AncestralInpainter
from radpipe.lazy import Tensor


class Replacement(Pasted):
    """After every step, known pixels become a fresh draw of q(x_next | y).

    At the last level, which is clean, the draw is y itself: the paste changes nothing.
    """

    def after(self, x: Tensor, now: Level, noise: PerImageNoise) -> Tensor:
        return self.drawn(x, now, noise)


class ScoreSde(AncestralInpainter):
    """Song et al., ICLR 2021, appendix I.2, on a discrete variance-preserving model.

    As inpainting tables use it: ADM's ancestral sampler with learned variance, no corrector.
    """

    label, colour, marker = "Score-SDE", "#56B4E9", "^"
    citation = (
        "Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, "
        "ICLR 2021 (arXiv 2011.13456)"
    )
    rule = "ancestral sampling; known part replaced by a noised copy after each step"

    def known_part(self, known: Tensor, hole: Tensor) -> Replacement:
        return Replacement(known, hole)
