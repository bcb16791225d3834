"""Readers in the same process that programs written for pyscard see: no pcscd, no driver.

pyscard lists readers through factory methods anybody may add to, and a connection is a class
anybody may derive: `smartcard.System.readers()`, `createConnection`, observers, error checking
chains and sessions work as with a real reader. Waiting for cards (`CardRequest`, `CardMonitor`)
and exclusive use talk to PC/SC directly in pyscard; `installed` replaces those parts. Readers
and cards are ours, so it runs wherever pyscard does.

Source: pcsc, "In-process card behind the pyscard API".
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import smartcard.CardRequest
from smartcard import scard
from smartcard.AbstractCardRequest import AbstractCardRequest
from smartcard.Card import Card
from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.Exceptions import (
    CardConnectionException,
    CardRequestTimeoutException,
    NoCardException,
    SmartcardException,
)
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.reader.Reader import Reader
from smartcard.reader.ReaderFactory import ReaderFactory

from sscard.errors import TransportError
from sscard.transport.memory import PowerSource, as_port
from sscard.transport.port import CardPort, Link
from sscard.transport.slot import Disposition, Grip, Slot, SlotError, SlotProblem

__all__ = ["VirtualConnection", "VirtualReader", "installed"]

_T0, _T1 = CardConnection.T0_protocol, CardConnection.T1_protocol
_RAW = CardConnection.RAW_protocol
_BITS = (_T0, _T1)
"""pyscard's bit for a protocol, by its number."""
_HEADERS = frozenset({_T0, _T1, _RAW})
_ABSENT = frozenset({SlotProblem.NO_CARD, SlotProblem.REMOVED})
_DISPOSITIONS = {
    scard.SCARD_LEAVE_CARD: Disposition.LEAVE,
    scard.SCARD_RESET_CARD: Disposition.RESET,
    scard.SCARD_UNPOWER_CARD: Disposition.UNPOWER,
    scard.SCARD_EJECT_CARD: Disposition.UNPOWER,
}
_POLL_S = 0.02


class VirtualReader(Reader):  # type: ignore[misc]  # pyscard has no types
    """A reader by its name, empty or with a card in it.

    `insert`, `remove` and `swap` are what a hand does at the slot; connections that hold the
    card notice as they would with pcscd. They take a card as it is, which then answers as `link`
    says, or a `CardPort` that brings its own way. `seat` does that in their place: it gets
    whatever is put in, and returns what stands in the slot.
    """

    def __init__(
        self,
        name: str = "sscard in process 00",
        card: CardPort | PowerSource | None = None,
        *,
        link: Link = "apdu",
        seat: Callable[[CardPort | PowerSource], CardPort] | None = None,
    ) -> None:
        super().__init__(name)
        self._link: Link = link
        self._seat = seat
        self.slot = Slot(None if card is None else self._port(card))

    def insert(self, card: CardPort | PowerSource) -> None:
        """Put a card in. Errors: `TransportError` when there is one already."""
        self.slot.insert(self._port(card))

    def remove(self) -> None:
        """Take the card out; twice is harmless."""
        self.slot.remove()

    def swap(self, card: CardPort | PowerSource) -> None:
        """Take the card out, if there is one, and put another in."""
        self.slot.swap(self._port(card))

    def _port(self, card: CardPort | PowerSource) -> CardPort:
        return as_port(card, self._link) if self._seat is None else self._seat(card)

    def createConnection(self) -> Any:  # noqa: N802  # pyscard's name
        """Return a new connection, decorated as pyscard's own are."""
        return CardConnectionDecorator(VirtualConnection(self))


