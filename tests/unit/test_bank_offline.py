"""Transactions without a host: first and second GENERATE AC, default actions, completion."""

from dataclasses import replace
from hashlib import sha1

import pytest
from bank_till import AAC, ARQC, AT, PAN, TC, PaperCard, h, quiet, signed_card, till, with_aid
from pse_desk import debit_card

from sscard.iso.tlv import parse
from sscard.spec.banking import Outcome
from sscard.spec.emv import Tvr
from sscard.terminal.bank import KIOSK, POS, BadCardData, BankTerminalError, Memory, Terminated

ONLINE = with_aid(quiet(), tac_online=h("0000008000"), floor_limit=0)
"""A terminal that wants everything online."""


# ---- the emulated card ---------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_pse_5_3_an_offline_tc(link):
    card = signed_card("7C00")
    receipt = till(card, quiet(), link=link).pay(12345, AT)
    assert receipt.verdict == "APPROVED offline"
    assert receipt.cryptogram.startswith("TC ")
    assert (receipt.arc, receipt.atc) == ("Y1", 1)
    assert (receipt.tvr, bytes(receipt.tsi).hex()) == (0, "e800")


def test_pse_11_4_an_aac_asked_by_the_terminal():
    # 11.4: first GENERATE AC asking AAC, no VERIFY, no DDA: B7A869D22EE3E8C1 under TVR 0000008000
    card = debit_card()
    receipt = till(card, with_aid(quiet(), tac_denial=h("0000008000"), floor_limit=0)).pay(1, AT)
    assert receipt.verdict == "DECLINED offline"
    assert (receipt.arc, receipt.cryptogram[:3]) == ("Z1", "AAC")
    assert "floor limit exceeded" in receipt.reasons


@pytest.mark.parametrize(
    ("tac_default", "arc", "verdict"),
    [("0000000000", "Y3", "APPROVED offline"), ("0000008000", "Z3", "DECLINED offline")],
)
def test_pse_5_4_b_unable_to_go_online(tac_default, arc, verdict):
    static = h(
        "5A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D0500000000"
        "009F0E0500000000009F0F05D86004F8008E100000000000000000420341031E031F00"
    )
    card = signed_card("7C00", static)
    terminal = with_aid(ONLINE, tac_default=h(tac_default))
    log = []
    receipt = till(card, terminal, hook=lambda c, r: log.append(c)).pay(100, AT)
    assert (receipt.verdict, receipt.arc) == (verdict, arc)
    assert log[-1].data[:2] == arc.encode()
    assert log[-1].p1 == (0x40 if arc == "Y3" else 0)


def test_pse_5_2_a_card_that_wants_online_is_obeyed():
    card = signed_card("7C00", ada="0200")  # a new card goes online
    receipt = till(card, quiet()).pay(100, AT)
    assert receipt.arc == "Y3"
    assert receipt.atc == 1


def test_pse_12_an_expired_card_is_declined():
    terminal = with_aid(quiet(), tac_denial=h("0040000000"))
    receipt = till(debit_card(), terminal).pay(100, AT.replace(year=2031))
    assert Tvr.EXPIRED in receipt.tvr
    assert not receipt.approved


# ---- terminals that cannot or must ---------------------------------------------------------------


def test_emv_3_10_7_an_online_only_terminal_without_a_line_declines():
    terminal = replace(quiet(), type=0x21)
    card = PaperCard(answers=[ARQC, AAC])
    receipt = till(card, terminal).pay(100, AT)
    assert [line[4:6] for line in card.commands("AE")] == ["80", "00"]
    assert (receipt.arc, receipt.approved) == ("Z3", False)


