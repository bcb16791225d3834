"""The bank's host: pse-pboc 11 against it, its rules, its books, and what may go wrong on the way."""

import re
import shutil
from datetime import date, datetime, timedelta

import pytest
from bank_desk import (
    ACCOUNT,
    AT,
    CARD,
    DAY,
    MDK,
    PAN,
    TERMINAL,
    bank_vault,
    batch,
    completion,
    icc,
    new_host,
    request,
    reversal,
)
from pse_desk import ARQC, Desk, terminal_data
from sqlalchemy import event

from sscard.iso import tlv
from sscard.issuer import (
    AccountState,
    CardState,
    IssuerError,
    IssuerHost,
    Mandate,
    PayOut,
    Policy,
    Privilege,
    ScriptKind,
    ScriptOrder,
    SocialFlows,
    open_books,
)
from sscard.keys.vault import BankCard
from sscard.registry import CardEntry, Centre
from sscard.sample import new_card
from sscard.spec.banking import EntryMode, Kind, Outcome
from sscard.spec.online import Report


@pytest.fixture
def host():
    return new_host()


def commands(response):
    """The script commands of an answer, by template."""
    return [
        (tag, inner[1][1].hex().upper())
        for tag, value in tlv.parse(response.issuer_data)
        if tag in (0x71, 0x72)
        for inner in [tlv.parse(value)]
    ]


# ---- pse-pboc 11 -----------------------------------------------------------------------------


def test_pse_11_4_the_transaction(host):
    asked = request()
    assert bytes.fromhex("F126D638723D8BFC") in asked.icc
    answer = host.authorise(asked)
    assert (answer.arc, answer.approved) == ("00", True)
    assert answer.issuer_data.hex().upper() == "910A16E77895E0513B623030"
    ended = completion()
    assert bytes.fromhex("BF0C0717E6D3496C") in ended.icc
    assert host.account(ACCOUNT).available_fen == 100_000 - 12345
    assert host.complete(ended).accepted
    cleared = host.clear(batch(ended))
    assert (cleared.booked, cleared.amount_fen, cleared.refused) == (1, 12345, ())
    assert host.account(ACCOUNT)[4:6] == (100_000 - 12345, 0)
    assert host.account("merchants").balance_fen == 12345
    assert host.audit() == []


SCRIPTS = [
    (ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F58, value=b"\x05"), "04DA9F580505F58454DC"),
    (ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F59, value=b"\x07"), "04DA9F5905075D25FF2D"),
    (ScriptOrder(ScriptKind.APPLICATION_BLOCK), "841E0000045C865855"),
    (ScriptOrder(ScriptKind.APPLICATION_UNBLOCK), "8418000004C9C318FC"),
    (ScriptOrder(ScriptKind.CARD_BLOCK), "8416000004590483C4"),
    (ScriptOrder(ScriptKind.PIN_UNBLOCK), "8424000004D4FED8FE"),
    (
        ScriptOrder(
            ScriptKind.UPDATE_RECORD, sfi=4, record=1, value=bytes.fromhex("70089F1401059F230109")
        ),
        "04DC01240E70089F1401059F2301091EB6DA7E",
    ),
]


@pytest.mark.parametrize(("order", "apdu"), SCRIPTS, ids=lambda value: str(value)[:12])
def test_pse_11_5_scripts_byte_for_byte(host, order, apdu):
    number = host.order(CARD, order)
    answer = host.authorise(request())
    assert commands(answer) == [(0x72, apdu)]
    assert tlv.find(answer.issuer_data, 0x9F18) == number.to_bytes(4, "big")


def test_pse_11_5_pin_change_and_a_script_before(host):
    host.order_pin(CARD, "654321")
    host.order(CARD, ScriptOrder(ScriptKind.PIN_UNBLOCK, before=True))
    assert commands(host.authorise(request())) == [
        (0x71, "8424000004D4FED8FE"),
        (0x72, "84240002141F67FC377BEAE6196B2A37CB41C3BB6CA42E833E"),
    ]
    assert "654321" not in repr(host.scripts(CARD))


