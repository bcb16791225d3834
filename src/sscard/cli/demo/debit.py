"""One online debit at the finished card: terminal, bank and card, each computing its part.

The transaction of pse-pboc 11.3: the terminal reads what the AFL names, verifies the card's
certificate chain and a fresh signature, the bank verifies the ARQC and answers with an ARPC, the
card verifies that and closes with a TC, which the bank verifies, too.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.cli.demo.client import Client, UnexpectedAnswer
from sscard.cli.demo.report import Chapter
from sscard.cli.demo.world import BANK, RsaPublicKey, icc_key, issuer_key
from sscard.inspect.explaining.bitfields import explain_cid
from sscard.iso.apdu import Command
from sscard.iso.tlv import find, parse, parse_dol
from sscard.keys import equal
from sscard.keys.pboc import pin_block
from sscard.spec.pboc import PSE_NAME

__all__ = ["pay"]

_TERMINAL = {
    0x9F02: "000000012345",
    0x9F03: "000000000000",
    0x9F1A: "0156",
    0x95: "0000008000",
    0x5F2A: "0156",
    0x9A: "260701",
    0x9C: "00",
    0x9F37: "A1B2C3D4",
    0x9F21: "103045",
    0x9F4E: b"TEST MERCHANT 000001".hex(),
    0x8A: b"00".hex(),
}
"""What this terminal fills into a DOL: 123.45 yuan, on 2026-07-01 at 10:30:45."""
_IN_CRYPTOGRAM = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37)
"""The terminal's part of the data under a cryptogram of version 01 (pse-pboc 4.4)."""
_APPROVED = b"00"
_ARQC, _TC = 0x80, 0x40
_PIN = "123456"
_DYNAMIC_NUMBER_AT = 4
"""Offset of the ICC dynamic number in a signature's fields, behind its length (pse-pboc 4.9)."""


class _Card(NamedTuple):
    """What the terminal read: data objects by tag, the profile, the signed static data."""

    objects: dict[int, bytes]
    profile: bytes
    static: bytes

    @property
    def pan(self) -> str:
        """The card number."""
        return self.objects[0x5A].hex().rstrip("f")

    @property
    def psn(self) -> str:
        """Its sequence number."""
        return self.objects[0x5F34].hex()


class _Answer(NamedTuple):
    """What GENERATE AC answered: CID, ATC, cryptogram, issuer application data."""

    kind: int
    atc: int
    cryptogram: bytes
    issuer_data: bytes

    @property
    def results(self) -> bytes:
        """The card verification results, with their length byte."""
        return self.issuer_data[3:7]


def pay(client: Client, chapter: Chapter) -> None:
    """Select, read, authenticate, pay: a complete online debit transaction."""
    card = _read(client, chapter)
    _authenticate(client, chapter, card)
    block = pin_block(_PIN)
    client.send("verify PIN", Command(0x00, 0x20, 0x00, 0x80, block), secret=True)
    chapter.step(client.log[-1], "as a format 2 block")
    first = _generate(client, chapter, card, _ARQC, 0x8C)
    _verified(chapter, card, first, "ARQC: the bank knows the card")
    arpc = BANK.response(card.pan, card.psn, first.atc, first.cryptogram, _APPROVED)
    client.send("external authenticate", Command(0x00, 0x82, 0x00, 0x00, arpc + _APPROVED))
    chapter.step(client.log[-1], "the bank's ARPC: the card knows the bank")
    chapter.check("ARPC: computed by the bank, verified by the card", arpc)
    second = _generate(client, chapter, card, _TC, 0x8D)
    _verified(chapter, card, second, "TC: the bank can settle")
    amount = int(_TERMINAL[0x9F02])
    chapter.item("", "amount", f"{amount // 100}.{amount % 100:02} CNY")
    chapter.item("", "transaction counter", str(second.atc), second.atc.to_bytes(2, "big"))


