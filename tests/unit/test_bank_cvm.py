"""Cardholder verification: every method, every condition, every way to fail (EMV Book 3 10.5)."""

from dataclasses import replace

import pytest
from bank_till import ARQC, AT, PAN, STATIC_11_7, TC, PaperCard, h, quiet, signed_card, till
from pse_desk import debit_card

from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank import (
    KIOSK,
    POS,
    Attendant,
    Cancelled,
    Entry,
    KeyedPad,
    Terminated,
)

CVM_ON = "1800"
FULL = quiet(POS)
BLOCK = h("0102030405060708")


def cvm_list(rules, x=0, y=0):
    return x.to_bytes(4, "big") + y.to_bytes(4, "big") + h(rules)


def verify(rules, *, terminal=FULL, x=0, y=0, objects=None, card=None, amount=100, **settings):
    """Return the receipt and the CVM results (9F34) of a paper card with these rules."""
    paper = card or PaperCard(
        {0x8E: cvm_list(rules, x, y), 0x8C: h("9F340395059F3704")} | (objects or {}), aip=CVM_ON
    )
    usual = {"pin": "1234", "online_pin": lambda digits, pan: BLOCK}
    receipt = till(paper, terminal, **(usual | settings)).pay(amount, AT)
    return receipt, paper.commands("AE")[0][10:16]


# ---- methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "results", "bits"),
    [
        ("0100", "010002", 0),
        ("0400", "040002", 0),
        ("0200", "020000", Tvr.ONLINE_PIN_ENTERED),
        ("1E00", "1E0000", 0),
        ("0300", "030000", 0),
        ("0500", "050000", 0),
        ("1F00", "1F0002", 0),
        ("2000", "200002", 0),
        ("0000", "000001", Tvr.CVM_FAILED),
        ("4000", "400001", Tvr.CVM_FAILED),
    ],
)
def test_emv_3_10_5_every_method_that_succeeds_and_the_one_that_fails(rules, results, bits):
    objects = {0x9F61: b"110101199001011237", 0x9F62: h("00")}
    attendant = Attendant(document=lambda kind, number: (kind, number[-4:]) == ("00", "1237"))
    card = PaperCard(
        {0x8E: cvm_list(rules), 0x8C: h("9F340395059F3704")} | objects,
        aip=CVM_ON,
        plant={"pin": {}},
    )
    receipt, found = verify(rules, card=card, attendant=attendant)
    assert (found, receipt.tvr & ~Tvr.ODA_NOT_PERFORMED) == (results, bits)
    assert Tsi.CVM_PERFORMED in receipt.tsi
    assert receipt.signature == (rules[:2] in ("1E", "03", "05"))


@pytest.mark.parametrize("pin_key", [True, False])
def test_pse_4_10_an_enciphered_pin_goes_under_its_own_key_or_the_cards(pin_key):
    plant = {"pin": {}} if pin_key else {}
    card = PaperCard({0x8E: cvm_list("0400"), 0x8C: h("9F340395059F3704")}, aip=CVM_ON, plant=plant)
    _, results = verify("", card=card)
    assert results == "040002"
    [command] = card.commands("20")
    assert command[6:8] == "88"
    assert len(command) == 10 + 2 * (128 if pin_key else 96)


