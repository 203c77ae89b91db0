"""The authors' network: their outputs and their sampling, from a small file in their layout."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import madeup
from madeup import MICRO
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.errors import UserError
from radpipe.inpainters import load as load_inpainter
from radpipe.models import authors, judge
from radpipe.models.adm import AdmUNet
from radpipe.models.authors import Reading
from radpipe.models.checkpoints import FFHQ256, IMAGENET256, load_unet, new_unet, save_unet
from radpipe.models.denoiser import AdmDenoiser
from radpipe.models.noise_embedding import TimeMap

ORACLE = Path(__file__).parents[1] / "oracle"
FILE = ORACLE / "micro_official_layout_fp16.safetensors"


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
def test_the_same_outputs_dense(network, io, case):
    found = network(io["x"], TimeMap.dense(io[f"time.{case}"] - 1))  # their times are ours + 1
    assert (found - io[f"out.{case}"]).abs().max() < 4e-6


@pytest.mark.parametrize("case", ["binary", "phase2", "uniform"])
def test_the_same_outputs_in_low_rank(network, io, case):
    found = network(io["x"], low_rank(io[f"time.{case}"] - 1))
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


def test_lora_and_names_by_hand():
    """A few of the file's tensors at their places, written out."""
    raw = {name: tensor.float() for name, tensor in load_file(FILE).items()}
    merged = authors.load(FILE, MICRO).merged
    conv = "down_blocks.1.resnets.0.conv2"
    a, b = (raw[f"{conv}.lora_{x}.default.weight"] for x in "AB")
    product = torch.einsum("or,rikl->oikl", b[:, :, 0, 0], a)
    assert torch.allclose(
        merged["input_blocks.3.0.out_layers.3.weight"],
        raw[f"{conv}.base_layer.weight"] + product,
        atol=1e-6,
    )
    key = "up_blocks.0.attentions.1.to_k"
    product = raw[f"{key}.lora_B.default.weight"] @ raw[f"{key}.lora_A.default.weight"]
    assert torch.allclose(
        merged["output_blocks.1.1.qkv.weight"][32:64, :, 0],
        raw[f"{key}.base_layer.weight"] + product,
        atol=1e-6,
    )
    shift = raw["up_blocks.0.upsamplers.0.time_emb_proj.weight"][:, :, 0, 0]
    assert torch.equal(merged["output_blocks.1.2.emb_layers.1.weight"], shift)


def test_a_made_up_file_has_the_layout_of_the_real_one():
    listed = json.loads((ORACLE / "official_ffhq_shapes.json").read_text())
    state = {name: torch.empty(w.shape) for name, w in new_unet(FFHQ256, 0).state_dict().items()}
    found = madeup.authors_layout(state, FFHQ256, 16)
    assert {name: list(tensor.shape) for name, tensor in found.items()} == listed["tensors"]


def broken(folder: Path, how: str) -> Path:
    path = madeup.write(folder / "net.safetensors", MICRO, 4)
    tensors = madeup.authors_layout(madeup.network(MICRO), MICRO, 4)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "missing":
        path.unlink()
    elif how == "adapters":
        save_file({n: w for n, w in tensors.items() if ".lora_" in n}, path)
    elif how == "pickle":
        torch.save(tensors, path)
    elif how == "half":
        tensors.pop("conv_in.lora_B.default.weight")
        save_file(tensors, path)
    elif how == "renamed":  # an adapter that would not be merged
        for part in "AB":
            adapter = f"conv_in.lora_{part}"
            tensors[f"{adapter}.other.weight"] = tensors.pop(f"{adapter}.default.weight")
        save_file(tensors, path)
    else:  # as LSUN's and ImageNet's networks: two blocks per resolution, more attention
        other = replace(IMAGENET256, model_channels=32, num_head_channels=32)
        state = new_unet(other, 0).state_dict()
        save_file(madeup.authors_layout(state, other, 4), path)
    return path


@pytest.mark.parametrize(
    ("how", "what", "do"),
    [
        ("cut", "cut short", "fetch it again"),
        ("missing", "no such file", "fetch"),
        ("adapters", "time layers are missing", "pytorch_lora_weights.safetensors"),
        ("pickle", "a pickle", r"take the \.safetensors file"),
        ("half", "'conv_in.lora_B.default.weight' is missing", "again"),
        ("renamed", "'conv_in.lora_A.default.weight' is missing", "again"),
        ("larger", "does not fit", "LSUN and ImageNet are laid out is not known"),
    ],
)
def test_refusals_say_what_where_and_what_to_do(tmp_path, how, what, do):
    with pytest.raises(UserError, match=what) as refusal:
        authors.load(broken(tmp_path, how), MICRO)
    assert "net.safetensors" in refusal.value.where
    assert re.search(do, refusal.value.do)


@pytest.mark.slow
def test_a_file_of_the_real_size(tmp_path):
    """389,253,928 bytes with FFHQ's architecture: read, judged, and kept as one of ours."""
    path = madeup.write(tmp_path / "net.safetensors", FFHQ256, 16)
    assert path.stat().st_size == 389_253_928
    found = authors.load(path, FFHQ256)
    reading, errors = judge.choose(found, madeup.grey(1, 256))
    assert reading == authors.PUBLISHED and max(errors.values()) < 0.1
    save_unet(tmp_path / "ours.safetensors", found.network(reading))
    assert sum(p.numel() for p in load_unet(tmp_path / "ours.safetensors").parameters()) == 93563910
