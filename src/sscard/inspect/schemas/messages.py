"""Schemas of what travels in APDUs: FCP, BER-TLV, FCI, AFL, CVR, 9F10, SSSE records.

Sources: cos 2.2, pse-pboc 1.3, 1.4, 2.7, 4.5, 4.6, 9.3, ssse-lb002 2.2. The oracle of
the hand-written codecs, as `schemas.image` is.
"""

from construct import (
    BitsInteger,
    BitStruct,
    Byte,
    Bytes,
    Const,
    Construct,
    Enum,
    ExprAdapter,
    Flag,
    FocusedSeq,
    GreedyBytes,
    GreedyRange,
    If,
    IfThenElse,
    Int16ub,
    Int24ub,
    LazyBound,
    Nibble,
    Optional,
    Pass,
    Prefixed,
    RepeatUntil,
    Struct,
    Switch,
    Terminated,
    this,
)

from sscard.inspect.schemas.image import AC2

__all__ = [
    "AFL",
    "BER_TLV",
    "BER_TLVS",
    "CVM_LIST",
    "CVR",
    "DOL",
    "FCP",
    "FCP_CONDITIONS",
    "IAD",
    "KEY_HEADER",
    "SIMPLE_TLV",
    "SSSE_CARD_ID",
]


def _all_of(item: Construct) -> Construct:
    """Repeat `item` to the very end of the data."""
    return FocusedSeq("items", "items" / GreedyRange(item), Terminated)


def _tag_value(first_and_rest: dict[str, object]) -> int:
    rest = first_and_rest["rest"]
    value = int(str(first_and_rest["first"]))
    for byte in rest if isinstance(rest, list) else []:
        value = value << 8 | byte
    return value


def _tag_parts(tag: int) -> dict[str, object]:
    raw = tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")
    return {"first": raw[0], "rest": list(raw[1:])}


def _length_parts(length: int) -> dict[str, int | None]:
    if length < 0x80:
        return {"first": length, "more": None}
    return {"first": 0x81 if length < 0x100 else 0x82, "more": length}


_TAG = ExprAdapter(
    Struct(
        "first" / Byte,
        "rest"
        / If(
            lambda ctx: ctx.first & 0x1F == 0x1F,
            RepeatUntil(lambda byte, items, ctx: not byte & 0x80, Byte),
        ),
    ),
    lambda obj, ctx: _tag_value(obj),
    lambda obj, ctx: _tag_parts(obj),
)
_LENGTH = ExprAdapter(
    Struct("first" / Byte, "more" / Switch(this.first, {0x81: Byte, 0x82: Int16ub}, default=Pass)),
    lambda obj, ctx: obj.first if obj.more is None else obj.more,
    lambda obj, ctx: _length_parts(obj),
)


def _constructed(ctx: object) -> bool:
    first: int = ctx.tag  # type: ignore[attr-defined]
    while first > 0xFF:
        first >>= 8
    return bool(first & 0x20)


BER_TLV: Construct = Struct(
    "tag" / _TAG,
    "value" / Prefixed(_LENGTH, IfThenElse(_constructed, LazyBound(lambda: BER_TLVS), GreedyBytes)),
)
"""One BER-TLV object, constructed ones opened (pse-pboc 2.7): records, FCI, directory entries."""

BER_TLVS: Construct = _all_of(BER_TLV)
"""Consecutive BER-TLV objects."""

DOL = _all_of(Struct("tag" / _TAG, "length" / _LENGTH))
"""A data object list (pse-pboc 2.7)."""

SIMPLE_TLV = Struct("tag" / Byte, "value" / Prefixed(Byte, GreedyBytes))
"""A record of an SSSE data file (ssse-lb002 2.2); a B-TLV's value is a list of them."""

SSSE_CARD_ID = Struct(
    "region" / Bytes(3) * "region code, 6 digits",
    "rid" / Const(bytes.fromhex("D156000005")),
    "serial" / Bytes(4) * "last 4 bytes of the ATR",
    "mac" / Bytes(4) * "by the IRK over what stands before",
)
"""The card identification code, EF05 tag 01 (ssse-lb002 1.2)."""