def test_pse_11_5_pin_change_that_knows_the_current_pin(host):
    host.order_pin(CARD, "654321", current="123456")
    apdu = "84240001141A62284B966F124B6B2A37CB41C3BB6CC547A9F5"
    assert commands(host.authorise(request())) == [(0x72, apdu)]


def test_pse_4_6_an_unknown_key_index(host):
    other = icc()[:-8] + bytes.fromhex("0702") + icc()[-6:]
    answer = host.authorise(request(icc=other))
    assert (answer.arc, answer.reason) == ("05", "key index 02 is not known here")


def test_pse_4_8_a_card_and_the_host(host):
    """Authentication both ways, scripts and clearing, with the emulated card itself."""
    host.order_pin(CARD, "654321")
    host.order(CARD, ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F58, value=b"\x05"))
    desk = Desk(new_card("pboc")).begin()
    desk.data("002000800826123456FFFFFFFF")
    first = bytes.fromhex(desk.ac(ARQC))
    answer = host.authorise(request(icc=_field_55(first)))
    assert answer.approved, answer.reason
    assert desk.sw("008200000A" + tlv.find(answer.issuer_data, 0x91).hex()) == "9000"
    second = bytes.fromhex(desk.ac(0x40, arc="3030"))
    assert second[2] == 0x40
    for tag, apdu in commands(answer):
        assert (tag, desk.sw(apdu)) == (0x72, "9000")
    results = tuple(b"\x20" + number.to_bytes(4, "big") for number, _, _ in host.scripts(CARD))
    ended = completion(icc=_field_55(second), script_results=results)
    assert host.complete(ended).accepted
    assert [state for _, _, state in host.scripts(CARD)] == ["done", "done"]
    assert host.clear(batch(ended)).booked == 1
    assert desk.begin().sw("002000800826654321FFFFFFFF") == "9000"
    assert desk.element("9F58") == "05"


def _field_55(answer):
    """Field 55 of a GENERATE AC answer in format 1, over the terminal data of 11.3."""
    items = tlv.parse(icc())
    cryptogram = {
        0x9F27: answer[2:3], 0x9F36: answer[3:5], 0x9F26: answer[5:13], 0x9F10: answer[13:-2],
    }  # fmt: skip
    assert terminal_data().startswith("000000012345")
    return b"".join(tlv.encode(tag, cryptogram.get(tag, value)) for tag, value in items)


def test_pse_4_4_cvn_17_and_idd():
    host = new_host()
    assert host.authorise(request(chip={"cvn": 0x11})).approved
    idd = bytes.fromhex("0A010000010000") + bank_vault().idd_mac(
        CARD, 2, bytes.fromhex("0000010000")
    )
    assert host.authorise(request(2, chip={"idd": idd})).approved
    wrong = idd[:-1] + bytes((idd[-1] ^ 1,))
    answer = host.authorise(request(3, chip={"idd": wrong}))
    assert (answer.arc, answer.issuer_data) == ("05", b"")


# ---- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "arc", "words"),
    [
        ({"pan": "6210950000000000025"}, "14", "not known"),
        ({"psn": "01"}, "14", "not known"),
        ({"chip": {"mdk": bytes(16)}}, "05", "cryptogram is wrong"),
        ({"chip": {"spoil": {0x9F26: None}}}, "30", "lack 9F26"),
        ({"chip": {"spoil": {0x95: b"\0"}}}, "30", "95 has 5"),
        ({"chip": {"cid": 0x40}}, "12", "on line"),
        ({"chip": {"cvn": 0x05}}, "30", "version 05"),
        ({"icc": icc(amount=1)}, "30", "9F02"),
        ({"icc": b"\x9f"}, "30", "TLV"),
        ({"icc": b""}, "30", "missing"),
        ({"icc": b"", "entry_mode": EntryMode.MAGNETIC}, "57", "chip"),
        ({"expiry": "3011"}, "14", "expiry"),
        ({"track2": f"{PAN}D3011620"}, "30", "track 2"),
        ({"currency": 840, "chip": {"currency": 840}}, "57", "RMB"),
        ({"country": 840, "chip": {"country": 840}}, "57", "RMB"),
        ({"chip": {"tvr": "0400008000"}}, "05", "CDA failed|DDA failed|SDA failed|CDA"),
        ({"amount": 0}, "12", "nothing"),
        ({"amount": 100_001}, "51", "balance"),
        ({"amount": 5_000_001}, "61", "one transaction"),
        ({"kind": Kind.CASH}, "55", "PIN is needed"),
    ],
)  # fmt: skip
def test_a_clear_refusal_and_nothing_held(host, asked, arc, words):
    answer = host.authorise(request(**asked))
    assert answer.arc == arc, answer
    assert not answer.approved
    assert re.search(words, answer.reason), answer.reason
    assert host.account(ACCOUNT).held_fen == 0
    assert host.audit() == []