class VirtualConnection(CardConnection):  # type: ignore[misc]
    """A pyscard connection to the card in a `VirtualReader`.

    Errors are pyscard's: `NoCardException` for an empty reader, `CardConnectionException` with
    the result code PC/SC would give (`hresult`) for everything else. A mistake in the card's own
    program is neither: it escapes, so that a test shows it.
    """

    def __init__(self, reader: VirtualReader) -> None:
        super().__init__(reader.name)
        self._slot = reader.slot
        self._grip: Grip | None = None
        self._disposition = Disposition.UNPOWER
        self._released = False

    # ---- its life ----

    def connect(
        self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None
    ) -> None:
        """Connect to the card, shared unless `mode` says SCARD_SHARE_EXCLUSIVE.

        Without `protocol`, in the one last spoken or set with `setProtocol`.
        """
        super().connect(protocol)
        if self._released:
            raise CardConnectionException("Context already released")
        exclusive = _exclusively(mode)
        self._let_go()
        self._disposition = _disposition(disposition, Disposition.UNPOWER)
        with _as_pyscard("Unable to connect", absent=_ABSENT):
            grip = self._slot.connect(_numbers(protocol or self.getProtocol()), exclusive=exclusive)
        self._grip = grip
        self.setProtocol(_BITS[grip.protocol])

    def reconnect(
        self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None
    ) -> None:
        """Take the card anew, by default with a reset, which its end then repeats.

        One that fails ends the connection.
        """
        super().reconnect(protocol)
        grip, exclusive = self._held(), _exclusively(mode)
        self._disposition = _disposition(disposition, Disposition.RESET)
        try:
            with _as_pyscard("Unable to reconnect", absent=_ABSENT):
                grip.reconnect(
                    self._disposition,
                    _numbers(protocol or self.getProtocol()),
                    exclusive=exclusive,
                )
        except SmartcardException:
            self._grip = None
            grip.disconnect(Disposition.LEAVE)
            raise
        self.setProtocol(_BITS[grip.protocol])

    def disconnect(self) -> None:
        """Let the card go, as `connect` was told to leave it."""
        if self._grip is not None:
            super().disconnect()
            self._let_go()

    def release(self) -> None:
        """Let the card go for good."""
        if not self._released:
            super().release()
            self.disconnect()
            self._released = True

    def __del__(self) -> None:
        """A connection nobody holds any more lets the card go."""
        if hasattr(self, "_released"):
            self.release()

    def _let_go(self) -> None:
        grip, self._grip = self._grip, None
        if grip is not None:
            grip.disconnect(self._disposition)

    def _held(self) -> Grip:
        if self._grip is None:
            raise CardConnectionException("Card not connected")
        return self._grip

    # ---- its use ----

    def begin(self) -> None:
        """Begin a transaction: other connections may not send until `end`."""
        with _as_pyscard("Failed to lock"):
            self._held().begin()

    def end(self) -> None:
        """End a transaction."""
        self._held().end()

    def getATR(self) -> list[int]:  # noqa: N802  # pyscard's name
        """Return the card's answer to reset."""
        with _as_pyscard("Failed to get status"):
            return list(self._held().atr)

    def transmit(  # as pyscard's, but its two notices are left out where nobody is to get them
        self, command: list[int], protocol: int | None = None
    ) -> tuple[list[int], int, int]:
        """Return data, SW1, SW2 of a command APDU; observers and error checkers see it, too."""
        if self.obs or self.errorcheckingchain is not None:
            return super().transmit(command, protocol)  # type: ignore[no-any-return]
        return self.doTransmit(command, protocol)

    def doTransmit(  # noqa: N802  # pyscard's name
        self, command: list[int], protocol: int | None = None
    ) -> tuple[list[int], int, int]:
        """Return data, SW1, SW2 of a command APDU, sent in the protocol of the connection."""
        grip = self._grip
        if protocol is not None and protocol not in _HEADERS:
            raise CardConnectionException(
                "Invalid protocol in transmit: must be CardConnection.T0_protocol,"
                " CardConnection.T1_protocol, or CardConnection.RAW_protocol"
            )
        if grip is None:
            raise CardConnectionException("Card not connected")
        if protocol not in (None, _RAW, _BITS[grip.protocol]):
            raise CardConnectionException(
                f"Failed to transmit: the connection speaks T={grip.protocol}",
                hresult=scard.SCARD_E_PROTO_MISMATCH,
            )
        try:
            answer = grip.transmit(bytes(command))
        except SlotError as error:
            raise _translated("Failed to transmit", error) from error
        return list(answer[:-2]), answer[-2], answer[-1]

    def doControl(self, controlCode: int, command: list[int]) -> list[int]:  # noqa: N802, N803
        """No control code is known: the reader has no PIN pad and no features to list."""
        self._held()
        raise CardConnectionException(
            "Failed to control: this reader has no control codes",
            hresult=scard.SCARD_E_UNSUPPORTED_FEATURE,
        )

    def doGetAttrib(self, attribId: int) -> list[int]:  # noqa: N802, N803
        """Return an attribute: the ATR, the reader's and the vendor's name, the slot."""
        attributes: dict[int, Callable[[], bytes]] = {
            scard.SCARD_ATTR_ATR_STRING: lambda: bytes(self.getATR()),
            scard.SCARD_ATTR_VENDOR_NAME: lambda: b"sscard\0",
            scard.SCARD_ATTR_DEVICE_FRIENDLY_NAME_A: lambda: self.reader.encode() + b"\0",
            scard.SCARD_ATTR_DEVICE_SYSTEM_NAME_A: lambda: self.reader.encode() + b"\0",
            scard.SCARD_ATTR_CURRENT_PROTOCOL_TYPE: lambda: self.getProtocol().to_bytes(
                4, "little"
            ),
        }
        self._held()
        known = attributes.get(attribId)
        if known is None:
            raise CardConnectionException(
                f"Failed to getAttrib: {attribId:08X} is not known",
                hresult=scard.SCARD_E_INVALID_PARAMETER,
            )
        return list(known())


