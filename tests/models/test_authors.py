"""The authors' network: their outputs and their sampling, from a small file in their layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters import load as load_inpainter
from radpipe.models import authors
from radpipe.models.adm import AdmUNet
from radpipe.models.adm_config import AdmConfig
from radpipe.models.authors import Reading
from radpipe.models.checkpoints import load_unet, save_unet
from radpipe.models.denoiser import AdmDenoiser
from radpipe.models.noise_embedding import TimeMap

ORACLE = Path(__file__).parents[1] / "oracle"
FILE = ORACLE / "micro_official_layout_fp16.safetensors"
MICRO = AdmConfig(
    image_size=16,
    model_channels=32,
    num_res_blocks=1,
    channel_mult=(1, 1),
    attention_resolutions=(2,),
    num_head_channels=8,
)


@pytest.fixture(scope="module")
def io() -> dict[str, Tensor]:
    return load_file(ORACLE / "micro_io.safetensors")


@pytest.fixture(scope="module")
def network() -> AdmUNet:
    return authors.load(FILE, MICRO).network().requires_grad_(False)


def low_rank(time: Tensor) -> TimeMap:
    """A map of at most two times per image as levels and their places."""
    low, high = time.amin((1, 2, 3)), time.amax((1, 2, 3))
    return TimeMap.binary(time == high[:, None, None, None], high, low)


@pytest.mark.parametrize("case", ["binary", "phase2", "soft", "uniform"])
@pytest.mark.parametrize("form", [TimeMap.dense, low_rank])
def test_the_same_outputs(network, io, case, form):
    if case == "soft" and form is low_rank:
        pytest.skip("more than two times")
    found = network(io["x"], form(io[f"time.{case}"] - 1))  # their times are ours + 1
    assert (found - io[f"out.{case}"]).abs().max() < 4e-6


class Recorded:
    """The start of their sampling, which is not quite noise, and the noise that it drew."""

    def __init__(self, io: dict[str, Tensor]) -> None:
        self.numbers = iter([io["sample.every10"][0], *io["sample.step_noise"]])

    def normal(self, x: Tensor) -> Tensor:
        return next(self.numbers)


def test_the_same_sampling(network, io):
    """100 ancestral steps, leading spacing, x0 clipped: what `inpainters.rad` has by itself."""
    kind, schedule = load_inpainter("rad"), TwoPhaseSchedule()
    assert kind.Settings() == kind.Settings(
        solver="ancestral", steps=100, spacing="leading", clip_x0=True
    )
    hole, x0 = io["hole"][:1].bool(), io["sample.x0"]
    rad = kind(kind.Settings(), AdmDenoiser(network, schedule, "spatial"), schedule)
    found = rad.inpaint(x0, hole, Recorded(io))
    assert torch.equal(found[~hole.expand_as(found)], x0[~hole.expand_as(x0)])
    assert (found - io["sample.every10"][-1]).abs().max() < 2e-5


@pytest.mark.parametrize(
    ("reading", "least"),
    [(Reading(new_order=False), 0.05), (Reading(times="t"), 0.05)],
    ids=str,
)
def test_each_part_of_the_reading_matters(io, reading, least):
    found = authors.load(FILE, MICRO).network(reading).requires_grad_(False)
    difference = found(io["x"], low_rank(io["time.binary"] - 1)) - io["out.binary"]
    assert difference.abs().max() > least


def test_epsilon_is_kept_with_the_network(network, io, tmp_path):
    """Without it the outputs are off by more than the conversion is."""
    save_unet(tmp_path / "net.safetensors", network)
    again = load_unet(tmp_path / "net.safetensors").requires_grad_(False)
    time = low_rank(io["time.binary"] - 1)
    assert again.config == network.config and again.config.norm_eps == 1e-6
    assert torch.equal(again(io["x"], time), network(io["x"], time))
    other = AdmUNet(replace(network.config, norm_eps=1e-5)).eval().requires_grad_(False)
    other.load_state_dict(network.state_dict())
    assert (other(io["x"], time) - io["out.binary"]).abs().max() > 2e-5
