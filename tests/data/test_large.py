"""Folders and Parquet shards with the hub's schema: streamed, split, cropped as ADM does."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from pydantic import ValidationError

from radpipe import plugins
from radpipe import shards as hub
from radpipe.data import fingerprint, folder, images, load
from radpipe.data import parquet as shards
from radpipe.data.images import SPLITS, convert, deal, decode, held_out, square
from radpipe.errors import UserError
from radpipe.imagestore import ImageStore

SCHEMA = arrow.schema(
    {
        "image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()}),
        "label": arrow.int64(),
    }
)


def encoded(seed: int, shape: tuple[int, int] = (20, 24), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, pictures: Sequence[bytes | None], schema: arrow.Schema = SCHEMA) -> Path:
    """A shard as the hub's data sets have them, in several row groups."""
    rows = [
        {"image": data and {"bytes": data, "path": f"{i}.png"}, "label": 0}
        for i, data in enumerate(pictures)
    ]
    table = arrow.Table.from_pylist(rows, schema=schema)
    metadata = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})}
    parquet.write_table(table.replace_schema_metadata(metadata), path, row_group_size=7)
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three shards of 40, 3 and 17 images."""
    (tmp_path / "in").mkdir()
    numbers = iter(range(60))
    return [
        write(tmp_path / "in" / f"train-{i}.parquet", [encoded(next(numbers)) for _ in range(n)])
        for i, n in enumerate((40, 3, 17))
    ]


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_shards_become_splits(paths: list[Path], tmp_path: Path) -> None:
    source = shards.source(paths, "image", "lic", "who")
    assert source.counts == [40, 3, 17]
    split = held_out(60, 5, 6, 42)
    convert(source, 5, 6, 42, 16, tmp_path / "out", tmp_path / "work", 1)
    listed = rows(tmp_path / "out")
    assert [row["id"] for row in listed] == [f"{i:08d}" for i in range(60)]
    assert [SPLITS.index(row["split"]) for row in listed] == split.tolist()
    for name, count in (("train", 49), ("val", 5), ("test", 6)):
        store = ImageStore(tmp_path / "out" / f"{name}.zip")
        assert len(store) == count
        for id in store.ids:
            expected = square(decode(images.Picture(id, encoded(int(id)), id)), 16)
            np.testing.assert_array_equal(store.read(id), expected)
    data = ImageStore(tmp_path / "out" / "test.zip").read_png(
        next(row["id"] for row in listed if row["split"] == "test")
    )
    assert hashlib.sha256(data).hexdigest() in {row["sha256"] for row in listed}
    assert not list((tmp_path / "work").iterdir())


def test_the_number_of_processes_changes_no_byte(paths: list[Path], tmp_path: Path) -> None:
    source = shards.source(paths, "image", "lic", "who")
    for workers in (1, 2):
        convert(source, 5, 6, 42, 16, tmp_path / f"{workers}", tmp_path, workers)
    for name in ("train.zip", "val.zip", "test.zip", "manifest.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_killed_conversion_goes_on_with_what_is_left(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shards.source(paths, "image", "", "")
    original, done = images._convert_part, []

    def killed(*job: object) -> int:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job[-1])
        return original(*job)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "_convert_part", killed)
    with pytest.raises(KeyboardInterrupt):
        convert(source, 5, 6, 42, 16, tmp_path / "out", tmp_path / "work", 1)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(
        images, "_convert_part", lambda *job: done.append(job[-1]) or original(*job)
    )
    convert(source, 5, 6, 42, 16, tmp_path / "out", tmp_path / "work", 1)
    assert done == [0, 1, 2]
    assert len(rows(tmp_path / "out")) == 60


def test_at_most_a_few_rows_are_in_memory(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    original = parquet.ParquetFile.iter_batches

    def watched(self: parquet.ParquetFile, *args: object, **kwargs: object) -> object:
        for batch in original(self, *args, **kwargs):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", watched)
    source = shards.source(paths, "image", "", "")
    assert sum(1 for _ in shards.read(source.parts[0])) == 40
    assert max(sizes) <= 32


@pytest.mark.parametrize("workers", [1, 2])
def test_a_malformed_row_is_named(tmp_path: Path, workers: int) -> None:
    paths = [
        write(tmp_path / "a.parquet", [encoded(0), encoded(1)]),
        write(tmp_path / "b.parquet", [encoded(2), b"no picture", encoded(3)]),
    ]
    source = shards.source(paths, "image", "", "")
    with pytest.raises(UserError, match=r"malformed(.|\n)*b\.parquet, row 1"):
        convert(source, 1, 1, 0, 16, tmp_path / "out", tmp_path / "work", workers)
    assert not (tmp_path / "out").exists()


def test_an_empty_row_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [encoded(0), None])
    with pytest.raises(UserError, match=r"no image(.|\n)*row 1"):
        list(shards.read(shards.source([path], "image", "", "").parts[0]))


def test_a_shard_of_another_schema_or_cut_short_is_refused(
    paths: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"no column `picture`.*image, label"):
        shards.source(paths, "picture", "", "")
    with pytest.raises(UserError, match="no column `label`"):
        shards.source(paths, "label", "", "")
    paths[1].write_bytes(paths[1].read_bytes()[:-50])
    with pytest.raises(UserError, match=r"cannot be read(.|\n)*train-1\.parquet"):
        shards.source(paths, "image", "", "")


def test_held_out_is_a_seeded_partition() -> None:
    split = held_out(1000, 100, 150, 42)
    assert [int((split == k).sum()) for k in range(3)] == [750, 100, 150]
    np.testing.assert_array_equal(split, held_out(1000, 100, 150, 42))
    assert (split != held_out(1000, 100, 150, 43)).any()
    with pytest.raises(UserError, match="cannot be held out"):
        held_out(10, 5, 5, 0)


def test_copies_are_dealt_as_one_picture() -> None:
    marks = np.array([70, 10, 50, 10, 20, 70, 70, 60])
    split = deal(marks, 1, 2, 3)
    different = held_out(5, 1, 2, 3)  # of 70, 10, 50, 20, 60: as they come
    np.testing.assert_array_equal(split, different[[0, 1, 2, 1, 3, 0, 0, 4]])
    np.testing.assert_array_equal(deal(np.arange(50)[::-1], 5, 6, 42), held_out(50, 5, 6, 42))
    with pytest.raises(UserError, match="cannot be held out of 5"):
        deal(marks, 2, 3, 0)


@pytest.mark.parametrize("shape", [(256, 256), (300, 256), (256, 411)])
def test_a_picture_of_the_right_height_is_only_cropped(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    top, left = (shape[0] - 256) // 2, (shape[1] - 256) // 2
    expected = pixels[top : top + 256, left : left + 256]
    np.testing.assert_array_equal(square(Image.fromarray(pixels), 256), expected)


def test_large_pictures_are_halved_by_averaging() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    means = pixels.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(square(Image.fromarray(pixels), 32) - means).max() <= 1  # rounded twice
    with pytest.raises(AssertionError):
        bicubic = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(bicubic) - means).max() <= 1


@pytest.mark.parametrize("shape", [(37, 90), (500, 333), (32, 31), (5, 8)])
def test_every_shape_becomes_a_square(shape: tuple[int, int]) -> None:
    assert square(Image.new("RGB", (shape[1], shape[0])), 32).shape == (32, 32, 3)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 14 pictures of several kinds, with sub-folders."""
    root = tmp_path / "my pictures"
    for i in range(12):
        path = root / f"set{i % 2}" / f"photo {i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(i))
    (root / "a.JPG").write_bytes(encoded(20, kind="JPEG"))
    Image.new("CMYK", (30, 20)).save(root / "print.jpg")
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"no picture")
    return root


