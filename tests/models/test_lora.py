"""The adapter: what it trains, that it starts as nothing, and that it survives merging and disk."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from radpipe.errors import UserError
from radpipe.models.adm import AdmUNet
from radpipe.models.checkpoints import FFHQ256, empty
from radpipe.models.lora import (
    ParameterReport,
    add_lora,
    load_adapter,
    parameter_report,
    rad_network,
    save_adapter,
)
from radpipe.models.noise_embedding import TimeMap
from radpipe.torchvision_compat import ensure_torchvision


@pytest.fixture
def lora_layers():
    """The module, which may only be imported where torchvision can be."""
    ensure_torchvision()
    from radpipe.models import lora_layers

    return lora_layers


@pytest.fixture
def time(batch):
    _, hole, times = batch
    return TimeMap.binary(hole, times, torch.full((3,), -1.0))


def train(model, x, time, steps=3):
    """A few large steps, so that every trained number moves."""
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(chosen, lr=3e-3, weight_decay=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        (model(x, time) - 1).square().mean().backward()
        optimiser.step()


def test_counts_of_the_ffhq_network_are_the_authors():
    report = parameter_report(add_lora(empty(FFHQ256)))
    assert report == ParameterReport(base=93_563_910, lora=3_734_032, time=9_915_648, other=0)
    assert f"{report.share:.3f}" == "0.146"
    assert "3,734,032 in LoRA, 9,915,648 in time layers" in str(report)


def test_untouched_adapter_changes_nothing(small_net, batch, time):
    x, _, times = batch
    wanted = [small_net(x, times), small_net(x, time)]
    model = add_lora(small_net)
    assert torch.equal(model(x, times), wanted[0])
    assert torch.equal(model(x, time), wanted[1])


def test_what_is_trained(small_net, batch, time):
    x, _, _ = batch
    base = copy.deepcopy(small_net.state_dict())
    model = add_lora(small_net, seed=1)
    convolutions = ("in_layers.2", "out_layers.3", "qkv", "proj_out", "blocks.0.0", "out.2")
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for name in trained:
        if ".lora_" in name:
            assert name.split(".lora_")[0].endswith(convolutions), name
        else:
            assert ".modules_to_save." in name
            assert "time_embed." in name or ".emb_layers.1." in name
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, x, time)
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name]) == (name not in trained), name
    for name, weight in model.unload().state_dict().items():
        if ".emb_layers.1." not in name and "time_embed." not in name:
            assert torch.equal(weight, base[name])


def test_first_factor_is_gaussian_and_second_zero(small_net):
    """With deviation 1 / rank, also for q, k and v, whose joint adapter has rank 48."""
    first = {"qkv": [], "others": []}
    for name, p in add_lora(small_net, rank=16, seed=4).named_parameters():
        if ".lora_A." in name:
            first["qkv" if "qkv" in name else "others"].append(p.detach().flatten())
        elif ".lora_B." in name:
            assert not p.any()
    for values in first.values():
        assert torch.cat(values).std().item() == pytest.approx(1 / 16, rel=0.05)


def test_seed_decides_the_adapter_and_no_global_generator_moves(small_net):
    state = torch.random.get_rng_state()
    nets = [add_lora(copy.deepcopy(small_net), seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    first, same, other = (
        next(p for n, p in net.named_parameters() if ".lora_A." in n) for net in nets
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_query_key_and_value_have_adapters_of_their_own(small_net, batch, time, lora_layers):
    """Changing one third of A moves one of q, k, v only, in ADM's head-by-head order."""
    x, _, _ = batch
    model = add_lora(small_net, rank=2)
    train(model, x, time)
    layer = next(m for m in model.modules() if isinstance(m, lora_layers.FusedQkv))
    head = small_net.config.num_head_channels
    features = torch.randn(1, layer.in_features, 9, generator=torch.Generator().manual_seed(0))
    before = layer(features)
    for part in range(3):
        with torch.no_grad():
            layer.lora_A["default"].weight[2 * part : 2 * part + 2] += 1
            moved = (layer(features) - before).view(1, -1, 3, head, 9).abs().amax((0, 1, 3, 4))
            layer.lora_A["default"].weight[2 * part : 2 * part + 2] -= 1
        assert moved[part] > 1e-3
        assert moved[[p for p in range(3) if p != part]].max() < 1e-5


