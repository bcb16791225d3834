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
    CardReset,
    CardTimeout,
    CardUnpowered,
    Link,
    Port,
    ProtocolRefused,
    ReaderAbsent,
    ReaderBusy,
)
from sscard.transport.relay import RelayCard
from sscard.transport.serve import CardSlot, serve_cards
from sscard.transport.vpcd import Framer, VpcdClient, frame

__all__ = [
    "CardAbsent",
    "CardMute",
    "CardPort",
    "CardRemoved",
    "CardReset",
    "CardSlot",
    "CardTimeout",
    "CardUnpowered",
    "Framer",
    "Link",
    "MemoryPort",
    "Port",
    "PoweredSlot",
    "ProtocolRefused",
    "ReaderAbsent",
    "ReaderBusy",
    "RelayCard",
    "VpcdClient",
    "frame",
    "serve_cards",
]
