"""A new method is one file: the example of the README, as a plug-in."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from radpipe import inpainters
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters import load
from radpipe.inpainters.base import run_batch
from radpipe.plugins import names as plugins

README = Path(__file__).parents[2] / "README.md"
(EXAMPLE,) = [
    block
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    if "class MeanColour" in block
]


@pytest.fixture
def added(tmp_path: Path) -> Iterator[str]:
    """The example as a file of inpainters/."""
    (tmp_path / "mean_colour.py").write_text(EXAMPLE)
    inpainters.__path__.append(str(tmp_path))
    importlib.invalidate_caches()
    plugins.cache_clear()
    yield "mean_colour"
    inpainters.__path__.remove(str(tmp_path))
    sys.modules.pop("radpipe.inpainters.mean_colour", None)
    plugins.cache_clear()


def test_the_file_alone_makes_the_method(added: str, images: np.ndarray) -> None:
    assert added in plugins("inpainters")
    method = load(added)
    inpainter = method(method.Settings(), None, TwoPhaseSchedule())
    holes = np.zeros((8, 16, 16), dtype=bool)
    holes[:, 4:, :] = True
    out = run_batch(inpainter, images, holes, range(8)).images
    assert np.array_equal(out[~holes], images[~holes])
    means = images[:, :4].mean((1, 2))
    assert np.abs(out[:, 4:] - means[:, None, None]).max() <= 0.51
    assert inpainter.planned_evaluations() == 0
