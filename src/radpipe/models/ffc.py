"""Fast Fourier convolution: a convolution with a local branch and a branch that sees the whole
image at once.

Source: Chi et al., NeurIPS 2020, section 3; Suvorov et al., WACV 2022 (arXiv 2109.07161), section
2.1 and figure 2, without the "local Fourier unit", as in Big-LaMa. Channels are a pair (local,
global): a share `ratio` of them is global. Padding is by reflection, convolutions carry no bias
(batch normalisation follows).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor | None]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="reflect"
    )


class FourierUnit(nn.Module):
    """A 1x1 convolution over the real and imaginary parts of the image's spectrum: `[B, C, H, W]`
    to the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        parts = torch.cat([spectrum.real, spectrum.imag], dim=1)
        real, imaginary = torch.relu(self.norm(self.conv(parts))).float().chunk(2, dim=1)
        out = torch.fft.irfft2(torch.complex(real, imaginary), s=x.shape[-2:], norm="ortho")
        return out.to(x.dtype)


class SpectralTransform(nn.Module):
    """Global to global: squeeze to half of the channels, add what the Fourier unit makes of them,
    expand.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = max(1, outputs // 2)
        self.squeeze = nn.Sequential(
            nn.Conv2d(inputs, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()
        )
        self.fourier = FourierUnit(half)
        self.expand = nn.Conv2d(half, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return self.expand(x + self.fourier(x))


class FourierConvNorm(nn.Module):
    """FFC, batch normalisation and ReLU of each branch: (local, global) -> (local, global).

    `stride` 2 needs an input without a global branch, which is where LaMa uses it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        ratio_in: float = 0.0,
        ratio_out: float = 0.0,
    ) -> None:
        super().__init__()
        global_in, global_out = int(inputs * ratio_in), int(outputs * ratio_out)
        local_in, local_out = inputs - global_in, outputs - global_out
        if global_in and stride != 1:
            raise ValueError("a strided Fourier convolution takes no global input")
        self.local_to_local = _conv(local_in, local_out, kernel, stride)
        self.local_to_global = _conv(local_in, global_out, kernel, stride) if global_out else None
        self.global_to_local = _conv(global_in, local_out, kernel) if global_in else None
        self.global_to_global = (
            SpectralTransform(global_in, global_out) if global_in and global_out else None
        )
        self.norm_local = nn.BatchNorm2d(local_out)
        self.norm_global = nn.BatchNorm2d(global_out) if global_out else None

    def forward(self, pair: Pair) -> Pair:
        local, whole = pair
        out_local = self.local_to_local(local)
        if self.global_to_local is not None:
            out_local = out_local + self.global_to_local(whole)
        out_local = torch.relu(self.norm_local(out_local))
        if self.local_to_global is None or self.norm_global is None:
            return out_local, None
        out_global = self.local_to_global(local)
        if self.global_to_global is not None:
            out_global = out_global + self.global_to_global(whole)
        return out_local, torch.relu(self.norm_global(out_global))


class FourierResidualBlock(nn.Module):
    """Two Fourier convolutions of kernel 3 with a skip connection around both."""

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        self.first = FourierConvNorm(channels, channels, 3, 1, ratio, ratio)
        self.second = FourierConvNorm(channels, channels, 3, 1, ratio, ratio)

    def forward(self, pair: Pair) -> Pair:
        local, whole = self.second(self.first(pair))
        if whole is None or pair[1] is None:
            return pair[0] + local, None
        return pair[0] + local, pair[1] + whole
