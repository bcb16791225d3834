"""Cryptographic constructions of the card and of the world around it.

The only importer of `cryptography`. Bytes in, bytes out, no state, no I/O; secret values show
in no repr. The constructions are grouped by the clause they implement: `padding`, `mac`,
`line`, `diversify`, `session`, `pboc`, `purse`, `cps`, `rsa`, and `hierarchy`, the keys and
where they come from, as data. Their names repeat (`session_key`), so import the module.
"""

from sscard.keys.block import Algorithm, Engine, UnsupportedAlgorithm, engine
from sscard.keys.compare import equal

__all__ = ["Algorithm", "Engine", "UnsupportedAlgorithm", "engine", "equal"]
