"""One file of many images: an uncompressed zip of PNGs, the container of every stage.

Colour images are 8-bit RGB, masks 1-bit (white = True = hole). The same images give the same
bytes: fixed timestamps, no extra fields. Any zip or picture program opens it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from radpipe.errors import UserError
from radpipe.files import atomic

_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = 30  # bytes before the name in a zip's local file header


def encode_png(image: np.ndarray) -> bytes:
    """uint8 `[H, W, 3]` -> 8-bit RGB PNG; bool `[H, W]` -> 1-bit PNG, white = True.

    Raises:
        ValueError: for any other type or shape.
    """
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        picture = Image.fromarray(np.ascontiguousarray(image))
    elif image.dtype == np.bool_ and image.ndim == 2:
        picture = Image.fromarray(image.astype(np.uint8) * 255).convert(
            "1", dither=Image.Dither.NONE
        )
    else:
        raise ValueError(f"neither uint8 [H, W, 3] nor bool [H, W]: {image.dtype} {image.shape}")
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def decode_png(data: bytes) -> np.ndarray:
    """The inverse of `encode_png`: uint8 `[H, W, 3]`, or bool `[H, W]` for a 1-bit PNG."""
    with Image.open(io.BytesIO(data)) as picture:
        if picture.mode == "1":
            # Pillow's own bool arrays hold bytes of 255, which native code takes for numbers
            return np.asarray(picture.convert("L")) > 127
        return np.array(picture.convert("RGB"), dtype=np.uint8)


@contextlib.contextmanager
def image_writer(path: Path) -> Iterator[ImageWriter]:
    """Write an image store; the file appears, whole, when the `with` block ends well.

    >>> with image_writer(Path("results/data/emoji/val.zip")) as writer:
    ...     writer.add("1f600", image)

    Raises:
        UserError: when the disk is full or the folder cannot be written.
    """
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield ImageWriter(archive)


class ImageWriter:
    """Adds images to the archive of an image store; see `image_writer`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive

    def add(self, id: str, image: np.ndarray) -> None:
        """Add uint8 `[H, W, 3]` or bool `[H, W]` under a name of letters, digits and `._+-`."""
        self.add_png(id, encode_png(image))

    def add_png(self, id: str, data: bytes) -> None:
        """Add bytes that `encode_png` made, here or in another process."""
        if not _NAME.fullmatch(id):
            raise ValueError(f"not a usable image id: {id!r}")
        if f"{id}.png" in self._zip.NameToInfo:
            raise ValueError(f"two images have the id {id!r}")
        entry = zipfile.ZipInfo(f"{id}.png", _EPOCH)
        entry.create_system, entry.external_attr = 3, 0o644 << 16
        self._zip.writestr(entry, data)


class ImageStore:
    """Random access to an image store, from any number of threads and processes.

    Attributes:
        ids: names in the order they were written.
        marks: int64 `[N]`, CRC-32 and length of the PNGs: the same for equal images.

    Raises:
        UserError: when the file is missing, cut short or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                entries = [e for e in archive.infolist() if e.filename.endswith(".png")]
        except FileNotFoundError:
            raise UserError("there is no such image store", str(self.path)) from None
        except (zipfile.BadZipFile, struct.error, OSError) as error:
            raise self._damaged(str(error)) from None
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise self._damaged("its images are compressed, so it is not one of ours")
        self.ids: list[str] = [entry.filename.removesuffix(".png") for entry in entries]
        self._index = {id: position for position, id in enumerate(self.ids)}
        self._places = np.array([(e.header_offset, e.file_size, e.CRC) for e in entries], np.int64)
        self._places = self._places.reshape(-1, 3)
        self.marks = self._places[:, 2] << 31 | self._places[:, 1]
        self._file = self.path.open("rb")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: object) -> bool:
        return id in self._index

    def __reduce__(self) -> tuple[type[ImageStore], tuple[Path]]:
        return ImageStore, (self.path,)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def read_png(self, id: str) -> bytes:
        """The PNG bytes of one image, checked against the zip's CRC."""
        if id not in self._index:
            raise KeyError(f"{self.path} has no image {id!r}")
        offset, size, crc = (int(value) for value in self._places[self._index[id]])
        handle = self._file.fileno()
        header = os.pread(handle, _LOCAL_HEADER, offset)  # pread has no position to share
        if len(header) < _LOCAL_HEADER:
            raise self._damaged(f"image {id} is cut off")
        name, extra = struct.unpack_from("<HH", header, 26)
        data = os.pread(handle, size, offset + _LOCAL_HEADER + name + extra)
        if len(data) != size or zlib.crc32(data) != crc:
            raise self._damaged(f"image {id} fails its checksum")
        return data

    def read(self, id: str) -> np.ndarray:
        """One image: uint8 `[H, W, 3]`, or bool `[H, W]` for a mask (True = hole)."""
        return decode_png(self.read_png(id))

    def read_all(self) -> np.ndarray:
        """All images in the order of `ids`: uint8 `[N, H, W, 3]` or bool `[N, H, W]`."""
        if not self.ids:
            raise UserError("the image store is empty", str(self.path))
        return np.stack([self.read(id) for id in self.ids])

    def _damaged(self, why: str) -> UserError:
        return UserError(
            f"the image store is damaged: {why}",
            str(self.path),
            f"rm {self.path}, then run the same command again to make it anew",
        )
