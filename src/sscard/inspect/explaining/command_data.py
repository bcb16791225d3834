"""The data field of a command, taken apart.

Source: cos 4.3, 4.4, 4.7, 6.1; ssse-lb002 4.6; pse-pboc 2.2, 4.8, 9.2.
"""

from collections.abc import Callable
from typing import NamedTuple

from sscard.inspect.explaining.ber import explain_ber, explain_fcp, is_ber, is_template
from sscard.inspect.explaining.catalogue import PSAM
from sscard.inspect.explaining.psam import DATA as PSAM_DATA
from sscard.inspect.explaining.records import explain_record
from sscard.inspect.explanation import Explanation
from sscard.inspect.names import (
    access_words,
    algorithm_name,
    df_name,
    key_type_name,
    tries_words,
)
from sscard.iso.apdu import Command
from sscard.iso.tlv import TlvError, parse
from sscard.spec.dgis import SECRETS
from sscard.spec.pboc import AIDS, DGIS

__all__ = ["explain_data", "explain_key_header", "explain_record_bytes"]

_MAC = 4
_CPS_MAC = 8
_HEADER = 12
_PSAM_KEYS = (0x14, 0x1C)
"""Lc of a key load that can only be a PSAM's, but for a single-DES key of a card."""
_CM, _SSSE, _PSE = 0, 1, 2
_MAC_OF_COS = "cos 6.1"
_MAC_OF = {_SSSE: "ssse-lb002 4.6", _PSE: "pse-pboc 4.8"}
"""The section of a command's MAC where it is not that of personalisation (README rule 4)."""


class _Where(NamedTuple):
    name: str
    domain: int | None
    directory: int | None
    places: tuple[int, ...]


def explain_data(
    command: Command,
    name: str,
    domain: int | None = None,
    directory: int | None = None,
    places: tuple[int, ...] = (),
) -> Explanation:
    """Explain the data field of a command called `name`; `places` are where it may belong."""
    own = PSAM_DATA.get(command.ins)
    if own is not None and domain in (None, PSAM):
        return own(command)
    reader = _READERS.get(command.ins, _plain)
    places = places if domain is None else (domain,)
    return reader(command, _Where(name, domain, directory, places or (_CM,)))


def _mac_ref(where: _Where) -> str:
    """The sections of the MAC, of every place where the command may have been sent."""
    return "; ".join(dict.fromkeys(_MAC_OF.get(place, _MAC_OF_COS) for place in where.places))


def _plain(command: Command, where: _Where) -> Explanation:
    if command.cla & 0x04 and len(command.data) >= _MAC:
        return _protected(command, lambda data: Explanation("data", "", data), _mac_ref(where))
    return Explanation("data", "", command.data)


def _protected(
    command: Command, inside: Callable[[bytes], Explanation], ref: str = _MAC_OF_COS
) -> Explanation:
    """The data of a command with secure messaging: what is inside, and the MAC."""
    body, mac = command.data[:-_MAC], command.data[-_MAC:]
    parts = [Explanation("MAC", "", mac, ref=ref)]
    if body:
        parts.insert(0, inside(body))
    return Explanation("data", "", command.data, tuple(parts))


def _select(command: Command, _where: _Where) -> Explanation:
    if command.p1 == 4:
        name = AIDS.get(command.data) or df_name(command.data)
        return Explanation("DF name", name, command.data)
    return Explanation("FID", command.data.hex().upper(), command.data)


def _record(command: Command, where: _Where) -> Explanation:
    if command.cla & 0x80:
        return _store_data(command)
    if command.cla & 0x04:
        return _protected(
            command, lambda data: explain_record_bytes(data, where.directory), _mac_ref(where)
        )
    return explain_record_bytes(command.data, where.directory)


def explain_record_bytes(data: bytes, directory: int | None = None) -> Explanation:
    """Explain a record: a template 70 of the PSE, a TLV of the SSSE, or bytes of a log."""
    if data[:1] == b"\x70" and is_template(data):
        return Explanation("record", "", data, explain_ber(data))
    try:
        return Explanation("record", "", data, explain_record(data, directory))
    except TlvError:
        return Explanation("record", "bytes of no TLV form", data)


