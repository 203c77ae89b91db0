"""Group normalisation with what follows it, scale and shift by the noise level and SiLU: step by
step in PyTorch (reference, GPU), or on a CPU as one function of `norm.c`.

The fused form rounds once where the reference rounds after every step, keeps its input and no
other tensor of its size for the backward pass, and makes the rest again there. Our choice.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from radpipe.models.modulation import Modulation
from radpipe.models.native import LANES, WIDEST, Shape, library, over_images


class Norm(nn.GroupNorm):
    """Group normalisation in float32, 32 groups (fewer if the channels do not divide).

    Attributes:
        fused: use the fused form where the input allows it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(math.gcd(32, channels), channels)
        self.fused = True

    def forward(
        self, x: Tensor, modulation: Modulation | None = None, silu: bool = False
    ) -> Tensor:
        """`[B, C, H, W]` -> the same shape and dtype, in fresh memory."""
        if self.fused and _supported(x, modulation):
            return _fused(self, x, modulation, silu)
        h = super().forward(x.float()).to(x.dtype)
        if modulation is not None:
            h = modulation(h)
        return F.silu(h, inplace=not torch.is_grad_enabled()) if silu else h


def _supported(x: Tensor, modulation: Modulation | None) -> bool:
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
        return False
    if torch.compiler.is_compiling():  # it fuses what it sees
        return False
    if x.shape[1] % LANES or x.shape[1] > WIDEST:
        return False
    if modulation is not None and (modulation.scale.ndim != 3 or modulation.scale.shape[1] > 2):
        return False
    return library() is not None


def _fused(norm: Norm, x: Tensor, modulation: Modulation | None, silu: bool) -> Tensor:
    scale = shift = weights = None
    if modulation is not None:
        scale, shift = modulation.scale.float().contiguous(), modulation.shift.float().contiguous()
        if scale.shape[1] == 2 and modulation.weights is not None:
            weights = modulation.weights.float().contiguous()
    x = x.contiguous(memory_format=torch.channels_last)
    pixels, vectors = x.shape[2] * x.shape[3], 1 if weights is None else 2
    half = x.dtype == torch.bfloat16
    shape = Shape(pixels, x.shape[1], norm.num_groups, vectors, silu, half, norm.eps)
    result: Tensor = _FusedNorm.apply(x, norm.weight, norm.bias, scale, shift, weights, shape)
    return result


class _FusedNorm(torch.autograd.Function):
    """SiLU(GroupNorm(x) (1 + sum_k w_k scale_k) + sum_k w_k shift_k), or without SiLU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        weights: Tensor | None,
        shape: Shape,
    ) -> Tensor:
        batch = x.shape[0]
        mean, rstd = x.new_empty(2, batch, shape.groups, dtype=torch.float32)
        a, d = x.new_empty(2, batch, shape.vectors, shape.channels, dtype=torch.float32)
        y = torch.empty_like(x)
        _run("norm_forward", shape, x, gamma, beta, scale, shift, weights, mean, rstd, a, d, y)
        ctx.save_for_backward(x, gamma, beta, scale, weights, mean, rstd, a, d)
        ctx.shape = shape
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, beta, scale, weights, mean, rstd, a, d = ctx.saved_tensors
        gradient = gradient.to(x.dtype).contiguous(memory_format=torch.channels_last)
        s1, s2 = torch.empty_like(a), torch.empty_like(a)
        to_x = torch.empty_like(x)
        _run("norm_backward", ctx.shape, x, gradient, weights, mean, rstd, a, d, s1, s2, None, to_x)
        one = 1 if scale is None else 1 + scale
        to_gamma, to_beta = (
            (one * s).sum((0, 1)) if ctx.needs_input_grad[i] else None
            for i, s in ((1, s2), (2, s1))
        )
        to_scale = gamma * s2 + beta * s1 if ctx.needs_input_grad[3] else None
        to_shift = s1 if ctx.needs_input_grad[4] else None
        return to_x, to_gamma, to_beta, to_scale, to_shift, None, None


def _run(name: str, shape: Shape, x: Tensor, *tensors: Tensor | None) -> None:
    """Call one of the two functions on all images; its one scratch tensor is made here."""
    functions = library()

    def work(first: int, last: int) -> None:
        scratch = torch.empty(shape.pixels * shape.channels)
        places = [None if t is None else t.data_ptr() for t in (x, *tensors)]
        if name == "norm_backward":
            places[-2] = scratch.data_ptr()
        getattr(functions, name)(shape, first, last, *places)

    over_images(work, x.shape[0])
