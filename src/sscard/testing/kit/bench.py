"""The bench of one test: its card, the readers that take it, and what passed, in one place."""

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sscard.card import Card
from sscard.errors import ActivationError, ProfileError, TransportError
from sscard.testing.faults.base import faulty
from sscard.testing.kit.trace import Recorded, Trace
from sscard.testing.kit.wanted import Wanted, made
from sscard.transport.memory import PowerSource, as_port
from sscard.transport.pcscd import PrivatePcscd, VirtualSlot
from sscard.transport.port import CardPort
from sscard.transport.serve import CardSlot

__all__ = ["Kit", "PcscReader", "PyscardAbsent", "private_pcscd"]

READER = "sscard in process 00"
_WAIT_S = 300
"""A test waits this long for one of another process that uses the same real reader."""


class PyscardAbsent(TransportError):
    """pyscard cannot be loaded: there are no readers, neither in process nor of PC/SC."""


@contextmanager
def _alone(reader: str) -> Iterator[None]:
    """Keep a real reader for one test; the tests of other workers and runs of this user wait.

    Readers of two daemons may have one name: the daemon's socket tells them apart.
    """
    daemon = os.environ.get("PCSCLITE_CSOCK_NAME", "")
    user = getattr(os, "getuid", getpass.getuser)()
    words = f"{user}\n{daemon}\n{reader}"
    name = f"sscard-reader-{hashlib.sha256(words.encode()).hexdigest()[:16]}.lock"
    lock = FileLock(Path(tempfile.gettempdir(), name), timeout=_WAIT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise TransportError(
            f"{reader}: another test run has held it for {_WAIT_S} s: end that"
        ) from error
    try:
        yield
    finally:
        lock.release()


class Kit:
    """What one test has on its bench: its card, made when it is first wanted, and its trace."""

    def __init__(self, wanted: Wanted | None = None, reader_name: str | None = None) -> None:
        self.wanted = Wanted() if wanted is None else wanted
        self.reader_name = reader_name
        self.trace = Trace()

    @cached_property
    def card(self) -> Card:
        """The emulated card the test asks for. Errors: `ProfileError`."""
        wanted = self.wanted
        return self._traced(made(wanted.profile, wanted.state, wanted.overrides))

    def make(
        self, name: str = "sample", /, *, state: str | None = None, **overrides: object
    ) -> Card:
        """Return a new emulated card of a profile, perhaps in a state; `name` may be a state alone.

        Errors: `ProfileError`.
        """
        return self._traced(made(name, state, overrides))

    def port(self, card: CardPort | PowerSource | None = None) -> CardPort:
        """Return a card as a reader takes it, so that the trace tells what a reader sees of it.

        `card` None: the one the test asks for, with its faults. Another one has none, and answers
        by the link and through the interface the test asks for. Errors: `ProfileError` for the
        test's own card when it does not have that interface.
        """
        link, interface = self.wanted.link, self.wanted.interface
        if isinstance(card, Recorded):
            return card
        if card is None:
            self._require_interface()
            inner = faulty(self.card, *self.wanted.faults, link=link, interface=interface)
        elif isinstance(card, Card):
            inner = faulty(card, link=link, interface=interface)
        else:
            inner = as_port(card, link)
        return Recorded(inner, self.trace)

    def _require_interface(self) -> None:
        """Errors: `ProfileError` when the test's card cannot be powered as the test wants it."""
        try:
            self.card.fork().power_on(self.wanted.link, interface=self.wanted.interface)
        except ActivationError as error:
            raise ProfileError(f"interface={self.wanted.interface!r}: {error}") from None

    def reader(self) -> AbstractContextManager[Any]:
        """Return a pyscard reader with the card in it, as a context manager.

        A real reader is this test's alone: other processes' tests wait for it. Errors:
        `PyscardAbsent`; `TransportError` for a reader that is not there, or stays in use.
        """
        try:
            from sscard.transport.pcsc import watched  # noqa: PLC0415
            from sscard.transport.pyscard_reader import VirtualReader, installed  # noqa: PLC0415
        except ImportError as error:
            raise PyscardAbsent(
                f"pyscard is needed: pip install 'sscard[pcsc]' ({error})"
            ) from error

        @contextmanager
        def in_process() -> Iterator[VirtualReader]:
            reader = VirtualReader(READER, self.port(), seat=self.port)
            with installed(reader, alone=True):
                yield reader

        name = self.reader_name
        if name is None:
            return in_process()

        @contextmanager
        def attached() -> Iterator[Any]:
            with watched(name, self.trace.note, self.trace.begin) as reader, _alone(str(reader)):
                yield reader

        return attached()

    def _traced(self, card: Card) -> Card:
        card.trace(self.trace.listen)
        return card


# ---- a reader of a private pcscd -----------------------------------------------------------------


@contextmanager
def private_pcscd(slots: int = 2) -> Iterator[PrivatePcscd]:
    """Run a private pcscd, and show it to PC/SC clients of this process and of its children.

    libpcsclite keeps the first daemon a process asks: ask none before.
    """
    with PrivatePcscd(slots=slots) as daemon:
        before = {name: os.environ.get(name) for name in daemon.environment}
        os.environ.update(daemon.environment)
        try:
            yield daemon
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


class PcscReader:
    """A slot of a private pcscd, empty at first.

    `name` is the reader's for PC/SC clients, `environment` what their processes need,
    `slots` all slots of the daemon.
    """

    def __init__(self, daemon: PrivatePcscd, kit: Kit) -> None:
        self._daemon = daemon
        self._kit = kit
        self._slot: VirtualSlot = daemon.slots[0]
        self._place = CardSlot(self._slot.host, self._slot.port)

    @property
    def name(self) -> str:
        """The reader's name."""
        return self._slot.name

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client's process: this daemon's socket."""
        return {**os.environ, **self._daemon.environment}

    @property
    def slots(self) -> tuple[VirtualSlot, ...]:
        """Every slot of the daemon; this reader is the first."""
        return self._daemon.slots

    def insert(self, card: CardPort | PowerSource | None = None) -> None:
        """Put a card in, the test's own if none is given, and wait until the reader has it."""
        self._place.insert(self._kit.port(card))
        self._daemon.wait(self._slot, present=True)

    def remove(self) -> None:
        """Take the card out, and wait until the reader has noticed."""
        self._place.remove()
        self._daemon.wait(self._slot, present=False)

    def swap(self, card: CardPort | PowerSource) -> None:
        """Take the card out and put another in."""
        self.remove()
        self.insert(card)
