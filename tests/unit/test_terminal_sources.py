"""Crypto sources: PSAM and vault give the same, whatever the level; and what neither holds."""

import pytest
from sam_desk import psam_of
from social_counter import AT, NUMBER, port, psam, terminal, vault

from sscard.keys import Algorithm
from sscard.keys.diversify import diversify, province_factor
from sscard.keys.hierarchy import CARD_KEYS
from sscard.keys.purse import Transaction
from sscard.keys.vault import CardIdentity, MemoryVault, Party, Root
from sscard.perso.roots import card_identity
from sscard.sample import new_card, new_psam, sample_card, sample_psam
from sscard.terminal import (
    AlgorithmNotHeld,
    Flavour,
    KeyNotHeld,
    KeyOutOfReach,
    OtherCard,
    PsamSource,
    SettlementFailed,
    VaultSource,
)
from sscard.terminal.crypto_source import PurchaseRequest, card_key, named_key
from sscard.terminal.records import moment

CARD = card_identity("v2")
R, D = b"challeng", b"terminal"
HELD = [key for key in CARD_KEYS if key.psam and key.name not in ("DPK", "RK07")]
STK = named_key("STK@SSSE")
SM4_ROOTS = {"UK@SSSE": bytes(range(0x50, 0x60)), "STK@SSSE": bytes(range(0x70, 0x80))}
LENGTHS = (0, 1, 7, 8, 15, 16, 23, 24, 255)


def led_down():
    """The SM4 keys of a province, as `psam_of` lists them: usage, id, value."""
    province = province_factor(CARD.region)
    names = {"UK@SSSE": ("48", "12"), "STK@SSSE": ("48", "09")}
    return {
        name.replace("@", ""): (*names[name], diversify(Algorithm.SM4, value, province).hex())
        for name, value in SM4_ROOTS.items()
    }


@pytest.fixture(scope="module", params=["psam", "psam-city", "psam-ministry"])
def any_psam(request):
    return PsamSource(port(new_psam(request.param), "t0"))


def test_cos_7_2_every_key_at_every_level_agrees_with_the_vault(any_psam):
    keeper = vault()
    for key in HELD:
        assert any_psam.holds(key, CARD)
        assert keeper.holds(key, CARD)
        made = any_psam.cryptogram(key, CARD, R, D)
        assert made == keeper.cryptogram(key, CARD, R, D), key.label


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("length", LENGTHS)
def test_ssse_4_6_macs_and_enciphered_data_agree(flavour, length):
    message, sam, keeper = bytes(range(length)), psam(), vault()
    assert sam.mac(STK, CARD, R, message, flavour) == keeper.mac(STK, CARD, R, message, flavour)
    assert sam.encrypt(STK, CARD, R, message, flavour) == keeper.encrypt(
        STK, CARD, R, message, flavour
    )


@pytest.mark.parametrize("flavour", Flavour)
def test_cos_7_3_small_pieces_give_the_same(flavour):
    message = bytes(range(100))
    small = PsamSource(port(sample_psam()), piece=16)
    assert small.mac(STK, CARD, R, message, flavour) == psam().mac(STK, CARD, R, message, flavour)
    assert small.encrypt(STK, CARD, R, message, flavour) == psam().encrypt(
        STK, CARD, R, message, flavour
    )


def test_ssse_10_the_vectors():
    """10.4, 10.5 and 10.6: what the terminal must send, from the roots alone."""
    for source in (psam(), vault()):
        factor, data = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
        irk = source.cryptogram(named_key("IRK@SSSE"), CARD, factor, data)
        assert irk.hex().upper() == "70927040DD33EED5"
        challenge = bytes.fromhex("A1B2C3D4E5F60718")
        uk = source.cryptogram(card_key(0x04, "SSSE"), CARD, challenge, data)
        assert uk.hex().upper() == "5ECACAC2C15DBCFB"
        challenge = bytes.fromhex("0F1E2D3C4B5A6978")
        head = bytes.fromhex("84240000 04")
        assert source.mac(STK, CARD, challenge, head, Flavour.SESSION).hex().upper() == "5C697EAA"
        pin = source.encrypt(STK, CARD, challenge, b"\x12\x34\x56", Flavour.SESSION)
        assert pin.hex().upper() == "BC40DDFABC3DA1AC"
        head = bytes.fromhex("04DC05280A050420240116")
        assert source.mac(STK, CARD, challenge, head, Flavour.PBOC).hex().upper() == "C5D7D0D9"


