"""The test matrix of pse-pboc 12, item by item, and the tables of sections 2.1 and 3 it rests on.

Items 9 and 10 are literal vectors and stand with them: offline data authentication in
`tests/golden/test_pse_11_7_card.py`, personalisation in `test_pse_11_8_card.py`.
"""

from itertools import product

import pytest
from pse_desk import (
    AAC,
    ADF,
    ARQC,
    DDA,
    GPO,
    PIN_BAD,
    PIN_OK,
    PSE,
    TC,
    Desk,
    cid,
    cvr,
    debit_card,
    risk,
    terminal_data,
)
from pse_issuer import Issuer, online

from sscard.cos.eeprom import Phase, Tear
from sscard.errors import PowerLoss

GENERATE = f"80AE400034{terminal_data()}00"
SECOND = f"80AE4000363030{terminal_data()}00"
ARPC = "008200000A00000000000000003030"


# --- section 3: every command in every state -----------------------------------------------------


def selected():
    desk = Desk()
    desk.select()
    return desk, None


def initiated():
    return Desk().begin(), None


def online_state():
    desk = Desk()
    return desk, online(desk)


def open_state():
    """A blocked application's AAC leaves the session open for scripts."""
    desk, issuer = online_state()
    assert desk.sw(issuer.script("841E0000")) == "9000"
    answer = desk.begin().ac(TC)
    assert cid(answer) == "00"
    return desk, Issuer(answer)


def script_state():
    desk, issuer = online_state()
    assert desk.sw(issuer.arpc()) == "9000"
    assert cid(desk.ac(TC, arc="3030")) == "40"
    return desk, issuer


def finished():
    desk = Desk().begin()
    assert cid(desk.ac(AAC)) == "00"
    return desk, None


