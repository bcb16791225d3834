"""What the pytest fixtures are made of: the card a test asks for, its readers, its trace.

Usable without pytest, by other runners.
"""

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, get_args

from filelock import FileLock, Timeout

from sscard.card import Card, Interface, Snapshot
from sscard.cos.trace import Event, Exchanged, PoweredOn
from sscard.errors import ActivationError, PowerLoss, ProfileError, TransportError
from sscard.inspect import explain, explain_event
from sscard.inspect.trace import Apdu, Entry, Failure, Octets, Power
from sscard.perso.psam import is_psam
from sscard.perso.sources import read
from sscard.sample import new_card, new_psam, sample_card
from sscard.states import STATES, card_in_state
from sscard.testing.faults.base import Fault, Wrapper, faulty
from sscard.transport.memory import PowerSource, as_port
from sscard.transport.pcscd import PrivatePcscd, VirtualSlot
from sscard.transport.port import CardPort, Link
from sscard.transport.serve import CardSlot

__all__ = [
    "Exchange",
    "Kit",
    "PcscReader",
    "PyscardAbsent",
    "Trace",
    "Wanted",
    "in_a_reader",
    "private_pcscd",
    "unsuitable",
]

READER = "sscard in process 00"
_SHOWN_MAX = 30
"""Exchanges a report shows: the last ones."""
_WAIT_S = 300
"""A test waits this long for one of another process that uses the same real reader."""
_SSSE_NAME = b"sx1.sh."
_SELECT_BY_NAME = bytes.fromhex("00A404")


# ---- what a test asks for ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The card a test asks for: a profile, perhaps in a state, with other values and faults.

    `profile` may name a state of `sscard.states` alone; it is then one of the sample card. A
    profile of a PSAM gives a PSAM.
    `link` is how the card answers, `interface` through which of its two. Errors: `ProfileError`
    that names the choices, for a value of the wrong kind.
    """

    profile: str = "sample"
    state: str | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    link: Link = "apdu"
    interface: Interface = "contact"

    def __post_init__(self) -> None:
        if not isinstance(self.profile, str):
            raise ProfileError(f"profile is the name of a profile or a state, not {self.profile!r}")
        _one_of("link", self.link, get_args(Link))
        _one_of("interface", self.interface, get_args(Interface))
        if self.state is not None:
            _one_of("state", self.state, tuple(STATES))
        if not isinstance(self.overrides, Mapping):
            raise ProfileError(
                f"overrides is a dictionary of the profile's values, not {self.overrides!r}"
            )
        if not isinstance(self.faults, list | tuple) or not all(
            isinstance(fault, Fault) for fault in self.faults
        ):
            raise ProfileError(
                f"faults is a list of faults of sscard.testing.faults, not {self.faults!r}"
            )

    @property
    def title(self) -> str:
        """The profile, and the state if there is one; a state of the sample card stands alone."""
        profile, state = _meant(self.profile, self.state)
        if state is None:
            return profile
        return state if profile == "sample" else f"{profile} {state}"


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProfileError(f"{name} is one of {', '.join(choices)}; not {value!r}")


def in_a_reader(words: str) -> Wanted:
    """Return what a card in a reader is said to be: a profile, a state, or one after the other.

    Errors: `ProfileError` that names the choices when there is no such profile.
    """
    profile, _, state = words.rpartition(" ")
    known = Wanted(profile=profile, state=state) if profile and state in STATES else None
    said = known or Wanted(profile=words)
    read(_meant(said.profile, said.state)[0])
    return said


def unsuitable(wanted: Wanted, present: Wanted) -> str:
    """Return why the card in a reader cannot serve a test, "" when it can.

    `present` is what this card is said to be, as `in_a_reader` has it.
    """
    if wanted.faults:
        return "a reader cannot be made faulty: " + ", ".join(map(str, wanted.faults))
    if wanted.overrides:
        return "the card in the reader has no values of the test's own: " + ", ".join(
            wanted.overrides
        )
    if wanted.title != present.title:
        return f"the test is about a card {wanted.title!r}, in the reader is {present.title!r}"
    return ""


def _meant(profile: str, state: str | None) -> tuple[str, str | None]:
    """Profile and state: a profile may be the name of a state."""
    return ("sample", profile) if state is None and profile in STATES else (profile, state)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a card is made from; equal where all its words are, as Python writes them."""

    profile: str
    state: str | None
    overrides: Mapping[str, object] = field(compare=False)
    words: str


def _made(profile: str, state: str | None, overrides: Mapping[str, object]) -> Card:
    profile, state = _meant(profile, state)
    return _finished(_Recipe(profile, state, overrides, repr(sorted(overrides.items())))).fork()


@lru_cache(maxsize=32)
def _finished(recipe: _Recipe) -> Snapshot:
    """Make a card once a process; every test gets a fork of it."""
    profile, overrides = recipe.profile, recipe.overrides
    if recipe.state is not None:
        return card_in_state(recipe.state, profile, overrides).snapshot()
    if is_psam(profile):
        return new_psam(profile, overrides).snapshot()
    if profile == "sample" and not overrides:
        return sample_card().snapshot()
    return new_card(profile, overrides).snapshot()


# ---- the trace -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Exchange:
    """A command and what came back; `repr` shows neither.

    `event` is the card's own account of it (None: the card is not ours, or never got the
    command); `failure` says why no answer came; `after` what became of the card since the
    exchange before: "power-on", "reset", "" for nothing.
    """

    command: bytes = field(repr=False)
    answer: bytes = field(default=b"", repr=False)
    event: Exchanged | None = None
    failure: str = ""
    after: str = ""


