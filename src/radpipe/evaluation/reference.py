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
        collected = Collected(len(features), keep, seed)
        for start in range(0, len(features), PORTION):
            collected.add(features[start : start + PORTION])
        return collected.reference(details)

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


class Collected:
    """Statistics of features that come in portions and are not kept: an ImageNet of them would
    be 10 GB.

    Means and scatter matrices of portions are merged in float64 (Chan, Golub, LeVeque 1979).

    Args:
        total: rows in all.
        keep: rows kept for kernel distances; of more, a seeded choice.
        seed: of that choice.
    """

    def __init__(self, total: int, keep: int = KEEP, seed: int = 0) -> None:
        if total < 2:
            raise ValueError("a reference needs two images or more")
        self.total, self.n = total, 0
        self.chosen = np.arange(total)
        if total > keep:
            self.chosen = np.sort(np.random.default_rng(seed).choice(total, keep, replace=False))
        self.kept: list[np.ndarray] = []
        self.mean, self.scatter = np.zeros(0), np.zeros((0, 0))

    def add(self, features: np.ndarray) -> None:
        """Take in the next rows, `[b, d]`, b of at least 1."""
        low, high = np.searchsorted(self.chosen, (self.n, self.n + len(features)))
        self.kept.append(features[self.chosen[low:high] - self.n].astype(np.float32))
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        centred = rows - mean
        scatter = centred.T @ centred
        n, new = self.n + len(rows), len(rows)
        if self.n:
            step = mean - self.mean
            scatter += self.scatter + np.outer(step, step) * (self.n * new / n)
            mean = self.mean + step * (new / n)
        self.n, self.mean, self.scatter = n, mean, scatter

    def reference(self, details: Details) -> Reference:
        """The statistics of all rows."""
        if self.n != self.total:
            raise ValueError(f"{self.n} rows came instead of {self.total}")
        covariance = self.scatter / (self.n - 1)
        return Reference(self.n, self.mean, covariance, np.concatenate(self.kept), details)


def build_reference(
    batches: Iterable[np.ndarray],
    total: int,
    network: FeatureNetwork,
    batch: int,
    source: str,
    on_step: Callable[[int], object] | None = None,
) -> Reference:
    """Statistics of a reference set.

    Args:
        batches: uint8 images `[b, H, W, 3]`, in any portions that fit in memory.
        total: images in all.
        network: what turns images into features.
        batch: images per network call.
        source: which images these are, for the tables' footers (e.g. "emoji, train split").
        on_step: called with the number of images just done.
    """
    collected = Collected(total)
    for part in batches:
        collected.add(network.extract(part, batch, on_step))
    return collected.reference({**network.details(), "reference": source, "n": total})


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
    """Write a compressed npz atomically; equal arrays give equal bytes (numpy writes no dates)."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
