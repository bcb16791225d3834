"""PyPI's emvtool, unmodified, with a card in its own process: `LINK PROFILE` and emvtool's words.

What passed is written to standard error at the end, a command and an answer a line.
"""

import sys

from emv.command.client import run

from sscard.cos.trace import Exchanged
from sscard.sample import new_card
from sscard.transport.pyscard_reader import VirtualReader, installed

link, profile = sys.argv[1:3]
del sys.argv[1:3]
card = new_card(profile)
exchanged = []
card.trace(lambda event: exchanged.append(event) if isinstance(event, Exchanged) else None)
try:
    with installed(VirtualReader("emv", card, link=link), alone=True):
        run()
finally:
    for event in exchanged:
        print(event.command.hex(), event.response.hex(), file=sys.stderr)
