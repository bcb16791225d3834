"""pyscard in process: what its API and our reader cost on top of a card."""

from collections.abc import Iterator

from benchmarks.floor import BareCard
from benchmarks.measure import Case
from sscard.sample import sample_card

__all__ = ["reader_cases"]

_ATR = bytes.fromhex("3B6D00000087CF20018649999900000001")
_SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
_READ = list(bytes.fromhex("00B2052C00"))


class _Bare(BareCard):
    """The bare dispatcher as a card port."""

    atr = _ATR

    def power_on(self) -> None:
        """Nothing."""

    power_off = reset = power_on


def reader_cases() -> Iterator[Case]:
    """Yield READ RECORD through pyscard, by the card and by one that does nothing."""
    try:
        from sscard.transport.pyscard_reader import VirtualReader
    except ImportError:
        return
    for name, card, goal in (
        ("READ RECORD through pyscard in process", sample_card(), 150_000),
        ("READ RECORD through pyscard, bare dispatcher", _Bare(), None),
    ):
        connection = VirtualReader(name, card).createConnection()
        connection.connect()
        connection.transmit(_SSSE)
        answer = connection.transmit(_READ)
        assert answer[1:] == (0x90, 0x00), answer
        yield Case(name, lambda c=connection: c.transmit(_READ), goal)
