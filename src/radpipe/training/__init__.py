"""Objectives, and the one loop that trains them.

The modules are imported at their first use: declarations that name them cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from radpipe.training import averages, diffusion, lama, lama_losses, loop, samples

__all__ = [
    "averages",
    "diffusion",
    "lama",
    "lama_losses",
    "loop",
    "samples",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submodules=__all__)
