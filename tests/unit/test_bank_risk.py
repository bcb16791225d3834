"""Restrictions, terminal risk management, action analysis: each bit, each limit, each code."""

from dataclasses import replace
from datetime import date, datetime
from itertools import product

import pytest
from bank_till import AAC, ARQC, AT, PAN, TC, PaperCard, h, quiet, till, with_aid

from sscard.spec.emv import TSI_BITS, TransactionType, Tsi, Tvr
from sscard.spec.pboc import TVR_BITS
from sscard.terminal.bank import ATM, KIOSK, POS, UNIONPAY, BadCardData, Memory
from sscard.terminal.bank.action import Request, after_failing_to_go_online, first_request
from sscard.terminal.bank.risk import chance_percent
from sscard.terminal.bank.transaction import Transaction, day

NOTHING = Tvr.ODA_NOT_PERFORMED


def tvr(objects=None, *, terminal=None, amount=100, aip="0800", at=AT, pay=None, **settings):
    """Return the TVR a paper card gets, but for the bit of ODA that it has no part in."""
    card = settings.pop("card", None) or PaperCard(objects, aip=aip)
    desk = till(card, terminal or quiet(), **settings)
    receipt = (pay or (lambda desk: desk.pay(amount, at)))(desk)
    return receipt.tvr & ~NOTHING


# ---- the bits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "flags", "size"), [(TVR_BITS, Tvr, 5), (TSI_BITS, Tsi, 2)])
def test_pse_2_7_the_flags_are_the_bits_of_the_table(bits, flags, size):
    places = {1 << ((size - byte) * 8 + bit - 1) for byte, bit in bits}
    assert {flag.value for flag in flags} == places
    assert bytes(flags(0)) == bytes(size)


# ---- processing restrictions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "bit"), [("0020", 0), ("0030", Tvr.VERSIONS_DIFFER), (None, 0)]
)
def test_emv_3_10_4_1_version(version, bit):
    assert tvr({0x9F08: version and h(version)}) == bit


@pytest.mark.parametrize(
    ("effective", "expires", "bit"),
    [
        ("260701", "260701", 0),
        ("260702", "301231", Tvr.NOT_YET_EFFECTIVE),
        (None, "260630", Tvr.EXPIRED),
        ("491231", "500101", Tvr.NOT_YET_EFFECTIVE | Tvr.EXPIRED),
        ("991231", "301231", 0),
    ],
)
def test_emv_3_10_4_3_dates(effective, expires, bit):
    assert tvr({0x5F25: effective and h(effective), 0x5F24: h(expires)}) == bit


def test_years_from_50_are_of_the_last_century():
    assert (day(h("491231"), ""), day(h("500101"), "")) == (date(2049, 12, 31), date(1950, 1, 1))


CASH_POS = quiet(replace(POS, additional=h("E000F0A001")))
CASH_KIOSK = quiet(replace(KIOSK, additional=h("8000000000")))
AN_ATM = quiet(replace(ATM, type=0x15))
USES = {
    "purchase": (CASH_POS, lambda desk: desk.pay(100, AT)),
    "cash": (CASH_POS, lambda desk: desk.withdraw(100, AT)),
    "cashback": (CASH_POS, lambda desk: desk.pay(100, AT, cashback=50)),
    "balance": (CASH_POS, lambda desk: desk.balance(AT)),
    "atm": (AN_ATM, lambda desk: desk.withdraw(100, AT)),
    "atm balance": (AN_ATM, lambda desk: desk.balance(AT)),
    "kiosk cash": (CASH_KIOSK, lambda desk: desk.withdraw(100, AT)),
}
NEEDED = {
    ("purchase", True): ("21 00", "09 00"),
    ("purchase", False): ("11 00", "05 00"),
    ("cash", True): ("81 00",),
    ("cash", False): ("41 00",),
    ("cashback", True): ("21 80", "09 80"),
    ("cashback", False): ("11 40", "05 40"),
    ("balance", True): ("01 00",),
    ("balance", False): ("01 00",),
    ("atm", True): ("82 00",),
    ("atm", False): ("42 00",),
    ("atm balance", True): ("02 00",),
    ("atm balance", False): ("02 00",),
    ("kiosk cash", True): ("81 00",),
    ("kiosk cash", False): ("41 00",),
}
"""What must stand in 9F07, in one way or another."""


