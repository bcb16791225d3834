"""INIT SESSION, INIT_FOR_DESCRYPT, DES_CRYPT: status words and states (cos 7.3)."""

import itertools

import pytest
from sam_desk import CITY, CSN8, PROVINCE, SELECT, SamDesk, psam_of

from sscard.apps.psam.ciphering import NEXT, Mode
from sscard.apps.psam.workingkeys import Chaining, Enciphering, Ready
from sscard.keys.block import Algorithm, engine
from sscard.keys.diversify import chain
from sscard.keys.mac import des_mac, retail_mac, sm4_mac
from sscard.keys.sam import TemporaryKey, lead_down, session_temporary
from sscard.spec.psam import Use, levels, usage_byte, use_of

KEY = "C2AF24BA962CBDA7FEC3A0A22A5B6577"
R = "0102030405060708"
BLOCK = "1122334455667788"
INIT = f"801A481210 {CSN8} {CITY}"
KEYS = {
    **{f"K{use:02X}": (f"{0x40 | use:02X}", "12", KEY) for use in Use if use is not Use.MASTER},
    "root": ("68", "12", KEY),
    "city": ("28", "12", KEY),
    "card": ("08", "12", KEY),
}


@pytest.fixture(scope="module")
def snapshot():
    return psam_of(KEYS).snapshot()


@pytest.fixture(params=["apdu", "t0"])
def sam(request, snapshot):
    return SamDesk(snapshot.fork(), link=request.param)


def card_key(*factors):
    return chain(0, bytes.fromhex(KEY), [bytes.fromhex(factor) for factor in factors])


# --- INIT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "factors"),
    [("68", (CSN8, CITY, PROVINCE)), ("48", (CSN8, CITY)), ("28", (CSN8,)), ("08", ())],
)
def test_cos_7_3_factors_come_innermost_first(sam, usage, factors):
    length = 8 * len(factors)
    if length:
        sam.ok(f"801A{usage}12{length:02X} {' '.join(factors)}")
        key = card_key(*reversed(factors))
        expected = engine(0, key).encrypt(bytes.fromhex(BLOCK))
        assert sam.ok(f"80FA000008 {BLOCK}") == expected.hex().upper()
    sam.ok(f"BFDE{usage}12{length + 8:02X} {' '.join(factors)} {R}")
    pk = engine(0, card_key(*reversed(factors))).encrypt(bytes.fromhex(R))
    expected = engine(1, pk).encrypt(bytes.fromhex(BLOCK))
    assert sam.ok(f"80FA000008 {BLOCK}") == expected.hex().upper()


def test_cos_7_3_a_key_without_levels_takes_no_data(sam):
    assert sam("801A0812") == "9000"
    expected = engine(0, bytes.fromhex(KEY)).encrypt(bytes.fromhex(BLOCK))
    assert sam.ok(f"80FA000008 {BLOCK}") == expected.hex().upper()


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        (f"BFDE481210 {CSN8} {R}", "6700"),
        (f"BFDE481220 {CSN8} {CITY} {PROVINCE} {R}", "6700"),
        (f"BFDE481217 {CSN8} {CITY} {R[2:]}", "6700"),
        ("BFDE4812", "6700"),
        (f"801A481208 {CSN8}", "6700"),
        (f"801A481218 {CSN8} {CITY} {R}", "6700"),
        ("801A4812", "6700"),
        (f"BFDE481318 {CSN8} {CITY} {R}", "6A88"),
        (f"BFDE881218 {CSN8} {CITY} {R}", "6A88"),
        (f"801A471310 {CSN8} {CITY}", "6A88"),
        (f"801A421210 {CSN8} {CITY}", "6981"),
        (f"801A491210 {CSN8} {CITY}", "6981"),
        (f"801A4D1210 {CSN8} {CITY}", "6981"),
        (f"801A5E1210 {CSN8} {CITY}", "6981"),
        ("801A0000", "6981"),
        ("801A0101", "6981"),
        (f"BFDF481218 {CSN8} {CITY} {R}", "6E00"),
        (f"80DE481218 {CSN8} {CITY} {R}", "6E00"),
        (f"BF1A481210 {CSN8} {CITY}", "6E00"),
    ],
)
def test_cos_7_3_init_refuses(sam, apdu, sw):
    assert sam.sw(apdu) == sw
    assert sam.sw(f"80FA000008 {BLOCK}") == "6985"


