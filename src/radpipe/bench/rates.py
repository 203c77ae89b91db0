"""Masks and training images per second on this machine."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.masks import draw
from radpipe.models import lora
from radpipe.models.adm import AdmConfig
from radpipe.models.checkpoints import new_unet
from radpipe.models.denoiser import time_input
from radpipe.seeding import generator
from radpipe.settings import Settings
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy, scalar_time
from radpipe.training.loop import Objective, Trainer, accelerator
from radpipe.training.samples import NumberedSamples

STEPS = 6  # optimiser steps timed, after one that is not


class Noise:
    """Images of random pixels, enough for a training that nobody keeps."""

    def __init__(self, size: int) -> None:
        self.pixels = np.random.default_rng(0).integers(0, 256, (64, size, size, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.asarray(self.pixels[index])


class OneMask:
    """A bank of one mask: a centred box."""

    def __init__(self, size: int) -> None:
        self.box = np.zeros((size, size), bool)
        self.box[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = True

    def __len__(self) -> int:
        return 1

    def mask(self, index: int) -> np.ndarray:
        return self.box


def masks_per_second(family: str, sizes: tuple[int, ...], seconds: float) -> list[dict[str, Any]]:
    """How fast one core makes masks of a family: a row per image size."""
    rows = []
    for size in sizes:
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            draw(family, generator(0, "bench", count), size)
            count += 1
        rate = count / (time.perf_counter() - begun)
        rows.append({"masks": family, "size": size, "masks/s": rate})
    return rows


def images_per_second(settings: Settings, config: AdmConfig, device: str) -> list[dict[str, Any]]:
    """Training speed of the base network and of RAD at a data set's settings."""
    schedule = TwoPhaseSchedule()
    base = DiffusionObjective(new_unet(config, 0), schedule, 1e-3, "all", scalar_time)
    rad = settings.training.rad
    model = lora.rad_network(new_unet(config, 0), rad.adapt, rad.rank, rad.alpha)
    adapter = DiffusionObjective(
        model.train(),
        schedule,
        1e-3,
        rad.region,
        lambda s, a, hole: time_input("spatial", s, a, hole),
    )
    bank = OneMask(config.image_size)
    plain, masked = DrawNoisy(schedule, 1.0, None), DrawNoisy(schedule, rad.phase1, bank)
    return [
        _training("base", base, settings.training.base, plain, config.image_size, device),
        _training("rad", adapter, rad, masked, config.image_size, device),
    ]


def _training(
    name: str,
    objective: Objective,
    optimisation: Any,
    draw: DrawNoisy,
    size: int,
    device: str,
) -> dict[str, Any]:
    """Images per second over a few steps."""
    short = optimisation.model_copy(update={"images": (STEPS + 1) * optimisation.batch})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            objective,
            short,
            NumberedSamples(Noise(size), 0, short.flip, draw),
            Path(folder),
            accelerator(short.precision, device),
        )
        trainer.train(f"{name}, warm-up", stop_at=1)
        begun = time.perf_counter()
        trainer.train(name)
        elapsed = time.perf_counter() - begun
    return {
        "training": name,
        "precision": short.precision,
        "batch": short.batch,
        "images/s": STEPS * short.batch / elapsed,
    }