def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number, bit in enumerate(_BITS) if mask & bit)


def _exclusively(mode: int | None) -> bool:
    if mode == scard.SCARD_SHARE_DIRECT:
        raise CardConnectionException(
            "a reader in process has no direct mode", hresult=scard.SCARD_E_INVALID_VALUE
        )
    return bool(mode == scard.SCARD_SHARE_EXCLUSIVE)


def _disposition(value: int | None, default: Disposition) -> Disposition:
    return default if value is None else _DISPOSITIONS.get(value, default)


def _translated(
    what: str, error: SlotError, absent: frozenset[SlotProblem] = frozenset()
) -> SmartcardException:
    code = getattr(scard, f"SCARD_{error.problem.value}")
    if error.problem in absent:
        return NoCardException(what, hresult=code)
    return CardConnectionException(f"{what}: {error}", hresult=code)


@contextmanager
def _as_pyscard(what: str, absent: frozenset[SlotProblem] = frozenset()) -> Iterator[None]:
    """Raise pyscard's errors; for the problems of `absent` the one that says: no card."""
    try:
        yield
    except SlotError as error:
        raise _translated(what, error, absent) from error


# ---- waiting for cards ---------------------------------------------------------------------------


class VirtualCardRequest(AbstractCardRequest):  # type: ignore[misc]
    """`CardRequest` over readers in process: it looks at their slots instead of asking PC/SC."""

    readers: ClassVar[Callable[[], tuple[VirtualReader, ...]]] = tuple

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self._seen: dict[str, int] = {}

    def _watched(self) -> list[VirtualReader]:
        asked = None if self.readersAsked is None else {str(one) for one in self.readersAsked}
        return [one for one in type(self).readers() if asked is None or one.name in asked]

    def _until(self, look: Callable[[], Any]) -> Any:
        end = None if self.timeout is None else time.monotonic() + self.timeout
        while True:
            found = look()
            if found is not None:
                return found
            if end is not None and time.monotonic() >= end:
                raise CardRequestTimeoutException(hresult=scard.SCARD_E_TIMEOUT)
            time.sleep(_POLL_S)

    def waitforcard(self) -> Any:
        """Return a service on the first card of the type asked for."""
        old = {one.name: one.slot.state.changes for one in self._watched()}

        def look() -> Any:
            for one in self._watched():
                atr, changes = one.slot.state
                if atr is None or (self.newcardonly and old.get(one.name) == changes):
                    continue
                if self.cardType.matches(list(atr), one):
                    return self.cardServiceClass(one.createConnection())
            return None

        return self._until(look)

    def waitforcardevent(self) -> list[Any]:
        """Return the cards that are in once one has come or gone since the last call."""

        def look() -> list[Any] | None:
            states = {one.name: one.slot.state for one in self._watched()}
            changes = {name: state.changes for name, state in states.items()}
            if changes == self._seen:
                return None
            self._seen = changes
            return [Card(name, list(s.atr)) for name, s in states.items() if s.atr is not None]

        return list(self._until(look))

    def release(self) -> None:
        """Nothing is held between two calls."""