def test_cos_7_3_working_keys_are_of_the_application(snapshot):
    sam = SamDesk(snapshot.fork(), select=False)
    assert sam.sw(INIT) == "6A88"


# --- DES_CRYPT ----------------------------------------------------------------------------------

TEMPORARY = card_key(CITY, CSN8)


def test_cos_7_3_encipher_in_one_and_in_more(sam):
    data = bytes(range(24))
    expected = engine(0, TEMPORARY).encrypt(data).hex().upper()
    sam.ok(INIT)
    assert sam.ok(f"80FA000018 {data.hex()}") == expected
    sam.ok(INIT)
    parts = [sam.ok(f"80FA{p1}0008 {data[at : at + 8].hex()}") for p1, at in (("02", 0), ("02", 8))]
    parts.append(sam.ok(f"80FA000008 {data[16:].hex()}"))
    assert "".join(parts) == expected


@pytest.mark.parametrize("length", [1, 7, 8, 15, 40, 100])
def test_cos_7_3_mac_in_any_parts_is_the_retail_mac(sam, length):
    message = bytes(range(length))
    iv = bytes.fromhex(R)
    padded = (message + b"\x80").ljust(-(-(length + 1) // 8) * 8, b"\0")
    expected = retail_mac(TEMPORARY, message, iv).hex().upper()
    sam.ok(INIT)
    assert sam.ok(f"80FA0500{8 + len(padded):02X} {R} {padded.hex()}") == expected
    blocks = [padded[at : at + 8].hex() for at in range(0, len(padded), 8)]
    if len(blocks) < 2:
        return
    sam.ok(INIT, f"80FA070010 {R} {blocks[0]}")
    for block in blocks[1:-1]:
        assert sam(f"80FA030008 {block}") == "9000"
    assert sam.ok(f"80FA010008 {blocks[-1]}") == expected


def test_cos_7_3_session_key_makes_a_plain_des_mac(sam):
    sam.ok(f"BFDE481218 {CSN8} {CITY} {R}")
    pk = engine(0, TEMPORARY).encrypt(bytes.fromhex(R))
    expected = des_mac(pk, bytes.fromhex(BLOCK)[:7])
    assert sam.ok(f"80FA050010 {'00' * 8} {BLOCK[:14]}80") == expected.hex().upper()


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_cos_7_3_sm4(link):
    sam = SamDesk(psam_of({"K": ("48", "12", KEY)}, "sm4"), link=link)
    key = chain(4, bytes.fromhex(KEY), [bytes.fromhex(CITY), bytes.fromhex(CSN8)])
    message = bytes(range(20))
    padded = (message + b"\x80").ljust(32, b"\0").hex()
    sam.ok(f"801A481210 {CSN8} {CITY}")
    assert sam.sw(f"80FA000008 {BLOCK}") == "6700", "a block of SM4 is 16 bytes"
    mac = sam.ok(f"80FA050030 {'00' * 16} {padded}")
    assert mac == sm4_mac(key, message).hex().upper()
    sam.ok(f"801A481210 {CSN8} {CITY}", f"80FA070020 {'00' * 16} {padded[:32]}")
    assert sam.ok(f"80FA010010 {padded[32:]}") == mac
    assert sam.sw(f"BFDE481218 {CSN8} {CITY} {R}") == "6700", "the session factor is 16 bytes"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("80FA000007 11223344556677", "6700"),
        ("80FA000009 112233445566778899", "6700"),
        ("80FA000000", "6700"),
        ("80FA0000", "6700"),
        (f"80FA050008 {R}", "6700"),
        (f"80FA070008 {R}", "6700"),
        (f"80FA040008 {BLOCK}", "6A86"),
        (f"80FA060008 {BLOCK}", "6A86"),
        (f"80FA080008 {BLOCK}", "6A86"),
        (f"80FA000108 {BLOCK}", "6A86"),
        (f"80FA010008 {BLOCK}", "6985"),
        (f"80FA030008 {BLOCK}", "6985"),
        (f"00FA000008 {BLOCK}", "6E00"),
        (f"84FA000008 {BLOCK}", "6882"),
    ],
)
def test_cos_7_3_des_crypt_refuses_and_keeps_the_key(sam, apdu, sw):
    sam.ok(INIT)
    assert sam.sw(apdu) == sw
    assert sam.sw(f"80FA000008 {BLOCK}") == "9000"


