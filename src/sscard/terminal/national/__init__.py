"""The national reader interface (ssse-lb002 8; LD/T 33): `iReadCardBas` and its like in Python.

`NationalReader` has the functions by their names, over the `Equipment` it is given; `HsmDesk` is
the other end of the `_HSM_Step` flows. The same as a C library is `sscard.nationallib`.
"""

from sscard.terminal.national.codes import Code, code_of_sw, describe
from sscard.terminal.national.desk import HsmDesk
from sscard.terminal.national.equipment import CardType, Equipment, Slot
from sscard.terminal.national.pad import FixedPad, PinCancelled, PinPad, PinTimeout, Prompt
from sscard.terminal.national.reader import Answer, NationalReader

__all__ = [
    "Answer",
    "CardType",
    "Code",
    "Equipment",
    "FixedPad",
    "HsmDesk",
    "NationalReader",
    "PinCancelled",
    "PinPad",
    "PinTimeout",
    "Prompt",
    "Slot",
    "code_of_sw",
    "describe",
]
