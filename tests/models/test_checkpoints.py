"""Our checkpoints carry their architecture; a public one that does not fit is refused by name."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from radpipe.errors import UserError
from radpipe.models.checkpoints import (
    ARCHITECTURES,
    FFHQ256,
    IMAGENET256,
    architecture,
    check_shapes,
    empty,
    load_public,
    load_unet,
    new_unet,
    save_unet,
)

SHAPES = json.loads(
    (Path(__file__).parents[1] / "oracle" / "adm_256_state_dict_shapes.json").read_text()
)
LARGE = "lsun_bedroom_256_and_imagenet_256_uncond"


def shapes_of(config):
    return {k: tuple(tensor.shape) for k, tensor in empty(config).state_dict().items()}


def test_round_trip(small_net, batch, tmp_path):
    x, _, times = batch
    path = tmp_path / "net.safetensors"
    save_unet(path, small_net, {"images": 3, "by": "a test"})
    again = load_unet(path)
    assert again.config == small_net.config
    assert torch.equal(again(x, times), small_net(x, times))
    assert all(p.requires_grad for p in again.parameters())
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["radpipe"])
    assert header["extra"] == {"images": 3, "by": "a test"}
    assert header["architecture"]["channel_mult"] == [1, 2, 2]


def test_equal_contents_give_equal_bytes(small_net, tmp_path):
    save_unet(tmp_path / "a.safetensors", small_net, {"x": 1, "y": 2})
    small_net.to(memory_format=torch.channels_last)
    save_unet(tmp_path / "b.safetensors", small_net, {"y": 2, "x": 1})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_unreadable_checkpoints(small_net, tmp_path, damage):
    path = tmp_path / "net.safetensors"
    save_unet(path, small_net)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        from safetensors.torch import save_file

        save_file(small_net.state_dict(), path)
    what = {"missing": "no such", "cut": "damaged", "foreign": "does not say its architecture"}
    with pytest.raises(UserError, match=what[damage]):
        load_unet(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(small_net, tmp_path, bad):
    small_net.out[2].weight.data[1, 2, 0, 0] = bad
    save_unet(tmp_path / "net.safetensors", small_net)
    torch.save(small_net.state_dict(), tmp_path / "public.pt")
    with pytest.raises(UserError, match=r"NaN or infinity, in `out.2.weight`"):
        load_unet(tmp_path / "net.safetensors")
    with pytest.raises(UserError, match=r"NaN or infinity, in `out.2.weight`"):
        load_public(tmp_path / "public.pt", small_net.config)


def test_public_file_in_half_precision(small_net, batch, tmp_path):
    x, _, times = batch
    path = tmp_path / "public.pt"
    torch.save({k: w.half() for k, w in small_net.state_dict().items()}, path)
    net = load_public(path, small_net.config)
    assert all(p.dtype == torch.float32 for p in net.parameters())
    torch.testing.assert_close(net(x, times), small_net(x, times), rtol=0.05, atol=0.05)


class Payload:
    def __reduce__(self):
        return (print, ("executed",))


def test_public_file_with_code_is_not_run(small_net, tmp_path, capsys):
    path = tmp_path / "bad.pt"
    torch.save({"weight": Payload()}, path)
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_public(path, small_net.config)
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_public(path, small_net.config)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(UserError, match="not a plain state dict"):
        load_public(path, small_net.config)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("key", "names"), [("ffhq_256", ["FFHQ256"]), (LARGE, ["LSUN256", "IMAGENET256"])]
)
def test_public_names_and_shapes_without_allocating(key, names):
    """Also the network of 552.8 million parameters."""
    for name in names:
        check_shapes(ARCHITECTURES[name], SHAPES[key], "a public file")


def test_mismatch_names_tensor_and_architecture():
    with pytest.raises(UserError) as caught:
        check_shapes(FFHQ256, shapes_of(IMAGENET256), "file.pt")
    message = str(caught.value)
    assert "`time_embed.0.weight` is [1024, 256], expected [512, 128]" in message
    assert "file.pt" in message
    assert "LSUN256 or IMAGENET256" in message


def test_mismatch_of_an_altered_file():
    shapes = shapes_of(FFHQ256)
    del shapes["out.0.bias"]
    with pytest.raises(UserError, match=r"(?s)`out.0.bias` \[128\] is missing.*nearly FFHQ256"):
        check_shapes(FFHQ256, shapes, "file.pt")
    shapes = shapes_of(FFHQ256) | {"other.weight": (1000, 512)}
    with pytest.raises(UserError, match=r"`other.weight` is not part of the network"):
        check_shapes(FFHQ256, shapes, "file.pt")


def test_a_class_conditional_file_is_named_so():
    """Whatever else does not fit."""
    shapes = shapes_of(IMAGENET256) | {"label_emb.weight": (1000, 1024)}
    for config in (IMAGENET256, FFHQ256):
        with pytest.raises(
            UserError, match=r"class-conditional network: it has `label_emb.weight`"
        ):
            check_shapes(config, shapes, "file.pt")


def test_mismatch_of_an_unknown_file(small_net):
    config = replace(small_net.config, model_channels=96)
    with pytest.raises(UserError, match="an ADM network with 96 channels, with attention and 6"):
        check_shapes(FFHQ256, shapes_of(config), "file.pt")
    with pytest.raises(UserError, match="does not look like an ADM network"):
        check_shapes(FFHQ256, {"conv.weight": (3, 3)}, "file.pt")


def test_unknown_architecture_gets_a_hint():
    assert architecture("FFHQ256") is FFHQ256
    with pytest.raises(UserError, match="did you mean `FFHQ256`"):
        architecture("FFHQ_256")


@pytest.mark.slow
def test_ffhq_file_at_full_size(tmp_path):
    """93.6 million parameters under the public names, through .pt and through our own format."""
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.randn(shape, generator=generator) * 0.02
        for name, shape in SHAPES["ffhq_256"].items()
    }
    torch.save(weights, tmp_path / "ffhq.pt")
    net = load_public(tmp_path / "ffhq.pt", FFHQ256)
    save_unet(tmp_path / "ffhq.safetensors", net)
    again = load_unet(tmp_path / "ffhq.safetensors").state_dict()
    assert sum(w.numel() for w in again.values()) == 93_563_910
    assert all(torch.equal(again[name], weight) for name, weight in weights.items())


def test_new_networks_follow_their_seed(small_net):
    first, other = (new_unet(small_net.config, seed).state_dict() for seed in (0, 1))
    assert not torch.equal(first["time_embed.0.weight"], other["time_embed.0.weight"])