def _binary(command: Command, where: _Where) -> Explanation:
    """Transparent files of the SSSE hold pictures and fingerprints: personal."""
    secret = where.domain not in (_CM, _PSE, PSAM)
    if command.cla & 0x04:
        return _protected(
            command, lambda data: Explanation("data", "", data, secret=secret), _mac_ref(where)
        )
    return Explanation("data", "", command.data, secret=secret)


def _external(command: Command, _where: _Where) -> Explanation:
    data = command.data
    if command.cla & 0x80:
        forms = [("host cryptogram", 8), ("C-MAC", 8)]
    elif len(data) == 10:
        forms = [("ARPC", 8), ("authorisation response code", 2)]
    elif len(data) in (16, 17):
        forms = [("cryptogram", 8), ("data the terminal chose", 8), ("key version", 1)]
    else:
        forms = [("cryptogram, direct form", len(data))]
    return Explanation("data", "", data, _cut(data, forms))


def _initialize(command: Command, _where: _Where) -> Explanation:
    """INITIALIZE UPDATE has 8 bytes (pse-pboc 9.1), those of a purse have more."""
    if len(command.data) == _CPS_MAC:
        return Explanation("host random", "", command.data, ref="pse-pboc 9.1")
    return Explanation("data", "", command.data)


def _internal(command: Command, where: _Where) -> Explanation:
    if where.domain != _PSE and len(command.data) == 16:
        forms = [("factor", 8), ("data", 8)]
        return Explanation("data", "", command.data, _cut(command.data, forms))
    return Explanation("DDOL values", "", command.data)


def _cut(data: bytes, forms: list[tuple[str, int]]) -> tuple[Explanation, ...]:
    parts, at = [], 0
    for name, size in forms:
        if at < len(data):
            parts.append(Explanation(name, "", data[at : at + size]))
        at += size
    return tuple(parts)


def _verify(command: Command, _where: _Where) -> Explanation:
    data = command.data
    if command.p2 == 0x80 and len(data) == 8 and data[0] >> 4 == 2:
        words = f"PIN block, {data[0] & 0x0F} digits {data[1:].hex()[: data[0] & 0x0F]}"
    else:
        words = data.hex() if command.p2 == 0 else ""
    return Explanation("PIN", words, data, secret=True)


def _change_pin(command: Command, _where: _Where) -> Explanation:
    old, _, new = command.data.partition(b"\xff")
    return Explanation("PINs", f"old {old.hex()}, new {new.hex()}", command.data, secret=True)


def _new_pin(command: Command, where: _Where) -> Explanation:
    return _protected(
        command,
        lambda data: Explanation("enciphered PIN", "", data, secret=True),
        _mac_ref(where),
    )


def _create(command: Command, _where: _Where) -> Explanation:
    if command.cla & 0x04:
        return _protected(command, _template)
    return _template(command.data)


def _template(data: bytes) -> Explanation:
    try:
        objects = parse(data)
    except TlvError as error:
        return Explanation("data", f"malformed: {error}", data)
    if len(objects) == 1 and objects[0][0] == 0x62:
        return explain_fcp(objects[0][1])
    return Explanation("data", "not one template 62", data)


def _delete(command: Command, _where: _Where) -> Explanation:
    fid = Explanation("FID", command.data[:2].hex().upper(), command.data[:2])
    if command.cla & 0x04:
        return _protected(command, lambda _data: fid)
    return fid


def _write_key(command: Command, where: _Where) -> Explanation:
    if command.cla & 0x04:
        of_psam = where.domain == PSAM or (where.domain is None and len(command.data) in _PSAM_KEYS)
        words = "LD, usage, version or id, algorithm, key" if of_psam else ""
        return _protected(
            command, lambda data: Explanation("enciphered key record", words, data, secret=True)
        )
    header, value = command.data[:_HEADER], command.data[_HEADER:]
    if len(header) < _HEADER:
        return Explanation("data", "no key header", command.data, secret=True)
    parts = (*explain_key_header(header), Explanation("key", value.hex(), value, secret=True))
    return Explanation("key record", "", command.data, parts, "cos 4.4")


