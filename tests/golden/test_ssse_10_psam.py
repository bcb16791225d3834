"""ssse-lb002 10.2-10.8 once more, computed by the PSAM and played to the card.

What the terminal does between the two is what it does in the field: factors, padding, for SM4
the folding. Under 3DES the PSAM's environment is sx1, under SM4 sx3 beside a v3 card.
"""

import pytest
from sam_desk import SamDesk
from ssse_desk import SM4, TDES, Desk

from sscard.builder import build
from sscard.card import Card
from sscard.keys import engine
from sscard.keys.mac import fold4, fold16
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile
from sscard.sample import new_card, new_psam

CARD, CITY, PROVINCE = "8649999900000001", "3939393930317378", "3939303030307368"
F, D = "1122334455667788", "0102030405060708"
R, SM_R = "A1B2C3D4E5F60718", "0F1E2D3C4B5A6978"
NAMES = {TDES: "7378312E73682EC9E7BBE1B1A3D5CF", SM4: "7378332E73682EC9E7BBE1B1A3D5CF"}


@pytest.fixture(scope="module")
def made():
    """(card, PSAM) of each algorithm, as snapshots."""
    sm4 = {"cards": "v3", "environment": "sm4"}
    return {
        TDES: (new_card("v2").snapshot(), new_psam().snapshot()),
        SM4: (new_card("v3").snapshot(), new_psam("psam", sm4).snapshot()),
    }


