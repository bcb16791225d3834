"""What a reader slot refuses, with PC/SC's result codes: protocols, ATRs, lengths of commands.

Source: pcsc, "pyscard facts" and "Code effects"; what the reference leaves open is as in pcsc-lite.
"""

from enum import Enum

from sscard.errors import TransportError

__all__ = ["PROTOCOLS", "SlotError", "SlotProblem", "agreed_protocol", "require_length"]

PROTOCOLS = (0, 1)
_SHORTEST, _LONGEST, _LONGEST_ATR = 4, 65_548, 33
"""Bytes of the shortest command, the longest a reader takes, the longest answer to reset."""


class SlotProblem(Enum):
    """What PC/SC would answer, by the name of its result code without SCARD_."""

    NO_CARD = "E_NO_SMARTCARD"
    REMOVED = "W_REMOVED_CARD"
    RESET = "W_RESET_CARD"
    UNPOWERED = "W_UNPOWERED_CARD"
    SHARING = "E_SHARING_VIOLATION"
    PROTOCOL = "E_PROTO_MISMATCH"
    MUTE = "W_UNRESPONSIVE_CARD"
    SILENT = "E_NOT_TRANSACTED"
    NO_TRANSACTION = SILENT
    LENGTH = "E_INVALID_PARAMETER"
    TOO_LONG = "E_INSUFFICIENT_BUFFER"
    CLOSED = "E_INVALID_HANDLE"


class SlotError(TransportError):
    """A slot refuses; `problem` says which result code a PC/SC client would see."""

    def __init__(self, problem: SlotProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


def _offered(atr: bytes) -> tuple[int, ...]:
    """The protocols an ATR offers, the default one first; none if it is no ATR.

    Read as pcscd does: neither the length nor TCK is looked at, what is missing counts as 0.
    """
    if atr[:1] not in (b"\x3b", b"\x3f") or len(atr) == 1:
        return ()
    raw, at, levels = atr.ljust(_LONGEST_ATR, b"\0"), 1, list[int]()
    while raw[at] & 0x80:  # T0 or TDi: there is a TD of the next level
        at += (raw[at] >> 4).bit_count()
        if at >= len(raw):
            return ()
        levels.append(raw[at] & 0x0F)
    return tuple(dict.fromkeys(t for t in levels if t in PROTOCOLS)) or (0,)


def agreed_protocol(atr: bytes, protocols: tuple[int, ...]) -> int:
    """Return the first protocol a card with this ATR offers that the caller takes.

    Errors: `SlotError`, also for an ATR that is none.
    """
    if not 0 < len(atr) <= _LONGEST_ATR:
        raise SlotError(SlotProblem.UNPOWERED, f"the card answers to a reset with {len(atr)} bytes")
    offered = _offered(atr)
    if not offered:
        raise SlotError(SlotProblem.PROTOCOL, f"{atr.hex().upper()} is no answer to reset")
    for protocol in offered:
        if protocol in protocols:
            return protocol
    spoken = ", ".join(f"T={protocol}" for protocol in offered)
    raise SlotError(SlotProblem.PROTOCOL, f"the card speaks {spoken} only")


def require_length(apdu: bytes) -> None:
    """Nothing, if a reader takes a command as long as this one. Errors: `SlotError`."""
    if len(apdu) < _SHORTEST:
        raise SlotError(SlotProblem.LENGTH, "a command has 4 bytes or more")
    if len(apdu) > _LONGEST:
        raise SlotError(SlotProblem.TOO_LONG, f"a command has {_LONGEST} bytes or less")
