from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from radpipe.errors import UserError
from radpipe.models import backbone_weights as weights
from radpipe.models.backbones import ASSET


def test_kernels_come_out_in_torch_order(setup, layers):
    state = weights.backbone_state(setup.assets[ASSET], "alexnet")
    assert list(state)[:4] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    kernel = layers["Conv_1"]["kernel"]
    assert state["3.weight"].shape == (192, 64, 5, 5)
    assert state["3.weight"][7, 5, 1, 2] == torch.tensor(kernel[1, 2, 5, 7])
    assert torch.equal(state["10.bias"], torch.tensor(layers["Conv_4"]["bias"]))


@pytest.mark.parametrize(
    "evil", [print, eval, np.load, np.frombuffer], ids=lambda f: f"{f.__module__}.{f.__name__}"
)
def test_the_unpickler_runs_nothing(evil):
    class Call:
        def __reduce__(self):
            return evil, ("1",)

    with pytest.raises(pickle.UnpicklingError, match="not admitted"):
        weights.read(pickle.dumps({"a": Call()}))


def test_wrong_content_is_refused_before_it_is_read(setup, tmp_path, make_archive):
    path = tmp_path / "other.tar.gz"
    make_archive(path, weights.BACKBONES["alexnet"].member, b"not a pickle")
    with pytest.raises(UserError, match="wrong checksum"):
        weights.member(path, "alexnet")


@pytest.mark.parametrize("damage", ["other member", "truncated", "no archive"])
def test_a_damaged_archive_gets_one_message(setup, tmp_path, make_archive, damage):
    path = tmp_path / "damaged.tar.gz"
    if damage == "other member":
        make_archive(path, "setup.py", b"raise SystemExit")
    elif damage == "truncated":
        path.write_bytes(setup.assets[ASSET].read_bytes()[:100_000])
    else:
        path.write_bytes(b"<html>moved</html>")
    with pytest.raises(UserError, match="not the source archive"):
        weights.member(path, "alexnet")
