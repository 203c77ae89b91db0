"""Is an imported network what it is taken for? Two measurements, and what follows from them.

(a) The tensors that RAD leaves frozen should be those of the public network, bit for bit.
(b) With known pixels clean and a hole in the middle, the noise that the network predicts in the
hole should be the noise that is there. The mean squared error of predicting nothing is 1.

A limit tells a network from noise, but not one reading from another. Measured on the RAD network
trained on emoji, four images, levels 100, 500 and 900: 0.131, 0.010, 0.002; with attention in the
other order 0.237, 0.016, 0.005; with times one too late 0.131, 0.015, 0.008. So all readings are
compared, on the same noise, by the geometric mean of their errors.
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
LIMIT = 0.5  # our choice
Errors = dict[int, float]


def frozen(published: Published, public: AdmUNet) -> tuple[list[str], int]:
    """Which of the tensors outside of the time layers are not those of the public network.

    The rows of q, k and v are compared as they lie in the files, whatever their order means.

    Returns:
        Names of those that differ in any bit, and how many were compared.
    """
    ours, theirs = published.base, public.state_dict()
    names = [name for name in ours if not any(f"{layer}." in name for layer in TIME_LAYERS)]
    return [name for name in names if not torch.equal(ours[name], theirs[name])], len(names)


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
    """The reading of a file with which it predicts noise best, and its errors.

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
    best = min(tried, key=lambda reading: _mean(tried[reading]))
    if not all(error < LIMIT for error in tried[best].values()):
        found = "\n    ".join(f"{reading}: {text(errors)}" for reading, errors in tried.items())
        raise UserError(
            f"the network predicts no noise, however the file is read (errors below {LIMIT} are "
            f"wanted, 1 is to predict nothing):\n    {found}",
            str(published.path),
            "check the file and the data set's pictures; `rad: train` trains the network here",
        )
    if best != PUBLISHED:
        log.warning("the file is not as it was described; what works best is taken: %s", best)
    return best, tried[best]


def text(errors: Mapping[int, float]) -> str:
    """Errors for a message."""
    return ", ".join(f"{error:.3f} at level {level}" for level, error in errors.items())


def _mean(errors: Errors) -> float:
    """Geometric mean, as a logarithm; infinite where an error is not a number."""
    mean = sum(math.log(error) for error in errors.values()) / len(errors)
    return math.inf if math.isnan(mean) else mean
