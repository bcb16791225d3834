"""A reader in process, and pyscard's connection to the card in it.

Measured against pcsc-lite with `tests/interop/programs/pyscard_probe.py`: what differs is listed
in its test.

Source: pcsc, "pyscard facts".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from smartcard import scard
from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.Exceptions import (
    CardConnectionException,
    NoCardException,
    SmartcardException,
)
from smartcard.reader.Reader import Reader

from sscard.transport.memory import PowerSource, as_port
from sscard.transport.port import CardPort, Link
from sscard.transport.slot import Disposition, Grip, Slot
from sscard.transport.slot_rules import SlotError, SlotProblem

__all__ = ["VirtualConnection", "VirtualReader"]

_T0, _T1 = CardConnection.T0_protocol, CardConnection.T1_protocol
_RAW = CardConnection.RAW_protocol
_BITS = (_T0, _T1)
"""pyscard's bit for a protocol, by its number."""
_HEADERS = frozenset({_T0, _T1, _RAW})
_KNOWN = _T0 | _T1 | _RAW | CardConnection.T15_protocol
_ABSENT = frozenset({SlotProblem.NO_CARD, SlotProblem.REMOVED})
_DISPOSITIONS = {
    scard.SCARD_LEAVE_CARD: Disposition.LEAVE,
    scard.SCARD_RESET_CARD: Disposition.RESET,
    scard.SCARD_UNPOWER_CARD: Disposition.UNPOWER,
}
_EJECT = scard.SCARD_EJECT_CARD
"""At the end of a connection no more than LEAVE, as this reader cannot; at a reconnection wrong."""


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
        self._forgotten: list[Grip] = []
        self._disposition: int = scard.SCARD_UNPOWER_CARD
        self._released = False

    # ---- its life ----

    def connect(
        self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None
    ) -> None:
        """Connect to the card, shared unless `mode` says SCARD_SHARE_EXCLUSIVE.

        Without `protocol`, in the one last spoken or set with `setProtocol`. A connection that
        was open stays so unseen until `release`, as pyscard forgets its handle.
        """
        super().connect(protocol)
        self._disposition = scard.SCARD_UNPOWER_CARD if disposition is None else disposition
        if self._released:
            raise CardConnectionException("Context already released")
        self._forget()
        exclusive, mask = _exclusively(mode), self._mask(protocol)
        with _as_pyscard("Unable to connect", absent=_ABSENT):
            self._grip = self._slot.connect(_numbers(mask), exclusive=exclusive)
        self._agreed(self._grip, mask)

    def reconnect(
        self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None
    ) -> None:
        """Take the card anew, by default with a reset, which its end then repeats.

        One that fails ends the connection.
        """
        super().reconnect(protocol)
        grip = self._held()
        self._disposition = scard.SCARD_RESET_CARD if disposition is None else disposition
        mask = self._mask(protocol)
        try:
            how = _DISPOSITIONS.get(self._disposition)
            if how is None:
                raise _invalid(f"Unable to reconnect: disposition {self._disposition}")
            exclusive = _exclusively(mode)
            with _as_pyscard("Unable to reconnect", absent=_ABSENT):
                grip.reconnect(how, _numbers(mask), exclusive=exclusive)
        except SmartcardException:
            self._forget()
            raise
        self._agreed(grip, mask)

    def disconnect(self) -> None:
        """Let the card go, as `connect` was told to leave it."""
        if self._grip is None:
            return
        super().disconnect()
        if self._disposition != _EJECT and self._disposition not in _DISPOSITIONS:
            self._forget()
            raise _invalid(f"Failed to disconnect: disposition {self._disposition}")
        grip, self._grip = self._grip, None
        grip.disconnect(_DISPOSITIONS.get(self._disposition, Disposition.LEAVE))

    def release(self) -> None:
        """Let the card go for good."""
        if self._released:
            return
        super().release()
        self.disconnect()
        for grip in self._forgotten:
            grip.disconnect(Disposition.LEAVE)
        self._forgotten.clear()
        self._released = True

    def __del__(self) -> None:
        """A connection nobody holds any more lets the card go."""
        if hasattr(self, "_released"):
            self.release()

    def _forget(self) -> None:
        """Have no connection any more, though the card is still held."""
        grip, self._grip = self._grip, None
        if grip is not None:
            self._forgotten.append(grip)

    def _mask(self, protocol: int | None) -> int:
        """The protocols to ask for; bits pyscard does not know are not seen."""
        return (protocol or 0) & _KNOWN or int(self.getProtocol())

    def _agreed(self, grip: Grip, mask: int) -> None:
        self.setProtocol(_RAW if mask & _RAW else _BITS[grip.protocol])

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
        with _as_pyscard("Failed to unlock"):
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
            answer = grip.transmit(_sent(command))
        except SlotError as error:
            raise _translated("Failed to transmit", error) from error
        return list(answer[:-2]), answer[-2], answer[-1]

    def doControl(  # noqa: N802  # pyscard's names
        self,
        controlCode: int,  # noqa: N803
        command: list[int] | None = None,
    ) -> list[int]:
        """No control code is known: the reader has no PIN pad and no features to list."""
        self._held()
        raise SmartcardException(
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
        grip = self._held()
        try:
            grip.require_now()
        except SlotError as error:
            failed = _translated("Failed to getAttrib", error)
            raise SmartcardException(str(error), hresult=failed.hresult) from error
        known = attributes.get(attribId)
        if known is None:
            raise SmartcardException(
                f"Failed to getAttrib: {attribId:08X} is not known",
                hresult=scard.SCARD_E_UNSUPPORTED_FEATURE,
            )
        return list(known())


def _sent(command: list[int]) -> bytes:
    """The bytes of a command as pyscard sends them: of a list alone, of a value its last byte."""
    if not isinstance(command, list):
        raise TypeError("a command is a list of ints: list(...) makes one of bytes")
    try:
        return bytes(command)
    except ValueError:
        return bytes(value & 0xFF for value in command)


def _numbers(mask: int) -> tuple[int, ...]:
    """The protocols of a mask by number; RAW asks for none, so that any will do."""
    if mask & _RAW:
        return (0, 1)
    return tuple(number for number, bit in enumerate(_BITS) if mask & bit)


def _exclusively(mode: int | None) -> bool:
    if mode == scard.SCARD_SHARE_DIRECT:
        raise _invalid("a reader in process has no direct mode")
    if mode not in (None, scard.SCARD_SHARE_SHARED, scard.SCARD_SHARE_EXCLUSIVE):
        raise _invalid(f"there is no mode {mode}")
    return bool(mode == scard.SCARD_SHARE_EXCLUSIVE)


def _invalid(what: str) -> CardConnectionException:
    return CardConnectionException(what, hresult=scard.SCARD_E_INVALID_VALUE)


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
