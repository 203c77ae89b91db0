"""The reference set of a distribution metric: its features' statistics, computed once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from radpipe.errors import UserError
from radpipe.evaluation.features import FeatureNetwork
from radpipe.evaluation.kernels import mean_of_pairs
from radpipe.evaluation.metrics import Details
from radpipe.files import atomic

# rows of features kept for KID; 2048 float32 features of so many are 82 MB
KEEP = 10_000
PORTION = 4096


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of a reference set's features.

    Attributes:
        n: images.
        mean: `[d]` float64.
        covariance: `[d, d]` float64, divided by n - 1.
        features: `[m, d]` float32, m <= n rows, for kernel distances.
        details: network, resizing, weights and where the images come from.
    """

    n: int
    mean: np.ndarray
    covariance: np.ndarray
    features: np.ndarray
    details: Details

    @classmethod
    def of(
        cls, features: np.ndarray, details: Details, keep: int = KEEP, seed: int = 0
    ) -> Reference:
        """Statistics of features `[n, d]`; above `keep` rows, a seeded choice is kept for KID."""
        n = len(features)
        if n < 2:
            raise ValueError("a reference needs two images or more")
        mean = features.mean(axis=0, dtype=np.float64)
        scatter = np.zeros((len(mean), len(mean)))
        for start in range(0, n, PORTION):  # 70,000 x 2048 in float64 would be 1.1 GB
            centred = features[start : start + PORTION] - mean
            scatter += centred.T @ centred
        rows = np.arange(n)
        if n > keep:
            rows = np.sort(np.random.default_rng(seed).choice(n, keep, replace=False))
        kept = features[rows].astype(np.float32)
        return cls(n, mean, scatter / (n - 1), kept, details)

    @cached_property
    def root(self) -> np.ndarray:
        """`[d, d]`: the symmetric square root of the covariance."""
        values, vectors = np.linalg.eigh(self.covariance)
        return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T

    @cached_property
    def kernel_mean(self) -> float:
        """Mean of the cubic kernel over pairs of different kept rows."""
        return mean_of_pairs(self.features.astype(np.float64))

    def check(self, details: Details, where: str) -> None:
        """Refuse features that were made in another way than the reference's.

        Raises:
            UserError: naming the first difference.
        """
        for key, value in details.items():
            if self.details.get(key) != value:
                raise UserError(
                    f"the reference statistics have {key} = {self.details.get(key)}, "
                    f"the images here {value}",
                    where,
                    "delete the reference file and run again",
                )


def build_reference(
    batches: Iterable[np.ndarray],
    network: FeatureNetwork,
    batch: int,
    source: str,
    on_step: Callable[[int], object] | None = None,
) -> Reference:
    """Statistics of a reference set.

    Args:
        batches: uint8 images `[b, H, W, 3]`, in any portions that fit in memory.
        network: what turns images into features.
        batch: images per network call.
        source: which images these are, for the tables' footers (e.g. "emoji, train split").
        on_step: called with the number of images just done.
    """
    features = np.concatenate([network.extract(part, batch, on_step) for part in batches])
    return Reference.of(features, {**network.details(), "reference": source, "n": len(features)})


def save_references(path: Path, references: Mapping[str, Reference]) -> None:
    """Write references of several networks as one npz; equal content gives equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    for name, reference in sorted(references.items()):
        arrays[f"{name}/n"] = np.array(reference.n)
        arrays[f"{name}/mean"] = reference.mean
        arrays[f"{name}/covariance"] = reference.covariance
        arrays[f"{name}/features"] = reference.features
        arrays[f"{name}/details"] = np.array(json.dumps(reference.details, sort_keys=True))
    save_arrays(path, arrays)


def load_references(path: Path) -> dict[str, Reference]:
    """Network name -> reference, from a file of `save_references`."""
    with np.load(path, allow_pickle=False) as file:
        return {
            name: Reference(
                int(file[f"{name}/n"]),
                file[f"{name}/mean"],
                file[f"{name}/covariance"],
                file[f"{name}/features"],
                json.loads(str(file[f"{name}/details"])),
            )
            for name in sorted({key.split("/")[0] for key in file.files})
        }


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an npz atomically; equal arrays give equal bytes (numpy writes no dates)."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
