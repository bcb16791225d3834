"""ssse-lb002 8: which terminal serves which card, as `docs/terminal.md` says it."""

import pytest
from three_by_three import CARDS, NOT_BUILT, ROWS, TERMINALS, table

from sscard.inspect import fsck
from sscard.inspect.contents import Contents
from sscard.sample import new_card, sample_psam
from sscard.transport.memory import MemoryPort, PoweredSlot

CELLS = table()
DRIVEN = [cell for cell in CELLS if cell[0] in TERMINALS]


def environment_of_the_bank(image):
    """The bytes of the PSE's extent; none where there is no PSE."""
    for found in Contents.read(image).environments:
        if found.entry.domain == 2:
            pages = found.entry.page_range
            return image[pages.start * 64 : pages.stop * 64]
    return b""


def test_ssse_8_the_table_has_a_cell_for_every_pair():
    assert set(CELLS) == {(terminal, card) for terminal in ROWS for card in CARDS}
    dashes = {terminal for (terminal, _), cell in CELLS.items() if cell == NOT_BUILT}
    assert dashes == set(ROWS) - set(TERMINALS), "a terminal that is built has words"


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize(("terminal", "kind"), DRIVEN)
def test_ssse_8_terminal_and_card(terminal, kind, link):
    card, psam = new_card(CARDS[kind]), sample_psam()
    bank = environment_of_the_bank(card.image)
    ports = (MemoryPort(PoweredSlot(one, link=link)) for one in (card, psam))
    assert TERMINALS[terminal](*ports) == CELLS[terminal, kind]
    assert not fsck(card.image)
    if terminal == "social-only":
        assert environment_of_the_bank(card.image) == bank, "the bank's side was touched"
