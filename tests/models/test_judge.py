"""An imported network judges itself: the right file, and files broken in one way each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import madeup
from madeup import MICRO
from radpipe.errors import UserError
from radpipe.models import authors, judge
from radpipe.models.adm import AdmUNet
from radpipe.models.authors import PUBLISHED, READINGS, Published, Reading


def published(folder: Path, reading: Reading = PUBLISHED, **changed: torch.Tensor) -> Published:
    path = folder / "net.safetensors"
    save_file(madeup.authors_layout(madeup.network(MICRO, reading), MICRO, 4) | changed, path)
    return authors.load(path, MICRO)


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_the_reading_that_works_is_found_and_no_other(tmp_path, reading):
    found, errors = judge.choose(published(tmp_path, reading), madeup.grey(3, 16))
    assert found == reading
    assert list(errors) == [100, 500, 900] and max(errors.values()) < 0.1


def test_another_reading_than_the_described_one_is_named(tmp_path, caplog):
    caplog.set_level("INFO")
    for reading in (PUBLISHED, READINGS[-1]):
        caplog.clear()
        judge.choose(published(tmp_path, reading), madeup.grey(3, 16))
        assert all(f"{tried}: error" in caplog.text for tried in READINGS)
        warned = f"what works best is taken: {reading}" in caplog.text
        assert warned == (reading != PUBLISHED)


def test_the_lowest_errors_win_where_many_would_do(tmp_path, monkeypatch):
    """The numbers of a trained network, read rightly and in two wrong ways."""
    right, late, order = (0.131, 0.010, 0.002), (0.131, 0.015, 0.008), (0.237, 0.016, 0.005)
    found = [late, right, *[order] * 5, (0.1, float("nan"), 0.001)]
    errors = (dict(zip(judge.LEVELS, numbers, strict=True)) for numbers in found)
    monkeypatch.setattr(judge, "noise_error", lambda *_: next(errors))
    assert judge.choose(published(tmp_path), madeup.grey(1, 16))[0] == READINGS[1]


def scaled_outputs(factor):
    whole = madeup.authors_layout(madeup.network(MICRO), MICRO, 4)
    return {n: whole[n] * factor for n in whole if n.startswith("conv_out") and "bias" not in n}


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    with pytest.raises(UserError, match="NaN or infinity"):
        judge.choose(published(tmp_path, **scaled_outputs(float("nan"))), madeup.grey(1, 16))


def test_a_network_that_predicts_nothing_is_refused_with_the_numbers(tmp_path):
    silent = scaled_outputs(0.0)
    with pytest.raises(UserError, match="predicts no noise") as refusal:
        judge.choose(published(tmp_path, **silent), madeup.grey(3, 16))
    message = str(refusal.value)
    said = [float(number) for number in re.findall(r"(\S+) at level", message)]
    assert len(said) == 3 * len(READINGS)
    assert all(abs(error - 1) < 0.2 for error in said)
    assert all(str(reading) in message for reading in READINGS)
    assert "net.safetensors" in refusal.value.where


def test_errors_are_those_of_the_hole_alone():
    """A network whose output is zero everywhere errs by the noise's own power."""
    net = AdmUNet(MICRO).eval()
    errors = judge.noise_error(net, "spatial", torch.rand(4, 3, 16, 16))
    assert all(error == pytest.approx(1, abs=0.15) for error in errors.values())


def test_frozen_tensors_are_compared_bit_for_bit_and_time_layers_are_not(tmp_path):
    found = published(tmp_path)
    public = AdmUNet(MICRO)
    public.load_state_dict({name: weight.clone() for name, weight in found.base.items()})
    with torch.no_grad():
        public.time_embed[0].weight.add_(1)
        public.middle_block[0].emb_layers[1].bias.add_(1)
    frozen = sum("emb" not in name for name in found.base)
    assert judge.frozen(found, public) == ([], frozen)
    with torch.no_grad():
        public.middle_block[1].qkv.weight[0, 0].add_(1e-6)
    assert judge.frozen(found, public) == (["middle_block.1.qkv.weight"], frozen)