def test_ssse_1_2_only_a_vault_computes_the_mac_of_the_code():
    code = bytes.fromhex("999901D156000005 00000001")
    assert vault().card_id_mac(CARD, code).hex().upper() == "F0E44726"
    assert psam().card_id_mac(CARD, code) is None


def test_ssse_10_5_sm4_cryptograms_and_macs():
    value = bytes.fromhex("505152535455565758595A5B5C5D5E5F")
    stk = bytes.fromhex("707172737475767778797A7B7C7D7E7F")
    keys = (
        Root("UK@SSSE", value, algorithm=Algorithm.SM4),
        Root("STK@SSSE", stk, algorithm=Algorithm.SM4),
    )
    keeper = VaultSource(MemoryVault(Party.SOCIAL, keys, test=True))
    challenge = bytes.fromhex("A1B2C3D4E5F60718")
    made = keeper.cryptogram(card_key(0x04, "SSSE"), CARD, challenge, challenge)
    assert made.hex().upper() == "4CFC560E7B2A9A82"
    made = keeper.mac(
        STK, CARD, bytes.fromhex("0F1E2D3C4B5A6978"), bytes.fromhex("8424000004"), Flavour.SESSION
    )
    assert made.hex().upper() == "4493AE53"


@pytest.mark.parametrize("flavour", Flavour)
def test_ssse_5_1_an_sm4_psam_agrees_with_the_vault(flavour):
    held = led_down()
    settings = {"environment": "sm4"}
    sam = PsamSource(port(psam_of(held, "sm4", **settings)))
    assert sam.algorithm is Algorithm.SM4
    roots = tuple(Root(name, value, algorithm=Algorithm.SM4) for name, value in SM4_ROOTS.items())
    keeper = VaultSource(MemoryVault(Party.SOCIAL, roots, test=True))
    uk = named_key("UK@SSSE")
    assert sam.cryptogram(uk, CARD, R, D) == keeper.cryptogram(uk, CARD, R, D)
    for length in LENGTHS:
        message = bytes(range(length))
        assert sam.mac(STK, CARD, R, message, flavour) == keeper.mac(STK, CARD, R, message, flavour)
        assert sam.encrypt(STK, CARD, R, message, flavour) == keeper.encrypt(
            STK, CARD, R, message, flavour
        )


# ---- what is not there ---------------------------------------------------------------------------


def test_a_key_the_psam_does_not_hold():
    sam = psam()
    for label in ("STK@DF04", "RK07@SSSE", "CMK@MF"):
        assert not sam.holds(named_key(label), CARD)
        with pytest.raises(KeyNotHeld, match=label):
            sam.cryptogram(named_key(label), CARD, R, D)


def test_a_key_the_vault_does_not_hold():
    empty = VaultSource(MemoryVault(Party.SOCIAL))
    assert not empty.holds(STK, CARD)
    with pytest.raises(KeyNotHeld):
        empty.mac(STK, CARD, R, b"", Flavour.SESSION)


@pytest.mark.parametrize(("kid", "directory"), [(0x99, "DF01"), (0x03, "SSSE"), (0x83, "SSSE")])
def test_a_kid_no_table_has(kid, directory):
    with pytest.raises(KeyNotHeld):
        card_key(kid, directory)


def test_ssse_3_8_a_low_kid_is_the_environments():
    assert card_key(0x0A, "DF04").label == "RK@SSSE"
    assert card_key(0x84, "DF04").label == "RK1@DF04"


def test_a_user_card_is_no_psam():
    with pytest.raises(OtherCard):
        PsamSource(port(sample_card()))


def test_another_card_gives_another_cryptogram():
    other = CardIdentity("999902", CARD.csn8)
    key = card_key(0x04, "SSSE")
    assert psam().cryptogram(key, CARD, R, D) != psam().cryptogram(key, other, R, D)


# ---- purchase ------------------------------------------------------------------------------------


def request(number=NUMBER):
    transaction = Transaction(1000, 5, number, moment(AT))
    return PurchaseRequest(transaction, b"rand", 3, 1, 0)


