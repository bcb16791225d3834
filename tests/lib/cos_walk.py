"""The walk of cos 4.5 as a table: every command, its challenge, and the answer as printed.

Blank card, two environments, their owners, personal data, operation. `walked` gives the card
as a row leaves it. Answers that are no bare status word are those of cos 2.2 and 5.1.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from sscard.card import Activation, Card, Snapshot

SSSE_NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
PSE_NAME = "315041592E5359532E4444463031"
SELECT_SSSE = "00A404000F" + SSSE_NAME
SELECT_PSE = "00A404000E" + PSE_NAME
SELECT_MF = "00A40000023F00"

SSSE_FCI = "6F 16 84 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5 CF A5 03 88 01 1E"
"""As printed in cos 2.2. The DIR's SFI is 1E there; the SSSE of the walk names none: 01."""
PSE_FCI = "6F 15 84 0E 31 50 41 59 2E 53 59 53 2E 44 44 46 30 31 A5 03 88 01 01"
MF_FCI = "6F 0B 84 09 73 73 63 61 72 64 2E 63 6D"

IMAGE_SHA256 = "f78d6afb6286981dc0378601536d873e48b0e5340f8a1e0534b189742cade1c5"
"""Of the image after row 22, the ring (0200-21FF) taken as FF."""

TK = b"MFR-TEST-TK-0001"
CMK = bytes.fromhex("3AF5B4654473927E22921B54BB856D7A")
EMK_S1 = bytes.fromhex("E72070ABDD8C93224259E97C9D3A42BE")
EMK_P1 = bytes.fromhex("91310AF00D9CEB14122262A8DD369189")
EMK_S2 = bytes.fromhex("2B505085B5AC0FA34C231CFD2D4C0B1A")
EMK_P2 = bytes.fromhex("C3E5E8E7C0DC544ABC0D9B34B51B3D12")
UK04 = bytes.fromhex("B0C3BE8D15CCE35B43AE0D702B4D80CD")

CREATE_KEY_EF = "80 E0 00 00 13 62 11 82 05 0C 21 00 28 10 83 02 EF 80 86 04 8F 00 FF FF"
_WRITE_EMK_S1 = (
    "84 D4 00 00 24 C0 69 90 2C C8 4E E3 2F DF A4 E1 7C E0 70 0B 5C A9 76 17 39 22 2D 99 2B"
    " 8F CA 55 75 88 C4 94 7C 7C 3F 1E 60"
)
_OTHER_DDF = (
    "80 E0 00 00 2E 62 2C 82 01 38 83 02 DD F3 84 0E 32 50 41 59 2E 53 59 53 2E 44 44 46 30 31"
    " 81 03 00 08 00 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 02 C1 01 03"
)
_SSSE_FCI_HERE = SSSE_FCI[:-2] + "01"


class Row(NamedTuple):
    """One command of the walk: `challenge` is drawn and checked before it; `answer` data and SW."""

    number: str
    command: str
    answer: str = "90 00"
    challenge: str = ""