@pytest.mark.parametrize(
    ("tac_default", "p1", "arc"), [("0000000000", "40", "Y3"), ("8000000000", "00", "Z3")]
)
def test_emv_3_10_7_an_offline_only_terminal_whose_card_wants_online(tac_default, p1, arc):
    # the TVR has "ODA not performed": by default codes the terminal would decline at once
    terminal = with_aid(replace(quiet(), type=0x23), tac_default=h(tac_default))
    card = PaperCard(answers=[ARQC, TC if arc == "Y3" else AAC])
    if arc == "Z3":
        card.objects[0x9F0D] = bytes(5)
        card.answers = [AAC]
        receipt = till(card, terminal).pay(100, AT)
        assert [line[4:6] for line in card.commands("AE")] == ["00"]
        assert receipt.arc == "Z1"
        return
    receipt = till(card, terminal).pay(100, AT)
    assert [line[4:6] for line in card.commands("AE")] == ["40", p1]
    assert receipt.arc == arc


def test_services_a_terminal_does_not_offer():
    with pytest.raises(BankTerminalError, match="cash"):
        till(PaperCard(), POS).withdraw(100, AT)
    with pytest.raises(BankTerminalError, match="balance"):
        till(PaperCard(), replace(POS, type=0x23)).balance(AT)


@pytest.mark.parametrize(("amount", "cashback"), [(-1, 0), (10**12, 0), (1, 2), (1, -1)])
def test_amounts_are_twelve_digits(amount, cashback):
    with pytest.raises(ValueError, match="twelve"):
        till(PaperCard()).pay(amount, AT, cashback=cashback)


# ---- answers of GENERATE AC ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answered", "allowed"),
    [
        (TC, TC, True), (TC, ARQC, True), (TC, AAC, True), (TC, 0xC0, False),
        (ARQC, ARQC, True), (ARQC, AAC, True), (ARQC, TC, False), (ARQC, 0xC0, False),
        (AAC, AAC, True), (AAC, ARQC, False), (AAC, TC, False), (AAC, 0xC0, False),
    ],
)  # fmt: skip
def test_emv_3_10_8_a_card_never_answers_more_than_it_was_asked(asked, answered, allowed):
    terminal = {
        TC: quiet(),
        ARQC: ONLINE,
        AAC: with_aid(quiet(), tac_denial=h("8000000000")),
    }[asked]
    card = PaperCard(answers=[answered, AAC])
    if allowed:
        till(card, terminal).pay(100, AT)
    else:
        with pytest.raises(Terminated, match="asked for"):
            till(card, terminal).pay(100, AT)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("AAC", ARQC), ("AAC", 0xC0), ("AAC", TC), ("TC", ARQC), ("TC", 0xC0)],
)
def test_emv_3_10_11_the_second_time_the_card_answers_tc_or_aac(asked, answered):
    terminal = with_aid(ONLINE, tac_default=h("0000008000") if asked == "AAC" else bytes(5))
    with pytest.raises(Terminated, match=f"asked for {asked}"):
        till(PaperCard(answers=[ARQC, answered]), terminal).pay(100, AT)


@pytest.mark.parametrize(
    "answer",
    [
        "", "8000", "8003400001", "800A40000143434343434343", "7708" "9F270140" "9F360100",
        "770F" "9F270140" "9F26084343434343434343", "7710" "9F36020001" "9F26084343434343434343",
        "80" "2C" "400001" + "43" * 41, "9F270140",
    ],
)  # fmt: skip
def test_emv_3_6_5_5_malformed_answers_end_the_transaction(answer):
    with pytest.raises(BadCardData):
        till(PaperCard(replace={"80AE": answer + "9000"}), quiet()).pay(100, AT)


def test_emv_3_6_5_5_format_2_without_a_signature():
    answer = "77189F3602002A9F2701409F260843434343434343439F100107"
    receipt = till(PaperCard(replace={"80AE": answer + "9000"}), quiet()).pay(100, AT)
    assert (receipt.approved, receipt.atc) == (True, 42)


@pytest.mark.parametrize("sw", ["6985", "6700", "6283"])
def test_another_status_word_ends_the_transaction(sw):
    with pytest.raises(Terminated, match=f"GENERATE AC.*{sw}"):
        till(PaperCard(replace={"80AE": sw}), quiet()).pay(100, AT)


