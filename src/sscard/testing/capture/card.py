"""Capture of a whole card: its answer to reset and both environments."""

from sscard.errors import TransportError
from sscard.terminal.errors import OtherCard
from sscard.testing.capture.bank import read_bank
from sscard.testing.capture.reading import Living
from sscard.testing.capture.seen import Capture
from sscard.testing.capture.social import read_social
from sscard.transport.port import Port

__all__ = ["capture"]


def capture(port: Port, *, transaction: bool = False, into: Capture | None = None) -> Capture:
    """Read what a card gives freely. No try is burnt, nothing is written.

    `transaction` also sends GET PROCESSING OPTIONS, which makes the card count a transaction:
    AIP and AFL are not to be had otherwise. What is read goes `into` a capture at once, so that a
    caller who is interrupted has it. A card that goes away leaves what was read, and `cut` says
    where it ended. Errors: `OtherCard` for a card with neither application; `TransportError` when
    nothing was read.
    """
    seen = Capture() if into is None else into
    port = Living(port)
    try:
        seen.atr = port.reset()
        read_social(port, seen)
        read_bank(port, seen, transaction=transaction)
    except TransportError as gone:
        if seen.empty:
            raise
        seen.cut = str(gone)
        return seen
    if seen.empty:
        why = "has neither of the two applications"
        if seen.dead:
            why = f"answers 6A81 to SELECT of {' and '.join(seen.dead)}: it may be blocked for good"
        raise OtherCard(f"the card {why}: there is nothing to capture")
    seen.at = ""
    return seen
