"""The social half of a capture: what every file of the SSSE's tables gives without a proof.

Source: ssse-lb002 1.2, 2.3, 2.4, 3.3, 3.7, 4.8.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, found, parse_simple
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Directory, Ef
from sscard.testing.capture.reading import SELECTED, records, select, send
from sscard.testing.capture.seen import Capture, SocialCapture
from sscard.transport.port import Port

__all__ = ["read_social"]

_ISSUER_FILE, _CODE, _VERSION = 0xEF05, 0x01, 0x03
_DF_NAME = 0x84
_ALGORITHM_MARK = bytes.fromhex("9F0C8603")
"""In the FCI of a card whose SSSE works with SM4."""
_NO_MAC = b"\xff" * 4
"""In the card identification code, where its MAC would be under an SSF33 key (1.2)."""
_NOT_IN_V1 = 0xDF05
_SHORTEST = 4
"""Items of the shortest file that tells what a card is; fewer refusals say nothing of a file."""
_BINARY_MOST = 0x7FFF
_CHUNK = 0x80


def read_social(port: Port, seen: Capture) -> None:
    """Read what the SSSE gives into `seen`, if the card has one. Errors: `TransportError`."""
    seen.at = "the SSSE"
    answer = select(port, SSSE_NAME)
    sw = answer.sw
    if sw == SW.NOT_SUPPORTED:
        seen.dead.append("SSSE")
    if sw not in SELECTED:
        return
    social = seen.social = SocialCapture()
    if sw == SW.FILE_INVALIDATED:
        social.blocked[SSSE_FID] = _probe(port, _ISSUER_FILE)
        social.generation, social.guessed = _guess(port, answer.data), True
        return
    environment = VERSIONS[social.generation][0]
    table = next(file for file in environment.files if file.fid == _ISSUER_FILE)
    _records(port, environment, table, social)
    issuer = dict(_parsed(social.records.get((SSSE_FID, _ISSUER_FILE), ())))
    version = issuer.get(_VERSION, b"")[:1].decode("ascii", "replace")
    social.guessed = f"v{version}" not in VERSIONS
    social.generation = _guess(port, answer.data) if social.guessed else f"v{version}"
    social.national = issuer.get(_CODE, b"")[-len(_NO_MAC) :] == _NO_MAC
    social.region = issuer.get(_CODE, b"")[:3].hex()
    social.tries = _tries(port)
    for home in VERSIONS[social.generation]:
        _directory(port, home, seen, social)


def _guess(port: Port, fci: bytes) -> str:
    """Return the generation that a card shows without telling it (2.3, 3.3)."""
    if _ALGORITHM_MARK in fci:
        return "v3"
    last = Command(0x00, 0xA4, 0x00, 0x00, _NOT_IN_V1.to_bytes(2), 256)
    missing = send(port, last).sw == SW.FILE_NOT_FOUND
    select(port, SSSE_NAME)
    return "v1" if missing else "v2"


def _tries(port: Port) -> int | None:
    """Return how many tries the PIN has left: VERIFY without data tells, and takes none (3.7)."""
    sw = SW(send(port, Command(0x00, 0x20, 0x00, 0x00)).sw)
    if sw == SW.BLOCKED:
        return 0
    return sw - SW.tries_left(0) if sw in map(SW.tries_left, range(16)) else None


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
    place = home.fid, file.fid
    if file.kind == "transparent":
        sw = _content(port, home, file, seen)
        got = place in seen.contents
    else:
        sw = _records(port, home, file, seen)
        got = place in seen.records
    if sw == SW.FILE_NOT_FOUND:
        seen.missing.append(place)
    elif got and file.read != "F":
        seen.rules[place] = "F"
    elif sw == SW.SECURITY_STATUS and not got and file.read == "F":
        seen.rules[place] = "N"


def _records(port: Port, home: Directory, file: Ef, seen: SocialCapture) -> SW:
    """Read a file of records; return its first refusal.

    As many refusals in a row as the table has records, and one more, end it: a card that looks
    for a record before its condition answers 6A83 to that one.
    """
    place = home.fid, file.fid
    most = max(len(file.items) if file.kind == "tlv" else file.records, _SHORTEST)
    given: list[bytes] = []
    refused: list[SW] = []
    if place in seen.partial:  # the issuer's file is read twice
        seen.partial.remove(place)
    for _, reply in records(port, file.fid & 0x1F, most + 1):
        if reply.sw == SW.OK and reply.data:
            given.append(reply.data)
            seen.records[place] = given
            if len(given) == 1:  # until all was asked for: the card may go away
                seen.partial.append(place)
        else:
            refused.append(SW(reply.sw))
    wanting = [sw for sw in refused if sw != SW.RECORD_NOT_FOUND]
    if given and not wanting:
        seen.partial.remove(place)
    elif not given and file.kind == "cyclic" and SW.SECURITY_STATUS in wanting:
        whole = refused[-1] == SW.RECORD_NOT_FOUND
        seen.hidden[place] = len(wanting) if whole else 0
    return refused[0]


def _content(port: Port, home: Directory, file: Ef, seen: SocialCapture) -> SW:
    """Read what a transparent file gives; return the status word that ended it."""
    content = b""
    most = min(file.size or _BINARY_MOST, _BINARY_MOST)
    p1, p2, sw = 0x80 | file.fid & 0x1F, 0x00, SW.OK
    while len(content) < most:
        reply = send(port, Command(0x00, 0xB0, p1, p2, le=min(_CHUNK, most - len(content))))
        sw = SW(reply.sw)
        if sw != SW.OK or not reply.data:
            break
        content += reply.data
        seen.contents[home.fid, file.fid] = content
        p1, p2 = len(content) >> 8, len(content) & 0xFF
    return sw
