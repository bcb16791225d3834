"""cos 4.5: the personalisation script makes the commands of the walk, byte for byte.

A recorder stands in for the card: it answers challenges with the walk's and everything else
with 9000, so the test says what is sent and nothing about a card.
"""

from collections import Counter

import pytest

from sscard.perso.profile import Profile
from sscard.perso.script import PersonalisationError, personalise

CHALLENGES = (
    *("1122334455667788", "21222324", "3132333435363738"),  # TK, CMK in, CMK
    *("4142434445464748", "51525354", "6162636465666768", "71727374"),  # both EMKs v1 in
    *("9192939495969798", "A1A2A3A4", "B1B2B3B4B5B6B7B8"),  # EMK-S v1, v2 in, v2
    *("C1C2C3C4", "B1B2B3B4B5B6B7B8", "D1D2D3D4D5D6D7D8"),  # UK04 in, EMK-S again, end
    *("9192939495969798", "A1A2A3A4", "B1B2B3B4B5B6B7B8", "D1D2D3D4D5D6D7D8"),  # PSE
)

WALK = {
    "1": "00 82 00 00 08 98 52 65 F8 85 48 0E 4C",
    "2": """80 E0 00 00 21 62 1F 82 01 38 83 02 3F 00 84 09 73 73 63 61 72 64 2E 63 6D 81 03 00 08
        00 86 06 8F 00 FF FF 8F 00""",
    "3": "80 E0 00 00 13 62 11 82 05 0C 21 00 28 10 83 02 EF 80 86 04 8F 00 FF FF",
    "4": """84 D4 00 00 24 DE 4E DD E5 50 D0 DA C6 06 8E B4 E0 7C 5E 61 D3 39 FD FC DD 0E DA 17 36
        4F 6C 78 D3 E9 BB A3 75 82 AA 3E 54""",
    "5": "00 82 00 00 08 C1 0E 13 BB 46 CB 43 9F",
    "6": """80 E0 00 00 2F 62 2D 82 01 38 83 02 DD F1 84 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3
        D5 CF 81 03 00 A0 00 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 01 C1 01 03""",
    "7": """80 E0 00 00 2E 62 2C 82 01 38 83 02 DD F2 84 0E 31 50 41 59 2E 53 59 53 2E 44 44 46 30
        31 81 03 00 60 00 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 02 C1 01 03""",
    "8": "00 A4 04 00 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5 CF",
    "9": "00 82 00 00 08 A7 1A EB 58 03 3E BD A2",
    "9a": "80 E0 00 00 13 62 11 82 05 0C 21 00 28 10 83 02 EF 80 86 04 8F 00 FF FF",
    "10": """84 D4 00 00 24 C0 69 90 2C C8 4E E3 2F DF A4 E1 7C E0 70 0B 5C A9 76 17 39 22 2D 99 2B
        8F CA 55 75 88 C4 94 7C 7C 3F 1E 60""",
    "11": "00 82 00 00 08 41 59 1D B6 12 70 E1 0C",
    "12": """84 D4 00 00 24 C0 69 90 2C C8 4E E3 2F 75 46 5D 1E 3E 6B F7 51 EB 48 A2 93 52 95 2E 78
        99 9C F9 24 46 54 FB B4 96 59 C2 CF""",
    "14": "00 82 00 00 08 7F 97 9A 62 97 F2 CA DB",
    "15": """84 D4 01 00 24 75 45 C6 D5 99 0E 3C 82 EB EC 03 D6 28 E7 F3 98 23 2B EA 1D B9 6F C3 58
        9B 2A 02 72 6D BF C7 36 5A 26 C4 FA""",
    "16": "00 82 00 00 08 CA F0 BA D3 45 35 10 66",
    "18": """84 D4 00 00 24 75 9E C8 F6 31 CA D4 28 87 A0 0E A8 13 4E F4 15 64 E6 60 52 34 27 88 C9
        70 B9 05 F6 C1 F2 43 48 6B 9E B5 3F""",
    "17": """80 E0 00 00 1E 62 1C 82 05 05 21 00 14 10 83 02 EF 05 88 01 28 80 02 00 80 86 08 00 00
        84 00 FF FF 00 00""",
    "20": "00 E2 00 28 06 05 04 20 24 03 15",
    "19": """80 E0 00 00 1E 62 1C 82 01 38 83 02 DF 01 84 06 D1 56 00 00 05 01 81 03 00 10 00 86 06
        8F 00 8F 00 8F 00""",
    "21": "84 1C 00 00 04 79 77 66 F8",
    "22 authenticate v1": "00 82 00 00 08 25 83 62 4F 28 DB E7 1E",
    "22 replace": """84 D4 01 00 24 7A C3 29 21 30 D5 F8 A6 54 CC 8A 66 FB AA 9B 9C 0B 66 6E 2B 5C
        66 EB 11 A2 AC 76 36 F7 6C 2F 9D FC EB F8 44""",
    "22 authenticate v2": "00 82 00 00 08 CE E1 64 31 87 6C 2E A8",
    "22 end": "84 1C 00 00 04 15 ED B9 F2",
}


