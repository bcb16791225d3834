"""The bank's conformance suite on sample cards, odd cards, and cards with planted mistakes.

Source: pse-pboc 1 to 7.
"""

from collections import Counter
from dataclasses import replace

import pse_plants
import pytest
from conformance_desk import BANK_SUITE, Wrapped, bank_bench, ids, run_bank
from pse_desk import GPO, PIN_BAD, Desk, debit_card, risk
from pse_issuer import online

from sscard.iso.sw import SW
from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card
from sscard.spec.options import OPTIONS
from sscard.testing.conformance import Effect, Outcome, to_html, to_json, to_junit, to_text

CASES = {case.id: case for case in BANK_SUITE.cases("2010")}
PROFILES = ["pboc", "pboc-only", "pboc-16", "pboc-ec", "pboc-contactless", "sample"]
# Cases a profile has nothing for: the bank says so by its data, not by a failure.
NOTHING_TO_SEE = {
    "pboc": 48, "pboc-only": 44, "pboc-16": 44, "pboc-ec": 33, "pboc-contactless": 33, "sample": 37,
}  # fmt: skip
WRITES = frozenset((0xA8, 0xAE, 0x1E, 0x18, 0x16, 0x24, 0xDA, 0xDC, 0x20, 0x82))
"""Instructions that begin or go on with a transaction, or change something."""

LIMITS = {
    "pse.df.DF01.dgi.0D01": "9F5801039F5901059F5301019F7201019F5406000000005000"
    "9F5C060000000100009F75060000000060009F7304200007159F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602",
    "pse.df.DF01.dgi.0E01": "9F510201569F520282409F5601809F570201569F760208409F360200009F130200005F340100",
    "pse.df.DF01.dgi.9104": "82027D00940C080101001001020118010300",
}  # fmt: skip
"""A card with every limit of 5.1, and CDA."""


@pytest.fixture(scope="module")
def limited():
    return new_card("pboc", LIMITS).snapshot()


def watched(on, change=lambda apdu, answer: answer):
    on.port = Wrapped(on.port, change)
    return on


def reasons(report):
    return Counter(r.reason for r in report.results if r.outcome is Outcome.NOT_RUN)


# ---- cards that conform --------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_all_cases_pass_on_the_shipped_cards(profile):
    report = run_bank(bank_bench(new_card(profile), profile, social=profile == "sample"))
    assert not ids(report, Outcome.FAILED)
    assert report.counts[Outcome.NOT_RUN] == NOTHING_TO_SEE[profile]
    assert report.counts[Outcome.PASSED] == len(CASES) - NOTHING_TO_SEE[profile]


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_all_cases_pass_on_a_card_with_every_limit_in_both_link_styles(limited, link):
    """What is left out is what no such card has: cash, another application, an enciphered PIN."""
    report = run_bank(bank_bench(limited.fork(), link=link))
    assert not ids(report, Outcome.FAILED)
    left = {name.split("/")[0] for name in ids(report, Outcome.NOT_RUN)}
    assert left == {
        "CASH",
        "CONTACTLESS",
        "SEPARATION",
        "VERIFY",
        "FCI",
        "GET_DATA",
        "ODA",
        "ISSUER_AUTH",
        "BLOCKING",
    }
    assert report.counts[Outcome.NOT_RUN] == 35


OF_THE_BANK = [
    option
    for option in OPTIONS
    if option.name.startswith("pse_")
    or option.name in ("verify_state", "pin_malformed", "pin_decipherment")
]


ENCIPHERED = {
    "pse.df.DF01.dgi.0201": "70505A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D05D86004A8"
    "009F0E0500100000009F0F05D86004F8008E100000000000000000440341031E031F00",
    "pse.df.DF01.ef.EF91.size": 640,
}  # fmt: skip
"""A card whose CVM list begins with the enciphered PIN."""


@pytest.mark.parametrize(
    "settings",
    [{}, {"pse.df.DF01.oda.pin": "pin"}, {"pin_decipherment": "wrong"}],
    ids=["card's key", "own key", "counted as wrong"],
)
def test_the_enciphered_pin_of_cards_that_have_one(settings):
    report = run_bank(bank_bench(new_card("pboc", ENCIPHERED | settings)), "VERIFY/*", "ODA/*")
    assert not report.failures
    three = {f"VERIFY/enciphered{form}" for form in ("", "-stale", "-spoilt")}
    assert three <= set(ids(report, Outcome.PASSED))


