"""Transactions with a host: issuer authentication, scripts, completion, reversal (Book 3 10.9-11)."""

from dataclasses import replace

import pytest
from bank_till import (
    AAC,
    ARQC,
    AT,
    PAN,
    PLAIN_PIN_POS,
    TC,
    Bank,
    PaperCard,
    h,
    quiet,
    signed_card,
    till,
    with_aid,
)
from pse_desk import Desk, debit_card

from sscard.errors import PowerLoss, TransportError
from sscard.iso.tlv import encode, parse
from sscard.keys import Algorithm, engine, pboc
from sscard.keys.vault import MemoryVault, Party, Root
from sscard.spec.banking import Kind, Outcome
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank import (
    ATM,
    KIOSK,
    POS,
    Attendant,
    BankTerminalError,
    Memory,
    Terminated,
    VaultPinKey,
)

ONLINE = with_aid(quiet(), tac_online=h("8000008000"), floor_limit=0)
ANSWERED_TC = [ARQC, TC]

TRANSCRIPT = (
    "00A404000E315041592E5359532E444446303100",
    "00B2010C00",
    "00B2020C00",
    "00A4040008A00000033301010100",
    "80A8000002830000",
    "00B2010C00",
    "00B2011400",
    "00B2021400",
    "00B2011C00",
    "00B2021C00",
    "00B2031C00",
    "0088000004A1B2C3D400",
    "80CA9F1700",
    "002000800826123456FFFFFFFF",
    "80AE80003400000001234500000000000001560000008000015626070100A1B2C3D410304554455354204D45524348"
    "414E542030303030303100",
    "008200000A16E77895E0513B623030",
    "80AE400036303000000001234500000000000001560000008000015626070100A1B2C3D410304554455354204D4552"
    "4348414E542030303030303100",
)
"""The commands of pse-pboc 11.3 that a terminal sends."""


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_pse_11_3_an_online_approval_command_by_command(link):
    log = []
    receipt = till(
        debit_card(),
        PLAIN_PIN_POS,
        host=Bank(),
        link=link,
        hook=lambda c, r: log.append(c.build().hex().upper()),
    ).pay(12345, AT)
    if link == "apdu":
        assert tuple(log) == TRANSCRIPT
    assert receipt.verdict == "APPROVED online"
    assert receipt.cryptogram == "TC BF0C0717E6D3496C"
    assert (bytes(receipt.tvr).hex(), bytes(receipt.tsi).hex()) == ("0000008000", "f800")
    assert (receipt.arc, receipt.holder) == ("00", "PIN, checked by the card")


def test_pse_7_the_emulated_card_logs_what_the_terminal_says():
    card = debit_card()
    till(card, PLAIN_PIN_POS, host=Bank()).pay(12345, AT)
    assert (
        Desk(card).begin().log()
        == (
            "2607011030450000000123450000000000000156015654455354204D45524348414E5420303030303031000001"
            "9000"
        )[:-4]
    )


# ---- decisions of the host -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arc", "approved"),
    [("00", True), ("10", True), ("11", True), ("01", False), ("02", False), ("05", False),
     ("51", False), ("Z9", False)],
)  # fmt: skip
def test_pse_5_4_what_the_host_says(arc, approved):
    card = PaperCard(answers=[ARQC, TC if approved else AAC])
    bank = Bank(arc=arc)
    receipt = till(card, ONLINE, host=bank).pay(100, AT)
    assert card.commands("AE")[1][4:6] == ("40" if approved else "00")
    assert receipt.approved == approved
    assert receipt.online
    assert len(bank.completions) == 1
    assert bank.reversals == []


@pytest.mark.parametrize(("accepted", "p1"), [(True, "40"), (False, "00")])
def test_emv_4_a_referral_is_the_attendants_call(accepted, p1):
    card = PaperCard(answers=[ARQC, TC if accepted else AAC])
    attendant = Attendant(referral=lambda arc: accepted)
    till(card, ONLINE, host=Bank(arc="01"), attendant=attendant).pay(100, AT)
    assert card.commands("AE")[1][4:6] == p1