def recorder(challenges):
    queue = [bytes.fromhex(challenge) for challenge in challenges]

    def transmit(apdu):
        if apdu[1] == 0x84:
            assert apdu[4] == len(queue[0])
            return queue.pop(0) + b"\x90\x00"
        return b"\x90\x00"

    return transmit


def endless(apdu):
    return bytes(apdu[4]) + b"\x90\x00" if apdu[1] == 0x84 else b"\x90\x00"


@pytest.fixture(scope="module")
def sent():
    log = personalise(Profile.load("walk"), recorder(CHALLENGES))
    return [apdu.hex().upper() for apdu, _ in log]


@pytest.mark.parametrize("row", WALK)
def test_cos_4_5_row(sent, row):
    assert "".join(WALK[row].split()) in sent


def test_cos_4_5_order(sent):
    places = [sent.index("".join(apdu.split())) for apdu in WALK.values()]
    places[9] = sent.index("".join(WALK["9a"].split()), places[8])  # equal to row 3
    assert places == sorted(places)


def test_every_command_of_the_sample_card_is_a_short_apdu():
    log = personalise(Profile.load("sample"), endless)
    assert max(len(apdu) for apdu, _ in log) <= 5 + 255
    names = Counter(apdu[1] for apdu, _ in log)
    assert (
        names[0xD4] == 1 + 69 + 4 + 2 + 1
    )  # CMK, social keys, bank keys and PIN, two updates, EMK
    assert names[0x1C] == 2


def test_pse_9_2_store_data_blocks_are_numbered_and_the_last_is_marked():
    log = personalise(Profile.load("pboc"), endless)
    blocks = [apdu for apdu, _ in log if apdu[:2] == b"\x80\xe2"]
    application, directory = blocks[:-2], blocks[-2:]
    for session in (application, directory):
        assert [b[3] for b in session] == list(range(len(session)))
        assert [b[2] for b in session] == [0] * (len(session) - 1) + [0x80]
    assert directory[1][5:] == bytes.fromhex("91020EA50C8801015F2D027A689F110101")


def test_a_refusal_names_step_command_and_status_word():
    answers = iter([bytes(8) + b"\x90\x00", b"\x90\x00", b"\x6a\x84"])
    with pytest.raises(PersonalisationError, match=r"step 3, create 3F00: 80E00000 62.*6A84"):
        personalise(Profile.load("walk"), lambda apdu: next(answers))


def test_a_refused_key_is_not_shown():
    def transmit(apdu):
        return b"\x69\x82" if apdu[1] == 0xD4 else endless(apdu)

    with pytest.raises(PersonalisationError, match=r"84D40000 <36 bytes>: 6982"):
        personalise(Profile.load("walk"), transmit)
