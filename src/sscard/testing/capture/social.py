"""The social half of a capture: what every file of the SSSE's tables gives without a proof.

Source: ssse-lb002 2.3, 2.4, 4.8.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, parse_simple
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Directory, Ef
from sscard.testing.capture.reading import SELECTED, found, records, select, send
from sscard.testing.capture.seen import Capture, SocialCapture
from sscard.transport.port import Port

__all__ = ["read_social"]

_ISSUER_FILE, _CODE, _VERSION = 0xEF05, 0x01, 0x03
_DF_NAME = 0x84
_BINARY_MOST = 0x7FFF
_CHUNK = 0x80


def read_social(port: Port, seen: Capture) -> None:
    """Read what the SSSE gives into `seen`, if the card has one. Errors: `TransportError`."""
    seen.at = "the SSSE"
    sw = select(port, SSSE_NAME).sw
    if sw == SW.NOT_SUPPORTED:
        seen.dead.append("SSSE")
    if sw not in SELECTED:
        return
    social = seen.social = SocialCapture()
    if sw == SW.FILE_INVALIDATED:
        social.blocked[SSSE_FID] = _probe(port, _ISSUER_FILE)
        return
    issuer = dict(_parsed(reply.data for _, reply in records(port, _ISSUER_FILE & 0x1F)))
    version = issuer.get(_VERSION, b"")[:1].decode("ascii", "replace")
    if f"v{version}" in VERSIONS:
        social.generation = f"v{version}"
    social.region = issuer.get(_CODE, b"")[:3].hex()
    for home in VERSIONS[social.generation]:
        _directory(port, home, seen, social)


def _parsed(answers: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for answer in answers:
        with suppress(TlvError):
            yield from parse_simple(answer)


def _probe(port: Port, file: int) -> SW:
    """Return how a blocked directory answers a read (4.8)."""
    return SW(send(port, Command(0x00, 0xB2, 0x01, (file & 0x1F) << 3 | 4, le=256)).sw)


def _directory(port: Port, home: Directory, seen: Capture, social: SocialCapture) -> None:
    seen.at = "the SSSE" if home.fid == SSSE_FID else f"{home.fid:04X} of the SSSE"
    sw = select(port, SSSE_NAME).sw
    if home.fid != SSSE_FID:
        reply = send(port, Command(0x00, 0xA4, 0x00, 0x00, home.fid.to_bytes(2), 256))
        sw = reply.sw
        if sw not in SELECTED:
            social.missing.append((home.fid, 0))
            return
        name = found(reply.data, _DF_NAME)
        if name and name != home.name:
            social.names[home.fid] = name
    files = [file for file in home.files if file.kind != "internal"]
    if sw == SW.FILE_INVALIDATED:
        social.blocked[home.fid] = _probe(port, files[0].fid)
        return
    place = seen.at
    for file in files:
        seen.at = f"EF{file.fid & 0xFF:02X} of {place}"
        _file(port, home, file, social)


def _file(port: Port, home: Directory, file: Ef, seen: SocialCapture) -> None:
    place, sfi = (home.fid, file.fid), file.fid & 0x1F
    if file.kind == "transparent":
        content, sw = _content(port, sfi, file.size)
        got = bool(content)
        if got:
            seen.contents[place] = content
    else:
        answers = [reply for _, reply in records(port, sfi)]
        given, sw = [reply.data for reply in answers if reply.sw == SW.OK], SW(answers[-1].sw)
        refused = any(reply.sw == SW.SECURITY_STATUS for reply in answers)
        got = bool(given) or (sw == SW.RECORD_NOT_FOUND and file.kind == "cyclic")
        if given:
            seen.records[place] = given
            if refused:
                seen.partial.append(place)
        elif refused and file.kind == "cyclic":
            seen.hidden.append(place)
    if sw == SW.FILE_NOT_FOUND:
        seen.missing.append(place)
    elif got and file.read != "F":
        seen.rules[place] = "F"
    elif sw == SW.SECURITY_STATUS and not got and file.read == "F":
        seen.rules[place] = "N"


def _content(port: Port, sfi: int, size: int) -> tuple[bytes, SW]:
    """Return what a transparent file gives, and the status word that ended it."""
    content = b""
    most = min(size or _BINARY_MOST, _BINARY_MOST)
    p1, p2, sw = 0x80 | sfi, 0x00, SW.OK
    while len(content) < most:
        reply = send(port, Command(0x00, 0xB0, p1, p2, le=min(_CHUNK, most - len(content))))
        sw = SW(reply.sw)
        if sw != SW.OK or not reply.data:
            break
        content += reply.data
        p1, p2 = len(content) >> 8, len(content) & 0xFF
    return content, sw
