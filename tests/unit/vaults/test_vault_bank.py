"""A bank's keys in vaults of every kind, against pse-pboc 11 and against pyemv."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyemv import ac, kd, sm

from sscard.keys import pboc
from sscard.keys.block import Algorithm, engine
from sscard.keys.vault import (
    BankCard,
    BankVault,
    CardForms,
    ForeignKey,
    MemoryVault,
    Party,
    Root,
    SessionForm,
    UnknownKey,
)
from sscard.registry import Centre

CARD = BankCard("6210950000000000017", "00")
MDK = {
    "AC": bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
    "MAC": bytes.fromhex("11223344556677888877665544332211"),
    "ENC": bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"),
}
ROOTS = [Root(f"MDK-{which}@PSE.DF01", value, levels=1) for which, value in MDK.items()]
ROOTS += [
    Root(f"{name}@PSE", bytes(range(n, n + 16)), levels=1) for n, name in ((1, "TPK"), (33, "PVK"))
]
COMMON = CardForms(SessionForm.COMMON)
ARQC = bytes.fromhex("F126D638723D8BFC")
AC1 = bytes.fromhex("00000001234500000000000001560000008000015626070100A1B2C3D47C00000103A41002")


@pytest.fixture
def bank(make):
    return BankVault(make(*ROOTS, party=Party.BANK))


def test_pse_11_4_and_11_5_from_every_kind_of_vault(bank):
    assert bank.cryptogram(CARD, 1, AC1) == ARQC
    assert bank.verify(CARD, 1, AC1, ARQC)
    assert not bank.verify(CARD, 2, AC1, ARQC)
    assert bank.arpc(CARD, 1, ARQC, "00").hex().upper() == "16E77895E0513B62"
    header = bytes.fromhex("04DA9F5805")
    assert bank.script_mac(CARD, 1, ARQC, header, b"\x05").hex().upper() == "F58454DC"
    stored = bank.stored_pin(CARD, "654321")
    changed = bank.pin_change(CARD, 1, stored)
    assert changed == (2, bytes.fromhex("1F67FC377BEAE6196B2A37CB41C3BB6C"))
    changed = bank.pin_change(CARD, 1, stored, bank.stored_pin(CARD, "123456"))
    assert changed == (1, bytes.fromhex("1A62284B966F124B6B2A37CB41C3BB6C"))
    idd = bank.idd_mac(CARD, 1, bytes.fromhex("0000010000"))
    assert idd.hex().upper() == "A1EB339A"
    # the first five of the twelve digits are zeros: the two-amount form of 11.6
    two = bank.idd_mac(CARD, 1, bytes.fromhex("0000010000 0000012345"))
    assert two.hex().upper() == "5CBA190F"


def test_online_pins_are_compared_enciphered(bank):
    stored = bank.stored_pin(CARD, "123456")
    block = bank.pin_of_terminal("ATM00001", CARD, "123456")
    assert block != stored
    assert bank.pin_matches("ATM00001", CARD, block, stored)
    assert not bank.pin_matches("ATM00002", CARD, block, stored)
    assert not bank.pin_matches(
        "ATM00001", CARD, bank.pin_of_terminal("ATM00001", CARD, "123457"), stored
    )
    other = BankCard("6210950000000000025", "00")
    assert not bank.pin_matches("ATM00001", other, block, stored)


def test_pse_11_6_common_session_key(make):
    bank = BankVault(make(*ROOTS, party=Party.BANK), forms=COMMON)
    key = bytes.fromhex("922696263861CC58723A0EE7866386AE")
    assert bank.cryptogram(CARD, 1, AC1) == pboc.cryptogram(key, AC1)


def test_pse_14_what_a_profile_may_say_otherwise(make):
    """Each switch both ways, from every kind of vault, against the functions the card has."""
    vault = make(*ROOTS, party=Party.BANK)
    udk = {which: pboc.udk(value, CARD.pan) for which, value in MDK.items()}
    header, ten = bytes.fromhex("84240002 14"), bytes.fromhex("00000100000000012345")
    stored = BankVault(vault).stored_pin(CARD, "654321")

    vis = BankVault(vault, forms=CardForms(SessionForm.COMMON, vis_scripts=True))
    keys = {which: pboc.vis_session_key(value, 7) for which, value in udk.items()}
    expected = pboc.script_mac(keys["MAC"], header, 7, ARQC, b"\x05")
    assert vis.script_mac(CARD, 7, ARQC, header, b"\x05") == expected
    assert vis.script_encrypt(CARD, 7, b"\x05") == pboc.script_encrypt(keys["ENC"], b"\x05")
    common = pboc.emv_common_session_key(udk["AC"], 7)
    assert vis.arpc(CARD, 7, ARQC, "00") == pboc.arpc(common, ARQC, b"00")

    bare = BankVault(vault, forms=CardForms(idd_always_padded=False))
    mac = pboc.session_key(udk["MAC"], 7)
    assert bare.idd_mac(CARD, 7, ten) == pboc.idd_mac(mac, 7, ten, always=False)
    assert bare.idd_mac(CARD, 7, ten) != BankVault(vault).idd_mac(CARD, 7, ten)
    assert bare.idd_mac(CARD, 7, ten[:5]) == pboc.idd_mac(mac, 7, ten[:5])

    other = BankVault(vault, forms=CardForms(pin_mask="AC", roles_swapped=True))
    enc = engine(Algorithm.TDES, pboc.session_key(udk["ENC"], 7))
    for current, p2 in (("", 1), ("123456", 2)):
        block = pboc.pin_change_block(udk["AC"], "654321", current or None)
        kept = other.stored_pin(CARD, current) if current else b""
        assert other.pin_change(CARD, 7, stored, kept) == (p2, enc.encrypt(block))
    options = {"pse_session_keys": "emv_csk", "pse_script_keys": "vis", "other": "x"}
    options |= {"pse_idd_padding": "if_needed", "pse_pin_change_roles": "swapped"}
    options |= {"pse_pin_change_key": "AC"}
    assert CardForms.of(options) == CardForms(SessionForm.COMMON, True, False, "AC", True)
    assert CardForms.of({}) == CardForms()
    with pytest.raises(ValueError, match="ENC or AC"):
        CardForms(pin_mask="MAC")


def test_pse_4_6_the_key_index_is_the_version_of_the_issuer_keys(make):
    older = [replace(root, version=2, value=bytes(range(16))) for root in ROOTS[:3]]
    bank = BankVault(make(*ROOTS, *older, party=Party.BANK))
    data = bytes(8)
    first, second, newest = (
        bank.cryptogram(CARD._replace(key_index=n), 1, data) for n in (1, 2, 0)
    )
    assert first != second == newest
    assert [bank.knows(CARD._replace(key_index=n)) for n in (0, 1, 2, 3)] == [True] * 3 + [False]


def test_bank_and_social_keys_share_no_vault():
    with pytest.raises(ForeignKey):
        BankVault(MemoryVault(Party.SOCIAL))
    with pytest.raises(ForeignKey):
        BankVault(MemoryVault(Party.BANK), place="SSSE")
    with pytest.raises(ForeignKey):
        Centre(vault=MemoryVault(Party.BANK))
    with pytest.raises(ForeignKey):
        MemoryVault(Party.BANK).install(Root("IRK@SSSE", bytes(16), levels=3))
    with pytest.raises(UnknownKey):
        BankVault(MemoryVault(Party.BANK)).cryptogram(CARD, 1, AC1)
    assert CARD.pan not in repr(CARD)


KEYS = st.binary(min_size=16, max_size=16)
PANS = st.text("0123456789", min_size=12, max_size=19)
COUNTERS = st.integers(1, 0xFFFF)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(KEYS, PANS, COUNTERS, st.binary(min_size=1, max_size=60), st.binary(min_size=8, max_size=8))
def test_pyemv_agrees(mdk, pan, atc, data, ac1):
    """With the common session key: pyemv has no session key of PBOC's."""
    roots = [Root(f"MDK-{which}@PSE.DF01", mdk, levels=1) for which in MDK]
    roots += ROOTS[3:]
    bank = BankVault(MemoryVault(Party.BANK, roots), forms=COMMON)
    card = BankCard(pan, "01")
    udk = kd.derive_icc_mk_a(mdk, pan, "01")
    session = kd.derive_common_sk(udk, atc.to_bytes(2, "big") + bytes(6))
    assert bank.cryptogram(card, atc, data) == ac.generate_ac(session, data, ac.PaddingType.EMV)
    assert bank.arpc(card, atc, ac1, "51") == ac.generate_arpc_1(session, ac1, b"51")
    header = bytes((0x84, 0x1E, 0, 0, 4))
    expected = sm.generate_command_mac(session, header + atc.to_bytes(2, "big") + ac1 + data, 4)
    assert bank.script_mac(card, atc, ac1, header, data) == expected
    pin = str(10**5 + atc)
    block = sm.format_vis_pin_block(pboc.udk(mdk, pan, "01"), pin)
    sealed = sm.encrypt_command_data(session, block, sm.EncryptionType.VISA)
    assert bank.pin_change(card, atc, bank.stored_pin(card, pin)) == (2, sealed)
