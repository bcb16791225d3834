"""Issuer scripts under power loss: each one, then a transaction with all of them (pse-pboc 5.5).

What a script does, its count and a failure are one step, there before the answer. The terminal
begins again from everything a tear leaves.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import pytest
from debit_tears import ONLINE, counters_of, data_file, nodes_of, pin_record
from pse_desk import ADF, ARQC, GPO, PIN_BAD, TC, Desk, cid, cvr, debit_card, generate
from pse_issuer import Issuer
from tear_bench import extents

from sscard.apps.pse.layout import Indicator, parse_entries
from sscard.card import Card, Snapshot
from sscard.cos.layout import DomainHeader
from sscard.cos.objects import KEY_RECORD_SIZE
from sscard.testing.trial import Step, record

pytestmark = pytest.mark.tear

OPEN, DONE = "template 71", "template 72"
RECORD = "70089F1401059F230109"
FAILED = Indicator.SCRIPT_FAILURE


class Stored(NamedTuple):
    """What scripts may change, read past the card's commands."""

    failed: bool
    count: int
    limit: str
    record: str
    tries: int
    pin: str
    application: int
    environment: int

    @classmethod
    def of(cls, image: bytes) -> "Stored":
        nodes = nodes_of(image)
        data = data_file(nodes)
        file = next(node for node in data.parent.children if node.sfi == 4)
        pin = pin_record(image, nodes)
        counters = counters_of(image)
        entries = parse_entries(image[data.body + 32 : data.body + data.header.body_length])
        length = image[file.body + 2]
        start = extents(image)[2].start * 64
        return cls(
            bool(counters.indicators & FAILED),
            counters.script_count,
            entries[0x9F58].hex(),
            image[file.body + 3 : file.body + 3 + length].hex().upper(),
            image[pin + 13],
            image[pin : pin + KEY_RECORD_SIZE].hex(),
            image[data.parent.body],
            DomainHeader.parse(image[start : start + 64]).block,
        )


@lru_cache
def bank_card() -> Snapshot:
    """A card with a record for scripts, in a file of its own, and one PIN try gone."""
    card = debit_card(ef_EF04_kind="variable", dgi_0401="70089F1401019F230101")
    desk = Desk(card).begin()
    assert desk.sw(PIN_BAD) == "63C2"
    return card.snapshot()


def until(when: str) -> tuple[list[str], Issuer]:
    """The commands up to where a script may come, and the issuer who knows the cryptogram."""
    desk = Desk(bank_card().fork()).begin()
    issuer = Issuer(desk.ac(ARQC))
    session = [ADF, GPO, generate(ARQC)]
    return session + [issuer.arpc(), generate(TC, "3030")] * (when == DONE), issuer


def steps(apdus: Sequence[str]) -> list[Step]:
    return [Step(bytes.fromhex(apdu)) for apdu in apdus]


def torn(tears, session: Sequence[str], apdu: str, sw: str = "9000", *, checks=()) -> list[Stored]:
    """Tear a command of a session everywhere; return what can be stored, in its order."""
    trial = record(bank_card(), steps(session), *steps([apdu]))
    assert trial.response.hex().upper() == sw
    result = tears(trial, checks=checks, retry=False)
    return [Stored.of(state.image) for state in result.states]


def begins_again(image: bytes) -> list[str]:
    """The next transaction counts, and tells of the script and of an ARQC left alone (3.b8)."""
    desk = Desk(Card(image))
    left = counters_of(image)
    if desk.select() not in ("9000", "6283"):
        return ["the application cannot be selected"]
    desk.data(GPO)
    answer = desk.ac(ARQC)
    results = bytes.fromhex(cvr(answer))
    expected = (bool(left.indicators & ONLINE), left.script_count, bool(left.indicators & FAILED))
    told = (bool(results[2] & 0x80), results[3] >> 4, bool(results[3] & 0x08))
    return [] if told == expected else [f"CVR {results.hex()} after {left}"]


def scripts(issuer: Issuer) -> dict[str, tuple[str, str]]:
    """Scripts, and the field of `Stored` that each changes."""
    return {
        "PUT DATA": (issuer.script("04DA9F58", b"\x05"), "limit"),
        "UPDATE RECORD": (issuer.script("04DC0124", bytes.fromhex(RECORD)), "record"),
        "PIN UNBLOCK": (issuer.script("84240000"), "tries"),
        "PIN CHANGE": (issuer.pin_change("654321"), "pin"),
        "PIN CHANGE, current": (issuer.pin_change("654321", "123456"), "pin"),
        "APPLICATION BLOCK": (issuer.script("841E0000"), "application"),
    }


