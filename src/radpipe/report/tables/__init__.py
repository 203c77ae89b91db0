"""Tables, one file each.

A file defines `KEYS` (dotted settings that it may see), `needs(pipeline)` (results that it reads)
and `build(job) -> Table`. A row that was not run says so; nothing is left out.
"""
