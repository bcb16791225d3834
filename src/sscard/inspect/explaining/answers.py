"""Answers in words: the status word, and the data as the command that asked for them says."""

from dataclasses import replace

from sscard.inspect.explaining.ber import explain_ber, is_ber, is_template
from sscard.inspect.explaining.bitfields import explain_afl, explain_aip, explain_cid, explain_iad
from sscard.inspect.explaining.catalogue import PSAM
from sscard.inspect.explaining.command_data import explain_record_bytes
from sscard.inspect.explaining.psam import explain_answer_data
from sscard.inspect.explanation import Explanation
from sscard.inspect.names import algorithm_name, key_type_name, kind_name
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import parse

__all__ = ["explain_answer", "explain_status"]

_KEY_LIST, _FILE_LIST = 0xD1, 0xD2
_KEY_ROW, _FILE_ROW = 9, 5
_SSSE, _PSE = 1, 2
_OPENING = 28


def explain_status(sw: int) -> Explanation:
    """Explain a status word."""
    return Explanation("SW", f"{SW(sw)} {SW(sw).meaning}", bytes(SW(sw)))


def explain_answer(
    response: bytes,
    command: Command | None = None,
    domain: int | None = None,
    directory: int | None = None,
) -> Explanation:
    """Explain an answer of at least two bytes, in the light of its command if given."""
    data, sw = response[:-2], int.from_bytes(response[-2:], "big")
    parts = [explain_status(sw)]
    if data:
        parts.insert(0, _data(data, command, domain, directory))
    return Explanation("answer", SW(sw).meaning, response, tuple(parts))


def _data(
    data: bytes, command: Command | None, domain: int | None, directory: int | None
) -> Explanation:
    if command is None:
        return _guessed(data, directory)
    if domain in (None, PSAM):
        own = explain_answer_data(command, data)
        if own is not None:
            return own
    match command.ins:
        case 0xB2:
            return _record_read(data, domain, directory)
        case 0xB0:
            return Explanation("file bytes", "", data, secret=domain not in (0, _PSE, PSAM))
        case 0x84:
            return Explanation("challenge", f"{len(data)} random bytes", data)
        case 0xA8 | 0xAE | 0x88 if data[0] == 0x80 and is_ber(data):
            return _format_1(command.ins, data)
        case 0x88:
            return Explanation("cryptogram", "", data)
        case 0x50 if command.cla & 0x80 and len(data) == _OPENING:
            return _opening(data)
        case 0xCA if command.p2 == _KEY_LIST and not len(data) % _KEY_ROW and command.p1 < 0x5F:
            return _key_list(data)
        case 0xCA if command.p2 == _FILE_LIST and not len(data) % _FILE_ROW and command.p1 < 0x5F:
            return _file_list(data)
        case _:
            return _guessed(data, directory)


def _record_read(data: bytes, domain: int | None, directory: int | None) -> Explanation:
    """A record of a file; one that no table knows may be anything, the holder's data too."""
    record = explain_record_bytes(data, directory)
    if is_template(data):
        return record
    social = domain in (_SSSE, None)
    known = bool(record.parts) and all(part.ref for part in record.parts)
    return replace(record, secret=not known and (social or data[:1] == b"\x70"))


def _guessed(data: bytes, directory: int | None) -> Explanation:
    """Data whose command is not known: BER-TLV by its look, else a record or bytes."""
    if data[0] == 0x80 and is_ber(data) and len(parse(data)) == 1:
        value = parse(data)[0][1]
        if len(value) >= 6 and not (len(value) - 2) % 4 and not value[2] & 0x07 and value[2]:
            return _format_1(0xA8, data)
        if len(value) >= 18 and not value[0] & 0x30:
            return _format_1(0xAE, data)
    if is_template(data) or (is_ber(data) and data[0] & 0x1F == 0x1F):
        return Explanation("data", "", data, explain_ber(data))
    return explain_record_bytes(data, directory)


def _format_1(ins: int, data: bytes) -> Explanation:
    """Template 80: values without tags (pse-pboc 2.2, 2.6)."""
    value = parse(data)[0][1]
    label = "80 response template format 1"
    if ins == 0xA8 and len(value) >= 2:
        return Explanation(label, "", data, (explain_aip(value[:2]), explain_afl(value[2:])))
    if ins == 0xAE and len(value) >= 11:
        parts = [
            explain_cid(value[:1]),
            Explanation("ATC", str(int.from_bytes(value[1:3], "big")), value[1:3]),
            Explanation("cryptogram", "", value[3:11]),
        ]
        if value[11:]:
            parts.append(explain_iad(value[11:]))
        return Explanation(label, "", data, tuple(parts), "pse-pboc 2.6")
    name = "signed dynamic application data" if ins == 0x88 else "value"
    return Explanation(label, "", data, (Explanation(name, "", value),))


def _opening(data: bytes) -> Explanation:
    """The answer of INITIALIZE UPDATE."""
    parts = (
        Explanation("KMC identifier", "", data[:6]),
        Explanation("card serial", "", data[6:10]),
        Explanation("KMC version", f"{data[10]:02X}", data[10:11]),
        Explanation("secure channel protocol", f"{data[11]:02X}", data[11:12]),
        Explanation("sequence counter", str(int.from_bytes(data[12:14], "big")), data[12:14]),
        Explanation("card random", "", data[14:20]),
        Explanation("card cryptogram", "", data[20:]),
    )
    return Explanation("secure channel", "", data, parts, "pse-pboc 9.1")


def _key_list(data: bytes) -> Explanation:
    rows = [data[at : at + _KEY_ROW] for at in range(0, len(data), _KEY_ROW)]
    parts = tuple(
        Explanation(
            f"key {row[1]:02X}",
            f"{key_type_name(row[0])}, version {row[2]}, {algorithm_name(row[3])},"
            f" {'no counter' if row[4] == 0xFF else f'{row[4] & 15} tries'},"
            f" {'not counted' if row[5] == 0xFF else f'{row[5]} left'},"
            f" KCV {row[6:].hex().upper()}",
            row,
        )
        for row in rows
    )
    return Explanation("key list", f"{len(rows)} keys", data, parts, "cos 5.1")


def _file_list(data: bytes) -> Explanation:
    rows = [data[at : at + _FILE_ROW] for at in range(0, len(data), _FILE_ROW)]
    parts = tuple(
        Explanation(
            row[:2].hex().upper(),
            f"{kind_name(row[2])}, {int.from_bytes(row[3:], 'big')} bytes",
            row,
        )
        for row in rows
    )
    return Explanation("file list", f"{len(rows)} files", data, parts, "cos 5.1")
