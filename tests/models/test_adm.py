"""The network against the reference implementation, and its options against each other."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from radpipe.errors import UserError
from radpipe.models.adm import AdmConfig, AdmUNet, ready
from radpipe.models.checkpoints import ARCHITECTURES, empty, new_unet

SHAPES = json.loads(
    (Path(__file__).parents[1] / "oracle" / "adm_256_state_dict_shapes.json").read_text()
)
LARGE = "lsun_bedroom_256_and_imagenet_256_uncond"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_reference_output(oracle_net, oracle_io, layout):
    net = oracle_net.to(memory_format=layout)
    x = oracle_io["x"].contiguous(memory_format=layout)
    with_graph = net(x, oracle_io["t"])
    with torch.no_grad():
        without = net(x, oracle_io["t"])
    torch.testing.assert_close(with_graph, oracle_io["y"], rtol=0, atol=1e-4)
    torch.testing.assert_close(without, oracle_io["y"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "key", "parameters"),
    [
        ("FFHQ256", "ffhq_256", 93_563_910),
        ("LSUN256", LARGE, 552_814_086),
        ("IMAGENET256", LARGE, 552_814_086),
    ],
)
def test_names_and_shapes_of_public_checkpoints(name, key, parameters):
    unet = empty(ARCHITECTURES[name])
    ours = {k: list(tensor.shape) for k, tensor in unet.state_dict().items()}
    assert ours == SHAPES[key]
    assert sum(p.numel() for p in unet.parameters()) == parameters


def test_input_is_not_touched_without_gradients(small_net, batch):
    x, _, times = batch
    before = x.clone()
    with torch.no_grad():
        first, again = small_net(x, times), small_net(x, times)
    assert torch.equal(x, before)
    assert torch.equal(first, again)


def test_new_attention_order_is_a_permutation_of_the_legacy_one(small_net, batch):
    """The same network with its fused channels reordered gives the same output."""
    x, _, times = batch
    config = replace(small_net.config, use_new_attention_order=True)
    other = AdmUNet(config).eval()
    weights = small_net.state_dict()
    for name in [k for k in weights if ".qkv." in k]:
        w, head = weights[name], config.num_head_channels
        by_head = w.view(-1, 3, head, *w.shape[1:])
        weights[name] = by_head.transpose(0, 1).reshape(w.shape)
    other.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(other(x, times), small_net(x, times), rtol=1e-5, atol=1e-5)


def test_a_new_network_predicts_zero_and_leaves_the_global_generator(small_net, batch):
    x, _, times = batch
    state = torch.random.get_rng_state()
    unet = new_unet(small_net.config, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(unet(x, times), torch.zeros(3, 6, 16, 16))
    same = new_unet(small_net.config, seed=1).state_dict()
    assert all(torch.equal(tensor, same[k]) for k, tensor in unet.state_dict().items())


def test_odd_widths_run(batch):
    x, _, times = batch
    assert AdmUNet(AdmConfig(16, 20, 1, (1, 2), (), 20))(x, times).shape == (3, 6, 16, 16)


@pytest.mark.parametrize("size", [(30, 30), (16, 18)])
def test_sides_that_cannot_be_halved_are_refused(small_net, size):
    with pytest.raises(UserError, match=f"{size[1]}x{size[0]} pixels cannot be halved 2 times"):
        small_net(torch.zeros(1, 3, *size), torch.zeros(1))


def test_a_traced_network_gives_the_same_numbers(small_net, batch, monkeypatch):
    """What torch.compile sees of it; its compiler needs C++ and takes minutes."""
    x, _, times = batch
    compiled = []
    monkeypatch.setattr(
        type(small_net), "compile", lambda self, mode: compiled.append(mode) or None
    )
    ready(small_net, compiled="default")
    assert compiled == ["default"]
    monkeypatch.undo()
    wanted = ready(small_net, kernels="torch").train()(x, times)
    small_net.compile(backend="eager")
    torch.testing.assert_close(small_net(x, times), wanted, rtol=1e-5, atol=1e-5)


def test_dropout_acts_in_training_only(small_net, batch):
    x, _, times = batch
    unet = AdmUNet(replace(small_net.config, dropout=0.5))
    unet.load_state_dict(small_net.state_dict())
    assert torch.equal(unet.eval()(x, times), small_net(x, times))
    assert not torch.equal(unet.train()(x, times), small_net(x, times))


def test_config_survives_json(small_net):
    values = json.loads(json.dumps(asdict(small_net.config)))
    assert AdmConfig.from_dict(values) == small_net.config


def test_config_refuses_what_it_cannot_build(small_net):
    values = asdict(small_net.config)
    with pytest.raises(UserError, match="unknown entry `chanels`"):
        AdmConfig.from_dict(values | {"chanels": 3})
    for name in ("resblock_updown", "use_scale_shift_norm"):
        with pytest.raises(UserError, match=f"without `{name}`"):
            AdmConfig.from_dict(values | {name: False})
    with pytest.raises(UserError, match="heads of 48"):
        AdmConfig.from_dict(values | {"num_head_channels": 48})
    values.pop("channel_mult")
    with pytest.raises(UserError, match="channel_mult"):
        AdmConfig.from_dict(values)
