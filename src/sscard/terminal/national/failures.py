"""From the errors of terminal and transport to return codes (ssse-lb002 8).

One place decides what a program sees; everything else in the package raises.
"""

from sscard.errors import SscardError, TransportError
from sscard.iso.sw import SW
from sscard.terminal.errors import (
    AlgorithmNotHeld,
    ApduError,
    EnvironmentLocked,
    KeyNotHeld,
    KeyOutOfReach,
    OtherCard,
    RightMissing,
    SettlementFailed,
    TerminalError,
    WrongPin,
)
from sscard.terminal.medical import Unanswered
from sscard.terminal.national.codes import Code, code_of_sw, describe
from sscard.terminal.national.pad import PinCancelled, PinTimeout
from sscard.transport.port import CardAbsent, CardUnpowered, ReaderAbsent

__all__ = ["NationalError", "failure"]

_PIN_COMMANDS = (0x20, 0x5E)

# The first class that fits decides, so the narrower ones stand before those they are made of.
_CODES: tuple[tuple[type[SscardError], int], ...] = (
    (OtherCard, Code.WRONG_CARD_TYPE),
    (CardAbsent, Code.NO_CARD),
    (CardUnpowered, Code.NOT_POWERED),
    (ReaderAbsent, Code.READER),
    (TransportError, Code.NO_RESPONSE),
    (Unanswered, Code.NO_RESPONSE),
    (PinCancelled, Code.PIN_CANCELLED),
    (PinTimeout, Code.PIN_TIMEOUT),
    (AlgorithmNotHeld, Code.PSAM_ALGORITHM),
    (KeyOutOfReach, Code.KEY_LEVEL),
    (KeyNotHeld, code_of_sw(SW.DATA_NOT_FOUND)),
    (EnvironmentLocked, code_of_sw(SW.NOT_SUPPORTED)),
    (RightMissing, code_of_sw(SW.SECURITY_STATUS)),
    (SettlementFailed, code_of_sw(SW.MAC_WRONG)),
)


class NationalError(TerminalError):
    """A call ends with `code`; `detail` goes behind what the code says, for people."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(f"{describe(code)}：{detail}" if detail else describe(code))
        self.code = int(code)


def failure(error: SscardError) -> tuple[int, str]:
    """Return the code and the text for an error.

    An error of none of the kinds below is one of the reader's own parts: -5.
    """
    if isinstance(error, NationalError):
        return error.code, str(error)
    if isinstance(error, WrongPin):
        left = f"{describe(Code.PIN_WRONG)}，剩余次数{error.tries_left}次"
        return Code.PIN_WRONG, left
    if isinstance(error, ApduError):
        locked = error.sw == SW.BLOCKED and error.command.ins in _PIN_COMMANDS
        code = Code.PIN_LOCKED if locked else code_of_sw(error.sw)
        return code, describe(code)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code, f"{describe(code)}：{error}"
    return Code.LIBRARY, f"{describe(Code.LIBRARY)}：{error}"