def _read(client: Client, chapter: Chapter) -> _Card:
    """Find the application by the directory and read what its AFL names."""
    fci = client.send("select the PSE", Command(0x00, 0xA4, 0x04, 0x00, PSE_NAME, 256))
    chapter.step(client.log[-1], "by its name, 1PAY.SYS.DDF01")
    directory = _value(fci, 0x88)[0]
    entry = client.send("read the directory", Command(0x00, 0xB2, 0x01, directory << 3 | 4, le=256))
    name = _value(entry, 0x4F)
    client.send("select the application", Command(0x00, 0xA4, 0x04, 0x00, name, 256))
    chapter.step(client.log[-1], name.hex().upper())
    answer = client.send("get processing options", Command(0x80, 0xA8, 0, 0, b"\x83\x00", 256))
    chapter.step(client.log[-1], "a new transaction: the counter goes up")
    options = _value(answer, 0x80)
    profile, locator = options[:2], options[2:]
    objects: dict[int, bytes] = {}
    static = b""
    for sfi, number, signed in _records(locator):
        command = Command(0x00, 0xB2, number, sfi << 3 | 4, le=256)
        template = _value(client.send(f"read record {number} of SFI {sfi:02X}", command), 0x70)
        objects.update(parse(template))
        static += template if signed else b""
    for tag, what in ((0x5A, "card number"), (0x5F24, "valid until"), (0x5F20, "holder")):
        raw = objects[tag]
        text = raw.decode("ascii") if tag == 0x5F20 else raw.hex().upper().rstrip("F")
        chapter.item("", what, text, raw)
    return _Card(objects, profile, static + profile)


def _records(locator: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield SFI, record number and whether it is signed, for every record an AFL names."""
    for at in range(0, len(locator), 4):
        sfi, first, last, signed = locator[at : at + 4]
        for number in range(first, last + 1):
            yield sfi >> 3, number, number < first + signed


def _authenticate(client: Client, chapter: Chapter, card: _Card) -> None:
    """Dynamic data authentication: the certificates, then a signature made just now."""
    data = card.objects
    unpredictable = bytes.fromhex(_TERMINAL[0x9F37])
    answer = client.send(
        "internal authenticate", Command(0x00, 0x88, 0x00, 0x00, unpredictable, 256)
    )
    chapter.step(client.log[-1], "a signature of the card's own RSA key")
    try:
        issuer = issuer_key(data[0x90], data.get(0x92, b""), data[0x9F32])
        key: RsaPublicKey = icc_key(
            issuer, data[0x9F46], data.get(0x9F48, b""), data[0x9F47], card.static
        )
        signed = key.open(_value(answer, 0x80), unpredictable)
    except ValueError as error:
        raise UnexpectedAnswer(f"the card's certificates or signature: {error}") from error
    number = signed[_DYNAMIC_NUMBER_AT : _DYNAMIC_NUMBER_AT + signed[_DYNAMIC_NUMBER_AT - 1]]
    chapter.check("certificates of CA, bank and card; the card's signature over its number", number)


def _generate(client: Client, chapter: Chapter, card: _Card, kind: int, dol: int) -> _Answer:
    """GENERATE AC with the data its DOL asks for."""
    filled = b"".join(
        bytes.fromhex(_TERMINAL[tag]).rjust(length, b"\0")
        for tag, length in parse_dol(card.objects[dol])
    )
    name = f"generate AC {1 if dol == 0x8C else 2}"
    value = _value(client.send(name, Command(0x80, 0xAE, kind, 0, filled, 256)), 0x80)
    answer = _Answer(value[0], int.from_bytes(value[1:3], "big"), value[3:11], value[11:])
    words = explain_cid(value[:1]).value
    chapter.step(client.log[-1], words)
    if answer.kind & 0xC0 != kind:
        raise UnexpectedAnswer(f"{name}: the card decided for {words}")
    return answer


def _verified(chapter: Chapter, card: _Card, answer: _Answer, what: str) -> None:
    """Have the bank compute the cryptogram itself."""
    data = b"".join(bytes.fromhex(_TERMINAL[tag]) for tag in _IN_CRYPTOGRAM)
    data += card.profile + answer.atc.to_bytes(2, "big") + answer.results
    computed = BANK.cryptogram(card.pan, card.psn, answer.atc, data)
    if not equal(computed, answer.cryptogram):
        raise UnexpectedAnswer(f"the bank refuses the cryptogram of transaction {answer.atc}")
    chapter.check(what, computed)


def _value(data: bytes, tag: int) -> bytes:
    """Return the value of a data object that must be there."""
    value = find(data, tag)
    if value is None:
        raise UnexpectedAnswer(f"the card's answer has no {tag:02X}")
    return value
