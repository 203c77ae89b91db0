"""Scale and shift of normalised features: h (1 + scale) + shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Modulation:
    """What the noise level does to the features of a block.

    Attributes:
        scale: `[B, K, C]`: K vectors per image; or `[B, C, H, W]`: any map (dense form).
        shift: as `scale`.
        weights: `[B, K, H, W]`, of each vector at a pixel, summing to 1 over K, not
            differentiated; None for one vector per image, and for maps.
    """

    scale: Tensor
    shift: Tensor
    weights: Tensor | None = None

    def __call__(self, h: Tensor) -> Tensor:
        """h `[B, C, H, W]` -> h (1 + sum_k w_k scale_k) + sum_k w_k shift_k, in place where
        gradients are off. Where a weight is 1 the result is bit for bit that of its vector."""
        one, shift = 1 + self.scale.to(h.dtype), self.shift.to(h.dtype)
        if self.weights is not None:
            weights = self.weights.to(h.dtype)
            if torch.is_grad_enabled():
                result: Tensor = _Mixture.apply(h, one, shift, weights)
                return result
            return h.mul_(_mix(one, weights)).add_(_mix(shift, weights))
        if one.ndim == 3:
            one, shift = one[:, 0, :, None, None], shift[:, 0, :, None, None]
        return h * one + shift if torch.is_grad_enabled() else h.mul_(one).add_(shift)


class _Mixture(torch.autograd.Function):
    """h s + b with the maps s, b of rank K; keeps h and the factors, nothing of the maps' size."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, scale: Tensor, shift: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(h, scale, weights)
        return (h * _mix(scale, weights)).add_(_mix(shift, weights))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h, scale, weights = ctx.saved_tensors
        to_scale = to_shift = None
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            to_scale, to_shift = _pixel_sums(gradient * h, weights), _pixel_sums(gradient, weights)
        to_h = gradient * _mix(scale, weights) if ctx.needs_input_grad[0] else None
        return to_h, to_scale, to_shift, None


def _mix(vectors: Tensor, weights: Tensor) -> Tensor:
    """sum_k w_k v_k: vectors `[B, K, C]`, weights `[B, K, H, W]` -> `[B, C, H, W]`."""
    parts = vectors[..., None, None].unbind(1)
    if len(parts) == 2:
        return torch.lerp(parts[0], parts[1], weights[:, 1:])
    return torch.stack([part * weights[:, k : k + 1] for k, part in enumerate(parts)]).sum(0)


def _pixel_sums(x: Tensor, weights: Tensor) -> Tensor:
    """sum over pixels of w_k x: `[B, C, H, W]`, `[B, K, H, W]` -> `[B, K, C]`."""
    return weights.flatten(2) @ x.flatten(2).transpose(1, 2)
