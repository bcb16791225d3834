"""pse-pboc 6.1: electronic cash on the contact path, from GPO to the load."""

import itertools

import pytest
from cash_desk import (
    CASH,
    DEBIT,
    FULL,
    LIMIT,
    MDK_MAC,
    PAN,
    SINGLE,
    CashDesk,
    expected_cryptogram,
    gpo,
    n12,
)
from hypothesis import given
from hypothesis import strategies as st
from pse_desk import (
    AAC,
    ARQC,
    LIMITS,
    LOG_FORMAT,
    PIN_BAD,
    RISK,
    TC,
    Desk,
    cid,
    cryptogram,
    cvr,
    data_file,
    debit_card,
    risk,
)

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.risk import Aip, CardData, Situation, Terminal, cash_answer, is_cash
from sscard.keys import pboc
from sscard.sample import new_card

ELEMENTS = f"9F7706{n12(LIMIT)}9F7806{n12(SINGLE)}9F6D06{n12(1000)}"
RMB = b"\x01\x56"
OFFERED = {0x9F7A: b"\x01", 0x9F02: bytes.fromhex(n12(100)), 0x5F2A: RMB}
CARD = CardData(currency=RMB, country=RMB, balance=100, cash_limit=100)
FAILED_AUTHENTICATION = Indicator.ISSUER_AUTHENTICATION_FAILURE


def amount(tag, limits=LIMITS, balance=FULL, **changed):
    """A DGI 0D01 with one amount of the cash changed, or left out (None)."""
    held = {"9F77": LIMIT, "9F78": SINGLE, "9F79": balance, "9F6D": 1000, **changed}
    cash = "".join(f"{t}06{n12(a)}" for t, a in held.items() if a is not None)
    return f"{limits}{LOG_FORMAT}{cash}"


# ---- the decision in GPO -------------------------------------------------------------------------


def test_pse_6_1_gpo_answers_the_aip_and_afl_of_electronic_cash():
    desk = CashDesk()
    desk.select()
    assert desk.data(gpo(FULL)) == "800E78000801010010010301" + "18010300"
    assert desk.data("00B2031400") == "70099F7406454343303031", "9F74 is in its AFL (9203)"
    desk.select()
    assert desk.data(gpo(FULL + 1)) == "800E7C000801010010010201" + "18010300"


@pytest.mark.parametrize("balance", [FULL, FULL + 1])
@pytest.mark.parametrize("limit", [FULL, FULL + 1, None])
@pytest.mark.parametrize("paid", [0, FULL - 1, FULL, FULL + 1, FULL + 2])
def test_pse_6_1_gpo_looks_at_balance_and_single_transaction_limit(paid, balance, limit):
    desk = CashDesk(dgi_0D01=amount("", balance=balance, **{"9F78": limit}))
    fits = limit is not None and paid <= min(balance, limit)
    assert desk.opened(paid) == (CASH if fits else DEBIT)


@pytest.mark.parametrize("supported", ["00", "02", "FF"])
def test_pse_6_1_a_terminal_without_electronic_cash(supported):
    assert CashDesk().opened(100, supported=supported) == DEBIT


def test_pse_6_1_another_currency():
    assert CashDesk().opened(100, currency="0840") == DEBIT


def test_pse_6_1_no_balance_or_no_currency_of_its_own():
    assert CashDesk(dgi_0D01=amount("", balance=None)).opened(100) == DEBIT
    without = RISK.replace("9F51020156", "")
    assert CashDesk(dgi_0E01=without).opened(100) == DEBIT


def test_pse_6_1_without_pin_tries_there_is_only_debit():
    desk = CashDesk()
    assert desk.opened(100) == CASH
    for left in "210":
        assert desk.sw(PIN_BAD) == f"63C{left}"
    assert desk.opened(100) == DEBIT


def test_pse_6_1_a_card_without_pin_has_electronic_cash():
    assert is_cash(CARD, Counters(), None, OFFERED)


