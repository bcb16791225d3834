"""Reader slots with cards in them: the logic behind `sscard serve`.

A `CardSlot` is a place where a card is put in and taken out; `serve_cards` puts several cards in at
once and stays until it is told to leave. Each card has its own thread, and only that thread
touches it while it is in the slot. Signals, images and options are the caller's business.

Source: pcsc, "vpcd wire protocol"; swapping cards as described there.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from sscard.errors import TransportError
from sscard.transport.port import CardPort
from sscard.transport.vpcd import HOST, PORT, SETTLE_S, VpcdClient

__all__ = ["CardSlot", "serve_cards"]

STEP_S = 0.05
"""How often orders, signals and failures are looked for."""
INSERT_TIMEOUT_S = 5.0
REMOVE_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class CardSlot:
    """One slot of a vpcd reader, at a host and a TCP port.

    As a context manager it removes its card at the end. Not to be used from two threads.
    """

    def __init__(self, host: str = HOST, port: int = PORT) -> None:
        self.host = host
        self.port = port
        self._client: VpcdClient | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._empty_since_s = float("-inf")

    @property
    def occupied(self) -> bool:
        """Whether a card is in the slot (be the reader there at the moment or not)."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def connected(self) -> bool:
        """Whether the reader is there and holds the card."""
        return self._client is not None and self._client.connected.is_set()

    @property
    def failure(self) -> BaseException | None:
        """What drove the card out of the slot, if it was not `remove`."""
        return self._failure

    def insert(self, card: CardPort, *, timeout_s: float = INSERT_TIMEOUT_S) -> None:
        """Put a card in and wait until the reader has it.

        From then on it comes back by itself whenever the reader does. The slot stays empty for
        at least half a second between two cards, so that the reader sees that there are two.
        Errors: `TransportError` when there is a card already, or no reader within `timeout_s`.
        """
        if self.occupied:
            raise TransportError(f"there is a card in the slot at {self}: remove it first")
        self._failure = None
        time.sleep(max(0.0, self._empty_since_s + SETTLE_S - time.monotonic()))
        client = VpcdClient(card, self.host, self.port)
        thread = threading.Thread(
            target=self._run, args=(client,), name=f"card at {self}", daemon=True
        )
        self._client, self._thread = client, thread
        thread.start()
        if not client.connected.wait(timeout_s):
            self.remove()
            raise TransportError(
                f"no reader at {self}: is pcscd running, with the vpcd driver at this port?"
            )

    def remove(self) -> None:
        """Take the card out: it loses its power, and the reader finds the slot empty.

        Without a card nothing happens. Errors: `TransportError` when the card is still busy
        with a command after 10 s.
        """
        client, thread = self._client, self._thread
        if client is None or thread is None:
            return
        client.stop()
        thread.join(REMOVE_TIMEOUT_S)
        if thread.is_alive():
            raise TransportError(f"the card at {self} does not finish its command")
        self._client = self._thread = None
        self._empty_since_s = time.monotonic()

    def swap(self, card: CardPort, *, timeout_s: float = INSERT_TIMEOUT_S) -> None:
        """Take the card out, let the reader notice, and put another (or the same) in."""
        self.remove()
        self.insert(card, timeout_s=timeout_s)

    def _run(self, client: VpcdClient) -> None:
        try:
            client.run()
        except BaseException as error:  # the thread's last word; `serve_cards` raises it again
            log.exception("the card at %s left its slot", self)
            self._failure = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"CardSlot({self.host!r}, {self.port})"


def serve_cards(
    cards: Sequence[tuple[CardSlot, CardPort]],
    stop: threading.Event,
    *,
    on_ready: Callable[[], None] = lambda: None,
    orders: "queue.SimpleQueue[Callable[[], None]] | None" = None,
) -> None:
    """Put every card into its slot, call `on_ready`, and stay until `stop` is set.

    What is put into `orders` meanwhile is called here, one after the other: the only thread that
    may move the cards.

    Whatever happens, all cards are out of their slots and without power at the end. Errors:
    `TransportError` when a slot has no reader, or when a card was driven out of its slot (then
    the others leave too, and the cause is chained).
    """
    try:
        for slot, card in cards:
            slot.insert(card)
        on_ready()
        waiting = orders if orders is not None else queue.SimpleQueue()
        while not stop.is_set():
            with suppress(queue.Empty):
                while True:
                    waiting.get_nowait()()
            time.sleep(STEP_S)  # a queue's own wait may outlast its limit when a signal breaks it
            for slot, _ in cards:
                if slot.failure is not None:
                    raise TransportError(f"the card at {slot} failed") from slot.failure
    finally:
        for slot, _ in cards:
            slot.remove()
