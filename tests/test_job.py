"""What a job is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radpipe import dotted, params, settings
from radpipe.errors import UserError
from radpipe.job import Job
from radpipe.masks.bank import Bank, BankSettings, write_shard
from radpipe.pipeline import Pipeline, target_of
from radpipe.receipts import Receipt

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def resources() -> settings.Resources:
    return params.read(ROOT / "params.yaml").resources


def bank(folder: Path, shards: int, resources: settings.Resources) -> Bank:
    """The masks as stage `rad` reads them."""
    raw = params.read(ROOT / "params.yaml").model_dump(mode="json")
    dotted.put(raw, "masks.training", {"family": "box", "count": 24, "shards": shards})
    target = target_of("rad", dataset="emoji", variant="default")
    job = Job(Pipeline(params.parse(raw)).slice(target), folder, resources)
    paths = [f.path / f"{f.receipt.stem}.npz" for f in job.folders("bank")]
    for path in paths:
        bank = BankSettings(family="box", count=24, shards=shards)
        write_shard(path, bank, 32, 0, int(path.stem))
    return Bank(paths)


def test_a_mask_keeps_its_number_whatever_the_number_of_shards(
    tmp_path: Path, resources: settings.Resources
) -> None:
    one, twelve = (bank(tmp_path / str(n), n, resources) for n in (1, 12))
    assert len(one) == len(twelve) == 24
    assert len(np.unique(one.masks(range(24)), axis=0)) > 12
    np.testing.assert_array_equal(one.masks(range(24)), twelve.masks(range(24)))


def test_a_job_refuses_what_was_made_with_other_settings(
    tmp_path: Path, resources: settings.Resources
) -> None:
    raw = params.read(ROOT / "params.yaml").model_dump(mode="json")
    holes = target_of("holes", dataset="emoji", mask="box")
    job = Job(Pipeline(params.parse(raw)).slice(holes), tmp_path, resources)
    job.require_current()  # what is not there is another matter
    dotted.put(raw, "seed", 1)
    other = Pipeline(params.parse(raw)).slice(target_of("data", dataset="emoji"))
    Receipt(other, {}).write(tmp_path / "results/data/emoji/receipt.json")
    with pytest.raises(UserError, match="other settings"):
        job.require_current()