def test_a_declined_genuine_card_still_gets_its_arpc(host):
    answer = host.authorise(request(amount=100_001))
    assert answer.issuer_data[:2] == b"\x91\x0a"
    assert answer.issuer_data[-2:] == b"51"


@pytest.mark.parametrize(
    ("state", "arc"),
    [
        (CardState.INACTIVE, "62"),
        (CardState.ORAL_LOST, "41"),
        (CardState.WRITTEN_LOST, "41"),
        (CardState.STOLEN, "43"),
        (CardState.REPLACED, "14"),
        (CardState.CANCELLED, "14"),
    ],
)
def test_cos_8_4_a_card_that_is_not_active_is_refused_and_can_be_blocked(state, arc):
    host = new_host(state=state)
    host.order(CARD, ScriptOrder(ScriptKind.APPLICATION_BLOCK))
    answer = host.authorise(request())
    assert answer.arc == arc
    # made from the ARQC, whatever the ARC
    assert commands(answer) == [(0x72, "841E0000045C865855")]


def test_a_frozen_account(host):
    host.set_account(ACCOUNT, AccountState.FROZEN)
    assert host.authorise(request()).arc == "62"
    with pytest.raises(IssuerError, match="not empty"):
        host.set_account(ACCOUNT, AccountState.CLOSED)


def test_an_expired_card(host):
    other = BankCard(PAN, "01")
    host.issue_card(other, ACCOUNT, "2606")
    from sscard.keys import pboc

    session = pboc.session_key(pboc.udk(MDK["AC"], PAN, "01"), 1)
    covered = bytes.fromhex(
        "00000001234500000000000001560000008000015626070100A1B2C3D47C00000103A41002"
    )
    chip = icc(spoil={0x9F26: pboc.cryptogram(session, covered)})
    assert host.authorise(request(psn="01", expiry="2606", icc=chip)).arc == "54"


def test_issuer_action_on_the_cvr():
    host = new_host(policy=Policy(cvr_deny=bytes.fromhex("00004900")))
    answer = host.authorise(request(chip={"cvr": "03A04000"}))
    assert (answer.arc, answer.reason) == ("75", "the card's PIN is blocked")
    answer = host.authorise(request(2, chip={"cvr": "03A00800"}))
    assert (answer.arc, answer.reason) == (
        "05",
        "issuer authentication failure on last online transaction",
    )
    assert host.authorise(request(3)).approved


def test_counters_do_not_go_back_or_jump(host):
    assert host.authorise(request(1, atc=10)).approved
    for trace, atc in ((2, 10), (3, 9)):
        answer = host.authorise(request(trace, atc=atc))
        assert (answer.arc, answer.issuer_data) == ("05", b"")
        assert "seen already" in answer.reason
    assert "jumped" in host.authorise(request(4, atc=1011)).reason
    assert host.authorise(request(5, atc=1010)).approved


def test_limits_of_a_day():
    host = new_host(deposit=10**7, policy=Policy(day_max_fen=25_000, day_count_max=3))
    answers = [host.authorise(request(n)).arc for n in (1, 2, 3)]
    assert answers == ["00", "00", "61"]
    assert host.reverse(reversal(2)).accepted
    assert [host.authorise(request(n, amount=100)).arc for n in (4, 5, 6)] == ["00", "00", "65"]
    tomorrow = AT + timedelta(days=1)
    assert host.authorise(request(7, at=tomorrow)).arc == "00"


