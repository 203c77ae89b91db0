"""Heavy packages, imported at their first use.

Reading the settings imports every plug-in (methods, masks, data sets, metrics), and must cost
nothing: a plug-in writes `from radpipe.lazy import torch` and names what it needs as
`torch.nn.functional`. Only where a class of the package is derived from (`nn.Module`) is the
package itself imported. `Tensor` is for annotations.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = [
    "Tensor", "cv2", "huggingface_hub", "matplotlib", "pandas", "requests", "scipy", "skimage",
    "torch",
]  # fmt: skip

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

    class Later(ModuleType):
        """A package that is imported when something of it is first asked for.

        It is not in `sys.modules`: matplotlib and scipy look there whether torch is there already,
        and would import it by asking what a tensor is.
        """

        def __getattr__(self, name: str) -> object:
            return getattr(import_module(self.__name__), name)

    globals().update({name: Later(name) for name in __all__} | {"Tensor": "torch.Tensor"})