def test_any_folder_is_a_data_set(pictures: Path, tmp_path: Path) -> None:
    module = load("folder")
    settings = module.Settings(folder=str(pictures), licence="mine")
    module.prepare(settings, 16, 0, tmp_path / "out", tmp_path / "cache")
    listed = rows(tmp_path / "out")
    assert len(listed) == 14
    assert {row["split"] for row in listed} == set(SPLITS)
    assert {row["licence"] for row in listed} == {"mine"}
    assert "set1+photo-20-11.png" in {row["id"] for row in listed}


def test_a_malformed_file_of_a_folder_is_named(pictures: Path, tmp_path: Path) -> None:
    (pictures / "set0" / "bad.png").write_bytes(encoded(0)[:200])
    module = load("folder")
    with pytest.raises(UserError, match=r"malformed(.|\n)*set0/bad\.png"):
        module.prepare(module.Settings(folder=str(pictures)), 16, 0, tmp_path / "out", tmp_path)


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        folder.pictures(tmp_path / "none", "", "")
    with pytest.raises(UserError, match="holds no images"):
        folder.pictures(tmp_path, "", "")


@pytest.mark.parametrize("seed", range(3))
def test_identical_pictures_are_in_one_split(pictures: Path, tmp_path: Path, seed: int) -> None:
    for i in range(6):
        (pictures / f"copy {i}.png").write_bytes(encoded(0))
        with Image.open(pictures / "set0" / "photo 2.png") as image:  # the same pixels
            image.save(pictures / f"other {i}.tiff" if i % 2 else pictures / f"other {i}.bmp")
    module = load("folder")
    module.prepare(module.Settings(folder=str(pictures)), 16, seed, tmp_path / "out", tmp_path)
    sides: dict[str, set[str]] = {}
    for row in rows(tmp_path / "out"):
        sides.setdefault(row["sha256"], set()).add(row["split"])
    assert len(rows(tmp_path / "out")) == 26
    assert len(sides) == 14
    assert all(len(splits) == 1 for splits in sides.values())


