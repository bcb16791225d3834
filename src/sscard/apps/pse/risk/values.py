"""What card risk management decides from, and what it decides (pse-pboc 2.6, 5.1, 5.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.dol import fitted
from sscard.apps.pse.layout import Counters
from sscard.apps.pse.numbers import from_n12

__all__ = [
    "ADVICE",
    "ISSUER_REASON",
    "PIN_REASON",
    "Ada",
    "Aip",
    "CardData",
    "Issuer",
    "Rules",
    "Situation",
    "Terminal",
    "Verdict",
]

ADVICE, PIN_REASON, ISSUER_REASON = 0x08, 0x02, 0x03
"""Low bits of the CID: advice required, and why (2.6)."""


class Ada(IntFlag):
    """Application default action, 9F52 (pse-pboc 5.2)."""

    ISSUER_FAILED_LAST_ONLINE = 0x8000
    ISSUER_FAILED_DECLINE = 0x4000
    ISSUER_MISSING_DECLINE = 0x2000
    DECLINED_ADVICE = 0x1000
    PIN_EXCEEDED_ADVICE = 0x0800
    ISSUER_DECLINED_ADVICE = 0x0400
    NEW_CARD_ONLINE = 0x0200
    NEW_CARD_OFFLINE_DECLINE = 0x0100
    PIN_EXCEEDED_BLOCK = 0x0080
    PIN_EXCEEDED_BEFORE_DECLINE = 0x0040
    PIN_EXCEEDED_BEFORE_ONLINE = 0x0020
    PIN_EXCEEDED_OFFLINE_DECLINE = 0x0010
    SCRIPT_FAILED_ONLINE = 0x0008
    PIN_EXCEEDED_BEFORE_BLOCK = 0x0004


NO_ACTION = Ada(0)
"""An absent 9F52."""


class Aip(IntFlag):
    """The first byte of the application interchange profile, tag 82 (pse-pboc 2.7, 4.9)."""

    SDA = 0x40
    DDA = 0x20
    CARDHOLDER_VERIFICATION = 0x10
    TERMINAL_RISK_MANAGEMENT = 0x08
    ISSUER_AUTHENTICATION = 0x04
    CDA = 0x01


class Issuer(NamedTuple):
    """How issuer authentication stands: not received, or received and passed or failed.

    `arc` is the ARC that came with a passed one (pse-pboc 4.7).
    """

    received: bool = False
    passed: bool = False
    arc: bytes = b""

    @property
    def failed(self) -> bool:
        """Whether EXTERNAL AUTHENTICATE was received and did not pass."""
        return self.received and not self.passed


class Rules(NamedTuple):
    """What the reference leaves open in its tables (14 #15, #24, #26, #29).

    `referrals`: ARCs 01 and 02 approve; `declined_counts`: AACs count abroad; `rounded`: so is
    a converted amount.
    """

    referrals: bool = True
    declined_counts: bool = True
    rounded: bool = False


_BY_THE_PAGE = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """Personalised risk data (pse-pboc 5.1). None is absent: the rule is skipped.

    Limits of counters are numbers, of amounts too; codes are bytes as they came; `conversion`
    is 9F73; `balance` and `cash_limit` are those of electronic cash, 9F79 and 9F78;
    `processes` is 9F68, `qualifiers` 9F6C, for `risk.quick`.
    """

    ada: Ada = NO_ACTION
    currency: bytes | None = None
    country: bytes | None = None
    second_currency: bytes | None = None
    conversion: bytes | None = None
    issuer_mandatory: bool = False
    lower_limit: int | None = None
    upper_limit: int | None = None
    currency_limit: int | None = None
    country_limit: int | None = None
    amount_limit: int | None = None
    amount_upper_limit: int | None = None
    dual_limit: int | None = None
    balance: int | None = None
    cash_limit: int | None = None
    processes: int = 0
    qualifiers: int = 0
    rules: Rules = _BY_THE_PAGE

    @classmethod
    def parse(cls, elements: Mapping[int, bytes]) -> "CardData":
        """Take the data elements by tag; 9F54 of zeros counts as absent (5.3 #9)."""

        def number(tag: int) -> int | None:
            value = elements.get(tag)
            return None if value is None else int.from_bytes(value, "big")

        def amount(tag: int) -> int | None:
            value = elements.get(tag)
            return None if value is None else from_n12(value)

        return cls(
            ada=Ada((number(0x9F52) or 0) & 0xFFFC),
            currency=elements.get(0x9F51),
            country=elements.get(0x9F57),
            second_currency=elements.get(0x9F76),
            conversion=elements.get(0x9F73),
            issuer_mandatory=bool((number(0x9F56) or 0) & 0x80),
            lower_limit=number(0x9F58),
            upper_limit=number(0x9F59),
            currency_limit=number(0x9F53),
            country_limit=number(0x9F72),
            amount_limit=amount(0x9F54) or None,
            amount_upper_limit=amount(0x9F5C),
            dual_limit=amount(0x9F75),
            balance=amount(0x9F79),
            cash_limit=amount(0x9F78),
            processes=number(0x9F68) or 0,
            qualifiers=(number(0x9F6C) or 0) & 0xFFFF,
        )


class Terminal(NamedTuple):
    """What risk management looks at in the CDOL data; missing items are zeros."""

    amount: int
    country: bytes
    currency: bytes
    tvr: bytes

    @classmethod
    def parse(cls, values: Mapping[int, bytes]) -> "Terminal":
        """Take the values by tag."""

        def item(tag: int, length: int) -> bytes:
            return fitted(tag, values.get(tag, b""), length)

        return cls(from_n12(item(0x9F02, 6)), item(0x9F1A, 2), item(0x5F2A, 2), item(0x95, 5))


class Situation(NamedTuple):
    """The transaction so far.

    `cvr` what VERIFY and INTERNAL AUTHENTICATE left, in the second GENERATE AC the CVR of the
    first; `pin_tries` None without a PIN; `pin_exceeded` its last try went in this
    transaction; `blocked` the application is.
    """

    aip: Aip
    cvr: Cvr
    pin_tries: int | None = None
    pin_exceeded: bool = False
    blocked: bool = False

    @property
    def pin_exceeded_before(self) -> bool:
        """5.3 #12: no try left, and this transaction has not verified."""
        return self.pin_tries == 0 and not self.cvr & Cvr.PIN_PERFORMED


class Verdict(NamedTuple):
    """The card's answer: its CVR, the counters to commit, advice bits of the CID, a block.

    `balance`: what electronic cash has left, where the answer debits it.
    """

    answer: Ac
    cvr: Cvr
    counters: Counters
    advice: int = 0
    block: bool = False
    balance: int | None = None

    @property
    def cid(self) -> int:
        """Cryptogram information data, 9F27."""
        return self.answer << 6 | self.advice
