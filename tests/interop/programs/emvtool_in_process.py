"""PyPI's emvtool, unmodified, with a card in its own process: `LINK PAN16? emvtool's words`.

What passed is written to standard error at the end, a command and an answer a line.
"""

import sys

from emv.command.client import run

from sscard.cos.trace import Exchanged
from sscard.sample import new_card
from sscard.transport.pyscard_reader import VirtualReader, installed

SHORT_PAN = {  # emvtool reads a PAN of 16 digits only
    "pse.df.DF01.pan": "6210950000000017",
    "pse.df.DF01.dgi.0101": (
        "703E57116210950000000017D301262000000123455F200F544553542043415244484F4C444552"
        "9F61123131303130313139393030313031313233379F620100"
    ),
    "pse.df.DF01.dgi.0201": (
        "704E5A0862109500000000175F24033012315F25032001015F280201565F3401009F0702AB809F0D05D860"
        "04A8009F0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F00"
    ),
}

link, digits = sys.argv[1:3]
del sys.argv[1:3]
card = new_card("pboc", SHORT_PAN if digits == "16" else {})
exchanged = []
card.trace(lambda event: exchanged.append(event) if isinstance(event, Exchanged) else None)
try:
    with installed(VirtualReader("emv", card, link=link), alone=True):
        run()
finally:
    for event in exchanged:
        print(event.command.hex(), event.response.hex(), file=sys.stderr)
