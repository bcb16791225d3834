"""vpcd, the virtual reader of pcscd: a pure framer, and the socket around it.

The card is the TCP client: connecting puts it into the reader, closing takes it out. Messages
are a 2-byte big-endian length and that many bytes, both ways. `Framer` knows this and nothing
else; `VpcdClient` knows sockets and nothing else.

Source: pcsc, "vpcd wire protocol" and its rules 1 to 7.
"""

import logging
import os
import socket
import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from sscard.errors import PowerLoss, TransportError
from sscard.iso.sw import SW
from sscard.transport.port import CardMute, CardPort, CardRemoved

__all__ = ["Apdu", "Control", "Event", "Framer", "Unknown", "VpcdClient", "frame"]

HOST = "127.0.0.1"
PORT = 35963
"""Where a system-wide pcscd with the packaged vpcd listens (0x8C7B)."""

BODY_MAX = 0xFFFF
SETTLE_S = 0.5
"""The reader looks every 0.4 s; a card that was away for less may never be seen again, when a
client's call found it gone before the reader's own look did."""
BACKOFF_LAST_S = 2.0
CONNECT_TIMEOUT_S = 5.0
_NO_ANSWER = bytes(SW.INTERNAL_FAULT)
_NO_ATR = bytes(34)
"""Longer than any: the reader has a card, and cannot power it. Shorter than one, it had none."""
_WAKE = socket.SHUT_RDWR if os.name == "nt" else socket.SHUT_RD  # one that leaves us our answer
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only

log = logging.getLogger(__name__)


class Control(IntEnum):
    """What the reader does to the card's contacts: a message of one byte."""

    POWER_OFF = 0x00
    POWER_ON = 0x01
    RESET = 0x02
    GET_ATR = 0x04


@dataclass(frozen=True, slots=True)
class Unknown:
    """A one-byte message that is no control code we know; it is ignored."""

    code: int


@dataclass(frozen=True, slots=True)
class Apdu:
    """A message of 2 bytes or more: a command for the card, unchanged and unchecked."""

    data: bytes


Event: TypeAlias = Control | Unknown | Apdu

_CONTROLS = {code.value: code for code in Control}


def frame(body: bytes) -> bytes:
    """Return `body` as a message: its length in two bytes, then itself.

    Shapes: 0 to 65535 bytes. Errors: ValueError for a longer body.
    """
    if len(body) > BODY_MAX:
        raise ValueError(f"a vpcd message holds at most {BODY_MAX} bytes, not {len(body)}")
    return len(body).to_bytes(2, "big") + body


class Framer:
    """Turns the bytes of the reader, however they arrive cut up, into events.

    Any sequence of `feed` calls over the same bytes gives the same events. A message of length
    zero means nothing and gives none.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished message are held back."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream and return the events they complete, in order."""
        held = self._held
        held += data
        events: list[Event] = []
        start, end = 0, len(held)
        while end - start >= 2:
            stop = start + 2 + int.from_bytes(held[start : start + 2], "big")
            if stop > end:
                break
            body = bytes(held[start + 2 : stop])
            start = stop
            if len(body) > 1:
                events.append(Apdu(body))
            elif body:
                events.append(_CONTROLS.get(body[0], Unknown(body[0])))
        del held[:start]
        return events


