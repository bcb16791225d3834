"""A terminal's port to a card in a PC/SC reader, through pyscard (the extra `pcsc`).

Import it only where a reader is meant: it needs pyscard and libpcsclite, and it and
`pyscard_reader` are the only modules that do. 61xx and 6Cxx come through as the card answers
them; the terminal's stack follows them.

Source: pcsc, "pyscard facts" and "T=0, T=1, 61xx, 6Cxx".
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from types import TracebackType
from typing import Any, Self

from smartcard import scard
from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.CardConnectionObserver import CardConnectionObserver
from smartcard.Exceptions import NoCardException, SmartcardException
from smartcard.pcsc.PCSCExceptions import BaseSCardException
from smartcard.reader.ReaderFactory import ReaderFactory
from smartcard.System import readers

from sscard.errors import TransportError
from sscard.transport.port import (
    CardAbsent,
    CardMute,
    CardRemoved,
    CardReset,
    CardTimeout,
    CardUnpowered,
    ProtocolRefused,
    ReaderAbsent,
    ReaderBusy,
)

__all__ = ["PcscPort", "Protocol", "reader_names", "watch_card", "watched"]

_SHORTEST = 4
"""Bytes of the shortest command: a reader takes less for orders of its own (vpcd rule 4)."""


def reader_names() -> tuple[str, ...]:
    """Return the names of the readers pcscd has. Errors: `ReaderAbsent` without pcscd."""
    return tuple(str(reader.name) for reader in _readers())


class Protocol(Enum):
    """What the reader speaks with the card: T=0, T=1, or what the two agree on."""

    ANY = CardConnection.T0_protocol | CardConnection.T1_protocol
    T0 = CardConnection.T0_protocol
    T1 = CardConnection.T1_protocol


_PROBLEMS: Mapping[int, tuple[type[TransportError], str]] = {
    scard.SCARD_W_REMOVED_CARD: (CardRemoved, "the card was taken out: put it back, connect anew"),
    scard.SCARD_W_RESET_CARD: (CardReset, "another program has reset the card: reset it, go on"),
    scard.SCARD_W_UNPOWERED_CARD: (CardUnpowered, "the card has no power"),
    scard.SCARD_W_UNRESPONSIVE_CARD: (CardUnpowered, "the card does not answer to reset"),
    scard.SCARD_W_UNSUPPORTED_CARD: (CardUnpowered, "the reader cannot read this card"),
    scard.SCARD_E_NO_SMARTCARD: (CardAbsent, "there is no card in it"),
    scard.SCARD_E_SHARING_VIOLATION: (ReaderBusy, "another program holds the card: close that"),
    scard.SCARD_E_PROTO_MISMATCH: (ProtocolRefused, "the card does not speak this protocol"),
    scard.SCARD_E_TIMEOUT: (CardTimeout, "the card did not answer in time"),
    scard.SCARD_E_READER_UNAVAILABLE: (ReaderAbsent, "the reader is gone: plug it in"),
    scard.SCARD_E_UNKNOWN_READER: (ReaderAbsent, "the reader is gone: plug it in"),
    scard.SCARD_E_NO_SERVICE: (ReaderAbsent, "pcscd is not running: start it"),
    scard.SCARD_W_SECURITY_VIOLATION: (
        ReaderAbsent,
        "pcscd lets nobody in: it is being stopped, or polkit keeps this user out",
    ),
    scard.SCARD_E_SERVICE_STOPPED: (ReaderAbsent, "pcscd was stopped: start it, connect anew"),
}


_UNANSWERED = tuple(
    code & 0xFFFFFFFF
    for code in (scard.SCARD_E_NOT_TRANSACTED, scard.SCARD_F_COMM_ERROR, scard.SCARD_S_SUCCESS)
)
"""A command that got no answer, or an empty one: of a card that is mute, or no longer there."""
_SETTLE_S, _LOOK_S = 1.0, 0.1
"""A reader needs this long to notice that its card is gone (vpcd: 0.4 s), and is asked so often."""


class PcscPort:
    """The card in a reader, named in full or by a part of the name that only it has.

    `exclusive` keeps other programs from the card meanwhile. `protocol` is what is spoken with
    it. `timeout_s` None waits for an answer for ever, as PC/SC does. Usable as a context
    manager, which closes it. Errors: `ReaderAbsent` for no such reader, `CardAbsent`,
    `CardUnpowered`, `ReaderBusy`, `ProtocolRefused`; in use `CardRemoved`, `CardMute`,
    `CardReset`, `CardTimeout`; `TransportError` for a command shorter than 4 bytes, a closed
    port, the rest.
    """

    def __init__(
        self,
        reader: str,
        *,
        exclusive: bool = False,
        protocol: Protocol = Protocol.ANY,
        timeout_s: float | None = None,
    ) -> None:
        found = _named(reader)
        self._name = str(found.name)
        self._timeout_s = timeout_s
        self._mode = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        self._protocol = protocol
        try:
            connection: Any = found.createConnection()
            self._connect(connection)
        except NoCardException as error:
            raise CardAbsent(f"there is no card in {self._name}") from error
        except (SmartcardException, BaseSCardException) as error:
            raise self._problem(error, CardUnpowered) from error
        self._connection: Any = connection

    @property
    def name(self) -> str:
        """The reader's whole name."""
        return self._name

    @property
    def protocol(self) -> Protocol:
        """What is spoken with the card: T0 or T1."""
        return Protocol(self._open().getProtocol())

    @property
    def atr(self) -> bytes:
        """The card's answer to reset."""
        return bytes(self._ask(self._open().getATR))

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        connection = self._open()
        if len(apdu) < _SHORTEST:
            raise TransportError(f"a reader takes commands of {_SHORTEST} bytes and more")

        def exchange() -> tuple[list[int], int, int]:
            answer: tuple[list[int], int, int] = connection.transmit(list(apdu))
            return answer

        data, sw1, sw2 = self._ask(exchange if self._timeout_s is None else self._timed(exchange))
        return bytes((*data, sw1, sw2))

    def _connect(self, connection: Any) -> None:
        """Connect; a reader that shows a card and yet says there is none is asked once more.

        pcscd does so while it gives power to a card that it had switched off for want of clients.
        """
        try:
            connection.connect(self._protocol.value, self._mode)
        except NoCardException:
            state = _settled(self._name)
            if state is None or state & scard.SCARD_STATE_EMPTY:
                raise
            connection.connect(self._protocol.value, self._mode)

    def reset(self, *, cold: bool = False) -> bytes:
        """Reset the card, warm or by taking its power, and return its answer to reset."""
        how = scard.SCARD_UNPOWER_CARD if cold else scard.SCARD_RESET_CARD
        connection = self._open()
        self._ask(
            lambda: connection.reconnect(
                protocol=self._protocol.value, mode=self._mode, disposition=how
            )
        )
        return self.atr

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (SmartcardException, BaseSCardException) as error:
            raise self._problem(error, TransportError) from error

    def _timed(self, exchange: Callable[[], Any]) -> Callable[[], Any]:
        """Return the exchange with a limit; PC/SC has none, so a thread is left behind waiting."""

        def limited() -> Any:
            done: list[Any] = []
            thread = threading.Thread(target=_into(done, exchange), daemon=True)
            thread.start()
            thread.join(self._timeout_s)
            if not done:
                self._connection = None
                raise CardTimeout(f"{self._name}: no answer within {self._timeout_s:g} s")
            if isinstance(done[0], BaseException):
                raise done[0]
            return done[0]

        return limited

    def _problem(
        self, error: SmartcardException | BaseSCardException, otherwise: type[TransportError]
    ) -> TransportError:
        code = getattr(error, "hresult", -1) & 0xFFFFFFFF
        for number, (kind, words) in _PROBLEMS.items():
            if number & 0xFFFFFFFF == code:
                return kind(f"{self._name}: {words}")
        if code in _UNANSWERED:
            return self._unanswered()
        return otherwise(f"{self._name}: {error}")

    def _unanswered(self) -> TransportError:
        """Return why a command got no answer, as the reader looks now."""
        state = _settled(self._name)
        if state is None:
            return ReaderAbsent(f"{self._name}: the reader is gone, or pcscd was stopped")
        if state & scard.SCARD_STATE_EMPTY:
            return CardRemoved(f"{self._name}: the card was taken out in the middle of a command")
        return CardMute(f"{self._name}: the card does not answer: reset it")

    def close(self) -> None:
        """Let go of the card, which loses its power; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            lost = (SmartcardException, BaseSCardException)
            with suppress(*lost):  # a card taken out has lost its power already
                connection.disconnect()
            try:
                connection.release()
            except lost:  # without pcscd; pyscard's destructor would try again, and complain aloud
                getattr(connection, "component", connection).hcontext = None

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


def _settled(name: str) -> int | None:
    """Return a reader's state: empty as soon as it notices that; None when it is not there.

    One in this process, which PC/SC does not know, tells of a card taken out by itself.
    """
    try:
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    except scard.error:  # readers in process alone: nobody asks PC/SC
        return _state_here(name)
    if result != scard.SCARD_S_SUCCESS:
        return _state_here(name)
    try:
        until = time.monotonic() + _SETTLE_S
        while True:
            unaware = [(name, scard.SCARD_STATE_UNAWARE)]
            result, states = scard.SCardGetStatusChange(context, 0, unaware)
            if result != scard.SCARD_S_SUCCESS:
                return _state_here(name)
            state: int = states[0][1]
            if state & scard.SCARD_STATE_UNKNOWN:
                return None
            if state & scard.SCARD_STATE_EMPTY or time.monotonic() >= until:
                return state
            time.sleep(_LOOK_S)
    finally:
        scard.SCardReleaseContext(context)


def _state_here(name: str) -> int | None:
    """Return the state of a reader in this process, which shows its card; None without one."""
    return int(scard.SCARD_STATE_PRESENT) if _listed(name) else None


def _into(done: list[Any], exchange: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            done.append(exchange())
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            done.append(error)

    return run


def _readers() -> list[Any]:
    try:
        return list(readers())
    except (SmartcardException, BaseSCardException) as error:  # the latter is none of the former
        raise ReaderAbsent(
            f"pcscd does not answer: start it (on Windows the Smart Card service): {error}"
        ) from error


def _listed(name: str) -> bool:
    try:
        return name in reader_names()
    except ReaderAbsent:
        return False


def _named(name: str) -> Any:
    listed = _readers()
    exact = [reader for reader in listed if str(reader.name) == name]
    found = exact or [reader for reader in listed if name in str(reader.name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(str(reader.name) for reader in listed) or "none"
    problem = "is no reader" if not found else "is part of several readers' names"
    raise ReaderAbsent(f"{name!r} {problem}; there are: {there}")


@contextmanager
def watch_card(name: str, gone: Callable[[TransportError], object]) -> Iterator[None]:
    """Look after the card in a reader until the end of the block, from a thread of its own.

    `gone` is called there, once: with `CardRemoved` when the card was taken out, even if it is
    back, with `ReaderAbsent` when its reader or pcscd is no longer there.
    """
    leave = threading.Event()
    thread = threading.Thread(target=_look_after, args=(name, gone, leave), daemon=True)
    thread.start()
    try:
        yield
    finally:
        leave.set()
        thread.join()


def _look_after(
    name: str, gone: Callable[[TransportError], object], leave: threading.Event
) -> None:
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    moves: int | None = None
    try:
        while not leave.wait(_LOOK_S):
            unaware = [(name, scard.SCARD_STATE_UNAWARE)]
            result, states = scard.SCardGetStatusChange(context, 0, unaware)
            if result != scard.SCARD_S_SUCCESS:
                gone(ReaderAbsent(f"{name}: the reader is gone, or pcscd was stopped"))
                return
            state: int = states[0][1]
            before, moves = moves, state >> 16  # PC/SC counts what goes in and out up there
            if state & scard.SCARD_STATE_EMPTY or before not in (None, moves):
                gone(CardRemoved(f"{name}: the card was taken out"))
                return
    finally:
        scard.SCardReleaseContext(context)


@contextmanager
def watched(
    name: str, listener: Callable[[bytes, bytes, str], object], opened: Callable[[str], object]
) -> Iterator[Any]:
    """Give pyscard's own reader of a name, each of whose connections tells what passes.

    Until the end of the block it is the only one in `smartcard.System.readers()`, so that a
    program that takes the first reader takes this one. `listener` gets every command with its
    answer, data and status word, and ""; or with b"" and why no answer came. `opened` hears of
    each "connect" and "reconnect". Errors: `ReaderAbsent`.
    """
    reader = _WatchedReader(_named(name), partial(_Watch, listener, opened))
    methods = ReaderFactory.factorymethods
    before = list(methods)
    methods[:] = [lambda groups=None: [reader]]
    try:
        yield reader
    finally:
        methods[:] = before


class _WatchedReader:
    """A reader in all but `createConnection`."""

    def __init__(self, reader: Any, watch: Callable[[], "_Watch"]) -> None:
        self._reader = reader
        self._watch = watch

    def createConnection(self) -> Any:  # noqa: N802  # pyscard's name
        return _WatchedConnection(self._reader.createConnection(), self._watch())

    def _by_hand(self, *_: object) -> None:
        """What a reader in process can do. Errors: `TransportError`, always."""
        raise TransportError(
            f"{self}: the card in a real reader is moved by hand; a test that moves cards"
            " makes them with sscard_card or sscard_profile, and is then skipped here"
        )

    insert = remove = swap = _by_hand

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def __str__(self) -> str:
        return str(self._reader)


class _WatchedConnection(CardConnectionDecorator):  # type: ignore[misc]  # pyscard has no types
    """A connection with an observer, to whom pyscard says nothing of a command that failed."""

    def __init__(self, connection: Any, watch: "_Watch") -> None:
        super().__init__(connection)
        self._watch = watch
        self.addObserver(watch)

    def transmit(self, command: list[int], protocol: int | None = None) -> Any:
        try:
            return super().transmit(command, protocol)
        except SmartcardException as error:
            self._watch.failed(str(error))
            raise


class _Watch(CardConnectionObserver):  # type: ignore[misc]
    def __init__(
        self, listener: Callable[[bytes, bytes, str], object], opened: Callable[[str], object]
    ) -> None:
        self._listener = listener
        self._opened = opened
        self._command = b""

    def update(self, connection: Any, event: Any) -> None:
        if event.type in ("connect", "reconnect"):
            self._opened(event.type)
        elif event.type == "command" and isinstance(event.args[0], list):
            self._command = bytes(event.args[0])
        elif event.type == "response" and self._command:
            data, sw1, sw2 = event.args
            self._listener(self._command, bytes((*data, sw1, sw2)), "")
            self._command = b""

    def failed(self, why: str) -> None:
        """Tell of a command without an answer; an answer that pyscard calls an error was told."""
        if self._command:
            self._listener(self._command, b"", why)
            self._command = b""
