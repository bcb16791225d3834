"""Certificates and static signatures of offline data authentication (pse-pboc 4.9).

Made by CA and issuer, opened by who checks them: `issuer_certificate` and its `open_` mirror,
and so on. A certificate carries as much of the modulus as fits beside 36 or 42 other bytes; the
rest travels as the remainder. Pure; the card stores these bytes and never looks into them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sscard.keys.rsa import PublicKey, RsaKey, message_block, open_message_block

__all__ = [
    "Certificate",
    "Contents",
    "icc_certificate",
    "issuer_certificate",
    "open_icc_certificate",
    "open_issuer_certificate",
    "open_static_signature",
    "pin_certificate",
    "static_data",
    "static_signature",
]

_ISSUER, _STATIC, _ICC = 0x02, 0x03, 0x04
_SHA1, _RSA = 0x01, 0x01
_IDENTIFIER, _PAN = 4, 10
_EXPIRY, _SERIAL, _DAC = 2, 3, 2
_AFL_ENTRY = 4
_TEMPLATE_SFIS = range(1, 11)
_AIP_TAG = b"\x82"


class Certificate(NamedTuple):
    """A certificate as records hold it: tags 90 92 9F32, 9F46 9F48 9F47 or 9F2D 9F2F 9F2E.

    `remainder` is empty when the whole modulus fits the certificate; the tag is then left out.
    """

    certificate: bytes
    remainder: bytes
    exponent: bytes


class Contents(NamedTuple):
    """What a certificate says: whom, until when (MMYY), its serial number, the certified key.

    `subject` is the issuer identifier, 4 bytes, or the PAN, 10 bytes, both F-padded.
    """

    subject: bytes
    expiry: bytes
    serial: bytes
    key: PublicKey


# ---- certificates --------------------------------------------------------------------------------


def issuer_certificate(
    ca: RsaKey, key: PublicKey, *, identifier: bytes, expiry: bytes, serial: bytes
) -> Certificate:
    """Certify an issuer's key under a CA's: tags 90, 92, 9F32.

    Shapes: `identifier` 4 bytes, the leftmost 3 to 8 PAN digits with F; `expiry` 2 bytes MMYY;
    `serial` 3 bytes. Errors: ValueError, also for an issuer key longer than the CA's.
    """
    return _certify(ca, key, _ISSUER, (identifier, _IDENTIFIER), expiry, serial, b"")


def icc_certificate(
    issuer: RsaKey,
    key: PublicKey,
    *,
    pan: bytes,
    expiry: bytes,
    serial: bytes,
    static_data: bytes,
) -> Certificate:
    """Certify a card's key under its issuer's: tags 9F46, 9F48, 9F47.

    Shapes: `pan` 10 bytes, F-padded; the hash covers `static_data`. Errors: ValueError.
    """
    return _certify(issuer, key, _ICC, (pan, _PAN), expiry, serial, static_data)


def pin_certificate(
    issuer: RsaKey, key: PublicKey, *, pan: bytes, expiry: bytes, serial: bytes
) -> Certificate:
    """Certify a card's key for enciphered PINs: tags 9F2D, 9F2F, 9F2E.

    Interpretation: as the ICC certificate, its hash without static data (EMV Book 2).
    """
    return _certify(issuer, key, _ICC, (pan, _PAN), expiry, serial, b"")


def open_issuer_certificate(ca: PublicKey, certified: Certificate) -> Contents:
    """Return what an issuer certificate says, checked. Errors: ValueError saying what is wrong."""
    return _opened(ca, certified, _ISSUER, _IDENTIFIER, b"")


def open_icc_certificate(
    issuer: PublicKey, certified: Certificate, static_data: bytes = b""
) -> Contents:
    """Return what an ICC certificate says, checked; one for PINs has no static data.

    Errors: ValueError saying what is wrong.
    """
    return _opened(issuer, certified, _ICC, _PAN, static_data)


def _certify(
    signer: RsaKey,
    key: PublicKey,
    kind: int,
    subject: tuple[bytes, int],
    expiry: bytes,
    serial: bytes,
    appended: bytes,
) -> Certificate:
    for field, length in (subject, (expiry, _EXPIRY), (serial, _SERIAL)):
        if len(field) != length:
            raise ValueError(f"a certificate's field of {length} bytes is given {len(field)}")
    if key.size > signer.size:
        raise ValueError(f"a key of {signer.size} bytes certifies none of {key.size}")
    head = bytes((kind,)) + subject[0] + expiry + serial
    head += bytes((_SHA1, _RSA, key.size, len(key.exponent)))
    room = signer.size - 22 - len(head)
    modulus, remainder = key.modulus[:room], key.modulus[room:]
    block = message_block(head + modulus, signer.size, remainder + key.exponent + appended)
    return Certificate(signer.sign(block), remainder, key.exponent)


def _opened(
    signer: PublicKey, certified: Certificate, kind: int, subject_length: int, appended: bytes
) -> Contents:
    block = signer.recover(certified.certificate)
    tail = certified.remainder + certified.exponent + appended
    fields = open_message_block(block, tail)
    at = 1 + subject_length
    subject, expiry, serial = fields[1:at], fields[at : at + 2], fields[at + 2 : at + 5]
    hashing, cipher, size, exponent_size = fields[at + 5 : at + 9]
    if fields[0] != kind:
        raise ValueError(f"the certificate has format {fields[0]:02X}, not {kind:02X}")
    if (hashing, cipher) != (_SHA1, _RSA):
        raise ValueError("the certificate names another algorithm than SHA-1 and RSA")
    held = fields[at + 9 :]
    filler = held[size:]
    modulus = held[:size] + certified.remainder
    if len(modulus) != size or len(certified.exponent) != exponent_size or filler.strip(b"\xbb"):
        raise ValueError("modulus, remainder and exponent do not have the lengths it says")
    key = PublicKey(int.from_bytes(modulus, "big"), int.from_bytes(certified.exponent, "big"))
    return Contents(subject, expiry, serial, key)


# ---- static data ---------------------------------------------------------------------------------


def static_data(
    afl: bytes, records: Mapping[tuple[int, int], bytes], aip: bytes, tag_list: bytes
) -> bytes:
    """Return the static data to be authenticated: records in the order of the AFL, then the AIP.

    Shapes: `records` whole records by (SFI, number); of SFI 1 to 10 the value of template 70
    counts, of others the whole record. `tag_list` is the value of 9F4A, empty if absent: it may
    name tag 82 only. Errors: ValueError for a missing record, a malformed AFL or tag list.
    """
    if len(afl) % _AFL_ENTRY:
        raise ValueError("an AFL has 4 bytes an entry")
    parts = []
    for at in range(0, len(afl), _AFL_ENTRY):
        sfi, first, _, count = afl[at] >> 3, afl[at + 1], afl[at + 2], afl[at + 3]
        for number in range(first, first + count):
            if (sfi, number) not in records:
                raise ValueError(f"record {number} of SFI {sfi:02X} is signed, but not there")
            record = records[sfi, number]
            parts.append(_inside(record) if sfi in _TEMPLATE_SFIS else record)
    if tag_list not in (b"", _AIP_TAG):
        raise ValueError("9F4A may name tag 82 only")
    return b"".join(parts) + (aip if tag_list else b"")


def _inside(record: bytes) -> bytes:
    """Return a record without template 70 and its length, whatever follows them."""
    lengths = {0x81: 3, 0x82: 4}
    start = lengths.get(record[1], 2) if len(record) > 1 else 2
    if record[:1] != b"\x70" or len(record) < start:
        raise ValueError("a signed record of SFI 1 to 10 is a template 70")
    return record[start:]


def static_signature(issuer: RsaKey, dac: bytes, data: bytes) -> bytes:
    """Return the signed static application data, tag 93; `dac` 2 bytes (9F45)."""
    if len(dac) != _DAC:
        raise ValueError(f"a data authentication code has 2 bytes, not {len(dac)}")
    return issuer.sign(message_block(bytes((_STATIC, _SHA1)) + dac, issuer.size, data))


def open_static_signature(issuer: PublicKey, signature: bytes, data: bytes) -> bytes:
    """Return the data authentication code of tag 93, checked. Errors: ValueError."""
    fields = open_message_block(issuer.recover(signature), data)
    if fields[:2] != bytes((_STATIC, _SHA1)) or fields[4:].strip(b"\xbb"):
        raise ValueError("the recovered block is no signed static data")
    return fields[2:4]
