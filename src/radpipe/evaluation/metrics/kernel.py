"""Kernel distance: unbiased squared MMD with the cubic kernel (Binkowski et al. 2018).

Their evaluation averages over random subsets of 1,000; here the estimate is taken once over all
images (our choice: no randomness, and the smallest variance).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radpipe.evaluation.features import distances
from radpipe.evaluation.metric import rounded
from radpipe.evaluation.reference import Reference


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k(x, y) = (x.y / d + 1)^3 of rows `[n, d]`, `[m, d]` -> `[n, m]`."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_sums(x: np.ndarray, y: np.ndarray, chunk: int = 2048) -> np.ndarray:
    """`[n]`: the kernel of each row of x, summed over the rows of y; memory is n x chunk."""
    parts = [kernel(x, y[start : start + chunk]).sum(axis=1) for start in range(0, len(y), chunk)]
    return np.sum(parts, axis=0)


def mean_of_pairs(values: np.ndarray, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """`[len(blocks)]`: mean of a symmetric `[n, n]` over its pairs of different rows, without
    each block of rows in turn."""
    off = values - np.diag(np.diag(values))
    rows, total, means = off.sum(axis=1), off.sum(), []
    for block in blocks:
        n = len(off) - len(block)
        if n < 2:
            raise ValueError(f"a kernel distance needs two images or more, not {n}")
        # pairs left = all pairs - pairs with one end gone, those with both counted back
        left = total - 2 * rows[block].sum() + off[np.ix_(block, block)].sum()
        means.append(left / (n * (n - 1)))
    return np.array(means)


def to_reference(
    features: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]
) -> np.ndarray:
    """Unbiased, so it may be below zero for a set that matches the reference."""
    x, y = features.astype(np.float64), reference.features.astype(np.float64)
    m, diagonal = len(y), ((y**2).mean(axis=1) + 1) ** 3
    there = (kernel_sums(y, y).sum() - diagonal.sum()) / (m * (m - 1))
    across = kernel_sums(x, y) / m
    left = np.array([len(x) - len(block) for block in blocks])
    cross = (across.sum() - np.array([across[block].sum() for block in blocks])) / left
    return mean_of_pairs(kernel(x, x), blocks) + there - 2 * cross


def to_truth(features: np.ndarray, truths: Reference, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Unbiased for pairs (x_i, y_i) that depend on each other, as an image filled in and its truth
    do: the mean over i != j of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)
    (Gretton et al. 2012, eq. 4). Pairs of one image with itself are left out of every term, so
    that a set is at 0 from itself and not below.

    What rounding alone can make is 0: an entry of the kernel is exact to 3 (d + 3) eps times its
    largest value, which lies on a diagonal, and a sum of n x n to another n eps.
    """
    x, y = features.astype(np.float64), truths.features.astype(np.float64)
    within, other, across = kernel(x, x), kernel(y, y), kernel(x, y)
    largest = max(within.diagonal().max(), other.diagonal().max())
    error = 4 * (3 * (x.shape[1] + 3) + len(x)) * np.finfo(np.float64).eps * largest
    found = mean_of_pairs(within + other - across - across.T, blocks)
    return np.array([rounded(value, error) for value in found])


METRICS = tuple(
    distances(
        "kid",
        "unbiased squared MMD, cubic kernel, not KID,",
        ("kid_inception", "KID", "unbiased squared MMD, cubic kernel,"),
        (to_reference, to_truth),
        details={
            "kernel": "(x.y / d + 1)^3",
            "estimate": "unbiased, all pairs of different images, no subsets",
        },
    )
)
