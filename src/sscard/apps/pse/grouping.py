"""Data groupings of STORE DATA: cutting blocks into DGIs, keeping them (pse-pboc 9.2, 9.3).

Pure: what goes where, and the content of EF90 with a DGI put in. The command is
`sscard.apps.pse.personalise`; the image builder takes `stored_files` from here.
"""

from collections.abc import Iterable
from enum import Enum, auto

from sscard.apps.pse import records
from sscard.apps.pse.application import DATA_FILE, KEY_FILE
from sscard.apps.pse.layout import Body, Counters, build_entries
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, parse
from sscard.keys.padding import strip80
from sscard.spec.dgis import (
    AIP_AFL,
    AIP_AFL_CASH,
    AIP_AFL_QUICK,
    CARD_KEYS,
    FCI,
    FCI_CONTACTLESS,
    ISSUER_DATA,
    KEY_CHECK_VALUES,
    PIN,
    PIN_TRIES,
    PRIVATE_KEYS,
    RISK_DATA,
    UNPADDED,
    is_record,
)
from sscard.spec.pboc import GET_DATA, TAGS

__all__ = ["Place", "cut", "place_of", "stored", "stored_files", "without_padding"]

_REF = "pse-pboc 9.3"
_LONG_FORM = 0xFF
_BLOCK = 8
_LENGTHS = {KEY_CHECK_VALUES: 9, PIN_TRIES: 2}
"""Of DGIs that are no TLV."""
_LENGTH_MAX = 0x400
"""More than any DGI holds: who announces it is not sent more blocks."""
_ATC, _LAST_ONLINE_ATC = 0x9F36, 0x9F13
_ELEMENTS = (GET_DATA | {0x5F34, 0x9F6C}) - {0x9F17}
"""Tags that may stand in 0D01 and 0E01, either of them (14 #21)."""
_CHANGEABLE = frozenset(
    (0x9F4F, 0x9F53, 0x9F54, 0x9F58, 0x9F59, 0x9F5C, 0x9F5D, 0x9F68, 0x9F6B, 0x9F6C, 0x9F6D)
) | {0x9F72, 0x9F73, 0x9F75, 0x9F77, 0x9F78, 0x9F79}
_FIXED = frozenset((0x9F51, 0x9F52, 0x9F56, 0x9F57, 0x9F76, _ATC, _LAST_ONLINE_ATC, 0x5F34))
"""What the reference saw in 0D01 and in 0E01, for cards that insist on it."""
_OFFERS = (AIP_AFL, AIP_AFL_CASH, AIP_AFL_QUICK)
_ISSUER_DATA_LEAST, _ISSUER_DATA_MOST = 8, 32


class Place(Enum):
    """Where a DGI belongs."""

    RECORD = auto()
    DATA = auto()
    RSA_KEY = auto()
    PIN_TRIES = auto()
    CARD_KEYS = auto()
    CHECK_VALUES = auto()
    PIN = auto()
    NOWHERE = auto()


_PLACES = {
    **dict.fromkeys((*RISK_DATA, *_OFFERS, FCI_CONTACTLESS, ISSUER_DATA), Place.DATA),
    PIN_TRIES: Place.PIN_TRIES,
    CARD_KEYS: Place.CARD_KEYS,
    KEY_CHECK_VALUES: Place.CHECK_VALUES,
    PIN: Place.PIN,
}


