"""Scale and shift of normalised features: h (1 + scale) + shift.

With K vectors per image and a weight per pixel, scale and shift are maps of rank K. They are
never kept: on a CPU the product is made in pieces that stay in the cache, and the backward pass
makes it again. Where a pixel's weight is 0 or 1 the result is bit for bit that of its vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

PIECE = 1 << 17  # elements of a piece, 512 KiB of float32; our choice by measurement


def modulate(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """h (1 + scale) + shift, in place where gradients are off.

    Args:
        h: `[B, C, H, W]`.
        scale: anything that broadcasts to h.
        shift: anything that broadcasts to h.
    """
    scale, shift = 1 + scale.to(h.dtype), shift.to(h.dtype)
    if torch.is_grad_enabled():
        return h * scale + shift
    return h.mul_(scale).add_(shift)


def modulate_low_rank(h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor) -> Tensor:
    """h (1 + sum_k w_k scale_k) + sum_k w_k shift_k, in place where gradients are off.

    Args:
        h: `[B, C, H, W]`.
        scale: `[B, K, C]`.
        shift: `[B, K, C]`.
        weights: `[B, K, H, W]`, summing to 1 over K; not differentiated.
    """
    if not (h.is_contiguous() or h.is_contiguous(memory_format=torch.channels_last)):
        h = h.contiguous()
    factors = 1 + scale.to(h.dtype), shift.to(h.dtype), weights.to(h.dtype)
    if not torch.is_grad_enabled():
        return _mixture(h, *factors, out=h)
    result: Tensor = _Mixture.apply(h, *factors)
    return result


class _Mixture(torch.autograd.Function):
    """h s + b with the maps s, b of rank K; keeps h and the factors, nothing of the maps' size."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(h, scale, weights)
        return _mixture(h, scale, shift, weights, out=torch.empty_like(h))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h, scale, weights = ctx.saved_tensors
        g = torch.empty_like(h).copy_(gradient)  # in h's memory format
        to_scale = to_shift = None
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            to_scale, to_shift = _pixel_sums(g * h, weights), _pixel_sums(g, weights)
        to_h = None
        if ctx.needs_input_grad[0]:
            to_h = _mixture(g, scale, None, weights, out=g)
        return to_h, to_scale, to_shift, None


def _mixture(
    h: Tensor, scale: Tensor, shift: Tensor | None, weights: Tensor, out: Tensor
) -> Tensor:
    """h sum_k w_k scale_k + sum_k w_k shift_k into `out`, which may be h.

    Shapes as in `modulate_low_rank`, no shift for None; `out` has h's memory format.
    """
    if h.device.type != "cpu":
        # Three kernels: the maps are made and used once.
        scales = _mix(scale[..., None, None].unbind(1), weights)
        if shift is None:
            return torch.mul(h, scales, out=out)
        return torch.addcmul(_mix(shift[..., None, None].unbind(1), weights), h, scales, out=out)
    pixels_first = not h.is_contiguous()
    source, target = _matrices(h, pixels_first), _matrices(out, pixels_first)
    # Vectors over channels and over pixels, shaped to broadcast to a piece.
    over_channels, over_pixels = (-2, -1) if pixels_first else (-1, -2)
    factors = [f.unsqueeze(over_channels) for f in scale.unbind(1)]
    terms = [] if shift is None else [f.unsqueeze(over_channels) for f in shift.unbind(1)]
    levels = [f.unsqueeze(over_pixels) for f in weights.flatten(2).unbind(1)]
    for piece in _pieces(source):
        whole = (piece[0], slice(None))
        of_channels, of_pixels = (whole, piece) if pixels_first else (piece, whole)
        parts = [source[piece] * factor[of_channels] for factor in factors]
        for part, term in zip(parts, terms, strict=False):  # no terms without a shift
            part += term[of_channels]
        _mix_into(parts, [level[of_pixels] for level in levels], target[piece])
    return out


def _mix(parts: tuple[Tensor, ...], weights: Tensor) -> Tensor:
    """sum_k w_k part_k: parts `[B, C, 1, 1]`, weights `[B, K, H, W]` -> `[B, C, H, W]`."""
    if len(parts) == 2:
        return torch.lerp(parts[0], parts[1], weights[:, 1:])
    return torch.stack([part * weights[:, k : k + 1] for k, part in enumerate(parts)]).sum(0)


def _mix_into(parts: list[Tensor], weights: list[Tensor], out: Tensor) -> None:
    """sum_k w_k part_k of one piece; two parts need one interpolation."""
    if len(parts) == 2:
        torch.lerp(parts[0], parts[1], weights[1], out=out)
        return
    torch.mul(parts[0], weights[0], out=out)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        out.addcmul_(part, weight)


def _matrices(x: Tensor, pixels_first: bool) -> Tensor:
    """`[B, C, H, W]` as `[B, pixels, C]` or `[B, C, pixels]`, in the order of memory, no copy."""
    return x.permute(0, 2, 3, 1).flatten(1, 2) if pixels_first else x.flatten(2)


def _pieces(matrices: Tensor) -> Iterator[tuple[slice, slice]]:
    """(images, rows) that are made at a time: some rows of one image, or some whole images."""
    batch, rows, columns = matrices.shape
    row_step = max(1, min(rows, PIECE // columns))
    image_step = max(1, PIECE // (rows * columns))
    for image in range(0, batch, image_step):
        for row in range(0, rows, row_step):
            yield slice(image, image + image_step), slice(row, row + row_step)


def _pixel_sums(x: Tensor, weights: Tensor) -> Tensor:
    """sum over pixels of w_k x: `[B, C, H, W]`, `[B, K, H, W]` -> `[B, K, C]`."""
    return weights.flatten(2) @ x.flatten(2).transpose(1, 2)
