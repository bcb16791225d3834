"""Offline data authentication checked from the outside: a verifier of its own (pse-pboc 4.9).

Written from the page; shares nothing with what signs: its own TLV reader, its own recovery, its
own reading of blocks. Every step returns what the block said, or fails with the reason.
"""

import hashlib
from typing import NamedTuple


class Wrong(Exception):
    """Something does not verify; the text says what."""


class Key(NamedTuple):
    n: int
    e: int

    @property
    def length(self) -> int:
        return -(-self.n.bit_length() // 8)


class Named(NamedTuple):
    """What a certificate said: subject and dates as hex digits, and the key in it."""

    subject: str
    expiry: str
    serial: str
    key: Key


def objects(data: bytes) -> dict[int, bytes]:
    """Read BER-TLV objects side by side, the first of each tag."""
    found: dict[int, bytes] = {}
    i = 0
    while i < len(data):
        tag = data[i]
        i += 1
        if tag & 31 == 31:
            tag = tag * 256 + data[i]
            i += 1
        size = data[i]
        i += 1
        if size > 128:
            octets = size - 128
            size = int(data[i : i + octets].hex(), 16)
            i += octets
        if i + size > len(data):
            raise Wrong("a TLV is longer than its data")
        found.setdefault(tag, data[i : i + size])
        i += size
    return found


def block(key: Key, signed: bytes, tail: bytes, kind: str) -> str:
    """Recover a signed block, check frame and hash; return the hex between 6A and the hash."""
    if len(signed) != key.length:
        raise Wrong(f"{len(signed)} bytes signed by a key of {key.length}")
    text = format(pow(int(signed.hex(), 16), key.e, key.n), f"0{2 * key.length}x").upper()
    if text[:2] != "6A" or text[-2:] != "BC":
        raise Wrong("header or trailer")
    body, digest = text[2:-42], text[-42:-2]
    if hashlib.sha1(bytes.fromhex(body) + tail).hexdigest().upper() != digest:
        raise Wrong("hash")
    if body[:2] != kind:
        raise Wrong(f"format {body[:2]} instead of {kind}")
    return body


def certificate(
    signer: Key, cert: bytes, remainder: bytes, exponent: bytes, kind: str, data: bytes = b""
) -> Named:
    body = block(signer, cert, remainder + exponent + data, kind)
    width = 8 if kind == "02" else 20
    subject, rest = body[2 : 2 + width], body[2 + width :]
    expiry, serial, sha, rsa, n_len, e_len = (
        rest[:4],
        rest[4:10],
        rest[10:12],
        rest[12:14],
        int(rest[14:16], 16),
        int(rest[16:18], 16),
    )
    if (sha, rsa) != ("01", "01"):
        raise Wrong("algorithms")
    left = rest[18:]
    if len(left) >= 2 * n_len:
        modulus, filler = left[: 2 * n_len], left[2 * n_len :]
        if remainder or filler.replace("BB", ""):
            raise Wrong("filler, or a remainder nobody needs")
    else:
        modulus = left + remainder.hex().upper()
    if len(modulus) != 2 * n_len or len(exponent) != e_len:
        raise Wrong("lengths")
    return Named(subject, expiry, serial, Key(int(modulus, 16), int(exponent.hex(), 16)))


def issuer_key(ca: Key, tags: dict[int, bytes]) -> Named:
    return certificate(ca, tags[0x90], tags.get(0x92, b""), tags[0x9F32], "02")


def icc_key(issuer: Key, tags: dict[int, bytes], static: bytes) -> Named:
    return certificate(issuer, tags[0x9F46], tags.get(0x9F48, b""), tags[0x9F47], "04", static)


def pin_key(issuer: Key, tags: dict[int, bytes]) -> Named:
    return certificate(issuer, tags[0x9F2D], tags.get(0x9F2F, b""), tags[0x9F2E], "04")


def data_code(issuer: Key, tags: dict[int, bytes], static: bytes) -> str:
    """Check the signed static data; return the data authentication code."""
    body = block(issuer, tags[0x93], static, "03")
    if body[2:4] != "01" or body[8:].replace("BB", ""):
        raise Wrong("static block")
    return body[4:8]


def dynamic(icc: Key, signature: bytes, terminal: bytes) -> bytes:
    """Check a dynamic signature; return the ICC dynamic data."""
    body = block(icc, signature, terminal, "05")
    size = int(body[4:6], 16)
    if body[2:4] != "01" or body[6 + 2 * size :].replace("BB", ""):
        raise Wrong("dynamic block")
    return bytes.fromhex(body[6 : 6 + 2 * size])


def combined(icc: Key, answer: bytes, sent: bytes, number: bytes) -> tuple[str, bytes]:
    """Check a CDA answer; return CID and cryptogram. `sent`: PDOL, CDOL1 and CDOL2 values."""
    held = objects(objects(answer)[0x77])
    if list(held) != [0x9F27, 0x9F36, 0x9F4B, 0x9F10]:
        raise Wrong("the data objects of a CDA answer")
    found = dynamic(icc, held[0x9F4B], number)
    if found[0] != 2 or found[1:3] != held[0x9F36] or found[3:4] != held[0x9F27]:
        raise Wrong("ATC or CID")
    plain = b"\x9f\x27\x01" + held[0x9F27] + b"\x9f\x36\x02" + held[0x9F36]
    plain += b"\x9f\x10" + bytes((len(held[0x9F10]),)) + held[0x9F10]
    if hashlib.sha1(sent + plain).digest() != found[12:32] or len(found) != 32:
        raise Wrong("transaction data hash")
    return held[0x9F27].hex(), found[4:12]


class Card(NamedTuple):
    """What a terminal has read: every data object, and the static data of the AFL."""

    tags: dict[int, bytes]
    static: bytes
    aip: bytes


def read(transmit, gpo: str = "80A8000002830000") -> Card:
    """GPO and the records of the AFL, through a function of hex text that gives hex text."""
    options = objects(bytes.fromhex(transmit(gpo)[:-4]))[0x80]
    aip, afl = options[:2], options[2:]
    tags: dict[int, bytes] = {}
    static = b""
    for i in range(0, len(afl), 4):
        sfi, first, last, signed = afl[i] >> 3, *afl[i + 1 : i + 4]
        for number in range(first, last + 1):
            answer = transmit(f"00B2{number:02X}{sfi << 3 | 4:02X}00")
            if not answer.endswith("9000"):
                raise Wrong(f"record {number} of SFI {sfi}: {answer}")
            inside = objects(bytes.fromhex(answer[:-4]))[0x70]
            for tag, value in objects(inside).items():
                tags.setdefault(tag, value)
            if number < first + signed:
                static += inside
    if tags.get(0x9F4A) == b"\x82":
        static += aip
    return Card(tags, static, aip)
