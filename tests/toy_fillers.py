"""Methods that need no trained network, for tests of pictures and of the page."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters.lama import Lama
from radpipe.inpainters.rad import Rad
from radpipe.inpainters.telea import Telea
from radpipe.inpainting import fill


class Denoiser:
    """Believes that every pixel is about the mean of the known ones."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, x: torch.Tensor, level: Any) -> Prediction:
        self.shapes.append(tuple(x.shape))
        known = (level.alpha_bar == 1).to(x)
        mean = (x * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        alpha_bar = level.alpha_bar.to(x).clamp(max=1 - 1e-4)
        guess = 0.9 * mean + 0.1 * x
        return Prediction((x - alpha_bar.sqrt() * guess) / (1 - alpha_bar).sqrt())


class Generator:
    """Paints the hole grey."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, known: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(known.shape))
        return torch.zeros_like(known)


def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RAD (three steps) and LaMa become toys; all networks are there."""

    def build(method: str, *_: Any) -> Any:
        schedule = TwoPhaseSchedule()
        if method == "lama":
            return Lama(Lama.Settings(), Generator(), schedule)
        if method == "telea":
            return Telea(Telea.Settings(), None, schedule)
        return Rad(Rad.Settings(steps=3, spacing="trailing"), Denoiser(), schedule)

    monkeypatch.setattr(fill, "build", build)
    monkeypatch.setattr(fill, "missing", lambda *_: [])
    fill._load.cache_clear()
