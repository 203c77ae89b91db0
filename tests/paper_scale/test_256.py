"""One image through the diffusion methods at 256x256 on the CPU, FFHQ's architecture.

The weights are random: nothing is said about quality. What is: the networks, the low-rank time
input, MCG's gradient and every rule for known pixels work at the paper's size, evaluations are
those planned, and memory stays where one image can be afforded.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from radpipe import masks
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters import load
from radpipe.inpainters.base import run_batch
from radpipe.models import lora
from radpipe.models.adm import AdmUNet
from radpipe.models.checkpoints import FFHQ256, new_unet
from radpipe.models.denoiser import AdmDenoiser

pytestmark = pytest.mark.slow

FEW = {
    "rad": {"steps": 2},
    "ddrm": {"steps": 2},
    "repaint": {"steps": 3, "jump_length": 1, "resamplings": 2},
    "score_sde": {"steps": 2},
    "mcg": {"steps": 1},
}


@pytest.fixture(scope="module")
def unet() -> AdmUNet:
    """FFHQ's network with random weights in every layer, also in those that start at zero."""
    network = new_unet(FFHQ256, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.01, generator=generator)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> AdmUNet:
    """The same with a trained-looking adapter, through the files that a training writes."""
    folder = tmp_path_factory.mktemp("adapter")
    model = lora.add_lora(new_unet(FFHQ256, seed=0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.001)
    lora.save_adapter(model, folder)
    assert json.loads((folder / lora.CONFIG).read_text())["r"] == 16
    network = lora.load_adapter(new_unet(FFHQ256, seed=0), folder)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("method", FEW)
def test_one_image_at_the_papers_size(
    method: str, unet: AdmUNet, request: pytest.FixtureRequest
) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    hole = masks.load("box").sample(rng, 256)[None]
    kind, schedule = load(method), TwoPhaseSchedule()
    rad = kind.requires == "rad"
    network = request.getfixturevalue("adapted") if rad else unet
    denoiser = AdmDenoiser(network, schedule, "spatial" if rad else "scalar")
    inpainter = kind(kind.Settings(**FEW[method]), denoiser, schedule)
    result = run_batch(inpainter, image, hole, [0])
    assert result.evaluations == inpainter.planned_evaluations()
    assert hole.sum() == 128 * 128
    assert (result.images[~hole] == image[~hole]).all()
    assert (result.images[hole] != image[hole]).mean() > 0.9


def test_bf16_stays_near_float32(unet: AdmUNet) -> None:
    """What `sampling.precision: bf16` runs on a GPU, here on the CPU: one evaluation."""
    from radpipe.diffusion.levels import LevelPath

    schedule = TwoPhaseSchedule()
    x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    level = LevelPath(schedule, [500])[0]
    with torch.no_grad():
        exact = AdmDenoiser(unet, schedule)(x, level).eps
        rounded = AdmDenoiser(unet, schedule, dtype=torch.bfloat16)(x, level).eps
    assert rounded.dtype == torch.float32
    error = (rounded - exact).norm() / exact.norm()
    assert 0 < float(error) < 0.03


def test_a_training_bank_of_the_papers_size_fits_in_memory(tmp_path: Path) -> None:
    """65,536 masks are 512 MiB as bits; one shard of 64 is written and read."""
    from radpipe.masks.bank import Bank, BankSettings, write_shard

    drawn = BankSettings(family="perlin", count=65536, shards=2048)
    write_shard(tmp_path / "0.npz", drawn, 256, 0)
    bank = Bank([tmp_path / "0.npz"])
    assert len(bank) == 32 and bank.mask(0).shape == (256, 256)
    assert bank._bits.nbytes * 2048 == 2**29
