"""`sscard serve`: cards in the virtual readers of pcscd."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.output import note, stdout, write_json
from sscard.cli.settings import JsonOption
from sscard.errors import TransportError

if TYPE_CHECKING:
    from sscard.card import Card
    from sscard.cos.trace import Event
    from sscard.transport.pcscd import PrivatePcscd
    from sscard.transport.serve import CardSlot

__all__ = ["serve"]

_HOST, _PORT = "127.0.0.1", 35963


def serve(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Image files, one a reader.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where vpcd listens.")] = _HOST,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="vpcd's port; the next card takes the next.")
    ] = _PORT,
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Also serve a sample card that nobody keeps.")
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
    json: JsonOption = False,
) -> None:
    """Put cards into the virtual readers of pcscd until Ctrl-C or SIGTERM.

    A served file is the card's EEPROM: every write reaches it at once, and nobody else may use it.
    """
    from sscard.card import Card
    from sscard.sample import sample_card
    from sscard.transport.memory import PoweredSlot
    from sscard.transport.pcscd import PrivatePcscd
    from sscard.transport.serve import CardSlot, serve_cards

    if not images and not sample:
        raise typer.BadParameter("give image files, or --sample")
    stop = _stop_on_signals()
    _log_events()
    with ExitStack() as stack:
        cards: list[tuple[str, Card]] = [
            (str(path), stack.enter_context(Card.open(path))) for path in images or ()
        ]
        if sample:
            cards.append(("sample card", sample_card()))
        daemon: PrivatePcscd | None = None
        if with_pcscd:
            daemon = stack.enter_context(PrivatePcscd(slots=len(cards)))
            places = [CardSlot(slot.host, slot.port) for slot in daemon.slots]
        else:
            places = [CardSlot(host, port + index) for index in range(len(cards))]
        if trace:
            for name, card in cards:
                card.trace(_tracer(name if len(cards) > 1 else ""))
        slots = [
            PoweredSlot(card, link="apdu" if direct else "t0", atr=card.atr) for _, card in cards
        ]
        try:
            serve_cards(
                list(zip(places, slots, strict=True)),
                stop,
                on_ready=lambda: _tell(cards, places, daemon, json=json),
            )
        except TransportError as error:
            if daemon is None and "no reader" in str(error):
                raise TransportError(f"{error} (--with-pcscd starts one)") from None
            raise


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    for number in (getattr(signal, name, None) for name in names):
        if number is not None:
            signal.signal(number, lambda *_: stop.set())
    return stop


def _log_events() -> None:
    """Cards going in and out, and whatever goes wrong inside one, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("sscard.transport")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _tell(
    cards: "list[tuple[str, Card]]",
    places: "list[CardSlot]",
    daemon: "PrivatePcscd | None",
    *,
    json: bool,
) -> None:
    """Say what is where, once every card is in its reader and our pcscd has noticed."""
    readers = [str(place) for place in places]
    if daemon is not None:
        for slot in daemon.slots:
            daemon.wait(slot, present=True)
        readers = [slot.name for slot in daemon.slots]
    if json:
        write_json(
            {
                "pid": os.getpid(),
                "environment": daemon.environment if daemon else {},
                "readers": [
                    {"reader": reader, "card": name, "atr": card.atr.hex().upper()}
                    for reader, (name, card) in zip(readers, cards, strict=True)
                ],
            }
        )
        return
    console = stdout()
    for reader, (name, card) in zip(readers, cards, strict=True):
        console.print(f"{name} is in reader {reader}, ATR {card.atr.hex(' ').upper()}")
    if daemon is not None:
        console.print("Clients find this pcscd by one variable:")
        for name, value in daemon.environment.items():
            console.print(f"    export {name}={value}")
        note(f"warning: {daemon.warning}")
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
