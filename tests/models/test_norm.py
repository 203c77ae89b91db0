"""The fused normalisation is the reference's function, image by image, on any number of threads."""

from __future__ import annotations

import logging

import pytest
import torch
from torch.nn import functional as F

from radpipe.models import native
from radpipe.models.modulation import Modulation
from radpipe.models.norm import Norm

FORMS = ["alone", "vector", "levels"]
LAYOUTS = [torch.contiguous_format, torch.channels_last]

pytestmark = pytest.mark.skipif(native.library() is None, reason="no C compiler")


def inputs(form, dtype=torch.float32, batch=3, channels=48, mean=0.0):
    """x, gradient, norm and modulation; 16 groups of 3 channels, 70 pixels."""
    generator = torch.Generator().manual_seed(0)

    def draw(*size):
        return torch.randn(*size, generator=generator)

    norm = Norm(channels)
    with torch.no_grad():
        norm.weight.copy_(draw(channels))
        norm.bias.copy_(draw(channels))
    x, gradient = ((draw(batch, channels, 10, 7) + m).to(dtype) for m in (mean, 0))
    levels = 2 if form == "levels" else 1
    scale, shift = draw(batch, levels, channels), draw(batch, levels, channels)
    weights = draw(batch, 2, 10, 7).softmax(1) if form == "levels" else None
    return x, gradient, norm, None if form == "alone" else Modulation(scale, shift, weights)


def run(x, gradient, norm, modulation, silu):
    """Output and all gradients."""
    norm.zero_grad()
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    learned = {"x": x, "gamma": norm.weight, "beta": norm.bias}
    if modulation is not None:
        scale, shift = (t.clone().requires_grad_() for t in (modulation.scale, modulation.shift))
        modulation = Modulation(scale, shift, modulation.weights)
        learned |= {"scale": scale, "shift": shift}
    y = norm(x, modulation, silu)
    y.backward(gradient)
    return {"y": y.detach()} | {name: t.grad for name, t in learned.items()}


def exact(x, gradient, norm, modulation, silu):
    """The same in float64 by the formula."""
    x = x.double().requires_grad_()
    gamma, beta = (p.detach().double().requires_grad_() for p in (norm.weight, norm.bias))
    learned = {"x": x, "gamma": gamma, "beta": beta}
    h = F.group_norm(x, norm.num_groups, gamma, beta, norm.eps)
    if modulation is not None:
        scale, shift = (t.double().requires_grad_() for t in (modulation.scale, modulation.shift))
        learned |= {"scale": scale, "shift": shift}
        weights = modulation.weights
        weights = torch.ones(len(x), 1, *x.shape[2:]) if weights is None else weights
        maps = [torch.einsum("bkc,bkhw->bchw", t, weights.double()) for t in (scale, shift)]
        h = h * (1 + maps[0]) + maps[1]
    y = F.silu(h) if silu else h
    y.backward(gradient.double())
    return {"y": y.detach()} | {name: t.grad for name, t in learned.items()}


def error(found, wanted):
    """Largest difference of each tensor, relative to its largest value."""
    return {k: float((found[k] - w).abs().max() / w.abs().max()) for k, w in wanted.items()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_and_gradients(form, silu, layout):
    x, *others = inputs(form)
    wanted = exact(x, *others, silu)
    found = run(x.contiguous(memory_format=layout), *others, silu)
    assert max(error(found, wanted).values()) < 2e-6


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_rounds_no_more_than_the_reference(form):
    x, gradient, norm, modulation = inputs(form, torch.bfloat16)
    wanted = exact(x, gradient, norm, modulation, True)
    fused = error(run(x, gradient, norm, modulation, True), wanted)
    norm.fused = False
    reference = error(run(x, gradient, norm, modulation, True), wanted)
    unit = 2**-8  # of bfloat16
    for name, value in fused.items():
        assert value <= max(1.05 * reference[name], unit), name


def test_a_mean_far_from_zero_costs_no_digits():
    x, *others = inputs("vector", mean=1000.0)
    wanted, found = exact(x, *others, True), run(x, *others, True)
    assert error(found, wanted)["y"] < 1e-3  # x itself has 1e-4 of its deviation left
    assert error(found, wanted)["gamma"] < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_and_threads_change_no_bit(dtype):
    x, gradient, norm, modulation = inputs("levels", dtype, batch=5)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(x, gradient, norm, modulation, True)
        torch.set_num_threads(3)
        three = run(x, gradient, norm, modulation, True)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one[name], three[name]) for name in one)
    for i in range(5):
        part = slice(i, i + 1)
        alone = Modulation(modulation.scale[part], modulation.shift[part], modulation.weights[part])
        found = run(x[part], gradient[part], norm, alone, True)
        for name in ("y", "x", "scale", "shift"):
            assert torch.equal(found[name], one[name][part]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_values_saturate_and_no_number_stays_none(dtype):
    x, gradient, norm, _ = inputs("alone", dtype)
    norm.weight.data.fill_(1e6)
    large = run(x, gradient, norm, None, True)
    assert all(torch.isfinite(t).all() for t in large.values())
    assert -1e-30 < float(large["y"].min()) <= 0
    x[1, 0, 0, 0] = float("nan")
    y = run(x, gradient, norm, None, True)["y"]
    assert y[1, :3].isnan().all()
    assert torch.isfinite(y[[0, 2]]).all()


def test_what_it_cannot_take_goes_through_the_reference():
    """Odd widths, float64 and maps of any values."""
    x, gradient, norm, _ = inputs("alone", channels=20)
    assert (
        max(
            error(run(x, gradient, norm, None, True), exact(x, gradient, norm, None, True)).values()
        )
        < 2e-6
    )
    x, gradient, norm, _ = inputs("alone", channels=32)
    maps = torch.rand(3, 32, 10, 7)
    wanted = F.silu(F.group_norm(x, 32, norm.weight, norm.bias) * (1 + maps) + maps)
    torch.testing.assert_close(norm(x, Modulation(maps, maps), True), wanted)


def test_without_a_compiler_there_is_a_warning_and_the_reference(monkeypatch, caplog):
    monkeypatch.setenv("CC", "no-such-compiler")
    native.library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert native.library() is None
    finally:
        native.library.cache_clear()
    assert "slower" in caplog.text
