"""Command APDUs in words: name, P1 and P2, addressing, data, Le.

Keys and PINs in the data are marked secret, as are the holder's texts and pictures.
Source: cos 5.1, 7.3, ssse-lb002 3, pse-pboc 2.
"""

from collections.abc import Callable

from sscard.inspect.explaining import command_data as data_of
from sscard.inspect.explaining.catalogue import PSAM, Entry, lookup, place_name
from sscard.inspect.explaining.psam import PARAMETERS as PSAM_PARAMETERS
from sscard.inspect.explanation import Explanation
from sscard.iso.apdu import Command
from sscard.spec.pboc import TAGS

__all__ = ["explain_command"]

_COS_TAGS = {
    0xC0: "card report",
    0xC3: "chip serial",
    0xD0: "domain report",
    0xD1: "key list",
    0xD2: "file list",
}
_SELECT_P1 = {
    0: "by file identifier",
    1: "child directory",
    2: "EF under the current directory",
    3: "parent directory",
    4: "by DF name",
}
_SELECT_P2 = {0: "first or only", 2: "next occurrence", 4: "file control parameters wanted"}
_PSAM_CLA = 0xBF
"""The class of INIT SESSION; its bits say nothing of channels or secure messaging (cos 7.3)."""
_HOST_RANDOM = 8
_LEVELS = {0: "commands in plain", 1: "commands with a C-MAC", 3: "with a C-MAC, enciphered"}
_PSE = 2
_ARPC = 10
"""Bytes of EXTERNAL AUTHENTICATE with an ARPC (pse-pboc 4.7)."""
_MASTER_OR_KEY = "P2 = 00 is the master key"

Parameters = tuple[tuple[str, str], ...]
"""Labelled words for P1 and P2."""


def explain_command(
    command: Command, domain: int | None = None, directory: int | None = None
) -> Explanation:
    """Explain a command APDU; `domain` and `directory` say where it was sent, if known."""
    entries = lookup(command.cla, command.ins, domain)
    name = " or ".join(entry.name for entry in entries) or "unknown command"
    places = tuple(place for entry in entries for place in entry.domains)
    if domain is None and len(places) == 1:
        domain = places[0]
    parts = [
        Explanation("CLA", _class_words(command.cla), bytes((command.cla,))),
        Explanation("INS", _where(entries), bytes((command.ins,))),
    ]
    parts += [Explanation(label, words) for label, words in _parameters(command, domain)]
    if command.data:
        lc = bytes((len(command.data),))
        parts.append(Explanation("Lc", f"{len(command.data)} bytes of data", lc))
        parts.append(data_of.explain_data(command, name, domain, directory, places))
    if command.le is not None:
        words = "all there is" if command.le == 256 else f"{command.le} bytes"
        stray = command.le != 256 and any(part.secret for part in parts)  # of a PIN, miscounted
        parts.append(Explanation("Le", words, bytes((command.le & 0xFF,)), secret=stray))
    ref = entries[0].ref if len(entries) == 1 else ""
    return Explanation(name, "", command.build(), tuple(parts), ref)


def _class_words(cla: int) -> str:
    if cla == _PSAM_CLA:
        return "proprietary, the PSAM's own"
    words = ["proprietary" if cla & 0x80 else "interindustry"]
    if cla & 0x04:
        words.append("with secure messaging")
    if cla & 0x03:
        words.append(f"logical channel {cla & 3}")
    if cla & 0x10:
        words.append("command chaining")
    return ", ".join(words)


def _where(entries: list[Entry]) -> str:
    if not entries:
        return "no command of the card"
    places = [
        f"{entry.name} in {' '.join(map(place_name, entry.domains))}"
        if entry.domains
        else f"{entry.name}, by the reference only"
        for entry in entries
    ]
    return "; ".join(places)


def _parameters(command: Command, domain: int | None) -> Parameters:
    own = PSAM_PARAMETERS.get(command.ins)
    if own is not None and domain in (None, PSAM):
        return own(command)
    reader = _READERS.get(command.ins)
    if reader is not None:
        return reader(command, domain)
    return (("P1", f"{command.p1:02X}"), ("P2", f"{command.p2:02X}"))


def _select(command: Command, _domain: int | None) -> Parameters:
    return (
        ("P1", _SELECT_P1.get(command.p1, f"undefined, {command.p1:02X}")),
        ("P2", _SELECT_P2.get(command.p2, f"undefined, {command.p2:02X}")),
    )


def _binary(command: Command, _domain: int | None) -> Parameters:
    if command.p1 & 0x80:
        where = f"SFI {command.p1 & 0x1F:02X}, which becomes current"
        return (("P1", where), ("P2", f"offset {command.p2}"))
    return (("P1 P2", f"offset {command.p1p2} of the current EF"),)


