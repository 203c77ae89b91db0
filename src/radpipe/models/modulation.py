"""Scale and shift of normalised features: h (1 + scale) + shift.

With a scale and shift per pixel that are mixtures of K vectors per image, the two maps have rank
K over (channel, pixel). They are never stored whole: on a CPU they are made in pieces that stay
in the cache, and the backward pass makes them again instead of keeping them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

PIECE = 1 << 17  # elements of a piece; 512 KiB of float32, our choice by measurement


def modulate(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """h (1 + scale) + shift, in place where gradients are off.

    Args:
        h: `[B, C, H, W]`.
        scale: anything that broadcasts to h.
        shift: anything that broadcasts to h.
    """
    scale, shift = scale.to(h.dtype) + 1, shift.to(h.dtype)
    if torch.is_grad_enabled():
        return h * scale + shift
    return h.mul_(scale).add_(shift)


def modulate_low_rank(h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor) -> Tensor:
    """h (1 + sum_k w_k scale_k) + sum_k w_k shift_k, in place where gradients are off.

    Args:
        h: `[B, C, H, W]`, contiguous in either memory format.
        scale: `[B, K, C]`.
        shift: `[B, K, C]`.
        weights: `[B, K, H, W]`, summing to 1 over K; not differentiated.
    """
    factors = 1 + scale.to(h.dtype), shift.to(h.dtype), weights.to(h.dtype)
    with torch.autocast(h.device.type, enabled=False):
        result: Tensor = _LowRank.apply(h, *factors, not torch.is_grad_enabled())
    return result


class _Layout:
    """h and the two factors of its maps as matrices `[B, rows, columns]`, rows outermost in memory.

    Channels-last features have pixels as rows and channels as columns, others the reverse;
    a map is then left `[B, rows, K]` @ right `[B, K, columns]`.
    """

    def __init__(self, h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor) -> None:
        self.pixels_first = not h.is_contiguous()
        flat = weights.flatten(2)
        if self.pixels_first:
            left = flat.transpose(1, 2)
            self.left, self.right = (left, left), (scale, shift)
        else:
            self.left, self.right = (scale.transpose(1, 2), shift.transpose(1, 2)), (flat, flat)

    def matrix(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` as `[B, rows, columns]`, without a copy."""
        x = x.permute(0, 2, 3, 1) if self.pixels_first else x
        return x.flatten(2) if not self.pixels_first else x.flatten(1, 2)

    def pieces(self, x: Tensor) -> Iterator[slice]:
        """Row ranges that are worth making at a time; all rows at once off the CPU."""
        rows, columns = x.shape[1:]
        step = max(1, PIECE // columns) if x.device.type == "cpu" else rows
        return (slice(start, start + step) for start in range(0, rows, step))

    def map(self, which: int, rows: slice) -> Tensor:
        """Rows of the scale (0) or shift (1) map."""
        return self.left[which][:, rows] @ self.right[which]


class _LowRank(torch.autograd.Function):
    """The product above, with memory and time close to those of one scale and shift per image."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor, in_place: bool
    ) -> Tensor:
        h = _dense(h)
        out = h if in_place else torch.empty_like(h)
        layout = _Layout(h, scale, shift, weights)
        source, target = layout.matrix(h), layout.matrix(out)
        for rows in layout.pieces(source):
            torch.addcmul(
                layout.map(1, rows), source[:, rows], layout.map(0, rows), out=target[:, rows]
            )
        if not in_place:
            ctx.save_for_backward(h, scale, shift, weights)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h, scale, shift, weights = ctx.saved_tensors
        layout = _Layout(h, scale, shift, weights)
        gradient = gradient.contiguous(
            memory_format=torch.channels_last if layout.pixels_first else torch.contiguous_format
        )
        to_h = torch.empty_like(h) if ctx.needs_input_grad[0] else None
        g, x = layout.matrix(gradient), layout.matrix(h)
        flat = weights.flatten(2)
        to_scale, to_shift = torch.zeros_like(scale), torch.zeros_like(shift)
        for rows in layout.pieces(g):
            if to_h is not None:
                torch.mul(g[:, rows], layout.map(0, rows), out=layout.matrix(to_h)[:, rows])
            if ctx.needs_input_grad[1]:
                # `[B, K, C]`: sum over pixels of w_k times the gradient (times h).
                _accumulate(to_shift, g[:, rows], flat, rows, layout.pixels_first)
                _accumulate(to_scale, g[:, rows] * x[:, rows], flat, rows, layout.pixels_first)
        return to_h, to_scale, to_shift, None, None


def _accumulate(
    total: Tensor, piece: Tensor, flat: Tensor, rows: slice, pixels_first: bool
) -> None:
    """Add a piece's share to `total` `[B, K, C]`: sums over pixels of weight times value."""
    if pixels_first:
        total.baddbmm_(flat[:, :, rows], piece)
    else:
        total[:, :, rows] = flat @ piece.transpose(1, 2)


def _dense(h: Tensor) -> Tensor:
    """h itself if it is contiguous in either memory format, else a copy that is."""
    if h.is_contiguous() or h.is_contiguous(memory_format=torch.channels_last):
        return h
    return h.contiguous()
