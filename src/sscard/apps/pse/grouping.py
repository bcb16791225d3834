"""Data groupings of STORE DATA: cutting blocks into DGIs, keeping them (pse-pboc 9.2, 9.3).

Pure: what goes where, and the content of EF90 with a DGI put in. The command is
`sscard.apps.pse.personalise`; the image builder takes `stored_files` from here.
"""

from collections.abc import Iterable
from enum import Enum, auto

from sscard.apps.pse import records
from sscard.apps.pse.application import AIP_AFL, DATA_FILE, FCI, ISSUER_DATA, KEY_FILE
from sscard.apps.pse.layout import Body, Counters, build_entries
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, parse
from sscard.spec.pboc import GET_DATA, TAGS

__all__ = ["Place", "cut", "place_of", "stored", "stored_files"]

_REF = "pse-pboc 9.3"
_LONG_FORM = 0xFF
_LENGTH_MAX = 0x400
"""More than any DGI holds: who announces it is not sent more blocks."""
_RISK_DATA = (0x0D01, 0x0E01)
_PIN_TRIES = 0x9010
_CARD_SECRETS = (0x8000, 0x8010, 0x9000)
_RSA = (0x8101, 0x8103, *range(0x8201, 0x8206))
_ATC, _LAST_ONLINE_ATC = 0x9F36, 0x9F13
_ELEMENTS = (GET_DATA | {0x5F34, 0x9F6C}) - {0x9F17}
"""Tags that may stand in 0D01 and 0E01, either of them (14 #21)."""
_ISSUER_DATA_LEAST, _ISSUER_DATA_MOST = 8, 32


class Place(Enum):
    """Where a DGI belongs."""

    RECORD = auto()
    DATA = auto()
    RSA_KEY = auto()
    PIN_TRIES = auto()
    SECRETS = auto()
    NOWHERE = auto()


def place_of(dgi: int, *, directory: bool = False) -> Place:
    """Return where a DGI belongs; the PSE directory takes records and its FCI template alone."""
    if dgi == FCI:
        return Place.DATA
    if 0x01 <= dgi >> 8 <= 0x1E and dgi & 0xFF and dgi not in _RISK_DATA:
        return Place.RECORD
    if directory:
        return Place.NOWHERE
    if dgi in (*_RISK_DATA, AIP_AFL, ISSUER_DATA):
        return Place.DATA
    if dgi in _RSA:
        return Place.RSA_KEY
    if dgi == _PIN_TRIES:
        return Place.PIN_TRIES
    return Place.SECRETS if dgi in _CARD_SECRETS else Place.NOWHERE


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


def stored(body: Body, dgi: int, value: bytes) -> Body:
    """Return EF90 with a DGI of templates or risk data in it; 6A80 when it is malformed."""
    try:
        objects = parse(value)
    except TlvError as wrong:
        raise _wrong(dgi, str(wrong)) from None
    if dgi in _RISK_DATA:
        for tag, element in objects:
            body = _with_element(body, dgi, tag, element)
        return body
    held = dict(objects)
    if dgi == FCI:
        sound = list(held) == [0xA5]
    elif dgi == AIP_AFL:
        sound = set(held) == {0x82, 0x94} and len(held[0x82]) == 2 and not len(held[0x94]) % 4
    else:
        length = len(held.get(0x9F10, b""))
        sound = len(held) == 1 and _ISSUER_DATA_LEAST <= length <= _ISSUER_DATA_MOST
    if not sound:
        raise _wrong(dgi, "it does not hold what it should")
    return body.with_entry(dgi, value)


def _with_element(body: Body, dgi: int, tag: int, value: bytes) -> Body:
    if tag not in _ELEMENTS:
        raise _wrong(dgi, f"{tag:04X} is no risk data")
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
