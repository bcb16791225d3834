"""A program written for pyscard, unmodified, over PC/SC or with its readers in this process.

`process|pcsc READER READER PROGRAM [WORDS]`. In process the readers hold a social security card
and a PSAM; over PC/SC whoever started this has put the same two in. Where the program waits for
somebody at the readers (it sleeps for ten seconds or more), the first card is taken out and put
back, and then it goes on at once.
"""

import runpy
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

LONG_S = 10
TIME_LIMIT_S = 20

way, first, second, program = sys.argv[1:5]
sys.argv[:] = [program, *sys.argv[5:]]


def ask(order: str) -> None:
    """Have the one who holds the cards do something."""
    print(f"HAND {order}", file=sys.stderr, flush=True)
    sys.stdin.readline()


def monitored() -> list[object]:
    """The cards that pyscard's monitor knows of, if one is running."""
    from smartcard.CardMonitoring import CardMonitor

    return [] if CardMonitor.instance is None else CardMonitor.instance.rmthread.cards


def until(reached: Callable[[], bool]) -> None:
    """Wait until pyscard's own threads have got there."""
    end = time.monotonic() + TIME_LIMIT_S
    while not reached():
        if time.monotonic() > end:
            sys.exit("nobody has noticed what was done to the card")
        nap(0.02)


nap = time.sleep
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

    def wait(seconds: float) -> None:
        """`sleep`, but a long one is over when a card has gone and come back."""
        if seconds < LONG_S:
            nap(seconds)
            return
        from smartcard.CardMonitoring import CardMonitor, CardObserver

        seen: list[tuple[int, int]] = []

        class Watch(CardObserver):
            """Told after the program's own observers."""

            def update(self, observable: object, handlers: tuple[list[object], ...]) -> None:
                seen.append((len(handlers[0]), len(handlers[1])))

        if CardMonitor.instance is None:  # it watches readers, which stay
            nap(1.5)
            return
        until(lambda: len(monitored()) == 2)
        nap(0.2)
        monitor, watch = CardMonitor(), Watch()
        monitor.addObserver(watch)
        for order, change in (("out", (0, 1)), ("in", (1, 0))):
            hand(order)
            until(lambda change=change: change in seen)
        monitor.deleteObserver(watch)

    time.sleep = wait
    runpy.run_path(program, run_name="__main__")
