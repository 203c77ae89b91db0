"""Collections of shards: listed once, pinned to a commit, resumed shard by shard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from httpserver import Handler, Site, serve
from radpipe.assets import Manifest
from radpipe.downloads import Policy
from radpipe.errors import UserError
from radpipe.section import section
from radpipe.shards import fetch_shards

SHARDS = {f"data/train-{i:05d}-of-00003.parquet": bytes([i]) * 5000 for i in range(3)}
POLICY = Policy(attempts=2, connect=2, stall=0.5, sleep=lambda seconds: None)
TREE = "/api/datasets/lab/faces/tree/c0ffee/data"


def entry(path: str) -> dict[str, object]:
    data = SHARDS[path]
    return {
        "type": "file",
        "path": path,
        "size": len(data),
        "oid": "not this one",
        "lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)},
    }


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A hub with one data set, its listing on two pages."""
    with serve() as running:
        first, *rest = SHARDS

        def tree(handler: Handler, earlier: int) -> None:
            if "page=2" in handler.path:
                others = [{"type": "file", "path": "data/README.md", "size": 3, "oid": "x"}]
                body = json.dumps([*map(entry, rest), *others]).encode()
                handler.answer(200, body)
            else:
                link = f'<{running.url}{TREE}?page=2>; rel="next"'
                handler.answer(200, json.dumps([entry(first)]).encode(), Link=link)

        running.pages["/api/datasets/lab/faces/revision/main"] = b'{"sha": "c0ffee"}'
        running.pages[TREE] = tree
        for path, data in SHARDS.items():
            running.pages[f"/datasets/lab/faces/resolve/c0ffee/{path}"] = data
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def manifest(**fields: object) -> Manifest:
    wanted = {
        "repository": "lab/faces",
        "revision": "main",
        "pattern": "data/train-*.parquet",
        "about_images": 4,
        "column": "image",
        "about_bytes": 15000,
        "licence": "none",
        "origin": "a test",
        **fields,
    }
    return section(Manifest, {"assets": {}, "collections": {"faces": wanted}}, "", "test")


def get(cache: Path, **fields: object) -> list[Path]:
    return fetch_shards("faces", cache, manifest(**fields), POLICY)


def test_all_pages_of_the_listing_are_read_and_all_shards_come(site: Site, tmp_path: Path) -> None:
    paths = get(tmp_path)
    assert [path.read_bytes() for path in paths] == list(SHARDS.values())
    count = len(site.requests)
    assert get(tmp_path) == paths
    assert len(site.requests) == count  # nothing is asked again


def test_the_commit_is_kept_when_the_branch_moves(site: Site, tmp_path: Path) -> None:
    paths = get(tmp_path)
    paths[1].unlink()
    site.pages["/api/datasets/lab/faces/revision/main"] = b'{"sha": "deadbeef"}'
    assert get(tmp_path)[1].read_bytes() == SHARDS["data/train-00001-of-00003.parquet"]


def test_a_corrupt_shard_is_named_and_the_others_are_kept(site: Site, tmp_path: Path) -> None:
    path = "data/train-00002-of-00003.parquet"
    site.pages[f"/datasets/lab/faces/resolve/c0ffee/{path}"] = b"!" * 5000
    with pytest.raises(UserError, match=r"train-00002-of-00003\.parquet"):
        get(tmp_path)
    assert (tmp_path / "faces" / "train-00000-of-00003.parquet").is_file()
    assert not (tmp_path / "faces" / "train-00002-of-00003.parquet").exists()


def test_gated_collections_need_the_token(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(UserError, match=r"accept its terms(.|\n)*export HF_TOKEN"):
        get(tmp_path, gated=True)
    assert not site.requests
    monkeypatch.setenv("HF_TOKEN", "t0ken")
    assert len(get(tmp_path, gated=True)) == 3
    assert {headers.get("Authorization") for _, headers in site.requests} == {"Bearer t0ken"}


def test_a_hub_that_is_busy_is_asked_again(site: Site, tmp_path: Path) -> None:
    def busy(handler: Handler, earlier: int) -> None:
        if earlier:
            handler.answer(200, b'{"sha": "c0ffee"}')
        else:
            handler.answer(429, Retry_After="0")

    site.pages["/api/datasets/lab/faces/revision/main"] = busy
    assert len(get(tmp_path)) == 3


def test_an_unknown_repository_is_one_message(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(HTTP 404\)"):
        get(tmp_path, repository="lab/nothing")


def test_a_pattern_that_matches_nothing_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of lab/faces matches"):
        get(tmp_path, pattern="data/test-*.parquet")