def test_a_host_that_cannot_be_reached_is_no_host():
    card = PaperCard(answers=ANSWERED_TC)
    receipt = till(card, ONLINE, host=Bank(down=True)).pay(100, AT)
    assert (receipt.arc, receipt.verdict) == ("Y3", "APPROVED offline")


def test_an_offline_only_terminal_never_asks():
    bank = Bank()
    terminal = replace(ONLINE, type=0x23)
    receipt = till(PaperCard(answers=ANSWERED_TC), terminal, host=bank).pay(100, AT)
    assert bank.requests == []
    assert receipt.arc == "Y3"


# ---- issuer authentication -----------------------------------------------------------------------


@pytest.mark.parametrize(("sw", "bit"), [("9000", 0), ("6300", 1), ("6985", 1)])
def test_emv_3_10_9_issuer_authentication(sw, bit):
    card = PaperCard(aip="0C00", answers=ANSWERED_TC, replace={"0082": sw})
    receipt = till(card, ONLINE, host=Bank(authentication=h("0102030405060708") + b"00")).pay(
        100, AT
    )
    assert card.commands("82") == ["008200000A01020304050607083030"]
    assert (Tvr.ISSUER_AUTHENTICATION_FAILED in receipt.tvr) == bool(bit)
    assert Tsi.ISSUER_AUTHENTICATION in receipt.tsi


@pytest.mark.parametrize(("aip", "authentication"), [("0800", b"1234567800"), ("0C00", b"")])
def test_emv_3_10_9_without_its_bit_or_its_data_there_is_none(aip, authentication):
    card = PaperCard(aip=aip, answers=ANSWERED_TC)
    receipt = till(card, ONLINE, host=Bank(authentication=authentication)).pay(100, AT)
    assert card.commands("82") == []
    assert Tsi.ISSUER_AUTHENTICATION not in receipt.tsi


def test_emv_3_10_9_issuer_authentication_data_in_cdol2():
    card = PaperCard({0x8D: h("8A02910A")}, answers=ANSWERED_TC)
    till(card, ONLINE, host=Bank(authentication=b"1234567800")).pay(100, AT)
    assert card.commands("AE")[1][10:-2] == "3030" + b"1234567800".hex().upper()


def test_pse_5_4_a_wrong_arpc_and_a_card_that_declines_for_it():
    card = signed_card("7C00", ada="4000")
    bank = Bank(spoil=True)
    receipt = till(card, ONLINE, host=bank).pay(100, AT)
    assert receipt.verdict == "DECLINED online"
    assert Tvr.ISSUER_AUTHENTICATION_FAILED in receipt.tvr
    assert len(bank.reversals) == 1


# ---- reversal ------------------------------------------------------------------------------------


def test_emv_4_the_card_declines_what_the_host_approved():
    bank = Bank()
    receipt = till(PaperCard(answers=[ARQC, AAC]), ONLINE, host=bank).pay(100, AT)
    assert not receipt.approved
    assert len(bank.reversals) == 1
    assert bank.completions == []


@pytest.mark.parametrize("trouble", ["6985", "9000", "800340000190"])
def test_a_transaction_that_breaks_off_after_the_approval_is_reversed(trouble):
    bank = Bank()
    card = PaperCard(answers=[ARQC], replace={"80AE40": trouble})
    with pytest.raises(Terminated):
        till(card, ONLINE, host=bank).pay(100, AT)
    assert len(bank.reversals) == 1


@pytest.mark.parametrize("what", [TransportError, PowerLoss, KeyboardInterrupt])
def test_a_card_that_is_pulled_out_after_the_approval(what):
    def gone(apdu):
        raise what("the card is gone")

    bank = Bank()
    card = PaperCard(answers=[ARQC], replace={"80AE40": gone})
    with pytest.raises(what):
        till(card, ONLINE, host=bank).pay(100, AT)
    assert len(bank.reversals) == 1


def test_a_refusal_that_breaks_off_needs_no_reversal():
    bank = Bank(arc="05")
    card = PaperCard(answers=[ARQC], replace={"80AE00": "6985"})
    with pytest.raises(Terminated):
        till(card, ONLINE, host=bank).pay(100, AT)
    assert bank.reversals == []


