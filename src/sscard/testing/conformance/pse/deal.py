"""A transaction as the suite follows it, and what risk management may remember (pse-pboc 3, 5)."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sscard.testing.models.pse_risk import Rules, State

__all__ = ["BAD", "Deal", "Hypothesis", "Phase"]

BAD = "bad"
"""An ARPC that was wrong, or came twice."""


class Phase:
    """The states of a transaction (pse-pboc 3)."""

    SELECTED, INITIATED, ONLINE = "SELECTED", "INITIATED", "ONLINE"
    OPEN, SCRIPT, FINISHED = "OPEN", "SCRIPT", "FINISHED"


class Hypothesis(NamedTuple):
    """Rules the card may follow where the reference leaves it a choice, and its counters then."""

    rules: Rules
    state: State


@dataclass(slots=True)
class Deal:
    """A transaction since SELECT.

    `aip`, `afl`, `pdol_data` of GET PROCESSING OPTIONS; `ac1` the first cryptogram, `cvr` three
    bytes as a number; `issuer` None until an ARPC was given, then `BAD` or the ARC that came with
    it; `exceeded` whether the PIN's last try went; `cdol1` and `cdol2` the data as sent.
    `blocked` whether the application is; `scripts_over` after a wrong MAC. `answer` is the last
    answer of GENERATE AC, `answers` are the kinds so far.
    """

    phase: str = Phase.SELECTED
    atc: int = 0
    aip: bytes = b""
    afl: bytes = b""
    pdol_data: bytes = b""
    ac1: bytes = b""
    cvr: int = 0
    issuer: str | None = None
    exceeded: bool = False
    cash: bool = False
    blocked: bool = False
    scripts_over: bool = False
    cdol1: bytes = b""
    cdol2: bytes = b""
    answer: bytes = b""
    answers: list[str] = field(default_factory=list)