@pytest.mark.parametrize("aip", ["5C00", "7800", "1800"])
def test_cards_that_offer_less(aip):
    """SDA alone; no issuer authentication; no offline data authentication at all."""
    card = debit_card(dgi_9104=f"8202{aip}940C080101001001020118010300")
    report = run_bank(bank_bench(card))
    assert not report.failures
    passed = set(ids(report, Outcome.PASSED))
    assert ("ISSUER_AUTH/right" in passed) is (aip == "5C00")
    assert ("ISSUER_AUTH/unsupported" in passed) is (aip != "5C00")
    assert ("ODA/static" in passed) is (aip != "1800")
    assert ("ODA/dynamic" in passed) is (aip == "7800")
    assert ("ODA/dynamic-unsupported" in passed) is (aip != "7800")


LOOKED_AT = {
    "pse_next_name": "SELECTION/*", "pse_failed_select": "SELECTION/*",
    "pse_empty_get_response": "CHALLENGE/*", "pse_log_format_absent": "GET_DATA/9F4F",
    "pse_read_before_gpo": "RECORDS/*", "pse_record_zero": "RECORDS/*", "pse_cda_unsupported": "ODA/*",
    "pse_pin_change_key": "SCRIPTS/PIN*", "pse_pin_change_roles": "SCRIPTS/PIN*",
    "pse_put_data_limit": "CASH/*", "pse_cash_balance": "CASH/*", "pse_idd_padding": "FIRST_AC/*",
    "pse_long_record": "SCRIPTS/UPDATE*", "pse_log_declined": "LOG/*", "verify_state": "STATES/*/VERIFY",
    "pin_malformed": "VERIFY/*", "pin_absent": "VERIFY/*", "pin_decipherment": "VERIFY/*",
    "pse_declined_counts": "RISK/*", "pse_conversion": "RISK/*", "pse_approving_arcs": "SECOND_AC/*",
    "pse_script_keys": "SCRIPTS/APPLICATION*", "pse_arpc_unsupported": "ISSUER_AUTH/*",
    "pse_failures_max": "ISSUER_AUTH/*",
}  # fmt: skip
"""Where a switch shows; elsewhere it is the first cryptograms."""


@pytest.mark.parametrize("option", OF_THE_BANK, ids=lambda option: option.name)
def test_what_the_reference_leaves_open_is_no_failure(option):
    """Neither when the bench is told, nor when nobody told it. The bank always knows its cards."""
    names = ("FIRST_AC/arqc*", LOOKED_AT.get(option.name, "FIRST_AC/*"))
    profile = "pboc-ec" if LOOKED_AT.get(option.name) == "CASH/*" else "pboc"
    for value in option.values[1:]:
        switches = {option.name: value}
        card = new_card(profile, switches)
        for told in (switches, {}):
            on = bank_bench(card, profile, switches=switches)
            on.switches = told
            assert not ids(run_bank(on, *names), Outcome.FAILED)


def test_a_bank_that_does_not_know_how_its_card_changes_pins():
    """6A80 to either P2 says nothing of a card whose switches nobody told; told, it is a failure."""
    names = ("SCRIPTS/PIN_CHANGE/before", "SCRIPTS/PIN_CHANGE/with-current")
    on = bank_bench(new_card("pboc", {"pse_pin_change_key": "AC"}))
    assert ids(run_bank(on, *names), Outcome.NOT_RUN) == list(names)
    usual = {"pse_pin_change_key": "ENC", "pse_pin_change_roles": "emv"}
    on = bank_bench(new_card("pboc", {"pse_pin_change_key": "AC"}), switches=usual)
    assert ids(run_bank(on, *names), Outcome.FAILED) == list(names)


