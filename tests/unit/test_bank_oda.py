"""Offline data authentication in the terminal: every check, with a card that fails just that."""

from dataclasses import replace
from datetime import datetime

import pytest
from bank_till import (
    AAC,
    ARQC,
    AT,
    CA,
    CA_11_7,
    ICC,
    ISSUER,
    STATIC_11_7,
    TC,
    UN,
    PaperCard,
    block,
    h,
    quiet,
    signed_card,
    test_ca,
    till,
    with_aid,
)
from pse_desk import debit_card

from sscard.iso.tlv import encode
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank import CdaMode, Terminated

SDA, DDA, CDA = "4800", "2800", "0900"
FAILED = {SDA: Tvr.SDA_FAILED, DDA: Tvr.DDA_FAILED, CDA: Tvr.CDA_FAILED}


def run(card, terminal=None, **settings):
    return till(card, terminal or quiet(), **settings).pay(100, settings.pop("at", AT))


@pytest.mark.parametrize("aip", [SDA, DDA, CDA])
def test_pse_4_9_a_genuine_card_passes(aip):
    receipt = run(PaperCard(aip=aip))
    assert receipt.approved
    assert receipt.tvr == 0
    assert Tsi.ODA_PERFORMED in receipt.tsi


@pytest.mark.parametrize(
    ("capabilities", "aip", "asked"),
    [
        ("E0A8C8", "6900", "CDA"),
        ("E0A8C0", "6900", "DDA"),
        ("E0A8C8", "6800", "DDA"),
        ("E0A880", "6900", "SDA"),
        ("E0A8C8", "4800", "SDA"),
        ("E0A800", "6900", None),
        ("E0A8C8", "0800", None),
        ("E0A840", "4800", None),
    ],
)
def test_emv_3_10_3_the_strongest_method_of_both_is_done(capabilities, aip, asked):
    terminal = replace(quiet(), capabilities=h(capabilities))
    card = PaperCard(aip=aip)
    receipt = run(card, terminal)
    assert bool(card.commands("88")) == (asked == "DDA")
    assert card.commands("AE")[0][4:6] == ("50" if asked == "CDA" else "40")
    assert (Tvr.ODA_NOT_PERFORMED in receipt.tvr) == (asked is None)
    assert (Tsi.ODA_PERFORMED in receipt.tsi) == (asked is not None)


ISSUER_FAULTS = {
    "header": {"header": 0x6B},
    "trailer": {"trailer": 0xBD},
    "format": {"form": 0x03},
    "hash": {"spoil": True},
    "of another issuer": {"identifier": "621096ff"},
    "of another issuer ": {"identifier": "62ffffff"},
    "algorithms 02": {"hash_id": 2},
    "algorithms 01, 02": {"key_id": 2},
    "expired": {"expiry": "0626"},
    "is no date": {"expiry": "1326"},
    "is no date ": {"expiry": "ff26"},
    "exponent": {"exponent": b"\x05"},
    "parts of the key": {"length": 127},
}


@pytest.mark.parametrize("aip", [SDA, DDA, CDA])
@pytest.mark.parametrize("reason", ISSUER_FAULTS)
def test_emv_2_5_3_a_fault_in_the_issuer_certificate(reason, aip):
    receipt = run(PaperCard(aip=aip, plant={"issuer": ISSUER_FAULTS[reason]}))
    assert receipt.tvr == FAILED[aip]
    assert receipt.approved  # the action codes are zeros: the bit is all that happens


ICC_FAULTS = ISSUER_FAULTS | {"of another issuer": {"identifier": "6210950000000000018f"}}
ICC_FAULTS["of another issuer "] = {"identifier": "621095000000000001ff"}


@pytest.mark.parametrize("aip", [DDA, CDA])
@pytest.mark.parametrize("reason", ICC_FAULTS)
def test_emv_2_6_4_a_fault_in_the_icc_certificate(reason, aip):
    card = PaperCard(aip=aip, plant={"icc": ICC_FAULTS[reason]})
    receipt = run(card)
    assert receipt.tvr == FAILED[aip]
    assert not card.commands("88")


def reasons(card, **settings):
    """Why the terminal declines, when a failure is enough for it to."""
    terminal = with_aid(quiet(), tac_denial=h("4C00000000"))
    receipt = run(card, terminal, **settings)
    assert not receipt.approved
    return receipt.reasons[0]


@pytest.mark.parametrize("reason", ISSUER_FAULTS)
def test_the_receipt_says_what_was_wrong(reason):
    assert reason.strip() in reasons(
        PaperCard(aip=SDA, plant={"issuer": ISSUER_FAULTS[reason]}, answers=[AAC])
    )


SSAD_FAULTS = {
    "header": {"header": 0},
    "trailer": {"trailer": 0},
    "format": {"form": 5},
    "hash": {"static": b"other"},
    "hash algorithm": {"hash_id": 9},
}


@pytest.mark.parametrize("reason", SSAD_FAULTS)
def test_emv_2_5_4_a_fault_in_the_signed_static_data(reason):
    card = PaperCard(aip=SDA, plant={"sda": SSAD_FAULTS[reason]}, answers=[AAC])
    assert reason in reasons(card)


