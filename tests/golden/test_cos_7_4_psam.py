"""cos 7.4 and ssse-lb002 5.3: the worked flows of the PSAM, byte for byte, over both links."""

import pytest
from sam_desk import CITY, CSN8, PROVINCE_KEYS, SamDesk, psam_of

from sscard.iso.apdu import Command
from sscard.keys import purse
from sscard.keys.line import line_mac, wrap
from sscard.keys.session import cryptogram
from sscard.perso.psam import PsamProfile
from sscard.perso.psam_script import psam_script
from sscard.sample import blank_card, new_card, sample_card, sample_psam

LINKS = ("apdu", "t0")
R = "0102030405060708"
CHOSEN = "1122334455667788"
CRYPTOGRAM = "FDBD2691886E3EB9"
DTK = bytes.fromhex("044088AE07D213AC83294DE81A316475")
MAC_INPUT = "04D6850013 0102030405060708090A0B0C0D0E0F 80000000"


@pytest.fixture(scope="module")
def province():
    psam = psam_of(PROVINCE_KEYS, card__terminal="990100000001", application__transaction_number=6)
    return psam.snapshot()


@pytest.fixture(params=LINKS)
def sam(request, province):
    return SamDesk(province.fork(), link=request.param)


# --- authentication -----------------------------------------------------------------------------


def test_cos_7_4_external_authentication(sam):
    assert sam(f"BFDE481218 {CSN8} {CITY} {R}") == "9000"
    assert sam(f"80FA000008 {CHOSEN}") == CRYPTOGRAM + "9000"


def test_cos_7_4_the_answer_waits_on_a_t0_line(province):
    sam = SamDesk(province.fork(), link="t0")
    sam.ok(f"BFDE481218 {CSN8} {CITY} {R}")
    assert sam.power.transmit(bytes.fromhex(f"80FA000008{CHOSEN}")).hex() == "6108"
    assert sam("00C0000008") == CRYPTOGRAM + "9000"


def test_cos_7_4_the_card_believes_the_psam(sam):
    """The same bytes into the card of the walk, whose UK04 is that of 4.6."""
    card = new_card("walk")
    power = card.power_on()
    power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    card.env.force_random(bytes.fromhex(R))
    assert power.transmit(bytes.fromhex("0084000008")).hex() == R + "9000"
    sam.ok(f"BFDE481218 {CSN8} {CITY} {R}")
    x = sam.ok(f"80FA000008 {CHOSEN}")
    assert x == CRYPTOGRAM
    assert power.transmit(bytes.fromhex(f"0082000410{x}{CHOSEN}")).hex() == "9000"


@pytest.mark.parametrize("link", LINKS)
def test_cos_7_4_city_level_psam(link):
    keys = {"UK04": ("28", "12", "65813F9534E07EE8D0AD800742BB1D0D")}
    sam = SamDesk(psam_of(keys), link=link)
    sam.ok(f"BFDE281210 {CSN8} {R}")
    assert sam(f"80FA000008 {CHOSEN}") == CRYPTOGRAM + "9000"


def test_ssse_5_3_terminals_select_df01_before_each_computation(sam):
    """`00 A4 02 00 02 DF01`, from the MF the first time and from DF01 itself the next."""
    sam.ok("00A40000023F00")
    for _ in range(2):
        sam.ok("00A4020002DF01", f"BFDE481218 {CSN8} {CITY} {R}")
        assert sam.ok(f"80FA000008 {CHOSEN}") == CRYPTOGRAM
    sam.ok(f"BFDE481218 {CSN8} {CITY} {R}", "00A4020002DF01")
    assert sam.sw(f"80FA000008 {CHOSEN}") == "6985", "SELECT ends the temporary key"
    assert sam.sw("00A4020002DF02") == "6A82"


@pytest.mark.parametrize("chosen", [CHOSEN, R])
def test_cos_7_4_both_second_halves_work(sam, chosen):
    """Observed terminals send a fixed text or R itself as D."""
    card_key = bytes.fromhex("B0C3BE8D15CCE35B43AE0D702B4D80CD")
    expected = cryptogram(0, card_key, bytes.fromhex(R), bytes.fromhex(chosen))
    sam.ok(f"BFDE481218 {CSN8} {CITY} {R}")
    assert sam.ok(f"80FA000008 {chosen}") == expected.hex().upper()


def test_cos_7_4_internal_authentication(sam):
    sam.ok(f"BFDE480818 {CSN8} {CITY} A0A1A2A3A4A5A6A7")
    assert sam.ok("80FA000008 B0B1B2B3B4B5B6B7") == "1236A25CE2B2577B"


