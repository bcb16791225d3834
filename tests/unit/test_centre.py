"""The centre: decisions, orders, blacklist; alone, as an ASGI application, and over HTTP."""

import json
import socket
from contextlib import suppress

import pytest
from http_bench import call, serving
from hypothesis import given
from hypothesis import strategies as st
from social_counter import AT, PIN, TODAY, psam, terminal, vault

from sscard.errors import TransportError
from sscard.perso.roots import demo_vault
from sscard.registry import CardEntry, Centre, CentreClient, Standing, service
from sscard.registry.service import BODY_MAX
from sscard.sample import new_card, sample_card
from sscard.spec.online import (
    Action,
    ActionKind,
    ActionResult,
    Blacklist,
    MessageError,
    Proof,
    Report,
    Verdict,
)
from sscard.terminal import Blocked, CardRejected, Check, Outcome, Policy, WrongPin

CODE = bytes.fromhex("999901D15600000500000001F0E44726")
CHIP = bytes.fromhex("0087CF20018649999900000001")
REPORT = Report(CODE, "T0000001X", CHIP)


def entry(**fields):
    given = {"code": CODE, "number": "T0000001X", "historical": CHIP, "region": "999901"}
    return CardEntry(**given | {"holder": "999901199001011232"} | fields)


@pytest.fixture
def centre():
    return Centre([entry()])


# ---- decisions -----------------------------------------------------------------------------------


def test_ssse_8_a_registered_card_is_allowed(centre):
    assert centre.decide(REPORT) == Verdict(allowed=True, region="999901")


def test_a_card_nobody_registered():
    assert not Centre().decide(REPORT).allowed
    with pytest.raises(KeyError):
        Centre().confirm(REPORT, ())


def test_a_card_is_registered_once(centre):
    with pytest.raises(ValueError, match="registered already"):
        centre.register(entry())


@pytest.mark.parametrize("number", ["T0000002X", ""])
def test_a_code_with_another_number_is_denied(centre, number):
    assert not centre.decide(Report(CODE, number, CHIP)).allowed


def test_a_code_that_belongs_to_another_chip_is_denied(centre):
    assert not centre.decide(Report(bytes(16), "T0000001X", CHIP)).allowed


@pytest.mark.parametrize("standing", [s for s in Standing if s is not Standing.ISSUED])
def test_ssse_9_a_lost_card_is_denied_and_listed(centre, standing):
    centre.report_standing(CODE, standing)
    verdict = centre.decide(REPORT)
    assert (verdict.allowed, verdict.reason) == (False, str(standing))
    listed = centre.blacklist
    assert listed.serial == 1
    assert listed.lists(CODE)
    assert listed.lists(b"", "T0000001X", "999901199001011232")
    assert not listed.lists(b"", "T0000001X", "")


def test_a_failed_check_is_denied(centre):
    verdict = centre.decide(Report(CODE, "T0000001X", CHIP, (("dates", "failed"),)))
    assert (verdict.allowed, verdict.reason) == (False, "failed: dates")


def test_with_a_vault_the_centre_judges_for_itself():
    judge = Centre([entry()], vault=demo_vault("v2"))
    desk = terminal(sample_card(), psam())
    assert not judge.decide(desk.report()).allowed  # it has not proved itself yet
    desk.check()
    assert judge.decide(desk.report()).allowed
    forged = Report(CODE, "T0000001X", CHIP, proof=Proof(bytes(8), bytes(8), bytes(8)))
    assert judge.decide(forged).reason == "not genuine"


def test_settlements_are_numbered(centre):
    asked = Report(CODE, "T0000001X", CHIP, amount_fen=100)
    first, second = centre.decide(asked).reference, centre.decide(asked).reference
    assert first != second
    assert centre.decide(REPORT).reference == ""
    assert not Centre([entry()], settles=False).decide(asked).allowed


def test_orders_wait_until_they_are_done(centre):
    orders = Action(ActionKind.PIN_UNBLOCK), Action(ActionKind.PIN_RELOAD, pin=PIN)
    centre.order(CODE, *orders)
    assert centre.decide(REPORT).actions == orders
    with pytest.raises(ValueError, match="not those"):
        centre.confirm(REPORT, (ActionResult(ActionKind.CARD_BLOCK, 0x9000),))
    centre.confirm(
        REPORT,
        (ActionResult(orders[0].kind, 0x6982), ActionResult(orders[1].kind, 0x9000)),
    )
    assert centre.decide(REPORT).actions == orders[:1]
    assert [result.sw for result in centre.card(CODE).history] == [0x6982, 0x9000]


