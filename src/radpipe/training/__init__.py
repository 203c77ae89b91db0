"""One training loop and one file per objective."""
