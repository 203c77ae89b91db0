"""ImageNet's training images, 2,000 of them held out; gated, or from a local folder."""

from __future__ import annotations

from functools import partial

from radpipe.data._large import LargeSettings, prepare_large

COLLECTION = "imagenet-1k"
Settings = LargeSettings
prepare = partial(prepare_large, COLLECTION)