@contextmanager
def installed(*readers: VirtualReader, alone: bool = False) -> Iterator[tuple[VirtualReader, ...]]:
    """Show these readers to every program in this process, until the end of the block.

    `alone`: they are the only ones, so that nothing asks for a PC/SC service, and `CardRequest`
    and `CardMonitor` watch them. Otherwise they stand before the real ones, and `CardRequest`
    watches either kind, as the readers it is asked for say; without any it watches the real
    ones, as `CardMonitor` then does. pyscard's two decorators for exclusive use know our
    connections inside the block. Errors: `TransportError` for two readers of one name.
    """
    if len({reader.name for reader in readers}) != len(readers):
        raise TransportError("two readers have the same name: give each its own")

    def listed(groups: object = None) -> list[VirtualReader]:
        return list(readers)

    methods, request = ReaderFactory.factorymethods, smartcard.CardRequest.PCSCCardRequest
    before = list(methods)
    methods[:] = [listed] if alone else [listed, *before]
    ours = type("_CardRequest", (VirtualCardRequest,), {"readers": staticmethod(lambda: readers)})
    smartcard.CardRequest.PCSCCardRequest = ours if alone else _either(ours, request, readers)
    try:
        with _exclusive():
            yield readers
    finally:
        methods[:] = before
        smartcard.CardRequest.PCSCCardRequest = request
        for reader in readers:
            reader.slot.hang_up()


def _either(ours: Any, theirs: Any, readers: tuple[VirtualReader, ...]) -> Any:
    """Return what makes a card request of the kind its readers are of."""
    names = {reader.name for reader in readers}

    def request(
        newcardonly: bool = False,
        readers: Sequence[Any] | None = None,
        cardType: Any = None,  # noqa: N803  # pyscard's names
        cardServiceClass: Any = None,  # noqa: N803
        timeout: float | None = 1,
    ) -> Any:
        asked = {str(reader) for reader in readers or ()}
        if asked & names and asked - names:
            raise CardConnectionException(
                "a CardRequest waits for readers in process or for those of PC/SC, not for both:"
                " make two, or use installed(..., alone=True)"
            )
        made = ours if asked & names else theirs
        return made(newcardonly, readers, cardType, cardServiceClass, timeout)

    return request


# ---- exclusive use -------------------------------------------------------------------------------


@contextmanager
def _exclusive() -> Iterator[None]:
    """Teach pyscard's decorators for exclusive use about our connections; they know their own."""
    connect = ExclusiveConnectCardConnection.connect
    lock, unlock = ExclusiveTransmitCardConnection.lock, ExclusiveTransmitCardConnection.unlock

    def connected(
        self: Any, protocol: int | None = None, mode: int | None = None, disposition: Any = None
    ) -> None:
        if _innermost(self) is None:
            connect(self, protocol, mode, disposition)
        else:
            self.component.connect(protocol, scard.SCARD_SHARE_EXCLUSIVE, disposition)

    def locked(self: Any) -> None:
        ours = _innermost(self)
        if ours is None:
            lock(self)
        else:
            ours.begin()

    def unlocked(self: Any) -> None:
        ours = _innermost(self)
        if ours is None:
            unlock(self)
        else:
            ours.end()

    ExclusiveConnectCardConnection.connect = connected
    ExclusiveTransmitCardConnection.lock = locked
    ExclusiveTransmitCardConnection.unlock = unlocked
    try:
        yield
    finally:
        ExclusiveConnectCardConnection.connect = connect
        ExclusiveTransmitCardConnection.lock = lock
        ExclusiveTransmitCardConnection.unlock = unlock


def _innermost(connection: Any) -> VirtualConnection | None:
    """Return our connection under a pile of decorators, None if another kind is there."""
    while hasattr(connection, "component"):
        connection = connection.component
    return connection if isinstance(connection, VirtualConnection) else None