@pytest.mark.parametrize(
    ("option", "value", "case"),
    [
        ("verify_state", "any", "STATES/SELECTED/VERIFY"),
        ("pse_read_before_gpo", "6985", "RECORDS/before-gpo"),
        ("pse_record_zero", "6A86", "RECORDS/absent"),
        ("pse_log_declined", "on", "LOG/declined"),
        ("pse_ac_format", "77", "FIRST_AC/aac"),
        ("pse_failed_select", "keep", "SELECTION/unknown-aborts"),
        ("pse_cda_unsupported", "ignore", "ODA/combined-unsupported"),
        ("pin_malformed", "6A80", "VERIFY/malformed-filler"),
        ("pse_approving_arcs", "strict", "SECOND_AC/arc-01"),
    ],
)
def test_a_card_that_is_not_what_the_bench_was_told_is_found(option, value, case):
    usual = next(row.values[0] for row in OPTIONS if row.name == option)
    on = bank_bench(new_card("pboc", {option: value}), switches={option: usual})
    assert ids(run_bank(on, case), Outcome.FAILED) == [case]


def test_what_was_changed_is_put_back(limited):
    """Risk data, records, PIN and tries are what they were; ATC, last online ATC and log are not."""

    def told(card):
        desk = Desk(card)
        desk.select()
        tags = (
            "9F17",
            "9F4F",
            *(f"9F{low}" for low in ("53", "54", "58", "59", "5C", "72", "73", "75")),
        )
        records = [desk(f"00B2{n:02X}{sfi << 3 | 4:02X}00") for sfi in (1, 2, 3) for n in (1, 2, 3)]
        return {tag: desk.element(tag) for tag in tags}, records

    card = limited.fork()
    before = told(card)
    run_bank(bank_bench(card), destroy=False)
    assert told(card) == before
    desk = Desk(card).begin()
    assert desk.sw("002000800826123456FFFFFFFF") == "9000"
    assert desk.select() == "9000"


# ---- safe runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_a_safe_run_begins_no_transaction_and_burns_no_try(profile):
    card = new_card(profile)
    on = watched(bank_bench(card, profile, social=profile == "sample"))
    before = card.image
    report = run_bank(on, safe=True)
    assert not ids(report, Outcome.FAILED)
    assert report.counts[Outcome.PASSED] > 80
    done = [apdu for apdu, answer in on.port.sent if apdu[1] in WRITES and SW.of(answer) == SW.OK]
    social = {0x82, 0x20} if profile == "sample" else set()
    assert {apdu[1] for apdu in done} <= social, "the keys and PIN of the other application alone"
    assert not [answer for _, answer in on.port.sent if SW.of(answer) >> 4 == 0x63C]
    if profile != "sample":
        assert card.image == before


def test_every_case_that_begins_a_transaction_says_so(limited):
    """A case is safe if and only if the ATC and every byte of the image stay."""
    for name, case in CASES.items():
        if case.effect is not Effect.SAFE or name.startswith("SEPARATION/"):
            continue
        assert not [
            step for step in case.steps if type(step).__name__ in ("Options", "Settle", "Arpc")
        ], name


def test_without_keys_and_pin_nothing_passes_silently():
    on = bank_bench(new_card("pboc"), None, pin="")
    on.ca_keys = ()
    report = run_bank(on)
    assert not ids(report, Outcome.FAILED)
    told = reasons(report)
    assert told["needs the bank's keys: no vault was given"] > 150
    assert told["needs the PIN of the bank application: it was not given"] > 15
    assert told["needs CA keys: none were given"] == 3
    assert {"GPO/atc", "FIRST_AC/aac", "SECOND_AC/third"} <= set(ids(report, Outcome.PASSED))


# ---- odd cards -----------------------------------------------------------------------------------


def test_keys_of_another_bank_are_used_once():
    """The first cryptogram tells: no ARPC and no script is sent to the card."""
    odd = new_card("pboc", {"pse.df.DF01.key.AC.mdk": "00" * 16})
    on = watched(bank_bench(odd))
    report = run_bank(on)
    assert ids(report, Outcome.FAILED) == ["FIRST_AC/arqc"]
    why = "a cryptogram was not that of this vault's keys: they are not used"
    assert reasons(report)[why] > 150
    scripts = (0x1E, 0x18, 0x16, 0x24, 0xDA, 0xDC)
    macs = {apdu[-4:] for apdu, _ in on.port.sent if apdu[1] in scripts and len(apdu) >= 9}
    assert macs == {bytes(4)}, "no MAC was computed"
    assert {apdu[5:13] for apdu, _ in on.port.sent if apdu[1] == 0x82} <= {bytes(8)}


