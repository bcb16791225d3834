"""Transports: how the bytes of an APDU reach a card, and what a reader does to its power.

`port` is the seam (two small protocols); `memory` joins the sides without a wire; `vpcd` puts
a card into the virtual reader of pcscd; `serve` keeps cards in reader slots; `pcscd` starts a
private daemon, `readers` asks one for the state of its slots;
`web` is JSON over HTTP for the services beside the card. Nothing here knows what a card
is made of.
"""

from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.port import (
    CardAbsent,
    CardMute,
    CardPort,
    CardRemoved,
    CardUnpowered,
    Link,
    Port,
    ReaderAbsent,
)
from sscard.transport.serve import CardSlot, serve_cards
from sscard.transport.vpcd import Framer, VpcdClient, frame

__all__ = [
    "CardAbsent",
    "CardMute",
    "CardPort",
    "CardRemoved",
    "CardSlot",
    "CardUnpowered",
    "Framer",
    "Link",
    "MemoryPort",
    "Port",
    "PoweredSlot",
    "ReaderAbsent",
    "VpcdClient",
    "frame",
    "serve_cards",
]
