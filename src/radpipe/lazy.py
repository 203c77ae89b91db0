"""Heavy packages, imported at their first use.

Reading the settings imports every plug-in (methods, masks, data sets, metrics), and must cost
nothing: a plug-in writes `from radpipe.lazy import torch` and names what it needs as
`torch.Tensor`, `torch.nn.functional`. Only where a class of the package is derived from
(`nn.Module`) is the package itself imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cv2
    import huggingface_hub
    import pandas
    import requests
    import scipy
    import skimage
    import torch
else:
    import lazy_loader

    cv2, huggingface_hub, pandas, requests, scipy, skimage, torch = map(
        lazy_loader.load,
        ("cv2", "huggingface_hub", "pandas", "requests", "scipy", "skimage", "torch"),
    )

__all__ = ["cv2", "huggingface_hub", "pandas", "requests", "scipy", "skimage", "torch"]
