"""From a noise level of the reverse loop to the network's time input, and back to a prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Level, Prediction
from radpipe.models.noise_embedding import TimeMap

MapMode = Literal["spatial", "dense", "global", "raw", "raw_1000"]
Mode = Literal["scalar", "spatial", "dense", "global", "raw", "raw_1000"]
RAW = {"raw": 1, "raw_1000": 1000}


def time_input(
    mode: MapMode, schedule: TwoPhaseSchedule, alpha_bar: Tensor, hole: Tensor | None = None
) -> Tensor | TimeMap:
    """The network's time for a map of noise levels; in sampling and in training.

    Args:
        mode: what the network is told.
            'spatial': the time of every pixel, low rank; the map takes two values per image (RAD).
            'dense': the time of every pixel of any map (reference; soft masks).
            'global': one time for all pixels (ablation), that of the part that changes: the hole's
                in phase 1, the known pixels' in phase 2. Our choice, so that the level is told in
                both; sampling visits phase 1 only.
            'raw': 1 - alpha_bar itself instead of a time, low rank (ablation: no inverse map).
            'raw_1000': the same on the scale of times, for an imported network.
        schedule: whose `network_time` inverts noise to ADM's index (clean = -1).
        alpha_bar: float64 `[B, 1, H, W]` in (0, 1].
        hole: `[B, 1, H, W]`, True = hole. The map must be constant inside and outside of it
            (not checked: the caller made the map from it). Without it the hole is read off the
            map, which costs a check that it is binary.

    Raises:
        ValueError: more than two values in an image of the map, in a low-rank mode without `hole`.
    """
    if mode == "dense":
        return TimeMap.dense(schedule.network_time(1 - alpha_bar))
    # The hole is never less noisy than the known part, in either phase.
    noisy, clean = alpha_bar.amin((1, 2, 3)), alpha_bar.amax((1, 2, 3))
    if mode == "global":
        return schedule.network_time(1 - torch.where(clean < 1, clean, noisy))
    if hole is None:
        hole = alpha_bar < _pixels(clean)
        if not bool((~hole | (alpha_bar == _pixels(noisy))).all()):
            raise ValueError(f"a map with more than two noise levels needs 'dense', not '{mode}'")
    if mode in RAW:
        return TimeMap.binary(hole, RAW[mode] * (1 - noisy), RAW[mode] * (1 - clean))
    return TimeMap.binary(hole, schedule.network_time(1 - noisy), schedule.network_time(1 - clean))


def _pixels(values: Tensor) -> Tensor:
    """`[B]` -> `[B, 1, 1, 1]`."""
    return values[:, None, None, None]


@dataclass(frozen=True, eq=False)
class AdmDenoiser:
    """An ADM network as the reverse loop's `Denoiser`.

    Args:
        unet: AdmUNet, or one with an adapter: (x, time) -> `[B, 3 or 6, H, W]`.
        schedule: of the levels that it will be called with.
        mode: 'scalar' tells the network ADM's index t - 1, whatever the level's map (baselines);
            others: see `time_input`.
        dtype: of the convolutions (autocast); float32 or, on a GPU, bfloat16.
        hole: see `with_hole`.

    Gradients are neither switched on nor off here (MCG needs them).
    """

    unet: nn.Module
    schedule: TwoPhaseSchedule
    mode: Mode = "scalar"
    dtype: torch.dtype = torch.float32
    hole: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"unknown mode {self.mode!r}, known: {get_args(Mode)}")

    def with_hole(self, hole: Tensor) -> AdmDenoiser:
        """A copy for the holes `[B, 1, H, W]` of one batch, True = hole. Saves the low-rank modes
        the search for the hole at every step."""
        return replace(self, hole=hole)

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        """Evaluate the network once.

        Args:
            x: `[B, C, H, W]` at the level.
            level: its `t`, or its map, makes the time input.

        Returns:
            eps and v in float32, `[B, C, H, W]` each; v None for a network without it.
        """
        time = self._time(x, level)
        with torch.autocast(x.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            output = self.unet(x, time).float()
        channels = x.shape[1]
        if output.shape[1] == channels:
            return Prediction(output)
        return Prediction(output[:, :channels], output[:, channels:])

    def _time(self, x: Tensor, level: Level) -> Tensor | TimeMap:
        batch, _, height, width = x.shape
        if self.mode == "scalar":
            return torch.full((batch,), level.t - 1, dtype=torch.float32, device=x.device)
        alpha_bar = level.alpha_bar.to(x.device).expand(batch, 1, height, width)
        return time_input(self.mode, self.schedule, alpha_bar, self.hole)
