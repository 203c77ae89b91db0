"""The device of a job."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from radpipe import params
from radpipe.devices import resolve_device
from radpipe.errors import UserError
from radpipe.settings import Resources
from radpipe.training.loop import accelerator

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_auto_is_a_gpu_where_there_is_one(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [resolve_device(d) for d in ("auto", "cpu", "cuda:1")] == ["cuda", "cpu", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"


def test_launched_processes_have_a_gpu_each(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert resolve_device("auto") == "cuda:1"


@pytest.mark.parametrize("device", ["cuda:2", "cuda:17"])
def test_a_gpu_that_is_not_there_is_a_message(gpus: None, device: str) -> None:
    with pytest.raises(UserError, match=rf"no `{device}`.*\n?.*resources.device"):
        resolve_device(device)


def test_no_gpu_at_all_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="sees 0 GPUs"):
        resolve_device("cuda")


def test_training_goes_to_the_gpu_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for device in ("cpu", "cuda", "cuda:1"):
        accelerator("fp32", device)
    assert chosen == ["cuda:1"]


@pytest.mark.parametrize(
    ("device", "allowed"),
    [("auto", 1), ("cpu", 1), ("cuda", 1), ("cuda:13", 1), ("gpu", 0), ("cuda:", 0), ("cuda:x", 0)],
)
def test_devices_that_can_be_written(device: str, allowed: bool) -> None:
    raw = params.read(ROOT / "params.yaml").resources.model_dump() | {"device": device}
    if allowed:
        assert Resources(**raw).device == device
    else:
        with pytest.raises(ValidationError, match="pattern"):
            Resources(**raw)
