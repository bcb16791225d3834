"""Signed dynamic application data: the blocks of DDA and CDA (pse-pboc 4.9)."""

from sscard.apps.pse.application import Application
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW
from sscard.keys.rsa import message_block

__all__ = ["dynamic_signature"]

_FORMAT, _SHA1 = 0x05, 0x01


def dynamic_signature(card: Application, atc: int, signed: bytes, appended: bytes) -> bytes:
    """Return the ICC key's signature, as long as its modulus.

    Shapes: the ICC dynamic data are the ATC as a number with its length byte, then `signed`
    (nothing for DDA; CID, cryptogram and transaction hash for CDA); `appended` are the
    terminal's data under the hash. Refuses: 6985 without a key, or one too short.
    """
    key = card.icc_key
    dynamic = b"\x02" + atc.to_bytes(2, "big") + signed
    fields = bytes((_FORMAT, _SHA1, len(dynamic))) + dynamic
    crypto = card.domain.crypto
    crypto.charge_sha1(key.size + len(appended))
    crypto.charge_rsa(key.size * 8)
    try:
        return key.sign(message_block(fields, key.size, appended))
    except ValueError:
        raise Refusal(SW.CONDITIONS, "the ICC key is too short", "pse-pboc 4.9") from None