def test_online_pin_tries():
    host = new_host(pin="123456")
    bank = bank_vault()
    right, wrong = (bank.pin_of_terminal(TERMINAL, CARD, pin) for pin in ("123456", "123457"))
    balance = {"kind": Kind.BALANCE, "amount": 0}
    answer = host.authorise(request(1, pin_block=right, **balance))
    assert (answer.arc, answer.balance_fen) == ("00", 100_000)
    arcs = [host.authorise(request(n, pin_block=wrong, **balance)).arc for n in (2, 3, 4)]
    assert arcs == ["55", "55", "55"]
    assert host.authorise(request(5, pin_block=right, **balance)).arc == "75"
    host.set_pin(CARD, "123457")
    assert host.authorise(request(6, pin_block=wrong, **balance)).arc == "00"
    assert host.authorise(request(7, pin_block=bytes(8), **balance)).arc == "55"
    cash = host.authorise(request(8, pin_block=wrong, kind=Kind.CASH))
    assert (cash.arc, cash.balance_fen) == ("00", None)
    assert host.clear(batch(completion(8, kind=Kind.CASH))).booked == 1
    assert host.account("cash").balance_fen == 12345


# ---- once, and only once ---------------------------------------------------------------------


def test_a_request_again_is_answered_as_before(host):
    first = host.authorise(request())
    assert host.authorise(request()) == first
    assert host.account(ACCOUNT).held_fen == 12345
    answer = host.authorise(request(1, amount=1, atc=2))
    assert answer.arc == "94"


def test_a_reversal_ends_the_hold(host):
    host.authorise(request())
    assert not host.reverse(reversal(amount=1)).accepted
    assert host.reverse(reversal()).accepted
    assert host.reverse(reversal()).again
    assert host.account(ACCOUNT).held_fen == 0
    assert not host.authorise(request()).approved
    assert not host.complete(completion()).accepted
    assert host.clear(batch(completion())).refused[0].reason == "it is reversed"


def test_a_reversal_that_comes_first(host):
    assert host.reverse(reversal()).accepted
    assert host.authorise(request()).reason == "it was reversed"
    assert host.account(ACCOUNT).held_fen == 0


def test_a_card_that_refuses_gives_the_money_back(host):
    host.authorise(request())
    refused = completion(outcome=Outcome.DECLINED)
    assert host.complete(refused).accepted
    assert host.complete(refused).again
    assert host.account(ACCOUNT).held_fen == 0
    assert not host.complete(completion()).accepted


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        ({"mdk": bytes(16)}, "wrong"),
        ({"cid": 0x00}, "another kind"),
        ({"cid": 0x80}, "another kind"),
        ({"amount": 1}, "differ"),
        ({"spoil": {0x9F26: None}}, "lack"),
    ],
)
def test_clearing_wants_the_tc(host, chip, words):
    host.authorise(request())
    amount = chip.pop("amount", 12345)
    ended = completion(icc=icc(amount=amount, **{"cid": 0x40, "cvr": "03641002"} | chip))
    assert words in host.complete(ended).reason
    assert words in host.clear(batch(ended)).refused[0].reason
    other = completion(atc=2)
    assert "another transaction" in host.clear(batch(other, number=2)).refused[0].reason
    assert host.account("merchants").balance_fen == 0


def test_a_batch_again_and_a_batch_that_is_another_one(host):
    for n in (1, 2):
        host.authorise(request(n))
    first = batch(completion(1), completion(1), completion(3))
    result = host.clear(first)
    assert (result.booked, [r.reason for r in result.refused]) == (
        1,
        ["it is booked already", "there was no such authorisation"],
    )
    again = host.clear(first)
    assert again.again
    assert (again.booked, again.refused) == (result.booked, result.refused)
    assert host.clear(batch(completion(2))).booked == 0
    assert host.clear(batch(completion(2), number=2)).booked == 1
    assert host.account("merchants").balance_fen == 2 * 12345
    assert not host.reverse(reversal()).accepted
    assert host.audit() == []


