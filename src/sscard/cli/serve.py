"""`sscard serve`: cards in the virtual readers of pcscd."""

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.output import note, stdout, write_json
from sscard.cli.serve_control import HELP, Control, Place, foreground, listen, write_answer
from sscard.cli.settings import JsonOption
from sscard.errors import TransportError

if TYPE_CHECKING:
    from sscard.card import Card
    from sscard.cos.trace import Event
    from sscard.transport.pcscd import PrivatePcscd, VirtualSlot
    from sscard.transport.port import CardPort, Link
    from sscard.transport.serve import CardSlot

    Served = tuple[str, CardPort, ExitStack]
    """A card's name, the card, and what closes its file."""

__all__ = ["log_events", "serve", "stop_on_signals"]

_HOST, _PORT = "127.0.0.1", 35963


def serve(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Image files, one a reader.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where vpcd listens.")] = _HOST,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="vpcd's port; the next card takes the next.")
    ] = _PORT,
    psam: Annotated[
        Path | None, typer.Option("--psam", metavar="FILE", help="A PSAM, in a reader of its own.")
    ] = None,
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Also serve a sample card that nobody keeps.")
    ] = False,
    sample_psam: Annotated[
        bool, typer.Option("--sample-psam", help="Also serve the sample card's PSAM.")
    ] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="Answer at once, not with 61xx and 6Cxx.")
    ] = False,
    with_pcscd: Annotated[
        bool, typer.Option("--with-pcscd", help="Start a private pcscd; no root needed.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print what is exchanged, explained, secrets masked.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Write a trace; the second card's is FILE-2, and so on.",
        ),
    ] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Record PINs, keys and personal data, too.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Take orders from a pipe, not only when typed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Put cards into the virtual readers of pcscd until Ctrl-C or SIGTERM.

    A served file is the card's EEPROM: every write reaches it at once, and nobody else may use it.
    While it runs it takes orders, a line each: pull 1, insert 1, swap 1 FILE, reset, list, quit.
    """
    from sscard.sample import sample_card
    from sscard.sample import sample_psam as make_psam
    from sscard.transport.pcscd import PrivatePcscd
    from sscard.transport.serve import CardSlot, serve_cards

    count = len(images or ()) + (psam is not None) + sample + sample_psam
    if not count:
        raise typer.BadParameter("give image files, --sample or --sample-psam")
    stop = stop_on_signals()
    log_events()
    orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    with ExitStack() as stack:
        tapes = _Tapes(stack, record, show_secrets=show_secrets)
        made = _Made("apdu" if direct else "t0", tapes, traced=trace, named=count > 1)
        cards = [made.of_file(path, stack) for path in images or ()]
        if sample:
            cards.append(made.of_card("sample card", sample_card()))
        if psam is not None:
            cards.append(made.of_file(psam, stack))
        if sample_psam:
            cards.append(made.of_card("sample PSAM", make_psam()))
        daemon: PrivatePcscd | None = None
        if with_pcscd:
            daemon = stack.enter_context(PrivatePcscd(slots=len(cards)))
            slots = [CardSlot(slot.host, slot.port) for slot in daemon.slots]
        else:
            slots = [CardSlot(host, port + index) for index in range(len(cards))]
        places = _places(cards, slots, daemon)
        stack.callback(_close, places)  # the files of cards swapped in
        typed = foreground(sys.stdin)
        if control or typed:
            desk = Control(places, made.opened, stop.set)
            listen(sys.stdin, desk, orders, partial(write_answer, as_json=json))
        try:
            serve_cards(
                [(place.slot, place.port) for place in places],
                stop,
                on_ready=lambda: _tell(places, daemon, json=json, typed=typed),
                orders=orders,
            )
        except TransportError as error:
            if daemon is None and "no reader" in str(error):
                raise TransportError(f"{error} (--with-pcscd starts one)") from None
            raise


class _Tapes:
    """Traces of the served cards, a file each; they end with `stack`."""

    def __init__(self, stack: ExitStack, path: Path | None, *, show_secrets: bool) -> None:
        self._stack = stack
        self._path = path
        self._show_secrets = show_secrets
        self._count = 0

    def record(self, name: str, card: "Card") -> None:
        """Record a card from now on, if that is wanted at all."""
        from sscard.inspect.trace import CardRecorder, Recorder

        if self._path is None:
            return
        self._count += 1
        path = self._path
        if self._count > 1:
            path = path.with_stem(f"{path.stem}-{self._count}")
        recorder = Recorder("card", path=path, show_secrets=self._show_secrets, title=name)
        self._stack.enter_context(recorder)
        self._stack.enter_context(CardRecorder(card, recorder))


class _Made:
    """Makes ports of cards, all alike: their link, and whether they are traced, under a name."""

    def __init__(self, link: "Link", tapes: _Tapes, *, traced: bool, named: bool) -> None:
        self._link = link
        self._tapes = tapes
        self._traced = traced
        self._named = named

    def of_file(self, path: Path, stack: ExitStack) -> "Served":
        """Return the card of an image file, which `stack` keeps open."""
        file = stack.enter_context(ExitStack())
        return str(path), file.enter_context(self.opened(str(path))), file

    def of_card(self, name: str, card: "Card") -> "Served":
        """Return a card that nobody keeps."""
        return name, self._port(name, card), ExitStack()

    def _port(self, name: str, card: "Card") -> "CardPort":
        from sscard.transport.memory import PoweredSlot

        if self._traced:
            card.trace(_tracer(name if self._named else ""))
        self._tapes.record(name, card)
        return PoweredSlot(card, link=self._link, atr=card.atr)

    @contextmanager
    def opened(self, path: str) -> "Iterator[CardPort]":
        """Open an image file; it is the card's EEPROM while the context lasts."""
        from sscard.card import Card

        with Card.open(Path(path)) as card:
            yield self._port(path, card)