def test_emv_2_6_6_a_wrong_signature_with_the_final_tc_is_reversed():
    bank = Bank()
    card = PaperCard(aip="0900", answers=ANSWERED_TC)
    terminal = with_aid(ONLINE, tac_online=h("0000008000"))

    def spoiled(apdu):
        card.plant["cda"] = {"spoil": True}
        return card._ae(apdu)

    card.replace = {"80AE50": spoiled}
    receipt = till(card, terminal, host=bank).pay(100, AT)
    assert not receipt.approved
    assert Tvr.CDA_FAILED in receipt.tvr
    assert len(bank.reversals) == 1


# ---- scripts -------------------------------------------------------------------------------------


def script(*commands, identifier="00000001"):
    body = encode(0x9F18, h(identifier)) if identifier else b""
    return body + b"".join(encode(0x86, h(command)) for command in commands)


GOOD, BAD = "84DA000004AABBCCDD", "84DB000004AABBCCDD"
SCRIPTS = {"84DA": "9000", "84DB": "6988", "84DC": "6283"}
TWENTY = [GOOD] * 20


@pytest.mark.parametrize(
    ("body", "result", "sent"),
    [
        (script(GOOD, GOOD), "2000000001", 2),
        (script(GOOD, BAD, GOOD), "1200000001", 2),
        (script(BAD), "1100000001", 1),
        (script("84DC000004AABBCCDD", GOOD), "2000000001", 2),
        (script(*TWENTY, BAD), "1F00000001", 21),
        (script(GOOD, identifier=""), "2000000000", 1),
        (script(), "2000000001", 0),
        (h("9F1804000000018605840000"), "0000000000", 0),
        (script(GOOD, "84DA0000FF00"), "0000000000", 0),
    ],
)
@pytest.mark.parametrize("final", [False, True])
def test_emv_3_10_10_scripts_before_and_after(body, result, sent, final):
    card = PaperCard(answers=ANSWERED_TC, replace=SCRIPTS)
    bank = Bank(**{"after" if final else "before": (body,)})
    receipt = till(card, ONLINE, host=bank).pay(100, AT)
    assert bank.script_results == h(result)
    ran = [line for line in card.log if line.startswith("84D")]
    assert len(ran) == sent
    if ran:
        after_second = card.log.index(ran[0]) > card.log.index(card.commands("AE")[1])
        assert after_second == final
    failed = Tvr.SCRIPT_FAILED_AFTER if final else Tvr.SCRIPT_FAILED_BEFORE
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED & ~Tvr.FLOOR_LIMIT_EXCEEDED == (
        0 if result.startswith("2") else failed
    )
    assert Tsi.SCRIPT_PROCESSING in receipt.tsi
    assert receipt.approved


def test_emv_3_10_10_one_failed_script_does_not_stop_the_next():
    bank = Bank(before=(script(BAD, identifier="00000001"), script(GOOD, identifier="00000002")))
    card = PaperCard(answers=ANSWERED_TC, replace=SCRIPTS)
    till(card, ONLINE, host=bank).pay(100, AT)
    assert bank.script_results == h("11000000012000000002")


def test_emv_3_10_10_the_tvr_of_the_second_cryptogram_shows_a_failed_script():
    card = PaperCard(answers=ANSWERED_TC, replace=SCRIPTS)
    till(card, ONLINE, host=Bank(before=(script(BAD),))).pay(100, AT)
    assert card.commands("AE")[1][14:24] == "8000008020"


@pytest.mark.parametrize("final", [False, True])
def test_a_card_that_goes_away_during_a_script_has_paid_once_its_tc_is_there(final):
    def gone(apdu):
        raise TransportError("the card is gone")

    bank = Bank(**{"after" if final else "before": (script(GOOD),)})
    card = PaperCard(answers=ANSWERED_TC, replace={"84DA": gone})
    if final:
        receipt = till(card, ONLINE, host=bank).pay(100, AT)
        assert receipt.approved
        assert Tvr.SCRIPT_FAILED_AFTER in receipt.tvr
        assert bank.script_results == h("1100000001")
    else:
        with pytest.raises(TransportError):
            till(card, ONLINE, host=bank).pay(100, AT)
    assert len(bank.reversals) == (not final)


