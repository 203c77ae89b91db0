"""LSUN Bedroom: a 20 % sample of the bedrooms, 2,000 images held out."""

from __future__ import annotations

from functools import partial

from radpipe.data._large import LargeSettings, prepare_large

COLLECTION = "lsun-bedrooms"
Settings = LargeSettings
prepare = partial(prepare_large, COLLECTION)
