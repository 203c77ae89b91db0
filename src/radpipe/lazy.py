"""Heavy packages, imported at their first use.

Reading the settings imports every plug-in (methods, masks, data sets, metrics), and must cost
nothing: a plug-in writes `from radpipe.lazy import torch` and names what it needs as
`torch.nn.functional`. Only where a class of the package is derived from (`nn.Module`) is the
package itself imported. `Tensor` is for annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cv2
    import huggingface_hub
    import matplotlib
    import matplotlib.axes
    import matplotlib.figure
    import pandas
    import requests
    import scipy
    import skimage
    import torch
    from torch import Tensor
else:
    import lazy_loader

    cv2 = lazy_loader.load("cv2")
    huggingface_hub = lazy_loader.load("huggingface_hub")
    matplotlib = lazy_loader.load("matplotlib")
    pandas = lazy_loader.load("pandas")
    requests = lazy_loader.load("requests")
    scipy = lazy_loader.load("scipy")
    skimage = lazy_loader.load("skimage")
    torch = lazy_loader.load("torch")
    Tensor = "torch.Tensor"

__all__ = [
    "Tensor", "cv2", "huggingface_hub", "matplotlib", "pandas", "requests", "scipy", "skimage",
    "torch",
]  # fmt: skip
