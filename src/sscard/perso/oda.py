"""Offline data authentication of a profile: from named keys to records and DGIs (pse-pboc 4.9).

`[..oda]` of an application names the keys of CA, issuer and card. What the terminal reads is
worked out when the profile is loaded, from the records as they then are: another PAN or expiry
date gets certificates that match it. Only `perso.parse` imports this.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.iso.text import bcd, cn
from sscard.keys.certificates import (
    Certificate,
    icc_certificate,
    issuer_certificate,
    pin_certificate,
    static_data,
    static_signature,
)
from sscard.keys.making import BITS_LEAST, BITS_MOST
from sscard.keys.rsa import RsaKey, cda_answer_length
from sscard.perso.place import fid
from sscard.perso.rsa_files import RsaFile, rsa_file
from sscard.perso.table import Table
from sscard.spec.dgis import (
    AIP_AFL,
    AIP_AFL_CASH,
    AIP_AFL_QUICK,
    ICC_CRT,
    ICC_EXPONENT,
    ICC_MODULUS,
    ISSUER_DATA,
    PIN_CRT,
    is_record,
)

__all__ = ["with_oda"]

Dgis = tuple[tuple[int, bytes], ...]
Objects = list[tuple[int, bytes]]

_RECORD_MOST = 255
_ANSWER_MOST = 256
_SIGNING_LEAST_BITS = 1024
_CDA = 0x01
_OFFERS = (AIP_AFL, AIP_AFL_CASH, AIP_AFL_QUICK)
_FLAWS = ("issuer", "icc", "pin", "ssad")
_AIP, _AFL, _PAN, _EXPIRY, _TAG_LIST = 0x82, 0x94, 0x5A, 0x5F24, 0x9F4A


def with_oda(table: Table, dgis: Dgis) -> Dgis:
    """Return the DGIs of an application with those of its [oda] table among them.

    Records go behind the profile's own, private keys to the end; what the profile gives itself
    under the same number stays. Errors: ProfileError.
    """
    if not table.flag("present", True):
        return dgis
    try:
        settings = _settings(table, _Given(dgis))
        return settings.placed(dgis)
    except (ValueError, tlv.TlvError) as wrong:
        raise ProfileError(f"{table.path}: {wrong}") from None


class _Given:
    """What the profile's own DGIs say: records, AIP and AFL, single data objects."""

    def __init__(self, dgis: Dgis) -> None:
        self._dgis = dict(dgis)
        options = dict(tlv.parse(self._dgis.get(AIP_AFL, b"")))
        self.aip, self.afl = options.get(_AIP, b""), options.get(_AFL, b"")
        self.records = {(dgi >> 8, dgi & 0xFF): value for dgi, value in dgis if is_record(dgi)}

    def find(self, tag: int) -> bytes:
        """Return a data object of the records, empty if none has it."""
        for record in self.records.values():
            if record[:1] == b"\x70":
                inside = tlv.find(record, 0x70) or b""
                held = tlv.find(inside, tag)
                if held is not None:
                    return held
        return b""

    @property
    def issuer_data(self) -> int:
        """How long 9F10 may become in an answer: with the amounts its template announces."""
        template = tlv.find(self._dgis.get(ISSUER_DATA, b""), 0x9F10) or b""
        return max(len(template), 9 + template[8]) if len(template) > 8 else len(template)

    def static_data(self, signed: Dgis) -> bytes:
        """Return the static data, with single DGIs as they were when they were signed."""
        before = _Given((*self._dgis.items(), *signed))
        return static_data(before.afl, before.records, before.aip, before.find(_TAG_LIST))


