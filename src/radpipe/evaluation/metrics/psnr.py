"""Peak signal-to-noise ratio of the known pixels, or of the hole, against the truth."""

from __future__ import annotations

import math

import numpy as np

from radpipe.evaluation.metric import PerImage, of_pixels

PEAK = 255  # of 8-bit images
# an 8-bit image of a real-valued truth has this error in squared levels, by rounding alone
ROUNDING = 1 / 12
CEILING = 10 * math.log10(PEAK**2 / ROUNDING)


def mean_square(outputs: np.ndarray, truths: np.ndarray, where: np.ndarray) -> np.ndarray:
    """`[B]`: mean squared error over the pixels `where`, in squared 8-bit levels; NaN if none.

    Args:
        outputs, truths: uint8 `[B, H, W, 3]`.
        where: bool `[B, H, W]`.
    """
    error = (outputs.astype(np.int64) - truths) ** 2 * where[..., None]
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = error.sum(axis=(1, 2, 3)) / (3 * where.sum(axis=(1, 2)))
    return mean


def psnr_known(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """PSNR of the known pixels, dB: infinite exactly if none changed, NaN if there is none."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(PEAK**2 / mean_square(outputs, truths, ~holes))


def psnr_hole(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """PSNR of the hole's pixels, dB, NaN without a hole.

    At most that of rounding noise, 58.9 dB (our choice): a small hole in a flat area can be
    filled exactly, and one infinite value would make every mean infinite.
    """
    return 10 * np.log10(PEAK**2 / np.maximum(mean_square(outputs, truths, holes), ROUNDING))


METRICS = (
    PerImage(
        name="psnr_known",
        display="PSNR known",
        unit="dB",
        best="high",
        meaning="lowest PSNR of the known pixels over the images; infinite: they are untouched",
        build=of_pixels(psnr_known),
        aggregate="min",
    ),
    PerImage(
        name="psnr_hole",
        display="PSNR hole",
        unit="dB",
        best="high",
        meaning="PSNR of the hole's pixels against the truth",
        build=of_pixels(psnr_hole),
        details={"ceiling_db": round(CEILING, 2)},
    ),
)
