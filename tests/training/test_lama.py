"""LaMa's two players in the one training loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
import toy
from torch import Tensor
from torch.nn import functional as F

import report_tree
from radpipe import masks
from radpipe.launch import TRAININGS
from radpipe.models.lama import LamaConfig, LamaGenerator, PatchDiscriminator, load_generator
from radpipe.params import parse
from radpipe.pipeline import Pipeline, target_of
from radpipe.stages import lama
from radpipe.training.averages import learning_rate
from radpipe.training.lama import DrawHole, LamaObjective
from radpipe.training.lama_losses import LamaLossWeights
from radpipe.training.loop import Trainer, accelerator
from radpipe.training.samples import NumberedSamples


def features(images: Tensor) -> Sequence[Tensor]:
    """Stands for the frozen network: means of patches."""
    return [F.avg_pool2d(images, side) for side in (2, 4)]


def trainer(folder: Path, perceptual: float = 0.0, **changes: object) -> Trainer:
    """Pictures of 32x32, generator and discriminator of 8 channels."""
    values = {"lr": 1e-3, "ema": 0.0, "weight_decay": 0.0, "clip": 10.0, "warmup": 0}
    chosen = toy.settings(**(values | changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = LamaGenerator(LamaConfig(8, 1, 1))
        discriminator = PatchDiscriminator(8, 1)
    weights = LamaLossWeights(perceptual=perceptual)
    objective = LamaObjective(generator, discriminator, features, weights, 0.1)
    draw = DrawHole(masks.load("wide").sample)
    pictures = toy.Pictures(4)
    pictures.pixels = torch.stack(
        [torch.from_numpy(report_tree.picture(i)) for i in range(4)]
    ).numpy()
    samples = NumberedSamples(pictures, 3, chosen.flip, draw)
    return Trainer(objective, chosen, samples, folder, accelerator("fp32", "cpu"))


def state(made: Trainer) -> dict[str, Tensor]:
    return {
        f"{name} {key}": value
        for name, network in made.objective.players.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("perceptual", [0.0, 30.0])
def test_stopping_and_resuming_equals_never_stopping(tmp_path: Path, perceptual: float) -> None:
    whole = trainer(tmp_path / "a", perceptual)
    curve = whole.train("toy")
    trainer(tmp_path / "b", perceptual).train("toy", stop_at=2)
    resumed = trainer(tmp_path / "b", perceptual)
    assert curve.equals(resumed.train("toy"))
    one, other = state(whole), state(resumed)
    assert any("running_mean" in key for key in one)
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert ("generator_perceptual" in curve) == (perceptual > 0)


def test_the_generators_loss_falls(tmp_path: Path) -> None:
    made = trainer(tmp_path, images=240, flip=False, decay="constant")
    curve = made.train("toy")
    first, last = curve["generator_l1"].iloc[:5].mean(), curve["generator_l1"].iloc[-5:].mean()
    assert len(curve) == 60
    assert last < 0.7 * first
    assert curve["discriminator_loss"].iloc[-5:].mean() < curve["discriminator_loss"].iloc[0]


def test_the_discriminator_has_its_own_rate(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.train("toy", stop_at=1)
    expected = learning_rate(made.settings, 0)
    rates = {name: o.param_groups[0]["lr"] for name, o in made.optimisers.items()}
    assert rates == pytest.approx({"generator": expected, "discriminator": 0.1 * expected})


def test_the_stage_leaves_a_generator_that_loads(tmp_path: Path) -> None:
    raw = report_tree.make_settings(methods=["lama"], masks=["box"]).model_dump(mode="json")
    raw["training"]["lama"] |= {
        "images": 32, "batch": 8, "channels": 8, "downsamplings": 1, "blocks": 1,
        "discriminator_channels": 8, "discriminator_layers": 1, "perceptual": 0.0,
    }  # fmt: skip
    raw["resources"]["device"] = "cpu"
    target = target_of("lama", dataset="emoji")
    tree = report_tree.Tree(tmp_path, Pipeline(parse(raw)))
    tree.write(target)
    job = tree.job(target)
    lama.run(job)
    curve = pd.read_csv(job.out / "loss.csv")
    assert curve["images"].tolist() == [8, 16, 24, 32]
    assert curve.notna().all(axis=None)
    generator = load_generator(job.out / lama.WEIGHTS)
    hole = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    hole[..., 8:20, 8:20] = True
    output = generator(torch.zeros(1, 3, 32, 32), hole)
    assert output.shape == (1, 3, 32, 32)
    assert torch.isfinite(output).all()
    assert job.folder("data") and not job.resume.exists()


def test_lama_is_trained_by_one_process() -> None:
    """Several would each normalise their own part of the batch."""
    assert "lama" not in TRAININGS
