"""Fillers that need no trained network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from radpipe.inpainting import fill
from toy_fillers import toys

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., fill.Filler]]:
    """Loads a method of emoji, 32x32, with a toy network."""
    toys(monkeypatch)
    yield lambda method="rad": fill.load(method, "emoji", project=ROOT)
    fill._load.cache_clear()


@pytest.fixture
def filler(make: Callable[..., fill.Filler]) -> fill.Filler:
    return make()
