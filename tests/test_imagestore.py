"""The container of images: exact round trip, same bytes, whole or absent."""

from __future__ import annotations

import errno
import multiprocessing
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from radpipe.errors import UserError
from radpipe.imagestore import ImageStore, decode_png, encode_png, image_writer


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"{i:03d}": rng.integers(0, 256, (9, 7, 3), np.uint8) for i in range(5)}


def write(path: Path, images: dict[str, np.ndarray]) -> Path:
    with image_writer(path) as writer:
        for id, image in images.items():
            writer.add(id, image)
    return path


def test_images_come_back_exactly_in_order(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    reversed_order = dict(reversed(images.items()))
    store = ImageStore(write(tmp_path / "deep" / "a.zip", reversed_order))
    assert store.ids == list(reversed_order)
    assert len(store) == 5
    assert "003" in store
    assert "x" not in store
    for id in images:
        np.testing.assert_array_equal(store.read(id), images[id])
    np.testing.assert_array_equal(store.read_all(), np.stack(list(reversed_order.values())))


def test_masks_come_back_as_bool_and_are_white_where_true(tmp_path: Path) -> None:
    hole = np.zeros((6, 5), np.bool_)
    hole[0, 0] = True
    store = ImageStore(write(tmp_path / "m.zip", {"m": hole}))
    back = store.read("m")
    assert back.dtype == np.bool_
    np.testing.assert_array_equal(back, hole)
    (tmp_path / "m.png").write_bytes(store.read_png("m"))
    from PIL import Image

    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "1"
        assert picture.convert("L").getpixel((0, 0)) == 255
        assert picture.convert("L").getpixel((1, 0)) == 0


def test_same_images_give_same_bytes(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    first, second = write(tmp_path / "a.zip", images), write(tmp_path / "b.zip", images)
    assert first.read_bytes() == second.read_bytes()


def test_any_zip_program_reads_it(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(write(tmp_path / "a.zip", images)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{id}.png" for id in images]


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4), np.uint8)])
def test_other_arrays_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="neither"), image_writer(tmp_path / "a.zip") as writer:
        writer.add("a", bad)


@pytest.mark.parametrize("id", ["../a", "/a", "", ".hidden", "a b"])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, id: str) -> None:
    with pytest.raises(ValueError, match="usable"), image_writer(tmp_path / "a.zip") as writer:
        writer.add(id, np.zeros((2, 2), np.bool_))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    path = write(tmp_path / "a.zip", images)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="two images"), image_writer(path) as writer:
        writer.add("a", images["000"])
        writer.add("a", images["000"])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_full_disk_is_one_message(
    tmp_path: Path, images: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.zip", images)
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match="disk is full"):
        write(path, images)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_damage_is_found_and_named(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    path = write(tmp_path / "a.zip", images)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    store = ImageStore(path)
    with pytest.raises(UserError, match="image 000 fails its checksum"):
        store.read("000")
    np.testing.assert_array_equal(store.read("004"), images["004"])


@pytest.mark.parametrize("keep", [0, 10, 400])
def test_a_truncated_store_is_refused(
    tmp_path: Path, images: dict[str, np.ndarray], keep: int
) -> None:
    path = write(tmp_path / "a.zip", images)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="damaged"):
        ImageStore(path)


def test_a_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such image store"):
        ImageStore(tmp_path / "none.zip")


def test_a_store_travels_to_other_processes(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    store = ImageStore(write(tmp_path / "a.zip", images))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read("002"), images["002"])
    ids = list(images) * 40
    with multiprocessing.get_context("fork").Pool(3) as pool:  # shares the open file
        for id, image in zip(ids, pool.map(store.read, ids, chunksize=5), strict=True):
            np.testing.assert_array_equal(image, images[id])


def test_masks_are_bytes_of_0_and_1() -> None:
    """Pillow gives bools whose bytes are 255, on which compiled code fails."""
    mask = np.eye(8, dtype=bool)
    assert decode_png(encode_png(mask)).view(np.uint8).max() == 1
