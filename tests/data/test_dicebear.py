"""Drawn data sets: no combination of parts twice, the same pictures everywhere and at any size."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpipe import params
from radpipe.data import dicebear, images
from radpipe.data.dicebear import Settings, Stretch
from radpipe.errors import UserError
from radpipe.imagestore import ImageStore

# six combinations in all, for faces with few parts
FEW = {"bodyVariant": "body", "headVariant": "head", "clothesVariant": "shirt"}
FEW |= {"mouthVariant": "smile", "eyebrowsVariant": "happy", "eyesVariant": ["happy", "wide"]}
FEW |= {
    "hairVariant": ["bun", "spiky", "undercut"],
    "beardProbability": 0,
    "rearHairProbability": 0,
}
SMALL = Settings(styles={"toon-head": {"scale": 1.2}, "landscape": {}}, train=24, val=8, test=8)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn")
    dicebear.prepare(SMALL, 16, 0, out, out / "cache")
    return out


def test_splits_have_the_wanted_sizes_and_styles_take_turns(prepared: Path) -> None:
    listed = rows(prepared)
    assert Counter(row["split"] for row in listed) == {"train": 24, "val": 8, "test": 8}
    assert [row["style"] for row in listed] == ["toon-head", "landscape"] * 20
    for split in images.SPLITS:
        store = ImageStore(prepared / f"{split}.zip")
        assert store.ids == [row["id"] for row in listed if row["split"] == split]
        assert store.read_all().shape[1:] == (16, 16, 3)


def test_the_manifest_names_artists_and_licences(prepared: Path) -> None:
    first = rows(prepared)[0]
    assert (first["author"], first["licence"]) == ("Johan Melin", "CC BY 4.0")
    assert first["source"].startswith("https://www.figma.com/")
    assert {"eyes", "mouth", "hair", "clothes"} <= {p.split("=")[0] for p in first["parts"].split()}


def test_no_combination_of_parts_comes_twice() -> None:
    """Six combinations can be drawn, in many colours; a seventh picture is refused."""
    few = {"toon-head": FEW}
    drawings = dicebear.choose(Settings(styles=few, train=4, val=1, test=1), 0)
    assert len({drawing.parts for drawing in drawings}) == 6
    colours = {drawing.options["backgroundColor"] for drawing in drawings}
    assert len(colours) == 6
    with pytest.raises(UserError, match="toon-head has too few different combinations"):
        dicebear.choose(Settings(styles=few, train=5, val=1, test=1), 0)


def test_colours_are_no_parts_and_places_are() -> None:
    def parts(name: str, **options: object) -> str:
        return dicebear._drawing(name, 0, dict(options), 0).parts

    assert parts("toon-head") == parts("toon-head", skinColor="#123456", scale=2)
    assert "Color" not in parts("landscape")
    assert "hill1TranslateX=" in parts("landscape")
    assert parts("toon-head") != parts("toon-head", hairVariant="bun")
    assert parts("toon-head", hairVariant="bun") != parts("toon-head", hairVariant="spiky")


def drawn(settings: Settings, side: int, count: int, seed: int = 0) -> list[np.ndarray]:
    chosen = tuple(dicebear.choose(settings, seed)[:count])
    pictures = []
    for picture in dicebear.read(Stretch(chosen, side, "")):
        with Image.open(io.BytesIO(picture.data)) as image:
            pictures.append(np.asarray(image.convert("RGBA")))
    return pictures


def test_pictures_are_opaque_and_of_the_side_wanted() -> None:
    for picture in drawn(SMALL, 96, 6):
        assert picture.shape == (96, 96, 4)
        assert (picture[..., 3] == 255).all()


def test_a_small_picture_is_the_large_one_averaged(prepared: Path) -> None:
    id = ImageStore(prepared / "test.zip").ids[0]
    place = [row["id"] for row in rows(prepared)].index(id)
    large = drawn(SMALL, 64, place + 1)[place][..., :3].astype(float)
    means = large.reshape(16, 4, 16, 4, 3).mean((1, 3))
    # halved twice, each time rounded along both sides
    assert np.abs(ImageStore(prepared / "test.zip").read(id) - means).max() <= 2


def test_backgrounds_are_light_and_belong_to_the_image() -> None:
    colours = [dicebear.background(0, str(i)) for i in range(300)]
    assert len(set(colours)) > 290
    assert dicebear.background(0, "7") == colours[7] != dicebear.background(1, "7")
    levels = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours])
    lightness = (levels.max(1) + levels.min(1)) / 510
    assert (lightness > 0.54).all()
    assert (lightness < 0.91).all()
    assert set(levels.argmax(1)) == {0, 1, 2}  # hues all around


def test_a_style_with_a_sky_of_its_own_keeps_it() -> None:
    assert "backgroundColor" not in dicebear._drawing("landscape", 0, {}, 0).options
    assert "backgroundColor" in dicebear._drawing("toon-head", 0, {}, 0).options


def test_the_pictures_are_the_same_in_every_process(prepared: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from radpipe.data import dicebear\n"
        "if __name__ == '__main__':\n"
        "    s = dicebear.Settings.model_validate_json(sys.argv[1]); out = Path(sys.argv[2])\n"
        "    dicebear.prepare(s, 16, 0, out, out / 'cache', 2)\n"
    )
    (tmp_path / "draw.py").write_text(code)
    call = [sys.executable, tmp_path / "draw.py", SMALL.model_dump_json(), tmp_path]
    subprocess.run(call, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    for name in ("train.zip", "val.zip", "test.zip", "manifest.csv"):
        assert (tmp_path / name).read_bytes() == (prepared / name).read_bytes()
    assert dicebear.pixels(tmp_path) == dicebear.pixels(prepared)


def test_another_seed_gives_other_pictures() -> None:
    first, second = (drawn(SMALL, 64, 1, seed)[0] for seed in (0, 1))
    assert (first != second).any()


def test_a_killed_drawing_goes_on(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicebear, "_STRETCH", 10)
    original, calls = images._convert_part, []

    def killed(*job: object) -> int:
        calls.append(job[-1])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*job)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "_convert_part", killed)
    with pytest.raises(KeyboardInterrupt):
        dicebear.prepare(SMALL, 16, 0, tmp_path / "out", tmp_path)
    dicebear.prepare(SMALL, 16, 0, tmp_path / "out", tmp_path)
    assert calls == [0, 1, 2, 2, 3]
    assert (tmp_path / "out" / "train.zip").read_bytes() == (prepared / "train.zip").read_bytes()


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ({"micha": {}}, "did you mean `micah`"),
        ({"toon-head": {"scale": "big"}}, "DiceBear refuses the options of toon-head"),
    ],
)
def test_a_wrong_style_or_option_is_a_message(styles: dict[str, dict], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dicebear.choose(Settings(styles=styles, train=1, val=1, test=1), 0)


def test_another_renderer_is_noticed_but_no_obstacle(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key, found = dicebear.recipe(SMALL, 16, 0), dicebear.pixels(prepared)
    monkeypatch.setitem(dicebear.RECORDED, key, found)
    with caplog.at_level("INFO", "radpipe"):
        dicebear._compare(key, found, "")
    assert [record.levelname for record in caplog.records] == ["INFO"]
    monkeypatch.setitem(dicebear.RECORDED, key, "0" * 64)
    dicebear._compare(key, found, "resvg-py 9.9")
    assert caplog.records[-1].levelname == "WARNING"
    assert "resvg-py 9.9" in caplog.text
    assert "pip install -c constraints.txt" in caplog.text


@pytest.mark.parametrize("name", ["faces", "landscapes"])
def test_the_pixels_of_the_settings_are_recorded(name: str) -> None:
    """After a change of an entry: run the stage and record the sha256 that it logs."""
    settings = params.read()
    entry = settings.datasets[name]
    own = Settings.model_validate_json(json.dumps(entry.data))
    assert dicebear.recipe(own, entry.size, settings.seed) in dicebear.RECORDED
