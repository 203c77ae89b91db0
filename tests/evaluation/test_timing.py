from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import pytest
import torch

from radpipe.evaluation.timing import measure

CPU = torch.device("cpu")


def test_calls_are_counted_and_warm_up_is_not_timed():
    calls: list[int] = []

    def fn() -> None:
        calls.append(1)
        time.sleep(0.2 if len(calls) <= 2 else 0.0)

    found = measure(fn, repeats=5, warmup=2, device=CPU)
    assert len(calls) == 7 and (found.repeats, found.warmup) == (5, 2)
    assert 0 < found.q25 <= found.median <= found.q75
    assert set(asdict(found)) >= {"median", "q25", "q75", "peak_memory", "peak_memory_of"}


def test_peak_memory_sees_what_was_freed_again():
    size = 200 * 2**20
    small = measure(lambda: None, 1, 0, CPU)
    large = measure(lambda: np.ones(size, np.uint8).sum(), 1, 0, CPU)
    if small.peak_memory_of == "process":
        assert large.peak_memory > small.peak_memory + 0.8 * size
    assert large.peak_memory >= size


def test_no_repeat_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        measure(lambda: None, 0, 1, CPU)
