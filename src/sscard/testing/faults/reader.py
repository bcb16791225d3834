"""Faults of readers and contacts: slow, mute, dead, taken out, another ATR."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sscard.errors import PowerLoss
from sscard.testing.faults.base import Fault, When, Wrapper, at_least, which
from sscard.transport.port import CardMute, CardPort, CardRemoved

__all__ = ["dies", "mute", "removed", "slow", "wrong_atr"]


def slow(seconds: float, when: When = None, *, virtual: bool = False) -> Fault:
    """Every answer, or those of `when`, comes after a delay.

    `virtual`: nothing sleeps, the virtual clock of the emulated card runs on instead.
    """
    name = f"slow by {seconds} s"
    at_least(0, seconds, "an answer is late by 0 seconds or more")
    which(when)
    if virtual:
        return Fault(
            name,
            wrap_card=lambda port, card: _Slow(
                port, lambda: card.env.advance(seconds=seconds), when
            ),
        )
    return Fault(name, lambda port: _Slow(port, partial(time.sleep, seconds), when))


def mute(after: int = 0) -> Fault:
    """The card answers `after` commands and then nothing; with 0 not even a reset.

    A reader in process says so to its client (SCARD_W_UNRESPONSIVE_CARD at a reset,
    SCARD_E_NOT_TRANSACTED at a command). vpcd knows no time-out, so there a command is
    answered 6F00; at a reset PC/SC says SCARD_W_UNPOWERED_CARD.
    """
    at_least(0, after, "a card answers 0 commands or more")
    return Fault(f"mute after {after} commands", lambda port: _Mute(port, after))


def dies(after: int) -> Fault:
    """The card answers `after` commands, loses its power in the next, and never comes back."""
    at_least(0, after, "a card answers 0 commands or more")
    return Fault(f"dead after {after} commands", lambda port: _Dies(port, after))


def removed(when: When, *, done: bool = False) -> Fault:
    """The card is taken out in the middle of a command; the slot is empty afterwards.

    `done`: the card has carried the command out (or has been torn in it by an inner fault) and
    only its answer is lost; otherwise it never got the command.
    """
    which(when)
    return Fault("taken out in mid-command", lambda port: _Removed(port, when, done=done))


def wrong_atr(atr: bytes) -> Fault:
    """The card answers to reset with other bytes, well-formed or not."""
    return Fault(f"ATR {atr.hex().upper()}", lambda port: _WrongAtr(port, atr))


class _Slow(Wrapper):
    def __init__(self, port: CardPort, wait: Callable[[], None], when: When) -> None:
        super().__init__(port)
        self._wait = wait
        self._when = when

    def answer(self, apdu: bytes) -> bytes:
        if self.due(self._when, apdu):
            self._wait()
        return self.port.transmit(apdu)


class _Mute(Wrapper):
    def __init__(self, port: CardPort, after: int) -> None:
        super().__init__(port)
        self._after = after

    def power_on(self) -> None:
        if not self._after:
            raise CardMute("the card is mute")
        self.port.power_on()

    def reset(self) -> None:
        if not self._after:
            raise CardMute("the card is mute")
        self.port.reset()

    def answer(self, apdu: bytes) -> bytes:
        if self.commands > self._after:
            raise CardMute("the card is mute")
        return self.port.transmit(apdu)


class _Dies(Wrapper):
    def __init__(self, port: CardPort, after: int) -> None:
        super().__init__(port)
        self._after = after

    def _require_life(self) -> None:
        if self.commands > self._after:
            raise CardMute("the card is dead")

    def power_on(self) -> None:
        self._require_life()
        self.port.power_on()

    def reset(self) -> None:
        self._require_life()
        self.port.reset()

    def answer(self, apdu: bytes) -> bytes:
        if self.commands > self._after:
            self.port.power_off()
            raise PowerLoss(f"the card died in command {self.commands}")
        return self.port.transmit(apdu)


class _Removed(Wrapper):
    def __init__(self, port: CardPort, when: When, *, done: bool) -> None:
        super().__init__(port)
        self._when = when
        self._done = done

    def answer(self, apdu: bytes) -> bytes:
        if not self.due(self._when, apdu):
            return self.port.transmit(apdu)
        if self._done:
            with suppress(PowerLoss):
                self.port.transmit(apdu)
        self.port.power_off()
        raise CardRemoved(f"the card was taken out in command {self.commands}")


class _WrongAtr(Wrapper):
    def __init__(self, port: CardPort, atr: bytes) -> None:
        super().__init__(port)
        self._atr = atr

    @property
    def atr(self) -> bytes:
        return self._atr
