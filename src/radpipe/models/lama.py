"""LaMa's networks: the FFC-ResNet generator, a patch discriminator, and reading either kind of
weights.

Source: Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV
2022 (arXiv 2109.07161), section 2.1; Chi et al., "Fast Fourier Convolution", NeurIPS 2020. Written
from the papers.

Images at every boundary are float32 `[B, 3, H, W]` in [-1, 1] and holes are bool `[B, 1, H, W]`,
True = fill in. LaMa itself works on [0, 1] with the hole set to 0: the conversion happens inside,
at one place (`network_input`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from radpipe.errors import UserError
from radpipe.models.checkpoints import read_safetensors, refuse_nan, write_safetensors
from radpipe.models.ffc import FourierConvNorm, FourierResidualBlock


@dataclass(frozen=True)
class LamaConfig:
    """Size of the generator. The defaults are Big-LaMa's; `LamaConfig(24, 2, 4)` is meant for 32x32
    images.
    """

    width: int = 64  # channels after the first convolution; doubled by every downsampling
    downsamplings: int = 3
    blocks: int = 18  # residual blocks at the lowest resolution
    global_ratio: float = 0.75  # share of channels that take the Fourier branch
    max_width: int = 1024

    def widths(self) -> list[int]:
        """Channels at every resolution, the finest first."""
        return [min(self.max_width, self.width * 2**i) for i in range(self.downsamplings + 1)]


def to_unit(image: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1]."""
    return (image + 1) / 2


def network_input(known: Tensor, hole: Tensor, multiple: int) -> tuple[Tensor, Tensor]:
    """Image in [0, 1] whose hole is 0 `[B, 3, H, W]`, and the hole as float `[B, 1, H, W]`: LaMa's
    own convention; both with sides that are multiples of `multiple`.

    Raises:
        UserError: a side is too short to be reflected, here or at the lowest resolution.
    """
    height, width = known.shape[-2:]
    if min(height, width) <= multiple:
        raise UserError(
            f"LaMa cannot fill an image of {width}x{height} pixels",
            do=f"give it images of at least {multiple + 1} pixels a side",
        )
    image = to_unit(known).masked_fill(hole, 0.0)
    return padded(image, multiple), padded(hole.to(known.dtype), multiple)


def padded(image: Tensor, multiple: int) -> Tensor:
    """Reflect the lower and right border outwards until H and W are multiples of `multiple`."""
    down, right = -image.shape[-2] % multiple, -image.shape[-1] % multiple
    return F.pad(image, (0, right, 0, down), mode="reflect") if down or right else image


class LamaGenerator(nn.Module):
    """FFC-ResNet: stem, strided convolutions, Fourier residual blocks, transposed convolutions,
    sigmoid.
    """

    def __init__(self, config: LamaConfig) -> None:
        super().__init__()
        self.config = config
        widths, ratio = config.widths(), config.global_ratio
        self.stem = FourierConvNorm(4, widths[0], kernel=7)
        last = config.downsamplings - 1
        self.down = nn.ModuleList(
            FourierConvNorm(a, b, kernel=3, stride=2, ratio_out=ratio if i == last else 0.0)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.blocks = nn.ModuleList(
            FourierResidualBlock(widths[-1], ratio) for _ in range(config.blocks)
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1),
                nn.BatchNorm2d(a),
                nn.ReLU(),
            )
            for a, b in reversed(list(pairwise(widths)))
        )
        self.out = nn.Conv2d(widths[0], 3, 7, padding=3, padding_mode="reflect")

    def forward(self, known: Tensor, hole: Tensor) -> Tensor:
        """Whole predicted image `[B, 3, H, W]` in [-1, 1]; what `known` holds inside the hole is
        not read.

        H and W of any size: they are padded to a multiple of 2**downsamplings and cropped back.
        """
        x = torch.cat(network_input(known, hole, 2**self.config.downsamplings), dim=1)
        pair: tuple[Tensor, Tensor | None] = self.stem((x, None))
        for layer in [*self.down, *self.blocks]:
            pair = layer(pair)
        x = pair[0] if pair[1] is None else torch.cat([pair[0], pair[1]], dim=1)
        for layer in self.up:
            x = layer(x)
        unit = torch.sigmoid(self.out(x))[..., : known.shape[-2], : known.shape[-1]]
        return unit * 2 - 1


