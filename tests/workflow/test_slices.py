"""Every setting reaches a slice, and slices stand on each other exactly as Snakemake's jobs do."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
import versioned
from radpipe import params
from radpipe.dotted import flatten, put
from radpipe.params import parse
from radpipe.pipeline import STAGES, Pipeline
from radpipe.receipts import canonical
from radpipe.settings import Settings

PARAMS = yaml.safe_load((tiny.ROOT / "params.yaml").read_text())

# how the machine is used; a result that depended on one of them would be a fault
MACHINE = {k for k in flatten(PARAMS) if "resources." in k and "sample_shards" not in k}
# a reader of its own settings cannot be another's: `data` changes with it
READERS = {"datasets.faces.reader", "datasets.landscapes.reader"}
KEYS = sorted(set(flatten(PARAMS)) - MACHINE - READERS)
# other valid values, where doubling a number or turning a switch gives none
OTHER: dict[str, tuple[Any, ...]] = {
    "base": ("adm-ffhq256", "train"), "reader": ("folder",),
    "emoji.data": ({"val": 0.1},), "data": ({"test": 7},), "overrides": ([],),
    "run.masks": (["extreme"],), "run.ablations": (["lora_rank"],),
    "run.methods": (["rad", "repaint"],), "run.datasets": (["ffhq"],),
    "family": ("box",), "decay": ("constant", "cosine"), "ema": (0.5,), "dropout": (0.1, 0.2),
    "precision": ("bf16", "fp32"), "phase1": (0.5, 0.6), "region": ("all", "noisy"),
    "embedding": ("dense",), "adapt": ("full",), "lama.masks": ("box",),
    "weights": ("big-lama", "train"), "solver": ("ddim",), "spacing": ("leading", "trailing"),
    "split": ("val",), "metrics": (["lpips"],), "reference": ("val",),
    "steps": (20, 30),  # at most 1,000
    "eta": (0.5,), "eta_b": (0.5,),
    "ablation_images": (1000, 2000), "styles.landscape": ({"scale": 1.1},),
    "ffhq.rad": ("authors-ffhq256", "train"),
}  # fmt: skip


def other(key: str, value: Any) -> Any:
    """A different value that is valid too."""
    for name, candidates in OTHER.items():
        if key == name or key.endswith(f".{name}"):
            return next(c for c in candidates if c != value)
    if key.endswith(".size"):
        return value // 2
    if key.endswith(".model.attention"):
        return value[1:]
    if key.endswith(".model.channel_mult"):
        return [*value[:-1], 2 * value[-1]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 or 1
    raise AssertionError(f"say in OTHER what else {key} can be")


def settings(changes: dict[str, Any]) -> Settings:
    raw = json.loads(json.dumps(PARAMS))
    for key, value in changes.items():
        if key.startswith("overrides."):  # an override's own name has dots
            _, name, inner = key.split(".", 2)
            raw["overrides"][name][inner] = value
        else:
            put(raw, key, value)
    return parse(raw)


@cache
def digests(changes: str) -> frozenset[tuple[str, str]]:
    """(target, digest of its slice) of everything that the settings lead to."""
    pipeline = Pipeline(settings(json.loads(changes)))
    targets = pipeline.walk(pipeline.report_targets())
    return frozenset((str(t), pipeline.digest(t)) for t in targets)


def slices(changes: dict[str, Any]) -> frozenset[tuple[str, str]]:
    return digests(json.dumps(changes, sort_keys=True))


def context(key: str) -> dict[str, Any]:
    """The run in which a setting plays a part."""
    ablations = {"run.ablations": ["lora_rank"] if "ablation" in key else []}
    if key.startswith("datasets."):
        return {"run.datasets": [key.split(".")[1]], "run.masks": ["box"]} | ablations
    if key.startswith("overrides.quick."):
        quick = {"run.datasets": ["emoji"], "datasets.emoji.overrides": ["quick"]}
        return quick | {"run.masks": ["box"]} | ablations
    if key.startswith("overrides."):
        trained = {"datasets.ffhq.base": "train"} if "training.base" in key else {}
        return {"run.datasets": ["ffhq"], "run.masks": ["box"]} | ablations | trained
    return {"run.masks": ["box"]} | ablations


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_reaches_a_slice(key: str) -> None:
    before = context(key) if not key.startswith("run.") else {}
    changed = other(key, value := flatten(PARAMS)[key])
    assert changed != value
    assert slices(before) != slices({**before, key: changed})


@pytest.mark.parametrize("key", sorted(MACHINE))
def test_the_machine_reaches_no_slice(key: str) -> None:
    value = flatten(PARAMS)[key]
    if key == "resources.device":
        changed: Any = "cpu"
    elif value is None:
        changed = "default"
    else:
        changed = value if isinstance(value, str) else value * 2 or 1
    before = context(key)
    if key == "resources.nodes":  # the processes must split over them
        before |= {"resources.processes": 2, "overrides.paper.resources.processes": 2}
    assert slices(before) == slices({**before, key: changed})


def edges(pipeline: Pipeline) -> Counter[str]:
    """The DAG up to the names of jobs: each job as its rule and, nested, all that it stands on."""
    shape = cache(lambda t: f"{t.stage.name}({','.join(sorted(map(shape, pipeline.upstream(t))))})")
    return Counter(shape(t) for t in pipeline.walk(pipeline.report_targets()))


def test_the_rule_graph_has_the_edges_of_the_slices(tmp_path: Path) -> None:
    """Snakemake's own DAG, with every method, two masks and an ablation."""
    folder = versioned.start(tmp_path)
    raw = yaml.safe_load((folder / "params.yaml").read_text())
    run = {"methods": PARAMS["run"]["methods"], "masks": ["box", "wide"], "ablations": ["steps"]}
    tiny.edit(folder, run={**raw["run"], **run}, resources__sample_shards={"default": 2})
    text = tiny.run(folder, "snakemake", "--dag").stdout
    rules = dict(re.findall(r'(\d+)\[label = "(\w+)', text))
    below: dict[str, list[str]] = {node: [] for node in rules}
    for source, node in re.findall(r"(\d+) -> (\d+)", text):
        below[node].append(source)
    shape = cache(lambda n: f"{rules[n]}({','.join(sorted(map(shape, below[n])))})")
    found = Counter(shape(node) for node in rules if rules[node] != "all")
    own = parse(yaml.safe_load((folder / "params.yaml").read_text()))
    assert found == edges(Pipeline(own))
    assert found.total() > 100