def test_folded_convolution_equals_pefts(small_net, batch, time, lora_layers, monkeypatch):
    x, _, _ = batch
    model = add_lora(small_net, seed=1)
    train(model, x, time)

    def run(limit):
        monkeypatch.setattr(lora_layers, "FOLD_TRAINING", limit)
        monkeypatch.setattr(lora_layers, "FOLD_INFERENCE", limit)
        model.zero_grad()
        y = model(x, time)
        y.square().mean().backward()
        with torch.no_grad():
            torch.testing.assert_close(model(x, time), y, rtol=1e-5, atol=1e-5)
        return y.detach(), {k: p.grad for k, p in model.named_parameters() if p.requires_grad}

    (folded, gradients), (branched, reference) = run(10_000), run(0)
    torch.testing.assert_close(folded, branched, rtol=1e-5, atol=1e-5)
    for name, gradient in reference.items():
        scale = float(gradient.abs().max() + 1)
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-4, atol=1e-5 * scale)


def test_merged_equals_unmerged(small_net, batch, time, tmp_path):
    x, _, times = batch
    base = copy.deepcopy(small_net)
    model = add_lora(small_net, rank=4, alpha=8)
    untrained = model(x, time).detach()
    train(model, x, time)
    wanted = model(x, time).detach()
    assert (wanted - untrained).abs().max() > 0.1
    save_adapter(model, tmp_path)
    merged = load_adapter(copy.deepcopy(base), tmp_path)
    assert type(merged) is AdmUNet
    assert merged.state_dict().keys() == base.state_dict().keys()
    torch.testing.assert_close(merged(x, time), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(merged(x, times), model(x, times), rtol=1e-5, atol=1e-5)
    for name, weight in model.merge_and_unload().state_dict().items():  # PEFT's own merge
        torch.testing.assert_close(merged.state_dict()[name], weight, rtol=1e-5, atol=1e-6)


def test_plain_peft_reads_the_folder(small_net, batch, time, lora_layers, tmp_path):
    import peft

    x, _, _ = batch
    base = copy.deepcopy(small_net)
    model = add_lora(small_net)
    train(model, x, time)
    save_adapter(model, tmp_path)
    plain = peft.PeftModel.from_pretrained(base, str(tmp_path))
    assert not any(isinstance(m, lora_layers.FusedQkv) for m in plain.modules())
    torch.testing.assert_close(plain(x, time), model(x, time), rtol=1e-5, atol=1e-5)


def test_folder_is_deterministic_and_names_no_path(small_net, tmp_path):
    for name in ("one", "two"):
        save_adapter(add_lora(copy.deepcopy(small_net), seed=3), tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    config = json.loads((tmp_path / "one" / files[0]).read_text())
    assert config["base_model_name_or_path"] is None
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (16, 16, "LORA")


def test_unusable_folders_are_named(small_net, tmp_path):
    with pytest.raises(UserError, match=r"no adapter_config\.json"):
        load_adapter(copy.deepcopy(small_net), tmp_path)
    save_adapter(add_lora(copy.deepcopy(small_net)), tmp_path)
    other = AdmUNet(replace(small_net.config, model_channels=64))
    with pytest.raises(UserError, match="does not fit the network"):
        load_adapter(other, tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        load_adapter(copy.deepcopy(small_net), tmp_path)


def test_an_adapter_without_one_of_its_tensors_is_refused(small_net, tmp_path):
    """A layer left out would stay the base network's, without a word."""
    save_adapter(add_lora(copy.deepcopy(small_net)), tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    for name in (min(weights), max(weights), "base_model.model.out.2.lora_A.weight"):
        kept = {key: value for key, value in weights.items() if key != name}
        save_file(kept, tmp_path / "adapter_model.safetensors")
        with pytest.raises(UserError, match=name):
            load_adapter(copy.deepcopy(small_net), tmp_path)


def test_an_adapter_that_is_no_number_is_refused(small_net, tmp_path):
    model = add_lora(copy.deepcopy(small_net))
    next(p for n, p in model.named_parameters() if ".lora_A." in n).data[0] = float("nan")
    save_adapter(model, tmp_path)
    with pytest.raises(UserError, match="NaN or infinity"):
        load_adapter(small_net, tmp_path)


def test_full_training_and_training_from_scratch(small_net):
    weights = copy.deepcopy(small_net.state_dict())
    full = rad_network(small_net.requires_grad_(False), adapt="full")
    assert all(torch.equal(full.state_dict()[k], w) for k, w in weights.items())
    report = parameter_report(full)
    assert report.lora == 0
    assert report.time + report.other == report.base == sum(w.numel() for w in weights.values())
    scratch = rad_network(small_net, adapt="scratch", seed=1)
    assert isinstance(scratch, nn.Module)
    assert all(p.requires_grad for p in scratch.parameters())
    assert not torch.equal(
        scratch.state_dict()["input_blocks.0.0.weight"], weights["input_blocks.0.0.weight"]
    )
