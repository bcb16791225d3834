"""The slots of the C library's reader: image files and PC/SC readers (ssse-lb002 8).

An image file is the card's EEPROM itself, locked while the card has power.
"""

from contextlib import ExitStack
from pathlib import Path

from sscard.card import Card
from sscard.errors import SscardError
from sscard.terminal.national import Slot
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.port import Link, Port

__all__ = ["ImagePort", "slot"]


class ImagePort:
    """A port to the card of an image file, which keeps what is changed.

    Errors: ImageError for a file that is none, or in use.
    """

    def __init__(self, path: Path, link: Link) -> None:
        with ExitStack() as opening:
            card = opening.enter_context(Card.open(path))
            self._port = opening.enter_context(MemoryPort(PoweredSlot(card, link=link)))
            self._stack = opening.pop_all()

    def transmit(self, apdu: bytes) -> bytes:
        """See `Port.transmit`."""
        return self._port.transmit(apdu)

    def reset(self) -> bytes:
        """See `Port.reset`."""
        return self._port.reset()

    def close(self) -> None:
        """Take the power away and let the file go; a second call does nothing."""
        self._stack.close()


def slot(name: str, link: Link) -> Slot | None:
    """Return the slot a name means: an image file if there is one, else a reader; none for ""."""
    if not name:
        return None

    def port() -> Port:
        path = Path(name)
        return ImagePort(path, link) if path.exists() else _reader(name)

    return port


def _reader(name: str) -> Port:
    try:
        from sscard.transport.pcsc import PcscPort  # noqa: PLC0415  (needs the extra pcsc)
    except ImportError:
        raise SscardError("readers need pyscard: pip install 'sscard[pcsc]'") from None
    return PcscPort(name)