def test_offline_transactions_are_booked_for_their_tc(host):
    """The card decided: the bank answers for it, even past the balance."""
    offline = completion(1, atc=7, offline=True, amount=150_000, chip={"cvr": "03941002"})
    assert host.complete(offline).accepted
    assert host.account(ACCOUNT).available_fen == -50_000
    other = completion(2, atc=7, offline=True, amount=150_000, chip={"cvr": "03941002"})
    assert "came already" in host.complete(other).reason
    assert host.clear(batch(offline, other, completion(3, atc=8, offline=True))).booked == 2
    assert host.account(ACCOUNT).balance_fen == 100_000 - 150_000 - 12345
    forged = completion(4, atc=9, offline=True, chip={"mdk": bytes(16)})
    assert host.clear(batch(forged, number=2)).booked == 0
    assert host.audit() == []


@pytest.mark.parametrize("before", ["declined", "reversed"])
def test_pse_5_4_b_a_card_that_could_not_hear_the_host(host, before):
    """The terminal gave up; the TC says the card could not go on line, and binds the bank."""
    amount = 100_001 if before == "declined" else 12345
    assert host.authorise(request(amount=amount)).approved == (before == "reversed")
    if before == "reversed":
        host.reverse(reversal())
    heard = completion(offline=True, amount=amount)
    assert "went on line" in host.complete(heard).reason
    ended = completion(offline=True, amount=amount, chip={"cvr": "03651002"})
    assert host.complete(ended).accepted
    assert host.complete(ended).again
    assert host.clear(batch(ended)).booked == 1
    assert host.clear(batch(ended, number=2)).booked == 0
    assert host.account(ACCOUNT)[4:6] == (100_000 - amount, 0)
    assert host.audit() == []


def test_a_counter_of_an_advice_is_seen(host):
    assert host.complete(completion(1, atc=7, offline=True)).accepted
    assert "seen already" in host.authorise(request(2, atc=7)).reason
    assert host.authorise(request(3, atc=8)).approved


def test_pse_5_4_b_a_terminal_without_an_answer_goes_on_off_line(host):
    """Its offline TC comes under a new trace number, before or after the reversal of the old one."""
    assert host.authorise(request(1, atc=7)).approved
    tc = {"atc": 7, "offline": True, "chip": {"cvr": "03651002"}}
    without = completion(2, atc=7, offline=True)
    assert (
        "came already" in host.complete(without).reason
    )  # it does not say it could not go on line
    advice = completion(2, **tc)
    assert host.complete(advice).accepted
    assert host.account(ACCOUNT).held_fen == 12345
    assert host.reverse(reversal(1)).again
    assert "seen already" in host.authorise(request(3, atc=7)).reason
    assert "came already" in host.complete(completion(4, **tc)).reason
    result = host.clear(batch(advice, completion(4, **tc)))
    assert [row.trace for row in result.refused] == [4]
    assert (host.account(ACCOUNT).balance_fen, host.account(ACCOUNT).held_fen) == (87_655, 0)
    assert host.audit() == []


def test_a_purchase_with_cash(host):
    numbers = {0x9F03: bytes.fromhex("000000002000"), 0x9C: b"\x09"}
    asked = request(1, other_fen=2000, icc=icc(changes=numbers))
    assert host.authorise(asked).approved
    assert "9C" in host.authorise(request(2, icc=icc(2, changes={0x9C: b"\x09"}))).reason
    ended = completion(1, other_fen=2000, icc=icc(cid=0x40, cvr="03641002", changes=numbers))
    assert host.clear(batch(ended)).booked == 1


def test_an_offline_refund_rests_on_its_aac(host):
    refund = completion(1, kind=Kind.REFUND, offline=True, chip={"cid": 0x00, "cvr": "03840000"})
    assert host.clear(batch(refund)).booked == 1
    assert host.account(ACCOUNT).balance_fen == 112_345
    declined = completion(2, offline=True, outcome=Outcome.DECLINED)
    assert host.complete(declined).accepted
    assert host.account(ACCOUNT).held_fen == 0


