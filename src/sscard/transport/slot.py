"""A reader slot that several connections share: cards go in and out, resets are noticed.

The rules of PC/SC without its daemon: who holds the card, what the others see after a reset or
a removal, what the end of a connection does to the card. Pure but for a lock, and knows no
PC/SC library: `pyscard_reader` dresses it for pyscard.

Source: pcsc, "pyscard facts" and "Code effects".
"""

import threading
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from sscard.errors import PowerLoss, SscardError, TransportError
from sscard.transport.port import CardMute, CardPort, CardRemoved
from sscard.transport.slot_rules import (
    PROTOCOLS,
    SlotError,
    SlotProblem,
    agreed_protocol,
    require_length,
)

__all__ = ["Disposition", "Grip", "Slot", "SlotState"]

_STATUS = 2
"""Bytes of a status word."""


class Disposition(Enum):
    """What becomes of the card when a connection ends."""

    LEAVE = "leave"
    RESET = "reset"
    UNPOWER = "unpower"


class SlotState(NamedTuple):
    """What a slot shows: the ATR of the card in it, None without one, and how often it changed."""

    atr: bytes | None
    changes: int


class Slot:
    """A slot of a reader, empty or with one card in it. Safe to use from several threads."""

    def __init__(self, card: CardPort | None = None) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._card: CardPort | None = None
        self._grips: list[Grip] = []
        self._changes = 0
        self._holder: Grip | None = None  # who has a transaction open
        self._holders_thread = 0
        self._powered = False
        self.resets = 0
        """How often the card in the slot was reset: a grip that did not do it must notice."""
        if card is not None:
            self.insert(card)

    # ---- cards come and go ----

    def insert(self, card: CardPort) -> None:
        """Put a card in. Errors: `TransportError` when there is one already."""
        with self._lock:
            if self._card is not None:
                raise TransportError("there is a card in this slot: remove it first")
            self._card = card
            self._notice()

    def remove(self) -> None:
        """Take the card out: its power goes, every connection to it is dead. Twice is harmless."""
        with self._lock:
            card, self._card = self._card, None
            if card is None:
                return
            for grip in self._grips:
                grip.lost = True
            self._grips.clear()
            self._holder = None
            self._powered = False
            card.power_off()
            self._notice()

    def swap(self, card: CardPort) -> None:
        """Take the card out, if there is one, and put another in."""
        with self._lock:
            self.remove()
            self.insert(card)

    def hang_up(self) -> None:
        """End every connection and transaction; the card stays in, without power."""
        with self._lock:
            if self._holder is not None:
                self._holder._end_all()
            for grip in tuple(self._grips):
                grip.disconnect()
            if self._powered and self._card is not None:
                self._powered = False
                self._card.power_off()

    def _notice(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    @property
    def state(self) -> SlotState:
        """What the slot shows now; asking changes nothing."""
        with self._lock:
            return SlotState(None if self._card is None else self._card.atr, self._changes)

    # ---- connections ----

    def connect(self, protocols: tuple[int, ...] = PROTOCOLS, *, exclusive: bool = False) -> "Grip":
        """Connect to the card in the slot, powering it on if nobody did.

        `protocols` are the ones the caller takes, T=0 and T=1 by number. Waits for the end of
        a transaction. Errors: `SlotError`.
        """
        with self._lock:
            self._await_turn(None)
            card = self._card
            if card is None:
                raise SlotError(SlotProblem.NO_CARD, "there is no card in this reader")
            taken = any(grip.exclusive for grip in self._grips)
            if taken or (exclusive and self._grips):
                raise SlotError(SlotProblem.SHARING, "another connection holds the card")
            if not self._powered:
                self._power(card)
                self.resets += 1
            protocol = agreed_protocol(card.atr, protocols)
            grip = Grip(self, card, protocol, exclusive=exclusive)
            self._grips.append(grip)
            return grip

    def _await_turn(self, grip: "Grip | None") -> None:
        """Wait until no other connection has a transaction open.

        Errors: `SlotError`, also where this thread has begun it, and would wait for itself.
        """
        while self._holder not in (None, grip):
            if self._holders_thread == threading.get_ident():
                raise SlotError(
                    SlotProblem.SHARING, "another connection of this thread has a transaction open"
                )
            self._changed.wait()
            if grip is not None:
                grip._require()

    def _power(self, card: CardPort, *, warm: bool = False) -> None:
        self._powered = False
        try:
            if warm:
                card.reset()
            else:
                card.power_on()
            self._powered = True
        except (PowerLoss, SscardError) as error:
            raise SlotError(SlotProblem.MUTE, f"the card does not answer: {error}") from error

    def _release(self, grip: "Grip", disposition: Disposition) -> None:
        if grip not in self._grips:
            return
        if disposition is not Disposition.LEAVE:
            try:
                self._await_turn(grip)
            except SlotError:
                disposition = Disposition.LEAVE
        if grip not in self._grips:
            return
        self._grips.remove(grip)
        grip._end_all()
        if disposition is Disposition.LEAVE or self._card is None:
            return
        self.resets += 1
        if disposition is Disposition.UNPOWER and not self._grips:
            self._powered = False
            self._card.power_off()
        else:
            with suppress(SlotError):  # who comes next finds it mute
                self._power(self._card, warm=True)


class Grip:
    """One connection to the card in a slot. `protocol` is 0 or 1."""

    def __init__(self, slot: Slot, card: CardPort, protocol: int, *, exclusive: bool) -> None:
        self._slot = slot
        self._card = card
        self._seen = slot.resets
        self._open = True
        self._depth = 0
        self.protocol = protocol
        self.exclusive = exclusive
        self.lost = False

    @property
    def atr(self) -> bytes:
        """The card's answer to reset. Errors: `SlotError` when the card is gone or was reset."""
        with self._slot._lock:
            self._require()
            self._slot._await_turn(self)
            self._require_seen()
            return self._card.atr

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU of 4 bytes or more.

        Waits while another connection has a transaction open. Errors: `SlotError`: the card was
        taken out, reset by another connection (reconnect then), or has lost its power in the
        middle of this command.
        """
        slot = self._slot
        with slot._lock:
            if self.lost or not self._open:
                self._require()
            if slot._holder is not None:
                slot._await_turn(self)
            if self._seen != slot.resets:
                self._require_seen()
            require_length(apdu)
            try:
                answer = self._card.transmit(apdu)
            except (PowerLoss, TransportError) as failure:
                raise self._failed(failure) from failure
            if len(answer) < _STATUS:
                raise SlotError(SlotProblem.SILENT, "the answer has no status word")
            return answer

    def _failed(self, failure: PowerLoss | TransportError) -> "SlotError":
        """What the client sees of a card that failed in mid-command; one taken out is out."""
        match failure:
            case CardRemoved():
                self._slot.remove()
                return SlotError(SlotProblem.REMOVED, str(failure))
            case CardMute():
                return SlotError(SlotProblem.SILENT, str(failure))
            case PowerLoss():
                return SlotError(SlotProblem.UNPOWERED, f"the card lost its power: {failure}")
        return SlotError(SlotProblem.UNPOWERED, str(failure))

    def reconnect(
        self,
        disposition: Disposition = Disposition.RESET,
        protocols: tuple[int, ...] = PROTOCOLS,
        *,
        exclusive: bool = False,
    ) -> None:
        """Take the card anew: reset it, power it off and on, or only notice another's reset.

        `protocols` and `exclusive` are agreed on anew, too. Waits while another connection has
        a transaction open. Errors: `SlotError`.
        """
        with self._slot._lock:
            self._require()
            self._slot._await_turn(self)
            if exclusive and self._slot._grips != [self]:
                raise SlotError(SlotProblem.SHARING, "another connection holds the card")
            self.protocol = agreed_protocol(self._card.atr, protocols)
            self.exclusive = exclusive
            if disposition is Disposition.RESET:
                self._slot._power(self._card, warm=True)
            elif disposition is Disposition.UNPOWER:
                self._slot._power(self._card)
            if disposition is not Disposition.LEAVE:
                self._slot.resets += 1
            self._seen = self._slot.resets

    def begin(self) -> None:
        """Keep other connections waiting until `end`; wait while one of them does so.

        Each `begin` wants an `end` of its own. Errors: `SlotError` when the card is gone, or
        another connection has reset it.
        """
        slot = self._slot
        with slot._lock:
            self._require()
            slot._await_turn(self)
            self._require_seen()
            slot._holder, slot._holders_thread = self, threading.get_ident()
            self._depth += 1

    def end(self) -> None:
        """End what `begin` began.

        Errors: `SlotError` when this connection has no transaction open.
        """
        with self._slot._lock:
            self._require_turn()
            if self._slot._holder is None:
                raise SlotError(SlotProblem.NO_TRANSACTION, "no transaction is open")
            if self._depth > 1:
                self._depth -= 1
            else:
                self._end_all()

    def _end_all(self) -> None:
        self._depth = 0
        if self._slot._holder is self:
            self._slot._holder = None
            self._slot._changed.notify_all()

    def disconnect(self, disposition: Disposition = Disposition.UNPOWER) -> None:
        """Let go; the card keeps its power while others hold it. Twice is harmless.

        Waits while another connection has a transaction open, unless the card is only left.
        """
        with self._slot._lock:
            self._slot._release(self, disposition)
            self._open = False

    def _require(self) -> None:
        if self.lost:
            raise SlotError(SlotProblem.REMOVED, "the card was taken out: connect anew")
        if not self._open:
            raise SlotError(SlotProblem.CLOSED, "this connection is closed: connect anew")

    def require_now(self) -> None:
        """Nothing, if the card can be asked at once. Errors: `SlotError`."""
        with self._slot._lock:
            self._require()
            self._require_turn()
            self._require_seen()

    def _require_turn(self) -> None:
        if self._slot._holder not in (None, self):
            raise SlotError(SlotProblem.SHARING, "another connection has a transaction open")

    def _require_seen(self) -> None:
        if self._seen != self._slot.resets:
            raise SlotError(SlotProblem.RESET, "another connection has reset the card")
