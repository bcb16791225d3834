"""Faulty readers and cards: what a terminal must survive, on purpose and reproducibly.

A `Fault` says what goes wrong and when; `faulty` puts any number of them around a card, the
first nearest to it, and gives a `CardPort` for any reader: one in process, one of vpcd, or none.
Faults of the wire need nothing but a `CardPort`; faults of the card need the emulated `Card`.
"""

from sscard.testing.faults.answers import (
    AnswerField,
    alterations,
    altered,
    answer_fields,
    garbled,
    truncated,
)
from sscard.testing.faults.base import Fault, When, faulty
from sscard.testing.faults.chip import (
    bit_flipped,
    bits_flipped,
    random_repeating,
    random_stuck,
    torn,
)
from sscard.testing.faults.reader import dies, mute, removed, slow, wrong_atr

__all__ = [
    "AnswerField",
    "Fault",
    "When",
    "alterations",
    "altered",
    "answer_fields",
    "bit_flipped",
    "bits_flipped",
    "dies",
    "faulty",
    "garbled",
    "mute",
    "random_repeating",
    "random_stuck",
    "removed",
    "slow",
    "torn",
    "truncated",
    "wrong_atr",
]