def test_cos_7_4_terminal_number_and_mac1_agree():
    sam, keeper = psam("t0"), vault()
    assert sam.terminal_number() == keeper.terminal_number() == NUMBER
    assert sam.purchase(CARD, request()) == keeper.purchase(CARD, request())
    assert sam.purchase(CARD, request()).number == 2


def test_cos_7_3_a_wrong_mac2_is_told():
    for source in (psam(), vault()):
        source.purchase(CARD, request())
        with pytest.raises(SettlementFailed):
            source.settle(bytes(4))
        with pytest.raises(SettlementFailed):
            source.settle(bytes(4))


def test_a_vault_without_numbers_makes_no_purchases():
    from sscard.perso.roots import demo_vault

    with pytest.raises(KeyNotHeld, match="transaction numbers"):
        VaultSource(demo_vault("v2")).purchase(CARD, request())


def test_cos_7_3_a_version_the_psam_lacks():
    with pytest.raises(KeyNotHeld, match="9403"):
        psam().purchase(CARD, request()._replace(version=9))


# ---- where a PSAM's keys reach -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "place", "reached"),
    [
        ("psam", "", True),
        ("psam", "999902", True),
        ("psam", "110000", False),
        ("psam-city", "999901", True),
        ("psam-city", "999902", False),
        ("psam-ministry", "110000", True),
    ],
)
def test_ssse_6_a_key_reaches_the_cards_of_its_tier_and_place(profile, place, reached):
    source = PsamSource(port(new_psam(profile)), place=place)
    assert source.holds(named_key("UK@SSSE"), CARD) is reached
    assert source.holds(named_key("IRK@SSSE"), CARD)  # held at the ministry's tier everywhere
    if not reached:
        with pytest.raises(KeyOutOfReach):
            source.cryptogram(named_key("UK@SSSE"), CARD, R, D)


@pytest.mark.parametrize(("place", "reached"), [("999902", True), ("110000", False)])
def test_cos_7_4_a_purchase_key_reaches_its_province(place, reached):
    key = {"usage": "42", "id": "01", "value": "D0" * 16}
    overrides = {"cards": ""} | {f"key.DPK.{word}": value for word, value in key.items()}
    source = PsamSource(port(new_psam("psam", overrides)), place=place)
    debit = Transaction(100, 5, source.terminal_number(), moment(AT))
    request = PurchaseRequest(debit, bytes(4), 0, 1, 0)
    if reached:
        assert source.purchase(CARD, request).number == 1
    else:
        with pytest.raises(KeyOutOfReach):
            source.purchase(CARD, request)


@pytest.mark.parametrize("make", [psam, vault])
def test_ssse_3_3_a_card_marked_with_another_algorithm_costs_no_try(make):
    """An SM4 card at a terminal whose keys are 3DES: said before anything is sent to the card."""
    card = new_card("v3")
    desk, before = terminal(card, make()), card.image
    with pytest.raises(AlgorithmNotHeld, match="SM4"):
        desk.check()
    with pytest.raises(AlgorithmNotHeld, match="SM4"):
        desk.visit.authenticate(0x0A)
    assert card.image == before
    assert desk.visit.source.holds(named_key("UK@SSSE"), CARD)  # the source goes on working


def test_ssse_3_3_a_marked_card_and_keys_of_its_algorithm():
    sm4 = {"cards": "v3", "environment": "sm4"}
    for source in (PsamSource(port(new_psam("psam", sm4))), vault("v3")):
        assert terminal(new_card("v3"), source).visit.authenticate_card()
    marked = new_card("v2", {"fci_alg_marker": "01"})
    for source in (psam(), vault()):
        assert terminal(marked, source).visit.authenticate_card()


@pytest.mark.parametrize("algorithm", [Algorithm.TDES, Algorithm.SM4])
def test_ssse_5_1_the_environment_of_the_wanted_algorithm(algorithm):
    for environment, held in (("3des", Algorithm.TDES), ("sm4", Algorithm.SM4)):
        slot = port(new_psam("psam", {"cards": "", "environment": environment}))
        if held is algorithm:
            assert PsamSource(slot, wanted=algorithm).algorithm is algorithm
        else:
            with pytest.raises(AlgorithmNotHeld):
                PsamSource(slot, wanted=algorithm)
    with pytest.raises(OtherCard):
        PsamSource(port(new_card("pboc")), wanted=algorithm)
