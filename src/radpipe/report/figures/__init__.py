"""Figures, one file each.

A file defines `KEYS` (dotted settings that it may see), `needs(pipeline)` (results that it reads)
and `draw(job) -> Drawing`: the picture, the plotted numbers and a caption.
"""
