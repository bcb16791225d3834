"""What `compare` reads of two cards."""

from sscard.sample import new_card
from sscard.testing.compare import Twins, compare
from sscard.transport import MemoryPort, PoweredSlot


def test_every_item_of_a_file_is_compared():
    """The card number is the seventh record of EF05."""
    cards = new_card("v2"), new_card("v2", {"ssse.ef.EF05.values.07": "ZZ7777777"})
    twins = Twins(*(MemoryPort(PoweredSlot(card)) for card in cards))
    assert [found.command for found in compare(twins, conformance=False)] == ["00B2072C00"]
