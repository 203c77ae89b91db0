"""RAD's spatial noise embedding, in a dense and in an exact low-rank form.

ADM turns its timestep into one vector per image; RAD (section 3.3) gives every pixel its own, so
that the known part can be clean while the hole is noisy. The time MLP and every block's embedding
projection act on each pixel's vector by the same weights (the paper writes them as 1x1
convolutions), and SiLU(embedding) is brought to a block's feature size bilinearly with aligned
corners before the projection.

Low-rank form (ours, exact): where a map takes K values per image, with indicator maps w_k that
sum to one, projection and resizing are linear and commute, hence

    W resize(sum_k w_k a_k) + c  =  sum_k resize(w_k) (W a_k + c),   a_k = SiLU(MLP(time_k)).

K vectors per image go through the two MLP layers and the projections, and each block needs one
rank-K product for scale and shift. The dense form needs a `[B, 4 C, H, W]` map and a projection of
every pixel; it stays as the reference and for maps with arbitrary values (soft masks).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from radpipe.models.modulation import Modulation

Size = tuple[int, int]


@dataclass(frozen=True)
class TimeMap:
    """A time per pixel, on ADM's index scale (0..999 for noise levels 1..1000, -1 = clean).

    Build it with `dense`, `levels` or `binary`.

    Attributes:
        times: float; `[B, 1, H, W]` when dense, else the `[B, K]` values that occur.
        weights: None when dense, else `[B, K, H, W]` in [0, 1], summing to 1 over K.
    """

    times: Tensor
    weights: Tensor | None = None

    @classmethod
    def dense(cls, time: Tensor) -> TimeMap:
        """Any time at any pixel, `[B, 1, H, W]`."""
        if time.ndim != 4 or time.shape[1] != 1:
            raise ValueError(f"a dense time map is [B, 1, H, W], got {list(time.shape)}")
        return cls(time)

    @classmethod
    def levels(cls, times: Tensor, weights: Tensor) -> TimeMap:
        """K times per image, `[B, K]`, and how much each holds at a pixel, `[B, K, H, W]`.

        The weights must sum to 1 over K at every pixel (not checked: it would stall a GPU).
        """
        if times.ndim != 2 or weights.ndim != 4 or weights.shape[:2] != times.shape:
            raise ValueError(
                "levels need times [B, K] and weights [B, K, H, W], got "
                f"{list(times.shape)} and {list(weights.shape)}"
            )
        return cls(times, weights)

    @classmethod
    def binary(cls, hole: Tensor, hole_time: Tensor, known_time: Tensor) -> TimeMap:
        """One time in the hole, another outside.

        Args:
            hole: `[B, 1, H, W]`, bool or 0/1, True = hole.
            hole_time: `[B]`.
            known_time: `[B]`.
        """
        hole = hole.to(torch.float32)
        return cls.levels(torch.stack([known_time, hole_time], 1), torch.cat([1 - hole, hole], 1))

    @property
    def size(self) -> Size:
        """(H, W) of the map."""
        shape = self.times.shape if self.weights is None else self.weights.shape
        return shape[-2], shape[-1]


def sinusoidal(time: Tensor, channels: int) -> Tensor:
    """ADM's timestep features: cosines first, frequencies exp(-ln(10000) k / half).

    Args:
        time: any shape `[...]`, integer or fractional.
        channels: even number of features.

    Returns:
        float32 `[..., channels]`.
    """
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=time.device)
    angles = time.to(torch.float32)[..., None] * torch.exp(-math.log(10000) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


@dataclass(frozen=True)
class VectorEmbedding:
    """K vectors per image.

    Every entry of `active` goes through the layers as a batch of its own, since a larger matrix
    product may round differently: all images' first vector, their second, ..., so that each level
    gets the very numbers that it would alone; or, in sampling, one time after the other, so that
    they do not depend on the batch either.

    Attributes:
        active: `[M, D]` each.
        index: `[B, K]`, the vectors of every image among all of them.
        weights: size -> `[B, K, H, W]`; None for one vector per image.
    """

    active: Sequence[Tensor]
    index: Tensor
    weights: Mapping[Size, Tensor] | None

    def modulation(self, projection: nn.Module, size: Size) -> Modulation:
        """(scale, shift) = projection of the embedding.

        Args:
            projection: linear map to 2 C channels, on the last axis.
            size: of the features, (H, W).
        """
        projected = torch.cat([projection(part) for part in self.active])[self.index]
        weights = None if self.weights is None else self.weights[size]
        scale, shift = projected.chunk(2, dim=-1)
        return Modulation(scale, shift, weights)


@dataclass(frozen=True)
class DenseEmbedding:
    """A vector per pixel at each resolution: `active`: size -> `[B, H, W, D]`."""

    active: Mapping[Size, Tensor]

    def modulation(self, projection: nn.Module, size: Size) -> Modulation:
        """See `VectorEmbedding.modulation`."""
        projected = projection(self.active[size]).permute(0, 3, 1, 2)
        return Modulation(*projected.chunk(2, dim=1))


Embedding = VectorEmbedding | DenseEmbedding  # SiLU(time embedding), ready for every block


def embed(
    time: Tensor | TimeMap,
    mlp: Callable[[Tensor], Tensor],
    channels: int,
    sizes: Sequence[Size],
    one_by_one: bool,
) -> Embedding:
    """Run the time MLP and resize its result once for each resolution of the network.

    Args:
        time: `[B]`, or a map.
        mlp: ADM's time MLP, `[..., channels]` -> `[..., D]`.
        channels: features of the sinusoidal embedding.
        sizes: feature sizes of the network, the input's first.
        one_by_one: see `VectorEmbedding`; for few different times in a batch.

    Raises:
        ValueError: when the map's size is not the input's.
    """

    def active(times: Tensor) -> Tensor:
        return F.silu(mlp(sinusoidal(times, channels)))

    weights = None
    if isinstance(time, TimeMap):
        if time.size != sizes[0]:
            raise ValueError(f"the time map is {time.size}, the image {sizes[0]}")
        if time.weights is None:
            maps = _pyramid(active(time.times[:, 0]).permute(0, 3, 1, 2), sizes)
            return DenseEmbedding({size: level.permute(0, 2, 3, 1) for size, level in maps.items()})
        # In float64, so that 0 and 1 stay what they are where all neighbours agree.
        pyramid = _pyramid(time.weights.double(), sizes)
        weights = {size: level.float() for size, level in pyramid.items()}
    times = time[:, None] if isinstance(time, Tensor) else time.times
    if one_by_one:
        values, index = times.unique(return_inverse=True)
        return VectorEmbedding([active(value[None]) for value in values], index, weights)
    batch, levels = times.shape
    index = torch.arange(times.numel(), device=times.device).view(levels, batch).T
    return VectorEmbedding([active(level) for level in times.unbind(1)], index, weights)


def _pyramid(x: Tensor, sizes: Sequence[Size]) -> dict[Size, Tensor]:
    """`x` `[B, C, H, W]` at every size; the paper's bilinear resize, always from the full map."""
    return {
        size: x
        if size == tuple(x.shape[-2:])
        else F.interpolate(x, size=size, mode="bilinear", align_corners=True)
        for size in sizes
    }