@pytest.mark.parametrize(
    ("plant", "sw", "bits"),
    [
        ({"icc": {"spoil": True}}, "", Tvr.CVM_FAILED),
        ({"pin": {"form": 5}}, "", Tvr.CVM_FAILED),
        ({"without": {0x9F46: b""}}, "", Tvr.CVM_FAILED | Tvr.DATA_MISSING),
        ({}, "6D00", Tvr.CVM_FAILED),
        ({}, "11229000", Tvr.CVM_FAILED),
    ],
    ids=["certificate", "pin-certificate", "missing", "challenge", "short-challenge"],
)
def test_pse_4_10_an_enciphered_pin_that_cannot_be_sent(plant, sw, bits):
    card = PaperCard(
        {0x8E: cvm_list("0400"), 0x8C: h("9F340395059F3704")},
        aip=CVM_ON,
        plant=plant,
        replace={"0084": sw} if sw else {},
    )
    receipt, results = verify("", card=card)
    assert (results, receipt.tvr & ~Tvr.ODA_NOT_PERFORMED) == ("040001", bits)
    assert not card.commands("20")


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_pse_4_10_the_emulated_card_takes_an_enciphered_pin(link):
    static = STATIC_11_7.replace(h("42034103"), h("44034103"))
    log = []
    receipt = till(
        signed_card("7C00", static),
        quiet(POS),
        link=link,
        hook=lambda command, reply: log.append((command.ins, command.p2, reply.sw)),
    ).pay(100, AT)
    assert (0x20, 0x88, 0x9000) in log
    assert receipt.holder == "enciphered PIN, checked by the card"


# ---- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "kind", "terminal", "met"),
    [
        ("00", "pay", FULL, True),
        ("01", "pay", FULL, False),
        ("01", "cash", quiet(replace(KIOSK, additional=h("8000000000"))), True),
        ("01", "cash", quiet(replace(POS, additional=h("8000000000"))), False),
        ("02", "pay", FULL, True),
        ("02", "cash", quiet(replace(POS, additional=h("8000000000"))), False),
        ("02", "cashback", FULL, False),
        ("03", "pay", FULL, True),
        ("04", "cash", quiet(replace(POS, additional=h("8000000000"))), True),
        ("04", "cash", quiet(replace(KIOSK, additional=h("8000000000"))), False),
        ("04", "pay", FULL, False),
        ("05", "cashback", FULL, True),
        ("05", "pay", FULL, False),
        ("0A", "pay", FULL, False),
        ("80", "pay", FULL, False),
        ("FF", "pay", FULL, False),
    ],
)
def test_emv_3_10_5_conditions(condition, kind, terminal, met):
    card = PaperCard({0x8E: cvm_list(f"1F{condition}"), 0x8C: h("9F340395059F3704")}, aip=CVM_ON)
    desk = till(card, terminal)
    match kind:
        case "pay":
            receipt = desk.pay(100, AT)
        case "cash":
            receipt = desk.withdraw(100, AT)
        case "cashback":
            receipt = desk.pay(100, AT, cashback=50)
    results = card.commands("AE")[0][10:16]
    assert results == (f"1F{condition}02" if met else "3F0001")
    assert (Tvr.CVM_FAILED in receipt.tvr) != met


