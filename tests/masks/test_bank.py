"""Masks on disk: independent of shards and of other images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radpipe.errors import UserError
from radpipe.imagestore import ImageStore
from radpipe.masks import draw
from radpipe.masks.bank import Bank, BankSettings, evaluation_masks, write_shard
from radpipe.seeding import generator


def of(family: str, count: int, shards: int = 1) -> BankSettings:
    return BankSettings(family=family, count=count, shards=shards)


def bank(folder: Path, shards: int, count: int = 10, size: int = 17) -> Bank:
    paths = [folder / f"{shards}-{shard}.npz" for shard in range(shards)]
    for shard, path in enumerate(paths):
        write_shard(path, of("perlin", count, shards), size, 3, shard)
    return Bank(paths)


def test_shards_hold_each_mask_once() -> None:
    for count, shards in [(10, 1), (10, 3), (2, 4)]:
        held = [i for shard in range(shards) for i in of("box", count, shards).held(shard)]
        assert held == list(range(count))


def test_the_number_of_shards_changes_no_mask(tmp_path: Path) -> None:
    one, three = bank(tmp_path, 1), bank(tmp_path, 3)
    assert len(one) == len(three) == 10
    np.testing.assert_array_equal(one.masks(range(10)), three.masks(range(10)))


def test_masks_survive_the_packing(tmp_path: Path) -> None:
    stored = bank(tmp_path, 1)
    assert stored.size == 17
    for index in range(10):
        expected = draw("perlin", generator(3, "bank", "perlin", 17, index), 17)
        np.testing.assert_array_equal(stored.mask(index), expected)
    assert stored.masks(np.array([4, 4, 0])).shape == (3, 17, 17)
    np.testing.assert_array_equal(stored.masks([4])[0], stored.mask(4))


def test_same_bank_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_shard(tmp_path / f"{name}.npz", of("perlin", 5), 16, 0)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_seeds_differ(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_shard(tmp_path / f"{seed}.npz", of("perlin", 5), 16, seed)
    first, second = (Bank([tmp_path / f"{seed}.npz"]).masks(range(5)) for seed in (0, 1))
    assert (first != second).any()


def test_shards_of_two_sizes_are_refused(tmp_path: Path) -> None:
    for size in (16, 17):
        write_shard(tmp_path / f"{size}.npz", of("box", 2), size, 0)
    with pytest.raises(UserError, match=r"\[16, 17\]"):
        Bank([tmp_path / "16.npz", tmp_path / "17.npz"])


@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "shard.npz"
    write_shard(path, of("box", 20), 16, 0)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:200] if damage == "cut" else b"masks")
    with pytest.raises(UserError, match=r"shard\.npz"):
        Bank([path])


def test_evaluation_masks_are_kept_when_images_are_added(tmp_path: Path) -> None:
    evaluation_masks(tmp_path / "a.zip", "wide", 32, ["x", "y"], 0)
    evaluation_masks(tmp_path / "b.zip", "wide", 32, ["new", "y", "x"], 0)
    few, more = ImageStore(tmp_path / "a.zip"), ImageStore(tmp_path / "b.zip")
    assert more.ids == ["new", "y", "x"]
    for id in few.ids:
        assert few.read(id).dtype == np.bool_
        np.testing.assert_array_equal(few.read(id), more.read(id))
    assert (more.read("x") != more.read("y")).any()