def test_emv_2_5_4_the_data_authentication_code_can_be_asked_for():
    card = PaperCard({0x8C: h("9F450295059F3704")}, aip=SDA)
    run(card)
    assert card.commands("AE")[0][10:14] == "DAC1"


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ({"header": 0}, "header"),
        ({"trailer": 0}, "trailer"),
        ({"spoil": True}, "hash"),
    ],
)
@pytest.mark.parametrize(("aip", "which"), [(DDA, "dda"), (CDA, "cda")])
def test_emv_2_6_5_a_fault_in_a_dynamic_signature(aip, which, plant, reason):
    card = PaperCard(aip=aip, plant={which: plant}, answers=[TC if aip == CDA else AAC])
    assert reason in reasons(card)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("050203020001", "hash algorithm"),
        ("0501020101", "dynamic number"),
        ("05010A09010203040506070809", "dynamic number"),
        ("050102020001", "dynamic number"),
        ("0501FF020001", "dynamic number"),
    ],
)
def test_emv_2_6_5_the_dynamic_data_of_a_signature(fields, reason):
    signed = ICC.sign(block(h(fields), ICC.size, UN))
    card = PaperCard(aip=DDA, answers=[AAC], replace={"0088": "8060" + signed.hex() + "9000"})
    assert reason in reasons(card)


def test_emv_2_6_6_the_dynamic_data_of_a_combined_signature_have_their_length():
    def short(apdu):
        signed = ICC.sign(block(h("05010F02000140") + b"S" * 8, ICC.size, UN))
        body = h("9F2701409F36020001") + encode(0x9F4B, signed)
        return encode(0x77, body) + h("9000")

    assert "right length" in reasons(PaperCard(aip=CDA, replace={"80AE": short}))


# ---- missing data (EMV Book 3 7.5) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("aip", "tag"),
    [
        *((aip, tag) for aip in (SDA, DDA, CDA) for tag in (0x8F, 0x90, 0x92, 0x9F32)),
        *((aip, tag) for aip in (DDA, CDA) for tag in (0x9F46, 0x9F47, 0x9F48)),
    ],
)
def test_emv_3_7_5_what_a_method_takes_and_is_not_there_is_data_missing(aip, tag):
    receipt = run(PaperCard(aip=aip, plant={"without": {tag: b""}}))
    expected = FAILED[aip] if tag in (0x92, 0x9F48) else FAILED[aip] | Tvr.DATA_MISSING
    assert receipt.tvr in (expected, FAILED[aip] | Tvr.DATA_MISSING)
    assert FAILED[aip] in receipt.tvr


def test_emv_3_7_5_no_signed_static_data_is_data_missing():
    card = PaperCard(aip=SDA)
    card.ssad = bytes
    assert run(card).tvr == Tvr.SDA_FAILED | Tvr.DATA_MISSING


# ---- keys ----------------------------------------------------------------------------------------


def test_emv_2_5_2_a_terminal_without_the_ca_key_fails_the_card():
    card = PaperCard(aip=SDA, answers=[AAC])
    assert reasons(card, ca_keys=(CA_11_7,)) == "the terminal has no CA key 99"


def test_emv_2_5_2_a_ca_key_past_its_day_is_none():
    old = replace(test_ca(), expiry=AT.replace(year=2025).date())
    assert "no longer valid" in reasons(PaperCard(aip=SDA, answers=[AAC]), ca_keys=(old,))


def test_certificates_are_good_to_the_last_day_of_their_month():
    card = PaperCard(aip=SDA, plant={"issuer": {"expiry": "0726"}})
    assert till(card, quiet()).pay(100, datetime(2026, 7, 31, 23, 59)).tvr == 0


# ---- static data ---------------------------------------------------------------------------------


def test_emv_3_10_3_only_82_may_stand_in_the_static_data_tag_list():
    card = PaperCard({0x9F4A: h("8295")}, aip=SDA, answers=[AAC])
    assert "more than the AIP" in reasons(card)


def test_emv_3_10_3_without_the_tag_list_the_aip_is_not_signed():
    assert run(PaperCard({0x9F4A: None}, aip=SDA)).tvr == 0


# ---- DDA -----------------------------------------------------------------------------------------


def test_emv_2_6_5_1_the_default_ddol_stands_in():
    assert run(PaperCard({0x9F49: None}, aip=DDA)).tvr == 0
    bare = with_aid(quiet(), default_ddol=None)
    assert run(PaperCard({0x9F49: None}, aip=DDA), bare).tvr == Tvr.DDA_FAILED


def test_emv_2_6_5_1_a_ddol_must_ask_for_the_unpredictable_number():
    card = PaperCard({0x9F49: h("9F0206")}, aip=DDA)
    assert run(card).tvr == Tvr.DDA_FAILED
    assert not card.commands("88")


def test_a_refused_internal_authenticate_ends_the_transaction():
    with pytest.raises(Terminated, match=r"INTERNAL AUTHENTICATE.*6985"):
        run(PaperCard(aip=DDA, replace={"0088": "6985"}))


