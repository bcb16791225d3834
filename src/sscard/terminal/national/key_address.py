"""Key addresses: how a reader names a key to an HSM (ssse-lb002 5.3, 6).

Six hex digits: the HSM's 16-bit slot and the key's identifier in a PSAM, "004C0A" for RK_SSSE.
The slots are those of the one vendor's code the reference lists; a key without one has slot 0000
and is named by its identifier alone, which no two keys share.
"""

from types import MappingProxyType
from typing import Final

from sscard.keys.hierarchy import CARD_KEYS, CardKey
from sscard.terminal.errors import KeyNotHeld

__all__ = ["SLOTS", "address_of", "key_at"]

SLOTS: Final = MappingProxyType(
    {
        "RK@SSSE": 0x004C,
        "RK@DF01": 0x004F,
        "RK@DF02": 0x0064,
        "RK1@DF03": 0x0193,
        "RK2@DF03": 0x0196,
        "RK1@DF04": 0x0182,
        "RK1@DF07": 0x007A,
        "RK2@DF07": 0x0080,
        "RK3@DF07": 0x0086,
        "PUK@SSSE": 0x0090,
        "UK@SSSE": 0x0094,
        "UK1@DF01": 0x0097,
        "UK2@DF01": 0x009A,
        "UK3@DF01": 0x0176,
        "UK4@DF01": 0x0179,
    }
)
"""HSM slots by the label of the key (ssse-lb002 6)."""

_BY_PSAM_ID = {key.psam[0][1]: key for key in CARD_KEYS if key.psam}
assert len(_BY_PSAM_ID) == sum(bool(key.psam) for key in CARD_KEYS), "an identifier is shared"


def address_of(key: CardKey) -> str:
    """Return a key's address. Errors: `KeyNotHeld` for a key that no PSAM, and so no HSM, has."""
    if not key.psam:
        raise KeyNotHeld(f"{key.label} has no identifier outside its card")
    return f"{SLOTS.get(key.label, 0):04X}{key.psam[0][1]:02X}"


def key_at(address: str) -> CardKey:
    """Return the key of an address; the mirror of `address_of`. Errors: `KeyNotHeld`."""
    try:
        key = _BY_PSAM_ID[int(address[4:6], 16)]
    except (ValueError, KeyError):
        key = None
    if key is None or address_of(key) != address.upper():
        raise KeyNotHeld(f"{address!r} is the address of no key")
    return key
