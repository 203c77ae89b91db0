"""radpipe: region-aware diffusion inpainting (RAD) as a reproducible workflow.

For use in Python, imported at first use:

- `inpaint`, `load`: a hole in a picture filled; a network loaded once, for loops;
- `TwoPhaseSchedule`: RAD's noise level of every pixel at every step;
- `LevelPath`, `spaced_levels`: the levels that a reverse process visits;
- `reverse`, `KnownRegion`: the one reverse loop, and what a method does to the known pixels;
- `Ancestral`, `Ddim`, `DpmSolver2M`: its update rules; `Level`, `Prediction`: what they work on;
- `GaussianDenoiser`: an exact denoiser, to test a method against the closed form;
- `PerImageNoise`: random numbers that belong to an image;
- `Inpainter`, `run_batch`: what a method is, and how a batch is run through one;
- `masks.draw`: a hole of a mask family; `evaluation`: the metrics.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("evaluation", "masks"),
    submod_attrs={
        "diffusion.gaussian": ["GaussianDenoiser"],
        "diffusion.levels": ["Level", "LevelPath", "spaced_levels"],
        "diffusion.noise": ["PerImageNoise"],
        "diffusion.reverse": ["KnownRegion", "reverse"],
        "diffusion.schedule": ["TwoPhaseSchedule"],
        "diffusion.solvers": ["Ancestral", "Ddim", "DpmSolver2M", "Prediction"],
        "inpainters.base": ["Inpainter", "run_batch"],
        "inpainting.fill": ["inpaint", "load"],
    },
)
