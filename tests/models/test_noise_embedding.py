"""Scalar, low-rank and dense embeddings say the same thing where they can."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from radpipe.models.modulation import Modulation
from radpipe.models.noise_embedding import TimeMap, embed, sinusoidal

LAYOUTS = [torch.contiguous_format, torch.channels_last]
KNOWN = torch.full((3,), -1.0)


def dense_of(hole, hole_time, known_time=KNOWN):
    return TimeMap.dense(
        torch.where(hole, hole_time[:, None, None, None], known_time[:, None, None, None])
    )


def outputs_and_gradients(net, x, time):
    net.zero_grad()
    x = x.clone().requires_grad_()
    y = net(x, time)
    y.square().mean().backward()
    return y.detach(), {"x": x.grad} | {k: p.grad.clone() for k, p in net.named_parameters()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_low_rank_equals_dense_with_gradients(small_net, batch, layout):
    x, hole, times = batch
    net = small_net.to(memory_format=layout)
    y, gradients = outputs_and_gradients(net, x, TimeMap.binary(hole, times, KNOWN))
    wanted, reference = outputs_and_gradients(net, x, dense_of(hole, times))
    assert wanted.std() > 0.1
    torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)
    for name, gradient in reference.items():
        torch.testing.assert_close(
            gradients[name], gradient, rtol=1e-5, atol=1e-5 * float(gradient.abs().max() + 1)
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_place_inference_equals_training_forward(small_net, batch, layout):
    x, hole, times = batch
    net = small_net.to(memory_format=layout)
    for time in (times, TimeMap.binary(hole, times, KNOWN), dense_of(hole, times)):
        with_graph = net(x, time)
        with torch.no_grad():
            torch.testing.assert_close(net(x, time), with_graph, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_uniform_map_is_the_scalar_network(small_net, batch, layout):
    """Bit for bit in the low-rank form; by another order of summation in the dense one."""
    x, hole, times = batch
    net = small_net.to(memory_format=layout)
    everywhere = torch.ones_like(hole)
    with torch.no_grad():
        scalar = net(x, times)
        assert torch.equal(net(x, TimeMap.binary(hole, times, times)), scalar)
        assert torch.equal(net(x, TimeMap.binary(everywhere, times, KNOWN)), scalar)
        assert torch.equal(net(x, TimeMap.binary(~everywhere, KNOWN, times)), scalar)
        torch.testing.assert_close(net(x, dense_of(everywhere, times)), scalar, rtol=0, atol=1e-5)


def test_a_hole_changes_the_prediction(small_net, batch):
    x, hole, times = batch
    with torch.no_grad():
        difference = small_net(x, TimeMap.binary(hole, times, KNOWN)) - small_net(x, times)
    assert difference[:2].abs().max() > 1e-2


def test_three_levels_equal_dense(small_net, batch):
    x, hole, times = batch
    left = torch.zeros_like(hole)
    left[..., :8] = True
    levels = torch.stack([KNOWN, times, times / 2], 1)
    member = torch.cat([~hole, hole & left, hole & ~left], 1)
    dense = (levels[..., None, None] * member).sum(1, keepdim=True)
    low_rank = TimeMap.levels(levels, member.float())
    y, gradients = outputs_and_gradients(small_net, x, low_rank)
    wanted, reference = outputs_and_gradients(small_net, x, TimeMap.dense(dense))
    torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)
    for name, gradient in reference.items():
        torch.testing.assert_close(
            gradients[name], gradient, rtol=1e-5, atol=1e-5 * float(gradient.abs().max() + 1)
        )


def test_images_of_a_batch_do_not_mix(small_net, batch):
    x, hole, times = batch
    with torch.no_grad():
        together = small_net(x, TimeMap.binary(hole, times, KNOWN))
        for i in range(3):
            one = slice(i, i + 1)
            alone = small_net(x[one], TimeMap.binary(hole[one], times[one], KNOWN[one]))
            torch.testing.assert_close(alone, together[one], rtol=1e-5, atol=1e-5)


def modulation(layout, dtype=torch.float32, shape=(2, 6, 5, 7), levels=2):
    generator = torch.Generator().manual_seed(0)

    def draw(*size):
        return torch.randn(*size, generator=generator, dtype=dtype)

    h = draw(*shape).contiguous(memory_format=layout)
    scale, shift = draw(shape[0], levels, shape[1]), draw(shape[0], levels, shape[1])
    weights = draw(shape[0], levels, *shape[2:]).softmax(1)
    return h, scale, shift, weights


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_modulation_by_its_definition(layout, levels):
    h, scale, shift, weights = modulation(layout, levels=levels)
    scales = torch.einsum("bkc,bkhw->bchw", scale, weights)
    shifts = torch.einsum("bkc,bkhw->bchw", shift, weights)
    wanted = h * (1 + scales) + shifts
    for form in (Modulation(scale, shift, weights), Modulation(scales, shifts)):
        torch.testing.assert_close(form(h), wanted)
        with torch.no_grad():
            overwritten = h.clone()
            result = form(overwritten)
        torch.testing.assert_close(result, wanted)
        assert result.data_ptr() == overwritten.data_ptr()


@pytest.mark.parametrize("levels", [2, 3])
def test_modulation_gradient_by_finite_differences(levels):
    h, scale, shift, weights = modulation(LAYOUTS[0], torch.float64, levels=levels)
    inputs = [t.requires_grad_() for t in (h, scale, shift)]
    assert torch.autograd.gradcheck(
        lambda h, scale, shift: Modulation(scale, shift, weights)(h), inputs
    )


@pytest.mark.parametrize("levels", [False, True])
def test_the_vectors_of_an_image_do_not_depend_on_its_batch(small_net, batch, levels):
    """In sampling, to the last bit: in bfloat16 a different last bit can become a visible one."""
    _, hole, times = batch
    layer = small_net.input_blocks[1][0].emb_layers[1]

    def vectors(part):
        time = TimeMap.binary(hole[part], times[part], KNOWN[part]) if levels else times[part]
        made = embed(time, small_net.time_embed, 32, [(16, 16)], one_by_one=True)
        found = made.modulation(layer, (16, 16))
        return found.scale, found.shift

    with torch.no_grad():
        together = vectors(slice(None))
        for i in range(3):
            for one, whole in zip(vectors(slice(i, i + 1)), together, strict=True):
                assert torch.equal(one[0], whole[i])


def test_sinusoidal_features_of_adm():
    """Cosines first; k-th frequency 10000^(-k / half)."""
    features = sinusoidal(torch.tensor([-1.0, 0.0, 250.5]), 8)
    assert torch.equal(features[1], torch.tensor([1.0] * 4 + [0.0] * 4))
    k = 3
    angle = 250.5 * 10000 ** (-k / 4)
    assert features[2, k].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert features[2, 4 + k].item() == pytest.approx(math.sin(angle), abs=1e-6)


def test_maps_are_resized_with_aligned_corners(small_net, batch):
    """Corner pixels of every resolution see the corner of the map, whatever lies between."""
    x, _, _ = batch
    seen = {}

    def keep(module, args):
        h = args[0]
        if h.ndim == 4 and h.shape[1] < 16:
            seen[h.shape[1]] = h[:, [0, 0, -1, -1], [0, -1, 0, -1]]

    for module in small_net.modules():
        if hasattr(module, "emb_layers"):
            module.emb_layers[1].register_forward_pre_hook(keep)
    generator = torch.Generator().manual_seed(0)
    time = torch.rand(3, 1, 16, 16, generator=generator) * 900
    small_net(x, TimeMap.dense(time))
    corners = time[:, 0][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    wanted = F.silu(small_net.time_embed(sinusoidal(corners, 32)))
    assert sorted(seen) == [4, 8]
    for corner in seen.values():
        torch.testing.assert_close(corner, wanted, rtol=1e-4, atol=1e-5)


def test_wrong_shapes_are_refused(small_net, batch):
    x, hole, times = batch
    with pytest.raises(ValueError, match="the time map is"):
        small_net(x, TimeMap.binary(hole[..., :8], times, KNOWN))
    with pytest.raises(ValueError, match="a dense time map"):
        TimeMap.dense(times)
    with pytest.raises(ValueError, match="levels need"):
        TimeMap.levels(times, hole)
