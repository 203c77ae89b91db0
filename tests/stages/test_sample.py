"""Sampling: the bar, and what a killed job keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from tqdm import tqdm

import report_tree
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.imagestore import ImageStore
from radpipe.inpainters.base import Inpainter
from radpipe.job import Job
from radpipe.params import parse
from radpipe.pipeline import Pipeline
from radpipe.section import Section
from radpipe.stages import sample


class Steps(Inpainter):
    """Evaluates its model `steps` times; each leaves the image as it is."""

    requires: ClassVar = "base"
    steps = 4
    fails: ClassVar[set[int]] = set()  # batches that do not fit in memory

    def planned_evaluations(self) -> int:
        return self.steps

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        for step in range(self.steps):
            if step == 1 and len(known) in self.fails:
                raise RuntimeError("out of memory")
            self.model(known)
        return known


@pytest.fixture
def job(tmp_path: Path) -> Job:
    raw = report_tree.make_settings(methods=["rad"], masks=["box"]).model_dump(mode="json")
    raw["resources"] |= {"device": "cpu", "sample_batch": 8}
    pipeline = Pipeline(parse(raw))
    target = pipeline.target("sample", dataset="emoji", method="rad", mask="box", shard="0")
    tree = report_tree.Tree(tmp_path, pipeline)
    tree._data(tree.job(pipeline.target("data", dataset="emoji")))
    tree._holes(tree.job(pipeline.target("holes", dataset="emoji", mask="box")))
    return tree.job(target)


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[tqdm]:
    """The bars that are made, and where each stood after every move."""
    made: list[tqdm] = []

    @contextmanager
    def bar(total: int, what: str, unit: str = "images", start: int = 0) -> Iterator[tqdm]:
        class Watched(tqdm):
            def update(self, n: float = 1) -> None:
                super().update(n)
                self.seen = [*getattr(self, "seen", []), self.n]

        with Watched(total=total, unit=unit, initial=start, mininterval=1e9) as progress:
            made.append(progress)
            yield progress

    monkeypatch.setattr(sample, "bar", bar)
    return made


def inpaint(job: Job, steps: int, fails: set[int]) -> None:
    kind = type("Own", (Steps,), {"steps": steps, "fails": fails})
    inpainter = kind(Section(), lambda x: x, TwoPhaseSchedule())
    truths = ImageStore(job.folder("data").file("test.zip"))
    holes = ImageStore(job.folder("holes").file("holes.zip"))
    ids = list(truths.ids)
    todo = [i for i in ids if not sample._finished(job.resume, i)]
    sample._inpaint(job, inpainter, truths, holes, ids, todo)


@pytest.mark.parametrize("fails", [set(), {8}])
def test_the_bar_moves_within_a_batch_and_ends_full(
    job: Job, bars: list[tqdm], fails: set[int]
) -> None:
    inpaint(job, 4, fails)
    (bar,) = bars
    assert bar.unit == "evaluations"
    assert bar.total == bar.seen[-1] == 4 * report_tree.IMAGES
    assert 8 in bar.seen and 16 in bar.seen  # within the first batch of 8
    assert bar.postfix == "12/12 images"


def test_a_method_of_one_evaluation_counts_images(job: Job, bars: list[tqdm]) -> None:
    inpaint(job, 1, set())
    (bar,) = bars
    assert bar.unit == "images"
    assert bar.total == bar.seen[-1] == report_tree.IMAGES


def test_a_resumed_bar_starts_where_the_work_was(job: Job, bars: list[tqdm]) -> None:
    inpaint(job, 4, set())
    for name in ("im01", "im05"):
        (job.resume / f"{name}.json").unlink()
    inpaint(job, 4, set())
    assert bars[1].initial == 4 * (report_tree.IMAGES - 2)
    assert bars[1].seen[-1] == 4 * report_tree.IMAGES


def test_an_image_that_is_kept_is_whole(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while its PNG is written leaves neither half a PNG nor a row."""
    image = report_tree.picture(0)
    sample._keep(job.resume, "im00", image, ("im00", 1, 4.0, 0.1))
    before = (job.resume / "im00.png").read_bytes()
    assert torch.equal(torch.tensor(sample.decode_png(before)), torch.tensor(image))

    def killed(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    for name in ("im00", "im01"):
        with pytest.raises(KeyboardInterrupt):
            sample._keep(job.resume, name, image, (name, 1, 4.0, 0.1))
    assert {p.name for p in job.resume.iterdir()} == {"im00.png", "im00.json"}
    assert (job.resume / "im00.png").read_bytes() == before
