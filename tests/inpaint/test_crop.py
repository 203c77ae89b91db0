"""Which squares are shown to a network, and that nothing of the hole is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from radpipe.errors import UserError
from radpipe.inpainting.crop import Piece, pieces

NOISE = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)


def marked(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A hole of boxes (top, left, height, width)."""
    hole = np.zeros((height, width), bool)
    for top, left, rows, columns in boxes:
        hole[top : top + rows, left : left + columns] = True
    return hole


HOLES = {
    "of the network's size": marked(32, 32, (3, 4, 9, 9)),
    "smaller than the network": marked(20, 25, (3, 4, 9, 9)),
    "a single pixel": marked(100, 100, (50, 50, 1, 1)),
    "one pixel in all": marked(1, 1, (0, 0, 1, 1)),
    "in a corner": marked(200, 300, (190, 290, 10, 10)),
    "everything": marked(90, 70, (0, 0, 90, 70)),
    "wider than the picture is high": marked(40, 400, (10, 20, 20, 350)),
    "a column": marked(300, 5, (0, 2, 300, 1)),
    "three apart": marked(600, 800, (10, 10, 20, 20), (300, 700, 9, 40), (580, 60, 20, 8)),
    "close together": marked(600, 800, (100, 100, 10, 10), (100, 120, 10, 10)),
    "one around another": marked(600, 600, (50, 50, 500, 9), (50, 50, 9, 500), (400, 400, 9, 9)),
    "specks": np.random.default_rng(1).random((150, 170)) > 0.99,
}


@pytest.mark.parametrize("crop", ["auto", "whole"])
@pytest.mark.parametrize("kind", HOLES)
def test_every_pixel_of_the_hole_is_in_one_piece(kind: str, crop: str) -> None:
    hole = HOLES[kind]
    covered = np.zeros(hole.shape, int)
    for piece in pieces(hole, 32, crop):
        covered[piece.box] += piece.hole
        assert len(piece.rows) == len(piece.columns) or (crop == "auto" and hole.shape == (32, 32))
        # what is replaced lies within what is shown
        assert set(range(*piece.box[0].indices(10**6))) <= set(piece.rows.tolist())
        assert set(range(*piece.box[1].indices(10**6))) <= set(piece.columns.tolist())
    np.testing.assert_array_equal(covered, hole)


def test_how_many_pieces_and_how_coarse() -> None:
    found = {kind: pieces(hole, 32, "auto") for kind, hole in HOLES.items()}
    assert len(found["three apart"]) == 3
    assert len(found["close together"]) == 1
    assert len(found["one around another"]) == 2
    # small holes are done at the picture's own scale
    assert {p.reduction for p in found["a single pixel"] + found["in a corner"]} == {1}
    # half of the square is context
    assert [len(p.rows) for p in found["three apart"]] == [40, 80, 40]
    # no mirrored pixels where the picture has enough of its own
    for piece in found["three apart"] + found["in a corner"]:
        assert (np.diff(piece.rows) == 1).all()
        assert (np.diff(piece.columns) == 1).all()


@pytest.mark.parametrize("crop", ["auto", "whole"])
@pytest.mark.parametrize("kind", HOLES)
def test_nothing_of_the_hole_is_shown(kind: str, crop: str) -> None:
    hole = HOLES[kind]
    one, other = (NOISE[: hole.shape[0], : hole.shape[1]].copy() for _ in range(2))
    other[hole] = 255 - other[hole]
    for piece in pieces(hole, 32, crop):
        (seen, hidden), (seen_other, hidden_other) = (p.show(x, hole) for p, x in
                                                     ((piece, one), (piece, other)))  # fmt: skip
        assert seen.shape == (32, 32, 3)
        np.testing.assert_array_equal(hidden, hidden_other)
        assert hidden.any()
        np.testing.assert_array_equal(seen[~hidden], seen_other[~hidden])


@pytest.mark.parametrize("length", [64, 100, 160, 320, 20])
def test_what_is_shown_is_put_back_where_it_was(length: int) -> None:
    """A network that answers with the truth, on a ramp: no shift of half a pixel goes unseen."""
    rows, columns = np.mgrid[:length, :length] * (200 / length)
    ramp = np.stack([rows, columns, 200 - rows], -1).astype(np.uint8)
    part = slice(length // 4, 3 * length // 4)
    hole = np.zeros((length, length), bool)
    hole[part, part] = True
    (piece,) = pieces(hole, 32, "whole")
    truth = np.asarray(Image.fromarray(ramp).resize((32, 32), Image.Resampling.BOX
                       if length > 32 else Image.Resampling.LANCZOS))  # fmt: skip
    filled = np.where(hole[..., None], np.uint8(0), ramp)
    piece.put(truth, filled)
    assert np.abs(filled.astype(int) - ramp).max() <= 2
    seen, hidden = piece.show(ramp, hole)
    assert np.abs(seen[~hidden].astype(int) - truth[~hidden]).max() <= 6


def test_a_network_of_any_size_is_shown_all() -> None:
    hole = HOLES["three apart"]
    (piece,) = pieces(hole, None, "auto")
    assert isinstance(piece, Piece)
    seen, hidden = piece.show(NOISE[:600, :800], hole)
    np.testing.assert_array_equal(seen, NOISE[:600, :800])
    np.testing.assert_array_equal(hidden, hole)


def test_none_wants_the_networks_size() -> None:
    with pytest.raises(UserError, match=r"800x600 pixels, the network wants 32x32(.|\n)*x\.png"):
        pieces(HOLES["three apart"], 32, "none", "x.png")
    assert len(pieces(HOLES["of the network's size"], 32, "none")) == 1
