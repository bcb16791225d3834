"""How far one transaction has come: what its steps leave for the next, and for the receipt."""

from dataclasses import dataclass, field
from enum import Enum

from sscard.terminal.bank.generate import Cryptogram
from sscard.terminal.bank.oda import Method, OfflineAuthentication
from sscard.terminal.bank.online import Answer
from sscard.terminal.bank.pin_check import Verification
from sscard.terminal.bank.transaction import Transaction

__all__ = ["Course", "Decision"]


class Decision(Enum):
    """How a transaction ended: approved or not, on line or not."""

    APPROVED_OFFLINE = (True, False)
    DECLINED_OFFLINE = (False, False)
    APPROVED_ONLINE = (True, True)
    DECLINED_ONLINE = (False, True)

    @property
    def approved(self) -> bool:
        """Whether it is paid."""
        return self.value[0]

    @property
    def online(self) -> bool:
        """Whether the host decided."""
        return self.value[1]


@dataclass(slots=True)
class Course:
    """One transaction under way: `transaction` is what is known, the rest what was done.

    `label` is the application's name for people; `cryptograms` the answers to the one or two
    GENERATE ACs; `answer` what the host said, None without one, `no_answer` why there is none;
    `decision` how it ends.
    """

    transaction: Transaction
    label: str
    verification: Verification
    oda: OfflineAuthentication = field(default_factory=lambda: OfflineAuthentication(Method.NONE))
    cryptograms: list[Cryptogram] = field(default_factory=list)
    answer: Answer | None = None
    no_answer: str = ""
    decision: Decision = Decision.DECLINED_OFFLINE

    @property
    def first(self) -> Cryptogram:
        """The answer to the first GENERATE AC."""
        return self.cryptograms[0]

    @property
    def last(self) -> Cryptogram:
        """The answer that counts."""
        return self.cryptograms[-1]