@pytest.mark.parametrize(("use", "domestic"), NEEDED)
def test_emv_3_10_4_2_usage_control_bit_by_bit(use, domestic):
    terminal, pay = USES[use]
    country = h("0156" if domestic else "0840")

    def allowed(control):
        card = PaperCard({0x9F07: control, 0x5F28: country}, answers=[ARQC, TC])
        return Tvr.SERVICE_NOT_ALLOWED not in tvr(terminal=terminal, pay=pay, card=card)

    for needed in NEEDED[use, domestic]:
        control = h(needed)
        assert allowed(control)
        for byte, bit in product((0, 1), range(8)):
            if control[byte] >> bit & 1:
                fewer = bytearray(control)
                fewer[byte] ^= 1 << bit
                assert not allowed(bytes(fewer)), (byte, bit)
    assert allowed(b"\xff\xff")
    assert not allowed(b"\0\0")


def test_pse_5_1_the_card_of_the_plan_is_for_domestic_use():
    assert tvr({0x9F07: h("AB80")}) == 0
    abroad = replace(quiet(), country="0840")
    assert tvr({0x9F07: h("AB80")}, terminal=abroad) == Tvr.SERVICE_NOT_ALLOWED


@pytest.mark.parametrize("objects", [{0x9F07: None}, {0x9F07: h("0100"), 0x5F28: None}])
def test_emv_3_10_4_2_without_usage_control_or_country(objects):
    assert tvr(objects) == 0


# ---- floor limit, split sales --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "limit", "bit"),
    [
        (499, 500, 0),
        (500, 500, Tvr.FLOOR_LIMIT_EXCEEDED),
        (501, 500, Tvr.FLOOR_LIMIT_EXCEEDED),
        (0, 0, Tvr.FLOOR_LIMIT_EXCEEDED),
    ],
)
def test_emv_3_10_6_1_floor_limit(amount, limit, bit):
    assert tvr(terminal=with_aid(quiet(), floor_limit=limit), amount=amount) == bit


def test_emv_3_10_6_1_split_sales_are_added_up_until_the_card_was_online():
    memory = Memory()
    terminal = with_aid(quiet(), floor_limit=500)
    assert tvr(terminal=terminal, amount=300, memory=memory) == 0
    assert memory.spent_by(PAN) == 300
    assert tvr(terminal=terminal, amount=200, memory=memory) == Tvr.FLOOR_LIMIT_EXCEEDED
    other = PaperCard({0x5A: h("6210950000000000025F")})
    assert tvr(card=other, terminal=terminal, amount=200, memory=memory) == 0
    assert "6210950000000000017" not in repr(memory)


# ---- chance --------------------------------------------------------------------------------------

CHANCE = {
    "floor_limit": 1000,
    "random_threshold": 200,
    "random_target": 20,
    "random_target_max": 60,
}


@pytest.mark.parametrize(
    ("amount", "percent"),
    [(0, 20), (199, 20), (200, 20), (400, 30), (600, 40), (999, 59)],
)
def test_emv_3_10_6_2_the_share_rises_from_threshold_to_floor_limit(amount, percent):
    [settings] = with_aid(POS, **CHANCE).aids
    assert chance_percent(settings, amount) == percent
    terminal = with_aid(quiet(), **CHANCE)
    assert tvr(terminal=terminal, amount=amount, draw=lambda: percent) == Tvr.SELECTED_AT_RANDOM
    assert tvr(terminal=terminal, amount=amount, draw=lambda: percent + 1) == 0


@pytest.mark.parametrize("kind", [0x21, 0x23])
def test_emv_3_10_6_2_chance_is_for_terminals_that_can_do_both(kind):
    terminal = with_aid(replace(quiet(), type=kind), **CHANCE)
    card = PaperCard(answers=[TC] if kind == 0x23 else [ARQC, AAC])
    assert tvr(card=card, terminal=terminal, draw=lambda: 1) == 0


def test_emv_3_10_6_2_no_target_no_chance():
    assert tvr(terminal=with_aid(quiet(), floor_limit=1000), draw=lambda: 1) == 0


# ---- velocity ------------------------------------------------------------------------------------

LIMITS = {0x9F14: h("03"), 0x9F23: h("05")}
LOWER, UPPER = Tvr.LOWER_LIMIT_EXCEEDED, Tvr.UPPER_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("atc", "last", "bits"),
    [
        ("0004", "0001", 0),
        ("0005", "0001", LOWER),
        ("0006", "0001", LOWER),
        ("0007", "0001", LOWER | UPPER),
        ("0003", "0000", Tvr.NEW_CARD),
        ("0004", "0000", Tvr.NEW_CARD | LOWER),
        ("0001", "0001", LOWER | UPPER),
        ("0001", "0002", LOWER | UPPER),
        ("0001", None, LOWER | UPPER | Tvr.DATA_MISSING),
        (None, "0001", LOWER | UPPER | Tvr.DATA_MISSING),
        (None, "0000", Tvr.NEW_CARD | LOWER | UPPER | Tvr.DATA_MISSING),
        ("01", "0001", LOWER | UPPER | Tvr.DATA_MISSING),
    ],
)
def test_emv_3_10_6_3_velocity_and_new_card(atc, last, bits):
    data = {0x9F36: atc and h(atc), 0x9F13: last and h(last)}
    assert tvr(card=PaperCard(LIMITS, data=data)) == bits