@pytest.mark.parametrize("link", LINKS)
def test_cos_4_7_session_form_under_sm4(link):
    """The PSAM enciphers a block; the terminal folds it to the cryptogram of 4.7."""
    keys = {"UK04": ("48", "12", "129B834A334949B4B19182B4E63E37FE")}
    sam = SamDesk(psam_of(keys, "sm4"), link=link)
    sam.ok(f"BFDE481220 {CSN8} {CITY} {R} {'00' * 8}")
    block = bytes.fromhex(sam.ok(f"80FA000010 {CHOSEN} {'00' * 8}"))
    assert block.hex().upper() == "27D7F4D06C60132CBF8CE815BAE36946"
    folded = bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True))
    assert folded.hex().upper() == "985B1CC5D6837A6A"


# --- MAC ----------------------------------------------------------------------------------------


def test_cos_7_4_mac_of_a_protected_update(sam):
    sam.ok(f"801A450910 {CSN8} {CITY}")
    assert sam(f"80FA050020 E1E2E3E400000000 {MAC_INPUT}") == "B4CB3E4D1F04D0C19000"


def test_cos_7_4_mac_of_a_protected_update_in_parts(sam):
    block = MAC_INPUT.replace(" ", "")
    sam.ok(f"801A450910 {CSN8} {CITY}")
    assert sam(f"80FA070010 E1E2E3E400000000 {block[:16]}") == "9000"
    assert sam(f"80FA030008 {block[16:32]}") == "9000"
    assert sam.ok(f"80FA010008 {block[32:]}")[:8] == "B4CB3E4D"


@pytest.mark.parametrize("link", LINKS)
def test_cos_7_4_mac_of_four_bytes_by_switch(link):
    card = psam_of({"STK": PROVINCE_KEYS["STK"]}, psam_mac="4")
    sam = SamDesk(card, link=link)
    sam.ok(f"801A450910 {CSN8} {CITY}")
    assert sam(f"80FA050020 E1E2E3E400000000 {MAC_INPUT}") == "B4CB3E4D9000"


@pytest.mark.parametrize("link", LINKS)
def test_cos_6_3_v7_mac_under_sm4(link):
    """V7 is made with UK04's SM4 card key."""
    keys = {"UK04": ("48", "12", "129B834A334949B4B19182B4E63E37FE")}
    sam = SamDesk(psam_of(keys, "sm4"), link=link)
    sam.ok(f"801A481210 {CSN8} {CITY}")
    padded = f"04D6850013 0102030405060708090A0B0C0D0E0F 80 {'00' * 11}"
    mac = sam.ok(f"80FA050030 E1E2E3E4{'00' * 12} {padded}")
    assert mac == "55288D590FD7CDFD0EA98E0AEEB0C9E5"


# --- purchase -----------------------------------------------------------------------------------

PURCHASE = f"8070000024 A1B2C3D4 0005 000003E8 06 20240315 103000 01 00 {CSN8} {CITY}"


def test_cos_7_4_purchase(sam):
    assert sam(PURCHASE) == "000000078A4008DE9000"
    assert sam("8072000004 C35D4C0A") == "9000"
    assert sam.number() == 7


def test_cos_7_4_purchase_as_the_card_sees_it(sam):
    answer = bytes.fromhex(sam.ok(PURCHASE))
    number, mac1 = int.from_bytes(answer[:4], "big"), answer[4:]
    dpk = bytes.fromhex("85C477DB6D95B302B1A6CF47C2CE93BF")
    key = purse.purchase_key(dpk, bytes.fromhex("A1B2C3D4"), 5, number)
    moment = bytes.fromhex("20240315103000")
    debit = purse.Transaction(1000, 6, bytes.fromhex("990100000001"), moment)
    assert key.hex().upper() == "BBE33C63FF6CD1E2"
    assert purse.purchase_mac1(key, debit) == mac1
    assert purse.purchase_tac(DTK, debit, number).hex().upper() == "CE049F85"
    assert sam(f"8072000004 {purse.purchase_mac2(key, 1000).hex()}") == "9000"


# --- issuing ------------------------------------------------------------------------------------

KEY_LOAD = "84D400001C EC57E7AB55420A777197DFCC3E4EA09D7EDF250B39B0E3AFE5D6CD87"
AMK = b"TEST-PSAM-AMK-01"


@pytest.fixture(params=LINKS)
def in_issue(request):
    """A PSAM whose application has its master key and nothing else yet."""
    profile = PsamProfile.load(
        "psam", {"cards": "", "key.DPK.usage": "42", "key.DPK.id": "01", "key.DPK.value": "00" * 16}
    )
    card = blank_card(profile)
    sam = SamDesk(card, link=request.param, select=False)
    steps = psam_script(profile)
    step = next(steps)
    written = 0
    while written < 3:  # the MF's master and maintenance key, the application's master key
        answer = sam.power.transmit(step.apdu)
        assert answer[-2] in (0x90, 0x61), step
        written += step.secret
        step = steps.send(answer[:-2])
    return sam


def test_cos_7_4_key_load_and_end_issue(in_issue):
    sam = in_issue
    sam.challenge("51525354")
    assert sam(KEY_LOAD) == "9000"
    sam.challenge("5152535455565758")
    assert sam("841C000004 E3622C94") == "9000"
    moment = "20240315103000"
    purchase = f"8070000024 A1B2C3D4 0005 000003E8 06 {moment} 01 00 {CSN8} {CITY}"
    assert sam.ok(purchase)[:8] == "00000001"