class PatchDiscriminator(nn.Module):
    """PatchGAN discriminator that also returns its feature maps, for feature matching.

    `layers` counts the strided convolutions: 4 is LaMa's (256x256 and larger); 2 or 3 suit 32x32.
    """

    def __init__(self, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        widths = [3, *(min(512, width * 2**i) for i in range(layers + 1))]
        self.stages = nn.ModuleList(
            self._stage(a, b, stride=2 if i < layers else 1, norm=i > 0)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.logits = nn.Conv2d(widths[-1], 1, 4, padding=2)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int, norm: bool) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2)
        parts: list[nn.Module] = [nn.BatchNorm2d(outputs)] if norm else []
        return nn.Sequential(convolution, *parts, nn.LeakyReLU(0.2))

    def forward(self, unit: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`unit` `[B, 3, H, W]` in [0, 1] -> logits `[B, 1, h, w]` (positive = real) and the
        feature maps.
        """
        features: list[Tensor] = []
        x = unit
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.logits(x), features


class TorchScriptLama(nn.Module):
    """The public Big-LaMa file behind the same call as `LamaGenerator`.

    The archive's graph takes ([0, 1] image, float mask) with sides that are multiples of 8 and
    answers in [0, 1].
    """

    multiple = 8

    def __init__(self, graph: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, known: Tensor, hole: Tensor) -> Tensor:
        """Whole predicted image `[B, 3, H, W]` in [-1, 1]."""
        unit = self.graph(*network_input(known, hole, self.multiple))
        return unit[..., : known.shape[-2], : known.shape[-1]].clamp(0, 1) * 2 - 1


def save_generator(path: Path, generator: LamaGenerator, extra: dict[str, str]) -> None:
    """Weights as safetensors, with the architecture and `extra` (such as training steps) in the
    file's header.
    """
    architecture = {"kind": "lama", **asdict(generator.config), "extra": extra}
    header = {"architecture": json.dumps(architecture, sort_keys=True)}
    write_safetensors(path, generator.state_dict(), header)


def _load_safetensors(path: Path) -> LamaGenerator:
    try:
        tensors, header = read_safetensors(path)
        sizes = json.loads(header["architecture"])
        kind, _ = sizes.pop("kind", None), sizes.pop("extra", None)
        if kind != "lama":
            raise ValueError(f"it holds a network of kind {kind!r}")
        generator = LamaGenerator(LamaConfig(**sizes))
        generator.load_state_dict(tensors)
        refuse_nan(tensors, path)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"This is not a checkpoint of radpipe's LaMa generator: {error}",
            where=str(path),
            do="train one with the target that makes this file, or give a TorchScript .pt file",
        ) from error
    return generator


def load_generator(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The generator in `path`, ready for inference: `(known [-1, 1], hole) -> image [-1, 1]`.

    A safetensors file is a generator trained here. A zip archive is TorchScript such as
    `big-lama.pt`: loading it runs no Python from the file, but calling it runs the file's own
    graph, so its checksum is checked where it is downloaded (`radpipe.assets`) before it gets here.
    The content decides, not the name. Raises UserError if the file is missing or is neither.
    """
    if not path.is_file():
        raise UserError(
            "The LaMa weights are missing", where=str(path), do="make or download this file first"
        )
    with path.open("rb") as file:
        archive = file.read(2) == b"PK"
    if not archive:
        model: nn.Module = _load_safetensors(path)
    else:
        try:
            graph = torch.jit.load(str(path), map_location=device)
        except RuntimeError as error:
            raise UserError(
                "This file is not TorchScript",
                where=str(path),
                do="give big-lama.pt as it was published, or a .safetensors file trained here",
            ) from error
        model = TorchScriptLama(graph)
    return model.to(device).eval().requires_grad_(False)