class Trace:
    """Everything that passed between a test and its cards, oldest first."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._after = ""

    def __len__(self) -> int:
        return len(self.exchanges)

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.exchanges.clear()

    def note(self, command: bytes, answer: bytes, failure: str = "") -> None:
        """Take down an exchange with a card that does not tell of itself."""
        self._take(Exchange(command, answer, failure=failure))

    def listen(self, event: Event) -> None:
        """Take down what a card tells of: a listener for `Card.trace`."""
        if isinstance(event, Exchanged):
            self._take(Exchange(event.command, event.response, event))
        elif isinstance(event, PoweredOn):
            self.powered(warm=event.warm)

    def powered(self, *, warm: bool) -> None:
        """Take down that a card was powered on or reset; the last time before a command counts."""
        self._after = "reset" if warm else "power-on"

    def _take(self, exchange: Exchange) -> None:
        exchange.after, self._after = self._after, ""
        self.exchanges.append(exchange)

    def entries(self) -> Iterator[Entry]:
        """Yield what was seen as entries of a recorded trace, for `monitors.watch`; unmasked.

        Of a real reader there are no entries about its power.
        """
        for exchange in self.exchanges:
            command = Octets(exchange.command)
            if exchange.after:
                yield Power("reset" if exchange.after == "reset" else "on")
            if exchange.failure:
                yield Failure(command, "TransportError", exchange.failure)
            else:
                yield Apdu(command, Octets(exchange.answer))

    def explained(self, *, last: int = _SHOWN_MAX, reveal: bool = False) -> str:
        """Return the last exchanges in words, keys, PINs and personal data masked."""
        lines = []
        skipped = max(len(self.exchanges) - last, 0)
        if skipped:
            lines.append(f"({skipped} earlier exchanges are not shown)")
        place: str | None = None
        for number, exchange in enumerate(self.exchanges, start=1):
            place = _place_after(exchange, None if exchange.after else place)
            if number > skipped:
                first, *rest = _explained(exchange, place, reveal=reveal)
                lines += [f"-- {exchange.after} --"] if exchange.after else []
                lines += [f"{number}. {first}", *rest]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.explained()


def _explained(exchange: Exchange, place: str | None, *, reveal: bool) -> Iterator[str]:
    event = exchange.event
    if event is not None:
        yield from explain_event(event, reveal=reveal).lines()
        if exchange.failure:
            yield f"  the answer did not arrive: {exchange.failure}"
        elif exchange.answer != event.response:
            yield "  what arrived instead:"
            yield from _answered(exchange, place, reveal=reveal)
        return
    yield from explain(exchange.command, kind="command", domain=place, reveal=reveal).lines()
    if exchange.failure:
        yield f"  no answer: {exchange.failure}"
    else:
        yield from _answered(exchange, place, reveal=reveal)


def _answered(exchange: Exchange, place: str | None, *, reveal: bool) -> Iterator[str]:
    return explain(exchange.answer, command=exchange.command, domain=place, reveal=reveal).lines(1)


def _place_after(exchange: Exchange, place: str | None) -> str | None:
    """The environment a card that does not tell of itself is in, by the name selected last."""
    command = exchange.command
    done = exchange.answer[-2:] == b"\x90\x00" or exchange.answer[:1] == b"\x61"  # T=0: more waits
    if not (done and command.startswith(_SELECT_BY_NAME)):
        return place
    return "SSSE" if command[5:].startswith(_SSSE_NAME) else "PSE"


class _Recorded(Wrapper):
    """What a reader sees of an emulated card, its faults included, put beside the card's word."""

    def __init__(self, port: CardPort, trace: Trace) -> None:
        super().__init__(port)
        self._trace = trace

    def power_on(self) -> None:
        self.port.power_on()
        self._trace.powered(warm=False)

    def reset(self) -> None:
        self.port.reset()
        self._trace.powered(warm=True)

    def answer(self, apdu: bytes) -> bytes:
        before = len(self._trace)
        try:
            answer = self.port.transmit(apdu)
        except (TransportError, PowerLoss) as failure:
            self._arrived(before, apdu, b"", str(failure) or type(failure).__name__)
            raise
        self._arrived(before, apdu, answer)
        return answer

    def _arrived(self, before: int, apdu: bytes, answer: bytes, failure: str = "") -> None:
        """Note what the reader got; a card that told of the command has it in the trace already."""
        if len(self._trace) == before:
            self._trace.note(apdu, answer, failure)
            return
        last = self._trace.exchanges[-1]
        last.answer, last.failure = answer, failure


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


# ---- the bench of one test -----------------------------------------------------------------------


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
        return self._traced(_made(wanted.profile, wanted.state, wanted.overrides))

    def make(self, name: str = "sample", /, **overrides: object) -> Card:
        """Return a new emulated card of a profile, or of the sample card's in a state."""
        return self._traced(_made(name, None, overrides))

    def port(self, card: CardPort | PowerSource | None = None) -> CardPort:
        """Return a card as a reader takes it, so that the trace tells what a reader sees of it.

        `card` None: the one the test asks for, with its faults. Another one has none, and answers
        by the link and through the interface the test asks for. Errors: `ProfileError` for the
        test's own card when it does not have that interface.
        """
        link, interface = self.wanted.link, self.wanted.interface
        if isinstance(card, _Recorded):
            return card
        if card is None:
            self._require_interface()
            inner = faulty(self.card, *self.wanted.faults, link=link, interface=interface)
        elif isinstance(card, Card):
            inner = faulty(card, link=link, interface=interface)
        else:
            inner = as_port(card, link)
        return _Recorded(inner, self.trace)

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
            with watched(name, self.trace.note) as reader, _alone(str(reader)):
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
