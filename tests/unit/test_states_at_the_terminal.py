"""Every state for testers in front of a social terminal: what it finds (ssse-lb002 8).

That is what the states are for: whoever tests a terminal of his own finds here what ours says.
"""

from pathlib import Path

import pytest
from social_counter import AT, PIN, psam, terminal, vault

from sscard.states import SOCIAL_STATES, card_in_state
from sscard.terminal import (
    Blocked,
    CardRejected,
    Check,
    Outcome,
    TerminalError,
    WrongPin,
)

FAILS = {
    "app-blocked-permanent": Check.NOT_BLOCKED,
    "app-blocked-temporary": Check.NOT_BLOCKED,
    "expired": Check.DATES,
    "unpersonalised": Check.VERSION,
    "wrong-irk": Check.GENUINE,
    "wrong-version": Check.VERSION,
}
"""The one check of section 8 that finds the state out."""
PASSES = {"full-log", "initial-pin", "missing-photo", "one-try-left", "pin-blocked"}
LOCKED = {"card-blocked"}


def test_every_state_is_here_and_in_the_documentation():
    assert set(FAILS) | PASSES | LOCKED == set(SOCIAL_STATES)
    text = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
    social = text.partition("## States of the bank's side")[0]
    rows = [line.strip("|").split("|") for line in social.splitlines() if line.startswith("| `")]
    told = {row[0].strip(" `"): row[3].strip() for row in rows}
    words = {state: str(check) for state, check in FAILS.items()}
    words |= dict.fromkeys(PASSES, "–") | dict.fromkeys(LOCKED, "locked for good")
    assert told == words


@pytest.mark.parametrize("profile", ["v1", "v2", "v3", "v2-social-only", "sample"])
@pytest.mark.parametrize("state", sorted({*FAILS, *PASSES} - {"full-log"}))
def test_ssse_8_the_checks_find_the_state(state, profile):
    desk = terminal(card_in_state(state, profile), vault(profile))
    failed = {result.check for result in desk.check() if result.outcome is Outcome.FAILED}
    assert failed == ({FAILS[state]} if state in FAILS else set())
    if state in FAILS:
        with pytest.raises(CardRejected, match=str(FAILS[state])):
            desk.accept()
    else:
        desk.accept()


UNPROVED = [state for state, check in FAILS.items() if check is not Check.DATES]


@pytest.mark.parametrize("state", sorted(set(UNPROVED) - {"wrong-version"}))
def test_ssse_8_a_card_that_proves_nothing_gets_no_pin(state):
    """Expired and of a wrong version, a card is genuine all the same."""
    desk = terminal(card_in_state(state, "sample"), psam())
    with pytest.raises(CardRejected):
        desk.accept()
    with pytest.raises(TerminalError, match="not proved itself"):
        desk.verify_pin(PIN)


def test_ssse_4_8_a_blocked_card_is_none_any_more():
    with pytest.raises(TerminalError, match="locked for good"):
        terminal(card_in_state("card-blocked", "sample"))


def accepted(state, profile="sample"):
    desk = terminal(card_in_state(state, profile), psam())
    desk.accept()
    return desk


def test_ssse_3_7_a_blocked_pin_wants_a_reload():
    desk = accepted("pin-blocked")
    with pytest.raises(Blocked):
        desk.verify_pin(PIN)
    desk.reload_pin("246810")
    desk.verify_pin("246810")


def test_ssse_3_7_the_last_try():
    desk = accepted("one-try-left")
    with pytest.raises(WrongPin) as error:
        desk.verify_pin("999999")
    assert error.value.tries_left == 0
    with pytest.raises(Blocked):
        desk.verify_pin(PIN)


def test_ssse_3_7_with_the_initial_pin_nothing_is_paid():
    desk = accepted("initial-pin")
    desk.verify_pin(PIN)
    desk.load(vault("sample"), 1_000, AT)
    with pytest.raises(TerminalError, match="initial PIN"):
        desk.settle(1, AT)


def test_ssse_3_10_a_full_log_loses_its_oldest_debit():
    desk = accepted("full-log")
    desk.verify_pin(PIN)
    before = desk.read("DF04/EF08").rows
    desk.reload_pin("246810")
    desk.verify_pin("246810")
    desk.load(vault("sample"), 1_000, AT)
    desk.settle(1, AT)
    after = desk.read("DF04/EF08").rows
    assert len(before) == len(after) == 30
    assert after[1:] == before[:-1]


def test_ssse_2_4_a_missing_photo_is_missing_alone():
    desk = accepted("missing-photo")
    desk.verify_pin(PIN)
    names = {found.name for found in desk.read_all()}
    assert "SSSE/EF07" in names
    assert "SSSE/EF08" not in names
