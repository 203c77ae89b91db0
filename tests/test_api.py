"""What `import radpipe` offers a researcher."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

import radpipe


def test_importing_the_package_imports_no_room_of_it() -> None:
    program = "import sys, radpipe; print([m for m in sys.modules if m.startswith('radpipe.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_name_is_there_and_documented() -> None:
    for name in radpipe.__all__:
        assert getattr(radpipe, name).__doc__
        assert f"`{name}" in radpipe.__doc__ or f"`{name}." in radpipe.__doc__


def test_rads_sampler_from_its_parts() -> None:
    """RAD on Gaussian images with their exact denoiser, as few lines: known pixels are kept and
    the hole is filled with the right mean."""
    hole = torch.from_numpy(radpipe.masks.draw("box", np.random.default_rng(0), 8))[None, None]
    mean, cov = torch.full((3, 8, 8), 0.25), 0.01 * torch.eye(192)
    noise = radpipe.PerImageNoise(range(4))
    known = torch.full((4, 3, 8, 8), 0.5)

    schedule = radpipe.TwoPhaseSchedule()
    path = radpipe.LevelPath.spaced(schedule, 50, "logsnr", hole)
    x = radpipe.reverse(
        radpipe.GaussianDenoiser(mean, cov), torch.where(hole, noise.normal(known), known),
        path, radpipe.DpmSolver2M(clip=False), radpipe.KnownRegion(), noise,
    )  # fmt: skip

    inside = hole.expand_as(x)
    assert torch.equal(x[~inside], known[~inside])
    # pixels are independent here: N(0.25, 0.1^2) in the hole, whatever is known
    assert abs(x[inside].mean() - 0.25) < 4 * 0.1 / int(inside.sum()) ** 0.5
    assert 0.08 < x[inside].std() < 0.12