def test_a_key_index_the_vault_has_not():
    odd = new_card("pboc", {"pse.df.DF01.dgi.9200": "9F10080702010300000001"})
    report = run_bank(bank_bench(odd), "FIRST_AC/*", "ISSUER_AUTH/*")
    (failure,) = report.failures
    assert (failure.case.id, failure.reason.split(": ")[1]) == (
        "FIRST_AC/arqc", "the vault has no issuer keys of index 02",
    )  # fmt: skip


def test_a_wrong_pin_is_given_once():
    card = new_card("pboc")
    report = run_bank(bank_bench(card, pin="654321"), "VERIFY/*")
    assert len(report.failures) == 1
    assert "63C2" in report.failures[0].reason
    assert any("not tried again" in reason for reason in reasons(report))
    desk = Desk(card)
    desk.select()
    assert desk.element("9F17") == "02"


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_a_blocked_application_stays_blocked_and_is_looked_at(link):
    card = debit_card()
    desk = Desk(card)
    assert desk.sw(online(desk).script("841E0000")) == "9000"
    report = run_bank(bank_bench(card, link=link))
    assert not ids(report, Outcome.FAILED)
    assert "BLOCKING/as-found" in ids(report, Outcome.PASSED)
    assert reasons(report)["the application is blocked: SELECT answers 6283"] > 250
    assert Desk(card).select() == "6283"


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_a_blocked_card_is_known_as_one(link):
    card = debit_card()
    desk = Desk(card)
    assert desk.sw(online(desk).script("84160000")) == "9000"
    report = run_bank(bank_bench(card, link=link))
    assert ids(report, Outcome.PASSED) == ["BLOCKING/card-as-found"]
    assert not ids(report, Outcome.FAILED)
    assert "the card is blocked: SELECT answers 6A81" in reasons(report)


def test_a_blocked_pin_stays_blocked():
    card = debit_card()
    desk = Desk(card).begin()
    assert [desk.sw(PIN_BAD) for _ in range(3)] == ["63C2", "63C1", "63C0"]
    report = run_bank(bank_bench(card))
    assert not ids(report, Outcome.FAILED)
    told = reasons(report)
    assert sum(told[why] for why in told if why.startswith("the PIN has no tries left")) > 50
    desk = Desk(card)
    desk.select()
    assert desk.element("9F17") == "00"


@pytest.mark.parametrize("atc", ["FFF0", "FFFE"])
def test_the_last_transactions_of_a_card_are_left_to_it(atc):
    """At FFFF the application would be blocked for ever."""
    card = debit_card(dgi_0E01=risk(atc=atc))
    report = run_bank(bank_bench(card))
    assert not ids(report, Outcome.FAILED)
    assert reasons(report)[f"the ATC is {atc}: at FFFF the application is blocked for ever"] > 250
    desk = Desk(card)
    desk.select()
    assert desk.element("9F36") == atc


def test_an_application_that_used_up_its_atc():
    card = debit_card(dgi_0E01=risk(atc="FFFE"))
    desk = Desk(card)
    desk.select()
    assert desk.sw(GPO) == "6985"
    assert not ids(run_bank(bank_bench(card)), Outcome.FAILED)


def test_a_card_without_a_bank():
    on = bank_bench(new_card("v2"))
    assert BANK_SUITE.absent(on).startswith(
        "no bank application: SELECT of A000000333010101 answers 6A82"
    )
    report = run_bank(on)
    assert report.counts[Outcome.PASSED] == report.counts[Outcome.FAILED] == 0


# ---- planted mistakes ----------------------------------------------------------------------------

