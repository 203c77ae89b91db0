"""The two adapted convolutions that differ from PEFT's. Imports peft: import it inside functions.

Both are PEFT layers with PEFT's parameters, so an adapter trained with them loads in plain PEFT.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.layer import Conv1d, Conv2d
from torch import Tensor, nn
from torch.nn import functional as F

from radpipe.devices import full_precision
from radpipe.models.adm_config import AdmConfig

ADAPTER = "default"
# Output channels up to which adding B A to the weight beats a second branch (measured on a CPU,
# one thread): the weight's gradient costs 9 C_in C_out, the branch 3 * 16 * 9 C_in and four
# passes over the output.
FOLD_TRAINING, FOLD_INFERENCE = 64, 128


def unmerged(layer: Any) -> bool:
    """Whether the layer has to add its adapter itself."""
    return not layer.disable_adapters and not layer.merged and ADAPTER in layer.lora_A


class FoldedConv2d(Conv2d):
    """PEFT's adapted convolution; a narrow one convolves once, with weight + B A.

    Same function, same gradients, up to rounding.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`[B, C, H, W]` -> `[B, C_out, H', W']`."""
        base: Any = self.get_base_layer()
        limit = FOLD_TRAINING if torch.is_grad_enabled() else FOLD_INFERENCE
        if base.out_channels > limit or not unmerged(self):
            result: Tensor = super().forward(x, *args, **kwargs)
            return result
        convolved: Tensor = base._conv_forward(x, folded(self), base.bias)
        return convolved


class FoldedConv1d(Conv1d):
    """PEFT's adapted convolution of kernel 1; see `folded`."""

    def folded(self) -> Tensor:
        """The layer's weight, adapter included, `[C_out, C, 1]`."""
        base: Any = self.get_base_layer()
        weight: Tensor = folded(self) if unmerged(self) else base.weight
        return weight


class FusedQkv(FoldedConv1d):
    """Three adapters, for q, k and v, in one: rank 3 r with B restricted to three blocks.

    Rows of B that make q see the first r rows of A only, those of k the next r, those of v the
    last; the rest of B is zero, stays zero (it takes no part, hence has no gradient) and is not
    counted as a parameter.
    """

    def __init__(self, target: nn.Conv1d, name: str, architecture: AdmConfig, **kwargs: Any):
        super().__init__(target, name, **kwargs)
        channels = target.in_channels
        rows = torch.arange(3 * channels, device=target.weight.device)
        if architecture.use_new_attention_order:
            part = rows // channels
        else:  # head by head, q, k, v within each
            part = rows // architecture.num_head_channels % 3
        rank = kwargs["r"] // 3
        blocks = part[:, None] == torch.arange(3 * rank, device=rows.device) // rank
        self.register_buffer("blocks", blocks[..., None].to(target.weight.dtype), persistent=False)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`[B, C, N]` -> `[B, 3 C, N]`."""
        return F.conv1d(x, self.folded(), self.bias)


def folded(layer: Any) -> Tensor:
    """weight + alpha / rank B A, in float32, with the shape of the layer's weight."""
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    if isinstance(layer, FusedQkv):
        b = b * layer.blocks
    weight: Tensor = layer.get_base_layer().weight
    with full_precision(weight):
        delta = (layer.scaling[ADAPTER] * b.flatten(1)) @ a.flatten(1)
        return weight + delta.view_as(weight)