START = {
    Ready: [INIT],
    Enciphering: [INIT, f"80FA020008 {BLOCK}"],
    Chaining: [INIT, f"80FA070010 {R} {BLOCK}"],
}


@pytest.mark.parametrize(("state", "mode"), list(itertools.product(START, Mode)))
def test_cos_7_3_every_mode_in_every_state(sam, state, mode):
    """The table NEXT, whole: what it lacks is 6985 and changes nothing."""
    sam.ok(*START[state])
    domain = sam.power.kernel.current
    before = domain.session.app
    assert type(before) is state
    answer = sam.sw(f"80FA{mode:02X}0010 {R} {BLOCK}")
    if (state, mode) in NEXT:
        assert answer == "9000"
        assert type(domain.session.app) is (NEXT[state, mode] or type(None))
    else:
        assert answer == "6985"
        assert domain.session.app is before


@pytest.mark.parametrize("use", [use for use in Use if use.makes_macs or use.enciphers])
def test_cos_7_2_the_usage_says_what_a_key_does(sam, use):
    init = f"801A{0x40 | use:02X}1210 {CSN8} {CITY}"
    sam.ok(init)
    assert sam.sw(f"80FA000008 {BLOCK}") == ("9000" if use.enciphers else "6981")
    sam.ok(init)
    assert sam.sw(f"80FA050010 {R} {BLOCK}") == ("9000" if use.makes_macs else "6981")
    sam.ok(init)
    assert sam.sw(f"80FA070010 {R} {BLOCK}") == ("9000" if use.makes_macs else "6981")


# --- the temporary key's life -----------------------------------------------------------------


@pytest.mark.parametrize(
    "ending",
    [
        f"80FA000008 {BLOCK}",
        f"80FA050010 {R} {BLOCK}",
        SELECT,
        "00A4000002DF01",
        "00A40000023F00",
        "00A40200020019",
        f"BFDE481318 {CSN8} {CITY} {R}",
        f"801A481208 {CSN8}",
        f"8070000024 A1B2C3D4 0005 000003E8 06 20240315 103000 77 00 {CSN8} {CITY}",
    ],
)
def test_cos_7_3_the_temporary_key_dies(sam, ending):
    sam.ok(INIT)
    sam(ending)
    assert sam.sw(f"80FA000008 {BLOCK}") == "6985"


def test_cos_7_3_the_temporary_key_dies_with_a_reset(sam):
    sam.ok(INIT)
    sam.power.reset()
    sam.ok(SELECT)
    assert sam.sw(f"80FA000008 {BLOCK}") == "6985"


@pytest.mark.parametrize("between", ["0084000008", "00B0970001", "00A4000002EEEE", "00DD000000"])
def test_cos_7_3_the_temporary_key_outlives(sam, between):
    """Other commands, a SELECT that failed among them (F4), leave it alone."""
    sam.ok(INIT)
    sam(between)
    assert sam.sw(f"80FA000008 {BLOCK}") == "9000"


def test_cos_7_3_computing_makes_no_eeprom_operation(sam):
    before = sam.card.eeprom.ops
    sam.ok(INIT, f"80FA000008 {BLOCK}", f"BFDE481218 {CSN8} {CITY} {R}", f"80FA000008 {BLOCK}")
    assert sam.card.eeprom.ops == before


# --- usage byte and temporary keys, pure ------------------------------------------------------


def test_cos_7_2_usage_byte():
    assert (levels(0x67), use_of(0x67)) == (3, Use.ENCIPHER)
    assert (levels(0x48), use_of(0x48)) == (2, Use.MAC_AND_ENCIPHER)
    assert (levels(0x42), use_of(0x42)) == (2, Use.PURCHASE)
    assert use_of(0x1F) is None
    for use, depth in itertools.product(Use, range(4)):
        usage = usage_byte(use, depth)
        assert (levels(usage), use_of(usage)) == (depth, use)
    with pytest.raises(ValueError, match="0 to 3"):
        usage_byte(Use.MAC, 4)


def test_a_temporary_key_shows_no_value():
    key = lead_down(0, bytes.fromhex(KEY), [])
    assert repr(key) == "<TemporaryKey 3DES>"
    assert session_temporary(key, bytes(8)).algorithm is Algorithm.DES
    assert session_temporary(TemporaryKey(Algorithm.SM4, bytes(16)), bytes(16)).block == 16