class Pair:
    """A card and a PSAM of one algorithm, over either link."""

    def __init__(self, algorithm, card, psam, link="apdu"):
        self.algorithm = algorithm
        self.card = Desk(card, algorithm=algorithm).ssse()
        self.sam = SamDesk(psam, link=link)
        self.block = 8 if algorithm == TDES else 16

    def padded(self, text):
        return text + "00" * (self.block - len(text) // 2)

    def session(self, usage, number, factor):
        """BF DE: as many factors as the usage byte says, then the session factor."""
        path = [CARD, CITY, PROVINCE][: int(usage, 16) >> 5]
        data = "".join(path) + self.padded(factor)
        self.sam.ok(f"BFDE{usage}{number}{len(data) // 2:02X}{data}")

    def crypt(self, p1, data):
        return bytes.fromhex(self.sam.ok(f"80FA{p1}00{len(data) // 2:02X}{data}"))

    def cryptogram(self, usage, number, factor, data):
        self.session(usage, number, factor)
        block = self.crypt("00", self.padded(data))
        return (fold16(block) if self.algorithm == SM4 else block).hex().upper()

    def stk_enciphered(self, plain):
        self.session("48", "09", SM_R)
        return self.crypt("00", plain).hex().upper()

    def stk_mac(self, message):
        """MAC of flavour A: IV 0, the message padded with 80 00..."""
        text = message + "80"
        text += "00" * (-(len(text) // 2) % self.block)
        self.session("48", "09", SM_R)
        block = self.crypt("05", "00" * self.block + text)
        return (fold4(block) if self.algorithm == SM4 else block[:4]).hex().upper()

    def prove(self, kid, usage, number):
        challenge = self.card.challenge().hex().upper()
        x = self.cryptogram(usage, number, challenge, challenge)
        assert self.card(f"008200{kid}10{x}{challenge}") == "9000"


@pytest.fixture(params=[TDES, SM4], ids=["sx1", "sx3"])
def pair(request, made):
    card, psam = made[request.param]
    return Pair(request.param, card.fork(), psam.fork())


def test_ssse_5_1_the_environment_has_the_algorithms_name(pair):
    for algorithm, name in NAMES.items():
        expected = "9000" if algorithm == pair.algorithm else "6A82"
        assert pair.sam.sw(f"00A404000F{name}") == expected


# ---- 10.4, 10.5 ------------------------------------------------------------------------------

INTERNAL = {TDES: "70927040DD33EED5", SM4: "6972F455E57B70FE"}
EXTERNAL = {
    ("04", "12"): {TDES: "BF73E23E92A1E839", SM4: "4CFC560E7B2A9A82"},
    ("0A", "0A"): {TDES: "FB29555E8226EBE0", SM4: "7AE680161FDB4550"},
    ("06", "10"): {TDES: "ACF51F5F07C1063C", SM4: "3B0C97402EC5C775"},
}
USAGES = {"12": "48", "0A": "47", "10": "48"}


def test_ssse_10_4_the_psam_repeats_the_cards_answer(pair):
    """Three levels: the IRK is the nation's, 67/08."""
    x = pair.cryptogram("67", "08", F, D)
    assert x == INTERNAL[pair.algorithm]
    assert pair.card(f"0088000010{F}{D}") == x + "9000"


@pytest.mark.parametrize(("kid", "number"), EXTERNAL)
@pytest.mark.parametrize("version", ["", "01"], ids=["without version", "with version"])
def test_ssse_10_5_the_psam_proves_itself_to_the_card(pair, kid, number, version):
    pair.card.challenge(R)
    x = pair.cryptogram(USAGES[number], number, R, R)
    assert x == EXTERNAL[kid, number][pair.algorithm]
    lc = 0x10 + len(version) // 2
    assert pair.card(f"008200{kid}{lc:02X}{x}{R}{version}") == "9000"


@pytest.mark.parametrize(
    ("kid", "number", "x"),
    [
        ("04", "12", "5ECACAC2C15DBCFB"),
        ("0A", "0A", "617309BEDD51452D"),
        ("06", "10", "9899687C652BA10F"),
    ],
)
def test_ssse_10_5_with_data_of_the_terminals_choice(made, kid, number, x):
    card, psam = made[TDES]
    pair = Pair(TDES, card.fork(), psam.fork(), link="t0")
    pair.card.challenge(R)
    assert pair.cryptogram(USAGES[number], number, R, D) == x
    assert pair.card(f"008200{kid}10{x}{D}") == "9000"


# ---- 10.6 ------------------------------------------------------------------------------------

MESSAGES = {
    "unblock PIN": {TDES: "8424000004 5C697EAA", SM4: "8424000004 4493AE53"},
    "block": {TDES: "841E000004 8FF979D3", SM4: "841E000004 F7248E8F"},
    "block for good": {TDES: "841E000104 9266B9C8", SM4: "841E000104 85F47814"},
    "block the card": {TDES: "8416000004 F3EC3E90", SM4: "8416000004 90FB83F0"},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_ssse_10_6_commands_without_data(pair, name):
    command = MESSAGES[name][pair.algorithm]
    header, mac = command.split()
    kid, number = ("06", "10") if name == "unblock PIN" else ("05", "11")
    pair.prove(kid, "48", number)
    pair.card.challenge(SM_R)
    assert pair.stk_mac(header) == mac
    assert pair.card(command) == "9000"


def test_ssse_10_6_unblock_the_application(pair):
    header, mac = {TDES: "8418000004 E3404AD1", SM4: "8418000004 2BB84474"}[pair.algorithm].split()
    pair.prove("05", "48", "11")
    pair.card.challenge(SM_R)
    pair.card.ok("841E000004" + pair.stk_mac("841E000004"))
    assert pair.card.sw("00B2052800") == "6985"
    pair.card.challenge(SM_R)
    assert pair.stk_mac(header) == mac
    assert pair.card(header + mac) == "9000"
    assert pair.card.sw("00B2052800") == "9000"


def test_ssse_10_6_reload_the_pin(pair):
    header, cipher, mac = {
        TDES: "842400010C BC40DDFABC3DA1AC 83A71E7D",
        SM4: "8424000114 D14D2AEB47EEC8186A420E56C70B9C7B B1BCC9FE",
    }[pair.algorithm].split()
    assert pair.card("805E010007123456FF654321") == "9000"
    pair.prove("06", "48", "10")
    pair.card.challenge(SM_R)
    plain = "0312345680".ljust(2 * pair.block, "0")
    assert pair.stk_enciphered(plain) == cipher
    assert pair.stk_mac(header + cipher) == mac
    assert pair.card(header + cipher + mac) == "9000"
    assert pair.card.pin() == "9000"


UPDATES = {
    (TDES, "mac"): "04DC05280A 050420240116 85F9D697",
    (SM4, "mac"): "04DC05280A 050420240116 A5AF8F1A",
    (TDES, "enc_mac"): "04DC05280C 2E3CB17E56647FDB 90AC554A",
    (SM4, "enc_mac"): "04DC052814 BA983E029364B63BA169FFE02EFFB101 D982F52D",
}


@pytest.mark.parametrize(("algorithm", "protection"), UPDATES)
def test_ssse_10_6_protected_update(made, algorithm, protection):
    profile = {TDES: "v2", SM4: "v3"}[algorithm]
    card = build(Profile.load(profile, {"ssse.ef.EF05.sm_update": protection}))
    pair = Pair(algorithm, Card.from_image(card), made[algorithm][1].fork())
    header, data, mac = UPDATES[algorithm, protection].split()
    pair.prove("04", "48", "12")
    pair.card.challenge(SM_R)
    if protection == "enc_mac":
        plain = "06050420240116"
        if len(plain) // 2 % pair.block:
            plain = (plain + "80").ljust(2 * pair.block, "0")
        assert pair.stk_enciphered(plain) == data
    assert pair.stk_mac(header + data) == mac
    assert pair.card(header + data + mac) == "9000"
    assert pair.card.data("00B2052800") == "050420240116"


def test_ssse_10_6_the_classical_form_under_3des(made):
    """sm_mode pboc_iv: 80 1A gives the STK itself, the IV is the challenge."""
    card = new_card("v2", {"ssse.ef.EF05.sm_update": "enc_mac", "sm_mode": "pboc_iv"})
    pair = Pair(TDES, card, made[TDES][1].fork())
    pair.prove("04", "48", "12")
    pair.card.challenge(SM_R)
    pair.sam.ok(f"801A480910{CARD}{CITY}")
    cipher = pair.crypt("00", "0605042024011680").hex().upper()
    assert cipher == "0564FF7E82258C4A"
    pair.sam.ok(f"801A480910{CARD}{CITY}")
    padded = "04DC05280C" + cipher + "800000"
    assert pair.crypt("05", SM_R + padded)[:4].hex().upper() == "732CD708"
    assert pair.card(f"04DC05280C{cipher}732CD708") == "9000"


# ---- 10.8 ------------------------------------------------------------------------------------


def test_ssse_10_8_debit_through_the_psam():
    """The card's DPK by value: no levels to go, so no factors. The card's own part: 10_account."""
    settings = {"application.transaction_number": 6, "card.terminal": "999901000001"}
    sam = SamDesk(new_psam("psam", settings))
    debit = "01020304 0001 000003E8 06 20240120 093000 01 00"
    assert sam.ok(f"8070000014 {debit}") == "00000007A9121DFB"
    assert sam.sw("8072000004 83549A0A") == "9000"


# ---- cos 4.7 ---------------------------------------------------------------------------------


def test_cos_4_7_session_form_of_an_sm4_key_in_the_card():
    """UK04 of the walk as SM4, by its card's own factors; the command as printed."""
    card = new_card("walk", {"ssse.key.UK04.algorithm": "sm4"})
    desk = Desk(card, algorithm=SM4).ssse()
    desk.challenge("0102030405060708")
    assert desk("0082000410 985B1CC5D6837A6A 1122334455667788") == "9000"


# ---- 10.2 ------------------------------------------------------------------------------------

LADDERS = """
IRK 3DES 404142434445464748494A4B4C4D4E4F D1638B9247396335BFC73A6B2493F815 F247A1111EA1ABDB93A83BE392602C6B 2FCFB2C86C49AED3033933E4F7828684
UK  3DES 505152535455565758595A5B5C5D5E5F E76ECD92CF71226BA29C064060C6DF32 D6BF0DA329F49FAC253C10DDD7E94E99 38E73326E8F40EC5D63492FA9E5BFADA
RK  3DES 606162636465666768696A6B6C6D6E6F 13AD800E46C9A0B344F774EDC9A48432 B6CE072B3CE54C5BE9213AA6DDFB0327 D3C7DBB85929F512EB0E1AC94F946230
STK 3DES 707172737475767778797A7B7C7D7E7F 027BB658DE7952CEF7418CCB34F8A7A0 4164E5F8E15B604CAD4658F5C4A2A6C9 6366A6516EBDE54B7754521CAB831662
PUK 3DES 808182838485868788898A8B8C8D8E8F CE1952A5AF33AE582BBE244A236B558B EAF2BF0864B9A6562AE5F9E3AA092F77 C629BD37AB3393D2B3BDDBE64B41E84A
BK  3DES 909192939495969798999A9B9C9D9E9F 429121DB6CB489C914713689E8B19C80 623D79F4229C9171B17B3B6FC0F3A51E DF9FB450118404DC0117710579D741D6
IRK SM4  404142434445464748494A4B4C4D4E4F BCC6A3099499B794AA40296AB3F846A4 67AA3908A7A70F8AA285170F5B21A691 4FA273AB8B4FE16D3584B341708CEBA3
UK  SM4  505152535455565758595A5B5C5D5E5F D52B523D0C4F4D906C48E11027FFC149 3A042DC8CB087453587F98647D437BF1 614B6ED7A91DB8559234DFC006E3A73A
RK  SM4  606162636465666768696A6B6C6D6E6F 5415193F86C7D116D7C49891CE3CF41B EA9B45545B24979879747838A2779624 75BCA6C5CB2A3DC7E2E9562504356F8D
STK SM4  707172737475767778797A7B7C7D7E7F 52BA3CD601B5B9CC87824C2FFF1F45BD AC8AA69624FCBB548ECF1840A208FDCA AF561F7D6B4435EE416B40B4225BB570
PUK SM4  808182838485868788898A8B8C8D8E8F 54F5EE26BE47D8A23377F6FA33B73F6A 219E9E2A83DFB2036CF2744E3A497383 2F42EBAB474C8D5F5A44A2BEA5141E86
BK  SM4  909192939495969798999A9B9C9D9E9F 465702D4B81E32C060D97408FF148A10 1E52866636FD50A7F6C60F2DDFCD1A32 F6DB1E68BE8FC0043C2F8B21A5B70DC5
"""
ROWS = [line.split() for line in LADDERS.strip().splitlines()]
LEVELS = {"psam-ministry": 3, "psam": 2, "psam-city": 1}


@pytest.fixture(scope="module", params=LEVELS)
def tier(request):
    """A level, the profile and the PSAM of each algorithm at it."""
    settings = {"3DES": {}, "SM4": {"cards": "v3", "environment": "sm4"}}
    profiles = {name: PsamProfile.load(request.param, settings[name]) for name in settings}
    return LEVELS[request.param], {
        name: (profile, new_psam(profile).snapshot()) for name, profile in profiles.items()
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_ssse_10_2_what_a_psam_of_each_tier_holds_leads_to_the_cards_key(tier, row):
    """Its own value is the printed one, and what it makes of it enciphers as the card's does."""
    name, algorithm, *ladder = row
    level, made = tier
    profile, psam = made[algorithm]
    held = next(key for key in profile.keys if key.name == f"{name}@SSSE")
    levels = 3 if name == "IRK" else level  # the nation's key starts at the root everywhere
    assert held.usage >> 5 == levels
    assert held.value.hex().upper() == ladder[3 - levels]
    path = "".join([CARD, CITY, PROVINCE][:levels])
    sam = SamDesk(psam.fork())
    sam.ok(f"801A{held.usage:02X}{held.id:02X}{len(path) // 2:02X}{path}")
    card_key = engine(TDES if algorithm == "3DES" else SM4, bytes.fromhex(ladder[3]))
    block = bytes(card_key.block)
    assert sam.ok(f"80FA0000{len(block):02X}{block.hex()}") == card_key.encrypt(block).hex().upper()