def test_the_signature_may_come_in_format_2():
    genuine = PaperCard(aip=DDA)

    def wrapped(apdu):
        signature = genuine._88(apdu)[2:-2]
        return encode(0x77, encode(0x9F4B, signature)) + h("9000")

    assert run(PaperCard(aip=DDA, replace={"0088": wrapped})).tvr == 0


# ---- CDA -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plant", [{"more": b"tampered"}, {"cid": AAC}, {"spoil": True}], ids=["hash", "CID", "block"]
)
def test_emv_2_6_6_a_wrong_combined_signature_with_a_tc_declines_at_once(plant):
    card = PaperCard(aip=CDA, plant={"cda": plant})
    receipt = run(card)
    assert not receipt.approved
    assert receipt.tvr == Tvr.CDA_FAILED
    assert len(card.commands("AE")) == 1
    assert receipt.arc == "Z1"


def test_emv_2_6_6_a_wrong_combined_signature_with_an_arqc_asks_for_an_aac():
    card = PaperCard(aip=CDA, plant={"cda": {"spoil": True}}, answers=[ARQC, AAC])
    receipt = run(card)
    assert [line[4:6] for line in card.commands("AE")] == ["50", "00"]
    assert not receipt.approved
    assert bytes(receipt.tvr).hex() == "0400000000"


def test_emv_2_6_6_a_tc_without_its_signature_is_no_tc():
    card = PaperCard(aip=CDA, replace={"80AE50": "8013400001" + "43" * 8 + "07010103A40000019000"})
    receipt = run(card)
    assert not receipt.approved
    assert Tvr.CDA_FAILED in receipt.tvr


def test_emv_2_6_6_an_aac_needs_no_signature():
    receipt = run(PaperCard(aip=CDA, answers=[AAC]))
    assert not receipt.approved
    assert receipt.tvr == 0
    assert Tsi.ODA_PERFORMED not in receipt.tsi


def test_emv_2_6_6_when_the_keys_fail_no_signature_is_asked_for():
    card = PaperCard(aip=CDA, plant={"icc": {"spoil": True}})
    run(card)
    assert card.commands("AE")[0][4:6] == "40"


@pytest.mark.parametrize(
    ("mode", "arqc", "final"),
    [
        (CdaMode.MODE_1, "90", "50"),
        (CdaMode.MODE_2, "90", "40"),
        (CdaMode.MODE_3, "80", "40"),
        (CdaMode.MODE_4, "80", "50"),
    ],
)
def test_emv_4_6_3_2_1_the_modes_of_cda(mode, arqc, final):
    terminal = with_aid(replace(quiet(), cda_mode=mode), tac_online=h("0000008000"), floor_limit=0)
    card = PaperCard(aip=CDA, answers=[ARQC, TC])
    receipt = run(card, terminal)
    assert [line[4:6] for line in card.commands("AE")] == [arqc, final]
    assert receipt.approved


# ---- the card itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("method", ["SDA", "DDA", "CDA"])
def test_pse_4_9_the_emulated_card_passes_every_method(method, link):
    capabilities = {"SDA": "E0A880", "DDA": "E0A8C0", "CDA": "E0A8C8"}[method]
    terminal = replace(quiet(), capabilities=h(capabilities))
    log = []
    receipt = till(signed_card(), terminal, link=link, hook=lambda c, _: log.append(c)).pay(100, AT)
    assert receipt.tvr == 0
    assert Tsi.ODA_PERFORMED in receipt.tsi
    asked = {command.p1 for command in log if command.ins == 0xAE}
    assert asked == ({0x50} if method == "CDA" else {0x40})
    assert any(command.ins == 0x88 for command in log) == (method == "DDA")


def test_pse_11_7_an_issuer_that_the_terminal_does_not_know():
    receipt = till(debit_card(), quiet(), ca_keys=(test_ca(),)).pay(100, AT)
    assert receipt.tvr == Tvr.DDA_FAILED


def test_pse_12_9_tampered_signed_static_data():
    sda = replace(quiet(), capabilities=h("E0A880"))
    record = "7081839381801527CBF120D53CC52E2B73AC1278D2C4B83A3350FC014D0B2BEA24F92EDEC6B26BD46759D3A0FECD9F298F9A88C1C04B1D16D005BCFA34BC08033C45289E2739A6F033105EEEAE34E55EFBAE6FE17BC575F8B83DE448AB7A0A30E9A7F7904623E5F8FEE1B690C9A34142647A96AB08E30D86EE006E90CF2FA210DD92372C4F72"
    receipt = till(debit_card(dgi_0303=record), sda).pay(100, AT)
    assert receipt.tvr == Tvr.SDA_FAILED


def test_pse_4_9_static_data_that_were_changed_after_signing():
    changed = STATIC_11_7.replace(h("5F2403301231"), h("5F2403311231"))
    card = signed_card("7C00", dgi_0201=encode(0x70, changed).hex())
    assert till(card, quiet()).pay(100, AT).tvr == Tvr.DDA_FAILED


def test_the_keys_of_paper_cards_are_what_they_say():
    assert (CA.size, ISSUER.size, ICC.size) == (128, 128, 96)
