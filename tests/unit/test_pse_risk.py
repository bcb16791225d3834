"""pse-pboc 5.2 to 5.4: card risk management, row by row and against an independent model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.risk import (
    Ada,
    Aip,
    CardData,
    Issuer,
    Situation,
    Terminal,
    first_answer,
    second_answer,
)
from sscard.testing.models import pse_risk as pse_oracle

RMB, USD, EUR = b"\x01\x56", b"\x08\x40", b"\x09\x78"
HOME, ABROAD = RMB, USD
FULL = Aip.SDA | Aip.DDA | Aip.ISSUER_AUTHENTICATION
USED = Counters(atc=5, last_online_atc=4)
NEW = Counters(atc=1)
HERE = Terminal(amount=100, country=HOME, currency=RMB, tvr=bytes(5))
OWN = {"currency": RMB, "country": HOME}


def first(asked=Ac.TC, counters=USED, terminal=HERE, aip=FULL, cvr=0, **card):
    situation = {
        key: card.pop(key) for key in ("pin_tries", "pin_exceeded", "blocked") if key in card
    }
    so_far = Situation(aip, Cvr(cvr), **situation)
    return first_answer(CardData(**{**OWN, **card}), counters, so_far, terminal, asked)


SILENT = Issuer()


def second(asked=Ac.TC, arc=b"00", issuer=SILENT, counters=USED, terminal=HERE, **card):
    situation = {key: card.pop(key) for key in ("pin_tries", "blocked") if key in card}
    so_far = Situation(card.pop("aip", FULL), Cvr(card.pop("cvr", 0xA00000)), **situation)
    data = CardData(**{**OWN, **card})
    return second_answer(data, counters, so_far, terminal, asked, arc, issuer)


def bits(verdict):
    return bytes(verdict.cvr).hex().upper()


def marked(*indicators, counters=USED):
    for indicator in indicators:
        counters = counters.marked(indicator)
    return counters


# --- 5.3, one line at a time -------------------------------------------------------------------

ONLINE = Indicator.ONLINE_AUTHORISATION
ISSUER = Indicator.ISSUER_AUTHENTICATION_FAILURE
TWO_CURRENCIES = {"second_currency": USD, "conversion": bytes.fromhex("20000650")}
"""One dollar is 6.50: 650 with two decimal places."""

FIRST = [
    ("nothing", {}, Ac.TC, "03900000"),
    ("1", {"counters": marked(ONLINE)}, Ac.ARQC, "03A08000"),
    ("2", {"counters": marked(ISSUER)}, Ac.TC, "03900800"),
    ("2 ADA", {"counters": marked(ISSUER), "ada": Ada(0x8000)}, Ac.ARQC, "03A00800"),
    ("2 no IA", {"counters": marked(ISSUER), "aip": Aip.SDA}, Ac.TC, "03900000"),
    ("3", {"counters": marked(Indicator.SDA_FAILURE)}, Ac.TC, "03900100"),
    ("3 no SDA", {"counters": marked(Indicator.SDA_FAILURE), "aip": Aip.DDA}, Ac.TC, "03900000"),
    ("4", {"counters": marked(Indicator.DDA_FAILURE)}, Ac.TC, "03900004"),
    ("5 count", {"counters": USED._replace(script_count=15)}, Ac.TC, "039000F0"),
    ("5", {"counters": marked(Indicator.SCRIPT_FAILURE)}, Ac.TC, "03900008"),
    ("5 ADA", {"counters": marked(Indicator.SCRIPT_FAILURE), "ada": Ada(8)}, Ac.ARQC, "03A00008"),
    ("6", {"lower_limit": 0}, Ac.ARQC, "03A02000"),
    ("6 at the limit", {"lower_limit": 1}, Ac.TC, "03900000"),
    ("7", {"currency_limit": 0, "terminal": HERE._replace(currency=USD)}, Ac.ARQC, "03A02000"),
    ("7 own", {"currency_limit": 0}, Ac.TC, "03900000"),
    (
        "7 no 9F51",
        {"currency_limit": 0, "currency": None, "terminal": HERE._replace(currency=USD)},
        Ac.TC,
        "03900000",
    ),
    ("8", {"country_limit": 0, "terminal": HERE._replace(country=ABROAD)}, Ac.ARQC, "03A02000"),
    (
        "8 no 9F57",
        {"country_limit": 0, "country": None, "terminal": HERE._replace(country=ABROAD)},
        Ac.TC,
        "03900000",
    ),
    ("9", {"amount_limit": 99}, Ac.ARQC, "03A02000"),
    ("9 at the limit", {"amount_limit": 100}, Ac.TC, "03900000"),
    ("9 sum", {"amount_limit": 100, "counters": USED._replace(amount=1)}, Ac.ARQC, "03A02000"),
    ("10 own", {"dual_limit": 99}, Ac.ARQC, "03A02000"),
    (
        "10 converted",
        {"dual_limit": 649, "terminal": HERE._replace(currency=USD), **TWO_CURRENCIES},
        Ac.ARQC,
        "03A02000",
    ),
    (
        "10 converted, at the limit",
        {"dual_limit": 650, "terminal": HERE._replace(currency=USD), **TWO_CURRENCIES},
        Ac.TC,
        "03900000",
    ),
    (
        "10 without 9F73",
        {"dual_limit": 0, "terminal": HERE._replace(currency=USD), "second_currency": USD},
        Ac.TC,
        "03900000",
    ),
    ("11", {"counters": NEW}, Ac.TC, "03901000"),
    ("11 ADA", {"counters": NEW, "ada": Ada(0x0200)}, Ac.ARQC, "03A01000"),
    ("12", {"pin_tries": 0}, Ac.TC, "03904000"),
    ("12 decline", {"pin_tries": 0, "ada": Ada(0x0040)}, Ac.AAC, "03804000"),
    ("12 online", {"pin_tries": 0, "ada": Ada(0x0020)}, Ac.ARQC, "03A04000"),
    ("12 block", {"pin_tries": 0, "ada": Ada(0x0004)}, Ac.AAC, "03804200"),
    ("12 decline first", {"pin_tries": 0, "ada": Ada(0x0064)}, Ac.AAC, "03804000"),
    ("12 no PIN", {"pin_tries": None, "ada": Ada(0x0044)}, Ac.TC, "03900000"),
    ("12 verified", {"pin_tries": 0, "cvr": 0x040000, "ada": Ada(0x0044)}, Ac.TC, "03940000"),
    ("blocked", {"blocked": True}, Ac.AAC, "03800000"),
]


@pytest.mark.parametrize(
    ("given_", "answer", "cvr"), [r[1:] for r in FIRST], ids=[r[0] for r in FIRST]
)
def test_pse_5_3_first_generate_ac(given_, answer, cvr):
    verdict = first(**given_)
    assert (verdict.answer, bits(verdict)) == (answer, cvr)
    assert verdict.block == (cvr == "03804200")


@pytest.mark.parametrize("asked", list(Ac))
@pytest.mark.parametrize("wish", ["nothing", "online", "decline"])
def test_pse_5_3_the_card_never_upgrades(asked, wish):
    card = {
        "nothing": {},
        "online": {"lower_limit": 0},
        "decline": {"pin_tries": 0, "ada": Ada(0x40)},
    }
    answer = first(asked, **card[wish]).answer
    if asked is Ac.AAC or wish == "decline":
        assert answer is Ac.AAC
    elif asked is Ac.ARQC or wish == "online":
        assert answer is Ac.ARQC
    else:
        assert answer is Ac.TC


@pytest.mark.parametrize(
    ("ada", "exceeded", "cid"),
    [(0, True, 0x00), (0x1000, False, 0x08), (0x0800, True, 0x0A), (0x0800, False, 0x00)],
)
def test_pse_5_3_advice_with_an_aac(ada, exceeded, cid):
    assert first(Ac.AAC, ada=Ada(ada), pin_exceeded=exceeded).cid == cid


def test_pse_5_3_effects_of_an_arqc():
    after = first(Ac.ARQC, terminal=HERE._replace(currency=USD)).counters
    assert after == USED.marked(ONLINE)


def test_pse_5_3_effects_of_a_tc():
    after = first().counters
    assert (after.amount, after.dual_amount) == (100, 100)
    assert first(Ac.TC, counters=USED).counters.indicators == 0
    foreign = first(terminal=Terminal(100, ABROAD, USD, bytes(5)), **TWO_CURRENCIES).counters
    assert foreign == USED._replace(dual_amount=650, currency_count=1, country_count=1)


def test_pse_5_3_effects_of_an_aac():
    terminal = Terminal(100, ABROAD, EUR, bytes.fromhex("4800000000"))
    counters = USED._replace(currency_count=255, country_count=254)
    after = first(Ac.AAC, counters=counters, terminal=terminal).counters
    assert (after.currency_count, after.country_count) == (255, 255)
    assert after.indicators == Indicator.SDA_FAILURE | Indicator.DDA_FAILURE
    assert (after.amount, after.dual_amount) == (0, 0)


def test_pse_5_1_cumulative_amounts_stop_at_the_greatest_n12():
    after = first(counters=USED._replace(amount=999_999_999_950)).counters
    assert after.amount == 999_999_999_999


# --- 5.4 -----------------------------------------------------------------------------------------

BUSY = Counters(9, 4, 500, 600, 3, 2, Indicator(0x1F), 7)
"""Something of everything to reset."""
PASSED, FAILED = Issuer(True, True, b"00"), Issuer(True)
RESET = Counters(atc=9, last_online_atc=9)
CLEARED = BUSY._replace(indicators=Indicator(0), script_count=0)
KEPT_ISSUER = Indicator.ISSUER_AUTHENTICATION_FAILURE


ONLINE_ANSWERS = [
    # asked, ARC, issuer, mandatory, ADA -> answer, CVR, CID, counters
    ("good ARPC", Ac.TC, b"00", PASSED, 1, 0, Ac.TC, "03600000", 0x40, RESET),
    ("referral", Ac.TC, b"01", PASSED, 1, 0, Ac.TC, "03600000", 0x40, RESET),
    ("terminal approves alone", Ac.TC, b"Y1", SILENT, 0, 0, Ac.TC, "03600400", 0x40,
     RESET.marked(KEPT_ISSUER)),
    ("none, mandatory", Ac.TC, b"00", SILENT, 1, 0, Ac.TC, "03600400", 0x40, BUSY),
    ("none, mandatory, ADA", Ac.TC, b"00", SILENT, 1, 0x2000, Ac.AAC, "03200000", 0x00, BUSY),
    ("the same, advice", Ac.TC, b"00", SILENT, 1, 0x2400, Ac.AAC, "03200000", 0x0B, BUSY),
    ("bad ARPC", Ac.TC, b"00", FAILED, 1, 0, Ac.TC, "03680000", 0x40, BUSY),
    ("bad ARPC, ADA", Ac.TC, b"00", FAILED, 0, 0x4000, Ac.AAC, "03280000", 0x00, BUSY),
    ("ARC declines", Ac.TC, b"05", PASSED, 1, 0, Ac.AAC, "03200000", 0x00, CLEARED),
    ("the issuer's ARC declines", Ac.TC, b"00", Issuer(True, True, b"05"), 1, 0, Ac.AAC, "03200000",
     0x00, CLEARED),
    ("terminal declines", Ac.AAC, b"00", PASSED, 1, 0x1000, Ac.AAC, "03200000", 0x00, CLEARED),
    ("terminal declines, none, optional", Ac.AAC, b"00", SILENT, 0, 0, Ac.AAC, "03200400", 0x00,
     CLEARED.marked(KEPT_ISSUER)),
    ("terminal declines, none, mandatory", Ac.AAC, b"00", SILENT, 1, 0, Ac.AAC, "03200400", 0x00,
     BUSY),
    ("terminal declines, bad ARPC", Ac.AAC, b"00", FAILED, 0, 0, Ac.AAC, "03280000", 0x00, BUSY),
]  # fmt: skip


@pytest.mark.parametrize("row", ONLINE_ANSWERS, ids=[row[0] for row in ONLINE_ANSWERS])
def test_pse_5_4_a_online_answer(row):
    _, asked, arc, issuer, mandatory, ada, answer, cvr, cid, counters = row
    verdict = second(
        asked, arc, issuer, counters=BUSY, issuer_mandatory=bool(mandatory), ada=Ada(ada)
    )
    assert (verdict.answer, bits(verdict), verdict.cid) == (answer, cvr, cid)
    assert verdict.counters == counters


def test_pse_5_4_a_without_issuer_authentication_in_the_aip():
    verdict = second(issuer=SILENT, counters=BUSY, aip=Aip.DDA, issuer_mandatory=True)
    assert (verdict.answer, bits(verdict)) == (Ac.TC, "03600000")
    assert verdict.counters == RESET.marked(KEPT_ISSUER)


def test_pse_5_4_a_blocked_application_declines():
    assert second(blocked=True, issuer=PASSED).answer is Ac.AAC


ALONE = [
    ("nothing", {}, Ac.TC, "03610000"),
    ("1", {"upper_limit": 0}, Ac.AAC, "03212000"),
    ("1 at the limit", {"upper_limit": 1}, Ac.TC, "03610000"),
    ("2", {"counters": NEW}, Ac.TC, "03611000"),
    ("2 ADA", {"counters": NEW, "ada": Ada(0x0100)}, Ac.AAC, "03211000"),
    ("3", {"pin_tries": 0}, Ac.TC, "03610000"),
    ("3 ADA", {"pin_tries": 0, "ada": Ada(0x0010)}, Ac.AAC, "03214000"),
    ("3 verified", {"pin_tries": 0, "cvr": 0xA40000, "ada": Ada(0x0010)}, Ac.TC, "03650000"),
    ("4", {"amount_upper_limit": 99}, Ac.AAC, "03212000"),
    ("4 at the limit", {"amount_upper_limit": 100}, Ac.TC, "03610000"),
    (
        "5",
        {
            "amount_upper_limit": 649,
            "dual_limit": 0,
            "terminal": HERE._replace(currency=USD),
            **TWO_CURRENCIES,
        },
        Ac.AAC,
        "03212000",
    ),
    (
        "5 without 9F75",
        {"amount_upper_limit": 649, "terminal": HERE._replace(currency=USD), **TWO_CURRENCIES},
        Ac.TC,
        "03610000",
    ),
]


@pytest.mark.parametrize("arc", [b"Y3", b"Z3"])
@pytest.mark.parametrize(
    ("given_", "answer", "cvr"), [r[1:] for r in ALONE], ids=[r[0] for r in ALONE]
)
def test_pse_5_4_b_unable_to_go_online(given_, answer, cvr, arc):
    verdict = second(arc=arc, **given_)
    assert (verdict.answer, bits(verdict)) == (answer, cvr)


def test_pse_5_4_b_online_authorisation_stays():
    before = USED.marked(ONLINE)
    verdict = second(arc=b"Y3", counters=before)
    assert verdict.counters == before._replace(amount=100, dual_amount=100)
    assert first(counters=verdict.counters).answer is Ac.ARQC


# --- the oracle ----------------------------------------------------------------------------------

limits = st.integers(0, 3)
amounts = st.sampled_from([0, 1, 99, 100, 101, 650, 10**12 - 1])
TAGS = {
    "9F51": st.sampled_from(["0156"]),
    "9F52": st.integers(0, 0xFFFF),
    "9F53": limits,
    "9F54": amounts,
    "9F56": st.sampled_from([0x00, 0x80, 0xFF, 0x7F]),
    "9F57": st.sampled_from(["0156"]),
    "9F58": limits,
    "9F59": limits,
    "9F5C": amounts,
    "9F72": limits,
    "9F73": st.sampled_from(["20000650", "00000002", "79999999"]),
    "9F75": amounts,
    "9F76": st.sampled_from(["0840"]),
}
LENGTHS = {"9F52": 2, "9F54": 6, "9F5C": 6, "9F75": 6}
states = st.fixed_dictionaries(
    {
        "atc": st.integers(1, 6),
        "lo": st.integers(0, 3),
        "ctta": amounts,
        "dual": amounts,
        "cur": st.sampled_from([0, 1, 2, 255]),
        "cty": st.sampled_from([0, 1, 2, 255]),
        **{name: st.integers(0, 1) for name in ("ask", "iaf", "sda", "dda", "scf")},
        "scc": st.integers(0, 15),
    }
)
terminals = st.fixed_dictionaries(
    {
        "9F02": amounts,
        "9F1A": st.sampled_from(["0156", "0840"]),
        "5F2A": st.sampled_from(["0156", "0840", "0978", "0000"]),
        "95": st.integers(0, 2**40 - 1),
    }
)
card_tags = st.fixed_dictionaries({}, optional=TAGS)
aips = st.integers(0, 255).map(lambda value: value & 0x7D)
pins = st.sampled_from([None, 0, 1, 3])


def as_bytes(tag, value):
    if isinstance(value, str):
        return bytes.fromhex(value)
    if LENGTHS.get(tag) == 6:
        return bytes.fromhex(f"{value:012d}")
    return value.to_bytes(LENGTHS.get(tag, 1), "big")


def card_data(tags):
    return CardData.parse({int(tag, 16): as_bytes(tag, value) for tag, value in tags.items()})


def counters_of(state):
    marks = [state[name] << place for place, name in enumerate(("ask", "iaf", "sda", "dda", "scf"))]
    return Counters(
        *(state[name] for name in ("atc", "lo", "ctta", "dual", "cur", "cty")),
        Indicator(sum(marks)),
        state["scc"],
    )


def terminal_of(values):
    return Terminal.parse(
        {
            0x9F02: bytes.fromhex(f"{values['9F02']:012d}"),
            0x9F1A: bytes.fromhex(values["9F1A"]),
            0x5F2A: bytes.fromhex(values["5F2A"]),
            0x95: values["95"].to_bytes(5, "big"),
        }
    )


@given(
    tags=card_tags,
    state=states,
    terminal=terminals,
    asked=st.sampled_from(Ac),
    aip=aips,
    cvr=st.sampled_from([0, 0x040000, 0x060000, 0x064000, 0x064200]),
    tries=pins,
    exceeded=st.booleans(),
    blocked=st.booleans(),
)
def test_pse_5_3_agrees_with_the_oracle(
    tags, state, terminal, asked, aip, cvr, tries, exceeded, blocked
):
    expected = pse_oracle.first(
        tags, state, terminal, asked.name,
        aip=aip, cvr=cvr, tries=tries, exceeded=exceeded, blocked=blocked,
    )  # fmt: skip
    so_far = Situation(Aip(aip), Cvr(cvr), tries, exceeded, blocked)
    got = first_answer(card_data(tags), counters_of(state), so_far, terminal_of(terminal), asked)
    answer, cid, results, after, block = expected
    assert (got.answer.name, got.cid, bits(got), got.block) == (answer, cid, results, block)
    assert got.counters == counters_of(after)


@given(
    tags=card_tags,
    state=states,
    terminal=terminals,
    asked=st.sampled_from([Ac.AAC, Ac.TC]),
    aip=aips,
    cvr=st.sampled_from([0xA00000, 0xA40000, 0xA01000, 0xA04000, 0xA40002]),
    tries=pins,
    blocked=st.booleans(),
    arc=st.sampled_from(["00", "05", "10", "11", "01", "02", "Y1", "Y3", "Z3", "Z1", "\0\0"]),
    issuer=st.sampled_from([None, "bad", "00", "05"]),
)
def test_pse_5_4_agrees_with_the_oracle(
    tags, state, terminal, asked, aip, cvr, tries, blocked, arc, issuer
):
    answer, cid, results, after = pse_oracle.second(
        tags, state, terminal, asked.name,
        aip=aip, cvr=cvr, arc=arc, issuer=issuer, tries=tries, blocked=blocked,
    )  # fmt: skip
    so_far = Situation(Aip(aip), Cvr(cvr), tries, blocked=blocked)
    passed = issuer not in (None, "bad")
    got = second_answer(
        card_data(tags),
        counters_of(state),
        so_far,
        terminal_of(terminal),
        asked,
        arc.encode(),
        Issuer(issuer is not None, passed, issuer.encode() if passed else b""),
    )
    assert (got.answer.name, got.cid, bits(got)) == (answer, cid, results)
    assert got.counters == counters_of(after)
