"""Which GPU a process works on."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from radpipe.errors import UserError
from radpipe.launch import launched
from radpipe.lazy import torch


def claim_gpu(folder: Path, device: str, devices: Path = Path("/dev")) -> int | None:
    """Keep one of several GPUs for this process, so that jobs side by side do not share one.

    Does nothing where a scheduler or a launcher has chosen already, or there is at most one. The
    claim is a file lock that ends with the process. More jobs than GPUs (start Snakemake with
    `--resources gpu=N`): the GPUs are shared.

    Args:
        folder: of the lock files, the same for all jobs of this machine.
        device: setting `resources.device`.
        devices: where the GPUs' device files are.

    Returns:
        The number of the GPU, also put into CUDA_VISIBLE_DEVICES; None if nothing was done.
    """
    chosen = "CUDA_VISIBLE_DEVICES" in os.environ or launched()
    numbers = sorted(int(p.name[6:]) for p in devices.glob("nvidia[0-9]*") if p.name[6:].isdigit())
    if chosen or device not in {"auto", "cuda"} or len(numbers) < 2:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        handle = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number)
        return number  # the handle stays open: the lock is held until the process ends
    return None


def resolve_device(wanted: str) -> str:
    """'auto' is a GPU where there is one; each of several launched processes has its own.

    Raises:
        UserError: the GPU that is asked for is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        wanted = "cuda" if count else "cpu"
    if wanted == "cuda" and launched():
        wanted = f"cuda:{os.environ['LOCAL_RANK']}"
    number = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and number >= count:
        raise UserError(
            f"PyTorch sees {count} GPUs here, so there is no `{wanted}`",
            "params.yaml, key `resources.device`",
            "set it to auto or cpu, or run on a machine with that GPU: see radpipe doctor",
        )
    return wanted


def full_precision(x: torch.Tensor) -> torch.autocast:
    """No autocast where `x` lies; meta tensors, which only count operations, have none."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
