"""From a file at hand to a cell of FFHQ's table at 256x256, without a training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import madeup
import tiny
from radpipe.inpainters.base import to_pixels
from radpipe.models import authors
from radpipe.models.checkpoints import FFHQ256

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone for FFHQ alone; grey pictures, which the made-up networks know."""
    monkeypatch.setenv("RADPIPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "faces").mkdir()
    for number, pixels in enumerate(to_pixels(madeup.grey(6, 256))):
        Image.fromarray(pixels).save(tmp_path / "faces" / f"{number}.png")
    return tiny.clone(
        tmp_path / "clone",
        run__datasets=["ffhq"],
        run__methods=["rad"],
        datasets__ffhq__overrides=[],
        datasets__ffhq__rad="authors-ffhq256",
        datasets__ffhq__data={"folder": str(tmp_path / "faces"), "val": 2, "test": 2},
        inpainters={"rad": {"steps": 4}},
        evaluation__images=2,
        evaluation__jackknife_blocks=2,
        evaluation__metrics=["psnr_known", "psnr_hole"],
    )


def list_as(clone: Path, name: str, file: Path) -> None:
    """Pin a made-up file in place of the real one."""
    path = clone / "workflow/assets.yaml"
    raw = yaml.safe_load(path.read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    raw["assets"][name] |= {"sha256": digest, "bytes": file.stat().st_size}
    path.write_text(yaml.safe_dump(raw))


def test_two_images_without_a_training(clone: Path, tmp_path: Path) -> None:
    file, base = tmp_path / "diffusion_pytorch_model.safetensors", tmp_path / "ffhq_10m.pt"
    madeup.write(file, FFHQ256, rank=16)
    torch.save(dict(authors.load(file, FFHQ256).base), base)
    refused = tiny.run(
        clone, "radpipe", "fetch", "authors-ffhq256", "--from", str(file), check=False
    )
    assert refused.returncode == 1 and "this is not `authors-ffhq256`" in refused.stderr
    for name, path in (("authors-ffhq256", file), ("adm-ffhq256", base)):
        list_as(clone, name, path)
        tiny.run(clone, "radpipe", "fetch", name, "--from", str(path))
    tiny.snakemake(clone, "--", "results/tables/main.csv")
    receipt = clone / "results/checkpoints/ffhq/rad/default/receipt.json"
    facts = json.loads(receipt.read_text())["facts"]
    assert facts["frozen"]["equal to the base network"] == facts["frozen"]["compared"]
    assert max(facts["noise_error"].values()) < 0.1
    assert not (clone / "results/masks/ffhq/bank").exists()
    explained = tiny.run(
        clone, "radpipe", "explain", "results/tables/main.csv", "rad", "box", "psnr_hole"
    ).stdout
    assert "rad_ffhq256_300000.safetensors" in explained and "authors-ffhq256" in explained
    assert hashlib.sha256(file.read_bytes()).hexdigest() in explained
