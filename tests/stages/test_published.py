"""Published networks through the stages: as a base network and as RAD's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

import madeup
from madeup import MICRO
from radpipe import params
from radpipe.assets import cache_folder, take
from radpipe.dag import Target
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.errors import UserError
from radpipe.imagestore import image_writer
from radpipe.inpainters.base import to_pixels
from radpipe.job import Job
from radpipe.models import authors, judge
from radpipe.pipeline import Pipeline
from radpipe.stages import _models, base, rad

ROOT = Path(__file__).parent.parent.parent
NETWORK = {
    "channels": 32,
    "res_blocks": 1,
    "channel_mult": [1, 1],
    "attention": [8],
    "head_channels": 8,
    "dropout": 0.0,
}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A repository whose data set takes both of its networks from files."""
    raw = params.read(ROOT / "params.yaml").model_dump(mode="json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADPIPE_CACHE", str(tmp_path / "cache"))
    rads = madeup.write(tmp_path / "rad.safetensors", MICRO, 4)
    public = dict(authors.load(rads, MICRO).base)
    save_file(madeup.diffusers_layout(public, MICRO), tmp_path / "base.safetensors")
    listed = {}
    for name, layout in (("rad", "authors-rad"), ("base", "diffusers-adm")):
        listed[f"{name}-micro"] = {
            "filename": f"{name}-micro.safetensors",
            "sha256": hashlib.sha256((tmp_path / f"{name}.safetensors").read_bytes()).hexdigest(),
            "licence": "none",
            "origin": "a test",
            "architecture": layout,
            "sources": [{"kind": "hand", "where": "this test writes it"}],
        }
    Path("workflow").mkdir()
    Path("workflow/assets.yaml").write_text(yaml.safe_dump({"assets": listed, "collections": {}}))
    for name in ("rad", "base"):
        take(f"{name}-micro", tmp_path / f"{name}.safetensors", cache_folder())
    own = {"size": 16, "base": "base-micro", "rad": "rad-micro", "model": NETWORK}
    raw["datasets"] = {"emoji": raw["datasets"]["emoji"] | own}
    raw["run"]["datasets"] = ["emoji"]
    raw["training"]["lama"]["weights"] = "train"
    return Pipeline(params.parse(raw))


def job(pipeline: Pipeline, target: Target) -> Job:
    resources = pipeline.settings.resources.model_copy(update={"device": "cpu"})
    return Job(pipeline.slice(target), Path(), resources)


def pictures(pipeline: Pipeline, pixels: np.ndarray) -> None:
    """The data set's validation images."""
    data = job(pipeline, pipeline.target("data", dataset="emoji"))
    with image_writer(data.out / "val.zip") as writer:
        for number, image in enumerate(pixels):
            writer.add(str(number), image)
    data.finish("val.zip")


def test_published_files_become_the_networks_of_a_data_set(pipeline: Pipeline) -> None:
    pictures(pipeline, to_pixels(madeup.grey(6, 16)))
    target = pipeline.target("rad", dataset="emoji", variant="default")
    assert {t.stage.name for t in pipeline.upstream(target)} == {"data", "base"}
    base.run(job(pipeline, pipeline.target("base", dataset="emoji")))
    given = job(pipeline, target)
    rad.run(given)
    receipt = json.loads(given.receipt.read_text())
    facts = receipt["facts"]
    assert facts["asset"] == "rad-micro" and facts["file"]["name"] == "rad-micro.safetensors"
    compared = facts["frozen"]["compared"]
    assert compared == facts["frozen"]["equal to the base network"] > 80
    assert facts["frozen"]["not"] == []
    assert facts["embedding"] == "spatial" and "new order" in facts["reading"]
    assert max(facts["noise_error"].values()) < 0.1
    assert all(Path(name).is_file() for name in target.outputs)
    folders = {"base": given.folder("base")}
    cell = pipeline.target("sample", dataset="emoji", method="rad", mask="box", shard="0")
    folders["rad"] = job(pipeline, cell).folder("rad")
    found = _models.network("rad", folders, TwoPhaseSchedule(), given.resources, torch.float32)
    errors = judge.noise_error(found.unet, found.mode, madeup.grey(3, 16))
    assert max(errors.values()) < 0.1


def test_a_network_that_does_not_know_the_pictures_is_refused(pipeline: Pipeline) -> None:
    """The made-up network knows grey pictures only; nothing is left behind."""
    rng = np.random.default_rng(0)
    pictures(pipeline, rng.integers(0, 2, (2, 16, 16, 3), dtype=np.uint8) * 255)
    base.run(job(pipeline, pipeline.target("base", dataset="emoji")))
    given = job(pipeline, pipeline.target("rad", dataset="emoji", variant="default"))
    with pytest.raises(UserError, match="predicts no noise"):
        rad.run(given)
    assert not given.receipt.exists() and not list(given.out.rglob("*.safetensors"))