@pytest.mark.parametrize(
    ("cid", "reason"),
    [(0x09, "service not allowed"), (0x0A, "PIN try limit"), (0x0B, "issuer authentication")],
)
def test_pse_2_6_the_receipt_says_why_the_card_declines_and_the_advice_is_kept(cid, reason):
    memory = Memory()
    receipt = till(PaperCard(answers=[cid]), quiet(), memory=memory).pay(100, AT)
    assert reason in receipt.reasons[0]
    [advice] = memory.pending
    assert (advice.outcome, advice.offline, advice.pan) == (Outcome.DECLINED, True, PAN)
    assert memory.batch == []


# ---- TC hash -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tdol", "default", "bits"),
    [
        ("9F0206", None, 0),
        (None, "9F0206", Tvr.DEFAULT_TDOL),
        (None, None, Tvr.DEFAULT_TDOL),
    ],
)
def test_emv_3_9_2_2_the_tc_hash_by_the_tdol_of_card_or_terminal(tdol, default, bits):
    objects = {0x8C: h("98149505"), 0x97: tdol and h(tdol)}
    card = PaperCard(objects)
    terminal = with_aid(quiet(), default_tdol=default and h(default))
    receipt = till(card, terminal).pay(100, AT)
    listed = h("000000000100") if tdol or default else b""
    command = card.commands("AE")[0]
    assert command[10:50] == sha1(listed).hexdigest().upper()
    assert command[50:60] == bytes(receipt.tvr).hex().upper()
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == bits


# ---- DOLs ----------------------------------------------------------------------------------------


def test_emv_3_5_4_filling_a_dol():
    dol = "9F02029F02085A085A0C9F1C049F1C0ADF7F029F37029F34009F3501"
    card = PaperCard({0x8C: h(dol)})
    till(card, quiet()).pay(123456, AT)
    assert card.commands("AE")[0][10:-2] == (
        "3456" "0000000000123456" "6210950000000000" "6210950000000000017FFFFF"
        "39393939" "39393939303030310000" "0000" "A1B2" "22"
    )  # fmt: skip


def test_terminal_elements_that_a_dol_may_ask_for():
    tags = {
        "9F15": "5999", "9F16": b"999901000000001".hex().upper(), "9F1E": b"SSCARD01".hex().upper(),
        "9F40": "6000F0A001", "9F33": "E0A8C8", "9F41": "00000001", "9F39": "05", "5F36": "02",
        "9F01": "000000009999", "9F09": "0020", "9F06": "A000000333010101", "81": "0000007B",
        "9F1B": "000F4240", "82": "0800", "5F2D": "",
    }  # fmt: skip
    dol = b"".join(h(tag) + bytes((len(value) // 2,)) for tag, value in tags.items())
    card = PaperCard({0x8C: dol})
    till(card, quiet()).pay(123, AT)
    assert card.commands("AE")[0][10:-2] == "".join(tags.values())


# ---- what is left --------------------------------------------------------------------------------


def test_emv_4_10_an_approved_transaction_waits_for_clearing():
    memory = Memory()
    till(PaperCard(), quiet(), memory=memory).pay(100, AT)
    till(PaperCard(), quiet(KIOSK), memory=memory).pay(200, AT)
    first, second = memory.batch
    assert (first.amount_fen, first.offline, first.outcome) == (100, True, Outcome.APPROVED)
    elements = dict(parse(first.icc))
    assert elements[0x9F02] == h("000000000100")
    assert elements[0x9F26] == b"C" * 8
    assert elements[0x8A] == b"Y1"
    assert elements[0x9B] == h("2800")
    assert (first.trace, second.trace) == (1, 2)
    assert PAN not in repr(memory)


def test_the_receipt_in_lines_and_as_data():
    receipt = till(PaperCard({0x8E: bytes(8) + h("1E00")}, aip="1800"), quiet()).pay(12345, AT)
    lines = dict(receipt.lines())
    assert lines["amount"] == "123.45 CNY"
    assert lines["card"] == "621095*********0017"
    assert lines["signature"]
    data = receipt.to_json()
    assert data["tvr_words"] == ["offline data authentication not performed"]
    assert data["tsi_words"][0] == "cardholder verification performed"
    assert data["approved"] is True
