"""The secure channel of PSE personalisation (pse-pboc 9.1; EMV CPS, SCP02).

KMC gives KENC, KMAC, KDEK per card; the sequence counter gives SKUENC, SKUMAC, SKUDEK per
session. Pure; the card and the personalisation bureau use the same functions.
"""

from typing import NamedTuple

from sscard.keys.block import Algorithm, engine
from sscard.keys.mac import ZERO8, retail_mac
from sscard.keys.padding import pad80, strip80

__all__ = [
    "ChannelKeys",
    "c_mac",
    "card_cryptogram",
    "card_keys",
    "decipher_command",
    "decipher_value",
    "encipher_command",
    "encipher_value",
    "encrypt_icv",
    "host_cryptogram",
    "session_keys",
]


class ChannelKeys(NamedTuple):
    """Three 16-byte keys: encipherment, MAC, data encipherment. The repr shows none of them."""

    enc: bytes
    mac: bytes
    dek: bytes

    def __repr__(self) -> str:
        return "<ChannelKeys enc, mac, dek>"


def card_keys(kmc: bytes, keydata: bytes) -> ChannelKeys:
    """Derive KENC, KMAC, KDEK from a KMC and the card's 10-byte KEYDATA. pse-pboc 9.1."""
    if len(keydata) != 10:
        raise ValueError(f"KEYDATA has 10 bytes, not {len(keydata)}")
    tail = keydata[-6:]
    master = engine(Algorithm.TDES, kmc)
    enc, mac, dek = (
        master.encrypt(tail + bytes((0xF0, number)) + tail + bytes((0x0F, number)))
        for number in (1, 2, 3)
    )
    return ChannelKeys(enc, mac, dek)


def session_keys(keys: ChannelKeys, sequence: int) -> ChannelKeys:
    """Derive SKUENC, SKUMAC, SKUDEK for a sequence counter (2 bytes). pse-pboc 9.1."""
    counter = sequence.to_bytes(2, "big") + bytes(12)
    enc, mac, dek = (
        engine(Algorithm.TDES, key).cbc(ZERO8, constant.to_bytes(2, "big") + counter)
        for key, constant in zip(keys, (0x0182, 0x0101, 0x0181), strict=True)
    )
    return ChannelKeys(enc, mac, dek)


def card_cryptogram(
    session: ChannelKeys, host_random: bytes, sequence: int, card_random: bytes
) -> bytes:
    """Return the 8-byte cryptogram of INITIALIZE UPDATE: over Rterm8, sequence2, Rcard6.

    Source: pse-pboc 9.1 (last block of 3DES CBC under SKUENC, padded 80 00..).
    """
    message = host_random + sequence.to_bytes(2, "big") + card_random
    return engine(Algorithm.TDES, session.enc).chain(ZERO8, pad80(message, 8))


def host_cryptogram(
    session: ChannelKeys, host_random: bytes, sequence: int, card_random: bytes
) -> bytes:
    """Return the 8-byte cryptogram of EXTERNAL AUTHENTICATE: over sequence2, Rcard6, Rterm8."""
    message = sequence.to_bytes(2, "big") + card_random + host_random
    return engine(Algorithm.TDES, session.enc).chain(ZERO8, pad80(message, 8))


def c_mac(session: ChannelKeys, icv: bytes, message: bytes) -> bytes:
    """Return the 8-byte C-MAC over CLA INS P1 P2 Lc and the data before the MAC.

    `icv` is eight 00 for EXTERNAL AUTHENTICATE, then the previous C-MAC, as it is or through
    `encrypt_icv` (profile switch `icv_encryption`). Source: pse-pboc 9.1.
    """
    return retail_mac(session.mac, message, icv)


def encrypt_icv(session: ChannelKeys, previous: bytes) -> bytes:
    """Encipher the previous C-MAC with single DES under the left half of SKUMAC. pse-pboc 9.1."""
    return engine(Algorithm.DES, session.mac[:8]).encrypt(previous)


def encipher_value(session: ChannelKeys, value: bytes) -> bytes:
    """Encipher the value of a DGI, whole blocks, in ECB under SKUDEK. pse-pboc 9.2."""
    return engine(Algorithm.TDES, session.dek).encrypt(value)


def decipher_value(session: ChannelKeys, value: bytes) -> bytes:
    """Decipher the value of a DGI; padding stays. ValueError unless it is whole blocks."""
    return engine(Algorithm.TDES, session.dek).decrypt(value)


def encipher_command(session: ChannelKeys, data: bytes) -> bytes:
    """Encipher command data for level 03: padded 80 00.., 3DES CBC under SKUENC, IV 0.

    Interpretation: as in SCP02, the C-MAC is that of the plain command. Source: pse-pboc 9.1.
    """
    return engine(Algorithm.TDES, session.enc).cbc(ZERO8, pad80(data, 8))


def decipher_command(session: ChannelKeys, data: bytes) -> bytes:
    """Decipher command data of level 03. ValueError unless it is padded whole blocks."""
    blocks = engine(Algorithm.TDES, session.enc).decrypt(data)
    before = int.from_bytes((ZERO8 + data)[: len(data)], "big")
    plain = (int.from_bytes(blocks, "big") ^ before).to_bytes(len(data), "big")
    return strip80(plain)
