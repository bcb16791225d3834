"""Card risk management: the tables of pse-pboc 5.2 to 5.4 and 6 as pure functions.

Card data, counters, the transaction so far and the terminal's data go in; a `Verdict` comes
out: the answer, the CVR, and the counters as they are to be committed. Nothing is read or
written here. The order of lines is the order of the tables.
"""

from sscard.apps.pse.risk.cash import cash_answer, is_cash
from sscard.apps.pse.risk.first import first_answer
from sscard.apps.pse.risk.quick import Processes, Ttq, quick_answer
from sscard.apps.pse.risk.second import second_answer
from sscard.apps.pse.risk.values import (
    Ada,
    Aip,
    CardData,
    Issuer,
    Rules,
    Situation,
    Terminal,
    Verdict,
)

__all__ = [
    "Ada",
    "Aip",
    "CardData",
    "Issuer",
    "Processes",
    "Rules",
    "Situation",
    "Terminal",
    "Ttq",
    "Verdict",
    "cash_answer",
    "first_answer",
    "is_cash",
    "quick_answer",
    "second_answer",
]
