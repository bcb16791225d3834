"""Whole debit transactions with scripts under power loss, before and after the second cryptogram.

Every command that writes is torn where it stands in its session, from GPO to the last script.
What is found is before or after; the terminal begins again, and is told of an online transaction
that was not completed. `SESSIONS` has a session for every row of the table that writes, or the
last test here fails. Source: pse-pboc 5.5, 5.6, 12 #8; cos 1.3.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import pytest
from debit_tears import NOT_COMPLETED, ONLINE, Stored
from pse_desk import (
    ADF,
    ARQC,
    DDA,
    GPO,
    PIN_BAD,
    PIN_OK,
    TC,
    Desk,
    cid,
    cvr,
    debit_card,
    generate,
    risk,
)
from pse_issuer import Issuer, online

from sscard.apps.pse.layout import Indicator
from sscard.apps.pse.machine import TRANSACTION
from sscard.card import Card
from sscard.testing.trial import Step, Trial, record

pytestmark = pytest.mark.tear

RECORD = "70405713" + "6210950000000000017D30126200000012345F5F20" + "0F54455354" + "41" * 44
QUIET = {"INTERNAL AUTHENTICATE", "EXTERNAL AUTHENTICATE"}
"""What writes nothing: 5.5 keeps their results in the session."""


def scripts(issuer, order):
    """The scripts of a letter each; small ones have a wrong MAC."""
    made = {
        "B": ("841E0000", b""),
        "U": ("84180000", b""),
        "C": ("84160000", b""),
        "P": ("84240000", b""),
        "D": ("04DA9F58", b"\x05"),
        "R": ("04DC010C", bytes.fromhex(RECORD)[:66]),
    }
    for letter in order:
        if letter == "N":
            yield issuer.pin_change("123456", "123456")
        elif letter == "O":
            yield issuer.pin_change("654321")
        else:
            header, data = made[letter.upper()]
            yield issuer.script(header, data, wrong=letter.islower())


class Session(NamedTuple):
    """`before` what the card is like; PIN; scripts of 71; whether a second follows; of 72."""

    before: str = ""
    pin: str = PIN_OK
    early: str = ""
    second: bool = True
    late: str = ""
    arpc: bool = True


SESSIONS = {
    "71, then 72": Session(early="DRPN", late="UDBU"),
    "71 with a wrong MAC": Session(early="DpDN", late="D"),
    "72 with a wrong MAC": Session(early="U", late="DrD"),
    "another PIN": Session(early="O", second=False),
    "another PIN after the second": Session(pin=PIN_BAD, late="PO"),
    "without ARPC": Session(arpc=False, early="B", late="UR"),
    "blocked application": Session(before="blocked", early="DPRU", second=False),
    "blocked application, wrong MAC": Session(before="blocked", early="Du", second=False),
    "end of the card in 71": Session(early="DC", second=True, late="D"),
    "end of the card in 72": Session(late="Cd"),
}


@cache
def delivered(before):
    card = debit_card(dgi_0E01=risk("8240", last="0001", atc="0001"))
    if before == "blocked":
        desk = Desk(card)
        issuer = online(desk)
        assert desk.sw(issuer.script("841E0000")) == "9000"
        desk.ac(TC, arc="3030")
    return card.snapshot()


def played(session):
    """Return the commands of a session, in order, as a card without power losses takes them."""
    desk = Desk(delivered(session.before).fork())
    sent = []

    def send(apdu):
        sent.append(apdu)
        return desk(apdu)

    for apdu in (ADF, GPO, session.pin, DDA):
        send(apdu)
    issuer = Issuer(send(generate(ARQC)))
    if session.arpc:
        assert send(issuer.arpc()) == "9000"
    answers = [send(script) for script in scripts(issuer, session.early)]
    if session.second:
        assert send(generate(TC, "3030")).endswith("9000")
    answers += [send(script) for script in scripts(issuer, session.late)]
    order = session.early + session.late
    good = next((at for at, letter in enumerate(order) if letter.islower()), len(order))
    wrong = ["6988"] + ["6985"] * (len(order) - good - 1) if good < len(order) else []
    assert answers == ["9000"] * good + wrong
    return [Step(bytes.fromhex(apdu)) for apdu in sent]


def torn(session) -> list[Trial]:
    """Return a trial of every command that writes, in its session."""
    steps, start = played(session), delivered(session.before)
    found = [record(start, tuple(steps[:at]), step) for at, step in enumerate(steps) if at]
    return [trial for trial in found if trial.operations]


def name_of(apdu: bytes) -> str:
    return next(row.name for row in TRANSACTION if (row.cla, row.ins) == (apdu[0], apdu[1]))


def goes_on(image: bytes) -> list[str]:
    """A new transaction of whatever was left: the next ATC, and what it tells of the last one."""
    before, desk = Stored.of(image), Desk(Card(image))
    sw = desk.select()
    if sw == "6A81":
        return [] if desk.sw(GPO) == "6A81" else ["a transaction on a blocked card"]
    if sw != ("6283" if before.blocked else "9000"):
        return [f"SELECT answers {sw}"]
    desk.data(GPO)
    answer, after = desk.ac(ARQC), Stored.of(desk.card.image)
    wrong = []
    if after.counters.atc != before.counters.atc + 1:
        wrong.append(f"ATC {after.counters.atc} after {before.counters.atc}")
    if cid(answer) != ("00" if before.blocked else "80"):
        wrong.append(f"answers {answer}")
    told = bool(int(cvr(answer)[4:6], 16) & NOT_COMPLETED)
    if told != bool(before.counters.indicators & ONLINE):
        wrong.append(f"CVR {cvr(answer)} with indicators {before.counters.indicators!r}")
    failed = bool(int(cvr(answer)[6:8], 16) & 0x08)
    if failed != bool(before.counters.indicators & Indicator.SCRIPT_FAILURE):
        wrong.append(f"CVR {cvr(answer)} with indicators {before.counters.indicators!r}")
    return wrong


@pytest.mark.parametrize("name", SESSIONS)
def test_pse_5_5_every_command_of_a_session(name, tears):
    """Each goes from what the one before left to what the next one finds; ATCs never go back."""
    session, seen = SESSIONS[name], []
    for trial in torn(session):
        result = tears(trial, checks=(goes_on,), retry=False, seeds=1)
        seen.append((name_of(trial.step.apdu), [Stored.of(one.image) for one in result.states]))
    assert seen[0][0] == "GET PROCESSING OPTIONS"
    for (_, left), (_, found) in pairwise(seen):
        assert found[0] == left[-1]
    between = [
        one
        for at, (command, states) in enumerate(seen)
        for one in states[:1]
        if command not in {"GET PROCESSING OPTIONS", "VERIFY", "GENERATE AC"}
        and at < _closing(seen)
    ]
    if not session.before:
        assert all(one.counters.indicators & ONLINE for one in between)
    assert {command for command, _ in seen}.isdisjoint(QUIET)


def _closing(seen):
    """Where the second GENERATE AC stands."""
    places = [at for at, (command, _) in enumerate(seen) if command == "GENERATE AC"]
    return places[1] if len(places) > 1 else len(seen)


def test_pse_every_command_that_writes_has_its_sweep():
    swept = {name_of(trial.step.apdu) for one in SESSIONS.values() for trial in torn(one)}
    assert swept == {row.name for row in TRANSACTION} - QUIET
