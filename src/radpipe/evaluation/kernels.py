"""The cubic kernel of KID (Binkowski et al. 2018): k(x, y) = (x.y / d + 1)^3."""

from __future__ import annotations

import numpy as np


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`[n, d]`, `[m, d]` -> `[n, m]`."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_sums(x: np.ndarray, y: np.ndarray, chunk: int = 2048) -> np.ndarray:
    """`[n]`: the kernel of each row of x, summed over the rows of y; memory is n x chunk."""
    parts = [kernel(x, y[start : start + chunk]).sum(axis=1) for start in range(0, len(y), chunk)]
    return np.sum(parts, axis=0)


def mean_of_pairs(rows: np.ndarray) -> float:
    """Mean of k over pairs of different rows of `[m, d]`."""
    m, diagonal = len(rows), ((rows**2).mean(axis=1) + 1) ** 3
    return float((kernel_sums(rows, rows).sum() - diagonal.sum()) / (m * (m - 1)))
