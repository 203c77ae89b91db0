"""Kinds of picture files, and what must be read from each."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

ROWS, COLUMNS = np.mgrid[:20, :30]
RGB = np.stack([ROWS * 12, COLUMNS * 8, 200 - ROWS * 5 - COLUMNS], -1).astype(np.uint8)
GREY = (ROWS * 5 + COLUMNS * 5).astype(np.uint8)
ALPHA = np.where(COLUMNS < 10, 0, np.where(COLUMNS < 20, 128, 255)).astype(np.uint8)
AS_GREY = np.repeat(GREY[..., None], 3, -1)
BLACK_WHITE = np.where(GREY > 100, 255, 0).astype(np.uint8)
AS_BW = np.repeat(BLACK_WHITE[..., None], 3, -1)


def image(array: np.ndarray, mode: str | None = None) -> Image.Image:
    made = Image.fromarray(array)
    return made.convert(mode) if mode else made


def rgba() -> Image.Image:
    return image(np.dstack([RGB, ALPHA]))


def two_frames(kind: str) -> Callable[[io.BytesIO], None]:
    def save(file: io.BytesIO) -> None:
        image(RGB).save(file, kind, save_all=True, append_images=[image(255 - RGB)], lossless=True)

    return save


def saved(made: Image.Image, kind: str, **options: object) -> Callable[[io.BytesIO], None]:
    return lambda file: made.save(file, kind, **options)


def palette_with_a_clear_colour() -> Image.Image:
    made = Image.fromarray((COLUMNS // 10).astype(np.uint8), "P")
    made.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return made


THREE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[COLUMNS // 10]
FIRST_CLEAR = np.where(COLUMNS < 10, 0, 255).astype(np.uint8)
SIXTEEN = image(GREY.astype(np.uint16) * 257)

# name: (how it is written, expected RGB, levels it may be off, expected alpha)
KINDS = {
    "png rgb": (saved(image(RGB), "PNG"), RGB, 0, None),
    "png rgb interlaced": (saved(image(RGB), "PNG", interlace=1), RGB, 0, None),
    "png rgba": (saved(rgba(), "PNG"), RGB, 0, ALPHA),
    "png grey": (saved(image(GREY), "PNG"), AS_GREY, 0, None),
    "png grey alpha": (
        saved(Image.merge("LA", (image(GREY), image(ALPHA))), "PNG"), AS_GREY, 0, ALPHA
    ),
    "png 1 bit": (saved(image(BLACK_WHITE, "1"), "PNG"), AS_BW, 0, None),
    "png 16 bits": (saved(SIXTEEN, "PNG"), AS_GREY, 0, None),
    "png grey, one level clear": (
        saved(image(GREY), "PNG", transparency=50), AS_GREY, 0,
        np.where(GREY == 50, 0, 255).astype(np.uint8),
    ),
    "png palette": (saved(palette_with_a_clear_colour(), "PNG"), THREE, 0, None),
    "png palette, one clear": (
        saved(palette_with_a_clear_colour(), "PNG", transparency=0), THREE, 0, FIRST_CLEAR
    ),
    "png palette, alpha each": (
        saved(palette_with_a_clear_colour(), "PNG", transparency=bytes([0, 128, 255])),
        THREE, 0, ALPHA,
    ),
    "apng": (two_frames("PNG"), RGB, 0, None),
    "jpeg": (saved(image(RGB), "JPEG", quality=100, subsampling=0), RGB, 4, None),
    "jpeg progressive": (
        saved(image(RGB), "JPEG", quality=100, subsampling=0, progressive=True), RGB, 4, None
    ),
    "jpeg grey": (saved(image(GREY), "JPEG", quality=100), AS_GREY, 2, None),
    "jpeg cmyk": (saved(image(RGB, "CMYK"), "JPEG", quality=100), RGB, 6, None),
    "webp lossless": (saved(image(RGB), "WEBP", lossless=True), RGB, 0, None),
    "webp lossy": (saved(image(RGB), "WEBP", quality=100), RGB, 24, None),
    "webp alpha": (saved(rgba(), "WEBP", lossless=True, exact=True), RGB, 0, ALPHA),
    "webp animated": (two_frames("WEBP"), RGB, 0, None),
    "tiff rgb": (saved(image(RGB), "TIFF"), RGB, 0, None),
    "tiff lzw": (saved(image(RGB), "TIFF", compression="tiff_lzw"), RGB, 0, None),
    "tiff cmyk": (saved(image(RGB, "CMYK"), "TIFF"), RGB, 0, None),
    "tiff rgba": (saved(rgba(), "TIFF"), RGB, 0, ALPHA),
    "tiff grey": (saved(image(GREY), "TIFF"), AS_GREY, 0, None),
    "tiff 16 bits": (saved(SIXTEEN, "TIFF"), AS_GREY, 0, None),
    "tiff 1 bit": (saved(image(BLACK_WHITE, "1"), "TIFF"), AS_BW, 0, None),
    "tiff pages": (two_frames("TIFF"), RGB, 0, None),
    "bmp": (saved(image(RGB), "BMP"), RGB, 0, None),
    "bmp grey": (saved(image(GREY), "BMP"), AS_GREY, 0, None),
    "bmp 1 bit": (saved(image(BLACK_WHITE, "1"), "BMP"), AS_BW, 0, None),
    "gif": (saved(palette_with_a_clear_colour(), "GIF"), THREE, 0, None),
    "gif clear": (
        saved(palette_with_a_clear_colour(), "GIF", transparency=0), THREE, 0, FIRST_CLEAR
    ),
    "gif animated": (
        lambda file: image(AS_BW).save(
            file, "GIF", save_all=True, append_images=[image(255 - AS_BW)]
        ), AS_BW, 0, None,
    ),
    "ppm": (saved(image(RGB), "PPM"), RGB, 0, None),
    "pgm 16 bits": (saved(image(GREY.astype(np.int32) * 257), "PPM"), AS_GREY, 0, None),
}  # fmt: skip


def written(kind: str) -> bytes:
    """A file of a kind."""
    file = io.BytesIO()
    KINDS[kind][0](file)
    return file.getvalue()