def place_of(dgi: int, *, directory: bool = False) -> Place:
    """Return where a DGI belongs; the PSE directory takes records and its FCI template alone."""
    if dgi == FCI:
        return Place.DATA
    if is_record(dgi):
        return Place.RECORD
    if directory:
        return Place.NOWHERE
    return Place.RSA_KEY if dgi in PRIVATE_KEYS else _PLACES.get(dgi, Place.NOWHERE)


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the complete (DGI, value) pairs at the beginning of `data`, and what is left.

    Refuses: 6A80 a length that no DGI has.
    """
    groups = []
    while len(data) >= 3:
        start, length = 3, data[2]
        if length == _LONG_FORM:
            if len(data) < 5:
                break
            start, length = 5, int.from_bytes(data[3:5], "big")
        if length > _LENGTH_MAX:
            raise Refusal(SW.WRONG_DATA, f"no DGI has {length} bytes", "pse-pboc 9.2")
        if len(data) < start + length:
            break
        groups.append((int.from_bytes(data[:2], "big"), data[start : start + length]))
        data = data[start + length :]
    return groups, data


def without_padding(dgi: int, value: bytes) -> bytes:
    """Return a deciphered value without its padding; ValueError when that is missing.

    Card keys and PIN have none, private keys always. What else is enciphered is padded where it
    is not whole blocks, and its own lengths say whether it was. Source: pse-pboc 9.2.
    """
    if dgi in UNPADDED:
        return value
    if dgi in PRIVATE_KEYS:
        return _stripped(value)
    try:
        shorter = _stripped(value)
    except ValueError:
        return value
    if dgi in _LENGTHS:
        return shorter if len(shorter) == _LENGTHS[dgi] else value
    try:
        parse(shorter)
    except TlvError:
        return value
    return shorter


def _stripped(value: bytes) -> bytes:
    shorter = strip80(value)
    if len(value) - len(shorter) > _BLOCK:
        raise ValueError("more than a block of padding")
    return shorter


def stored(body: Body, dgi: int, value: bytes, *, strict: bool = False) -> Body:
    """Return EF90 with a DGI of templates or risk data in it; 6A80 when it is malformed.

    `strict`: the two DGIs of risk data do not take each other's elements (`risk_data_tags`).
    """
    try:
        objects = parse(value)
    except TlvError as wrong:
        raise _wrong(dgi, str(wrong)) from None
    if dgi in RISK_DATA:
        own = _ELEMENTS if not strict else _CHANGEABLE if dgi == RISK_DATA[0] else _FIXED
        for tag, element in objects:
            if tag not in own:
                raise _wrong(dgi, f"{tag:04X} is no risk data of it")
            body = _with_element(body, dgi, tag, element)
        return body
    held = dict(objects)
    if dgi in (FCI, FCI_CONTACTLESS):
        sound = list(held) == [0xA5]
    elif dgi in _OFFERS:
        sound = _is_offer(held, with_issuer_data=dgi == AIP_AFL_QUICK)
    else:
        length = len(held.get(0x9F10, b""))
        sound = len(held) == 1 and _ISSUER_DATA_LEAST <= length <= _ISSUER_DATA_MOST
    if not sound:
        raise _wrong(dgi, "it does not hold what it should")
    return body.with_entry(dgi, value)


def _is_offer(held: dict[int, bytes], *, with_issuer_data: bool) -> bool:
    """Whether these are AIP and AFL, and for qPBOC perhaps a 9F10 of its own (9.3)."""
    issuer_data = held.pop(0x9F10, None) if with_issuer_data else None
    length = _ISSUER_DATA_LEAST if issuer_data is None else len(issuer_data)
    if not _ISSUER_DATA_LEAST <= length <= _ISSUER_DATA_MOST:
        return False
    return set(held) == {0x82, 0x94} and len(held[0x82]) == 2 and not len(held[0x94]) % 4


def _with_element(body: Body, dgi: int, tag: int, value: bytes) -> Body:
    length = TAGS[tag].length
    if length is not None and len(value) != length:
        raise _wrong(dgi, f"{tag:04X} has {length} bytes")
    if tag == _ATC:
        return _counting(body, body.counters._replace(atc=int.from_bytes(value, "big")))
    if tag == _LAST_ONLINE_ATC:
        last = int.from_bytes(value, "big")
        return _counting(body, body.counters._replace(last_online_atc=last))
    return body.with_entry(tag, value)


def _counting(body: Body, counters: Counters) -> Body:
    return body._replace(counters=counters)


def _wrong(dgi: int, why: str) -> Refusal:
    return Refusal(SW.WRONG_DATA, f"DGI {dgi:04X}: {why}", _REF)


def stored_files(dgis: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """Return what STORE DATA of these DGIs leaves in the EFs: the used part of each body, by FID.

    For the builder, which writes no commands; the last block has been sent. Raises Refusal
    for a DGI a card would refuse, or one this way of storing does not take.
    """
    body = Body.parse(b"")
    rsa: dict[int, bytes] = {}
    held: dict[int, list[bytes]] = {}
    for dgi, value in dgis:
        match place_of(dgi):
            case Place.RECORD:
                fid = 0xEF00 | dgi >> 8
                held[fid] = records.with_record(held.get(fid, []), dgi & 0xFF, value)
            case Place.DATA:
                body = stored(body, dgi, value)
            case Place.RSA_KEY:
                rsa[dgi] = value
            case _:
                raise Refusal(SW.DATA_NOT_FOUND, f"DGI {dgi:04X} goes into no EF", _REF)
    files = {fid: records.join(rows) for fid, rows in held.items()}
    files[DATA_FILE] = body._replace(personalised=True).build()
    if rsa:
        files[KEY_FILE] = build_entries(rsa)
    return files
