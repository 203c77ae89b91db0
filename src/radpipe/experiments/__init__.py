"""Experiments: what is computed once for a table of its own, without any data set."""
