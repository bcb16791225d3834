"""What a terminal's caller sees when a card, a PSAM or a rule of the terminal says no.

A refusal of the card is an `ApduError` that names the status word; the two that a holder causes
have classes of their own. Imported by the whole of `terminal`.
"""

from sscard.errors import SscardError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = [
    "AlgorithmNotHeld",
    "ApduError",
    "Blocked",
    "CardRejected",
    "EnvironmentLocked",
    "KeyNotHeld",
    "KeyOutOfReach",
    "OtherCard",
    "RightMissing",
    "SettlementFailed",
    "TerminalError",
    "WrongPin",
    "refusal",
]

_VERIFY, _CHANGE_PIN = 0x20, 0x5E


class TerminalError(SscardError):
    """The terminal cannot, or must not, do what it was asked."""


class OtherCard(TerminalError):
    """The card has no social security environment (ssse-lb002 8, step 1)."""


class EnvironmentLocked(TerminalError):
    """The card's social security environment is locked for good: SELECT answers 6A81."""


class CardRejected(TerminalError):
    """A validity check of ssse-lb002 8 failed; the message says which."""


class RightMissing(TerminalError):
    """The file wants something that was not done: a PIN, or a key that nobody here holds."""


class KeyNotHeld(TerminalError):
    """Neither the PSAM nor the vault holds the key, or not at a level that reaches this card."""


class KeyOutOfReach(KeyNotHeld):
    """The PSAM holds the key, but at a level of its own place, which is not the card's."""


class AlgorithmNotHeld(TerminalError):
    """The card in the PSAM slot is a PSAM, without an environment of the card's algorithm."""


class SettlementFailed(TerminalError):
    """A settlement did not come about, or nobody can tell yet whether it did."""


class ApduError(TerminalError):
    """The card refused a command: `sw` is the status word, `command` what was sent.

    The message shows the header only, for the data may hold a PIN.
    """

    def __init__(self, sw: SW, command: Command) -> None:
        super().__init__(f"{command.header.hex(' ').upper()}: {sw} {sw.meaning}")
        self.sw = sw
        self.command = command

    @property
    def tries_left(self) -> int | None:
        """Tries left after a failed comparison (63Cx); None when the status word tells none."""
        return self.sw & 0x0F if self.sw & 0xFFF0 == 0x63C0 else None


class WrongPin(ApduError):
    """The PIN was wrong; `tries_left` says how often one may still try."""

    def __str__(self) -> str:
        left = {0: "no try left", 1: "one try left"}.get(
            self.sw & 0x0F, f"{self.sw & 0x0F} tries left"
        )
        return f"the PIN is wrong, {left} ({self.sw})"


class Blocked(ApduError):
    """The PIN, the key or the application is blocked (6983, 9303)."""


def refusal(sw: SW, command: Command) -> ApduError:
    """Return the error for a status word that is not a success."""
    if sw in (SW.BLOCKED, SW.PERMANENTLY_BLOCKED):
        return Blocked(sw, command)
    if sw & 0xFFF0 == 0x63C0 and command.ins in (_VERIFY, _CHANGE_PIN):
        return WrongPin(sw, command)
    return ApduError(sw, command)
