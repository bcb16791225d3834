"""What a terminal and the centre tell each other on line (ssse-lb002 8, step 4).

The reference names the duty, not the messages: these are ours, values with a JSON form beside
them, for whichever side builds or parses them. Bytes are hex in JSON. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

__all__ = [
    "Action",
    "ActionKind",
    "ActionResult",
    "Blacklist",
    "MessageError",
    "Proof",
    "Report",
    "Verdict",
]


class MessageError(ValueError):
    """The JSON is no message of this kind."""


class ActionKind(StrEnum):
    """What a centre can ask a terminal to do to a card."""

    PIN_RELOAD = "pin reload"
    PIN_UNBLOCK = "pin unblock"
    APPLICATION_BLOCK = "application block"
    APPLICATION_UNBLOCK = "application unblock"
    CARD_BLOCK = "card block"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Action:
    """One order of the centre.

    `directory` is what to block or unblock ("SSSE", "DF04"), `permanent` for good; `pin` the
    digits of a reload; `file` ("SSSE/EF05"), `tag`, `nth` and `value` the item of an update,
    `value` in its full length. The repr shows no PIN.
    """

    kind: ActionKind
    directory: str = "SSSE"
    permanent: bool = False
    pin: str = field(default="", repr=False)
    file: str = ""
    tag: int = 0
    nth: int = 1
    value: bytes = b""

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain data."""
        return {
            "kind": self.kind.value,
            "directory": self.directory,
            "permanent": self.permanent,
            "pin": self.pin,
            "file": self.file,
            "tag": self.tag,
            "nth": self.nth,
            "value": self.value.hex(),
        }

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read plain data. Errors: MessageError."""
        row = _object(data)
        try:
            kind = ActionKind(_text(row, "kind"))
        except ValueError as error:
            raise MessageError(str(error)) from None
        return cls(
            kind,
            _text(row, "directory"),
            _typed(row, "permanent", bool),
            _text(row, "pin"),
            _text(row, "file"),
            _typed(row, "tag", int),
            _typed(row, "nth", int),
            _bytes(row, "value"),
        )


class ActionResult(NamedTuple):
    """What came of an order: the status word of its last command, 9000 when it was done."""

    kind: ActionKind
    sw: int

    @property
    def done(self) -> bool:
        """Whether the card did it."""
        return self.sw == 0x9000


class Proof(NamedTuple):
    """One internal authentication, 8 bytes each: the centre can check it with its own IRK."""

    factor: bytes
    data: bytes
    cryptogram: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a terminal found out about a card.

    `code` is the card identification code (empty when EF05 cannot be read), `number` the 卡号,
    `historical` the 13 bytes of the ATR; `checks` names and outcomes of the validity checks,
    `words` the status words of single steps. `amount_fen` of a settlement that asks for leave.
    """

    code: bytes
    number: str
    historical: bytes
    checks: tuple[tuple[str, str], ...] = ()
    words: tuple[tuple[str, int], ...] = ()
    proof: Proof | None = None
    amount_fen: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        proof = None if self.proof is None else [part.hex() for part in self.proof]
        return {
            "code": self.code.hex(),
            "number": self.number,
            "historical": self.historical.hex(),
            "checks": [list(pair) for pair in self.checks],
            "words": [list(pair) for pair in self.words],
            "proof": proof,
            "amount_fen": self.amount_fen,
        }

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read plain data. Errors: MessageError."""
        row = _object(data)
        proof = row.get("proof")
        amount = row.get("amount_fen")
        return cls(
            _bytes(row, "code"),
            _text(row, "number"),
            _bytes(row, "historical"),
            tuple((str(name), str(outcome)) for name, outcome in _pairs(row, "checks")),
            tuple((str(name), _whole(sw)) for name, sw in _pairs(row, "words")),
            None if proof is None else _proof(proof),
            None if amount is None else _whole(amount),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The centre's answer: allow or deny and why, and what to do to the card.

    `region` tells the card's region to a terminal that could not read it; `reference` is the
    centre's number of a settlement it took over.
    """

    allowed: bool
    reason: str = ""
    actions: tuple[Action, ...] = ()
    region: str = ""
    reference: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {
            "allowed": self.allowed,
            "reason": self.reason,
            "actions": [action.to_json() for action in self.actions],
            "region": self.region,
            "reference": self.reference,
        }

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read plain data. Errors: MessageError."""
        row = _object(data)
        actions = _typed(row, "actions", list)
        return cls(
            _typed(row, "allowed", bool),
            _text(row, "reason"),
            tuple(Action.from_json(action) for action in actions),
            _text(row, "region"),
            _text(row, "reference"),
        )


@dataclass(frozen=True, slots=True)
class Blacklist:
    """Cards that no terminal takes (ssse-lb002 8): by identification code or by number.

    `serial` counts its editions. `persons` are pairs of 卡号 and 社会保障号码.
    """

    serial: int = 0
    codes: frozenset[bytes] = frozenset()
    persons: frozenset[tuple[str, str]] = frozenset()

    def lists(self, code: bytes, number: str = "", holder: str = "") -> bool:
        """Whether a card is on it; `holder` is the 社会保障号码, where it could be read."""
        return code in self.codes or (number, holder) in self.persons

    def to_json(self) -> dict[str, Any]:
        """Return the list as plain data, sorted."""
        return {
            "serial": self.serial,
            "codes": sorted(code.hex() for code in self.codes),
            "persons": sorted(list(pair) for pair in self.persons),
        }

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read plain data. Errors: MessageError."""
        row = _object(data)
        return cls(
            _typed(row, "serial", int),
            frozenset(_hex(code) for code in _typed(row, "codes", list)),
            frozenset((str(a), str(b)) for a, b in _pairs(row, "persons")),
        )


# ---- reading JSON ---------------------------------------------------------------------------


def _object(data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise MessageError("a message is a JSON object")
    return data


def _typed(row: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = row.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise MessageError(f"{name!r} is missing or no {kind.__name__}")
    return value


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(_typed(row, name, str))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageError(f"{value!r} is no whole number")
    return value


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise MessageError(f"{value!r} is not hex") from None


def _bytes(row: Mapping[str, Any], name: str) -> bytes:
    return _hex(_text(row, name))


def _pairs(row: Mapping[str, Any], name: str) -> list[tuple[Any, Any]]:
    found = _typed(row, name, list)
    if any(not isinstance(pair, list) or len(pair) != 2 for pair in found):
        raise MessageError(f"{name!r} is a list of pairs")
    return [(first, second) for first, second in found]


def _proof(value: object) -> Proof:
    if not isinstance(value, list) or len(value) != 3:
        raise MessageError("'proof' is factor, data, cryptogram")
    return Proof(*(_hex(part) for part in value))