def test_pse_4_4_the_completion_has_the_tvr_that_the_tc_covers():
    bank = Bank(after=(script(BAD),))
    card = PaperCard(answers=ANSWERED_TC, replace=SCRIPTS)
    receipt = till(card, ONLINE, host=bank).pay(100, AT)
    assert bytes(receipt.tvr).hex() == "8000008010"
    assert dict(parse(bank.completions[0].icc))[0x95] == h("8000008000")


# ---- PIN, ATM, kiosk -----------------------------------------------------------------------------


def test_the_online_pin_travels_to_the_host_and_nowhere_else():
    card = PaperCard({0x8E: bytes(8) + h("0200")}, aip="1800", answers=ANSWERED_TC)
    bank = Bank()
    receipt = till(
        card,
        quiet(replace(POS, type=0x21)),
        host=bank,
        pin="1234",
        online_pin=lambda digits, pan: h("1122334455667788"),
    ).pay(100, AT)
    assert bank.requests[0].pin_block == h("1122334455667788")
    assert receipt.holder == "PIN, checked by the bank"
    assert not card.commands("20")
    assert "1122334455667788" not in str(receipt.to_json())


def test_iso_9564_1_the_pin_key_of_a_terminal_comes_from_its_identification():
    root = h("00112233445566778899AABBCCDDEEFF")
    vault = MemoryVault(Party.BANK, (Root("TPK@PSE", root, levels=1),), test=True)
    factor = b"99990001"
    key = engine(Algorithm.TDES, root)
    own = key.encrypt(factor) + key.encrypt(bytes(byte ^ 0xFF for byte in factor))
    expected = engine(Algorithm.TDES, own).encrypt(pboc.online_pin_block("1234", PAN))
    assert VaultPinKey(vault, "99990001")("1234", PAN) == expected


def test_an_atm_pays_out_and_tells_the_balance():
    objects = {0x8E: bytes(8) + h("0201")}
    block = {"online_pin": lambda digits, pan: bytes(8), "pin": "1234"}
    card = PaperCard(objects, aip="1800", answers=ANSWERED_TC)
    bank = Bank(balance=98765)
    receipt = till(card, ATM, host=bank, **block).withdraw(20000, AT)
    assert receipt.verdict == "APPROVED online"
    assert card.commands("AE")[0][4:6] == "80"
    assert Tvr.ONLINE_PIN_ENTERED in receipt.tvr
    card = PaperCard({0x8E: bytes(8) + h("0200")}, aip="1800", answers=ANSWERED_TC)
    memory = Memory()
    receipt = till(card, ATM, host=Bank(balance=98765), memory=memory, **block).balance(AT)
    assert (receipt.balance, receipt.title) == ("987.65 CNY", "balance enquiry")
    assert memory.batch == []
    assert card.commands("AE")[0][-12:-10] == "31"


def test_a_kiosk_goes_on_without_a_pin_where_the_card_allows_it():
    card = PaperCard({0x8E: bytes(8) + h("42031F03")}, aip="1800", answers=ANSWERED_TC)
    receipt = till(card, KIOSK, host=Bank(), pad=None, online_pin=None).pay(100, AT)
    assert receipt.holder.startswith("nothing")


# ---- the request ---------------------------------------------------------------------------------


def test_the_host_is_told_what_the_card_signed():
    bank = Bank()
    card = debit_card()
    till(card, PLAIN_PIN_POS, host=bank).pay(12345, AT)
    elements = bank.elements
    assert elements["9F26"] == "F126D638723D8BFC"
    assert elements["9F10"] == "07010103A4100201"
    assert elements["95"] == "0000008000"
    assert elements["9F34"] == "410302"
    assert bank.requests[0].pan == PAN
    session = pboc.session_key(h("B92C67C30286B8C739D70B1BF6C7D510"), 1)
    names = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36")
    signed = h("".join(elements[name] for name in names)) + h("03A41002")
    assert pboc.cryptogram(session, signed).hex().upper() == elements["9F26"]
    assert PAN not in repr(bank.requests)


# ---- what the host could not be told -------------------------------------------------------------