def test_jobs_were_given_what_their_slices_stand_on(finished) -> None:
    """The inputs in Snakemake's records of a real run against the slices in the receipts."""
    pipeline = Pipeline(params.read(finished.folder / "params.yaml"))
    records = [p for p in (finished.folder / ".snakemake/metadata").rglob("*") if p.is_file()]
    checked = 0
    for record in map(json.loads, map(Path.read_text, records)):
        if record.get("rule") not in STAGES:
            continue
        (path,) = [name for name in record["input"] if name.startswith(".radpipe/slices/")]
        own = json.loads((finished.folder / path).read_text())
        upstream = own["upstream"].values()
        targets = [pipeline.target(entry["stage"], **entry["wildcards"]) for entry in upstream]
        files = [name for target in targets for name in target.files]
        if record["rule"] in ("table", "figure"):  # what every copy of the results has is enough
            files = [n for target in targets for n in target.files if n in pipeline.kept(target)]
        expected = [path, *(entry["receipt"] for entry in upstream), *files]
        assert sorted(record["input"]) == sorted(expected)
        checked += 1
    assert checked > 28


def test_commands_are_short_at_the_papers_scale_and_with_many_methods(tmp_path: Path) -> None:
    """A shell's argument holds 131,072 bytes; a job is told where its slice is, not the slice."""
    folder = tiny.clone(tmp_path / "paper")
    raw = json.loads(json.dumps(PARAMS)) | {"seed": 0}
    raw["run"] |= {"datasets": ["ffhq", "lsun_bedroom", "imagenet"], "ablations": []}
    tiny.write(folder, raw)
    done = tiny.run(folder, "snakemake", "--cores", "1", "-n", "-p", "results/tables/main.csv")
    lines = done.stdout.splitlines()
    commands = [line for line in lines if "radpipe.cli run" in line]
    assert len(commands) > 1000
    assert max(map(len, commands)) < 400
    qualitative = Pipeline(parse(raw)).target("figure", name="qualitative")
    assert len(canonical(Pipeline(parse(raw)).slice(qualitative))) > 131_072  # it would not fit


def test_digests_name_stage_and_place() -> None:
    """Two targets never share a slice."""
    pipeline = Pipeline(settings({"run.ablations": ["components", "steps"]}))
    targets = list(pipeline.walk(pipeline.report_targets()))
    assert len({pipeline.digest(t) for t in targets}) == len(targets)
    assert pipeline.target("base", dataset=pipeline.settings.run.datasets[0]) in targets
