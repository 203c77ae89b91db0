"""The FFC-ResNet generator: size, reach, polarity, padding, files; and what its losses must do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from radpipe.errors import UserError
from radpipe.models.ffc import FourierResidualBlock, FourierUnit
from radpipe.models.lama import (
    LamaConfig,
    LamaGenerator,
    PatchDiscriminator,
    TorchScriptLama,
    load_generator,
    padded,
    save_generator,
)
from radpipe.training.lama_losses import (
    LamaLossWeights,
    discriminator_loss,
    feature_matching,
    generator_loss,
    masked_l1,
)

SMALL = LamaConfig(width=8, downsamplings=2, blocks=1)


def small(seed: int = 0, config: LamaConfig = SMALL) -> LamaGenerator:
    torch.manual_seed(seed)
    return LamaGenerator(config).eval()


def corner_hole(size: int = 32, batch: int = 1) -> Tensor:
    hole = torch.zeros(batch, 1, size, size, dtype=torch.bool)
    hole[..., : size // 4, : size // 4] = True
    return hole


@pytest.mark.parametrize(("blocks", "millions"), [(9, 27), (18, 51)])
def test_parameter_counts_are_the_papers(blocks: int, millions: int) -> None:
    """Table 1 of the paper: LaMa-Fourier 27M, Big LaMa-Fourier 51M."""
    with torch.device("meta"):
        generator = LamaGenerator(LamaConfig(blocks=blocks))
    assert round(sum(p.numel() for p in generator.parameters()) / 1e6) == millions


def test_fourier_unit_with_identity_weights_keeps_what_relu_keeps() -> None:
    """A spectrum with real and imaginary parts >= 0 passes an identity unit unchanged."""
    unit = FourierUnit(1).eval()
    nn.init.eye_(unit.conv.weight.data.view(2, 2))
    impulse = torch.zeros(1, 1, 8, 8)
    impulse[..., 0, 0] = 1.0  # its spectrum is constant, real and positive
    torch.testing.assert_close(unit(impulse), impulse, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("ratio", "reaches"), [(0.75, True), (0.0, False)])
def test_only_the_global_branch_sees_the_whole_image(ratio: float, reaches: bool) -> None:
    torch.manual_seed(0)
    block = FourierResidualBlock(8, ratio).eval()
    channels = int(8 * ratio)

    def far_corner(x: Tensor) -> Tensor:
        pair = (x[:, channels:], x[:, :channels] if channels else None)
        return block(pair)[0][..., -1, -1]

    x = torch.rand(1, 8, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(far_corner(x).sum(), x)
    assert bool(gradient[..., :4, :4].abs().sum() > 0) is reaches


def test_hole_content_is_not_read_and_known_content_is() -> None:
    generator, hole = small(), corner_hole()
    known = torch.rand(1, 3, 32, 32) * 2 - 1
    other = torch.where(hole, torch.rand_like(known), known)
    changed = torch.where(hole, known, torch.rand_like(known))
    assert torch.equal(generator(known, hole), generator(other, hole))
    assert not torch.allclose(generator(known, hole), generator(changed, hole))


def test_output_is_an_image_of_the_same_size_whatever_the_size() -> None:
    generator = small()
    for shape in [(32, 32), (30, 37)]:
        hole = torch.zeros(2, 1, *shape, dtype=torch.bool)
        out = generator(torch.rand(2, 3, *shape), hole)
        assert out.shape == (2, 3, *shape)
        assert out.abs().max() <= 1


def test_the_smallest_image_and_one_that_is_too_small() -> None:
    for downsamplings in (1, 2, 3):
        network = LamaGenerator(LamaConfig(8, downsamplings, 1)).eval()
        for side, fits in ((2**downsamplings + 1, True), (2**downsamplings, False)):
            known, hole = torch.zeros(1, 3, side, 64), torch.zeros(1, 1, side, 64).bool()
            if fits:
                assert network(known, hole).shape == known.shape
            else:
                with pytest.raises(UserError, match=f"64x{side} pixels"):
                    network(known, hole)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    generator = LamaGenerator(LamaConfig(8, 1, 1))
    generator.out.bias.data[0] = float("inf")
    save_generator(tmp_path / "lama.safetensors", generator, {})
    with pytest.raises(UserError, match="NaN or infinity"):
        load_generator(tmp_path / "lama.safetensors")


def test_padding_reflects_the_far_border() -> None:
    row = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert padded(row, 4)[0, 0, 0].tolist() == [1, 2, 3, 2]
    assert padded(row, 4)[0, 0, :, 0].tolist() == [1, 4, 7, 4]
    assert padded(row, 3) is row


def test_a_saved_generator_comes_back_with_its_architecture(tmp_path: Path) -> None:
    generator, hole = small(), corner_hole()
    save_generator(tmp_path / "lama.safetensors", generator, {"steps": "3"})
    loaded = load_generator(tmp_path / "lama.safetensors")
    known = torch.rand(1, 3, 32, 32)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(loaded(known, hole), generator(known, hole))


class Published(nn.Module):
    """Stands for big-lama.pt: [0, 1] image and float mask in, image out; sides multiples of 8."""

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        assert image.shape[2] % 8 == 0 and image.shape[3] % 8 == 0
        return image + 0.25 * mask


def test_a_torchscript_file_is_used_in_its_own_convention(tmp_path: Path) -> None:
    torch.jit.script(Published()).save(str(tmp_path / "big.pt"))
    model = load_generator(tmp_path / "big.pt")
    assert isinstance(model, TorchScriptLama)
    hole = corner_hole(30)
    known = (torch.rand(1, 3, 30, 30) * 2 - 1).masked_fill(hole, 0.9)
    expected = known.masked_fill(hole, -0.5)  # hole 0 in [0, 1], plus 0.25
    torch.testing.assert_close(model(known, hole), expected)


@pytest.mark.parametrize("name", ["none.pt", "junk.pt", "junk.safetensors"])
def test_a_wrong_file_is_a_message(tmp_path: Path, name: str) -> None:
    if name.startswith("junk"):
        (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(UserError) as caught:
        load_generator(tmp_path / name)
    assert name in caught.value.where


def test_weights_of_another_size_are_a_message(tmp_path: Path) -> None:
    generator = small()
    generator.config = LamaConfig(width=16, downsamplings=2, blocks=1)
    save_generator(tmp_path / "lama.safetensors", generator, {})
    with pytest.raises(UserError, match="not a checkpoint"):
        load_generator(tmp_path / "lama.safetensors")


def test_l1_counts_known_pixels_in_unit_range() -> None:
    hole = torch.tensor([True, False]).view(1, 1, 1, 2)
    target = torch.zeros(1, 3, 1, 2)
    output = torch.full((1, 3, 1, 2), 0.5)
    assert masked_l1(output, target, hole).item() == pytest.approx(0.125)


def test_feature_matching_is_the_mean_over_layers() -> None:
    real = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 1)]
    fake = [torch.ones(1, 1, 2, 2), 2 * torch.ones(1, 1)]
    assert feature_matching(real, fake).item() == pytest.approx(2.5)


class Linear(nn.Module):
    """Logit = 3 x mean of the image: its R1 penalty and its losses are known."""

    def forward(self, unit: Tensor) -> tuple[Tensor, list[Tensor]]:
        logits = 3 * unit.mean(dim=(1, 2, 3), keepdim=True)
        return logits.expand(-1, 1, 4, 4), [unit]


def test_r1_is_the_squared_gradient_on_unit_images() -> None:
    target = torch.rand(2, 3, 4, 4) * 2 - 1
    weights = LamaLossWeights(r1=1.0)
    parts = discriminator_loss(target, target, corner_hole(4, 2), Linear(), weights)
    pixels = 3 * 4 * 4
    assert parts["r1"].item() == pytest.approx(pixels * (16 * 3 / pixels) ** 2)


def test_only_the_hole_of_an_output_counts_as_fake() -> None:
    """Without a hole the fake term is the real term; all hole, it is softplus(+logit)."""
    image = torch.rand(2, 3, 4, 4) * 2 - 1
    none = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    weights = LamaLossWeights(r1=0.0)
    known = discriminator_loss(image, image, none, Linear(), weights)
    filled = discriminator_loss(image, image, ~none, Linear(), weights)
    logits, _ = Linear()((image + 1) / 2)
    assert known["fake"].item() == pytest.approx(known["real"].item())
    assert filled["fake"].item() == pytest.approx(nn.functional.softplus(logits).mean().item())


def test_generator_loss_is_the_weighted_sum_and_zero_where_it_should_be() -> None:
    image = torch.rand(2, 3, 8, 8) * 2 - 1
    hole = corner_hole(8, 2)
    weights = LamaLossWeights(l1=2.0, adversarial=3.0, feature_matching=5.0, perceptual=7.0)

    def features(x: Tensor) -> list[Tensor]:
        return [x, 2 * x]

    same = generator_loss(image, image, hole, Linear(), features, weights)
    assert same["l1"] == same["feature_matching"] == same["perceptual"] == 0
    assert same["loss"].item() == pytest.approx(3 * same["adversarial"].item())
    other = generator_loss(-image, image, hole, Linear(), features, weights)
    names = {"l1": 2.0, "adversarial": 3.0, "feature_matching": 5.0, "perceptual": 7.0}
    assert set(other) == {"loss", *names}
    total = sum(weight * other[name].item() for name, weight in names.items())
    assert other["loss"].item() == pytest.approx(total, rel=1e-5)
    with pytest.raises(ValueError, match="feature network"):
        generator_loss(image, image, hole, Linear(), None, weights)


def test_a_few_steps_of_the_real_networks_lower_both_losses() -> None:
    """Both objectives can be minimised by their own optimiser when the other side stands still."""
    torch.manual_seed(0)
    generator, discriminator = LamaGenerator(SMALL), PatchDiscriminator(8, 2)
    image, hole = torch.rand(4, 3, 16, 16) * 2 - 1, corner_hole(16, 4)
    weights = LamaLossWeights(perceptual=0.0)
    known = image.masked_fill(hole, 0)

    def generator_step() -> Tensor:
        output = generator(known, hole)
        return generator_loss(output, image, hole, discriminator, None, weights)["loss"]

    def discriminator_step() -> Tensor:
        output = generator(known, hole)
        return discriminator_loss(output, image, hole, discriminator, weights)["loss"]

    for module, step in ((discriminator, discriminator_step), (generator, generator_step)):
        optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
        losses = []
        for _ in range(12):
            optimiser.zero_grad()
            loss = step()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert min(losses[-3:]) < 0.9 * losses[0]