class VpcdClient:
    """One card in one slot of a vpcd reader, for as long as `run` runs.

    `run` connects, serves and, when the reader goes away (pcscd restarts), takes the card's
    power and connects again, waiting 0.5 s, 1 s, then 2 s between attempts. `stop`, from
    any other thread, takes the card out and makes `run` return. `connected` is set while the
    card is in the reader. A client runs once.

    Every command is answered, whatever happens inside the card, because the reader would wait
    for ever: an exception is logged with its traceback and answered 6F00; so is lost power,
    and the card then stays dark until the reader powers it on. A card that is mute at a reset
    (`CardMute`) has no answer to reset, and the reader says that it has no power. A card that is
    taken out in mid-command (`CardRemoved`) leaves the slot without an answer, and `run` returns.
    The log shows the header of such a command, never its data, which may hold a PIN or a key.
    """

    def __init__(self, card: CardPort, host: str = HOST, port: int = PORT) -> None:
        self.host = host
        self.port = port
        self.connected = threading.Event()
        self._card = card
        self._silent = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self) -> None:
        """Serve the card until `stop`.

        Errors: whatever the card raises when it has to tell its answer to reset and cannot:
        there is no answer the reader could be given for that, so the card leaves the slot.
        """
        wait_s = SETTLE_S
        while not self._stop.is_set():
            try:
                connection = self._connect()
            except OSError as error:
                log.debug("%s:%d: no reader yet: %s", self.host, self.port, error)
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, BACKOFF_LAST_S)
                continue
            wait_s = SETTLE_S
            if connection is None:
                return
            try:
                self._serve(connection)
            except OSError as error:
                log.debug("%s:%d: connection lost: %s", self.host, self.port, error)
            finally:
                self._leave(connection)
            self._stop.wait(wait_s)

    def stop(self) -> None:
        """Take the card out; the command in hand is still answered, then `run` returns."""
        with self._lock:
            self._stop.set()
            if self._socket is not None:
                _shut_down(self._socket)

    def _connect(self) -> socket.socket | None:
        """Return a connection, known to `stop`; None when `stop` came first."""
        connection = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if self._stop.is_set():
                connection.close()
                return None
            self._socket = connection
        self.connected.set()
        log.info("%s:%d: card inserted", self.host, self.port)
        return connection

    def _leave(self, connection: socket.socket) -> None:
        self.connected.clear()
        with self._lock:
            self._socket = None
            connection.close()
        self._control(Control.POWER_OFF)
        log.info("%s:%d: card removed", self.host, self.port)

    def _serve(self, connection: socket.socket) -> None:
        framer = Framer()
        while not self._stop.is_set():
            if _QUICKACK is not None:  # the kernel forgets it: without this 44 ms per command
                connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            data = connection.recv(0x10000)
            if not data:
                return
            for event in framer.feed(data):
                answer = self._react(event)
                if answer is not None:
                    connection.sendall(frame(answer))

    def _react(self, event: Event) -> bytes | None:
        """Do what the reader asks; return the answer, or None where the protocol has none."""
        if isinstance(event, Apdu):
            return self._transmit(event.data)
        if event is Control.GET_ATR:
            return _NO_ATR if self._silent else self._card.atr or _NO_ATR
        if isinstance(event, Unknown):
            log.warning(
                "%s:%d: unknown control code %02X ignored", self.host, self.port, event.code
            )
        else:
            self._control(event)
        return None

    def _control(self, code: Control) -> None:
        """Change the card's power; what fails is logged, for the reader expects no answer."""
        if code is not Control.POWER_OFF:
            self._silent = False
        try:
            if code is Control.POWER_ON:
                self._card.power_on()
            elif code is Control.RESET:
                self._card.reset()
            else:
                self._card.power_off()
        except CardMute as error:
            self._silent = True
            log.warning("%s:%d: no answer to %s: %s", self.host, self.port, code.name, error)
        except TransportError as error:
            log.error("%s:%d: %s failed: %s", self.host, self.port, code.name, error)  # noqa: TRY400
        except (Exception, PowerLoss):
            log.exception("%s:%d: %s failed", self.host, self.port, code.name)

    def _transmit(self, apdu: bytes) -> bytes | None:
        try:
            answer = self._card.transmit(apdu)
        except CardRemoved:
            log.warning("%s:%d: taken out in %s", self.host, self.port, _header(apdu))
            self._stop.set()
            return None
        except CardMute:
            log.warning("%s:%d: no answer to %s", self.host, self.port, _header(apdu))
            return _NO_ANSWER
        except PowerLoss:
            log.warning("%s:%d: power lost in %s", self.host, self.port, _header(apdu))
            self._control(Control.POWER_OFF)
            return _NO_ANSWER
        except TransportError as error:
            log.error("%s:%d: %s failed: %s", self.host, self.port, _header(apdu), error)  # noqa: TRY400
            return _NO_ANSWER
        except Exception:
            log.exception("%s:%d: %s failed", self.host, self.port, _header(apdu))
            return _NO_ANSWER
        if not 2 <= len(answer) <= BODY_MAX:
            log.error("%s answered by %d bytes; vpcd carries 2..65535", _header(apdu), len(answer))
            return _NO_ANSWER
        return answer


def _header(apdu: bytes) -> str:
    return f"{apdu[:4].hex().upper()} ({len(apdu)} bytes)"


def _shut_down(connection: socket.socket) -> None:
    """Wake the thread that is in recv; a connection that is already gone is as good."""
    try:
        connection.shutdown(_WAKE)
    except OSError as error:
        log.debug("already closed: %s", error)
