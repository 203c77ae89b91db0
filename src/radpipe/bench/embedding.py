"""What the spatial noise embedding costs: one network forward, scalar, low-rank and dense.

Each form runs in a process of its own, so that its peak of resident memory is its own; weights
are random, the hole is a centred box. Time is the median over repeats that take turns, so that
a busy machine slows all forms alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from radpipe.bench.speed import box, ratio, turns
from radpipe.errors import UserError
from radpipe.evaluation.timing import STATUS, resident
from radpipe.models.adm import ready
from radpipe.models.adm_config import AdmConfig
from radpipe.models.checkpoints import new_unet
from radpipe.models.noise_embedding import TimeMap

FORMS = ("scalar", "low-rank", "dense")
_MIB = 1 << 20
# glibc returns blocks of this many bytes to the system at once, and its own threshold stops moving:
# otherwise the peak depends on which freed blocks the heap happens to keep
_RETURNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 18)}


def time_of(form: str, batch: int, size: int) -> Tensor | TimeMap:
    """ADM's index 500 for all pixels (scalar), or for a centred box in a clean image."""
    hole_time, known_time = torch.full((batch,), 500.0), torch.full((batch,), -1.0)
    hole = torch.from_numpy(box(size)).expand(batch, 1, -1, -1)
    if form == "dense":
        return TimeMap.dense(torch.where(hole, 500.0, -1.0))
    return TimeMap.binary(hole, hole_time, known_time) if form == "low-rank" else hole_time


def compare(config: AdmConfig, batch: int, repeats: int) -> list[dict[str, Any]]:
    """Measure the three forms on the CPU, without gradients, in float32, channels last.

    Args:
        config: the architecture.
        batch: images per forward.
        repeats: timed forwards per form, after one that is not timed.

    Returns:
        A row per form: form; seconds (median) and ratio (median over the turns of its time to the
        scalar form's in the same turn); peak_mib, the process's peak of resident memory, weights
        and libraries included; activations_mib, how far the forward raised it; and both
        relative to the scalar form (peak_ratio, activations_ratio).
    """
    seconds = turns(_forwards(config, batch), repeats)
    memory = {form: _memory(config, batch, form) for form in FORMS}
    rows = []
    for form in FORMS:
        peak, rise = memory[form]
        rows.append(
            {
                "form": form,
                "seconds": statistics.median(seconds[form]),
                "ratio": ratio(seconds, form, "scalar"),
                "peak_mib": peak / _MIB,
                "peak_ratio": peak / memory["scalar"][0],
                "activations_mib": rise / _MIB,
                "activations_ratio": rise / memory["scalar"][1],
            }
        )
    return rows


def _forwards(config: AdmConfig, batch: int) -> dict[str, Callable[[], object]]:
    """One forward of a new network in each form."""
    unet = ready(new_unet(config, seed=0).eval().requires_grad_(False))
    x = torch.zeros(batch, config.in_channels, config.image_size, config.image_size)
    x.normal_(generator=torch.Generator().manual_seed(0))
    return {form: partial(_forward, unet, x, form) for form in FORMS}


@torch.no_grad()
def _forward(unet: nn.Module, x: Tensor, form: str) -> object:
    return unet(x, time_of(form, x.shape[0], x.shape[-1]))


def _memory(config: AdmConfig, batch: int, form: str) -> tuple[int, int]:
    """(peak, rise) in bytes of one forward in a fresh process."""
    task = json.dumps({"config": asdict(config), "batch": batch, "form": form})
    done = subprocess.run(
        [sys.executable, "-m", __name__, task],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | _RETURNED | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    peak, rise = json.loads(done.stdout)
    return peak, rise


def _measure(task: dict[str, Any]) -> tuple[int, int]:
    """Peak of resident memory, and how far it lies above the level before the forward.

    Raises:
        UserError: not on Linux.
    """
    run = _forwards(AdmConfig.from_dict(task["config"]), task["batch"])[task["form"]]
    if not STATUS.is_file():  # the portable `ru_maxrss` starts at the parent's peak under Linux
        raise UserError("peak memory can be measured on Linux only", sys.platform)
    before = resident("VmRSS")
    run()
    peak = resident("VmHWM")
    return peak, peak - before


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(json.loads(sys.argv[1]))))
