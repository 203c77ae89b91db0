"""Is an imported network what it is taken for? Two measurements, and what follows from them.

(a) The tensors that RAD leaves frozen should be those of the public network, bit for bit.
(b) With known pixels clean and a hole in the middle, the noise that the network predicts in the
hole should be the noise that is there. The mean squared error of predicting nothing is 1; the
limit is our choice, between a trained network (0.2 at the lowest of the levels) and a file whose
attention or time is read in the wrong way.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise, image_seed
from radpipe.diffusion.process import q_sample
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Level
from radpipe.errors import UserError
from radpipe.models.adm import AdmUNet
from radpipe.models.authors import PUBLISHED, READINGS, Published, Reading
from radpipe.models.denoiser import AdmDenoiser, Mode
from radpipe.models.lora import TIME_LAYERS

log = logging.getLogger(__name__)

LEVELS = (100, 500, 900)
LIMIT = 0.5
Errors = dict[int, float]


def frozen(published: Published, public: AdmUNet) -> tuple[int, int]:
    """How many of the tensors outside of the time layers are those of the public network.

    The rows of q, k and v are compared as they lie in the files, whatever their order means.

    Returns:
        Equal ones, bit for bit, and all.
    """
    ours, theirs = published.base, public.state_dict()
    names = [name for name in ours if not any(f"{layer}." in name for layer in TIME_LAYERS)]
    return sum(torch.equal(ours[name], theirs[name]) for name in names), len(names)


@torch.no_grad()
def noise_error(network: AdmUNet, mode: Mode, pictures: Tensor, device: str = "cpu") -> Errors:
    """Mean squared error of the predicted noise in a hole of half the side, at each of `LEVELS`.

    Args:
        network: takes RAD's maps of times.
        mode: how it is told the time.
        pictures: `[B, 3, H, W]` in [-1, 1].
        device: where to compute.
    """
    schedule, pictures = TwoPhaseSchedule(), pictures.to(device)
    height, width = pictures.shape[2:]
    hole = torch.zeros(len(pictures), 1, height, width, dtype=torch.bool, device=device)
    hole[:, :, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    denoiser = AdmDenoiser(network.to(device), schedule, mode).with_hole(hole)
    errors: Errors = {}
    for level in LEVELS:
        noise = PerImageNoise([image_seed(0, "judge", level, i) for i in range(len(pictures))])
        eps, alpha_bar = noise.normal(pictures), schedule.alpha_bar(level, hole)
        found = denoiser(q_sample(pictures, alpha_bar, eps), Level(level, alpha_bar)).eps
        errors[level] = float(((found - eps) ** 2)[hole.expand_as(eps)].mean())
    return errors


def choose(published: Published, pictures: Tensor, device: str = "cpu") -> tuple[Reading, Errors]:
    """The reading of a file with which it predicts noise: the known one, or the best of all others.

    Args:
        published: the file.
        pictures: `[B, 3, H, W]` in [-1, 1], of the data set that it was trained for.
        device: where to compute.

    Raises:
        UserError: it predicts noise in no reading, with the errors of each.
    """
    tried: dict[Reading, Errors] = {}
    for reading in READINGS:
        tried[reading] = noise_error(published.network(reading), reading.mode, pictures, device)
        log.info("%s: error of the predicted noise %s", reading, text(tried[reading]))
        if reading == PUBLISHED and _worst(tried[reading]) < LIMIT:
            return reading, tried[reading]
    best = min(tried, key=lambda reading: _worst(tried[reading]))
    if not _worst(tried[best]) < LIMIT:
        found = "\n    ".join(f"{reading}: {text(errors)}" for reading, errors in tried.items())
        raise UserError(
            f"the network predicts no noise, however the file is read (errors below {LIMIT} are "
            f"wanted, 1 is to predict nothing):\n    {found}",
            str(published.path),
            "check the file and the data set's pictures; `rad: train` trains the network here",
        )
    log.warning("the file is not as it was described; what works is taken: %s", best)
    return best, tried[best]


def text(errors: Mapping[int, float]) -> str:
    """Errors for a message."""
    return ", ".join(f"{error:.3f} at level {level}" for level, error in errors.items())


def _worst(errors: Errors) -> float:
    """The largest error; infinite where one is not a number."""
    worst = max(errors.values(), key=lambda error: math.inf if math.isnan(error) else error)
    return math.inf if math.isnan(worst) else worst
