from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.errors import UserError
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter, run_batch, to_network, to_pixels
from radpipe.inpainters.rad import Rad
from radpipe.section import Section


class Filler(Inpainter):
    """Fills the hole with the model's image; can run out of memory or break known pixels."""

    requires = "base"
    capacity = 100
    message = "CUDA out of memory. Tried to allocate 2 GiB"
    damage = 0.0

    def planned_evaluations(self) -> int:
        return 2

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        self.model(known)
        if len(known) > self.capacity:
            raise RuntimeError(self.message)
        self.model(known)
        assert (known[hole.expand_as(known)] == 0).all()
        return torch.where(hole, 0.5 * noise.normal(known), known + self.damage)


def filler(**changes: Any) -> Filler:
    made = Filler(Section(), lambda x: x, TwoPhaseSchedule())
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def mixed_holes() -> np.ndarray:
    return np.random.default_rng(1).random((8, 16, 16)) < 0.5


def test_all_pixel_values_survive_the_round_trip() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_pixels(to_network(pixels)), pixels)
    x = to_network(pixels)
    assert x.shape == (1, 3, 16, 16) and x.dtype == torch.float32
    assert float(x.min()) == -1 and float(x.max()) == 1
    assert to_pixels(torch.tensor([-9.0, 9.0, 0.0]).view(1, 3, 1, 1)).tolist() == [
        [[[0, 255, 128]]]
    ]


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2 GiB",
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 4 bytes. Error code 12 (Cannot allocate memory)",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes.",
    ],
)
def test_out_of_memory_halves_the_batch_and_changes_nothing(
    message: str, images, mixed_holes, caplog
) -> None:
    whole = run_batch(filler(), images, mixed_holes, range(8))
    with caplog.at_level(logging.WARNING):
        parts = run_batch(filler(capacity=2, message=message), images, mixed_holes, range(8))
    assert np.array_equal(whole.images, parts.images)
    assert whole.evaluations == parts.evaluations == 2  # the failed attempts do not count
    assert [record.args[0] for record in caplog.records] == [8, 4, 4]


def test_known_pixels_are_kept_and_the_hole_is_not(images, mixed_holes) -> None:
    out = run_batch(filler(), images, mixed_holes, range(8)).images
    assert np.array_equal(out[~mixed_holes], images[~mixed_holes])
    assert (out[mixed_holes] != images[mixed_holes]).any()


def test_one_image_too_large_is_a_users_error(images, mixed_holes) -> None:
    with pytest.raises(UserError, match="one image of 16x16"):
        run_batch(filler(capacity=0), images, mixed_holes, range(8))


def test_other_errors_are_not_taken_for_lack_of_memory(images, mixed_holes) -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run_batch(filler(capacity=0, message="mat1 and mat2 shapes"), images, mixed_holes, range(8))


def test_a_changed_known_pixel_and_a_nan_are_refused(images, mixed_holes) -> None:
    with pytest.raises(RuntimeError, match=r"changed \d+ known pixels"):
        run_batch(filler(damage=0.01), images, mixed_holes, range(8))
    with pytest.raises(RuntimeError, match="not finite"):
        run_batch(filler(damage=float("nan")), images, mixed_holes, range(8))


def test_missing_model_is_refused() -> None:
    with pytest.raises(TypeError, match="requires model rad"):
        Rad(Rad.Settings(), None, TwoPhaseSchedule())


def test_load_finds_methods_by_file_and_suggests_names() -> None:
    assert load("rad") is Rad
    with pytest.raises(UserError, match="did you mean `repaint`"):
        load("repainnt")
    with pytest.raises(UserError, match="no inpainting method `base`"):
        load("base")
