"""Training and sampling on the CPU: the plain path, the fast one, and their ratio."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from radpipe.models import lora
from radpipe.models.adm import Kernels, ready
from radpipe.models.adm_config import AdmConfig
from radpipe.models.checkpoints import new_unet
from radpipe.models.native import keep_freed_memory
from radpipe.models.noise_embedding import TimeMap
from radpipe.settings import BaseTraining, RadTraining, Settings
from radpipe.training.diffusion import of_base, of_rad
from radpipe.training.loop import Trainer, accelerator
from radpipe.training.samples import NumberedSamples, batches

STEPS = 2  # optimiser steps of a turn


class Noise:
    """Images of random pixels, and a bank of one mask, a centred box."""

    def __init__(self, size: int) -> None:
        self.pixels = np.random.default_rng(0).integers(0, 256, (64, size, size, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.asarray(self.pixels[index])

    def mask(self, index: int) -> np.ndarray:
        return box(self.pixels.shape[1])


def box(size: int) -> np.ndarray:
    """Bool `[H, W]`, True in a centred square of half the side."""
    quarter = size // 4
    return np.pad(np.ones((size - 2 * quarter,) * 2, bool), quarter)


def processor() -> str:
    """The processor's name and what PyTorch may use of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    threads = torch.get_num_threads()
    return f"{name or platform.processor()}, {threads} threads, PyTorch {torch.__version__}"


def turns(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each piece of work; they take turns, so that a busy machine slows all alike.
    One turn of each is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begun = time.process_time()
            work()
            if turn:
                seconds[name].append(time.process_time() - begun)
    return seconds


def ratio(seconds: Mapping[str, list[float]], one: str, other: str) -> float:
    """Median over the turns of one's time in units of the other's."""
    pairs = zip(seconds[one], seconds[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


def training(settings: Settings, config: AdmConfig, repeats: int) -> list[dict[str, Any]]:
    """Images per CPU second, base network and RAD, at a data set's settings."""
    rows = []
    keep_freed_memory()
    for what, chosen in (("base", settings.training.base), ("rad", settings.training.rad)):
        seconds = turns(
            {k: _training(settings, what, config, k) for k in get_args(Kernels)}, repeats
        )
        row = {"training": what, "precision": chosen.precision, "batch": chosen.batch}
        for kernels, found in seconds.items():
            row[f"{kernels} images/s"] = STEPS * chosen.batch / statistics.median(found)
        rows.append(row | {"ratio": ratio(seconds, "torch", "fused")})
    return rows


def _training(
    settings: Settings, what: str, config: AdmConfig, kernels: Kernels
) -> Callable[[], object]:
    """Some steps of a training, on one batch: without the loader's share of 1 to 2 %."""
    base, noise = new_unet(config, 0), Noise(config.image_size)
    chosen: BaseTraining | RadTraining
    if what == "rad":
        chosen = rad = settings.training.rad
        model = lora.rad_network(base, rad.adapt, rad.rank, rad.alpha).train()
        objective, draw = of_rad(ready(model, kernels=kernels), rad, noise)
    else:
        chosen = settings.training.base
        objective, draw = of_base(ready(base, kernels=kernels), chosen)
    samples = NumberedSamples(noise, 0, chosen.flip, draw)
    batch = next(batches(samples, [range(chosen.batch)], 0))
    whole = chosen.model_copy(update={"accumulate": 1})
    trainer = Trainer(objective, whole, samples, Path(), accelerator(chosen.precision, "cpu"))
    return lambda: [trainer.step([batch]) for _ in range(STEPS)]


def sampling(config: AdmConfig, batch: int, repeats: int) -> list[dict[str, Any]]:
    """One evaluation of a batch without gradients, in float32 and in bfloat16."""
    keep_freed_memory()
    size = config.image_size
    x = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    hole = torch.from_numpy(box(size)).expand(batch, 1, -1, -1)
    time_map = TimeMap.binary(hole, torch.full((batch,), 500.0), torch.full((batch,), -1.0))

    def evaluation(kernels: Kernels, dtype: torch.dtype) -> Callable[[], object]:
        unet = ready(new_unet(config, 0).eval().requires_grad_(False), kernels=kernels)

        def run() -> object:
            bf16 = dtype == torch.bfloat16
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                return unet(x, time_map)

        return run

    forms = {
        f"{kernels}, {name}": evaluation(kernels, dtype)
        for kernels in get_args(Kernels)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    seconds = turns(forms, repeats)
    return [
        {
            "sampling": form,
            "evaluations/s": batch / statistics.median(found),
            "fp32 / this": ratio(seconds, form.replace("bf16", "fp32"), form),
        }
        for form, found in seconds.items()
    ]