NAMES = (
    "PUT DATA",
    "UPDATE RECORD",
    "PIN UNBLOCK",
    "PIN CHANGE",
    "PIN CHANGE, current",
    "APPLICATION BLOCK",
)


@pytest.mark.parametrize("when", [OPEN, DONE])
@pytest.mark.parametrize("name", NAMES)
def test_pse_5_5_a_script_and_its_count_are_one_step(name, when, tears):
    session, issuer = until(when)
    apdu, field = scripts(issuer)[name]
    before, after = torn(tears, session, apdu, checks=(begins_again,))
    assert getattr(before, field) != getattr(after, field)
    assert (before.count, after.count) == (0, int(when == DONE))
    assert (before.failed, after.failed) == (False, False)
    if field == "pin":
        assert after.tries == 3, "a new PIN has all its tries"


def test_pse_5_5_application_unblock(tears):
    session, issuer = until(DONE)
    session.append(issuer.script("841E0000"))
    before, after = torn(tears, session, issuer.script("84180000"), checks=(begins_again,))
    assert (before.application, after.application) == (1, 0)
    assert (before.count, after.count) == (1, 2)


@pytest.mark.parametrize("when", [OPEN, DONE])
def test_pse_5_5_card_block(when, tears):
    """Blocked or not, never between: what is selected afterwards says which."""

    def answers(image: bytes) -> list[str]:
        found = Desk(Card(image)).select()
        return [] if found in ("9000", "6A81") else [found]

    session, issuer = until(when)
    found = torn(tears, session, issuer.script("84160000"), checks=(answers,))
    assert len({one.environment for one in found}) == 2
    assert (found[0].count, found[-1].count) == (0, int(when == DONE))


@pytest.mark.parametrize("when", [OPEN, DONE])
@pytest.mark.parametrize(
    ("name", "sw", "counts"),
    [
        ("wrong MAC", "6988", True),
        ("wrong length", "6700", False),
        ("unknown tag", "6A80", False),
        ("no such record", "6A83", True),
    ],
)
def test_pse_5_6_a_failure_is_remembered_before_the_answer(name, sw, counts, when, tears):
    session, issuer = until(when)
    apdu = {
        "wrong MAC": issuer.script("04DA9F58", b"\x05", wrong=True),
        "wrong length": issuer.script("04DA9F58", b"\x05\x05"),
        "unknown tag": issuer.script("04DA9F36", b"\x05\x05"),
        "no such record": issuer.script("04DC0924", bytes.fromhex(RECORD)),
    }[name]
    before, after = torn(tears, session, apdu, sw, checks=(begins_again,))
    assert (before.failed, after.failed) == (False, True)
    assert (before.count, after.count) == (0, int(counts and when == DONE))
    assert after._replace(failed=False, count=0) == before, "nothing else has changed"


def test_pse_5_5_a_transaction_with_scripts_torn_at_every_command(tears):
    """What was answered with 9000 stands, whatever command the power is lost in."""
    session, issuer = until(OPEN)
    before = [issuer.script("04DA9F58", b"\x05"), issuer.arpc(), generate(TC, "3030")]
    after = [
        issuer.script("04DC0124", bytes.fromhex(RECORD)),
        issuer.pin_change("654321"),
        issuer.script("841E0000"),
        issuer.script("84180000"),
    ]
    whole = [*session, *before, *after]
    writing = 0
    known = Stored.of(bank_card().fork().image)
    for at, apdu in enumerate(whole):
        trial = record(bank_card(), steps(whole[:at]), *steps([apdu]))
        assert trial.response[-2:] == b"\x90\x00", apdu
        if not trial.operations:
            continue
        writing += 1
        result = tears(trial, checks=(begins_again,), retry=False)
        first, *_, last = (Stored.of(state.image) for state in result.states)
        assert first == known, f"{apdu}: what came before has gone"
        known = last
    assert writing == len(whole) - 2, "SELECT and EXTERNAL AUTHENTICATE write nothing"
    assert (known.limit, known.record, known.tries) == ("05", RECORD, 3)
    assert (known.application, known.count, known.failed) == (0, 4, False)


@pytest.mark.parametrize("arc", ["3030", "3035"])
def test_pse_5_4_the_second_ac_of_an_application_blocked_by_a_script(arc, tears):
    """It declines, and what it settles is settled at once or not at all."""
    session, issuer = until(OPEN)
    session += [issuer.script("841E0000"), issuer.arpc()]
    trial = record(bank_card(), steps(session), *steps([generate(TC, arc)]))
    assert cid(trial.response.hex().upper()) == "00"
    result = tears(trial, checks=(begins_again,), retry=False)
    first, *_, last = (counters_of(state.image).indicators for state in result.states)
    assert (first, last) == (ONLINE, Indicator(0))
