"""A training small enough to run twice; also a script for two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from accelerate.state import AcceleratorState
from torch import Tensor

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.models.adm import AdmConfig, AdmUNet, Kernels, ready
from radpipe.models.denoiser import time_input
from radpipe.models.lora import add_lora
from radpipe.models.noise_embedding import TimeMap
from radpipe.settings import BaseTraining
from radpipe.training.diffusion import DiffusionObjective, DrawNoisy, scalar_time
from radpipe.training.loop import Trainer, accelerator
from radpipe.training.samples import NumberedSamples


class Pictures:
    def __init__(self, count: int = 10) -> None:
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.pixels[index]


def settings(**changes: object) -> BaseTraining:
    values = {
        "images": 24, "batch": 4, "accumulate": 1, "lr": 1e-2, "warmup": 4, "decay": "cosine",
        "weight_decay": 0.01, "clip": 1.0, "ema": 0.9, "precision": "fp32", "flip": True,
        "vlb_weight": 1e-3,
    }  # fmt: skip
    return BaseTraining(**(values | changes))


class Box:
    """A bank of one mask."""

    def __len__(self) -> int:
        return 1

    def mask(self, index: int) -> np.ndarray:
        return np.pad(np.ones((4, 3), bool), ((2, 2), (1, 4)))


def trainer(
    folder: Path,
    workers: int = 0,
    dropout: float = 0.0,
    rad: bool = False,
    kernels: Kernels = "fused",
    **changes: object,
) -> Trainer:
    """Of the base network, or of RAD's adapter on it."""
    chosen = settings(**changes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = AdmUNet(
            AdmConfig(
                image_size=8,
                model_channels=32,
                num_res_blocks=1,
                channel_mult=(1,),
                attention_resolutions=(1,),
                num_head_channels=8,
                dropout=dropout,
            )
        )
        for parameter in unet.parameters():  # zero-initialised layers would hide gradients
            parameter.data += 0.05 * torch.randn_like(parameter)
    schedule = TwoPhaseSchedule()
    if rad:
        model, time, bank = add_lora(unet, rank=4).train(), spatial_time, Box()
    else:
        model, time, bank = unet, scalar_time, None
    objective = DiffusionObjective(ready(model, kernels=kernels), schedule, 1e-3, "all", time)
    samples = NumberedSamples(Pictures(), 3, chosen.flip, DrawNoisy(schedule, 0.9, bank))
    AcceleratorState._reset_state()  # a process keeps its first precision
    device = accelerator(chosen.precision, "cpu")
    return Trainer(objective, chosen, samples, folder, device, 60, workers)


def spatial_time(schedule: TwoPhaseSchedule, alpha_bar: Tensor, hole: Tensor) -> TimeMap:
    return time_input("spatial", schedule, alpha_bar, hole)


def weights(made: Trainer) -> dict[str, torch.Tensor]:
    return dict(made.objective.players["model"].state_dict())


def gradients(made: Trainer) -> list[torch.Tensor]:
    """Gradients of the first step, from AdamW's first moment (0.1 times them)."""
    state = made.optimisers["model"].state_dict()["state"]
    return [entry["exp_avg"] / 0.1 for entry in state.values()]


if __name__ == "__main__":
    made = trainer(Path(sys.argv[1]), images=4)
    made.train("toy", stop_at=1)
    made.accelerator.wait_for_everyone()
    trainer(Path(sys.argv[1]), images=4).train("toy")  # every process can read what one wrote
    if made.accelerator.is_main_process:
        torch.save((made.accelerator.num_processes, gradients(made)), sys.argv[2])
