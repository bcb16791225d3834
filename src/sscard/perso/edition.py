"""What a debit application of the 2010 edition does not have: the Chinese algorithms of 2013.

The reference names their data groupings and the algorithm id 04 and gives no rule beside that
SM4 would replace 3DES, so a profile that asks for them is refused, and not half made (ADR 10).
Source: pse-pboc 4.3, 9.3. Only `perso.parse` imports this.
"""

from sscard.iso import tlv
from sscard.perso.model import Key
from sscard.perso.table import Table
from sscard.spec.codes import ALGORITHMS, KEY_TYPES
from sscard.spec.dgis import ISSUER_DATA

__all__ = ["require_2010"]

_DGIS_OF_2013 = frozenset((0x8400, 0x9400, 0x9105, 0x9201, 0x9204, 0x9208, *range(0x8501, 0x8600)))
"""DGIs of SM2 and SM4 (9.3)."""
_CARD_KEYS = tuple(KEY_TYPES[word] for word in ("ac", "mac", "enc"))
_ALGORITHM_AT, _SM4 = 7, 0x04
_REFUSAL = "SM2, SM3 and SM4 of the 2013 edition are not offered (pse-pboc 4.3, 9.3)"


def require_2010(table: Table, keys: tuple[Key, ...], dgis: tuple[tuple[int, bytes], ...]) -> None:
    """Refuse card keys, DGIs and issuer data of the 2013 edition. Errors: ProfileError."""
    for key in keys:
        if key.type in _CARD_KEYS and key.algorithm != ALGORITHMS["3des"]:
            table.table("key").table(key.name).wrong("algorithm", f"3des: {_REFUSAL}")
    for dgi, value in dgis:
        if dgi in _DGIS_OF_2013:
            table.table("dgi").wrong(f"{dgi:04X}", f"left out: {_REFUSAL}")
        if dgi == ISSUER_DATA and _algorithm(value) == _SM4:
            table.table("dgi").wrong(f"{dgi:04X}", f"of another algorithm than 04: {_REFUSAL}")


def _algorithm(value: bytes) -> int:
    """Return the algorithm id in 9F10, 0 where there is none (4.6)."""
    try:
        data = tlv.find(value, 0x9F10) or b""
    except tlv.TlvError:
        return 0
    return data[_ALGORITHM_AT] if len(data) > _ALGORITHM_AT else 0
