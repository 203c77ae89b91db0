"""The one reader of pictures and masks, whatever their file type.

A picture is turned as its EXIF data says, brought to 8-bit RGB, and its transparency kept apart;
what cannot be brought there is refused with a message. The first frame of several is taken.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from radpipe.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")  # others may start other programs
SUFFIXES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
MOST_PIXELS = 150_000_000  # more is refused before it is decoded [our choice]
_BROAD = "floating-point or 32-bit levels, whose white is unknown"


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: uint8 `[H, W, 3]`, as stored, also where it is transparent.
        alpha: uint8 `[H, W]`, 0 = transparent; None where the file has no transparency.
        grey: whether the file holds grey levels, not colours.
        profile: the ICC profile that `rgb` is still described by.
        notes: what was done to bring it here.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    grey: bool = False
    profile: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def opaque(self) -> NDArray[np.uint8]:
        """`rgb` on white paper, as a viewer shows it: uint8 `[H, W, 3]`."""
        return self.on(255)

    def on(self, paper: int | NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`rgb` on paper of a grey level or a colour `[3]`: uint8 `[H, W, 3]`."""
        if self.alpha is None:
            return self.rgb
        share = self.alpha[..., None] / np.float32(255)
        return np.rint(self.rgb * share + paper * (1 - share)).astype(np.uint8)

    def image(self) -> Image.Image:
        """As an image of PIL: mode L, LA, RGB or RGBA."""
        image = Image.fromarray(self.rgb)
        if self.grey:
            image = image.convert("L")
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        return image

    def filled(self, new: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Picture:
        """The hole from another picture, uint8 `[H, W, 3]`; all else bit for bit as it is, also
        what is transparent.

        Alpha stays as it is, unless the whole hole is transparent (it was erased): then it is made
        opaque. A grey picture stays grey.
        """
        if self.grey:
            new = np.asarray(Image.fromarray(new).convert("L").convert("RGB"))
        alpha = self.alpha
        if alpha is not None and not alpha[hole].any():
            alpha = np.where(hole, np.uint8(255), alpha)
        return Picture(np.where(hole[..., None], new, self.rgb), alpha, self.grey, self.profile)


def read(path: Path, what: str = "picture") -> Picture:
    """Read a file.

    Args:
        path: the file.
        what: what to call it in messages.

    Raises:
        UserError: it is not there, no plain file, not permitted, or `decode` refuses it.
    """
    if path.is_dir():
        raise UserError(f"this is a folder, not a {what}", str(path))
    if not path.exists():
        raise UserError(f"there is no such {what}", str(path))
    if not path.is_file():
        raise UserError(f"this is no plain file, so no {what}", str(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"the {what} cannot be read: {error.strerror}", str(path)) from None
    return decode(data, str(path), what)


def decode(data: bytes, where: str, what: str = "picture") -> Picture:
    """Decode the bytes of a file.

    Args:
        data: the file's content.
        where: what to call the place in messages.
        what: what to call the picture in messages.

    Raises:
        UserError: damaged, of an unknown type, larger than `MOST_PIXELS`, or of levels whose
            white is unknown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF; sizes are judged here
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                return from_image(image, where, what)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(
            f"the {what} has too many pixels: at most {MOST_PIXELS // 10**6} million are read",
            where,
            "make it smaller, or cut out the part you need",
        ) from None
    except Exception as error:  # decoders raise anything on damaged data
        kinds = ", ".join(FORMATS)
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):
            text = f"no file of the known types ({kinds})"
        raise UserError(
            f"the {what} is malformed: {text}", where, "repair or remove it, then run again"
        ) from None


def from_image(image: Image.Image, where: str = "", what: str = "picture") -> Picture:
    """Bring an image of PIL here; see `decode`."""
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"the first of {image.n_frames} frames")  # type: ignore[attr-defined]
    if image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9):
        notes.append("turned as its EXIF data says")
        image = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
    if image.mode.startswith("I"):
        image = _from_16_bits(image, where, what)
        notes.append("16 bits brought to 8")
    if image.mode in ("F", "LAB", "HSV"):
        levels = _BROAD if image.mode == "F" else f"the colours {image.mode}"
        raise UserError(f"the {what} has {levels}", where, "save it as PNG with 8 bits a channel")
    if image.mode in ("CMYK", "YCbCr"):
        notes.append(f"{image.mode} converted to RGB")
    if not image.has_transparency_data:
        return Picture(np.array(image.convert("RGB")), None, grey, profile, tuple(notes))
    pixels = np.array(image.convert("RGBA"))
    return Picture(pixels[..., :3].copy(), pixels[..., 3].copy(), grey, profile, tuple(notes))


def to_image(given: Any, what: str) -> Image.Image:
    """An image of PIL from one, or from an array: bool, uint8 or uint16, `[H, W]` or `[H, W, C]`.

    Raises:
        UserError: it is neither.
    """
    if isinstance(given, Image.Image):
        return given
    array = np.asarray(given)
    try:
        if array.dtype not in (np.bool_, np.uint8, np.uint16):
            raise TypeError
        return Image.fromarray(array.astype(np.uint8) * 255 if array.dtype == bool else array)
    except (TypeError, ValueError):
        raise UserError(
            f"the {what} is an array of {array.dtype} with the shape {array.shape}",
            what,
            "give an image of PIL, a Boolean [H, W] mask, or levels 0 to 255 as uint8: "
            "[H, W], [H, W, 3] or [H, W, 4]",
        ) from None


def _from_16_bits(image: Image.Image, where: str, what: str) -> Image.Image:
    """Grey levels 0 to 65535 -> 0 to 255, rounded; with alpha where one level is transparent."""
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise UserError(f"the {what} has {_BROAD}", where, "save it as PNG with 8 or 16 bits")
    small = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if isinstance(clear := image.info.get("transparency"), int):
        small.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return small
