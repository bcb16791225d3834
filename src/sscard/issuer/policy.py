"""How a bank decides, as data: limits, bits it will not have, and the codes it answers.

The order of the rules is that of `Policy.objection`. Nothing here asks a clock or a database:
the facts come in. Source: pse-pboc 4.5, 5.1; ssse-lb002 9 (domestic, RMB, debit only).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from sscard.issuer.icc import ChipData
from sscard.spec.banking import AuthorisationRequest, EntryMode, Kind
from sscard.spec.pboc import CVR_BITS, TVR_BITS

__all__ = [
    "AccountState",
    "Arc",
    "CardState",
    "Facts",
    "Objection",
    "Policy",
    "Privilege",
    "Standing",
]


class Arc(StrEnum):
    """Authorisation response codes (tag 8A), with ISO 8583's meanings."""

    APPROVED = "00"
    DECLINED = "05"
    INVALID = "12"
    NO_CARD = "14"
    FORMAT = "30"
    LOST = "41"
    STOLEN = "43"
    FUNDS = "51"
    EXPIRED = "54"
    WRONG_PIN = "55"
    NOT_PERMITTED = "57"
    AMOUNT_LIMIT = "61"
    RESTRICTED = "62"
    COUNT_LIMIT = "65"
    PIN_TRIES = "75"
    DUPLICATE = "94"


class CardState(StrEnum):
    """How a card stands with the bank. Source: cos 8.4 (PSE part)."""

    INACTIVE = "inactive"
    ACTIVE = "active"
    ORAL_LOST = "oral loss"
    WRITTEN_LOST = "written loss"
    STOLEN = "stolen"
    REPLACED = "replaced"
    CANCELLED = "cancelled"


_LOST = (CardState.ORAL_LOST, CardState.WRITTEN_LOST, CardState.STOLEN)
_ENDED = (CardState.REPLACED, CardState.CANCELLED)
_MOVES: Mapping[CardState, tuple[CardState, ...]] = MappingProxyType(
    {
        CardState.INACTIVE: (CardState.ACTIVE, *_LOST, *_ENDED),
        CardState.ACTIVE: (*_LOST, *_ENDED),
        CardState.ORAL_LOST: _LOST[1:],
        CardState.WRITTEN_LOST: (CardState.STOLEN, *_ENDED),
        CardState.STOLEN: _ENDED,
        CardState.REPLACED: (),
        CardState.CANCELLED: (),
    }
)


class Standing(NamedTuple):
    """How a card stands, and what it goes back to when it is found. Source: cos 8.4."""

    state: CardState
    before: CardState | None = None

    def moved(self, wanted: CardState) -> "Standing | None":
        """Return the standing after a move; None when there is no such move."""
        lost = self.state in _LOST
        if lost and wanted is self.before:
            return Standing(wanted)
        if wanted not in _MOVES[self.state]:
            return None
        kept = self.before if lost else self.state
        return Standing(wanted, kept if wanted in _LOST else None)


class AccountState(StrEnum):
    """Whether an account may be used."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


_OF_CARD: Mapping[CardState, Arc] = MappingProxyType(
    {
        CardState.INACTIVE: Arc.RESTRICTED,
        CardState.ORAL_LOST: Arc.LOST,
        CardState.WRITTEN_LOST: Arc.LOST,
        CardState.STOLEN: Arc.STOLEN,
        CardState.REPLACED: Arc.NO_CARD,
        CardState.CANCELLED: Arc.NO_CARD,
    }
)


class Objection(NamedTuple):
    """Why not: the code for the terminal, the reason for people."""

    arc: Arc
    reason: str


class Facts(NamedTuple):
    """What the host knows when it decides. Money in fen; `today_*` of approved ones, this day's."""

    card: CardState
    expiry: str
    account: AccountState
    available_fen: int
    today_fen: int
    today_count: int


