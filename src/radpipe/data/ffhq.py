"""FFHQ at 256 pixels: 70,000 faces, 2,000 of them held out."""

from __future__ import annotations

from functools import partial

from radpipe.data._large import LargeSettings, prepare_large

COLLECTION = "ffhq256"
Settings = LargeSettings
prepare = partial(prepare_large, COLLECTION)