@pytest.mark.parametrize("left_out", LIMITS)
def test_emv_3_10_6_3_velocity_takes_both_limits(left_out):
    card = PaperCard(LIMITS | {left_out: None}, data={0x9F13: h("0000"), 0x9F36: h("0009")})
    assert tvr(card=card) == 0
    assert not card.commands("CA")


# ---- exception file, merchant, AIP ---------------------------------------------------------------


@pytest.mark.parametrize("aip", ["0800", "0000"])
def test_emv_3_10_6_exception_file_and_merchants_wish(aip):
    memory = Memory(exceptions={PAN})
    assert tvr(memory=memory, aip=aip) == Tvr.ON_EXCEPTION_FILE
    assert tvr(pay=lambda desk: desk.pay(1, AT, forced_online=True), aip=aip) == Tvr.FORCED_ONLINE


def test_emv_3_10_6_the_aip_asks_for_risk_management():
    terminal = with_aid(quiet(), floor_limit=0)
    receipt = till(PaperCard(aip="0000"), terminal).pay(100, AT)
    assert receipt.tvr == NOTHING
    assert Tsi.TERMINAL_RISK_MANAGEMENT not in receipt.tsi
    receipt = till(PaperCard(aip="0800"), terminal).pay(100, AT)
    assert Tsi.TERMINAL_RISK_MANAGEMENT in receipt.tsi


# ---- action analysis -----------------------------------------------------------------------------

TYPES = {"both": 0x22, "online only": 0x21, "offline only": 0x23}


def analysed(kind, bit, iac, tac):
    """A transaction with one bit of the TVR, and it alone in the codes that are said."""
    codes = {
        name: bytes(Tvr(bit)) if name in tac else bytes(5)
        for name in ("tac_denial", "tac_online", "tac_default")
    }
    settings = replace(UNIONPAY[0], **codes)
    terminal = replace(POS, type=TYPES[kind])
    tags = {"denial": 0x9F0E, "online": 0x9F0F, "default": 0x9F0D}
    transaction = Transaction(
        terminal, settings, settings.aid, TransactionType.GOODS, 1, datetime(2026, 7, 1), bytes(4)
    )
    transaction.card |= {
        tag: bytes(Tvr(bit)) if name in iac else bytes(5) for name, tag in tags.items()
    }
    transaction.note(Tvr(bit))
    return transaction


CODES = tuple(product((False, True), repeat=3))


def expected(kind, denial, online, default):
    if denial:
        return Request.AAC
    if kind == "online only":
        return Request.ARQC
    if kind == "offline only":
        return Request.AAC if default else Request.TC
    return Request.ARQC if online else Request.TC


@pytest.mark.parametrize("kind", TYPES)
def test_emv_3_10_7_every_bit_in_every_combination_of_issuer_and_terminal_codes(kind):
    names = ("denial", "online", "default")
    for bit, iac, tac in product(Tvr, CODES, CODES):
        issuer = {name for name, there in zip(names, iac, strict=True) if there}
        terminal = {f"tac_{name}" for name, there in zip(names, tac, strict=True) if there}
        transaction = analysed(kind, bit, issuer, terminal)
        hits = [a or b for a, b in zip(iac, tac, strict=True)]
        assert first_request(transaction) is expected(kind, *hits)
        failing = after_failing_to_go_online(transaction)
        declined = hits[2] or kind == "online only"
        assert failing is (Request.AAC if declined else Request.TC)


@pytest.mark.parametrize(
    ("left_out", "kind", "request_"),
    [(0x9F0E, "both", Request.TC), (0x9F0F, "both", Request.ARQC), (0x9F0D, "both", Request.TC),
     (0x9F0D, "offline only", Request.AAC)],
)  # fmt: skip
def test_emv_3_10_7_codes_a_card_does_not_have(left_out, kind, request_):
    transaction = analysed(kind, Tvr.NEW_CARD, (), ())
    del transaction.card[left_out]
    assert first_request(transaction) is request_


def test_emv_3_10_7_no_bit_no_objection():
    assert first_request(analysed("both", 0, (), ())) is Request.TC


@pytest.mark.parametrize(("date_", "tag"), [("261301", 0x5F24), ("26FF01", 0x5F25)])
def test_emv_3_7_5_a_date_that_is_none_ends_the_transaction(date_, tag):
    with pytest.raises(BadCardData, match="is no"):
        tvr({tag: h(date_)})


def test_answers_are_kept_apart():
    assert (AAC, TC, ARQC) == (Request.AAC, Request.TC, Request.ARQC)
