"""Gaussian data, and the exact law of what a sampler makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from radpipe.diffusion.gaussian import GaussianDenoiser, conditional
from radpipe.diffusion.noise import PerImageNoise


@dataclass(frozen=True)
class GaussianData:
    """A Gaussian over one-channel images of 2x4 pixels, a hole of 5 and a known part."""

    mean: Tensor
    cov: Tensor
    hole: Tensor  # [1, 2, 4]
    known: Tensor  # [1, 2, 4]

    @property
    def denoiser(self) -> GaussianDenoiser:
        return GaussianDenoiser(self.mean, self.cov)

    @property
    def answer(self) -> tuple[Tensor, Tensor]:
        return conditional(self.mean, self.cov, self.hole, self.known)


@pytest.fixture
def gaussian() -> GaussianData:
    g = torch.Generator().manual_seed(3)
    mean = torch.rand(1, 2, 4, generator=g, dtype=torch.float64) - 0.5
    place = torch.cartesian_prod(torch.arange(2.0), torch.arange(4.0)).double()
    cov = 0.2 * torch.exp(-torch.cdist(place, place) / 2) + 0.01 * torch.eye(8).double()
    hole = torch.tensor([[[0, 1, 1, 0], [1, 1, 1, 0]]]).bool()
    draw = mean + (torch.linalg.cholesky(cov) @ torch.randn(8, 1, generator=g).double()).view(
        1, 2, 4
    )
    return GaussianData(mean, cov, hole, draw)


class Impulses(PerImageNoise):
    """Noise that is 0 except for one unit entry, at another place for each image of the batch.

    Image 0 gets zeros; image 1 + k n + j gets 1 at element j of the k-th draw.
    """

    def __init__(self, draws: int, elements: int) -> None:
        super().__init__([0] * (1 + draws * elements))
        self._elements, self._draws, self._asked = elements, draws, 0

    def normal(self, x: Tensor) -> Tensor:
        first = 1 + self._asked * self._elements
        self._asked += 1
        assert self._asked <= self._draws, "the sampler drew more noise than the test allows for"
        out = torch.zeros_like(x).flatten(1)
        rows = torch.arange(first, first + self._elements)
        out[rows, rows - first] = 1
        return out.view_as(x)


@dataclass(frozen=True)
class AffineMap:
    """out = offset `[n]` + gain `[n, draws * n]` @ the sampler's standard normal numbers."""

    offset: Tensor
    gain: Tensor

    @property
    def cov(self) -> Tensor:
        return self.gain @ self.gain.T


@pytest.fixture
def law() -> Callable[[Callable[[PerImageNoise, int], Tensor], int, int], AffineMap]:
    """Measures a sampler that is affine in its noise, without Monte Carlo: one image per number."""

    def measure(
        sample: Callable[[PerImageNoise, int], Tensor], draws: int, elements: int
    ) -> AffineMap:
        batch = 1 + draws * elements
        out = sample(Impulses(draws, elements), batch).flatten(1)
        return AffineMap(out[0], (out[1:] - out[0]).T)

    return measure
