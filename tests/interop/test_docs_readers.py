"""What the documentation types at a card in a reader: a virtual one stands in for it."""

import docs_blocks
import pytest

from sscard.sample import new_card
from sscard.transport.memory import PoweredSlot

PAGES = [
    page
    for page in docs_blocks.PAGES
    if any(block.kind == "in a reader" for block in docs_blocks.blocks(page))
]


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_at_a_reader(page, serve, slots, clients, tmp_path):
    card = new_card("sample")
    serve(PoweredSlot(card, link="t0", atr=card.atr))
    for block in docs_blocks.blocks(page):
        if block.kind == "file":
            docs_blocks.write(block, tmp_path)
        elif block.kind == "in a reader":
            code = docs_blocks.in_reader(block, slots[0].name)
            docs_blocks.shell(block, tmp_path, code, **clients.environment)