def _record(command: Command, domain: int | None) -> Parameters:
    sfi, mode = command.p2 >> 3, command.p2 & 0x07
    where = f"SFI {sfi:02X}, which becomes current" if sfi else "the current EF"
    if domain == _PSE:  # there is no current EF: SELECT knows names alone (pse-pboc 1.2, 2.2)
        where = f"SFI {sfi:02X}"
    if command.ins == 0xE2:
        return (("P2", where),)
    if mode == 4:
        return (("P1", f"record number {command.p1}"), ("P2", where))
    if mode == 0:
        return (("P1", f"the record with tag {command.p1:02X}"), ("P2", where))
    if mode == 3 and command.ins == 0xDC:
        return (("P1", f"{command.p1:02X}"), ("P2", f"a new newest record of {where}"))
    return (("P1", f"{command.p1:02X}"), ("P2", f"{where}, undefined mode {mode}"))


def _store_or_append(command: Command, domain: int | None) -> Parameters:
    if not command.cla & 0x80:
        return _record(command, domain)
    last = ", the last block" if command.p1 & 0x80 else ""
    modes = ("no DGI enciphered", "as the application says", "RFU", "every DGI enciphered")
    return (("P1", modes[command.p1 >> 5 & 3] + last), ("P2", f"block {command.p2}"))


def _initialize(command: Command, _domain: int | None) -> Parameters:
    if len(command.data) == _HOST_RANDOM:
        version = f"KMC version {command.p1:02X}" if command.p1 else "the first KMC there is"
        return (("P1", version), ("P2", f"{command.p2:02X}"))
    return (("P1", f"{command.p1:02X}"), ("P2", f"{command.p2:02X}"))


def _key_reference(command: Command, domain: int | None) -> Parameters:
    if command.cla & 0x80:
        level = _LEVELS.get(command.p1, "undefined")
        return (("P1", f"security level {command.p1:02X}, {level}"), ("P2", f"{command.p2:02X}"))
    key = command.p2
    if command.ins == 0x82 and len(command.data) == _ARPC:
        return (("P2", f"{key:02X}: an ARPC, no key is named"),)
    if not key:
        words = _MASTER_OR_KEY if command.ins == 0x82 else "P2 = 00 is the IRK"
        if domain == _PSE and command.ins == 0x88:
            words = "the ICC private key"
    elif domain == 1 or (domain is None and key & 0x80):
        where = "current directory" if key & 0x80 else "environment"
        words = f"key {key:02X} of the {where}"
    else:
        words = f"key {key:02X}"
    return (("P2", words),)


def _verify(command: Command, _domain: int | None) -> Parameters:
    named = {0: "the holder's PIN", 0x80: "plaintext PIN block", 0x88: "enciphered PIN"}
    return (("P2", named.get(command.p2, f"undefined, {command.p2:02X}")),)


def _get_data(command: Command, domain: int | None) -> Parameters:
    if command.p2 in _COS_TAGS and (command.p1 == 0 or command.p2 >= 0xD1) and command.p1 < 0x5F:
        block = f", block {command.p1}" if command.p2 >= 0xD1 else ""
        return (("P1 P2", _COS_TAGS[command.p2] + block),)
    return _data_tag(command, domain)


def _data_tag(command: Command, _domain: int | None) -> Parameters:
    tag = command.p1p2 if command.p1 else command.p2
    named = TAGS.get(tag)
    return (("P1 P2", f"tag {tag:02X}{' ' + named.name if named else ''}"),)


def _generate_ac(command: Command, _domain: int | None) -> Parameters:
    wanted = ("AAC, a decline", "TC, an approval", "ARQC, online", "RFU")[command.p1 >> 6]
    return (("P1", wanted + (", with CDA" if command.p1 & 0x10 else "")),)


def _write_key(command: Command, _domain: int | None) -> Parameters:
    named = {0: "install", 1: "replace"}
    return (("P1", named.get(command.p1, f"undefined, {command.p1:02X}")),)


def _block(command: Command, _domain: int | None) -> Parameters:
    named = {0: "temporary", 1: "permanent"}
    return (("P2", named.get(command.p2, f"undefined, {command.p2:02X}")),)


def _pin_change(command: Command, _domain: int | None) -> Parameters:
    named = {0: "unblock", 1: "new PIN", 2: "new PIN, without the current one"}
    return (("P2", named.get(command.p2, f"undefined, {command.p2:02X}")),)


def _nothing(command: Command, _domain: int | None) -> Parameters:
    if command.p1p2:
        return (("P1 P2", f"{command.p1p2:04X}, should be 0000"),)
    return ()


_READERS: dict[int, Callable[[Command, int | None], Parameters]] = {
    0xA4: _select,
    0xB0: _binary,
    0xD6: _binary,
    0xB2: _record,
    0xDC: _record,
    0xE2: _store_or_append,
    0x50: _initialize,
    0x82: _key_reference,
    0x88: _key_reference,
    0x20: _verify,
    0xCA: _get_data,
    0xDA: _data_tag,
    0xAE: _generate_ac,
    0xD4: _write_key,
    0x1E: _block,
    0x24: _pin_change,
    0x84: _nothing,
    0xC0: _nothing,
    0xA8: _nothing,
    0xE0: _nothing,
    0xE4: _nothing,
    0x1C: _nothing,
    0x0E: _nothing,
    0xE6: _nothing,
    0x18: _nothing,
    0x16: _nothing,
}