def _close(places: list[Place]) -> None:
    for place in places:
        place.file.close()


def stop_on_signals() -> threading.Event:
    """Return an event that is set when the user or the system ends the process."""
    stop = threading.Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    for number in (getattr(signal, name, None) for name in names):
        if number is not None:
            signal.signal(number, lambda *_: stop.set())
    return stop


def log_events() -> None:
    """Cards going in and out, and whatever goes wrong inside one, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("sscard.transport")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _places(
    cards: "list[Served]",
    slots: "list[CardSlot]",
    daemon: "PrivatePcscd | None",
) -> list[Place]:
    places = []
    for number, ((name, port, file), slot) in enumerate(zip(cards, slots, strict=True)):
        reader, see = str(slot), _see_nothing
        if daemon is not None:
            virtual = daemon.slots[number]
            reader, see = virtual.name, partial(_see, daemon, virtual)
        places.append(Place(reader, slot, name, port, see, file))
    return places


def _see(daemon: "PrivatePcscd", slot: "VirtualSlot", present: bool) -> None:
    daemon.wait(slot, present=present)


def _see_nothing(_present: bool) -> None:
    """A daemon that is not ours is not asked what it sees."""


def _tell(places: list[Place], daemon: "PrivatePcscd | None", *, json: bool, typed: bool) -> None:
    """Say what is where, once every card is in its reader and our pcscd has noticed."""
    for place in places:
        place.see(True)
    if json:
        write_json(
            {
                "pid": os.getpid(),
                "environment": daemon.environment if daemon else {},
                "readers": [
                    {
                        "reader": place.reader,
                        "card": place.card,
                        "atr": place.port.atr.hex().upper(),
                    }
                    for place in places
                ],
            }
        )
        return
    console = stdout()
    for place in places:
        atr = place.port.atr.hex(" ").upper()
        console.print(f"{place.card} is in reader {place.reader}, ATR {atr}")
    if daemon is not None:
        console.print("Clients find this pcscd by one variable:")
        for name, value in daemon.environment.items():
            console.print(f"    export {name}={value}")
        note(f"warning: {daemon.warning}")
    if typed:
        console.print(f"Orders: {HELP}.")
    console.print("Ctrl-C takes the cards out.")
    sys.stdout.flush()


def _tracer(name: str) -> "Callable[[Event], None]":
    """Return a listener that prints every event of a card, secrets masked."""
    from sscard.inspect import explain_event

    prefix = f"{name}: " if name else ""

    def listen(event: "Event") -> None:
        sys.stdout.write(f"{prefix}{explain_event(event)}\n")
        sys.stdout.flush()

    return listen