FOUND_BY = {
    "atc_not_raised": {"GPO/atc", "FIRST_AC/arqc"},
    "any_arpc_accepted": {"ISSUER_AUTH/wrong-first", "ISSUER_AUTH/wrong-zeros", "SCRIPTS/failed-arpc"},
    "script_mac_not_checked": {"SCRIPTS/PUT_DATA/bit", "SCRIPTS/UPDATE_RECORD/refused"},
    "arqc_asked_twice": {"SECOND_AC/arqc"},
    "try_not_spent": {"VERIFY/wrong", "VERIFY/persists"},
    "script_failure_not_cleared": {"SCRIPTS/replay", "SCRIPTS/failure-online"},
    "online_indicator_cleared_without_the_issuer": {"RISK/alone"},
    "foreign_currency_not_counted": {"RISK/currency"},
    "log_not_written": {"LOG/online", "LOG/offline", "LOG/cyclic"},
    "scripts_counted_before_the_second": {"SCRIPTS/APPLICATION_UNBLOCK/before"},
    "scripts_taken_after_a_wrong_arpc": {"SCRIPTS/failed-arpc"},
    "scripts_taken_after_a_wrong_mac": {"SCRIPTS/APPLICATION_UNBLOCK/bit"},
    "tvr_of_a_failed_sda_not_kept": {"RISK/sda-failed"},
    "limit_reached_not_passed": {"RISK/consecutive"},
    "third_cryptogram": {"SECOND_AC/third", "STATES/SCRIPT/SECOND_AC"},
    "tc_after_aac": {"SECOND_AC/aac-then-tc", "STATES/FINISHED/SECOND_AC"},
    "more_than_asked": {"FIRST_AC/arqc-settled"},
    "blocked_and_yet_approving": {"BLOCKING/tc", "BLOCKING/mid-transaction"},
    "seven_bytes_compared": {"ISSUER_AUTH/wrong-last"},
    "any_pin_accepted": {"VERIFY/wrong"},
    "signature_of_another_transaction": {"ODA/dynamic"},
}  # fmt: skip
PLANTED = [*pse_plants.BUGS, *pse_plants.MORE_BUGS]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_bugs_of_the_bank_application_are_found(plant, limited, monkeypatch):
    plant(monkeypatch)
    expected = FOUND_BY[plant.__name__]
    sections = {name.split("/")[0] + "/*" for name in expected}
    failed = set(ids(run_bank(bank_bench(limited.fork()), *sections), Outcome.FAILED))
    assert expected <= failed


@pytest.mark.parametrize("plant", pse_plants.NEUTRAL, ids=lambda plant: plant.__name__)
def test_neutral_changes_of_the_bank_application_are_not_found(plant, limited, monkeypatch):
    plant(monkeypatch)
    assert not ids(run_bank(bank_bench(limited.fork())), Outcome.FAILED)


def test_card_block_is_never_sent_with_its_mac(limited):
    """Nothing takes it back: whoever checks MACs is not blocked, in whatever state it takes scripts."""
    on = watched(bank_bench(limited.fork()))
    vault, right = on.issuer, []
    sound = vault.script_mac

    def kept(card, atc, ac1, header, data):
        mac = sound(card, atc, ac1, header, data)
        if not data and atc == on.learnt["pse"].deal.atc:
            right.append(header + mac)
        return mac

    on.issuer.script_mac = kept
    run_bank(on, "STATES/*", "SCRIPTS/*", "SEPARATION/*", "BLOCKING/*")
    sent = {apdu for apdu, _ in on.port.sent if apdu[1] == 0x16}
    assert len(sent) > 5
    assert not sent & set(right)
    assert any(header[1:2] == b"\x16" for header in right), "it was computed, to be spoilt"


def test_a_card_that_checks_no_script_mac_is_not_sent_a_card_block(limited, monkeypatch):
    """It would be blocked for good."""
    pse_plants.script_mac_not_checked(monkeypatch)
    card = limited.fork()
    report = run_bank(bank_bench(card), "STATES/*", "SCRIPTS/*")
    why = "the card takes scripts with wrong MACs: CARD BLOCK is not sent"
    assert reasons(report)[why] >= 4
    assert Desk(card).select() == "9000"


class Eager(Wrapped):
    """A card that has its bank application selected right after reset."""

    def reset(self):
        answer = super().reset()
        self.port.transmit(bytes.fromhex("00A4040008A00000033301010100"))
        return answer


def stuck_random(apdu, answer):
    return bytes(8) + b"\x90\0" if apdu[1] == 0x84 else answer