def test_a_refund(host):
    assert host.authorise(request(kind=Kind.REFUND)).approved
    assert host.account(ACCOUNT).held_fen == 0
    assert host.clear(batch(completion(kind=Kind.REFUND, chip={"cid": 0}))).booked == 1
    assert host.account(ACCOUNT).balance_fen == 100_000 + 12345


def test_holds_end_without_clearing(host):
    host.authorise(request())
    assert host.end_of_day(DAY + timedelta(days=7)) == 0
    assert host.end_of_day(DAY + timedelta(days=8)) == 1
    assert host.account(ACCOUNT).held_fen == 0
    assert host.clear(batch(completion())).booked == 1  # the TC binds the bank all the same
    assert host.audit() == []


def test_scripts_are_sent_again_until_confirmed_or_given_up():
    host = new_host(policy=Policy(script_tries_max=2))
    number = host.order(CARD, ScriptOrder(ScriptKind.PIN_UNBLOCK))
    refused = b"\x11" + number.to_bytes(4, "big")
    assert commands(host.authorise(request(1)))
    host.complete(completion(1, script_results=(refused,)))
    assert host.scripts(CARD)[0][2] == "queued"
    assert commands(host.authorise(request(2)))
    host.complete(completion(2, script_results=(refused,)))
    assert host.scripts(CARD)[0][2] == "failed"
    assert not commands(host.authorise(request(3)))


def test_scripts_that_do_not_fit_wait(host):
    record = b"\x70\x5a" + bytes(90)
    for record_number in (1, 2):
        host.order(
            CARD, ScriptOrder(ScriptKind.UPDATE_RECORD, sfi=4, record=record_number, value=record)
        )
    assert len(commands(host.authorise(request(1)))) == 1
    assert [state for _, _, state in host.scripts(CARD)] == ["sent", "queued"]


@pytest.mark.parametrize(
    "order",
    [
        {"kind": ScriptKind.PUT_DATA, "tag": 0x9F36, "value": b"\0\0"},
        {"kind": ScriptKind.PUT_DATA, "tag": 0x9F58},
        {"kind": ScriptKind.UPDATE_RECORD, "sfi": 31, "record": 1, "value": b"\x70\0"},
        {"kind": ScriptKind.UPDATE_RECORD, "sfi": 4, "record": 1, "value": b"\x71\0"},
        {"kind": ScriptKind.PIN_CHANGE, "value": b"123456"},
        {"kind": ScriptKind.UPDATE_RECORD, "sfi": 11, "record": 1, "value": bytes(101)},
    ],
)
def test_orders_no_card_takes(order):
    with pytest.raises(IssuerError):
        ScriptOrder(**order)


# ---- crashes ---------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


RULES = [Privilege("p", ("MERCHANT",), 10, points_per_yuan=1)]
STEPS = [
    ("authorise", request(1)),
    ("complete", completion(1, script_results=(bytes.fromhex("2000000001"),))),
    ("clear", batch(completion(1), completion(2, atc=2, offline=True))),
    ("reverse", reversal(9)),
]


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[name for name, _ in STEPS])
def test_a_crash_at_any_statement_leaves_before_or_after(tmp_path, step):
    """Killed before each statement in turn; then the same message again ends as if nothing was."""
    name, message = STEPS[step]
    prepared = new_host(f"sqlite:///{tmp_path}/prepared.db", privileges=RULES)
    prepared.order(CARD, ScriptOrder(ScriptKind.PIN_UNBLOCK))
    for earlier, before in STEPS[:step]:
        getattr(prepared, earlier)(before)
    prepared.books.dispose()
    seen = []
    for cut in range(100):
        file = tmp_path / f"{cut}.db"
        shutil.copy(tmp_path / "prepared.db", file)
        host = IssuerHost(bank_vault(), open_books(f"sqlite:///{file}"), privileges=RULES)
        survived = _killed_at(host, cut, lambda host=host: getattr(host, name)(message))
        host.books.dispose()
        reborn = IssuerHost(bank_vault(), open_books(f"sqlite:///{file}"), privileges=RULES)
        assert reborn.audit() == [], cut
        getattr(reborn, name)(message)
        assert reborn.audit() == [], cut
        seen.append([(a.number, a.balance_fen, a.held_fen, a.points) for a in reborn.accounts()])
        reborn.books.dispose()
        if survived:
            break
    assert len(seen) > 2
    assert all(end == seen[0] for end in seen)


