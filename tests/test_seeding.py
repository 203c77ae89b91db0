"""Named random numbers stay what they are."""

from __future__ import annotations

from radpipe.diffusion.noise import image_seed
from radpipe.seeding import generator, key_hash


def test_a_name_has_its_numbers_for_good() -> None:
    """Every mask and every seed of a published result hangs on these."""
    drawn = generator(3, "mask", "wide", 7).integers(0, 2**62, 2)
    assert drawn.tolist() == [877594613839907666, 929164076112878952]
    assert image_seed(3, "mask", "wide", 7) == 5035323550760200206


def test_generators_and_image_seeds_share_no_hash() -> None:
    assert key_hash(0, ("a", 1), ", ") != key_hash(0, ("a", 1), ",")
    assert (
        len({key_hash(0, (name,), ",") for name in ("a", "b", "1")} | {key_hash(0, (1,), ",")}) == 4
    )
