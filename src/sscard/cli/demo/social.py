"""A social security terminal at the finished card: reading, the PIN, both authentications.

The terminal knows the file table of the specification and has a PSAM; it knows no key of the
card and nothing of its inside (ssse-lb002 3, 5, 10).
"""

from sscard.cli.demo.client import Client, UnexpectedAnswer
from sscard.cli.demo.report import Chapter
from sscard.cli.demo.world import Psam
from sscard.inspect.explaining.records import explain_item
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode_simple, find, parse_simple
from sscard.keys import equal
from sscard.spec.ssse import SSSE_FID, SSSE_NAME

__all__ = ["authenticate", "read", "update"]

_CARD_FACTOR, _TERMINAL_DATA = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
_ISSUED_ON = 0x05
_NEW_DATE = bytes.fromhex("20260701")
_ISSUER, _HOLDER, _PERSON = 0x05, 0x06, 0x0D
"""SFIs of EF05, EF06 and EF0D."""
_BY_NUMBER, _BY_TAG = 0x04, 0x00
_PIN = bytes.fromhex("123456")


def read(client: Client, chapter: Chapter) -> None:
    """Select the environment; read EF05 by record number, EF06 by tag, EF0D by number."""
    fci = client.send("select the SSSE", Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
    chapter.step(client.log[-1], "by its name, sx1.sh.社会保障")
    if find(fci, 0x84) != SSSE_NAME:
        raise UnexpectedAnswer("the FCI does not name the environment")
    for number in range(1, 8):
        _read_item(client, chapter, _ISSUER, number, _BY_NUMBER)
    for tag in (0x08, 0x09, 0x4E, 0x0A, 0x0B, 0x0C, 0x0D):
        _read_item(client, chapter, _HOLDER, tag, _BY_TAG)
    for number in range(1, 5):
        _read_item(client, chapter, _PERSON, number, _BY_NUMBER)


def _read_item(client: Client, chapter: Chapter, sfi: int, p1: int, mode: int) -> None:
    way = f"tag {p1:02X}" if mode == _BY_TAG else f"record {p1}"
    name = f"read {way} of EF{sfi:02X}"
    record = client.send(name, Command(0x00, 0xB2, p1, sfi << 3 | mode, le=256))
    for tag, value in parse_simple(record):
        item = explain_item(tag, value, SSSE_FID)
        chapter.item(f"EF{sfi:02X} by {way}", item.label, item.value or value.hex().upper(), record)


def authenticate(client: Client, chapter: Chapter, psam: Psam) -> None:
    """The terminal proves the card genuine; the holder proves himself by his PIN."""
    data = _CARD_FACTOR + _TERMINAL_DATA
    answer = client.send("internal authenticate", Command(0x00, 0x88, 0x00, 0x00, data, 256))
    expected = psam.expected(_CARD_FACTOR, _TERMINAL_DATA)
    if not equal(answer, expected):
        raise UnexpectedAnswer("the card is not genuine")
    chapter.step(client.log[-1], "the IRK, from the ministry's root over province, city and card")
    chapter.check("cryptogram of the IRK, computed in the terminal's PSAM", expected)
    client.send("select DF01", Command(0x00, 0xA4, 0x00, 0x00, bytes.fromhex("DF01")))
    residence = Command(0x00, 0xB2, 0x28, 0x06 << 3 | _BY_TAG, le=256)
    client.refused("read tag 28 of DF01/EF06", residence, SW.SECURITY_STATUS)
    chapter.step(client.log[-1], "only after the PIN")
    client.send("verify PIN", Command(0x00, 0x20, 0x00, 0x00, _PIN), secret=True)
    chapter.step(client.log[-1], "six digits, six tries")
    client.send("read tag 28 of DF01/EF06", residence)
    chapter.step(client.log[-1], "the same command again")


def update(client: Client, chapter: Chapter, psam: Psam) -> None:
    """Change the date of issue: refused, until the terminal has proved the right key."""
    client.send("select the SSSE", Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
    by_tag = _ISSUER << 3 | _BY_TAG
    record = encode_simple(_ISSUED_ON, _NEW_DATE)
    change = Command(0x00, 0xDC, _ISSUED_ON, by_tag, record)
    client.refused("update tag 05 of EF05", change, SW.SECURITY_STATUS)
    chapter.step(client.log[-1], "nobody has proved the update key")
    challenge = client.send("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=8))
    chapter.step(client.log[-1])
    proof = psam.prove_update(challenge)
    client.send("external authenticate, key 04", Command(0x00, 0x82, 0x00, 0x04, proof))
    chapter.step(client.log[-1], "UK of the SSSE, from the PSAM")
    client.send("update tag 05 of EF05", change)
    chapter.step(client.log[-1], "the same command again: one atomic transaction")
    back = client.send("read tag 05 of EF05", Command(0x00, 0xB2, _ISSUED_ON, by_tag, le=256))
    chapter.step(client.log[-1])
    if back != record:
        raise UnexpectedAnswer("the card did not keep the new date")
    chapter.check("the date of issue is the new one", back)
