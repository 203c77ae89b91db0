"""The one reverse loop of every diffusion method.

A method is a path of levels, an update rule (`solvers`) and what it does to the known region.
Levels carry alpha_bar as a map (RAD: known pixels are clean at every level and the loop carries
them over bit for bit) or as one number (all baselines).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import forward_step, q_sample
from radpipe.diffusion.solvers import Denoiser, Prediction, Update
from radpipe.lazy import Tensor, torch


def reverse(
    denoiser: Denoiser,
    x: Tensor,
    levels: Iterable[Level],
    update: Update,
    rule: KnownRegion,
    noise: PerImageNoise,
) -> Tensor:
    """Run the reverse process along a path of levels.

    Args:
        denoiser: evaluated once per downward step.
        x: `[B, C, H, W]` at the first level.
        levels: the whole path; where it goes up, `rule.renoise` is called instead.
        update: a fresh update rule.
        rule: what happens to known pixels.
        noise: one generator per image of the batch.

    Returns:
        x at the last level, after `rule.finish`. Pixels whose alpha_bar is the same at both ends
        of an update are carried over bit for bit (posterior of b = 0, M2).
    """
    with torch.no_grad():
        for now, next in pairwise(levels):
            if next.t > now.t:
                x = rule.renoise(x, now, next, noise)
                continue
            x = rule.before(x, now, noise)
            pred = rule.denoise(denoiser, x, now)
            stepped = update.step(x, pred, now, next, noise)
            frozen = (now.alpha_bar == next.alpha_bar).to(x.device)
            x = rule.after(torch.where(frozen, x, stepped), next, noise)
        return rule.finish(x)


class KnownRegion:
    """What a method does to the known pixels around each step; this one does nothing.

    Hooks run in the order before, denoise, (update), after; `renoise` runs alone, where the
    path goes up.
    """

    def before(self, x: Tensor, now: Level, noise: PerImageNoise) -> Tensor:
        """x at `now`, to give to the network."""
        return x

    def denoise(self, denoiser: Denoiser, x: Tensor, now: Level) -> Prediction:
        """The network's evaluation; gradients are off unless switched on here."""
        return denoiser(x, now)

    def after(self, x: Tensor, now: Level, noise: PerImageNoise) -> Tensor:
        """x at the level it was just brought to, from the update's."""
        return x

    def renoise(self, x: Tensor, now: Level, next: Level, noise: PerImageNoise) -> Tensor:
        """x taken up to the noisier level `next`: a draw of the forward process."""
        return forward_step(x, now.alpha_bar, next.alpha_bar, noise.normal(x))

    def finish(self, x: Tensor) -> Tensor:
        """The result."""
        return x


class Pasted(KnownRegion):
    """The known pixels are pasted over the result.

    Args:
        known: y, `[B, 3, H, W]` in [-1, 1], anything inside the hole.
        hole: bool `[B, 1, H, W]`, True = hole.
    """

    def __init__(self, known: Tensor, hole: Tensor) -> None:
        self.known, self.hole = known, hole

    def drawn(self, x: Tensor, level: Level, noise: PerImageNoise) -> Tensor:
        """x with its known pixels drawn anew from q(x_level | y): y itself at a clean level."""
        if bool((level.alpha_bar == 1).all()):
            return self.finish(x)
        drawn = q_sample(self.known, level.alpha_bar, noise.normal(x))
        return torch.where(self.hole, x, drawn)

    def finish(self, x: Tensor) -> Tensor:
        return torch.where(self.hole, x, self.known)