def test_an_answer_that_never_came_is_reversed_before_the_next_request():
    memory, bank = Memory(), Bank(down=1)
    receipt = till(PaperCard(answers=ANSWERED_TC), ONLINE, host=bank, memory=memory).pay(100, AT)
    assert receipt.arc == "Y3"
    [waiting] = memory.pending
    assert (waiting.trace, waiting.amount_fen) == (1, 100)
    # the transaction approved offline has a number of its own
    [record] = memory.batch
    assert (record.trace, record.offline) == (2, True)
    till(PaperCard(answers=ANSWERED_TC), ONLINE, host=bank, memory=memory).pay(200, AT)
    assert [reversal.trace for reversal in bank.reversals] == [1]
    assert memory.pending == []
    assert bank.requests[-1].trace == 3


def test_an_answer_that_cannot_be_read_is_none():
    bank = Bank(issuer_data=h("9105AA"))
    receipt = till(PaperCard(answers=ANSWERED_TC), ONLINE, host=bank).pay(100, AT)
    assert receipt.arc == "Y3"


def test_a_line_that_breaks_before_the_completion():
    memory, bank = Memory(), Bank()

    def line_breaks(apdu):
        bank.down = 1
        return PaperCard(answers=[TC])._ae(apdu)

    card = PaperCard(answers=[ARQC], replace={"80AE40": line_breaks})
    assert till(card, ONLINE, host=bank, memory=memory).pay(100, AT).approved
    assert len(memory.pending) == 1
    till(PaperCard(answers=ANSWERED_TC), ONLINE, host=bank, memory=memory).pay(100, AT)
    assert [completion.trace for completion in bank.completions] == [1, 2]


def test_a_completion_carries_the_final_cryptogram():
    bank = Bank()
    till(debit_card(), PLAIN_PIN_POS, host=bank).pay(12345, AT)
    [completion] = bank.completions
    elements = dict(parse(completion.icc))
    assert elements[0x9F26] == h("BF0C0717E6D3496C")
    assert elements[0x9B] == h("F800")
    assert elements[0x8A] == b"00"
    assert (completion.outcome, completion.offline) == (Outcome.APPROVED, False)
    assert completion.approval_code == "A00001"


def test_clearing_hands_in_what_was_approved_once():
    memory, bank = Memory(), Bank()
    till(PaperCard(), quiet(), memory=memory).pay(100, AT)
    desk = till(PaperCard(answers=ANSWERED_TC), ONLINE, memory=memory, host=bank)
    desk.pay(200, AT)
    bank.down = 1
    with pytest.raises(TransportError):
        desk.settle(AT)
    till(PaperCard(), quiet(), memory=memory).pay(400, AT)
    assert desk.settle(AT).amount_fen == 300
    assert desk.settle(AT).amount_fen == 400
    assert [batch.batch for batch in bank.batches] == [1, 2]
    assert desk.settle(AT).booked == 0


def test_clearing_takes_a_host():
    with pytest.raises(BankTerminalError, match="host"):
        till(PaperCard()).settle(AT)


def test_the_request_carries_track_2_of_this_card_only():
    bank = Bank()
    till(debit_card(), PLAIN_PIN_POS, host=bank).pay(12345, AT)
    assert bank.requests[0].track2 == "6210950000000000017D30126200000012345"
    assert (bank.requests[0].expiry, bank.requests[0].psn) == ("3012", "00")
    for other in ("6210950000000000018D30126200000012345F", "6210950000000000017D3A12", "62"):
        till(PaperCard({0x57: h(other)}, answers=ANSWERED_TC), ONLINE, host=bank).pay(1, AT)
        assert bank.requests[-1].track2 == ""


def test_cashback_is_a_purchase_with_another_amount():
    bank = Bank()
    card = PaperCard(answers=ANSWERED_TC)
    till(card, ONLINE, host=bank).pay(300, AT, cashback=100)
    request = bank.requests[0]
    assert (request.kind, request.amount_fen, request.other_fen) == (Kind.PURCHASE, 300, 100)
    assert bank.elements["9C"] == "09"


def test_split_sales_start_anew_once_the_card_was_online():
    memory = Memory()
    terminal = with_aid(quiet(), floor_limit=500, tac_online=h("0000008000"))
    till(PaperCard(), terminal, memory=memory).pay(300, AT)
    till(PaperCard(answers=ANSWERED_TC), terminal, memory=memory, host=Bank()).pay(300, AT)
    assert memory.spent_by(PAN) == 0