@pytest.mark.parametrize(
    ("condition", "amount", "met"),
    [
        ("06", 499, True), ("06", 500, False), ("06", 501, False),
        ("07", 499, False), ("07", 500, False), ("07", 501, True),
        ("08", 899, True), ("08", 900, False), ("08", 901, False),
        ("09", 899, False), ("09", 900, False), ("09", 901, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("currency", ["0156", "0840", None])
def test_emv_3_10_5_conditions_of_amount_in_the_cards_currency(condition, amount, met, currency):
    objects = {0x9F42: h(currency) if currency else None}
    _, results = verify(f"1F{condition}", x=500, y=900, amount=amount, objects=objects)
    met = met and currency == "0156"
    assert results == (f"1F{condition}02" if met else "3F0001")


def test_emv_3_10_5_03_a_method_the_terminal_does_not_have_is_passed_over():
    receipt, results = verify("42031F00", terminal=quiet())
    assert results == "1F0002"
    assert receipt.tvr == Tvr.ODA_NOT_PERFORMED


# ---- going on and giving up ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "results", "bits"),
    [
        ("46001F00", "1F0002", Tvr.CVM_UNKNOWN),
        ("06001F00", "3F0001", Tvr.CVM_UNKNOWN | Tvr.CVM_FAILED),
        ("7D00", "3F0001", Tvr.CVM_UNKNOWN | Tvr.CVM_FAILED),
        ("40001F00", "400001", Tvr.CVM_FAILED),
        ("1F01", "3F0001", Tvr.CVM_FAILED),
        ("60005F00", "5F0002", 0),
    ],
)
def test_emv_3_10_5_bit_7_says_whether_the_next_rule_has_its_turn(rules, results, bits):
    receipt, found = verify(rules, objects={0x9F61: b"1", 0x9F62: h("00")})
    assert (found, receipt.tvr & ~Tvr.ODA_NOT_PERFORMED) == (results, bits)


@pytest.mark.parametrize("method", ["01", "02", "03", "04", "05"])
def test_emv_3_10_5_a_pin_method_the_terminal_does_not_have(method):
    bare = replace(FULL, capabilities=h("E008C8"))
    receipt, results = verify(f"{method}00", terminal=bare)
    assert results == "3F0001"
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == Tvr.PIN_PAD_MISSING | Tvr.CVM_FAILED


@pytest.mark.parametrize("method", ["1E", "1F", "20"])
def test_emv_3_10_5_another_method_the_terminal_does_not_have(method):
    bare = replace(FULL, capabilities=h("E000C8"))
    receipt, results = verify(f"{method}00", terminal=bare)
    assert results == "3F0001"
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == Tvr.CVM_FAILED


# ---- the PIN pad ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["01", "02", "04"])
@pytest.mark.parametrize(
    ("entry", "bit"),
    [(Entry.BYPASSED, Tvr.PIN_NOT_ENTERED), (Entry.NOT_WORKING, Tvr.PIN_PAD_MISSING)],
)
def test_emv_3_10_5_a_pin_that_is_not_entered(method, entry, bit):
    receipt, results = verify(f"{method}00", pad=KeyedPad.of(entry))
    assert results == f"{method}0001"
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == bit | Tvr.CVM_FAILED


def test_emv_3_10_5_no_pad_and_no_pin_key_are_a_pad_that_is_missing():
    assert Tvr.PIN_PAD_MISSING in verify("0100", pad=None)[0].tvr
    assert Tvr.PIN_PAD_MISSING in verify("0200", online_pin=None)[0].tvr


@pytest.mark.parametrize("method", ["01", "02"])
def test_a_holder_who_cancels_ends_the_transaction(method):
    with pytest.raises(Cancelled):
        verify(f"{method}00", pad=KeyedPad.of(Entry.CANCELLED))


def test_a_terminal_that_allows_no_bypass_takes_it_as_cancelled():
    with pytest.raises(Cancelled):
        verify("0100", terminal=replace(FULL, bypass=False), pad=KeyedPad.of(Entry.BYPASSED))


def test_the_pad_is_told_what_is_asked():
    pad = KeyedPad.of("9999", "1234")
    verify("0100", pad=pad)
    first, again = pad.asked
    assert (first.amount, first.online, first.tries_left, first.again) == (100, False, 3, False)
    assert (again.tries_left, again.again) == (2, True)
    assert "9999" not in repr(pad)


def test_the_online_pin_block_is_made_of_digits_and_pan():
    asked = []

    def block(digits, pan):
        asked.append((digits, pan))
        return BLOCK

    verify("0200", online_pin=block)
    assert asked == [("1234", PAN)]


# ---- tries ---------------------------------------------------------------------------------------


def test_pse_2_4_wrong_until_no_try_is_left():
    card = PaperCard({0x8E: cvm_list("0100"), 0x8C: h("9F340395059F3704")}, aip=CVM_ON)
    receipt, results = verify("", card=card, pin="9999")
    assert len(card.commands("20")) == 3
    assert results == "010001"
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == Tvr.PIN_TRIES_EXCEEDED | Tvr.CVM_FAILED


def test_pse_2_4_a_try_counter_of_zero_asks_for_no_pin():
    pad = KeyedPad.of("1234")
    card = PaperCard({0x8E: cvm_list("41001F00")}, aip=CVM_ON, tries=0)
    receipt, _ = verify("", card=card, pad=pad)
    assert pad.asked == []
    assert not card.commands("20")
    assert receipt.tvr & ~Tvr.ODA_NOT_PERFORMED == Tvr.PIN_TRIES_EXCEEDED


@pytest.mark.parametrize("sw", ["6983", "6984", "63C0"])
def test_pse_2_4_a_blocked_pin_at_verify(sw):
    card = PaperCard({0x8E: cvm_list("0100")}, aip=CVM_ON, replace={"0020": sw, "80CA": "6A88"})
    receipt, _ = verify("", card=card)
    assert len(card.commands("20")) == 1
    assert Tvr.PIN_TRIES_EXCEEDED in receipt.tvr


def test_another_status_word_of_verify_ends_the_transaction():
    card = PaperCard({0x8E: cvm_list("0100")}, aip=CVM_ON, replace={"0020": "6985"})
    with pytest.raises(Terminated, match=r"VERIFY.*6985"):
        verify("", card=card)


def test_a_card_that_never_runs_out_of_tries_is_no_card():
    card = PaperCard({0x8E: cvm_list("0100")}, aip=CVM_ON, replace={"0020": "63C5"})
    with pytest.raises(Terminated, match="tries"):
        verify("", card=card, pin="9999")


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_pse_12_3_the_emulated_card_and_its_last_try(link):
    card = debit_card()
    receipt = till(card, pad=KeyedPad.of("1111", "2222", Entry.BYPASSED), link=link).pay(100, AT)
    assert Tvr.PIN_NOT_ENTERED in receipt.tvr
    receipt = till(card, pad=KeyedPad.of("3333"), link=link).pay(100, AT)
    assert Tvr.PIN_TRIES_EXCEEDED in receipt.tvr
    receipt = till(card, pad=KeyedPad.of("123456"), link=link).pay(100, AT)
    assert Tvr.PIN_TRIES_EXCEEDED in receipt.tvr
    assert receipt.holder == "signature"


# ---- no list -------------------------------------------------------------------------------------


def test_emv_3_7_5_a_list_that_the_aip_announces_and_is_not_there():
    receipt, results = verify("", objects={0x8E: None})
    assert results == "3F0000"
    assert Tvr.DATA_MISSING in receipt.tvr
    assert Tsi.CVM_PERFORMED not in receipt.tsi


def test_emv_3_10_5_a_list_without_rules_verifies_nobody():
    receipt, results = verify("")
    assert results == "3F0000"
    assert receipt.tvr == Tvr.ODA_NOT_PERFORMED
    assert Tsi.CVM_PERFORMED not in receipt.tsi


def test_emv_3_10_5_without_its_bit_in_the_aip_nobody_is_verified():
    card = PaperCard({0x8E: cvm_list("0000")}, aip="0800", answers=[TC, ARQC])
    receipt, _ = verify("", card=card)
    assert receipt.tvr == Tvr.ODA_NOT_PERFORMED
    assert Tsi.CVM_PERFORMED not in receipt.tsi


# ---- identity document (PBOC code 20) ------------------------------------------------------------


@pytest.mark.parametrize(
    ("attendant", "number", "results"),
    [
        (Attendant(document=lambda kind, number: True), b"110101199001011237", "200002"),
        (Attendant(document=lambda kind, number: False), b"110101199001011237", "200001"),
        (Attendant(), b"110101199001011237", "200001"),
        (Attendant(document=lambda kind, number: True), None, "200001"),
    ],
    ids=["shown", "not-shown", "nobody-to-ask", "card-without-number"],
)
def test_pse_5_1_identity_document(attendant, number, results):
    objects = {0x9F61: number, 0x9F62: h("00")}
    assert verify("2000", objects=objects, attendant=attendant)[1] == results


def test_pse_5_1_an_unattended_terminal_has_no_identity_document():
    assert verify("2000", terminal=quiet(KIOSK))[1] == "3F0001"
