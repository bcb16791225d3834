"""Orders to a running `sscard serve`: a card pulled, put in, swapped, reset; a line each.

Lines come from a terminal or from a script's pipe. They are carried out by the thread that
serves, one after the other, and each is answered by one line when the reader has noticed.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from sscard.errors import SscardError, TransportError

if TYPE_CHECKING:
    from sscard.transport.port import CardPort
    from sscard.transport.serve import CardSlot

__all__ = ["HELP", "Control", "Holder", "Place", "foreground", "listen", "write_answer"]

HELP = "pull N, insert N [FILE], swap N FILE, reset [N], list, quit"

Holder = Callable[[str], AbstractContextManager["CardPort"]]
"""Opens an image file as a card for a reader; leaving closes the file."""


@dataclass(slots=True)
class Place:
    """A reader slot: the card that belongs to it, in it or beside it.

    `card` is the card's name, `port` the card; `file` closes its image file, if it has one.
    `see` waits until the reader has noticed that a card is there, or is not any more.
    """

    reader: str
    slot: "CardSlot"
    card: str
    port: "CardPort"
    see: Callable[[bool], None] = field(repr=False)
    file: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def state(self) -> str:
        """In words: in the reader, or pulled."""
        return "in" if self.slot.occupied else "pulled"

    def pull(self) -> None:
        """Take the card out. Errors: TransportError when there is none."""
        if not self.slot.occupied:
            raise TransportError(f"there is no card in {self.reader}")
        self.slot.remove()
        self.see(False)

    def insert(self) -> None:
        """Put the card back in. Errors: TransportError when it is in."""
        self.slot.insert(self.port)
        self.see(True)

    def take(self, name: str, port: "CardPort", file: ExitStack) -> None:
        """Let another card belong here, and close the file of the one before."""
        self.file.close()
        self.card, self.port, self.file = name, port, file


class Control:
    """Carries out orders on the places of a running command."""

    def __init__(self, places: list[Place], opened: Holder, stop: Callable[[], None]) -> None:
        self._places = places
        self._opened = opened
        self._stop = stop

    def order(self, line: str) -> str:
        """Carry out a line and say what was done. Errors: SscardError, the cards as they were."""
        word, *rest = line.split(maxsplit=2)
        match word, rest:
            case "pull", [number]:
                place = self._place(number)
                place.pull()
                return f"{place.card} is out of {place.reader}"
            case "insert", [number]:
                return self._inserted(self._place(number))
            case (("insert" | "swap"), [number, path]):
                return self._another(self._place(number), path, swap=word == "swap")
            case "reset", []:
                return "; ".join(self._reset(place) for place in self._places)
            case "reset", [number]:
                return self._reset(self._place(number))
            case "list", []:
                return "; ".join(
                    f"{number} {place.reader}: {place.card}, {place.state}"
                    for number, place in enumerate(self._places, 1)
                )
            case "help", _:
                return HELP
            case "quit", []:
                self._stop()
                return "the cards are taken out"
        raise TransportError(f"{line!r} is no order; there are: {HELP}")

    def _place(self, number: str) -> Place:
        if number.isdecimal() and 1 <= int(number) <= len(self._places):
            return self._places[int(number) - 1]
        raise TransportError(f"{number!r} is no reader; they are 1 to {len(self._places)}")

    def _inserted(self, place: Place) -> str:
        place.insert()
        return f"{place.card} is in {place.reader}"

    def _another(self, place: Place, path: str, *, swap: bool) -> str:
        if not swap and place.slot.occupied:
            raise TransportError(f"there is a card in {place.reader}: pull or swap it")
        with ExitStack() as opening:
            port = opening.enter_context(self._opened(path))  # if it is no card, the old one stays
            if place.slot.occupied:
                place.pull()
            place.take(path, port, opening.pop_all())
        return self._inserted(place)

    def _reset(self, place: Place) -> str:
        """Out and in again: what a card forgets without power it has forgotten."""
        if place.slot.occupied:
            place.pull()
        return self._inserted(place)


# --- where orders come from -------------------------------------------------------------------


def foreground(stream: IO[str]) -> bool:
    """Whether somebody types into `stream`: a terminal, and we are in its foreground."""
    try:
        if not stream.isatty():
            return False
        return not hasattr(os, "tcgetpgrp") or os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def listen(
    stream: IO[str],
    control: Control,
    orders: "queue.SimpleQueue[Callable[[], None]]",
    answer: Callable[[str, str, bool], None],
) -> None:
    """Read orders from `stream` in a thread of its own and queue them; its end is `quit`.

    `answer` gets the order, what came of it, and whether it was carried out.
    """
    if hasattr(signal, "SIGTTIN"):
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # sent to the background: reading fails

    def carry_out(line: str) -> None:
        try:
            answer(line, control.order(line), True)
        except (SscardError, OSError) as error:
            answer(line, str(error), False)

    def read() -> None:
        for line in _lines(stream):
            if line:
                orders.put(lambda line=line: carry_out(line))  # type: ignore[misc]

    threading.Thread(target=read, name="orders", daemon=True).start()


def _lines(stream: IO[str]) -> Iterator[str]:
    try:
        for line in stream:
            yield line.strip()
    except (OSError, ValueError):
        return  # in the background now, or closed: the cards stay
    yield "quit"


def write_answer(line: str, text: str, done: bool, *, as_json: bool) -> None:
    """Write the answer to an order: a line of text, or of JSON."""
    if as_json:
        told = {"order": line, "ok": done, "error" if not done else "done": text}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text + "\n" if done else f"error: {text}\n")
    sys.stdout.flush()
