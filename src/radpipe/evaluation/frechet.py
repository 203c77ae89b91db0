"""Fréchet distance of two sets of features (FID where the features are Inception's).

|mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)      (Heusel et al. 2017, eq. 6)

The last trace is the nuclear norm of A B^T / ((n_a - 1)(n_b - 1))^(1/2) with A and B the centred
features. With R the symmetric root of the reference's covariance, that is the sum of the singular
values of A R / (n_a - 1)^(1/2). They are taken as square roots of the eigenvalues of the smaller
of its two Gram matrices, in float64: no root of a non-symmetric matrix, no complex parts, and for
n < d an n x n problem. R is computed once per reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigvalsh

from radpipe.evaluation.metrics import Details, DistributionMetric
from radpipe.evaluation.reference import Reference

ENOUGH = 2048


class Frechet(DistributionMetric):
    """Fréchet distance to the reference, biased upwards for few images."""

    def distance(self, features: np.ndarray, reference: Reference) -> float:
        return float(self.replicates(features, reference, [np.arange(0)])[0])

    def replicates(
        self, features: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]
    ) -> np.ndarray:
        # 1. shift by the reference's mean, so that sums of squares lose no digits
        rows = features.astype(np.float64) - reference.mean
        # 2. per block: downdate the sums of the whole set instead of starting again
        if len(rows) < rows.shape[1]:
            return _by_rows(rows, reference, blocks)
        return _by_columns(rows, reference, blocks)

    def note(self, n: int) -> str:
        return f"n < {ENOUGH:,}: biased upwards, compare only at equal n" if n < ENOUGH else ""

    def details(self) -> Details:
        return {"covariance": "divided by n - 1", "square_root": "symmetric eigenvalues, float64"}


def _by_columns(rows: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """n >= d: eigenvalues of R S R, d x d."""
    total, scatter = rows.sum(axis=0), rows.T @ rows
    values = []
    for block in blocks:
        gone = rows[block]
        n = _left(rows, block)
        mean = (total - gone.sum(axis=0)) / n
        covariance = (scatter - gone.T @ gone - n * np.outer(mean, mean)) / (n - 1)
        inner = reference.root @ covariance @ reference.root
        values.append(_combine(mean, float(np.trace(covariance)), inner, reference))
    return np.array(values)


def _by_rows(rows: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """n < d: eigenvalues of the centred rows' Gram matrix A S_ref A^T, n x n."""
    gram = rows @ reference.covariance @ rows.T
    squares = (rows**2).sum(axis=1)
    values = []
    for block in blocks:
        n = _left(rows, block)
        keep = np.setdiff1d(np.arange(len(rows)), block)
        mean = rows[keep].mean(axis=0)
        trace = (squares[keep].sum() - n * (mean**2).sum()) / (n - 1)
        part = gram[np.ix_(keep, keep)]
        edge = part.mean(axis=0)
        centred = (part - edge - edge[:, None] + edge.mean()) / (n - 1)
        values.append(_combine(mean, float(trace), centred, reference))
    return np.array(values)


def _left(rows: np.ndarray, block: np.ndarray) -> int:
    n = len(rows) - len(block)
    if n < 2:
        raise ValueError(f"a Fréchet distance needs two images or more, not {n}")
    return n


def _combine(shift: np.ndarray, trace: float, inner: np.ndarray, reference: Reference) -> float:
    """`shift`: difference of means; `inner`: symmetric, its eigenvalues' roots sum to the trace."""
    cross = np.sqrt(np.clip(eigvalsh((inner + inner.T) / 2), 0, None)).sum()
    return float((shift**2).sum() + trace + np.trace(reference.covariance) - 2 * cross)