def _killed_at(host, cut, run):
    """Run, and die before statement number `cut`; return whether it got to its end before."""
    left = [cut]

    def count(*_):
        if left[0] == 0:
            left[0] = -1
            raise Killed
        left[0] -= 1

    event.listen(host.books, "before_cursor_execute", count)
    try:
        run()
    except Killed:
        return False
    finally:
        event.remove(host.books, "before_cursor_execute", count)
    return True


# ---- flows -----------------------------------------------------------------------------------


def test_ssse_9_contribution_mandate_benefit_and_bill(host):
    flows = SocialFlows(host.books)
    assert not flows.contribute("C1", ACCOUNT, 1000, DAY).again
    assert flows.contribute("C1", ACCOUNT, 1000, DAY).again
    with pytest.raises(IssuerError, match="booked already"):
        flows.contribute("C1", ACCOUNT, 1001, DAY)
    with pytest.raises(IssuerError, match="too low"):
        flows.contribute("C2", ACCOUNT, 10**6, DAY)
    flows.grant(Mandate("M1", ACCOUNT, "social", 5000))
    with pytest.raises(IssuerError, match="without /"):
        flows.grant(Mandate("M/1", ACCOUNT, "social", 5000))
    with pytest.raises(IssuerError, match="without /"):
        flows.pay_out("", [], DAY)
    with pytest.raises(IssuerError, match="M1 already"):
        flows.grant(Mandate("M1", ACCOUNT, "social", 5000))
    with pytest.raises(IssuerError, match="without /"):
        flows.grant(Mandate("M/1", ACCOUNT, "social", 5000))
    with pytest.raises(IssuerError, match="without /"):
        flows.pay_out("", [], DAY)
    with pytest.raises(IssuerError, match="5000"):
        flows.collect("M1", "2026-07", 5001, DAY)
    assert not flows.collect("M1", "2026-07", 5000, DAY).again
    flows.revoke("M1")
    assert flows.collect("M1", "2026-07", 5000, DAY).again
    with pytest.raises(IssuerError, match="revoked"):
        flows.collect("M1", "2026-08", 5000, DAY)
    lines = [PayOut("P1", ACCOUNT, 30_000), PayOut("P2", "nobody", 1), PayOut("P3", ACCOUNT, 0)]
    results = flows.pay_out("pension", lines, DAY)
    assert [r.paid for r in results] == [True, False, False]
    assert flows.pay_out("pension", lines[:1], DAY)[0].again
    assert not flows.pay_personal_part("S00000001", ACCOUNT, 700, DAY).again
    assert flows.pay_personal_part("S00000001", ACCOUNT, 700, DAY).again
    assert host.account(ACCOUNT).balance_fen == 100_000 - 1000 - 5000 + 30_000 - 700
    assert host.account("hospitals").balance_fen == 700
    assert host.audit() == []


def test_ssse_9_the_personal_part_of_a_settlement_of_the_centre(host):
    """The centre's reference is the bill's at the bank: paid once, whoever asks again."""
    code, chip = bytes(range(16)), bytes(5) + b"CHIP0001"
    centre = Centre([CardEntry(code, "T0000001X", chip, "999901")])
    flows = SocialFlows(host.books)
    bills = [centre.decide(Report(code, "T0000001X", chip, amount_fen=9000)) for _ in range(2)]
    assert all(bill.allowed for bill in bills)
    for bill in (*bills, bills[0]):
        flows.pay_personal_part(bill.reference, ACCOUNT, 2500, DAY)
    assert host.account(ACCOUNT).balance_fen == 100_000 - 2 * 2500
    assert host.account("hospitals").balance_fen == 2 * 2500
    with pytest.raises(IssuerError, match="booked already"):
        flows.pay_personal_part(bills[0].reference, ACCOUNT, 2501, DAY)