def test_what_is_no_readable_picture_is_skipped_and_counted(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.heic", "b.HEIC", "README"):
        (pictures / name).write_bytes(b"no picture")
    (pictures / "dead.png").symlink_to(pictures / "gone.png")
    (pictures / "loop.png").symlink_to(pictures / "loop.png")
    (pictures / "live.png").symlink_to(pictures / "set0" / "photo 0.png")
    (pictures / "x.png").mkdir()
    (pictures / "x.png" / "inside.png").write_bytes(encoded(30))
    source = folder.pictures(pictures, "", "")
    assert "skipped 2 .heic, 1 .txt, 2 unreadable .png, 1 without suffix;" in caplog.text
    ids = [picture.id for part in source.parts for picture in source.read(part)]
    assert len(ids) == sum(source.counts) == 16
    assert {"x.png+inside.png", "live.png"} <= set(ids)


def test_the_fingerprint_is_of_the_pictures(pictures: Path) -> None:
    settings = load("folder").Settings(folder=str(pictures))
    seen = [fingerprint(settings)]
    assert fingerprint(settings) == seen[0]
    (pictures / "notes.txt").write_text("other notes")
    (pictures / "new.heic").write_bytes(b"no picture")
    assert fingerprint(settings) == seen[0]

    def changed() -> bool:
        seen.append(fingerprint(settings))
        return len(set(seen)) == len(seen)

    (pictures / "new.png").write_bytes(encoded(0))  # one more, one less: the same number and bytes
    (pictures / "set0" / "photo 0.png").unlink()
    assert changed()
    (pictures / "new.png").rename(pictures / "newer.png")
    assert changed()
    (pictures / "newer.png").write_bytes(encoded(1))
    assert changed()
    assert fingerprint(load("ffhq").Settings(folder=str(pictures))) == seen[-1]
    assert fingerprint(load("ffhq").Settings()) == fingerprint(load("emoji").Settings()) == ""
    assert fingerprint(load("folder").Settings(folder="/no/such/folder")) == "missing"


def test_ids_of_different_paths_differ() -> None:
    paths = ["a/b.png", "a+b.png", "a-b.png", "a b.png", "a/.b.png", "a-2f-b.png", "ä.png", "a.png"]
    ids = [folder.identify(path) for path in paths]
    assert len(set(ids)) == len(paths)
    assert folder.identify("cats/Tom 1.jpg") == "cats+Tom-20-1.jpg"


@pytest.mark.parametrize("name", ["ffhq", "lsun_bedroom", "imagenet"])
@pytest.mark.parametrize("kind", ["downloaded shards", "local shards", "local images"])
def test_the_papers_data_sets(
    name: str,
    kind: str,
    paths: list[Path],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, wanted = load(name), []
    monkeypatch.setattr(hub, "fetch_shards", lambda n, cache: wanted.append(n) or paths)
    place = {"local shards": paths[0].parent, "local images": pictures}.get(kind)
    settings = module.Settings(folder=place and str(place), val=2, test=3)
    module.prepare(settings, 16, 7, tmp_path / "out", tmp_path / "cache")
    assert wanted == ([module.COLLECTION] if kind == "downloaded shards" else [])
    assert len(ImageStore(tmp_path / "out" / "test.zip")) == 3
    assert len(rows(tmp_path / "out")) == (14 if kind == "local images" else 60)


def test_the_papers_split_is_the_default() -> None:
    settings = load("ffhq").Settings()
    assert (settings.split_seed, settings.val, settings.test) == (42, 1000, 1000)  # type: ignore[attr-defined]


def test_settings_are_strict_and_names_checked() -> None:
    large = {"ffhq", "lsun_bedroom", "imagenet"}
    assert set(plugins.names("data")) >= {"emoji", "dicebear", "folder"} | large
    with pytest.raises(ValidationError):
        load("ffhq").Settings(val="1000")
    with pytest.raises(ValidationError):
        load("emoji").Settings(eval_images=3)
    with pytest.raises(UserError, match="did you mean `ffhq`"):
        load("fhq")


def test_reading_the_settings_of_all_data_sets_imports_nothing_heavy() -> None:
    """A placeholder may stand for a package; what its own code imports must not be there."""
    placeholders = ("torch.", "cv2.", "scipy.", "skimage.", "pandas.")
    heavy = (*placeholders, "pyarrow", "dicebear", "resvg_py")
    code = "import sys; from radpipe import data, plugins; "
    code += "[data.load(n) for n in plugins.names('data')]; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "radpipe.data.dicebear" in run.stdout.split()
    assert [module for module in run.stdout.split() if module.startswith(heavy)] == []
