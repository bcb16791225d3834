"""Where `make deps` puts the source of the pyscard installed: its examples and its own tests."""

import sys
from importlib.metadata import version
from pathlib import Path


def folder() -> Path:
    """The folder of `Examples` and `test`; it exists once `make deps` has fetched them."""
    return Path(sys.prefix, "share/pyscard", version("pyscard"))
