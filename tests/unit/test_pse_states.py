"""pse-pboc 3: every command in every state of the debit transaction."""

import pytest
from pse_desk import (
    AAC,
    ARQC,
    CDA,
    DDA,
    GOOD_ARPC,
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

from sscard.apps.pse.transaction import NEXT, Finished, Initiated, Online, Open, Script, Selected

AC_DATA = terminal_data()
FIRST = f"80AE800034{AC_DATA}00"
SECOND = f"80AE4000363030{AC_DATA}00"
BAD_ARPC = "008200000A00000000000000003030"


def selected():
    desk = Desk()
    desk.select()
    return desk


def initiated():
    return Desk().begin()


def online(*before):
    """After an ARQC; with `before` DDA and the right PIN it is that of 11.4."""
    desk = initiated()
    for apdu in before:
        desk.data(apdu)
    assert cid(desk.ac(ARQC)) == "80"
    return desk


def open_():
    """After the AAC of a card without PIN tries, which goes on listening to the issuer."""
    desk = initiated()
    for _ in range(3):
        desk(PIN_BAD)
    assert cid(desk.ac(AAC)) == "00"
    return desk


def script():
    desk = online()
    assert cid(desk.ac(TC, arc="3030")) == "40"
    return desk


def finished():
    desk = initiated()
    assert cid(desk.ac(AAC)) == "00"
    return desk


STATES = {
    Selected: selected,
    Initiated: initiated,
    Online: online,
    Open: open_,
    Script: script,
    Finished: finished,
}
REFUSED = "6985"
MATRIX = {
    # command: answers in Selected, Initiated, Online, Open, Script, Finished
    "80CA9F3600": ("9000",) * 6,
    "00B2010C00": ("9000",) * 6,
    "0084000008": ("9000",) * 6,
    f"{GPO}00": ("9000", *(REFUSED,) * 5),
    PIN_OK: (REFUSED, "9000", *(REFUSED,) * 4),
    DDA: (REFUSED, "9000", *(REFUSED,) * 4),
    FIRST: (REFUSED, "9000", "6700", *(REFUSED,) * 3),
    SECOND: (REFUSED, "6700", "9000", *(REFUSED,) * 3),
    BAD_ARPC: (REFUSED, REFUSED, "6300", "6300", REFUSED, REFUSED),
    "80AE8000": (REFUSED, "6700", "6700", *(REFUSED,) * 3),
}


@pytest.mark.parametrize("command", MATRIX)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_pse_3_every_command_in_every_state(state, command):
    desk = STATES[state]()
    assert type(desk.power.kernel.current.session.app) is state
    expected = MATRIX[command][list(STATES).index(state)]
    assert desk.sw(command) == expected
    after = type(desk.power.kernel.current.session.app)
    name = {"80A8": "GET PROCESSING OPTIONS", "0020": "VERIFY", "0088": "INTERNAL AUTHENTICATE",
            "80AE": "GENERATE AC", "0082": "EXTERNAL AUTHENTICATE"}.get(command[:4])  # fmt: skip
    if name is None or expected in {REFUSED, "6700"}:
        assert after is state
    else:
        assert after in NEXT[state, name]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_pse_1_2_select_aborts_the_transaction(state):
    desk = STATES[state]()
    assert desk.select() == "9000"
    assert desk.sw(GPO) == "9000"


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_pse_1_2_a_failed_select_keeps_the_application_and_ends_the_transaction(state):
    desk = STATES[state]()
    assert desk.sw("00A4040005A000000999") == "6A82"
    assert desk.sw("00B2010C00") == "9000"
    assert desk.sw(PIN_OK) == "6985"
    assert desk.sw(GPO) == "9000"


def test_pse_3_internal_authenticate_may_be_repeated():
    desk = initiated()
    desk.data(DDA)
    desk.data(DDA)
    assert cvr(desk.ac(ARQC)) == "03A01002"


def test_pse_3_internal_authenticate_needs_the_aip():
    desk = Desk(debit_card(dgi_9104="82025C00940C080101001001020118010300")).begin()
    assert desk.sw(DDA) == "6985"


def test_pse_3_cda_without_its_aip_bit():
    desk = online()
    assert desk.ac(TC | CDA, arc="3030") == "6985"
    assert initiated().ac(ARQC | CDA) == "6985"


def test_pse_3_an_arqc_is_not_asked_twice_and_the_transaction_goes_on():
    desk = online()
    assert desk.ac(ARQC, arc="3030") == "6985"
    assert cid(desk.ac(TC, arc="3030")) == "40"


def test_pse_3_a_failed_command_changes_no_state():
    desk = initiated()
    for command, sw in (
        ("80AE800033" + AC_DATA[2:], "6700"),
        ("80AEC00034" + AC_DATA, "6A86"),
        ("80AE800134" + AC_DATA, "6A86"),
        ("0088000003A1B2C3", "6700"),
        ("008801000401020304", "6A86"),
        ("002000810826123456FFFFFFFF", "6A86"),
        ("00200080072612345678FFFF", "6700"),
    ):
        assert desk.sw(command) == sw, command
    assert cvr(desk.ac(ARQC)) == "03A01000"


# --- EXTERNAL AUTHENTICATE ---------------------------------------------------------------------


def test_pse_3_external_authenticate_twice_counts_as_a_failure():
    desk = online(DDA, PIN_OK)
    desk.data(GOOD_ARPC)
    assert desk.sw(GOOD_ARPC) == "6985"
    assert cvr(desk.ac(TC, arc="3030")) == "036C1002"
    assert desk.element("9F13") == "0000"
    assert cvr(desk.begin().ac(ARQC)) == "03A09800"


def test_pse_12_5_bad_external_authenticate():
    desk = online()
    assert desk.sw(BAD_ARPC) == "6300"
    assert cvr(desk.ac(TC, arc="3030")) == "03681000"
    assert cvr(desk.begin().ac(ARQC)) == "03A09800"


def test_pse_12_5_no_external_authenticate_though_mandatory():
    desk = online()
    assert cvr(desk.ac(TC, arc="3030")) == "03601400"
    assert cvr(desk.begin().ac(ARQC)) == "03A09800"


def test_pse_5_4_good_external_authenticate_settles_everything():
    desk = online(DDA, PIN_OK)
    desk.data(GOOD_ARPC)
    assert cvr(desk.ac(TC, arc="3030")) == "03641002"
    assert desk.element("9F13") == "0001"
    assert cvr(desk.begin().ac(ARQC)) == "03A00000"


def test_pse_5_5_an_arqc_without_its_end_shows_in_the_next_transaction():
    desk = online()
    desk.reset()
    answer = desk.begin().ac(TC)
    assert (cid(answer), cvr(answer)) == ("80", "03A09000")


def test_pse_5_5_external_authenticate_is_committed_by_the_second_generate_ac():
    desk = online(DDA, PIN_OK)
    image = desk.card.image
    desk.data(GOOD_ARPC)
    assert desk.sw(GOOD_ARPC) == "6985"
    assert desk.card.image == image
    assert cvr(desk.begin().ac(ARQC)) == "03A09000"


# --- a blocked application -----------------------------------------------------------------------


def test_pse_12_7_a_blocked_application_answers_and_declines():
    desk = Desk(debit_card(dgi_0E01=risk("8280"))).begin()
    assert [desk.sw(PIN_BAD) for _ in range(3)] == ["63C2", "63C1", "63C0"]
    answer = desk.ac(TC)
    assert (cid(answer), cvr(answer)) == ("00", "03865200")
    assert type(desk.power.kernel.current.session.app) is Open
    blocked = desk("00A4040008A000000333010101")
    assert blocked.endswith("6283")
    assert blocked.startswith("6F39")
    for asked in (AAC, TC, ARQC):
        desk.data(GPO)
        assert cid(desk.ac(asked)) == "00"
        assert desk.sw(BAD_ARPC) == "6300"
        desk.select()
    assert desk.sw("00B2010C00") == "9000"
    assert desk.element("9F36") == "0004"
    assert desk.sw(PSE) == "9000"


def test_pse_3_a_pse_command_without_a_place_is_told_why():
    from sscard.cos.trace import Exchanged

    desk = selected()
    told = []
    desk.card.trace(lambda event: told.append(event) if isinstance(event, Exchanged) else None)
    desk.power = desk.card.power_on()
    desk.select()
    assert desk.sw(PIN_OK) == "6985"
    assert str(told[-1].refusal) == "6985: VERIFY has no place in state selected (pse-pboc 3)"
