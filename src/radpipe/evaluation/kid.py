"""Kernel distance: unbiased squared MMD with the cubic kernel (Binkowski et al. 2018).

Their evaluation averages over random subsets of 1,000; here the
estimate is taken once over all images (our choice: no randomness, and the smallest variance).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radpipe.evaluation.kernels import kernel, kernel_sums
from radpipe.evaluation.metrics import Details, DistributionMetric
from radpipe.evaluation.reference import Reference


class Kid(DistributionMetric):
    """Unbiased, so it may be below zero for a set that matches the reference."""

    def distance(self, features: np.ndarray, reference: Reference) -> float:
        return float(self.replicates(features, reference, [np.arange(0)])[0])

    def replicates(
        self, features: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]
    ) -> np.ndarray:
        rows = features.astype(np.float64)
        within = kernel(rows, rows)
        np.fill_diagonal(within, 0)
        per_row, total = within.sum(axis=1), within.sum()
        across = kernel_sums(rows, reference.features.astype(np.float64)) / len(reference.features)
        values = []
        for block in blocks:
            n = len(rows) - len(block)
            if n < 2:
                raise ValueError(f"a kernel distance needs two images or more, not {n}")
            # pairs left = all pairs - pairs with one end gone, those with both counted back
            pairs = total - 2 * per_row[block].sum() + within[np.ix_(block, block)].sum()
            cross = (across.sum() - across[block].sum()) / n
            values.append(pairs / (n * (n - 1)) + reference.kernel_mean - 2 * cross)
        return np.array(values)

    def details(self) -> Details:
        return {"kernel": "(x.y / d + 1)^3", "estimate": "unbiased, all pairs, no subsets"}