@dataclass(frozen=True, slots=True)
class Privilege:
    """A merchant's privilege for cardholders: the bank gives back, or counts points.

    `merchants` are beginnings of merchant identifications; `discount_permille` of the amount
    is credited at clearing, at most `discount_max_fen`; `points_per_yuan` are counted; both
    from `minimum_fen` on. Source: ssse-lb002 9, 2.3.
    """

    name: str
    merchants: tuple[str, ...]
    discount_permille: int = 0
    discount_max_fen: int = 10**12
    points_per_yuan: int = 0
    minimum_fen: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.discount_permille <= 1000 and self.points_per_yuan >= 0):
            raise ValueError("a discount is 0 to 1000 permille, points are not negative")

    def applies(self, merchant_id: str, amount_fen: int) -> bool:
        """Whether a purchase earns it."""
        return merchant_id.startswith(self.merchants) and amount_fen >= self.minimum_fen

    def discount_fen(self, amount_fen: int) -> int:
        """What is given back, rounded down to the fen."""
        return min(amount_fen * self.discount_permille // 1000, self.discount_max_fen)

    def points(self, amount_fen: int) -> int:
        """The points of whole yuan."""
        return amount_fen // 100 * self.points_per_yuan


@dataclass(frozen=True, slots=True)
class Policy:
    """A bank's rules.

    Limits in fen, None for none. `tvr_deny` and `cvr_deny` are masks of 5 and 4 bytes: a set
    bit of the card's transaction that meets one is refused (issuer action). `atc_step_max` is
    how far a counter may run ahead of the last one seen. `chip_only` refuses cards not read by
    chip. `online_pin_kinds` must bring a PIN on line. `hold_days` is how long money stays
    reserved without clearing, `script_tries_max` how often a script is sent; an oral loss not
    followed by a written one ends after `oral_loss_days` (cos 8.4).
    """

    single_max_fen: int | None = 5_000_000
    day_max_fen: int | None = 10_000_000
    cash_day_max_fen: int | None = 2_000_000
    day_count_max: int | None = 100
    currency: int = 156
    country: int = 156
    chip_only: bool = True
    tvr_deny: bytes = bytes.fromhex("5C00000000")
    cvr_deny: bytes = bytes.fromhex("00000000")
    atc_step_max: int = 1000
    online_pin_kinds: frozenset[Kind] = frozenset({Kind.CASH, Kind.BALANCE})
    pin_tries_max: int = 3
    hold_days: int = 7
    script_tries_max: int = 3
    oral_loss_days: int = 7

    def __post_init__(self) -> None:
        if (len(self.tvr_deny), len(self.cvr_deny)) != (5, 4):
            raise ValueError("tvr_deny has 5 bytes, cvr_deny 4")

    def objection(
        self, request: AuthorisationRequest, chip: ChipData | None, facts: Facts
    ) -> Objection | None:
        """Return the first rule a request breaks before its PIN and its amount are looked at."""
        if facts.card is not CardState.ACTIVE:
            return Objection(_OF_CARD[facts.card], f"the card is: {facts.card}")
        if request.expiry != facts.expiry:
            return Objection(Arc.NO_CARD, "the card has another expiry date")
        if request.track2 and request.track2.partition("D")[2][:4] != request.expiry:
            return Objection(Arc.FORMAT, "track 2 has another expiry date")
        if _expired(request.expiry, request.at.date()):
            return Objection(Arc.EXPIRED, "the card is expired")
        if facts.account is not AccountState.OPEN:
            arc = Arc.NO_CARD if facts.account is AccountState.CLOSED else Arc.RESTRICTED
            return Objection(arc, f"the account is {facts.account}")
        if (request.currency, request.country) != (self.currency, self.country):
            return Objection(Arc.NOT_PERMITTED, "domestic transactions in RMB only")
        if chip is None:
            return self._without_chip(request)
        return self._issuer_action(chip)

    def amount_objection(self, request: AuthorisationRequest, facts: Facts) -> Objection | None:
        """Return the limit an amount breaks, or that there is not enough money."""
        if request.kind not in (Kind.PURCHASE, Kind.CASH):
            return None
        amount = request.amount_fen
        if not amount:
            return Objection(Arc.INVALID, "there is nothing to pay")
        if self.single_max_fen is not None and amount > self.single_max_fen:
            return Objection(Arc.AMOUNT_LIMIT, "above the limit of one transaction")
        most = self.cash_day_max_fen if request.kind is Kind.CASH else self.day_max_fen
        if most is not None and facts.today_fen + amount > most:
            return Objection(Arc.AMOUNT_LIMIT, "above the limit of one day")
        if self.day_count_max is not None and facts.today_count >= self.day_count_max:
            return Objection(Arc.COUNT_LIMIT, "too many transactions this day")
        if amount > facts.available_fen:
            return Objection(Arc.FUNDS, "the balance is too low")
        return None

    def needs_pin(self, request: AuthorisationRequest) -> bool:
        """Whether a PIN must come with the request."""
        return request.kind in self.online_pin_kinds

    def _without_chip(self, request: AuthorisationRequest) -> Objection | None:
        if request.entry_mode in (EntryMode.CHIP, EntryMode.CONTACTLESS):
            return Objection(Arc.FORMAT, "the chip's data are missing")
        if self.chip_only:
            return Objection(Arc.NOT_PERMITTED, "this card is read by its chip")
        return None

    def _issuer_action(self, chip: ChipData) -> Objection | None:
        met = _named(chip.application.cvr, self.cvr_deny, CVR_BITS)
        if "PIN try limit exceeded" in met:
            return Objection(Arc.PIN_TRIES, "the card's PIN is blocked")
        met += _named(chip.tvr, self.tvr_deny, TVR_BITS)
        return Objection(Arc.DECLINED, ", ".join(met)) if met else None


def _named(value: bytes, mask: bytes, names: Mapping[tuple[int, int], str]) -> list[str]:
    """Return the names of the bits that are set in both."""
    return [
        names.get((byte, bit), f"bit {bit} of byte {byte}")
        for byte, (left, right) in enumerate(zip(value, mask, strict=True), 1)
        for bit in range(8, 0, -1)
        if left & right & (1 << (bit - 1))
    ]


def _expired(expiry: str, day: date) -> bool:
    """Whether the month YYMM is over."""
    return (2000 + int(expiry[:2]), int(expiry[2:])) < (day.year, day.month)