def test_pse_6_1_after_a_failed_issuer_or_script_there_is_only_debit():
    desk = CashDesk()
    desk.opened(FULL + 1)
    desk.pay(ARQC, FULL + 1)
    assert desk.sw("008200000A" + "00" * 8 + "3030") == "6300"
    desk.pay(TC, FULL + 1, arc="3030")
    assert desk.opened(100) == DEBIT
    desk = CashDesk()
    desk.opened(FULL + 1)
    ac1 = cryptogram(desk.pay(ARQC, FULL + 1))
    assert desk.sw(desk.load(200, ac1)[:-2] + "00") == "6988"
    assert desk.opened(100) == DEBIT


def test_pse_6_1_a_pdol_that_does_not_ask_for_it():
    """The default card: whatever the terminal is, the answer is that of debit."""
    desk = Desk(debit_card(dgi_0D01=amount("")))
    desk.begin()
    assert desk.ac(TC, amount=n12(100))[4:6] in {"80", "40"}
    assert int(desk.element("9F79")) == FULL


FACTS = {
    "supported": lambda f: f[0].pop(0x9F7A),
    "currency": lambda f: f[0].update({0x5F2A: b"\x08\x40"}),
    "no amount": lambda f: f[0].pop(0x9F02),
    "balance": lambda f: f[1].update(balance=99),
    "no balance": lambda f: f[1].update(balance=None),
    "limit": lambda f: f[1].update(cash_limit=99),
    "no limit": lambda f: f[1].update(cash_limit=None),
    "issuer": lambda f: f[2].append(FAILED_AUTHENTICATION),
    "script": lambda f: f[2].append(Indicator.SCRIPT_FAILURE),
    "pin": lambda f: f[3].append(0),
}


@pytest.mark.parametrize("broken", [set(), *itertools.combinations(FACTS, 1)], ids=str)
def test_pse_6_1_every_condition_of_the_decision(broken):
    facts = (dict(OFFERED), {"currency": RMB, "balance": 100, "cash_limit": 100}, [], [])
    for name in broken:
        FACTS[name](facts)
    offered, data, indicators, tries = facts
    counters = Counters(atc=9, indicators=Indicator(sum(indicators)))
    assert is_cash(CardData(**data), counters, tries[0] if tries else 3, offered) == (not broken)


@pytest.mark.parametrize(
    "indicator", [Indicator.ONLINE_AUTHORISATION, Indicator.SDA_FAILURE, Indicator.DDA_FAILURE]
)
def test_pse_6_1_other_indicators_do_not_matter(indicator):
    assert is_cash(CARD, Counters(indicators=indicator), 3, OFFERED)


# ---- the first GENERATE AC -----------------------------------------------------------------------


def test_pse_6_1_an_approval_debits_and_logs_and_tells_the_balance():
    desk = CashDesk()
    assert desk.opened(2500) == CASH
    answer = desk.pay(TC, 2500)
    assert (cid(answer), cvr(answer)) == ("40", "03900000")
    assert desk.balance() == FULL - 2500
    assert desk.log()[12:24] == n12(2500)
    expected = expected_cryptogram(amount=2500, aip=CASH, atc=1, cvr="03900000")
    assert cryptogram(answer) == expected
    data = bytes.fromhex(n12(FULL - 2500))[1:]
    key = pboc.session_key(pboc.udk(MDK_MAC, PAN), 1)
    told = f"0A01{data.hex()}{pboc.idd_mac(key, 1, data).hex()}".upper()
    assert answer[26:-4] == "070101039000000" + "1" + told


@pytest.mark.parametrize("kind", ["01", "03"])
@pytest.mark.parametrize("switch", ["after", "before"])
def test_pse_14_19_the_balance_in_issuer_data(switch, kind):
    template = f"9F100A0701010300000001{'0A' if kind == '01' else '0F'}{kind}"
    desk = CashDesk(dgi_9200=template, pse_cash_balance=switch)
    desk.opened(2500)
    told = desk.pay(TC, 2500)[46:56]
    assert int(told) == (FULL - 2500 if switch == "after" else FULL)
    desk.opened(100)
    assert int(desk.pay(AAC, 100)[46:56]) == FULL - 2500, "without a debit there is one balance"


