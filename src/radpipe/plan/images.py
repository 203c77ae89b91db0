"""How many images a data set has: from its receipt, or an estimate where there is none yet."""

from __future__ import annotations

from pathlib import Path

from radpipe import data
from radpipe.data import folder
from radpipe.data.images import SPLITS
from radpipe.manifest import asset, collection
from radpipe.pictures import SUFFIXES
from radpipe.pipeline import Pipeline
from radpipe.receipts import Receipt
from radpipe.settings import Settings


def download(settings: Settings, dataset: str) -> tuple[str, str]:
    """('collection' | 'asset', name) that a data set is read from; ('', '') where it is drawn or
    lies in a folder."""
    module, own = data.load(settings.reader(dataset)), settings.data(dataset)
    for kind in ("collection", "asset"):
        if hasattr(module, kind.upper()) and getattr(own, "folder", None) is None:
            return kind, str(getattr(module, kind.upper()))
    return "", ""


def images_of(pipeline: Pipeline, dataset: str, split: str = "") -> tuple[int, bool]:
    """(images of a split or of all, whether that is known rather than estimated)."""
    receipt = Receipt.read(Path(pipeline.target("data", dataset=dataset).receipt))
    if receipt is not None:
        counts = {name: int(receipt.facts[name]) for name in SPLITS}
        return counts[split] if split else sum(counts.values()), True
    settings = pipeline.settings
    module, own = data.load(settings.reader(dataset)), settings.data(dataset)
    if hasattr(module, "COLLECTION"):
        total = collection(module.COLLECTION).about_images
    elif hasattr(module, "ASSET"):
        total = asset(module.ASSET).about_images or 0
    elif isinstance(own, folder.Settings):
        total = len(folder.listing(Path(own.folder).expanduser(), SUFFIXES)[0])
    else:
        total = int(sum(getattr(own, name) for name in SPLITS))
    if not split:
        return total, False
    held = {name: getattr(own, name) for name in ("val", "test")}
    counts = {name: round(part * total) if part < 1 else int(part) for name, part in held.items()}
    counts["train"] = max(0, total - sum(counts.values()))
    return counts[split], False
