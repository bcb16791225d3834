"""The PIN pad of a reader: who asks the holder for digits, and what can go wrong (ssse-lb002 8).

The interface never takes a PIN as an argument; the reader asks for it where the flow wants it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from sscard.terminal.errors import TerminalError

__all__ = ["FixedPad", "PinCancelled", "PinPad", "PinTimeout", "Prompt"]


class Prompt(Enum):
    """What the pad shows and says."""

    PIN = "请输入密码"
    OLD = "请输入原密码"
    NEW = "请输入新密码"
    AGAIN = "请再次输入新密码"


class PinCancelled(TerminalError):
    """The holder pressed cancel (code -31)."""


class PinTimeout(TerminalError):
    """The holder entered nothing in time (code -32)."""


class PinPad(Protocol):
    """A keyboard for the holder alone."""

    def enter(self, prompt: Prompt) -> str:
        """Return the digits entered. Errors: `PinCancelled`, `PinTimeout`."""
        ...


class FixedPad:
    """A pad that always gives the same digits, for tests and readers without a keyboard.

    `pin` answers for the present PIN, `new_pin` for a new one and its repetition; `others` for
    single prompts. Where nothing was given, the holder has cancelled.
    """

    def __init__(
        self,
        pin: str | None = None,
        new_pin: str | None = None,
        others: Mapping[Prompt, str] | None = None,
    ) -> None:
        usual = {Prompt.PIN: pin, Prompt.OLD: pin, Prompt.NEW: new_pin, Prompt.AGAIN: new_pin}
        self._digits = usual | dict(others or {})

    def enter(self, prompt: Prompt) -> str:
        """See `PinPad.enter`."""
        digits = self._digits[prompt]
        if digits is None:
            raise PinCancelled("nobody gave the reader this PIN")
        return digits

    def __repr__(self) -> str:
        return "FixedPad(..)"
