"""What the pytest fixtures are made of: the card a test asks for, its readers, its trace.

Usable without pytest, by other runners.
"""

from sscard.testing.kit.bench import Kit, PcscReader, PyscardAbsent, private_pcscd
from sscard.testing.kit.trace import Exchange, Trace
from sscard.testing.kit.wanted import Wanted, in_a_reader, unsuitable

__all__ = [
    "Exchange",
    "Kit",
    "PcscReader",
    "PyscardAbsent",
    "Trace",
    "Wanted",
    "in_a_reader",
    "private_pcscd",
    "unsuitable",
]
