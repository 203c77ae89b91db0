"""Structural similarity of the hole and what surrounds it (Wang et al. 2004)."""

from __future__ import annotations

import numpy as np

from radpipe.evaluation.metric import PerImage, of_pixels
from radpipe.lazy import skimage

WINDOW = 11


def ssim_hole(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """SSIM within the hole, -1..1, NaN without one.

    On 8-bit levels, 0..255: the luminance term is defined for values of 0 or more. The SSIM map
    (Gaussian window of 11, s.d. 1.5) is computed on the whole image and averaged over the hole's
    pixels and the three channels: windows at the hole's edge see known pixels too (our choice).
    """
    if min(outputs.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs images of {WINDOW} pixels or more")
    scores = np.full(len(outputs), np.nan)
    for i in np.flatnonzero(holes.any(axis=(1, 2))):
        _, similarity = skimage.metrics.structural_similarity(
            outputs[i],
            truths[i],
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        scores[i] = similarity[holes[i]].mean()
    return scores


METRICS = (
    PerImage(
        name="ssim_hole",
        display="SSIM hole",
        best="high",
        meaning="SSIM against the truth, its map averaged over the hole's pixels",
        build=of_pixels(ssim_hole),
        details={
            "backend": "scikit-image, Gaussian window 11, s.d. 1.5, per channel",
            "range": "[0, 255]",
        },
    ),
)
