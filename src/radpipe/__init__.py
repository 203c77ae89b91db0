"""radpipe: region-aware diffusion inpainting (RAD) as a reproducible workflow."""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"inpainting.fill": ["inpaint", "load"]}
)
