"""A terminal's port to a card in a PC/SC reader, through pyscard (the extra `pcsc`).

Import it only where a reader is meant: it needs pyscard and libpcsclite, and it and
`pyscard_reader` are the only modules that do. 61xx and 6Cxx come through as the card answers
them; the terminal's stack follows them.

Source: pcsc, "pyscard facts" and "T=0, T=1, 61xx, 6Cxx".
"""

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from smartcard.CardConnectionObserver import CardConnectionObserver
from smartcard.Exceptions import NoCardException, SmartcardException
from smartcard.pcsc.PCSCExceptions import BaseSCardException
from smartcard.scard import SCARD_RESET_CARD
from smartcard.System import readers

from sscard.errors import TransportError
from sscard.transport.port import CardAbsent, CardUnpowered, ReaderAbsent

__all__ = ["PcscPort", "reader_names", "watched_reader"]

_SHORTEST = 4
"""Bytes of the shortest command: a reader takes less for orders of its own (vpcd rule 4)."""


def reader_names() -> tuple[str, ...]:
    """Return the names of the readers pcscd has. Errors: `ReaderAbsent` without pcscd."""
    return tuple(str(reader.name) for reader in _readers())


class PcscPort:
    """The card in a reader, named in full or by a part of the name that only it has.

    Usable as a context manager, which closes it. Errors: `ReaderAbsent` for no such reader,
    `CardAbsent`, `CardUnpowered`; `TransportError` for a card taken out, a command shorter than
    4 bytes, or a closed port.
    """

    def __init__(self, reader: str) -> None:
        found = _named(reader)
        self._name = str(found.name)
        self._connection: Any = found.createConnection()
        try:
            self._connection.connect()
        except NoCardException as error:
            raise CardAbsent(f"there is no card in {self._name}") from error
        except SmartcardException as error:
            raise CardUnpowered(f"{self._name}: {error}") from error

    @property
    def name(self) -> str:
        """The reader's whole name."""
        return self._name

    @property
    def atr(self) -> bytes:
        """The card's answer to reset."""
        try:
            return bytes(self._open().getATR())
        except SmartcardException as error:
            raise TransportError(f"{self._name}: {error}") from error

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        connection = self._open()
        if len(apdu) < _SHORTEST:
            raise TransportError(f"a reader takes commands of {_SHORTEST} bytes and more")
        try:
            data, sw1, sw2 = connection.transmit(list(apdu))
        except SmartcardException as error:
            raise TransportError(f"{self._name}: {error}") from error
        return bytes((*data, sw1, sw2))

    def reset(self) -> bytes:
        """Reset the card and return its answer to reset."""
        try:
            self._open().reconnect(disposition=SCARD_RESET_CARD)
        except SmartcardException as error:
            raise TransportError(f"{self._name}: {error}") from error
        return self.atr

    def close(self) -> None:
        """Let go of the card, which loses its power; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SmartcardException):  # a card taken out has lost its power already
                connection.disconnect()
            with suppress(SmartcardException):
                connection.release()

    def _open(self) -> Any:
        if self._connection is None:
            raise TransportError("this port is closed: make a new one")
        return self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _readers() -> list[Any]:
    try:
        return list(readers())
    except (SmartcardException, BaseSCardException) as error:  # the latter is none of the former
        raise ReaderAbsent(f"pcscd does not answer: {error}") from error


def _named(name: str) -> Any:
    listed = _readers()
    exact = [reader for reader in listed if str(reader.name) == name]
    found = exact or [reader for reader in listed if name in str(reader.name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(str(reader.name) for reader in listed) or "none"
    problem = "is no reader" if not found else "is part of several readers' names"
    raise ReaderAbsent(f"{name!r} {problem}; there are: {there}")


def watched_reader(name: str, listener: Callable[[bytes, bytes], object]) -> Any:
    """Return pyscard's own reader of a name, each of whose connections tells what passes.

    `listener` gets every command with its answer, data and status word. Errors: `ReaderAbsent`.
    """
    return _WatchedReader(_named(name), listener)


class _WatchedReader:
    """A reader in all but `createConnection`."""

    def __init__(self, reader: Any, listener: Callable[[bytes, bytes], object]) -> None:
        self._reader = reader
        self._listener = listener

    def createConnection(self) -> Any:  # noqa: N802  # pyscard's name
        connection = self._reader.createConnection()
        connection.addObserver(_Watch(self._listener))
        return connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def __str__(self) -> str:
        return str(self._reader)


class _Watch(CardConnectionObserver):  # type: ignore[misc]  # pyscard has no types
    def __init__(self, listener: Callable[[bytes, bytes], object]) -> None:
        self._listener = listener
        self._command = b""

    def update(self, connection: Any, event: Any) -> None:
        if event.type == "command" and isinstance(event.args[0], list):
            self._command = bytes(event.args[0])
        elif event.type == "response" and self._command:
            data, sw1, sw2 = event.args
            self._listener(self._command, bytes((*data, sw1, sw2)))
            self._command = b""
