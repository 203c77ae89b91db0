"""A stand-in for the weights' archive: the same layout, random AlexNet convolutions."""

from __future__ import annotations

import dataclasses
import io
import pickle
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radpipe.evaluation.intervals import Resampling
from radpipe.evaluation.metric import Setup
from radpipe.models import backbone_weights as weights
from radpipe.models.backbones import ASSET, SCALE, SHIFT

ALEXNET = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))


def _make_archive(path: Path, member: str, content: bytes) -> None:
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


@pytest.fixture(scope="session")
def make_archive() -> Callable[[Path, str, bytes], None]:
    return _make_archive


@pytest.fixture(scope="session")
def layers() -> dict[str, dict[str, np.ndarray]]:
    """He-scaled random convolutions, HWIO, as the archive nests them."""
    rng = np.random.default_rng(0)
    return {
        f"Conv_{i}": {
            "kernel": rng.normal(0, (2 / (k * k * a)) ** 0.5, (k, k, a, b)).astype(np.float32),
            "bias": rng.normal(0, 0.1, b).astype(np.float32),
        }
        for i, (k, a, b) in enumerate(ALEXNET)
    }


@pytest.fixture(scope="session")
def archive(layers, tmp_path_factory) -> tuple[Path, weights.Backbone]:
    # protocol 3 and numpy 1's module name, as in the real file
    content = pickle.dumps({"AlexNet_0": layers}, protocol=3)
    content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    real = weights.BACKBONES["alexnet"]
    path = tmp_path_factory.mktemp("archive") / "weights.tar.gz"
    _make_archive(path, real.member, content)
    return path, dataclasses.replace(real, sha256=sha256(content).hexdigest())


@pytest.fixture
def setup(archive, monkeypatch) -> Setup:
    path, backbone = archive
    monkeypatch.setitem(weights.BACKBONES, "alexnet", backbone)
    return Setup({ASSET: path}, feature_size=64)


@pytest.fixture
def resampling() -> Resampling:
    return Resampling(blocks=5, draws=500, seed=3)


@pytest.fixture
def images() -> np.ndarray:
    """12 smooth random uint8 images of 32 pixels."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (12, 4, 4, 3)).astype(np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture
def holes() -> np.ndarray:
    """A box of 12 pixels, moving."""
    holes = np.zeros((12, 32, 32), bool)
    for i in range(12):
        holes[i, 4 + i : 16 + i, 8:20] = True
    return holes


@pytest.fixture(scope="session")
def alexnet_taps(layers) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    def taps_of(images: torch.Tensor) -> list[torch.Tensor]:
        """The published layers written out once more, in float64: the five taps of LPIPS, from
        images in the range that LPIPS' scaling layer is for."""
        x = (images.double() - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[
            :, None, None
        ]
        taps = []
        plan = (
            ("Conv_0", 4, 2),
            ("Conv_1", 1, 2),
            ("Conv_2", 1, 1),
            ("Conv_3", 1, 1),
            ("Conv_4", 1, 1),
        )
        for name, stride, padding in plan:
            kernel = torch.tensor(layers[name]["kernel"]).permute(3, 2, 0, 1).double()
            bias = torch.tensor(layers[name]["bias"]).double()
            x = F.relu(F.conv2d(x, kernel, bias, stride, padding))
            taps.append(x)
            if name in ("Conv_0", "Conv_1"):
                x = F.max_pool2d(x, 3, 2)
        return taps

    return taps_of