def test_the_repr_of_an_order_shows_no_pin():
    assert PIN not in repr(Action(ActionKind.PIN_RELOAD, pin=PIN))


# ---- with a terminal -----------------------------------------------------------------------------


@pytest.mark.parametrize("source", [psam, vault])
def test_ssse_8_pin_reload_and_update_ordered_on_line(source, centre):
    card = sample_card()
    desk = terminal(card, source())
    desk.accept()
    for _ in range(6):
        with pytest.raises(WrongPin):
            desk.verify_pin("000000")
    centre.order(
        CODE,
        Action(ActionKind.PIN_RELOAD, pin="246810"),
        Action(ActionKind.UPDATE, file="SSSE/EF05", tag=0x05, value=bytes.fromhex("20260701")),
        Action(ActionKind.UPDATE, file="SSSE/EF99", tag=0x05, value=b""),
    )
    verdict = desk.go_online(centre)
    assert verdict.allowed
    desk.verify_pin("246810")
    assert desk.read("SSSE/EF05").value(0x05) == TODAY
    assert [result.sw for result in centre.card(CODE).history] == [0x9000, 0x9000, 0]
    assert ("verify", 0x63C0) in desk.report().words


def test_ssse_8_a_lost_card_is_blocked_at_its_next_visit(centre):
    card = sample_card()
    desk = terminal(card)
    desk.accept()
    centre.report_standing(CODE, Standing.WRITTEN_LOSS)
    centre.order(CODE, Action(ActionKind.APPLICATION_BLOCK))
    assert not desk.go_online(centre).allowed
    with pytest.raises(CardRejected):
        terminal(card).accept()
    # found again: the card cannot tell its region any more, the centre can
    centre.report_standing(CODE, Standing.ISSUED)
    reload = Action(ActionKind.PIN_RELOAD, pin="246810")
    centre.order(CODE, reload, Action(ActionKind.APPLICATION_UNBLOCK))
    desk = terminal(card)
    assert desk.environment.region == ""
    desk.check()
    verdict = desk.go_online(centre)
    assert (verdict.allowed, verdict.reason) == (False, "failed: application not blocked")
    assert [action.kind for action in verdict.actions] == [ActionKind.APPLICATION_UNBLOCK]
    assert centre.card(CODE).history[-1].done
    desk = terminal(card)
    desk.accept()
    assert desk.go_online(centre).actions == (reload,)
    desk.verify_pin("246810")


def test_ssse_4_8_an_application_blocked_for_good(centre):
    card = sample_card()
    desk = terminal(card)
    desk.accept()
    centre.order(CODE, Action(ActionKind.APPLICATION_BLOCK, "DF04", permanent=True))
    desk.go_online(centre)
    centre.order(CODE, Action(ActionKind.APPLICATION_UNBLOCK, "DF04"))
    desk.go_online(centre)
    assert [result.sw for result in centre.card(CODE).history] == [0x9000, 0x9303]
    with pytest.raises(Blocked):
        desk.balance()


def test_ssse_4_8_a_card_block_ordered(centre):
    card = sample_card()
    desk = terminal(card)
    desk.accept()
    centre.order(CODE, Action(ActionKind.CARD_BLOCK))
    desk.go_online(centre)
    assert card.power_on().transmit(bytes.fromhex("00A4000002DF01")).hex() == "6a82"


def test_ssse_8_the_blacklist_reaches_the_terminal(centre):
    centre.report_standing(CODE, Standing.ORAL_LOSS)
    desk = terminal(sample_card(), policy=Policy(TODAY, blacklist=centre.blacklist))
    outcomes = {result.check: result.outcome for result in desk.check()}
    assert outcomes[Check.BLACKLIST] is Outcome.FAILED


# ---- messages ------------------------------------------------------------------------------------

