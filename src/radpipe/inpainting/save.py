"""Writing a filled picture: the ending decides the format, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from radpipe.errors import UserError
from radpipe.files import atomic, require_writable
from radpipe.pictures import Picture

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "lossless": True, "exact": True},
    ".tif": {"format": "TIFF", "compression": "tiff_lzw"},
    ".tiff": {"format": "TIFF", "compression": "tiff_lzw"},
    ".bmp": {"format": "BMP"},
}
OPAQUE = ("JPEG", "BMP")


def destination(
    path: Path, inputs: Sequence[Path], suffixes: Collection[str] = tuple(FORMATS)
) -> Path:
    """Where a file is really written; links are followed.

    Args:
        path: as the user named it.
        inputs: files that must not be written over.
        suffixes: endings that can be written.

    Raises:
        UserError: a folder, no plain file, an input, an ending of no format, no place to write.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise UserError("this link leads round in a circle", str(path)) from None
    if real.is_dir():
        do = f"name a file in it, for instance {path / 'out.png'}"
        raise UserError("the output is a folder", str(path), do)
    if real.exists() and not real.is_file():
        raise UserError("the output is no plain file; it is left as it is", str(path))
    if path.suffix.lower() not in suffixes:
        raise UserError(
            f"no format belongs to the ending `{path.suffix}`",
            str(path),
            f"let the name end in one of: {', '.join(suffixes)}",
        )
    for file in inputs:
        if real.exists() and file.exists() and real.samefile(file):
            do = "name another file, or say that you mean it: --overwrite"
            raise UserError("the output would replace an input", str(path), do)
    require_writable([real.parent])
    return real


def save(picture: Picture, path: Path) -> list[str]:
    """Write a picture to a `destination`; returns what the user should know.

    Raises:
        UserError: the format cannot hold it, or the disk does not take it.
    """
    options, notes = dict(FORMATS[path.suffix.lower()]), []
    if picture.profile is not None:
        options["icc_profile"] = picture.profile
    if picture.alpha is not None and options["format"] in OPAQUE:
        picture = Picture(picture.opaque, None, picture.grey)
        notes.append(f"{options['format']} holds no transparency: laid on white")
    write(picture.image(), path, **options)
    return notes


def write(image: Image.Image, path: Path, **options: Any) -> None:
    """Save an image of PIL atomically.

    Raises:
        UserError: the format cannot hold it, or the disk does not take it.
    """
    try:
        with atomic(path) as temporary:
            image.save(temporary, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"the picture cannot be saved: {error}", str(path)) from None