FCP_CONDITIONS = GreedyRange(AC2)
"""The value of tag 86: access conditions, of an EF with the two sm bytes behind them."""

_FCP_VALUES = {
    0x82: Struct(
        "kind" / Byte,
        "records" / Optional(Struct("coding" / Const(0x21, Byte), "max" / Int16ub, "count" / Byte)),
        Terminated,
    ),
    0x83: Int16ub,
    0x80: Int16ub,
    0x81: Int24ub,
    0x86: FCP_CONDITIONS,
    0x88: BitStruct("sfi" / BitsInteger(5), "zero" / Const(0, BitsInteger(3))),
    0x8A: Enum(Byte, CREATION=0x01, DEACTIVATED=0x04, ACTIVATED=0x05, TERMINATED=0x0C),
    0xA5: _all_of(Struct("tag" / Byte, "value" / Prefixed(Byte, Byte))),
}

FCP = Struct(
    "tag" / Const(0x62, Byte),
    "objects"
    / Prefixed(
        Byte,
        _all_of(
            Struct(
                "tag" / Byte,
                "value" / Prefixed(Byte, Switch(this.tag, _FCP_VALUES, default=GreedyBytes)),
            )
        ),
    ),
)
"""File control parameters; the two sm bytes of an EF parse as a fourth condition (cos 2.2)."""

KEY_HEADER = Struct(
    "type" / Byte,
    "id" / Byte,
    "version" / Byte,
    "algorithm" / Enum(Byte, TDES=0, DES=1, SSF33=2, SM4=4),
    "max_tries" / Byte,
    "grant" / Byte,
    "use" / AC2,
    "change" / AC2,
    "flags" / Byte,
    "length" / Byte,
)
"""The 12-byte key header of WRITE KEY (cos 4.4)."""

AFL = _all_of(
    Struct(
        "sfi" / BitStruct("sfi" / BitsInteger(5), "zero" / BitsInteger(3)),
        "first" / Byte,
        "last" / Byte,
        "signed" / Byte * "records, from the first, in offline data authentication",
    )
)
"""The application file locator (pse-pboc 2.7)."""

_ANSWER = {"AAC": 0, "TC": 1, "ARQC": 2, "RFU": 3}

CVR = Struct(
    "length" / Const(3, Byte),
    "bits"
    / BitStruct(
        "second_ac" / Enum(BitsInteger(2), AAC=0, TC=1, NOT_REQUESTED=2, RFU=3),
        "first_ac" / Enum(BitsInteger(2), **_ANSWER),
        "issuer_authentication_failed" / Flag,
        "pin_performed" / Flag,
        "pin_failed" / Flag,
        "unable_online" / Flag,
        "last_online_not_completed" / Flag,
        "pin_limit_exceeded" / Flag,
        "velocity_exceeded" / Flag,
        "new_card" / Flag,
        "last_issuer_authentication_failed" / Flag,
        "issuer_authentication_not_performed" / Flag,
        "application_blocked" / Flag,
        "last_sda_failed" / Flag,
        "scripts" / Nibble,
        "script_failed" / Flag,
        "last_dda_failed" / Flag,
        "dda_performed" / Flag,
        "rfu" / Flag,
    ),
)
"""Card verification results (pse-pboc 4.5)."""

IAD = Struct(
    "length" / Const(7, Byte),
    "dki" / Byte * "derivation key index",
    "cvn" / Byte * "cryptogram version",
    "cvr" / CVR,
    "algorithm" / Enum(Byte, TDES=1, SSF33=2, SM4=4),
    "idd" / Optional(Prefixed(Byte, GreedyBytes)) * "issuer discretionary data",
    Terminated,
)
"""Issuer application data, tag 9F10 (pse-pboc 4.6)."""

CVM_LIST = Struct(
    "x" / Bytes(4) * "amount X",
    "y" / Bytes(4) * "amount Y",
    "rules" / _all_of(Struct("method" / Byte, "condition" / Byte)),
)
"""The cardholder verification method list, tag 8E (pse-pboc 2.7)."""
