from __future__ import annotations

import pytest
import torch

from radpipe.diffusion.noise import PerImageNoise, image_seed


def test_an_image_gets_the_same_numbers_in_any_batch() -> None:
    whole = PerImageNoise([5, 6, 7])
    first, second = (whole.normal(torch.empty(3, 2, 4, 4)) for _ in range(2))
    alone = PerImageNoise([6])
    assert torch.equal(alone.normal(torch.empty(1, 2, 4, 4))[0], first[1])
    assert torch.equal(alone.normal(torch.empty(1, 2, 4, 4))[0], second[1])
    assert not torch.equal(first, second)


def test_numbers_take_dtype_and_moments() -> None:
    x = PerImageNoise([0]).normal(torch.empty(1, 3, 100, 100, dtype=torch.float64))
    assert x.dtype == torch.float64
    assert abs(float(x.mean())) < 4 / 30_000**0.5
    assert abs(float(x.var()) - 1) < 4 * (2 / 30_000) ** 0.5


def test_a_wrong_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="2 images"):
        PerImageNoise([1, 2]).normal(torch.empty(3, 1))


def test_image_seed_is_the_same_on_every_machine() -> None:
    # first 8 bytes of `printf '[0,"sample",17]' | sha256sum`, halved
    assert image_seed(0, "sample", 17) == 6188513934778558260
    assert 0 <= image_seed(0) < 2**63


def test_image_seed_tells_keys_apart() -> None:
    keys = [(0, "a", 1), (0, "a", "1"), (0, "a1"), (1, "a", 1), (0, 1, "a"), (0,), (10,)]
    assert len({image_seed(*key) for key in keys}) == len(keys)