def explain_key_header(header: bytes) -> tuple[Explanation, ...]:
    """Explain the 12 bytes in front of a key (cos 4.4)."""
    flags = [
        name
        for bit, name in (
            (1, "written enciphered only"),
            (2, "session form of external authentication"),
            (4, "check value may be queried"),
        )
        if header[10] & bit
    ]
    grant = "none" if header[5] == 0xFF else f"{header[5]:02X}"
    return (
        Explanation("type", key_type_name(header[0]), header[0:1]),
        Explanation("id", f"{header[1]:02X}", header[1:2]),
        Explanation("version", str(header[2]), header[2:3]),
        Explanation("algorithm", algorithm_name(header[3]), header[3:4]),
        Explanation("tries", tries_words(header[4]), header[4:5]),
        Explanation("grant", grant, header[5:6]),
        Explanation("use", access_words(int.from_bytes(header[6:8], "big")), header[6:8]),
        Explanation("change", access_words(int.from_bytes(header[8:10], "big")), header[8:10]),
        Explanation("flags", ", ".join(flags) or "none", header[10:11]),
        Explanation("length", f"{header[11]} bytes", header[11:12]),
    )


def _options(command: Command, _where: _Where) -> Explanation:
    if is_ber(command.data):
        return Explanation("data", "PDOL values", command.data, explain_ber(command.data))
    return Explanation("data", "not a template 83", command.data)


def _generate_ac(command: Command, _where: _Where) -> Explanation:
    return Explanation("CDOL values", "as the card's CDOL orders them", command.data)


def _store_data(command: Command) -> Explanation:
    """STORE DATA: consecutive DGIs (pse-pboc 9.2)."""
    data = command.data[:-_CPS_MAC] if command.cla & 0x04 else command.data
    enciphered = bool(command.p1 & 0x60)
    parts, at = [], 0
    while at + 3 <= len(data):
        dgi, length, start = int.from_bytes(data[at : at + 2], "big"), data[at + 2], at + 3
        if length == 0xFF:
            length, start = int.from_bytes(data[at + 3 : at + 5], "big"), at + 5
        value = data[start : start + length]
        parts.append(_dgi(dgi, value, complete=len(value) == length, enciphered=enciphered))
        at = start + length
    if data[at:]:
        parts.append(Explanation("rest", "no DGI", data[at:], secret=True))
    if command.cla & 0x04:
        parts.append(Explanation("C-MAC", "", command.data[-_CPS_MAC:]))
    return Explanation("data", "", command.data, tuple(parts), "pse-pboc 9.2")


def _dgi(dgi: int, value: bytes, *, complete: bool, enciphered: bool) -> Explanation:
    name = DGIS.get(dgi, "")
    if not name and 0x01 <= dgi >> 8 <= 0x1E:
        name = f"record {dgi & 0xFF} of SFI {dgi >> 8:02X}"
    words = name if complete else f"{name}, continued in the next block"
    opened = complete and not enciphered and is_ber(value)
    parts = explain_ber(value) if opened else ()
    secret = dgi in SECRETS or not name or not complete  # pieces of what is not known
    return Explanation(f"DGI {dgi:04X}", words, value, parts, secret=secret)


_READERS: dict[int, Callable[[Command, _Where], Explanation]] = {
    0xA4: _select,
    0xB0: _plain,
    0xB2: _plain,
    0xD6: _binary,
    0xDC: _record,
    0xE2: _record,
    0x50: _initialize,
    0x82: _external,
    0x88: _internal,
    0x20: _verify,
    0x5E: _change_pin,
    0x24: _new_pin,
    0xE0: _create,
    0xE4: _delete,
    0xD4: _write_key,
    0xA8: _options,
    0xAE: _generate_ac,
}
