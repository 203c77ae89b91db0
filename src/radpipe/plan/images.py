"""How many images a data set has: from its receipt, or an estimate where there is none yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radpipe import data
from radpipe.assets import asset
from radpipe.pipeline import Pipeline
from radpipe.settings import Settings
from radpipe.shards import collection

SPLITS = ("train", "val", "test")


def reader_settings(settings: Settings, dataset: str) -> Any:
    """The data set's own settings, typed by its reader."""
    reader = data.load(settings.reader(dataset))
    given = settings.datasets[dataset].data
    return reader.Settings.model_validate_json(json.dumps(given))


def source_name(settings: Settings, dataset: str) -> tuple[str, str]:
    """('collection' | 'asset' | 'folder' | 'drawn', name or path) that a data set is read from."""
    reader, own = data.load(settings.reader(dataset)), reader_settings(settings, dataset)
    folder = getattr(own, "folder", None)
    if folder is not None:
        return "folder", str(folder)
    if hasattr(reader, "COLLECTION"):
        return "collection", str(reader.COLLECTION)
    return ("asset", str(reader.ASSET)) if hasattr(reader, "ASSET") else ("drawn", "")


def images_of(pipeline: Pipeline, dataset: str, split: str | None = None) -> tuple[int, bool]:
    """(images of a split or of all, whether that is known rather than estimated)."""
    receipt = Path(pipeline.target("data", dataset=dataset).receipt)
    if receipt.is_file():
        facts = json.loads(receipt.read_text())["facts"]
        return (facts[split] if split else sum(facts[s] for s in SPLITS)), True
    total = _about(pipeline.settings, dataset)
    if split is None:
        return total, False
    own = reader_settings(pipeline.settings, dataset)
    held = {name: getattr(own, name) for name in ("val", "test")}
    counts = {name: round(part * total) if part < 1 else int(part) for name, part in held.items()}
    counts["train"] = max(0, total - sum(counts.values()))
    return counts[split], False


def _about(settings: Settings, dataset: str) -> int:
    kind, name = source_name(settings, dataset)
    if kind == "collection":
        return collection(name).about_images
    if kind == "asset":
        return asset(name).about_images or 0
    if kind == "drawn":
        own = reader_settings(settings, dataset)
        return int(own.train + own.val + own.test)
    reader = data.load(settings.reader(dataset))
    return collection(reader.COLLECTION).about_images if hasattr(reader, "COLLECTION") else 0
