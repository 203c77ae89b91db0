"""Noise levels and the paths through them that a reverse process takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from typing import Literal

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.errors import UserError
from radpipe.lazy import Tensor, torch

Spacing = Literal["trailing", "leading", "linspace", "logsnr"]

_COVERED = 0.9  # share of the levels that `leading` must stride over


@dataclass(frozen=True)
class Level:
    """A noise level: step t of the schedule and its alpha_bar, float64 `[B, 1, H, W]` or
    `[1, 1, 1, 1]`, in (0, 1]."""

    t: int
    alpha_bar: Tensor


class LevelPath:
    """Levels at the given times, each made when it is asked for (a map costs H*W float64).

    Args:
        schedule: the noise schedule.
        times: levels t in the order of the path; may go up (resampling).
        m: map `[B, 1, H, W]`, 1 = hole, for element-wise levels; None: the scalar schedule.
    """

    def __init__(
        self, schedule: TwoPhaseSchedule, times: Sequence[int], m: Tensor | None = None
    ) -> None:
        self.schedule, self.times = schedule, tuple(times)
        self.m = torch.ones(1, 1, 1, 1, dtype=torch.float64) if m is None else m

    @classmethod
    def spaced(
        cls,
        schedule: TwoPhaseSchedule,
        steps: int,
        spacing: Spacing,
        m: Tensor | None = None,
    ) -> LevelPath:
        """The path of `spaced_levels`; raises what that raises."""
        return cls(schedule, spaced_levels(schedule, steps, spacing), m)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: int) -> Level:
        t = self.times[index]
        return Level(t, self.schedule.alpha_bar(t, self.m))

    def __iter__(self) -> Iterator[Level]:
        return map(self.__getitem__, range(len(self)))


def spaced_levels(
    schedule: TwoPhaseSchedule, steps: int, spacing: Spacing = "trailing"
) -> list[int]:
    """`steps` levels of phase 1 from noisy to little noise, and 0: a path of `steps` evaluations.

    trailing: equal strides that start at the noisiest level: 1000, 990, ..., 10, 0.
    leading:  equal whole strides of floor(1000 / steps) that end at level 1: 991, 981, ..., 1, 0
              (RAD's authors; DDRM). Where `steps` does not divide 1,000 it starts lower, as
              diffusers has it (30 steps: 958); DDIM's and DDRM's own code takes more steps than
              asked instead (31).
    linspace: both ends: 1000, ..., 1, 0, rounded as ADM respaces (RePaint). One step starts at
              the noisiest level (ADM's would start at level 1).
    logsnr:   equal strides in log-SNR from 1000 to 1, then 0: what DPM-Solver++ wants. On
              Gaussian data with 10 steps of it the hole's covariance is 6 % off, with trailing
              40 %, with leading or linspace 85 %.

    Raises:
        UserError: more steps than the schedule has, or fewer than 1; a `leading` path that
            leaves out the noisy levels (see `check_leading`).
    """
    total = schedule.steps
    where = "the method's settings `steps` and `spacing`"
    if not 1 <= steps <= total:
        what = f"{steps} sampling steps do not fit a schedule of {total} levels"
        raise UserError(what, where, f"set `steps` to a number in 1..{total}")
    if spacing == "leading":
        try:
            check_leading(steps, total)
        except ValueError as error:
            raise UserError(str(error), where) from None
        levels = [i * (total // steps) + 1 for i in range(steps)][::-1]
    elif spacing == "trailing" or steps == 1:
        levels = [round(total - i * total / steps) for i in range(steps)]
    elif spacing == "linspace":  # a running sum, whose rounding decides at halves
        stride = (total - 1) / (steps - 1)
        places = accumulate(repeat(stride, steps - 1), initial=0.0)
        levels = [round(place) + 1 for place in places][::-1]
    else:
        levels = _log_snr_levels(schedule, steps)
    return [*levels, 0]


def check_leading(steps: int, total: int = 1000) -> int:
    """The number of steps; one whose whole strides cover less than nine tenths of the levels is
    refused.

    Such a path would begin far below the noise that the image is started from: 600 strides of 1
    at level 600, 334 strides of 2 at level 667.

    Raises:
        ValueError: they do; the message names the nearest numbers of steps whose strides do not.
    """

    def covers(count: int) -> bool:
        return count * (total // count) >= _COVERED * total

    if not covers(steps):
        fewer = max(count for count in range(1, steps) if covers(count))
        more = min(count for count in range(steps, total + 1) if covers(count))
        start = (steps - 1) * (total // steps) + 1
        raise ValueError(
            f"{steps} steps spaced as `leading` would start at level {start} of {total}: "
            f"take {fewer} or {more} steps, or another spacing"
        )
    return steps


def half_log_snr(alpha_bar: Tensor) -> Tensor:
    """lambda = log(sqrt(abar) / sqrt(1 - abar)); inf where clean."""
    return 0.5 * (alpha_bar.log() - torch.log1p(-alpha_bar))


def _log_snr_levels(schedule: TwoPhaseSchedule, steps: int) -> list[int]:
    """Whole levels nearest to equal strides in log-SNR, T first, 1 last, none twice."""
    log_snr = half_log_snr(schedule.alpha_bar_scalar[1:])
    wanted = torch.linspace(float(log_snr[-1]), float(log_snr[0]), steps, dtype=torch.float64)
    levels = (log_snr[None] - wanted[:, None]).abs().argmin(1) + 1
    # Where strides are shorter than a level, neighbours move up; at the top they move down.
    rank = torch.arange(steps - 1, -1, -1)
    levels = ((levels - rank).flip(0).cummax(0).values.flip(0) + rank).clamp(
        max=schedule.steps - torch.arange(steps)
    )
    return [int(level) for level in levels]
