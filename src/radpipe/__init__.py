"""radpipe: region-aware diffusion inpainting (RAD) as a reproducible workflow."""

from __future__ import annotations

__version__ = "0.1.0"
