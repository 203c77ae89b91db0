"""The reference set of a distribution metric: its features' statistics, computed once and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radpipe.errors import UserError
from radpipe.files import atomic

Details = dict[str, str | int | float]
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


def save_references(path: Path, references: Mapping[str, Reference]) -> None:
    """Write references of several networks as one npz; equal content gives equal bytes."""
    arrays = {}
    for network, reference in sorted(references.items()):
        details = json.dumps(reference.details, sort_keys=True)
        for name, value in (vars(reference) | {"details": details}).items():
            arrays[f"{network}/{name}"] = np.asarray(value)
    save_arrays(path, arrays)


def load_references(path: Path) -> dict[str, Reference]:
    """Network name -> reference, from a file of `save_references`."""
    found: dict[str, dict[str, Any]] = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            network, name = key.split("/")
            found.setdefault(network, {})[name] = file[key]
    for given in found.values():
        given |= {"n": int(given["n"]), "details": json.loads(str(given["details"]))}
    return {network: Reference(**given) for network, given in found.items()}


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed npz atomically; equal arrays give equal bytes (numpy writes no dates)."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
