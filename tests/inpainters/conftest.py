"""Small models and noise for tests of the methods."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter


class ZeroNoise(PerImageNoise):
    """Noise that is 0: what is left of a method is its means."""

    def normal(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Mixing:
    """A denoiser whose every output pixel depends on its neighbours, made of element-wise
    operations alone, so that its result is the same to the last bit in any batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor]] = []

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        self.seen.append((level.t, x.detach().clone()))
        mixed = x + 0.5 * x.roll(1, dims=-1) - 0.3 * x.roll(2, dims=-2)
        return Prediction(eps=torch.tanh(mixed), v=torch.tanh(x.roll(3, dims=-1)))


def shifted(known: Tensor, hole: Tensor) -> Tensor:
    """A generator in place of LaMa's: the image moved by some pixels, a little darker."""
    return 0.9 * known.masked_fill(hole, 0.0).roll((5, 3), dims=(-2, -1))


def model_for(method: type[Inpainter]) -> Any:
    if method.requires is None:
        return None
    return shifted if method.requires == "lama" else Mixing()


SMALL: dict[str, dict[str, Any]] = {
    "rad": {"steps": 4},
    "repaint": {"steps": 6, "jump_length": 2, "resamplings": 2},
    "score_sde": {"steps": 6},
    "mcg": {"steps": 6},
    "ddrm": {"steps": 5},
}


def make(name: str, model: Any = None, small: bool = True, **changes: Any) -> Inpainter:
    """A method at a small budget, or with its own defaults."""
    method = load(name)
    settings = method.Settings(**{**(SMALL.get(name, {}) if small else {}), **changes})
    return method(settings, model_for(method) if model is None else model, TwoPhaseSchedule())


@pytest.fixture
def toy() -> SimpleNamespace:
    """The helpers of this file."""
    return SimpleNamespace(make=make, Mixing=Mixing, ZeroNoise=ZeroNoise, corner=corner)


def corner(size: int = 16) -> np.ndarray:
    """A hole in the upper left corner only, bool `[H, W]`: no symmetry hides a wrong polarity."""
    hole = np.zeros((size, size), dtype=bool)
    hole[: size // 2, : size // 4] = True
    return hole


@pytest.fixture
def images() -> np.ndarray:
    """Eight images of noise, uint8 `[8, 16, 16, 3]`."""
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def holes() -> np.ndarray:
    return np.stack([corner()] * 8)