def test_pse_6_1_a_decline_and_an_arqc_debit_nothing():
    desk = CashDesk()
    desk.opened(100)
    assert cid(desk.pay(AAC, 100)) == "00"
    desk.opened(100)
    assert cid(desk.pay(ARQC, 100)) == "80"
    assert cid(desk.pay(TC, 100, arc="3030")) == "40"
    assert desk.balance() == FULL


@pytest.mark.parametrize("changed", [{"amount": n12(101)}, {"currency": "0840"}], ids=str)
@pytest.mark.parametrize("p1", [TC, ARQC])
def test_pse_6_1_what_was_offered_must_be_repeated(changed, p1):
    """In the terminal's PDOL and CDOL1 data alike; for an ARQC nothing is compared."""
    desk = CashDesk()
    desk.opened(100)
    answer = desk.ac(p1, **{"amount": n12(100), **changed})
    assert cid(answer) == ("80" if p1 == ARQC else "00")
    assert (desk.balance(), desk.log()) == (FULL, "6A83")


def test_pse_6_1_tvr_tsi_and_unpredictable_number_may_differ():
    pdol = "9F38139F7A019F02065F2A0295059B029F37049F2103"
    template = (
        f"A5420A500A50424F43204445424954870101{pdol}5F2D027A689F1101019F120A"
        "50424F43204445424954BF0C059F4D020B0A"
    )
    a5 = template[6:]
    desk = CashDesk(dgi_9102=f"A5{len(a5) // 2:02X}{a5}")
    desk.select()
    terms = f"01{n12(100)}0156FFFFFFFFFFAAAA00000000"
    same, other = f"{terms}103045", f"{terms}103046"
    assert desk.data(f"80A80000198317{same}00")[4:8] == CASH
    assert cid(desk.pay(TC, 100)) == "40"
    desk.select()
    assert desk.data(f"80A80000198317{other}00")[4:8] == CASH
    assert cid(desk.pay(TC, 100)) == "00", "9F21 is in both lists and must be the same"


def test_pse_6_1_only_checks_3_and_4_run():
    """Limits, new card, an unfinished online transaction, script counts: all of no matter."""
    desk = CashDesk(dgi_0E01=risk("FFFC"), dgi_0D01=amount("", limits="9F5801009F590100"))
    desk.opened(FULL + 1)
    desk.pay(ARQC, FULL + 1)  # and the power goes
    desk.reset()
    desk.opened(100)
    answer = desk.pay(TC, 100)
    assert (cid(answer), cvr(answer)) == ("40", "03900000")


def test_pse_6_1_checks_3_and_4():
    desk = CashDesk()
    desk.opened(100)
    desk.pay(AAC, 100, tvr="4400008000")
    desk.opened(100)
    answer = desk.pay(TC, 100)
    assert (cid(answer), cvr(answer)) == ("40", "03900104")


def test_pse_6_1_an_unfinished_online_transaction_stays_unfinished():
    desk = CashDesk()
    desk.opened(FULL + 1)
    desk.pay(ARQC, FULL + 1)
    desk.opened(100)
    assert cid(desk.pay(TC, 100)) == "40"
    desk.opened(FULL + 1)
    assert cvr(desk.pay(TC, FULL + 1)) == "03A09000"


def test_pse_6_1_the_counters_of_debit_stay():
    desk = CashDesk(dgi_0E01=risk("0000", last="0003", atc="0001"))
    before = counters(desk)
    for paid, p1, country in ((100, TC, "0840"), (100, AAC, "0840"), (100, TC, "0156")):
        desk.opened(paid)
        desk.pay(p1, paid, country=country)
    after = counters(desk)
    assert after == before._replace(atc=before.atc + 3)
    desk.opened(100, supported="00")
    desk.pay(TC, 100)
    assert counters(desk).amount == 100


def counters(desk):
    at = data_file(desk.card) + 4
    return Counters.parse(desk.card.image[at : at + 20])


def test_pse_6_1_no_script_after_an_approval():
    desk = CashDesk()
    desk.opened(100)
    ac1 = cryptogram(desk.pay(TC, 100))
    assert desk.sw(desk.load(FULL, ac1)) == "6985"
    assert desk.sw("008200000A" + "00" * 10) == "6985"
    assert desk.ac(TC, arc="3030") == "6985"
    assert desk.opened(100) == CASH, "6985 is no failed script"


