"""Stopping, splitting and parallelising a training change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy

from radpipe.errors import UserError
from radpipe.models.native import library
from radpipe.training.averages import learning_rate
from radpipe.training.samples import epoch_order, schedule_numbers


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def close(one: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    """Equal gradients up to the order of float32 sums."""
    assert max(float(g.abs().max()) for g in one) > 1e-2
    for a, b in zip(one, other, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rad", [False, True])
def test_stopping_and_resuming_equals_never_stopping(
    tmp_path: Path, rad: bool, precision: str
) -> None:
    whole = toy.trainer(tmp_path / "a", rad=rad, precision=precision)
    curve = whole.train("toy")
    toy.trainer(tmp_path / "b", rad=rad, precision=precision).train("toy", stop_at=2)
    resumed = toy.trainer(tmp_path / "b", rad=rad, precision=precision)
    resumed_curve = resumed.train("toy")
    assert same(toy.weights(whole), toy.weights(resumed))
    assert same(whole.averages["model"].values, resumed.averages["model"].values)
    assert curve.equals(resumed_curve)
    first, second = (t.optimisers["model"].state_dict()["state"] for t in (whole, resumed))
    assert all(torch.equal(first[k]["exp_avg_sq"], second[k]["exp_avg_sq"]) for k in first)


def test_a_training_with_dropout_resumes_with_the_same_masks(tmp_path: Path) -> None:
    whole = toy.trainer(tmp_path / "a", dropout=0.3, accumulate=2)
    whole.train("toy")
    toy.trainer(tmp_path / "b", dropout=0.3, accumulate=2).train("toy", stop_at=2)
    torch.rand(7)  # another process has drawn other numbers before it resumes
    resumed = toy.trainer(tmp_path / "b", dropout=0.3, accumulate=2)
    resumed.train("toy")
    assert same(toy.weights(whole), toy.weights(resumed))
    plain = toy.trainer(tmp_path / "c", accumulate=2)
    plain.train("toy")
    assert not same(toy.weights(whole), toy.weights(plain))


def test_dropout_masks_differ_between_processes_parts_and_steps(tmp_path: Path) -> None:
    made = toy.trainer(tmp_path, dropout=0.3)
    keep = {}
    for step, part, rank in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]:
        made.state.step = step
        made.accelerator = SimpleNamespace(process_index=rank, device=torch.device("cpu"))
        with made._masks(part):
            keep[step, part, rank] = tuple(torch.rand(4).tolist())
    assert len(set(keep.values())) == 4


@pytest.mark.skipif(library() is None, reason="no C compiler")
@pytest.mark.parametrize("rad", [False, True])
def test_fused_gradients_are_the_plain_ones_within_rounding(tmp_path: Path, rad: bool) -> None:
    """In bfloat16 they are no farther from the plain float32 gradients than the plain bfloat16
    ones are; in float32 they agree."""

    def found(kernels: str, precision: str) -> torch.Tensor:
        made = toy.trainer(
            tmp_path / kernels / precision, rad=rad, kernels=kernels, precision=precision, images=4
        )
        made.train("toy")
        return torch.cat([g.flatten() for g in toy.gradients(made)])

    exact = found("torch", "fp32")
    distance = {k: float((found(k, "bf16") - exact).norm()) for k in ("fused", "torch")}
    assert 0 < distance["fused"] < 1.1 * distance["torch"] < 0.1 * float(exact.norm())
    torch.testing.assert_close(found("fused", "fp32"), exact, rtol=1e-4, atol=1e-5)


def test_accumulation_gives_the_same_step(tmp_path: Path) -> None:
    one = toy.trainer(tmp_path / "a", images=4)
    one.train("toy")
    parts = toy.trainer(tmp_path / "b", images=4, accumulate=2)
    parts.train("toy")
    close(toy.gradients(one), toy.gradients(parts))


def test_two_processes_equal_one_with_the_same_batch(tmp_path: Path) -> None:
    """Two gloo processes on the CPU, each with half of every batch."""
    path = tmp_path / "two.pt"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0", str(Path(__file__).parent / "toy.py"),
        str(tmp_path / "resume"), str(path),
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    one = toy.trainer(tmp_path / "one", images=4)
    one.train("toy")
    processes, gradients = torch.load(path, weights_only=True)
    assert processes == 2
    close(toy.gradients(one), gradients)


def test_loader_workers_change_nothing(tmp_path: Path) -> None:
    alone, helped = toy.trainer(tmp_path / "a"), toy.trainer(tmp_path / "b", workers=2)
    alone.train("toy", stop_at=2)
    helped.train("toy", stop_at=2)
    assert same(toy.weights(alone), toy.weights(helped))


def test_a_loss_that_is_no_number_stops_and_keeps_the_good_state(tmp_path: Path) -> None:
    toy.trainer(tmp_path).train("toy", stop_at=2)
    good = (tmp_path / "state.pt").read_bytes()
    broken = toy.trainer(tmp_path)
    broken.samples.images.pixels = np.full((10, 8, 8, 3), np.nan)
    with pytest.raises(UserError, match="not a number at step 2"):
        broken.train("toy")
    assert (tmp_path / "state.pt").read_bytes() == good
    assert all(torch.isfinite(v).all() for v in toy.weights(broken).values())


def test_a_damaged_state_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match="delete it"):
        toy.trainer(tmp_path).train("toy")


def test_every_sample_is_used_once_by_one_process() -> None:
    numbers = [
        n
        for process in range(3)
        for part in schedule_numbers(2, 48, 12, process, 3, 2)
        for n in part
    ]
    assert sorted(numbers) == list(range(24, 48))


def test_learning_rate_warms_up_and_decays() -> None:
    chosen = toy.settings(images=1000, batch=10, warmup=100, lr=1.0)
    rates = [learning_rate(chosen, seen) for seen in range(0, 1000, 10)]
    peak = rates.index(max(rates))
    assert rates[0] < 0.2
    assert abs(peak - 10) <= 1
    assert rates[peak] == pytest.approx(1.0)
    assert rates[-1] < 0.01
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_samples_depend_on_their_number_alone(tmp_path: Path) -> None:
    samples = toy.trainer(tmp_path).samples
    later = samples[17]
    samples[3]
    again = toy.trainer(tmp_path).samples[17]
    assert all(torch.equal(later[key], again[key]) for key in later)
    order = [int(np.flatnonzero(epoch_order(samples.seed, 1, 10) == i)[0]) for i in range(10)]
    assert sorted(order) == list(range(10))