def shorter_elements(apdu, answer):
    return answer[:-3] + answer[-2:] if apdu[1] == 0xCA and len(answer) > 2 else answer


def records_for_ever(apdu, answer):
    return b"\x70\0\x90\0" if apdu[1] == 0xB2 and answer == b"\x6a\x83" else answer


def blocked_without_fci(apdu, answer):
    return answer[-2:] if apdu[1] == 0xA4 and answer[-2:] == b"\x62\x83" else answer


BEHAVIOUR = {
    "draws the same random number": (stuck_random, "CHALLENGE/random"),
    "cuts its data objects off": (shorter_elements, "GET_DATA/9F36"),
    "has records without end": (records_for_ever, "RECORDS/absent"),
    "gives no FCI when it is blocked": (blocked_without_fci, "BLOCKING/select"),
}


@pytest.mark.parametrize("name", list(BEHAVIOUR))
def test_planted_deviations_of_the_answers_are_found(name, limited):
    change, case = BEHAVIOUR[name]
    on = watched(bank_bench(limited.fork()), change)
    assert case in ids(run_bank(on, case.split("/")[0] + "/*"), Outcome.FAILED)


def test_a_card_that_can_be_read_before_it_is_selected_is_found(limited):
    on = bank_bench(limited.fork())
    on.port = Eager(on.port)
    assert "SELECTION/nothing-selected" in ids(run_bank(on, "SELECTION/*"), Outcome.FAILED)


@pytest.mark.parametrize(
    ("dgi", "value", "case"),
    [
        ("9102", "A515500A50424F432044454249548701019F1203414243", "FCI/members"),
        ("9104", "82027E00940C080101001001020118010300", "RECORDS/aip"),
        ("9104", "82027C00940C080101001001030118010300", "RECORDS/afl"),
        ("0101", "704057136210950000000000017D31126200000012345F5F200F544553542043415244484F4C4445529F61123131303130313139393030313031313233379F620100", "RECORDS/track2"),
        ("0201", "704D5A0A6210950000000000017F5F24033012315F28020100"
                 "5F3401009F0702AB809F0D05D86004A8009F0E0500100000009F0F05D86004F8008E0F0000000000000000420341031E031F9F420100", "RECORDS/lengths"),
    ],
)  # fmt: skip
def test_data_that_are_wrong_are_found(dgi, value, case):
    on = bank_bench(debit_card(**{f"dgi_{dgi}": value}), None)
    assert case in ids(run_bank(on, case), Outcome.FAILED)


def test_certificates_of_another_issuer_are_found():
    """The records are signed by an issuer whose numbers the card has not."""
    card = new_card("pboc", {"pse.df.DF01.oda.ca": "ca-81"})
    on = bank_bench(card)
    on.ca_keys = tuple(replace(rsa_file("ca-80").ca, index=0x81) for _ in "1")
    failed = ids(run_bank(on, "ODA/*"), Outcome.FAILED)
    assert failed == [
        *(f"ODA/{name}" for name in ("issuer-certificate", "icc-certificate", "static", "dynamic")),
        "ODA/dynamic-twice", "ODA/remembered",
    ]  # fmt: skip


def test_a_ca_key_that_was_not_given():
    on = bank_bench(new_card("pboc", {"pse.df.DF01.oda.ca": "ca-81"}))
    report = run_bank(on, "ODA/*")
    assert not report.failures
    assert reasons(report)["the CA key A000000333 81 was not given"] == 6


def test_no_report_shows_the_pin_or_the_holder(limited):
    """PIN blocks and records are shown by their length alone, also where everything fails."""

    def broken(apdu, answer):
        return b"\x6f\0" if apdu[1] in (0x82, 0x20) else answer[:-3] + answer[-2:]

    for change in (broken, lambda apdu, answer: answer):
        on = watched(bank_bench(limited.fork(), pin="654321"), change)
        report = run_bank(on, "VERIFY/*", "RECORDS/*", "FIRST_AC/*", "LOG/*")
        assert report.failures
        shown = "".join(render(report) for render in (to_text, to_json, to_junit, to_html)).upper()
        for secret in ("26654321", "6210950000000000017", b"TEST CARDHOLDER".hex()):
            assert secret.upper() not in shown
    assert "[8 BYTES]" in shown