def test_ssse_9_flows_see_holds_and_frozen_accounts(host):
    flows = SocialFlows(host.books)
    host.authorise(request(amount=99_000))
    with pytest.raises(IssuerError, match="too low"):
        flows.pay_personal_part("S1", ACCOUNT, 1001, DAY)
    host.set_account(ACCOUNT, AccountState.FROZEN)
    with pytest.raises(IssuerError, match="frozen"):
        flows.pay_personal_part("S1", ACCOUNT, 1, DAY)
    assert flows.pay_out("pension", [PayOut("P1", ACCOUNT, 1)], DAY)[0].paid


def test_ssse_9_a_merchant_privilege():
    rule = Privilege("elders' day", ("MERCHANT",), 55, 500, points_per_yuan=2, minimum_fen=10_000)
    host = new_host(privileges=[rule])
    for n, amount in ((1, 12345), (2, 9999)):
        host.authorise(request(n, amount=amount))
    host.clear(batch(completion(1), completion(2, amount=9999)))
    account = host.account(ACCOUNT)
    assert account.balance_fen == 100_000 - 12345 - 9999 + 500
    assert account.points == 246
    assert host.account("privileges").balance_fen == -500
    assert host.audit() == []


def test_the_counter_says_what_is_wrong(host):
    with pytest.raises(IssuerError, match="already"):
        host.open_account(ACCOUNT, "X", day=DAY)
    with pytest.raises(IssuerError, match=r"621095\*+0017 is issued"):
        host.issue_card(CARD, ACCOUNT, "3012")
    with pytest.raises(IssuerError, match="no account"):
        host.issue_card(BankCard("6210950000000000025"), "none", "3012")
    for expiry in ("3313", "3000", "30", "30120", "abcd"):
        with pytest.raises(IssuerError, match="no year and month, YYMM"):
            host.issue_card(BankCard("6210950000000000025"), ACCOUNT, expiry)
    with pytest.raises(IssuerError, match="no card"):
        host.order(BankCard("6210950000000000025"), ScriptOrder(ScriptKind.CARD_BLOCK))
    with pytest.raises(IssuerError, match="own"):
        host.set_account("cash", AccountState.FROZEN)


def test_an_account_opened_with_its_card_stands_with_it_or_not_at_all(host):
    card = BankCard("6210950000000000025")
    with pytest.raises(IssuerError, match="is issued"):
        host.open_with_card("6218", "X", CARD, "3012", deposit_fen=5, day=DAY)
    with pytest.raises(IssuerError, match="no account 6218"):
        host.account("6218")
    host.open_with_card("6218", "X", card, "3012", deposit_fen=5, day=DAY, pin="123456")
    assert host.account("6218").balance_fen == 5
    assert [row["reference"] for row in host.bookings()].count("6218") == 1
    with pytest.raises(IssuerError, match="is issued"):
        host.issue_card(card, "6218", "3012")
    assert host.audit() == []


def test_pse_5_1_put_data_has_the_length_of_its_element():
    with pytest.raises(IssuerError, match="9F58 has 1 bytes, not 2"):
        ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F58, value=b"\x05\x05")
    assert ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F54, value=bytes(6)).value == bytes(6)


def test_the_books_outlive_the_process(tmp_path):
    url = f"sqlite:///{tmp_path}/bank.db"
    host = new_host(url)
    answer = host.authorise(request())
    host.books.dispose()
    later = IssuerHost(bank_vault(), open_books(url))
    assert later.authorise(request()) == answer
    assert later.bookings()[0]["day"] == date(2026, 7, 1)
    assert datetime(2026, 7, 1, 10, 30, 45) == AT
    later.books.dispose()
