"""A file per metric or family of metrics: its declaration, `METRICS`, and its computation."""