ACTIONS = st.builds(
    Action,
    st.sampled_from(ActionKind),
    st.text(max_size=5),
    st.booleans(),
    st.text("0123456789", max_size=8),
    st.text(max_size=9),
    st.integers(0, 255),
    st.integers(1, 9),
    st.binary(max_size=9),
)
PROOFS = st.none() | st.builds(Proof, *[st.binary(min_size=8, max_size=8)] * 3)
PAIRS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3).map(tuple)
WORDS = st.lists(st.tuples(st.text(max_size=5), st.integers(0, 65535)), max_size=3).map(tuple)
MESSAGES = (
    st.builds(
        Report,
        *(st.binary(max_size=16), st.text(max_size=9), st.binary(max_size=13)),
        *(PAIRS, WORDS, PROOFS, st.none() | st.integers(0, 1 << 32)),
    )
    | st.builds(
        Verdict,
        *(st.booleans(), st.text(max_size=9), st.lists(ACTIONS, max_size=3).map(tuple)),
        *(st.text(max_size=6), st.text(max_size=9)),
    )
    | st.builds(
        Blacklist,
        st.integers(0, 99),
        st.frozensets(st.binary(max_size=16), max_size=3),
        st.frozensets(st.tuples(st.text(max_size=9), st.text(max_size=18)), max_size=3),
    )
    | ACTIONS
)


@given(MESSAGES)
def test_messages_round_trip_through_json(message):
    text = json.dumps(message.to_json())
    assert type(message).from_json(json.loads(text)) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from([REPORT, Verdict(True), Blacklist(), Action(ActionKind.UPDATE)]), st.data())
def test_a_spoilt_message_is_a_message_error_or_a_message(message, data):
    row = message.to_json()
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(JSON)
    with suppress(MessageError):
        type(message).from_json(row)


# ---- the ASGI application ------------------------------------------------------------------------


def test_the_service_decides_confirms_and_lists(centre):
    centre.order(CODE, Action(ActionKind.PIN_UNBLOCK))
    app = service(centre)
    message = json.dumps(REPORT.to_json()).encode()
    status, answer = call(app, "POST", "/decide", message[:7], message[7:])
    assert status == 200
    assert Verdict.from_json(answer) == centre.decide(REPORT)
    done = {"report": REPORT.to_json(), "results": [["pin unblock", 0x9000]]}
    assert call(app, "POST", "/confirm", json.dumps(done).encode()) == (200, {})
    assert centre.decide(REPORT).actions == ()
    assert call(app, "POST", "/confirm", json.dumps(done).encode())[0] == 409
    status, answer = call(app, "GET", "/blacklist")
    assert Blacklist.from_json(answer) == centre.blacklist


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 404),
        ("GET", "/decide", b"", 405),
        ("POST", "/blacklist", b"", 405),
        ("POST", "/decide", b"", 400),
        ("POST", "/decide", b"[]", 400),
        ("POST", "/decide", b"\xff", 400),
        ("POST", "/decide", b'{"code": "XX"}', 400),
        ("POST", "/confirm", b"1", 400),
        ("POST", "/confirm", b"{}", 400),
        ("POST", "/decide", bytes(BODY_MAX + 1), 413),
    ],
)
def test_the_service_refuses(centre, method, path, body, status):
    answered, answer = call(service(centre), method, path, body)
    assert answered == status
    assert answer["error"]


@pytest.mark.parametrize(
    "results", [1, [1], [["x", 1]], [["pin unblock", "9000"]], [["pin unblock"]]]
)
def test_the_service_refuses_wrong_results(centre, results):
    body = json.dumps({"report": REPORT.to_json(), "results": results}).encode()
    assert call(service(centre), "POST", "/confirm", body)[0] == 400


# ---- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def served(centre):
    """The centre behind a real server; its address."""
    with serving(service(centre)) as url:
        yield url


def test_a_terminal_and_a_centre_over_http(centre, served):
    client = CentreClient(served)
    desk = terminal(new_card("v2"), psam())
    desk.accept()
    centre.order(CODE, Action(ActionKind.PIN_RELOAD, pin="246810"))
    assert desk.go_online(client).allowed
    desk.verify_pin("246810")
    assert centre.card(CODE).orders == ()
    centre.report_standing(CODE, Standing.ORAL_LOSS)
    assert client.blacklist == centre.blacklist
    with pytest.raises(TransportError, match="409"):
        client.confirm(REPORT, (ActionResult(ActionKind.CARD_BLOCK, 0x9000),))
    elsewhere = terminal(sample_card(), region="110000")
    elsewhere.accept()
    elsewhere.change_pin(PIN, "246810")
    elsewhere.verify_pin("246810")
    centre.report_standing(CODE, Standing.ISSUED)
    assert elsewhere.settle(100, AT, client).reference


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:1"])
def test_an_address_that_is_none(url):
    with pytest.raises(TransportError, match="no address"):
        CentreClient(url)


def test_a_centre_that_is_not_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TransportError, match="does not answer"):
            CentreClient(url, timeout_s=1).decide(REPORT)
