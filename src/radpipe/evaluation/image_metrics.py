"""Pixel metrics against the truth, restricted to the known pixels or to the hole."""

from __future__ import annotations

import numpy as np
import torch

from radpipe.evaluation.metrics import Details, PerImageMetric

LEVELS = 127.5  # 8-bit levels per unit of the [-1, 1] range
PEAK = 255.0
# an 8-bit image of a real-valued truth has this error in squared levels, by rounding alone
ROUNDING = 1 / 12
WINDOW = 11


def hole_area(hole: np.ndarray) -> np.ndarray:
    """bool `[N, H, W]` -> `[N]`, the hole's share of the image, 0..1."""
    return hole.reshape(len(hole), -1).mean(axis=1)


def _mean_square(outputs: torch.Tensor, truths: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """`[B]` float64: mean squared error over `where`, in squared 8-bit levels; NaN if empty."""
    error = ((outputs.double() - truths.double()) * LEVELS).square()
    weight = where.expand_as(error)
    return (error * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


class PsnrKnown(PerImageMetric):
    """PSNR of the known pixels, dB: infinite exactly if none changed, NaN if there is none."""

    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        return 10 * torch.log10(PEAK**2 / _mean_square(outputs, truths, ~hole))


class PsnrHole(PerImageMetric):
    """PSNR of the hole's pixels, dB, NaN without a hole.

    At most that of rounding noise, 58.9 dB (our choice): a small hole in a flat area can be
    filled exactly, and one infinite value would make every mean infinite.
    """

    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        error = _mean_square(outputs, truths, hole).clamp(min=ROUNDING)
        return 10 * torch.log10(PEAK**2 / error)

    def details(self) -> Details:
        return {"ceiling_db": round(10 * float(np.log10(PEAK**2 / ROUNDING)), 2)}


class SsimHole(PerImageMetric):
    """SSIM (Wang et al. 2004: Gaussian window of 11, s.d. 1.5) within the hole, NaN without one.

    The SSIM map is computed on the whole image and averaged over the hole's pixels and the three
    channels: windows at the hole's edge therefore see known pixels too (our choice).
    """

    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        from skimage.metrics import structural_similarity

        if min(outputs.shape[-2:]) < WINDOW:
            raise ValueError(f"SSIM needs images of {WINDOW} pixels or more")
        scores = []
        for output, truth, inside in zip(outputs, truths, hole[:, 0], strict=True):
            if not inside.any():
                scores.append(float("nan"))
                continue
            _, similarity = structural_similarity(
                output.double().cpu().numpy(),
                truth.double().cpu().numpy(),
                data_range=2.0,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )
            scores.append(float(similarity[:, inside.cpu().numpy()].mean()))
        return torch.tensor(scores, dtype=torch.float64)

    def details(self) -> Details:
        return {"backend": "scikit-image, Gaussian window 11, s.d. 1.5, per channel"}
