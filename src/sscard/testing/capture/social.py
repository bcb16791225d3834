"""The social half of a capture: what every file of the SSSE's tables gives without a proof.

Source: ssse-lb002 2.3, 2.4.
"""

from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, parse_simple
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Directory, Ef
from sscard.testing.capture.reading import records, select, send
from sscard.transport.port import Port

__all__ = ["SocialCapture", "capture_social"]

_CODE, _VERSION = 0x01, 0x03
_BINARY_MOST = 0x7FFF
_CHUNK = 0x80


@dataclass(slots=True)
class SocialCapture:
    """What the social security environment gave.

    `values` are the items by directory, file and tag, `contents` whole transparent files, `rows`
    the records of cyclic ones; `rules` read rules that the card has otherwise than its
    generation's table; `missing` are directories and files the table has and the card has not.
    """

    generation: str
    region: str = ""
    values: dict[tuple[int, int], dict[int, bytes]] = field(default_factory=dict)
    contents: dict[tuple[int, int], bytes] = field(default_factory=dict)
    rows: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    rules: dict[tuple[int, int], str] = field(default_factory=dict)
    missing: list[tuple[int, int]] = field(default_factory=list)


def capture_social(port: Port) -> SocialCapture | None:
    """Read what the SSSE gives; None when the card has none. Errors: `TransportError`."""
    if select(port, SSSE_NAME) is None:
        return None
    issuer = _items(port, 0x05, 16)[0]
    version = issuer.get(_VERSION, b"")[:1].decode("ascii", "replace")
    generation = f"v{version}" if f"v{version}" in VERSIONS else "v2"
    seen = SocialCapture(generation, region=issuer.get(_CODE, b"")[:3].hex())
    for home in VERSIONS[generation]:
        _directory(port, home, seen)
    return seen


def _directory(port: Port, home: Directory, seen: SocialCapture) -> None:
    select(port, SSSE_NAME)
    if home.fid != SSSE_FID:
        chosen = Command(0x00, 0xA4, 0x00, 0x00, home.fid.to_bytes(2), 256)
        if send(port, chosen).sw != SW.OK:
            seen.missing.append((home.fid, 0))
            return
    for file in home.files:
        if file.kind != "internal":
            _file(port, home, file, seen)


def _file(port: Port, home: Directory, file: Ef, seen: SocialCapture) -> None:
    place, sfi = (home.fid, file.fid), file.fid & 0x1F
    got = False
    if file.kind == "tlv":
        values, sw = _items(port, sfi, len(file.items))
        if values:
            seen.values[place], got = values, True
    elif file.kind == "transparent":
        content, sw = _content(port, sfi, file.size)
        if content:
            seen.contents[place], got = content, True
    else:
        answers = [reply for _, reply in records(port, sfi)]
        rows, sw = [reply.data for reply in answers if reply.sw == SW.OK], SW(answers[-1].sw)
        got = bool(rows) or sw == SW.RECORD_NOT_FOUND
        if rows:
            seen.rows[place] = rows
    if sw == SW.FILE_NOT_FOUND:
        seen.missing.append(place)
    elif sw == SW.SECURITY_STATUS and file.read == "F":
        seen.rules[place] = "N"
    elif got and file.read != "F":
        seen.rules[place] = "F"


def _items(port: Port, sfi: int, most: int) -> tuple[dict[int, bytes], SW]:
    """Return a TLV file's items by tag, the first of each, and the last status word."""
    values: dict[int, bytes] = {}
    sw = SW.OK
    for _, reply in records(port, sfi, most):
        sw = SW(reply.sw)
        if sw == SW.OK:
            try:
                for tag, value in parse_simple(reply.data):
                    values.setdefault(tag, value)
            except TlvError:
                continue
    return values, sw


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
