"""What a terminal and the bank's host tell each other (pse-pboc 4.7, 4.8, 5.4).

The reference gives the card's part (cryptogram, tags 91, 71, 72), not the line between terminal
and host: these messages are ours, after the fields of ISO 8583. Values with a strict JSON form
beside them: bytes are upper-case hex, times ISO 8601 without a zone, and every object carries
`format` and `message`. Reprs show no PAN, track or PIN. Pure; imported by both ends.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol, Self, get_args, get_type_hints

__all__ = [
    "FORMAT",
    "REQUEST_TAGS",
    "RMB",
    "Acknowledgement",
    "AuthorisationRequest",
    "AuthorisationResponse",
    "Authoriser",
    "BankMessage",
    "BankMessageError",
    "ClearingBatch",
    "ClearingRefusal",
    "ClearingResult",
    "Completion",
    "EntryMode",
    "Kind",
    "Outcome",
    "Reversal",
    "TransactionKey",
    "masked",
]

FORMAT = 1
"""Number of this form. New fields are optional and keep it; anything else raises it."""

RMB = 156
"""ISO 4217 and ISO 3166 number of the renminbi and of China."""

REQUEST_TAGS = (
    0x9F26,
    0x9F27,
    0x9F10,
    0x9F37,
    0x9F36,
    0x95,
    0x9A,
    0x9C,
    0x9F02,
    0x5F2A,
    0x82,
    0x9F1A,
    0x9F03,
    0x9F33,
    0x9F34,
    0x9F35,
    0x84,
    0x9F09,
    0x9F41,
)
"""The data elements of `icc` (field 55), in their usual order; those a terminal has."""


class BankMessageError(ValueError):
    """The values, or the JSON, are no message of this kind."""


class Kind(StrEnum):
    """What the cardholder wants; `type_code` is tag 9C."""

    PURCHASE = "purchase"
    CASH = "cash"
    REFUND = "refund"
    BALANCE = "balance enquiry"

    @property
    def type_code(self) -> int:
        """The transaction type of tag 9C: the first two digits of the processing code."""
        return {"purchase": 0x00, "cash": 0x01, "refund": 0x20, "balance enquiry": 0x31}[self]


class EntryMode(StrEnum):
    """How the card was read."""

    CHIP = "chip"
    CONTACTLESS = "contactless"
    FALLBACK = "fallback"
    MAGNETIC = "magnetic"
    MANUAL = "manual"


class Outcome(StrEnum):
    """How a transaction ended at the terminal, by its final cryptogram."""

    APPROVED = "approved"
    DECLINED = "declined"


class TransactionKey(NamedTuple):
    """What names a transaction among all of a host's: terminal, trace number, day."""

    terminal_id: str
    trace: int
    day: date


def masked(pan: str) -> str:
    """Return a PAN with only its first six and last four digits to be seen."""
    if len(pan) < 13:
        return "*" * len(pan)
    return f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}"


# ---- the codec: fields by their annotations ------------------------------------------------


class BankMessage:
    """A message with a JSON form: the fields of its dataclass, by name."""

    __slots__ = ()
    MESSAGE: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return the message as plain data."""
        row: dict[str, Any] = {"format": FORMAT, "message": self.MESSAGE}
        for name in _hints(type(self)):
            row[name] = _plain(getattr(self, name))
        return row

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read plain data.

        Errors: BankMessageError for another format or message, a field that is missing, unknown
        or of another type, or values that do not fit.
        """
        if not isinstance(data, Mapping):
            raise BankMessageError("a message is a JSON object")
        if data.get("format") != FORMAT or isinstance(data.get("format"), bool):
            raise BankMessageError(f"'format' is {FORMAT}, not {data.get('format')!r}")
        if data.get("message") != cls.MESSAGE:
            raise BankMessageError(f"'message' is {cls.MESSAGE!r}, not {data.get('message')!r}")
        hints = _hints(cls)
        unknown = sorted(set(data) - set(hints) - {"format", "message"})
        if unknown:
            raise BankMessageError(f"{cls.MESSAGE} has no {', '.join(map(repr, unknown))}")
        missing = [name for name in _required(cls) if name not in data]
        if missing:
            raise BankMessageError(f"{cls.MESSAGE} lacks {', '.join(map(repr, missing))}")
        return cls(**{n: _read(hints[n], data[n], n) for n in hints if n in data})


def _hints(cls: Any) -> dict[str, Any]:
    return _annotated(cls)  # an Any: mypy takes no class for hashable


@cache
def _annotated(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls)}