@dataclass(frozen=True, slots=True)
class _Settings:
    """The table, read: the three groups of data objects, the private keys, where records go."""

    given: _Given
    sfi: int
    groups: tuple[Objects, ...]
    secrets: Dgis

    def placed(self, dgis: Dgis) -> Dgis:
        """Put the generated DGIs among the profile's own, which win."""
        own = dict(dgis)
        records = dict(self._records())
        generated = [(dgi, value) for dgi, value in records.items() if dgi not in own]
        secrets = [(dgi, value) for dgi, value in self.secrets if dgi not in own]
        listed = [dgi for dgi in own if dgi >> 8 == self.sfi and is_record(dgi)]
        numbers = [dgi & 0xFF for dgi in (*records, *listed)]
        for dgi in _OFFERS:
            if dgi in own and numbers:
                own[dgi] = self._options(own[dgi], max(numbers))
        first = [(dgi, value) for dgi, value in own.items() if is_record(dgi)]
        rest = [(dgi, value) for dgi, value in own.items() if not is_record(dgi)]
        return (*first, *generated, *rest, *secrets)

    def _records(self) -> Iterator[tuple[int, bytes]]:
        """Yield a record a group, more where one is too small, numbered from 1."""
        number = 0
        for group in self.groups:
            inside = b""
            for tag, value in group:
                item = tlv.encode(tag, value)
                if inside and len(tlv.encode(0x70, inside + item)) > _RECORD_MOST:
                    number += 1
                    yield self.sfi << 8 | number, tlv.encode(0x70, inside)
                    inside = b""
                inside += item
            if inside:
                number += 1
                yield self.sfi << 8 | number, tlv.encode(0x70, inside)

    def _options(self, given: bytes, last: int) -> bytes:
        """Return DGI 9104, 9203 or 9207; an AFL entry for these records reaches from 1 to `last`.

        An AFL without one stays: the card is to hide them.
        """
        offer = dict(tlv.parse(given))
        if not {_AIP, _AFL} <= offer.keys():
            return given
        afl = offer[_AFL]
        entries = [afl[at : at + 4] for at in range(0, len(afl), 4)]
        for at, entry in enumerate(entries):
            if entry[0] >> 3 == self.sfi and entry[1] == 1:
                entries[at] = bytes((entry[0], 1, last, min(entry[3], last)))
        offer[_AFL] = b"".join(entries)
        return b"".join(tlv.encode(*item) for item in offer.items())


class _Keys(NamedTuple):
    """Who takes part: `signer` is who really signs for the issuer."""

    ca: RsaFile
    issuer: RsaKey
    signer: RsaKey
    icc: RsaKey | None
    pin: RsaKey | None


class _Names(NamedTuple):
    """Whom certificates name, until when unless the table says more, which of them are flawed."""

    pan: bytes
    month: str
    flaws: frozenset[str]


def _settings(table: Table, given: _Given) -> _Settings:
    keys = _keys(table)
    _check_cda(table, keys.icc, given)
    expiry = given.find(_EXPIRY).hex()
    flaws = frozenset(table.texts("flaws", ()))
    if not flaws <= set(_FLAWS):
        table.wrong("flaws", f"some of {', '.join(_FLAWS)}")
    names = _Names(_pan(table, given), expiry[2:4] + expiry[:2] if expiry else "1230", flaws)
    signed = given.static_data(_signed(table))
    groups = (_issuer_group(table, keys, names), *_card_groups(table, keys, names, signed))
    omitted = {_tag(table, word) for word in table.texts("omit", ())}
    kept = tuple([item for item in group if item[0] not in omitted] for group in groups)
    sfi = table.number("sfi", 1, 10, 3)
    secrets = _secrets(table, keys.icc, keys.pin)
    table.finish()
    return _Settings(given, sfi, kept, secrets)


def _keys(table: Table) -> _Keys:
    ca, issuer = _key(table, "ca", "ca-80"), _key(table, "issuer", "issuer").key
    signer = _key(table, "signer", table.text("issuer", "issuer")).key
    for word, key in (("ca", ca.key), ("issuer", issuer), ("signer", signer)):
        bits = key.modulus.bit_length()
        if bits % 8 or not _SIGNING_LEAST_BITS <= bits <= BITS_MOST or key.size > ca.key.size:
            table.wrong(word, "a key of 1024 to 1984 bits, whole bytes, no longer than the CA's")
    icc, pin = _card_key(table, "icc", issuer), _card_key(table, "pin", issuer)
    return _Keys(ca, issuer, signer, icc, pin)


def _issuer_group(table: Table, keys: _Keys, names: _Names) -> Objects:
    """The CA key's index and the issuer certificate."""
    ca = keys.ca.ca
    made = issuer_certificate(
        keys.ca.key,
        keys.issuer.public,
        identifier=table.hex_bytes("issuer_id", 4, bytes.fromhex(names.pan.hex()[:6] + "FF")),
        expiry=_month(table, "issuer_expiry", names.month),
        serial=table.hex_bytes("issuer_serial", 3, b"\0\0\1"),
    )
    index = table.hex_number("ca_index", 2, 0x80 if ca is None else ca.index)
    certified = _objects(_flawed(made, "issuer" in names.flaws), _ISSUER_TAGS)
    return [(0x8F, bytes((index,))), *certified]


