"""ADM, the U-Net of Dhariwal & Nichol (NeurIPS 2021), with a time per image or per pixel.

Names and shapes of the state dict are those of the public 256x256 checkpoints. Attention goes
through `scaled_dot_product_attention`; the change of resolution is inside residual blocks.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from radpipe.devices import full_precision
from radpipe.errors import UserError
from radpipe.models.adm_config import AdmConfig
from radpipe.models.noise_embedding import Embedding, TimeMap, embed
from radpipe.models.norm import Norm


def _zero(module: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """Zero parameters: a new residual branch adds nothing (ADM's initialisation)."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


Kernels = Literal["fused", "torch"]
CompileMode = Literal["default", "reduce-overhead"]


class ResBlock(nn.Module):
    """Two convolutions around a scale and shift by the noise level.

    Args:
        channels: of the input.
        out_channels: of the output.
        embedding_channels: of the time embedding.
        dropout: rate.
        resize: changes the size of features inside the block.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        embedding_channels: int,
        dropout: float,
        resize: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            Norm(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.resize = resize
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_channels, 2 * out_channels))
        self.out_layers = nn.Sequential(
            Norm(out_channels),
            nn.SiLU(),
            nn.Dropout(dropout),
            _zero(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = (
            nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)
        )

    def forward(self, x: Tensor, embedding: Embedding) -> Tensor:
        """`[B, C, H, W]` -> `[B, C_out, H', W']`; SiLU(time) is in `embedding` already."""
        h = self.in_layers[0](x, silu=True)
        if self.resize is not None:
            h, x = self.resize(h), self.resize(x)
        h = self.in_layers[2](h)
        modulation = embedding.modulation(self.emb_layers[1], (h.shape[-2], h.shape[-1]))
        h = self.out_layers[0](h, modulation, silu=True)
        h = self.out_layers[3](self.out_layers[2](h))
        return h.add_(self.skip_connection(x))


class AttentionBlock(nn.Module):
    """Self-attention over all pixels, with a residual connection. Its convolutions are 1-d in
    the public checkpoints."""

    def __init__(self, channels: int, head_channels: int, new_order: bool) -> None:
        super().__init__()
        self.heads, self.new_order = channels // head_channels, new_order
        self.norm = Norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zero(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor, embedding: Embedding) -> Tensor:
        """`[B, C, H, W]` -> the same; the noise level plays no part."""
        if not self.norm.fused:
            return self._reference(x)
        batch, channels, height, width = x.shape
        qkv = _pointwise(self.qkv, self.norm(x)).permute(0, 2, 3, 1).flatten(1, 2)
        if self.new_order:
            parts = qkv.view(batch, -1, 3, self.heads, channels // self.heads).transpose(2, 3)
        else:  # the public checkpoints': channels are (head, q|k|v, channel of the head)
            parts = qkv.view(batch, -1, self.heads, 3, channels // self.heads)
        in_float32 = x.device.type == "cpu" and torch.is_grad_enabled()
        if in_float32:  # a backward pass in bfloat16 takes PyTorch nine times as long
            parts = parts.float()
        query, key, value = parts.transpose(1, 2).unbind(3)
        with full_precision(x) if in_float32 else nullcontext():
            h = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        h = h.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        return _pointwise(self.proj_out, h.to(x.dtype)).add_(x)

    def _reference(self, x: Tensor) -> Tensor:
        """The same in the layout of 1-d convolutions."""
        qkv = self.qkv(self.norm(x).flatten(2))
        if self.new_order:
            parts = qkv.view(len(x), 3, self.heads, -1, qkv.shape[2]).transpose(1, 2)
        else:
            parts = qkv.view(len(x), self.heads, 3, -1, qkv.shape[2])
        query, key, value = parts.transpose(-1, -2).unbind(2)
        h = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.proj_out(h.reshape(*h.shape[:1], -1, h.shape[-1])).view_as(x)


def _pointwise(layer: Any, x: Tensor) -> Tensor:
    """A `Conv1d` of kernel 1 over the pixels of `[B, C, H, W]`, which needs no other layout where
    the layer, or its adapter (`lora_layers`), says what its weight amounts to."""
    folded = getattr(layer, "folded", None)
    if folded is None and not isinstance(layer, nn.Conv1d):
        return layer(x.flatten(2)).view(x.shape[0], -1, *x.shape[2:])
    weight = layer.weight if folded is None else folded()
    return F.conv2d(x, weight[..., None], layer.bias)


class Stage(nn.Sequential):
    """Layers that run one after the other; blocks are given the noise level."""

    def forward(self, x: Tensor, embedding: Embedding) -> Tensor:  # type: ignore[override]
        """`[B, C, H, W]` -> `[B, C', H', W']`."""
        for layer in self:
            block = isinstance(layer, ResBlock | AttentionBlock)
            x = layer(x, embedding) if block else layer(x)
        return x


class AdmUNet(nn.Module):
    """The network: image and time -> noise estimate and variance fraction.

    Attributes:
        config: the architecture.
    """

    def __init__(self, config: AdmConfig) -> None:
        super().__init__()
        self.config = c = config
        width = config.model_channels
        self.time_embed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)
        )
        channels = c.channel_mult[0] * width
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(c.in_channels, channels, 3, padding=1))])
        skips = [channels]
        last = len(c.channel_mult) - 1
        for level, multiple in enumerate(c.channel_mult):
            for _ in range(c.num_res_blocks):
                self.input_blocks.append(self._stage(channels, multiple * width, level))
                channels = multiple * width
                skips.append(channels)
            if level != last:
                self.input_blocks.append(Stage(self._block(channels, channels, nn.AvgPool2d(2))))
                skips.append(channels)
        self.middle_block = Stage(
            self._block(channels, channels),
            self._attention(channels),
            self._block(channels, channels),
        )
        self.output_blocks = nn.ModuleList()
        for level, multiple in reversed(list(enumerate(c.channel_mult))):
            for index in range(c.num_res_blocks + 1):
                stage = self._stage(channels + skips.pop(), multiple * width, level)
                channels = multiple * width
                if level and index == c.num_res_blocks:
                    stage.append(self._block(channels, channels, nn.Upsample(scale_factor=2)))
                self.output_blocks.append(stage)
        self.out = nn.Sequential(
            Norm(channels), nn.SiLU(), _zero(nn.Conv2d(channels, c.out_channels, 3, padding=1))
        )
        for norm in (module for module in self.modules() if isinstance(module, Norm)):
            norm.eps = c.norm_eps

    def _block(self, channels: int, out_channels: int, resize: nn.Module | None = None) -> ResBlock:
        c = self.config
        return ResBlock(channels, out_channels, 4 * c.model_channels, c.dropout, resize)

    def _attention(self, channels: int) -> AttentionBlock:
        c = self.config
        return AttentionBlock(channels, c.num_head_channels, c.use_new_attention_order)

    def _stage(self, channels: int, out_channels: int, level: int) -> Stage:
        """A residual block, and attention where the resolution has it."""
        stage = Stage(self._block(channels, out_channels))
        if 2**level in self.config.attention_resolutions:
            stage.append(self._attention(out_channels))
        return stage

    def forward(self, x: Tensor, time: Tensor | TimeMap) -> Tensor:
        """Noise estimate (first half of the channels) and variance fraction (second half).

        Args:
            x: `[B, 3, H, W]`, noisy image on the scale of [-1, 1]; H and W divisible by
                2^(resolutions - 1).
            time: ADM's index (noise level - 1) per image, `[B]`, integer or fractional, or
                a `TimeMap`.

        Returns:
            `[B, out_channels, H, W]`.

        Raises:
            UserError: H or W cannot be halved so often.
        """
        height, width = x.shape[-2:]
        halvings = len(self.config.channel_mult) - 1
        if height % 2**halvings or width % 2**halvings:
            raise UserError(
                f"an image of {width}x{height} pixels cannot be halved {halvings} times",
                f"a network for {self.config.image_size}x{self.config.image_size} pixels",
                f"give it images whose sides are multiples of {2**halvings}",
            )
        sizes = [(height >> n, width >> n) for n in range(halvings + 1)]
        one_by_one = not self.training and x.device.type == "cpu"
        with full_precision(x):
            embedding = embed(time, self.time_embed, self.config.model_channels, sizes, one_by_one)

        skips = []
        h = x
        for stage in self.input_blocks:
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, skips.pop()], dim=1), embedding)
        return self.out[2](self.out[0](h, silu=True))


def ready(
    network: nn.Module,
    device: str = "cpu",
    kernels: Kernels = "fused",
    compiled: CompileMode | None = None,
) -> nn.Module:
    """The network on its device, in the layout that its convolutions like best.

    Args:
        network: an AdmUNet, with an adapter or without; changed in place.
        device: where it runs.
        kernels: 'fused' or 'torch': see `norm`.
        compiled: a mode of torch.compile, or None; what cannot be compiled runs as it is.
    """
    for module in network.modules():
        if isinstance(module, Norm):
            module.fused = kernels == "fused"
    if compiled is not None:
        torch._dynamo.config.suppress_errors = True  # a warning says what is not compiled
        network.compile(mode=compiled)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