WALK = (
    Row("1", "00 82 00 00 08 98 52 65 F8 85 48 0E 4C", challenge="11 22 33 44 55 66 77 88"),
    Row(
        "2",
        "80 E0 00 00 21 62 1F 82 01 38 83 02 3F 00 84 09 73 73 63 61 72 64 2E 63 6D 81 03 00 08 00"
        " 86 06 8F 00 FF FF 8F 00",
    ),
    Row("3", CREATE_KEY_EF),
    Row(
        "4",
        "84 D4 00 00 24 DE 4E DD E5 50 D0 DA C6 06 8E B4 E0 7C 5E 61 D3 39 FD FC DD 0E DA 17 36 4F"
        " 6C 78 D3 E9 BB A3 75 82 AA 3E 54",
        challenge="21 22 23 24",
    ),
    Row("5", "00 82 00 00 08 C1 0E 13 BB 46 CB 43 9F", challenge="31 32 33 34 35 36 37 38"),
    Row(
        "6",
        "80 E0 00 00 2F 62 2D 82 01 38 83 02 DD F1 84 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5"
        " CF 81 03 00 A0 00 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 01 C1 01 03",
    ),
    Row(
        "7",
        "80 E0 00 00 2E 62 2C 82 01 38 83 02 DD F2 84 0E 31 50 41 59 2E 53 59 53 2E 44 44 46 30 31"
        " 81 03 00 60 00 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 02 C1 01 03",
    ),
    Row("8", SELECT_SSSE, _SSSE_FCI_HERE + "90 00"),
    Row("9", "00 82 00 00 08 A7 1A EB 58 03 3E BD A2", challenge="41 42 43 44 45 46 47 48"),
    Row("9a", CREATE_KEY_EF),
    Row("10", _WRITE_EMK_S1, challenge="51 52 53 54"),
    Row("11 select", SELECT_PSE, PSE_FCI + "90 00"),
    Row("11", "00 82 00 00 08 41 59 1D B6 12 70 E1 0C", challenge="61 62 63 64 65 66 67 68"),
    Row("11 create", CREATE_KEY_EF),
    Row(
        "12",
        "84 D4 00 00 24 C0 69 90 2C C8 4E E3 2F 75 46 5D 1E 3E 6B F7 51 EB 48 A2 93 52 95 2E 78 99"
        " 9C F9 24 46 54 FB B4 96 59 C2 CF",
        challenge="71 72 73 74",
    ),
    Row("13 select", SELECT_SSSE, _SSSE_FCI_HERE + "90 00"),
    Row(
        "13",
        "00 82 00 00 08 C9 1A 47 38 33 C0 73 CF",
        "63 C7",
        challenge="81 82 83 84 85 86 87 88",
    ),
    Row("13b", _WRITE_EMK_S1, "69 88", challenge="51 52 53 54"),
    Row("13c select", SELECT_MF, MF_FCI + "90 00"),
    Row("13c CMK", "00 82 00 00 08 C1 0E 13 BB 46 CB 43 9F", challenge="3132333435363738"),
    Row("13c", _OTHER_DDF, "69 85"),
    Row("14 select", SELECT_SSSE, _SSSE_FCI_HERE + "90 00"),
    Row("14", "00 82 00 00 08 7F 97 9A 62 97 F2 CA DB", challenge="91 92 93 94 95 96 97 98"),
    Row(
        "15",
        "84 D4 01 00 24 75 45 C6 D5 99 0E 3C 82 EB EC 03 D6 28 E7 F3 98 23 2B EA 1D B9 6F C3 58 9B"
        " 2A 02 72 6D BF C7 36 5A 26 C4 FA",
        challenge="A1 A2 A3 A4",
    ),
    Row("16", "00 82 00 00 08 CA F0 BA D3 45 35 10 66", challenge="B1 B2 B3 B4 B5 B6 B7 B8"),
    Row(
        "17",
        "80 E0 00 00 1E 62 1C 82 05 05 21 00 14 10 83 02 EF 05 88 01 28 80 02 00 80 86 08 00 00 84"
        " 00 FF FF 00 00",
    ),
    Row(
        "18",
        "84 D4 00 00 24 75 9E C8 F6 31 CA D4 28 87 A0 0E A8 13 4E F4 15 64 E6 60 52 34 27 88 C9 70"
        " B9 05 F6 C1 F2 43 48 6B 9E B5 3F",
        challenge="C1 C2 C3 C4",
    ),
    Row(
        "19",
        "80 E0 00 00 1E 62 1C 82 01 38 83 02 DF 01 84 06 D1 56 00 00 05 01 81 03 00 10 00 86 06 8F"
        " 00 8F 00 8F 00",
    ),
    Row("20", "00 E2 00 28 06 05 04 20 24 03 15"),
    Row("21", "84 1C 00 00 04 79 77 66 F8", challenge="D1 D2 D3 D4 D5 D6 D7 D8"),
    Row("22 select", SELECT_PSE, PSE_FCI + "90 00"),
    Row("22/14", "00 82 00 00 08 25 83 62 4F 28 DB E7 1E", challenge="91 92 93 94 95 96 97 98"),
    Row(
        "22/15",
        "84 D4 01 00 24 7A C3 29 21 30 D5 F8 A6 54 CC 8A 66 FB AA 9B 9C 0B 66 6E 2B 5C 66 EB 11 A2"
        " AC 76 36 F7 6C 2F 9D FC EB F8 44",
        challenge="A1 A2 A3 A4",
    ),
    Row("22/16", "00 82 00 00 08 CE E1 64 31 87 6C 2E A8", challenge="B1 B2 B3 B4 B5 B6 B7 B8"),
    Row("22", "84 1C 00 00 04 15 ED B9 F2", challenge="D1 D2 D3 D4 D5 D6 D7 D8"),
)


def send(card: Card, activation: Activation, row: Row) -> bytes:
    """Force and draw the row's challenge, send its command, return the answer."""
    if row.challenge:
        challenge = bytes.fromhex(row.challenge)
        card.env.force_random(challenge)
        drawn = activation.transmit(bytes((0, 0x84, 0, 0, len(challenge))))
        assert drawn == challenge + b"\x90\x00"
    return activation.transmit(bytes.fromhex(row.command))


def walk(card: Card, activation: Activation) -> Iterator[tuple[Row, bytes]]:
    """Send the rows one by one; yield each with its answer."""
    for row in WALK:
        yield row, send(card, activation, row)


@lru_cache(maxsize=64)
def walked(number: str) -> Snapshot:
    """Return the card, at rest, as the row `number` leaves it."""
    card = Card.blank()
    for row, answer in walk(card, card.power_on()):
        assert answer == bytes.fromhex(row.answer), row.number
        if row.number == number:
            return card.snapshot()
    raise LookupError(number)


def without_ring(image: bytes) -> bytes:
    """Return the image of a default card with its journal ring taken as FF."""
    return image[:0x200] + b"\xff" * 0x2000 + image[0x2200:]