def _card_groups(table: Table, keys: _Keys, names: _Names, signed: bytes) -> list[Objects]:
    """The ICC certificate, the signed static data, the certificate for enciphered PINs."""
    month = _month(table, "icc_expiry", names.month)
    serial = table.hex_bytes("icc_serial", 3, b"\0\0\2")
    pin_serial = table.hex_bytes("pin_serial", 3, b"\0\0\3")
    signer, pan, flaws = keys.signer, names.pan, names.flaws
    groups: list[Objects] = []
    if keys.icc is not None:
        made = icc_certificate(
            signer, keys.icc.public, pan=pan, expiry=month, serial=serial, static_data=signed
        )
        groups.append(_objects(_flawed(made, "icc" in flaws), _ICC_TAGS))
    ssad = static_signature(signer, table.hex_bytes("dac", 2, b"\xda\xc1"), signed)
    groups.append([(0x93, _flipped(ssad) if "ssad" in flaws else ssad)])
    if keys.pin is not None:
        made = pin_certificate(signer, keys.pin.public, pan=pan, expiry=month, serial=pin_serial)
        groups.append(_objects(_flawed(made, "pin" in flaws), _PIN_TAGS))
    return groups


_ISSUER_TAGS = (("exponent", 0x9F32), ("remainder", 0x92), ("certificate", 0x90))
_ICC_TAGS = (("certificate", 0x9F46), ("exponent", 0x9F47), ("remainder", 0x9F48))
_PIN_TAGS = (("certificate", 0x9F2D), ("exponent", 0x9F2E), ("remainder", 0x9F2F))
"""In the order of the records of pse-pboc 11.3."""


def _objects(made: Certificate, tags: tuple[tuple[str, int], ...]) -> Objects:
    items = [(tag, getattr(made, part)) for part, tag in tags]
    return [(tag, value) for tag, value in items if value]


def _flawed(made: Certificate, wanted: bool) -> Certificate:
    return made._replace(certificate=_flipped(made.certificate)) if wanted else made


def _flipped(data: bytes) -> bytes:
    """Return `data` with its last bit the other way round: still below the modulus."""
    return data[:-1] + bytes((data[-1] ^ 1,))


def _key(table: Table, word: str, default: str) -> RsaFile:
    try:
        return rsa_file(table.text(word, default))
    except ProfileError as wrong:
        raise ProfileError(f"{table.where(word)}: {wrong}") from None


def _card_key(table: Table, word: str, issuer: RsaKey) -> RsaKey | None:
    if not table.text(word, ""):
        return None
    key = _key(table, word, "").key
    bits = key.modulus.bit_length()
    if bits % 8 or not BITS_LEAST <= bits <= issuer.modulus.bit_length():
        table.wrong(word, f"a key of {BITS_LEAST} bits up to the issuer's, whole bytes")
    return key


def _check_cda(table: Table, icc: RsaKey | None, given: _Given) -> None:
    if icc is None or not given.aip or not given.aip[0] & _CDA:
        return
    length = cda_answer_length(icc.size, given.issuer_data)
    if length > _ANSWER_MOST:
        table.wrong(
            "icc", f"a shorter key for CDA: its answer would have {length} bytes, 256 are the most"
        )


def _pan(table: Table, given: _Given) -> bytes:
    """Return the PAN as certificates have it: of the records, or as the table says."""
    held = given.find(_PAN).hex().upper().rstrip("F")
    digits = table.text("icc_pan", held)
    try:
        return cn(digits, 10)
    except ValueError:
        table.wrong("icc_pan", "up to 20 digits, when no record has a PAN (5A)")


def _month(table: Table, word: str, default: str) -> bytes:
    text = table.text(word, default)
    if len(text) != 4 or not text.isdecimal() or not 1 <= int(text[:2]) <= 12:
        table.wrong(word, "month and year, MMYY")
    return bcd(text)


def _signed(table: Table) -> Dgis:
    inner = table.table("signed")
    found = tuple((fid(inner.where(word), word), inner.hex_bytes(word)) for word in inner.names())
    inner.finish()
    return found


def _tag(table: Table, word: str) -> int:
    """Return a tag written in hex."""
    try:
        return int(word, 16)
    except ValueError:
        table.wrong("omit", "a list of tags in hex")


def _secrets(table: Table, icc: RsaKey | None, pin: RsaKey | None) -> Dgis:
    """Return the DGIs of the private keys: as CRT parts, or modulus and exponent (9.3)."""
    form = table.choice("private", {"crt": True, "modulus": False}, "crt")
    found: list[tuple[int, bytes]] = []
    if icc is not None and form:
        found += zip(ICC_CRT, icc.crt_parts(), strict=True)
    elif icc is not None:
        d = icc.private_exponent.to_bytes(icc.size, "big")
        found += [(ICC_MODULUS, icc.public.modulus), (ICC_EXPONENT, d)]
    if pin is not None:
        found += zip(PIN_CRT, pin.crt_parts(), strict=True)
    return tuple(found)
