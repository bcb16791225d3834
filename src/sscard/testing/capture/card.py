"""Capture of a whole card: its answer to reset and both environments."""

from typing import NamedTuple

from sscard.errors import TransportError
from sscard.terminal.errors import OtherCard
from sscard.testing.capture.bank import BankCapture, capture_bank
from sscard.testing.capture.social import SocialCapture, capture_social
from sscard.transport.port import Port

__all__ = ["Capture", "capture"]


class Capture(NamedTuple):
    """What was seen of a card; `cut` says why it ended early, "" when it did not."""

    atr: bytes
    social: SocialCapture | None
    bank: BankCapture | None
    cut: str = ""


def capture(port: Port, *, transaction: bool = False) -> Capture:
    """Read what a card gives freely. No try is burnt, nothing is written.

    `transaction` also sends GET PROCESSING OPTIONS, which makes the card count a transaction:
    AIP and AFL are not to be had otherwise. A card that goes away after its first environment
    leaves what was read. Errors: `OtherCard` for a card with neither application;
    `TransportError` when nothing was read.
    """
    atr = port.reset()
    social = capture_social(port)
    try:
        bank = capture_bank(port, transaction=transaction)
    except TransportError as gone:
        if social is None:
            raise
        return Capture(atr, social, None, str(gone))
    if social is None and bank is None:
        raise OtherCard("the card has neither of the two applications: there is nothing to capture")
    return Capture(atr, social, bank)
