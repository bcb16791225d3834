"""The national reader interface as a C library: what composes it and what builds it.

The shared library is a few hundred lines of C with the exported names; each call goes over a
socket to a process of this package (`python -m sscard.nationallib`), which holds the reader.
`config` says which card, PSAM and PIN; `build` compiles. Above the card, below the program.
"""

from sscard.nationallib.build import BuildError, Built, build
from sscard.nationallib.config import ConfigError, Configuration, configuration, equipment

__all__ = [
    "BuildError",
    "Built",
    "ConfigError",
    "Configuration",
    "build",
    "configuration",
    "equipment",
]
