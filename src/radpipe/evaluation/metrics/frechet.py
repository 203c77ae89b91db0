"""Fréchet distance of two sets of features (FID where the features are Inception's).

|mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)      (Heusel et al. 2017, eq. 6)

With factors F of the covariances, S = F^T F, the last trace is the nuclear norm of F_1 F_2^T: its
singular values need no root of a matrix, have no complex parts, and are exact to rounding errors
where roots of eigenvalues lose half of the digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radpipe.evaluation.features import distances
from radpipe.evaluation.metric import rounded
from radpipe.evaluation.reference import Reference
from radpipe.lazy import scipy


@dataclass(frozen=True, eq=False)
class Gaussian:
    """The first two moments of features.

    Attributes:
        mean: `[d]` float64.
        factor: `[k, d]` float64, F of the covariance F^T F, k <= d.
    """

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Gaussian:
        """Moments of rows `[n, d]`; the covariance is divided by n - 1."""
        n, d = features.shape
        if n < 2:
            raise ValueError(f"a Fréchet distance needs two images or more, not {n}")
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        factor = (rows - mean) / np.sqrt(n - 1)
        if n > d:  # the same covariance in fewer rows
            factor = np.asarray(np.linalg.qr(factor, mode="r"))
        return cls(mean, factor)

    @classmethod
    def of_reference(cls, reference: Reference) -> Gaussian:
        """The stored moments."""
        values, vectors = np.linalg.eigh(reference.covariance)
        return cls(reference.mean, np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T)

    @property
    def variance(self) -> float:
        """Trace of the covariance."""
        return float((self.factor**2).sum())

    def distance(self, other: Gaussian) -> float:
        """Squared Fréchet distance, 0 or more.

        What rounding alone can make is 0: the product of the factors is exact to
        d eps |F_1| |F_2| in the Frobenius norm (Higham 2002, eq. 3.13), its k singular values to
        k eps |F_1 F_2^T| each, and k of them change in sum by sqrt(k) times as much.
        """
        shift = float(((self.mean - other.mean) ** 2).sum())
        traces = self.variance + other.variance
        singular = scipy.linalg.svdvals(self.factor @ other.factor.T)
        k, d = len(singular), len(self.mean)
        error = np.sqrt(k) * (k + d) * np.finfo(np.float64).eps * (shift + traces)
        return max(0.0, rounded(shift + traces - 2 * float(singular.sum()), error))


def to_reference(
    features: np.ndarray, reference: Reference, blocks: Sequence[np.ndarray]
) -> np.ndarray:
    """Distances to the reference images."""
    there = Gaussian.of_reference(reference)
    left = (np.delete(features, block, axis=0) for block in blocks)
    return np.array([Gaussian.of(rows).distance(there) for rows in left])


def to_truth(features: np.ndarray, truths: Reference, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Distances to the truths, each block left out of both."""
    pairs = ((np.delete(x, block, axis=0) for x in (features, truths.features)) for block in blocks)
    return np.array([Gaussian.of(a).distance(Gaussian.of(b)) for a, b in pairs])


METRICS = tuple(
    distances(
        "fd",
        "Fréchet distance, not FID,",
        ("fid", "FID", "Fréchet distance"),
        (to_reference, to_truth),
        details={
            "covariance": "divided by n - 1",
            "square_root": "singular values of the factors' product, float64",
        },
        biased_below=2048,
    )
)