def test_cos_7_2_key_load_plain_data():
    plain = bytes.fromhex("420100 A61133D3CB9D4CB31671F280F851C361")
    wrapped = wrap(0, AMK, plain)
    message = bytes.fromhex("84D400001C") + wrapped
    sent = message + line_mac(0, AMK, bytes.fromhex("51525354"), message)
    assert sent == bytes.fromhex(KEY_LOAD)


# --- the sample PSAM and the sample card ----------------------------------------------------------

CF, CITY_2, PROVINCE_2 = "8649999900000001", "3939393930317378", "3939303030307368"
SSSE = "00A404000F 7378312E73682EC9E7BBE1B1A3D5CF"


@pytest.fixture(params=LINKS)
def pair(request):
    """Card and PSAM of the sample, powered."""
    card = SamDesk(sample_card(), link=request.param, select=False)
    sam = SamDesk(sample_psam(), link=request.param, select=False)
    card.ok(SSSE)
    return card, sam


def test_ssse_5_3_internal_authentication(pair):
    card, sam = pair
    atr = card.power.atr
    card.ok("00A4020002EF05")
    card_id = card.ok("00B2010412")[4:]
    assert atr[-8:].hex() == CF
    assert card_id[:6].encode().hex() + "7378" == CITY_2
    factor = card.ok("0084000008")
    sam.ok("00A4020002DF01", f"BFDE670820 {CF} {CITY_2} {PROVINCE_2} {factor}")
    x = sam.ok("80FA000008 0102030405060708")
    assert card.ok(f"0088000010 {factor} 0102030405060708") == x


def test_ssse_5_3_external_authentication_and_office_write(pair):
    card, sam = pair
    sam.ok("00A4000002DF01")
    for number, kid, update in (
        ("12", "04", "00DC05280605 0420250101"),
        ("13", "0D", "00DCEC6803EC0131"),
    ):
        assert card.sw(update) == "6982"
        challenge = card.ok("0084000008")
        sam.ok(f"BFDE48{number}18 {CF} {CITY_2} {challenge}")
        x = sam.ok(f"80FA000008 {challenge}")
        card.ok(f"008200{kid}10 {x} {challenge}")
        assert card.sw(update) == "9000"


def test_ssse_5_3_mutual_authentication_takes_fresh_randoms(pair):
    card, sam = pair
    sam.ok("00A4000002DF01")
    factor = card.ok("0084000008")
    sam.ok(f"BFDE670820 {CF} {CITY_2} {PROVINCE_2} {factor}")
    assert sam.ok(f"80FA000008 {CHOSEN}") == card.ok(f"0088000010 {factor} {CHOSEN}")
    challenge = card.ok("0084000008")
    sam.ok(f"BFDE481218 {CF} {CITY_2} {challenge}")
    x = sam.ok(f"80FA000008 {CHOSEN}")
    assert card.sw(f"0082000410 {x} {CHOSEN}") == "9000"
    sam.ok(f"BFDE481218 {CF} {CITY_2} {challenge}")
    x = sam.ok(f"80FA000008 {CHOSEN}")
    assert card.sw(f"0082000410 {x} {CHOSEN}") == "6984", "the challenge is spent"


def test_ssse_5_3_hospital_read(pair):
    """PIN, then RK1 of DF04 (67/2D): three levels."""
    card, sam = pair
    sam.ok("00A4000002DF01")
    card.ok("0020000003 123456", "00A4000002DF04")
    assert card.sw("00B2540000") != "9000"
    challenge = card.ok("0084000008")
    sam.ok(f"BFDE672D20 {CF} {CITY_2} {PROVINCE_2} {challenge}")
    x = sam.ok(f"80FA000008 {CHOSEN}")
    card.ok(f"0082008410 {x} {CHOSEN}")


def test_ssse_10_6_update_mac_by_the_psam(pair):
    """Flavour A: the session key of 48/09 makes the MAC of a protected record update."""
    _, sam = pair
    sam.ok("00A4000002DF01", f"BFDE480918 {CF} {CITY_2} 0F1E2D3C4B5A6978")
    command = Command(0x04, 0xDC, 0x05, 0x28, bytes.fromhex("050420240116"))
    message = bytes((*command[:4], 10)) + command.data
    padded = (message + b"\x80").ljust(16, b"\0").hex()
    assert sam.ok(f"80FA050018 {'00' * 8} {padded}")[:8] == "85F9D697"


def test_ssse_5_1_the_mf_and_its_files(pair):
    _, sam = pair
    assert sam.ok("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == (
        "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"
    )
    assert sam.ok("00B0960006") == "999901000001"
    assert len(sam.ok("00B0950000")) == 2 * 14
    assert sam.ok("00A4040006D15600000590") == "6F088406D15600000590"
    assert len(sam.ok("00B0970000")) == 2 * 25