STATES = {
    "SELECTED": selected,
    "INITIATED": initiated,
    "ONLINE": online_state,
    "OPEN": open_state,
    "SCRIPT": script_state,
    "FINISHED": finished,
}
EVERYWHERE = {
    "SELECT": ADF,
    "GET DATA": "80CA9F3600",
    "READ RECORD": "00B2010C00",
    "GET CHALLENGE": "0084000008",
}
SCRIPTS = {
    "APPLICATION BLOCK": ("841E0000", b""),
    "APPLICATION UNBLOCK": ("84180000", b""),
    "CARD BLOCK": ("84160000", b""),
    "PIN UNBLOCK": ("84240000", b""),
    "PUT DATA": ("04DA9F58", b"\x05"),
    "UPDATE RECORD": ("04DC010C", b"\x70\x00"),
}
LEGAL = {
    "GET PROCESSING OPTIONS": (GPO, {"SELECTED": "9000"}),
    "VERIFY": (PIN_OK, {"INITIATED": "9000"}),
    "INTERNAL AUTHENTICATE": (DDA, {"INITIATED": "9000"}),
    "first GENERATE AC": (GENERATE, {"INITIATED": "9000", "ONLINE": "6700"}),
    "second GENERATE AC": (SECOND, {"INITIATED": "6700", "ONLINE": "9000"}),
    "EXTERNAL AUTHENTICATE": (ARPC, {"ONLINE": "6300", "OPEN": "6300"}),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", EVERYWHERE)
def test_pse_3_what_every_state_answers(state, command):
    desk, _ = STATES[state]()
    blocked = state == "OPEN" and command == "SELECT"
    assert desk.sw(EVERYWHERE[command]) == ("6283" if blocked else "9000")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", LEGAL)
def test_pse_3_what_belongs_into_a_state(state, command):
    """6985 outside; in a state that awaits a cryptogram its length is judged (2.1)."""
    desk, _ = STATES[state]()
    apdu, answers = LEGAL[command]
    before = desk.element("9F36")
    expected = answers.get(state, "6985")
    assert desk.sw(apdu) == expected
    if expected == "6985":
        assert desk.element("9F36") == before, "a failed command changes nothing"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", SCRIPTS)
def test_pse_3_scripts_belong_into_a_session(state, command):
    desk, issuer = STATES[state]()
    issuer = issuer or Issuer("80138000010000000000000000070101")
    apdu = issuer.script(*SCRIPTS[command])
    assert desk.sw(apdu) == ("9000" if state in ("ONLINE", "OPEN", "SCRIPT") else "6985")


# --- 2.1: two faults at once, and the earlier check answers ---------------------------------------


def with_lc(apdu, extra):
    """The same header with another number of data bytes."""
    data = apdu[10:] + extra
    return apdu[:8] + f"{len(data) // 2:02X}" + data


@pytest.mark.parametrize(
    ("state", "apdu", "sw"),
    [
        ("SELECTED", "81A80000028300", "6E00"),  # class, then everything else
        ("SELECTED", "80A80100018300", "6A86"),  # P1 before Lc
        ("FINISHED", "80A8000003830000", "6700"),  # GPO: Lc before the state
        ("FINISHED", "80A80000028200", "6985"),  # and the state before the tag
        ("SELECTED", "80A80000028200", "6A80"),
        ("SELECTED", "80A80000028301", "6700"),  # and the inner length last
        ("SELECTED", "0020000007" + "00" * 7, "6A86"),  # VERIFY: P2 before Lc
        ("SELECTED", "0020008007" + "00" * 7, "6700"),  # Lc before the state
        ("SELECTED", "80AE40000100", "6985"),  # GENERATE AC awaited by nobody: whatever its length
        ("FINISHED", "80AE400000", "6985"),
        ("SELECTED", "80AEC00000", "6A86"),
        ("SELECTED", "0082000009" + "00" * 9, "6700"),
        ("SELECTED", "0082000109" + "00" * 9, "6A86"),
        ("SELECTED", "841E000104" + "00" * 4, "6A86"),
        ("SELECTED", "841E000003" + "00" * 3, "6700"),
        ("SELECTED", "841E000004" + "00" * 4, "6985"),  # the state before the MAC
        ("ONLINE", "841E000004" + "00" * 4, "6988"),
        ("ONLINE", "841E000008" + "00" * 8, "6700"),  # no MAC but of four bytes
        ("SELECTED", "04DA9F1303" + "00" * 3, "6A80"),  # PUT DATA: the tag before Lc
        ("SELECTED", "04DA9F5803" + "00" * 3, "6700"),  # Lc before the state
        ("ONLINE", "04DA9F5303" + "00" * 3, "6A80"),  # a tag this card does not have
        ("ONLINE", "04DC090C06" + "00" * 6, "6988"),  # the MAC before the record
        ("ONLINE", "842400021400" + "00" * 19, "6988"),  # and before the block
        ("ONLINE", "8424000104" + "00" * 4, "6700"),
        ("ONLINE", "8424000304" + "00" * 4, "6A86"),
    ],
)
def test_pse_2_1_the_order_of_checks(state, apdu, sw):
    desk, _ = STATES[state]()
    assert desk.sw(apdu) == sw


# --- 12.1 selection ------------------------------------------------------------------------------


def test_pse_12_1_selection():
    desk = Desk()
    assert desk.data(PSE).startswith("6F1E")
    assert desk.sw("00B2010C00") == "9000"
    assert desk.sw("00B2020C00") == "6A83"
    assert desk.sw("00A4040007A0000003330101") == "9000"
    assert desk.sw("00A4040207A0000003330101") == "6A82"
    desk, issuer = online_state()
    assert desk.sw(issuer.script("841E0000")) == "9000"
    assert desk(ADF)[-4:] == "6283"
    assert desk(ADF).startswith("6F39")
    desk, issuer = online_state()
    assert desk.sw(issuer.script("84160000")) == "9000"
    assert (desk.sw(PSE), desk.sw(ADF)) == ("6A81", "6A81")


def test_pse_1_2_a_select_that_finds_nothing_ends_the_session_after_a_card_block():
    """The application stays selected, and a blocked card begins no transaction in it."""
    desk, issuer = online_state()
    assert desk.sw(issuer.script("84160000")) == "9000"
    assert desk.sw(issuer.script("84180000")) == "9000"
    assert desk.sw("00A4040007A0000000031010") == "6A82"
    assert (desk.sw("80CA9F3600"), desk.sw(GPO)) == ("6A81", "6A81")


# --- 12.2 GPO ------------------------------------------------------------------------------------


def test_pse_12_2_gpo():
    desk = Desk()
    for number in range(1, 4):
        desk.begin()
        assert desk.element("9F36") == f"{number:04X}"
        assert desk.sw(GPO) == "6985"
    desk = Desk(debit_card(dgi_0E01=risk(atc="FFFE")))
    desk.select()
    assert desk.sw(GPO) == "6985"
    assert (desk.select(), desk.sw(GPO), desk.element("9F36")) == ("6283", "6985", "FFFF")


# --- 12.3 VERIFY ---------------------------------------------------------------------------------


def test_pse_12_3_verify():
    desk = Desk().begin()
    assert [desk.sw(PIN_BAD) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert desk.begin().sw(PIN_OK) == "6984"
    desk = Desk(debit_card(dgi_0E01=risk("8280"))).begin()
    assert [desk.sw(PIN_BAD) for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert desk.select() == "6283"
    desk = Desk().begin()
    assert (desk.sw(PIN_BAD), desk.sw(PIN_OK), desk.element("9F17")) == ("63C2", "9000", "03")


# --- 12.4 GENERATE AC ----------------------------------------------------------------------------

REQUESTS = {"AAC": AAC, "TC": TC, "ARQC": ARQC}
CARD = {  # risk data under which the card would decline, go online, or agree
    "decline": {"dgi_0E01": risk("0040", last="0001", atc="0001")},
    "online": {"dgi_0E01": risk("0200")},
    "agree": {"dgi_0E01": risk("0000", last="0001", atc="0001")},
}


@pytest.mark.parametrize(("asked", "card"), list(product(REQUESTS, CARD)))
def test_pse_12_4_what_is_asked_and_what_the_card_decides(asked, card):
    desk = Desk(debit_card(**CARD[card])).begin()
    if card == "decline":
        for _ in range(3):
            desk.sw(PIN_BAD)
        desk.begin()
    order = ["AAC", "ARQC", "TC"]
    wish = {"decline": "AAC", "online": "ARQC", "agree": "TC"}[card]
    answer = desk.ac(REQUESTS[asked])
    expected = min(asked, wish, key=order.index)
    assert int(cid(answer), 16) & 0xC0 == REQUESTS[expected]
    first = {"AAC": "80", "TC": "90", "ARQC": "A0"}[expected]
    assert cvr(answer)[2:4] == first


@pytest.mark.parametrize(
    ("arc", "cid_expected", "cvr2"),
    [("3030", "40", "60"), ("3031", "40", "60"), ("3035", "00", "20"), ("5933", "40", "61")],
)
def test_pse_12_4_the_second_by_its_arc(arc, cid_expected, cvr2):
    desk = Desk(debit_card(dgi_0E01=risk("0000", mandatory="00")))
    online(desk)
    answer = desk.ac(TC, arc=arc)
    assert (cid(answer), cvr(answer)[2:4]) == (cid_expected, cvr2)
    assert desk.ac(TC, arc=arc)[-4:] == "6985", "a third"


def test_pse_12_4_an_arqc_is_not_asked_twice():
    desk, _ = online_state()
    assert desk.ac(ARQC, arc="3030")[-4:] == "6985"
    assert cid(desk.ac(AAC, arc="3030")) == "00", "and the session goes on"


# --- 12.5 EXTERNAL AUTHENTICATE -------------------------------------------------------------------


def test_pse_12_5_external_authenticate():
    desk, issuer = online_state()
    assert desk.sw(issuer.arpc()) == "9000"
    assert desk.sw(issuer.arpc()) == "6985", "twice"
    assert cvr(desk.ac(TC, arc="3030"))[2:4] == "68", "and the authentication has failed (3)"
    assert desk.sw(issuer.arpc()) == "6985", "after the second cryptogram"
    assert desk.begin().sw(issuer.arpc()) == "6985", "before the first"
    desk, _ = online_state()
    assert desk.sw(ARPC) == "6300"
    assert cvr(desk.ac(TC, arc="3030"))[2:4] == "68"
    desk, _ = online_state()
    assert cvr(desk.ac(TC, arc="3030"))[4:6] == "14", "none: 3.b3, beside the new card"
    assert cvr(desk.begin().ac(AAC))[4:6] == "98", "and then 3.b8 and 3.b4: it was mandatory"


# --- 12.6 scripts --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_pse_12_6_scripts_and_the_next_cvr(name, when):
    """Good: counted after the second cryptogram only; wrong MAC: 6988, then 6985, and told."""
    header, data = SCRIPTS[name]
    for wrong in (False, True):
        desk, issuer = online_state()
        if when == "after":
            assert desk.sw(issuer.arpc()) == "9000"
            desk.ac(TC, arc="3030")
        assert desk.sw(issuer.script(header, data, wrong=wrong)) == ("6988" if wrong else "9000")
        follower = desk.sw(issuer.script("84180000"))
        assert follower == ("6985" if wrong else "9000")
        if name == "CARD BLOCK" and not wrong:
            continue
        counted = (1 if wrong else 2) if when == "after" else 0
        assert cvr(desk.begin().ac(AAC))[6:] == f"{counted << 4 | (8 if wrong else 0):02X}"


def test_pse_12_6_no_script_after_a_failed_issuer_authentication():
    desk, issuer = online_state()
    assert desk.sw(ARPC) == "6300"
    assert desk.sw(issuer.script("84180000")) == "6985"
    assert cvr(desk.begin().ac(AAC))[6:] == "00", "a script refused with 6985 sets nothing"


@pytest.mark.parametrize(
    ("header", "data", "sw"),
    [
        ("04DC090C", b"\x70\x00", "6A83"),
        ("04DC0124", b"\x70\x00", "6A82"),
        ("04DC015C", b"\x70\x00", "6981"),
        ("04DC010C", b"\x70" + bytes(0xF0), "6A84"),
        ("84240002", bytes(16), "6A80"),
    ],
)
def test_pse_5_6_refused_after_a_good_mac_counts_and_is_a_failure(header, data, sw):
    desk, issuer = online_state()
    assert desk.sw(issuer.arpc()) == "9000"
    desk.ac(TC, arc="3030")
    assert desk.sw(issuer.script(header, data)) == sw
    assert desk.sw(issuer.script("84180000")) == "9000", "the session goes on"
    assert cvr(desk.begin().ac(AAC))[6:] == "28"


def test_pse_5_6_the_script_counter_stops_at_fifteen():
    desk, issuer = online_state()
    assert desk.sw(issuer.arpc()) == "9000"
    desk.ac(TC, arc="3030")
    for _ in range(17):
        assert desk.sw(issuer.script("84180000")) == "9000"
    assert cvr(desk.begin().ac(AAC))[6:] == "F0"


CDOL1 = "8C1B9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14"
SHORTER = "8C189F02069F03069F1A0295055F2A029A039C019F37049F2103"


@pytest.mark.parametrize("instead", [SHORTER, "", "8C029F02"], ids=["shorter", "none", "malformed"])
def test_pse_5_6_a_script_may_change_cdol1_before_the_second_generate_ac(instead):
    """The log has the values as they came; the next first GENERATE AC has the new length."""
    desk, issuer = online_state()
    before = desk.data("00B2021400")
    assert CDOL1 in before
    body = before[4:].replace(CDOL1, instead)
    record = bytes.fromhex(f"70{len(body) // 2:02X}{body}")
    assert desk.sw(issuer.script("04DC0214", record)) == "9000"
    assert desk.sw(issuer.arpc()) == "9000"
    assert cid(desk.ac(TC, arc="3030")) == "40"
    assert desk.log().startswith("260701103045000000012345")
    desk.begin()
    assert desk.ac(ARQC) == "6700"


# --- 12.7 block and unblock -----------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("asked", REQUESTS)
def test_pse_12_7_blocked_and_unblocked(asked, link):
    desk = Desk(link=link)
    issuer = online(desk)
    assert desk.sw(issuer.script("841E0000")) == "9000"
    assert desk.select() == "6283"
    desk.data(GPO)
    answer = desk.ac(REQUESTS[asked])
    assert cid(answer) == "00"
    issuer = Issuer(answer)
    assert desk.sw(issuer.arpc()) == "9000"
    assert desk.sw(issuer.script("84180000")) == "9000"
    assert desk.select() == "9000"
    assert cid(desk.begin().ac(ARQC)) == "80"


# --- 12.8 power loss between commands -------------------------------------------------------------


def test_pse_12_8_power_loss_between_any_two_commands():
    """ATC and PIN counter stand; after an ARQC the next transaction shows 3.b8."""
    steps = [
        lambda desk: desk.begin(),
        lambda desk: desk.sw(DDA),
        lambda desk: desk.sw(PIN_BAD),
        lambda desk: desk.ac(ARQC),
        lambda desk: desk.sw(ARPC),
        lambda desk: desk.ac(TC, arc="3030"),
    ]
    for count in range(1, len(steps) + 1):
        desk = Desk()
        for step in steps[:count]:
            step(desk)
        desk.reset().select()
        assert desk.element("9F36") == "0001"
        assert desk.element("9F17") == ("02" if count >= 3 else "03")
        shown = int(cvr(desk.begin().ac(AAC))[4:6], 16) & 0x80
        assert bool(shown) == (count >= 4), count


@pytest.mark.parametrize("phase", Phase)
def test_pse_12_8_power_lost_while_the_arqc_is_committed(phase):
    desk = Desk().begin()
    desk.card.eeprom.arm(Tear(0, phase))
    with pytest.raises(PowerLoss):
        desk.ac(ARQC)
    desk = Desk(desk.card)
    desk.begin()
    assert desk.element("9F36") == "0002"
    assert cvr(desk.ac(AAC))[4:6] in ("10", "90"), "before or after"
