"""Downloads over a server that truncates, stalls, ignores ranges, answers 429 and redirects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest

from httpserver import Handler, Site, serve
from radpipe import downloads
from radpipe.downloads import SourceError, download
from radpipe.errors import UserError

DATA = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Less patience; what was waited for, without the waiting."""
    taken: list[float] = []
    monkeypatch.setattr(downloads, "ATTEMPTS", 3)
    monkeypatch.setattr(downloads, "TIMEOUT", (2.0, 10.0))
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.bin.part"


def test_a_file_arrives(site: Site, part: Path) -> None:
    site.pages["/f"] = DATA
    download(f"{site.url}/f", part, size=len(DATA))
    assert part.read_bytes() == DATA
    assert site.ranges("/f") == [None]


def test_a_part_is_continued(site: Site, part: Path) -> None:
    site.pages["/f"] = DATA
    part.write_bytes(DATA[:1000])
    download(f"{site.url}/f", part)
    assert part.read_bytes() == DATA
    assert site.ranges("/f") == ["bytes=1000-"]


def test_truncated_answers_are_continued(site: Site, part: Path, pauses: list[float]) -> None:
    site.pages["/f"] = lambda handler, earlier: handler.whole(DATA, stop=1_100_000)
    download(f"{site.url}/f", part)
    assert part.read_bytes() == DATA
    assert len(site.requests) == 3
    assert len(pauses) == 2


def test_a_stalled_connection_is_dropped_and_continued(
    site: Site, part: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def page(handler: Handler, earlier: int) -> None:
        handler.whole(DATA, stop=None if earlier else 1_500_000, stall=5)

    site.pages["/f"] = page
    monkeypatch.setattr(downloads, "TIMEOUT", (2.0, 0.3))
    with caplog.at_level("INFO"):
        download(f"{site.url}/f", part)
    assert "nothing came for too long" in caplog.text
    assert part.read_bytes() == DATA
    assert site.ranges("/f")[1] is not None


def test_a_server_without_ranges_sends_the_whole_again(site: Site, part: Path) -> None:
    site.pages["/f"] = lambda handler, earlier: handler.whole(DATA, ranges=False)
    part.write_bytes(b"x" * 1000)
    download(f"{site.url}/f", part)
    assert part.read_bytes() == DATA


def test_a_server_that_always_truncates_is_given_up(site: Site, part: Path) -> None:
    site.pages["/f"] = lambda handler, earlier: handler.whole(DATA, ranges=False, stop=1000)
    with pytest.raises(SourceError, match=r"cut|ended after"):
        download(f"{site.url}/f", part)
    assert 3 <= len(site.requests) <= 4


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date", "none", "long"])
def test_a_busy_server_is_waited_for(
    site: Site, part: Path, pauses: list[float], status: int, form: str
) -> None:
    after = {"seconds": "7", "date": formatdate(time.time() + 30, usegmt=True), "long": "9999"}

    def page(handler: Handler, earlier: int) -> None:
        if earlier:
            handler.whole(DATA)
        elif form in after:
            handler.answer(status, Retry_After=after[form])
        else:
            handler.answer(status)

    site.pages["/f"] = page
    download(f"{site.url}/f", part)
    low, high = {"seconds": (7, 7), "date": (20, 31), "none": (0, 0), "long": (120, 120)}[form]
    assert low <= sum(pauses) <= high
    assert len(site.requests) == 2


def test_a_server_that_stays_busy_is_given_up(site: Site, part: Path, pauses: list[float]) -> None:
    site.pages["/f"] = lambda handler, earlier: handler.answer(429)
    with pytest.raises(SourceError, match=r"429.*tried 3 times"):
        download(f"{site.url}/f", part)
    assert len(site.requests) == 3
    assert sum(pauses) >= 2  # seconds


def test_redirects_are_followed_without_the_token(site: Site, part: Path) -> None:
    with serve() as other:
        other.pages["/g"] = DATA
        target = other.url.replace("127.0.0.1", "localhost") + "/g"
        site.pages["/f"] = lambda handler, earlier: handler.answer(302, Location=target)
        headers = {"Authorization": "Bearer secret"}
        download(f"{site.url}/f", part, headers=headers)
        assert part.read_bytes() == DATA
        assert site.requests[0][1]["Authorization"] == "Bearer secret"
        assert "Authorization" not in other.requests[0][1]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_repeated(site: Site, part: Path, status: int) -> None:
    site.pages["/f"] = lambda handler, earlier: handler.answer(status)
    with pytest.raises(SourceError, match=str(status)):
        download(f"{site.url}/f", part)
    assert len(site.requests) == 1


def test_a_file_of_another_size_is_refused_before_it_is_read(site: Site, part: Path) -> None:
    site.pages["/f"] = DATA
    with pytest.raises(SourceError, match="3000000 bytes instead of 5"):
        download(f"{site.url}/f", part, size=5)
    assert not part.exists()


def test_a_refused_range_starts_over(site: Site, part: Path) -> None:
    site.pages["/f"] = DATA
    part.write_bytes(b"x" * (len(DATA) + 5))
    download(f"{site.url}/f", part)
    assert part.read_bytes() == DATA


def test_an_unverifiable_part_is_continued_only_if_the_file_is_the_same(
    site: Site, part: Path
) -> None:
    old, new = DATA[::-1], DATA

    def changes(handler: Handler, earlier: int) -> None:
        if earlier == 0:
            handler.whole(old, stop=500_000, tag='"old"')
        else:
            handler.whole(new, tag='"new"')

    site.pages["/f"] = changes
    download(f"{site.url}/f", part, verifiable=False)
    assert part.read_bytes() == new
    assert site.requests[-1][1]["If-Range"] == '"old"'


def test_nobody_there_is_a_source_error(part: Path) -> None:
    with serve() as gone:
        url = gone.url
    with pytest.raises(SourceError, match="tried 3 times"):
        download(f"{url}/f", part)


def test_a_file_that_does_not_fit_is_refused_before_it_starts(
    site: Site, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/f"] = DATA
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"needs 3\.0 MB more, 1\.0 MB are free"):
        download(f"{site.url}/f", part)
    assert not part.exists()