def test_pse_6_1_no_script_after_an_approval_even_without_pin_tries():
    desk = CashDesk()
    desk.opened(100)
    for _ in range(3):
        desk.sw(PIN_BAD)
    answer = desk.pay(TC, 100)
    assert (cid(answer), cvr(answer)) == ("40", "03964000")
    assert desk.sw(desk.script("84240000", "", cryptogram(answer))) == "6985"


def test_pse_6_1_a_blocked_application_declines_and_stays_open():
    desk = CashDesk()
    desk.opened(FULL + 1)
    ac1 = cryptogram(desk.pay(ARQC, FULL + 1))
    assert desk.sw(desk.script("841E0000", "", ac1)) == "9000"
    assert desk.select() == "6283"
    desk.data(gpo(100))
    answer = desk.pay(TC, 100)
    assert cid(answer) == "00"
    assert desk.balance() == FULL
    assert desk.sw(desk.script("84180000", "", cryptogram(answer))) == "9000"
    assert desk.select() == "9000"


def test_pse_6_1_with_cda():
    """The AIP of 9203 says it; the signature covers the issuer data with the new balance."""
    offer = "820279009410"
    desk = CashDesk(dgi_9203=f"{offer[:-2]}0C080101001001030118010300")
    desk.opened(100)
    answer = desk.pay(TC | 0x10, 100)
    assert answer.startswith("77")
    assert "9F2701409F360200019F4B60" in answer
    assert f"0A01{n12(FULL - 100)[2:]}" in answer
    assert desk.balance() == FULL - 100


def test_pse_6_1_the_whole_balance_in_steps():
    desk = CashDesk()
    for spent in range(1, 5):
        assert desk.opened(2500) == CASH
        assert cid(desk.pay(TC, 2500)) == "40"
        assert desk.balance() == FULL - 2500 * spent
    assert desk.opened(1) == DEBIT
    assert desk.opened(0) == CASH
    assert cid(desk.pay(TC, 0)) == "40"


@given(
    st.sampled_from(Ac),
    st.integers(0, 0x1F),
    st.sampled_from([{}, {0x9F02: bytes(6)}, {0x9F37: b"\0" * 4}, {0x9F7A: b"\x01"}]),
    st.booleans(),
    st.sampled_from([bytes(5), b"\x40" + bytes(4), b"\x0c" + bytes(4)]),
)
def test_pse_6_1_the_answer_as_a_table(requested, indicators, repeated, blocked, tvr):
    """R and agreement decide alone; whatever else the counters hold, they keep."""
    counters = Counters(7, 3, 55, 66, 7, 8, Indicator(indicators), 9)
    so_far = Situation(Aip.SDA | Aip.DDA, Cvr(0), 3, blocked=blocked)
    terminal = Terminal(100, RMB, RMB, tvr)
    verdict = cash_answer(
        CARD, counters, so_far, terminal, requested, {**OFFERED, 0x9F37: b"1234"}, repeated
    )
    agreed = repeated.get(0x9F02, OFFERED[0x9F02]) == OFFERED[0x9F02]
    expected = requested if not blocked and (requested is not Ac.TC or agreed) else Ac.AAC
    assert verdict.answer is expected
    assert verdict.balance == (0 if expected is Ac.TC else None)
    kept = verdict.counters._replace(indicators=counters.indicators)
    assert kept == counters
    new = verdict.counters.indicators & ~counters.indicators
    allowed = {
        Ac.TC: Indicator(0),
        Ac.ARQC: Indicator.ONLINE_AUTHORISATION,
        Ac.AAC: Indicator.SDA_FAILURE | Indicator.DDA_FAILURE,
    }[expected]
    assert not new & ~allowed
    told = bytes(verdict.cvr)
    assert told[2] == (1 if indicators & 4 else 0)
    assert told[3] == (4 if indicators & 8 else 0)


# ---- the load ------------------------------------------------------------------------------------


def online(desk, paid=FULL + 1):
    """An online transaction up to its ARQC, whose cryptogram is returned."""
    desk.opened(paid)
    answer = desk.pay(ARQC, paid)
    assert cid(answer) == "80"
    return cryptogram(answer)