def _required(cls: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls) if f.default is MISSING)


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    if isinstance(value, BankMessage):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _read(hint: Any, value: object, name: str) -> Any:
    inner = get_args(hint)
    if type(None) in inner:  # an optional field
        return None if value is None else _read(inner[0], value, name)
    if inner:  # tuple[X, ...]
        if not isinstance(value, list):
            raise BankMessageError(f"{name!r} is a list")
        return tuple(_read(inner[0], item, name) for item in value)
    try:
        if hint is bytes:
            return _hex(value)
        if hint in (date, datetime):
            return hint.fromisoformat(value)
        if issubclass(hint, StrEnum):
            return hint(value)
    except (TypeError, ValueError):
        raise BankMessageError(f"{name!r}: {_shown(value)} is no {hint.__name__}") from None
    if issubclass(hint, BankMessage):
        return hint.from_json(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise BankMessageError(f"{name!r} is no {hint.__name__}")
    return value


def _hex(value: object) -> bytes:
    data = bytes.fromhex(value) if isinstance(value, str) else None
    if data is None or data.hex().upper() != value:
        raise ValueError("upper-case hex")
    return data


def _shown(value: object) -> str:
    """Say what was found, without what may be personal: long texts keep their length only."""
    return f"a text of {len(value)}" if isinstance(value, str) and len(value) > 12 else repr(value)


# ---- checks ----


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise BankMessageError(what)


def _check_key(terminal_id: str, merchant_id: str, trace: int, at: datetime) -> None:
    _require(
        len(terminal_id) == 8 and terminal_id.isascii() and terminal_id.isalnum(),
        "a terminal identification has 8 letters or digits",
    )
    _require(
        len(merchant_id) == 15 and merchant_id.isascii() and merchant_id.isalnum(),
        "a merchant identification has 15 letters or digits",
    )
    _require(1 <= trace <= 999_999, "a trace number is 1 to 999999")
    _require(at.tzinfo is None, "times are the terminal's own, without a zone")


def _check_card(pan: str, psn: str) -> None:
    _require(12 <= len(pan) <= 19 and _digits(pan), "a PAN has 12 to 19 digits")
    _require(len(psn) == 2 and _digits(psn), "a PAN sequence number has 2 digits")


def _check_amounts(*amounts: int) -> None:
    _require(all(0 <= a < 10**12 for a in amounts), "an amount is 0 to 999999999999 fen")


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


# ---- the messages ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuthorisationRequest(BankMessage):
    """A terminal asks whether a transaction may go on.

    Shapes: `terminal_id` 8 an, `merchant_id` 15 an, `trace` the STAN 1..999999; amounts in fen;
    `currency` and `country` ISO numbers; `at` the terminal's local time; `pan` 12..19 digits,
    `psn` 2, `expiry` YYMM; `track2` the value of tag 57 without filler, digits and one `D`, or
    ""; `icc` the TLVs of `REQUEST_TAGS`, b"" when the chip was not read; `pin_block` the 8
    bytes of an ISO 9564 format 0 block enciphered (3DES ECB) under the terminal's PIN key, b""
    when no PIN goes on line. Errors: BankMessageError.
    """

    MESSAGE: ClassVar[str] = "authorisation request"

    terminal_id: str
    merchant_id: str
    merchant_name: str
    trace: int
    kind: Kind
    amount_fen: int
    at: datetime
    pan: str = field(repr=False)
    psn: str
    expiry: str
    icc: bytes = field(repr=False)
    entry_mode: EntryMode = EntryMode.CHIP
    other_fen: int = 0
    currency: int = RMB
    country: int = RMB
    track2: str = field(default="", repr=False)
    pin_block: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        _check_key(self.terminal_id, self.merchant_id, self.trace, self.at)
        _check_card(self.pan, self.psn)
        _check_amounts(self.amount_fen, self.other_fen)
        _require(len(self.expiry) == 4 and _digits(self.expiry), "an expiry is YYMM")
        numbers = (self.currency, self.country)
        _require(all(0 <= n <= 999 for n in numbers), "ISO numbers have 3 digits")
        number, _, rest = self.track2.partition("D")
        _require(
            not self.track2 or (number == self.pan and _digits(rest)),
            "track 2 is the PAN, D and digits",
        )
        _require(len(self.pin_block) in (0, 8), "a PIN block has 8 bytes")

    @property
    def key(self) -> TransactionKey:
        """What names this transaction."""
        return TransactionKey(self.terminal_id, self.trace, self.at.date())

    @property
    def pan_masked(self) -> str:
        """The PAN as it may be shown."""
        return masked(self.pan)


@dataclass(frozen=True, slots=True)
class AuthorisationResponse(BankMessage):
    """The host's answer.

    Shapes: `arc` the 2 characters of tag 8A; `issuer_data` the TLVs 91, 71 and 72 for the card,
    in this order, b"" when there are none; `approval_code` 6 characters, "" unless approved;
    `balance_fen` when it was asked for and may be told; `reason` in words, for people.
    """

    MESSAGE: ClassVar[str] = "authorisation response"

    arc: str
    reason: str
    issuer_data: bytes = field(default=b"", repr=False)
    approval_code: str = ""
    balance_fen: int | None = None

    def __post_init__(self) -> None:
        _require(
            len(self.arc) == 2 and self.arc.isascii() and self.arc.isalnum(),
            "an authorisation response code has 2 letters or digits",
        )
        _require(len(self.approval_code) in (0, 6), "an approval code has 6 characters")

    @property
    def approved(self) -> bool:
        """Whether the host says yes: a code the card accepts as such (pse-pboc 5.4)."""
        return self.arc in ("00", "10", "11")


@dataclass(frozen=True, slots=True)
class Completion(BankMessage):
    """How a transaction ended: after an authorisation, or as the advice of one off line.

    The key (terminal, trace, `at`'s day) is that of the request. `icc` is the TLVs at the end:
    final 9F26, 9F27, 9F10, and 95, 9B and what else the final cryptogram covers (8A when off
    line). `script_results` are 5 bytes for each script, as EMV's tag 9F5B: high nibble 0 not
    run, 1 refused, 2 done; low nibble which command (0 unknown, F the 15th or later); then the
    script identifier, zeros without one. `offline` when the host was not asked.
    """

    MESSAGE: ClassVar[str] = "completion"

    terminal_id: str
    merchant_id: str
    merchant_name: str
    trace: int
    kind: Kind
    outcome: Outcome
    amount_fen: int
    at: datetime
    pan: str = field(repr=False)
    psn: str
    icc: bytes = field(repr=False)
    script_results: tuple[bytes, ...] = ()
    approval_code: str = ""
    offline: bool = False
    other_fen: int = 0
    currency: int = RMB
    country: int = RMB

    def __post_init__(self) -> None:
        _check_key(self.terminal_id, self.merchant_id, self.trace, self.at)
        _check_card(self.pan, self.psn)
        _check_amounts(self.amount_fen, self.other_fen)
        _require(
            all(len(result) == 5 for result in self.script_results),
            "a script result has 5 bytes",
        )

    @property
    def key(self) -> TransactionKey:
        """What names this transaction."""
        return TransactionKey(self.terminal_id, self.trace, self.at.date())


@dataclass(frozen=True, slots=True)
class Reversal(BankMessage):
    """Undo a transaction: the answer was lost, or the card refused what the host approved.

    The key is that of the request; `amount_fen` is the whole amount.
    """

    MESSAGE: ClassVar[str] = "reversal"

    terminal_id: str
    merchant_id: str
    trace: int
    amount_fen: int
    at: datetime
    pan: str = field(repr=False)
    psn: str
    reason: str
    script_results: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        _check_key(self.terminal_id, self.merchant_id, self.trace, self.at)
        _check_card(self.pan, self.psn)
        _check_amounts(self.amount_fen)

    @property
    def key(self) -> TransactionKey:
        """What names this transaction."""
        return TransactionKey(self.terminal_id, self.trace, self.at.date())


@dataclass(frozen=True, slots=True)
class Acknowledgement(BankMessage):
    """The host took a completion or reversal, or refuses it. `again`: it had it already."""

    MESSAGE: ClassVar[str] = "acknowledgement"

    accepted: bool
    reason: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class ClearingBatch(BankMessage):
    """A terminal's approved transactions since its last batch, for the bank to book.

    `batch` numbers them from 1 for each terminal; a batch sent again is answered the same.
    """

    MESSAGE: ClassVar[str] = "clearing batch"

    terminal_id: str
    merchant_id: str
    batch: int
    at: datetime
    items: tuple[Completion, ...]

    def __post_init__(self) -> None:
        _check_key(self.terminal_id, self.merchant_id, self.batch, self.at)
        _require(
            all(
                (item.terminal_id, item.merchant_id) == (self.terminal_id, self.merchant_id)
                for item in self.items
            ),
            "a batch holds one terminal's transactions",
        )


@dataclass(frozen=True, slots=True)
class ClearingRefusal(BankMessage):
    """An item of a batch that is not booked, and why."""

    MESSAGE: ClassVar[str] = "clearing refusal"

    trace: int
    day: date
    reason: str


@dataclass(frozen=True, slots=True)
class ClearingResult(BankMessage):
    """What became of a batch: how many items count as booked, their sum, and the others."""

    MESSAGE: ClassVar[str] = "clearing result"

    batch: int
    booked: int
    amount_fen: int
    refused: tuple[ClearingRefusal, ...] = ()
    again: bool = False


class Authoriser(Protocol):
    """Whoever answers for the bank: the host itself, or a client of one somewhere else.

    Every method may raise `TransportError` when the host cannot be reached. A message sent
    again is answered as before and changes nothing.
    """

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        """Decide about one transaction."""

    def complete(self, completion: Completion) -> Acknowledgement:
        """Take down how a transaction ended."""

    def reverse(self, reversal: Reversal) -> Acknowledgement:
        """Undo an authorisation."""

    def clear(self, batch: ClearingBatch) -> ClearingResult:
        """Book a terminal's transactions."""
