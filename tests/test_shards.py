"""Collections of shards: listed once, pinned to a commit, resumed shard by shard."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from httpserver import Handler, Site, logged_out, serve
from radpipe import downloads
from radpipe.errors import UserError
from radpipe.manifest import Manifest
from radpipe.section import section
from radpipe.shards import fetch_shards

SHARDS = {f"data/train-{i:05d}-of-00003.parquet": bytes([i]) * 5000 for i in range(3)}
COMMIT = "c0ffee" + 34 * "0"
API = "/api/datasets/lab/faces"
TREE = f"{API}/tree/{COMMIT}"


def entry(path: str) -> dict[str, object]:
    data = SHARDS[path]
    digest = hashlib.sha256(data).hexdigest()
    lfs = {"oid": digest, "size": len(data), "pointerSize": 130}
    return {"type": "file", "path": path, "size": len(data), "oid": "not this one", "lfs": lfs}


def address(path: str) -> str:
    return f"/datasets/lab/faces/resolve/{COMMIT}/{path}"


def serve_shard(site: Site, path: str, data: bytes) -> None:
    tag = f'"{hashlib.sha256(data).hexdigest()}"'
    site.pages[address(path)] = lambda handler, _: handler.whole(
        data, tag=tag, X_Repo_Commit=COMMIT
    )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A hub with one data set, its listing on two pages."""
    with serve() as running:
        first, *rest = SHARDS

        def tree(handler: Handler, earlier: int) -> None:
            if "page=2" in handler.path:
                others = [{"type": "file", "path": "data/README.md", "size": 3, "oid": "x"}]
                others += [{"type": "directory", "path": "data", "oid": "y"}]
                handler.answer(200, json.dumps([*map(entry, rest), *others]).encode())
            else:
                link = f'<{running.url}{TREE}?page=2>; rel="next"'
                handler.answer(200, json.dumps([entry(first)]).encode(), Link=link)

        branch(running, COMMIT)
        running.pages[TREE] = tree
        for path, data in SHARDS.items():
            serve_shard(running, path, data)
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield running


def branch(site: Site, commit: str) -> None:
    site.pages[f"{API}/revision/main"] = json.dumps({"id": "lab/faces", "sha": commit}).encode()


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
    return fetch_shards("faces", cache, manifest(**fields))


def test_all_pages_of_the_listing_are_read_and_all_shards_come(site: Site, tmp_path: Path) -> None:
    paths = get(tmp_path)
    assert [path.read_bytes() for path in paths] == list(SHARDS.values())
    count = len(site.requests)
    assert get(tmp_path) == paths
    assert len(site.requests) == count  # nothing is asked again


def test_the_commit_is_kept_when_the_branch_moves(site: Site, tmp_path: Path) -> None:
    paths = get(tmp_path)
    paths[1].unlink()
    branch(site, "deadbeef" + 32 * "0")
    assert get(tmp_path)[1].read_bytes() == SHARDS["data/train-00001-of-00003.parquet"]


def test_a_corrupt_shard_is_named_and_the_others_are_kept(site: Site, tmp_path: Path) -> None:
    path = "data/train-00002-of-00003.parquet"
    serve_shard(site, path, b"!" * 5000)
    with pytest.raises(UserError, match=r"`data/train-00002-of-00003\.parquet` is damaged") as told:
        get(tmp_path)
    serve_shard(site, path, SHARDS[path])
    Path(told.value.where).unlink()  # what the message says
    count = len(site.requests)
    assert get(tmp_path)[2].read_bytes() == SHARDS[path]
    assert len(site.requests) == count + 1


def test_a_connection_that_is_cut_is_continued(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "data/train-00001-of-00003.parquet"

    def cut(handler: Handler, earlier: int) -> None:
        stop = None if earlier else 1000
        handler.whole(SHARDS[path], stop=stop, X_Repo_Commit=COMMIT)

    site.pages[address(path)] = cut
    assert get(tmp_path)[1].read_bytes() == SHARDS[path]
    assert len(site.ranges(address(path))) == 2


def test_gated_collections_need_the_token(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_out(monkeypatch)
    with pytest.raises(UserError, match=r"accept its terms(.|\n)*export HF_TOKEN"):
        get(tmp_path, gated=True)
    assert not site.requests
    monkeypatch.setenv("HF_TOKEN", "t0ken")
    assert len(get(tmp_path, gated=True)) == 3
    sent = {headers.get("authorization") for _, headers in site.requests}
    assert sent == {"Bearer t0ken"}


def test_the_token_is_not_sent_where_it_is_not_needed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "t0ken")
    get(tmp_path)
    assert {headers.get("authorization") for _, headers in site.requests} == {None}


def test_a_hub_that_is_busy_is_asked_again(site: Site, tmp_path: Path) -> None:
    path = "data/train-00001-of-00003.parquet"

    def busy(handler: Handler, earlier: int) -> None:
        if earlier or handler.command == "HEAD":
            handler.whole(SHARDS[path], X_Repo_Commit=COMMIT)
        else:
            handler.answer(429, Retry_After="3")

    site.pages[address(path)] = busy
    assert len(get(tmp_path)) == 3


def test_an_unknown_repository_is_one_message(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(HTTP 404\)"):
        get(tmp_path, repository="lab/nothing")


def test_a_hub_that_is_gone_is_one_message(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(tmp_path)[1].unlink()
    with serve() as gone:
        monkeypatch.setenv("HF_ENDPOINT", gone.url)
    with pytest.raises(UserError, match=r"train-00001(.|\n)*HF_ENDPOINT"):
        get(tmp_path)


def test_a_data_set_that_does_not_fit_is_refused_before_it_starts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"the data set faces needs 15\.0 kB more, 1\.0 kB are"):
        get(tmp_path)
    assert not any("resolve" in path for path, _ in site.requests)


def test_a_pattern_that_matches_nothing_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of lab/faces matches"):
        get(tmp_path, pattern="data/test-*.parquet")
