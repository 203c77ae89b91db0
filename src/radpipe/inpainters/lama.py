"""LaMa: one forward pass of an FFC-ResNet on the masked image and the mask."""

from __future__ import annotations

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import Tensor, torch


class Lama(Inpainter):
    """Suvorov et al., WACV 2022.

    The model is what `radpipe.models.lama.load_generator` returns, for weights trained here and
    for the public TorchScript file alike; which of them is a matter of the training
    (`training.lama.weights`). It predicts the whole image, so the known pixels are pasted back,
    as LaMa itself does. Deterministic.
    """

    label, colour, marker = "LaMa", "#CC79A7", "P"
    citation = (
        "Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions, "
        "WACV 2022 (arXiv 2109.07161)"
    )
    rule = "one forward pass of a Fourier-convolution ResNet; known pixels pasted"
    requires = "lama"

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        with torch.no_grad():
            return torch.where(hole, self.model(known, hole), known)