@pytest.mark.parametrize("when", ["before the second AC", "after it"])
def test_pse_6_1_a_load_is_an_online_transaction_and_put_data(when):
    desk = CashDesk(dgi_0E01=risk(mandatory="00"))
    ac1 = online(desk)
    if when == "after it":
        assert cid(desk.pay(TC, FULL + 1, arc="3030")) == "40"
    assert desk.sw(desk.load(LIMIT, ac1)) == "9000"
    assert desk.balance() == LIMIT
    assert desk.opened(SINGLE) == CASH
    assert desk.opened(SINGLE + 1) == DEBIT


@pytest.mark.parametrize("switch", ["6A80", "6985", "6976"])
def test_pse_6_1_no_load_above_the_limit(switch):
    desk = CashDesk(pse_put_data_limit=switch)
    ac1 = online(desk)
    assert desk.sw(desk.load(LIMIT + 1, ac1)) == switch
    assert desk.balance() == FULL
    assert desk.sw(desk.load(LIMIT, ac1)) == "9000", "one refused after a good MAC ends nothing"


def test_pse_6_1_limit_and_thresholds_are_put_too():
    desk = CashDesk()
    ac1 = online(desk)
    for tag, value in (("9F77", 5000), ("9F78", 10), ("9F6D", 1)):
        assert desk.sw(desk.script(f"04DA{tag}", n12(value), ac1)) == "9000"
        assert int(desk.element(tag)) == value
    assert desk.sw(desk.load(5001, ac1)) == "6A80"
    assert desk.opened(11) == DEBIT
    assert desk.opened(10) == DEBIT, "the load that was refused is a failed script"


def test_pse_6_1_an_online_transaction_begun_as_cash_loads_too():
    """The threshold of 9F6D: the terminal asks online, the account is debited (6.1)."""
    desk = CashDesk()
    assert desk.opened(FULL) == CASH
    answer = desk.pay(ARQC, FULL)
    assert (cid(answer), cvr(answer)) == ("80", "03A00000")
    assert int(answer[46:56]) == FULL
    assert desk.sw(desk.load(LIMIT, cryptogram(answer))) == "9000"
    second = desk.pay(TC, FULL, arc="3030")
    assert int(second[46:56]) == LIMIT


# ---- cards with and without it -------------------------------------------------------------------

CASH_TAGS = ["9F77", "9F78", "9F79", "9F6D"]


@pytest.mark.parametrize("tag", CASH_TAGS)
def test_pse_6_a_card_without_electronic_cash(tag):
    desk = Desk()
    desk.begin()
    assert desk.element(tag) == "6A88"
    desk.ac(ARQC)
    assert desk.sw(f"04DA{tag}0A" + "00" * 10) == "6A80"


@pytest.mark.parametrize(
    ("tag", "value"), [("9F77", LIMIT), ("9F78", SINGLE), ("9F79", FULL), ("9F6D", 1000)]
)
def test_pse_2_3_its_data_are_read_in_every_state(tag, value):
    desk = CashDesk()
    desk.select()
    answer = f"{tag}06{n12(value)}9000"
    assert desk(f"80CA{tag}00") == answer
    desk.data(gpo(100))
    assert desk(f"80CA{tag}00") == answer
    desk.pay(ARQC, 100)
    assert desk(f"80CA{tag}00") == answer


def test_pse_9_3_dgi_9203_needs_the_switch():
    with pytest.raises(Exception, match="6A88"):
        new_card("pboc-ec", {"electronic_cash": "off"})


@pytest.mark.parametrize("value", ["8202780094", "82027800", "8203780000940408010100"])
def test_pse_9_3_dgi_9203_has_the_form_of_9104(value):
    with pytest.raises(Exception, match=r"6A80|oda"):
        new_card("pboc-ec", {"pse.df.DF01.dgi.9203": value})


def test_pse_9_cps_and_native_are_one_card():
    native, cps = (new_card("pboc-ec", perso=way) for way in ("native", "cps"))
    for card in (native, cps):
        desk = CashDesk(card)
        assert desk.opened(100) == CASH
        assert cid(desk.pay(TC, 100)) == "40"
        assert desk.balance() == FULL - 100
