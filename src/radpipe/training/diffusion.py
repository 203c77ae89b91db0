"""The diffusion objective: noise prediction with a learned variance.

Pre-training of the base network and fine-tuning to RAD are the same loss on the same
element-wise process; the base network's masks are all hole, which is plain DDPM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from radpipe.diffusion.loss import Region, hybrid_loss
from radpipe.diffusion.process import q_sample
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.models.denoiser import time_input
from radpipe.models.noise_embedding import TimeMap
from radpipe.settings import BaseTraining, RadTraining
from radpipe.training.samples import Sample

TimeInput = Callable[[TwoPhaseSchedule, Tensor, Tensor], Tensor | TimeMap]


def scalar_time(schedule: TwoPhaseSchedule, alpha_bar: Tensor, hole: Tensor) -> Tensor:
    """ADM's index `[B]` of maps that are uniform: everything is hole."""
    return schedule.network_time(1 - alpha_bar[:, 0, 0, 0])


class MaskBank(Protocol):
    """Training masks by number."""

    def __len__(self) -> int: ...

    def mask(self, index: int) -> np.ndarray:
        """Mask `[H, W]` bool, True = hole."""
        ...


@dataclass(frozen=True)
class DrawNoisy:
    """Draws what one training sample needs besides its image.

    Args:
        schedule: of both phases.
        phase1: probability of a level of phase 1; the level is uniform within its phase.
        bank: masks; each use mirrors and turns one at random, so that a small bank goes far
            (our choice). None: everything is hole.
    """

    schedule: TwoPhaseSchedule
    phase1: float
    bank: MaskBank | None

    def __call__(self, rng: np.random.Generator, image: Tensor) -> Sample:
        """image `[3, H, W]` in [-1, 1] -> x0, eps `[3, H, W]`, hole `[1, H, W]`, level `[]`."""
        first = rng.random() < self.phase1
        ends = (0, self.schedule.steps, self.schedule.total_steps)
        low, high = ends[:2] if first else ends[1:]
        level = int(rng.integers(low, high)) + 1
        eps = torch.from_numpy(rng.standard_normal(tuple(image.shape), dtype=np.float32))
        return {
            "x0": image,
            "eps": eps,
            "hole": self._hole(rng, image),
            "level": torch.tensor(level),
        }

    def _hole(self, rng: np.random.Generator, image: Tensor) -> Tensor:
        if self.bank is None:
            return torch.ones(1, *image.shape[1:], dtype=torch.bool)
        mask = self.bank.mask(int(rng.integers(len(self.bank))))
        turned = np.rot90(mask, int(rng.integers(4)))
        if rng.random() < 0.5:
            turned = turned[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(turned))[None]


def of_base(network: nn.Module, settings: BaseTraining) -> tuple[DiffusionObjective, DrawNoisy]:
    """What pre-training minimises, and on what."""
    schedule = TwoPhaseSchedule()
    return (
        DiffusionObjective(network, schedule, settings.vlb_weight, "all", scalar_time),
        DrawNoisy(schedule, phase1=1.0, bank=None),
    )


def of_rad(
    network: nn.Module, settings: RadTraining, bank: MaskBank
) -> tuple[DiffusionObjective, DrawNoisy]:
    """What fine-tuning to RAD minimises, and on what."""
    schedule = TwoPhaseSchedule()
    time = partial(time_input, settings.embedding)
    return (
        DiffusionObjective(network, schedule, settings.vlb_weight, settings.region, time),
        DrawNoisy(schedule, settings.phase1, bank),
    )


class DiffusionObjective:
    """Hybrid loss of a network with 6 output channels.

    Args:
        network: (x `[B, 3, H, W]`, time) -> `[B, 6, H, W]`.
        schedule: of both phases.
        vlb_weight: lambda of the variational term.
        region: 'all' or 'noisy', see `hybrid_loss`.
        time_input: (schedule, alpha_bar, hole), maps `[B, 1, H, W]` -> the network's time.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: TwoPhaseSchedule,
        vlb_weight: float,
        region: Region,
        time_input: TimeInput,
    ) -> None:
        self.players = {"model": network}
        self.rates: dict[str, float] = {}
        self.schedule, self.vlb_weight, self.region = schedule, vlb_weight, region
        self.time_input = time_input

    def loss(self, player: str, networks: dict[str, Any], batch: Sample) -> dict[str, Tensor]:
        """Mean losses of a batch made by `DrawNoisy`: loss, mse, vlb (bits per dimension)."""
        x0, eps, hole, level = (batch[key] for key in ("x0", "eps", "hole", "level"))
        m = hole.double()
        alpha_bar = self.schedule.alpha_bar(level, m)
        x = q_sample(x0, alpha_bar, eps)
        x = x.contiguous(memory_format=torch.channels_last)
        out = networks["model"](x, self.time_input(self.schedule, alpha_bar, hole)).float()
        pred_eps, pred_v = out.chunk(2, dim=1)
        terms = hybrid_loss(
            self.schedule, x0, x, level, m, eps, pred_eps, pred_v, self.region, self.vlb_weight
        )
        return {name: value.mean() for name, value in terms.items()}
