"""Seconds and memory of a call, measured one way for every method."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radpipe.lazy import torch

STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of a call over its repeats, and its peak memory.

    Attributes:
        median, q25, q75: seconds.
        repeats, warmup: calls timed, calls before them.
        peak_memory: bytes.
        peak_memory_of: what was measured: `accelerator` (allocated by torch during the repeats),
            `process` (resident during the repeats) or `process, since its start`.
    """

    median: float
    q25: float
    q75: float
    repeats: int
    warmup: int
    peak_memory: int
    peak_memory_of: str


def measure(fn: Callable[[], object], repeats: int, warmup: int, device: torch.device) -> Timing:
    """Time `fn()`.

    Args:
        fn: the whole of what is timed, inputs already on the device.
        repeats: timed calls, 1 or more.
        warmup: calls before the clock starts (kernels are chosen, caches filled).
        device: whose queue is drained before each reading of the clock.
    """
    if repeats < 1:
        raise ValueError("at least one repeat is needed")
    for _ in range(warmup):
        fn()
    seconds = []
    _return_memory()
    kind = _reset_peak(device)
    for _ in range(repeats):
        _synchronise(device)
        start = time.perf_counter()
        fn()
        _synchronise(device)
        seconds.append(time.perf_counter() - start)
    q25, median, q75 = (float(q) for q in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return Timing(median, q25, q75, repeats, warmup, _peak(device, kind), kind)


def calibrate(device: torch.device) -> float:
    """Median seconds of a fixed work, three convolutions of 64 channels at 64x64 pixels, of the
    kind that networks spend their time on (our choice)."""
    x = torch.ones(8, 64, 64, 64, device=device)
    kernel = torch.full((64, 64, 3, 3), 1 / 576, device=device)

    def work() -> None:
        with torch.no_grad():
            y = x
            for _ in range(3):
                y = torch.nn.functional.conv2d(y, kernel, padding=1)

    return measure(work, 9, 2, device).median


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _return_memory() -> None:
    """Give back what an earlier measurement left in the heap, where the platform can (glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset_peak(device: torch.device) -> str:
    """Start a new peak where the platform can; say what `_peak` will mean."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return "accelerator"
    try:
        _CLEAR.write_text("5")  # Linux: VmHWM starts again from the present size
        return "process" if STATUS.is_file() else "process, since its start"
    except OSError:
        return "process, since its start"


def resident(entry: str) -> int:
    """Resident memory of this process in bytes, under Linux: now (VmRSS) or at its highest
    (VmHWM)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) * 1024


def _peak(device: torch.device, kind: str) -> int:
    if kind == "accelerator":
        return int(torch.cuda.max_memory_allocated(device))
    if kind == "process":
        return resident("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
