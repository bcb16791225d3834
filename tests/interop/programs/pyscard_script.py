"""A program written for pyscard, unmodified, over PC/SC or with its readers in this process.

`WAY TIME READER READER PROGRAM [WORDS]`. WAY `process`: the readers are in this process and hold
a social security card and a PSAM; `pcsc`: whoever started this has put the same two in. TIME
`short`: a sleep of ten seconds and more, when a program waits for somebody at its readers, is
over as soon as the first card has gone and come back, or the readers have been looked at.
"""

import runpy
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

LONG_S, LOOK_S = 10, 1.5
TIME_LIMIT_S = 20

way, passing, first, second, program = sys.argv[1:6]
sys.argv[:] = [program, *sys.argv[6:]]
sys.path.insert(0, "")
nap = time.sleep


def ask(order: str) -> None:
    """Have the one who holds the cards do something."""
    print(f"HAND {order}", file=sys.stderr, flush=True)
    sys.stdin.readline()


def until(reached: Callable[[], bool]) -> None:
    """Wait until pyscard's own threads have got there."""
    end = time.monotonic() + TIME_LIMIT_S
    while not reached():
        if time.monotonic() > end:
            sys.exit("nobody has noticed what was done to the card")
        nap(0.02)


def out_and_in(hand: Callable[[str], None]) -> None:
    """Take the first card out and put it back; return when pyscard's monitor has told of both."""
    from smartcard.CardMonitoring import CardMonitor, CardObserver

    if CardMonitor.instance is None:
        nap(LOOK_S)  # the program watches readers, which stay
        return
    seen: list[tuple[int, int]] = []

    class Watch(CardObserver):
        """Told after the program's own observers."""

        def update(self, observable: Any, handlers: Any) -> None:
            seen.append((len(handlers[0]), len(handlers[1])))

    monitor, watch = CardMonitor(), Watch()
    until(lambda: len(monitor.rmthread.cards) == 2)
    nap(0.2)  # their notice may be on its way
    monitor.addObserver(watch)
    for order, (came, went) in (("out", (0, 1)), ("in", (1, 0))):
        hand(order)
        until(lambda change=(came, went): change in seen)
    monitor.deleteObserver(watch)


with ExitStack() as stack:
    if way == "process":
        from sscard.sample import sample_card, sample_psam
        from sscard.transport.pyscard_reader import VirtualReader, installed

        card = sample_card()
        reader = VirtualReader(first, card)
        stack.enter_context(installed(reader, VirtualReader(second, sample_psam()), alone=True))

        def hand(order: str) -> None:
            reader.remove() if order == "out" else reader.insert(card)
    else:
        hand = ask
    if passing == "short":
        time.sleep = lambda seconds: out_and_in(hand) if seconds >= LONG_S else nap(seconds)
    runpy.run_path(program, run_name="__main__")
