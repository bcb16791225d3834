"""The conformance engine: whole runs on sample cards, planted deviations, waivers, reports.

Source: ssse-lb002 0-4.
"""

import json
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from conformance_desk import PIN, SUITE, Wrapped, bench, ids, run
from social_counter import terminal

from sscard.apps.ssse import account, blocking
from sscard.cos import access as cos_access
from sscard.cos import secure
from sscard.cos.commands import Survives
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyType
from sscard.errors import ScriptError
from sscard.iso.sw import SW
from sscard.keys.vault import MemoryVault, Party, Root
from sscard.perso.roots import roots
from sscard.sample import new_card, sample_psam
from sscard.states import card_in_state
from sscard.terminal import Flavour, PsamSource, VaultSource
from sscard.testing.conformance import (
    Interrupted,
    Outcome,
    Waiver,
    choose,
    parse_waivers,
    run_case,
    suites,
    to_html,
    to_json,
    to_junit,
    to_text,
)
from sscard.testing.conformance.ssse.account import account_cases
from sscard.transport.memory import MemoryPort, PoweredSlot

WRITES = frozenset((0xDC, 0xD6, 0xE2, 0x5E, 0x24))
FORMS = ("", "/lacking", "/without")
SELECTIONS = [("SSSE", "-name"), *((f"DF0{number}", "") for number in range(1, 5))]
LATER = ("KEY_VER2/", "KEY_VER3/")
UNPROTECTED = "SECURE_MESSAGING/"
CASES = {case.id: case for case in SUITE.cases("v2")}


@pytest.fixture(scope="module")
def finished():
    return new_card("v2").snapshot()


def wrapped(card, change=lambda apdu, answer: answer, *, keys="v2"):
    on = bench(card, keys)
    on.port = Wrapped(on.port, change)
    return on


# ---- cards that conform --------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["v1", "v2", "v3", "v2-social-only"])
def test_all_cases_pass_on_the_sample_cards(profile):
    """Not run: protected updates, keys in further versions; of v3 the account and its log, for
    its keys are of another algorithm. Elsewhere the one purchase leaves a record in the log."""
    report = run(profile, on=bench(new_card(profile), profile))
    assert not ids(report, Outcome.FAILED)
    left_out = ids(report, Outcome.NOT_RUN)
    later = [name for name in left_out if name.startswith(LATER)]
    unversioned = [
        name
        for name in ids(report, Outcome.PASSED)
        if name.startswith("KEY_VER1/") and name.endswith("/without")
    ]
    assert len(later) == 2 * len(unversioned)
    protected = [name for name in left_out if name.startswith(UNPROTECTED)]
    cases = SUITE.cases(report.generation)
    assert protected == [case.id for case in cases if case.section == UNPROTECTED[:-1]]
    account = [name for name in left_out if name.startswith("ACCOUNT/")]
    assert len(account) == (7 if profile == "v3" else 0)
    log = [name for name in left_out if name not in {*later, *protected, *account}]
    assert len(log) == (12 if profile == "v3" else 0)
    assert all(name.startswith(("DF04_SAFETY/EF08/read/", "DF04_RECORD/EF08/")) for name in log)
    assert report.counts[Outcome.PASSED] == len(report.results) - len(left_out)


def test_the_log_of_a_used_account_is_read_as_it_should():
    report = run("v2", "DF04_*/EF08/*", on=bench(card_in_state("full-log", "v2")))
    assert ids(report, Outcome.PASSED) == [
        c for c in CASES if "/EF08/" in c and c.startswith("DF04")
    ]


def test_all_cases_pass_over_a_contact_link(finished):
    report = run("v2", on=bench(finished.fork(), link="t0"))
    assert not ids(report, Outcome.FAILED)
    assert not [n for n in ids(report, Outcome.NOT_RUN) if not n.startswith((*LATER, UNPROTECTED))]


def test_a_psam_computes_as_well(finished):
    on = bench(finished.fork())
    on.source = PsamSource(MemoryPort(PoweredSlot(sample_psam())))
    report = run("v2", "CHECKLIST/*", "CHANGE_PIN/*", "KEY_VER1/*", "ACCOUNT/*", on=on)
    assert not ids(report, Outcome.FAILED)
    unheld = [f"KEY_VER1/{n}{f}" for n in ("DF04/K81", "DF06/K83") for f in FORMS]
    assert ids(report, Outcome.NOT_RUN) == ["CHECKLIST/code-mac", *unheld, "ACCOUNT/load"]
    assert "ACCOUNT/purchase" in ids(report, Outcome.PASSED)


@pytest.mark.parametrize("version", [2, 3])
def test_a_key_in_several_versions(version):
    """UK in a second version beside the first: each proves itself, and the lowest without byte."""
    root = b"TEST-UK-VERSION2"
    second = {
        "ssse.key.UKX.type": "external",
        "ssse.key.UKX.id": "04",
        "ssse.key.UKX.version": version,
        "ssse.key.UKX.root": f"ascii:{root.decode()}",
    }
    on = bench(new_card("v2", second))
    vault = MemoryVault(Party.SOCIAL, [Root("UK@SSSE", root, version)], test=True)
    on.versions = {version: VaultSource(vault, version=version)}
    report = run("v2", "KEY_VER?/SSSE/K04*", on=on)
    missing = f"KEY_VER{5 - version}/SSSE/K04"
    assert ids(report, Outcome.NOT_RUN) == [missing]
    assert report.counts[Outcome.PASSED] == 4
    without = bench(new_card("v2"))
    without.versions = on.versions
    failed = ids(run("v2", "KEY_VER?/SSSE/K04*", on=without), Outcome.FAILED)
    assert failed == [f"KEY_VER{version}/SSSE/K04"]


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"options.sm_mode": "pboc_iv"}, {"flavour": Flavour.PBOC}),
        ({"options.pin_sm_key": "PUK"}, {"pin_key": "PUK@SSSE"}),
        ({"options.record_le": "strict"}, {}),
        ({"options.challenge_policy": "history:4"}, {}),
    ],
    ids=lambda table: "-".join(map(str, table.values())),
)
def test_switches_of_a_card_the_bench_is_told_of(options, settings):
    """What the reference leaves open is no deviation."""
    chosen = ("CHANGE_PIN/*", "AUTHENTICATION/*", "SSSE_RECORD/*")
    card = new_card("v2", options)
    on = bench(card)
    if settings:
        assert "CHANGE_PIN/reload" in ids(run("v2", *chosen, on=on), Outcome.FAILED)
        on = bench(new_card("v2", options))
    for name, value in settings.items():
        setattr(on, name, value)
    assert not ids(run("v2", *chosen, on=on), Outcome.FAILED)


OK = b"\x90\x00"
NEW = ("SECURE_MESSAGING/*", "APPLICATION_BLOCK/*", "ACCOUNT/*")
PROTECTED = {
    "ssse.ef.EF05.sm_update": "mac",
    "ssse.ef.EF06.sm_update": "enc_mac",
    "ssse.df.DF01.ef.EF05.sm_update": "enc_mac",
    "ssse.df.DF01.ef.EF16.sm_update": "mac",
    "ssse.df.DF02.ef.EF07.sm_update": "mac",
    "ssse.df.DF02.ef.EF16.sm_update": "enc_mac",
}


@pytest.mark.parametrize(
    "chosen", [("CHANGE_PIN/*", *NEW), ("APPLICATION_BLOCK/*/wrong-mac",), ("END_OF_LIFE/*",)]
)
def test_a_dialect_nobody_told_of_blocks_no_application_for_good(chosen):
    """The third wrong MAC in a row would: after a right one was refused none is sent again."""
    card = new_card("v2", PROTECTED | {"options.sm_mode": "pboc_iv"})
    report = run("v2", *chosen, on=bench(card), destroy=chosen[0].startswith("END"))
    failed = ids(report, Outcome.FAILED)
    assert len(failed) == 1
    reason = f"a right MAC was refused in {failed[0]}: none is sent again"
    assert reason in {result.reason for result in report.results}
    live = card.power_on()
    for fid in ("DF01", "DF02", "DF03", "DF04", "DF06"):
        assert live.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))[-2:] == OK
        assert live.transmit(bytes.fromhex(f"00A4000002{fid}"))[-2:] == OK


def balance_of(card):
    live = card.power_on()
    for apdu in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00A4000002DF04", "0020000003123456"):
        live.transmit(bytes.fromhex(apdu))
    return live.transmit(bytes.fromhex("805C000104"))


@pytest.mark.parametrize("end", ["short TAC", "Ctrl-C"])
def test_the_fen_of_a_load_that_went_wrong_is_spent_all_the_same(end):
    card = new_card("v2")
    before, on, credited = balance_of(card), bench(card), []

    def change(apdu, answer):
        if apdu[1] != 0x52 or answer[-2:] != OK:
            return answer
        credited.append(answer)
        if end == "Ctrl-C":
            raise KeyboardInterrupt
        return answer[1:]

    on.port = Wrapped(on.port, change)
    if end == "Ctrl-C":
        with pytest.raises(Interrupted) as stopped:
            run("v2", "ACCOUNT/load", on=on)
        assert "was put back" in stopped.value.report.results[0].reason
    else:
        assert ids(run("v2", "ACCOUNT/load", on=on), Outcome.FAILED) == ["ACCOUNT/load"]
    assert len(credited) == 1
    assert balance_of(card) == before


def test_a_fen_that_a_careless_card_took_is_spent(monkeypatch):
    card = new_card("v2")
    before = balance_of(card)
    monkeypatch.setattr(account, "_check", lambda *_: None)
    report = run("v2", "ACCOUNT/wrong-mac2", on=bench(card))
    assert ids(report, Outcome.FAILED) == ["ACCOUNT/wrong-mac2"]
    assert balance_of(card) == before


def test_a_file_without_line_protection_is_not_called_changed():
    report = run("v2", "SECURE_MESSAGING/SSSE/*", on=bench(new_card("v2")))
    assert {result.reason for result in report.results} == {"the file has no line protection"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sm_mode": "pboc_iv"},
        {"block_mode": "mac_with_LK"},
        {"medical_account": "purse"},
    ],
    ids=lambda options: "-".join(options.values()),
)
def test_ssse_4_6_4_8_3_10_protection_blocks_and_account(options):
    """In every dialect the bench is told of; what was blocked is not blocked afterwards."""
    card = new_card("v2", PROTECTED | options)
    on = bench(card)
    on.switches, on.flavour = options, Flavour(options.get("sm_mode", "session"))
    report = run("v2", *NEW, on=on)
    assert not ids(report, Outcome.FAILED)
    passed = ids(report, Outcome.PASSED)
    files = ("SSSE/EF05", "SSSE/EF06", "DF01/EF05", "DF01/EF16")
    line = [
        f"SECURE_MESSAGING/{file}{form}"
        for file in files
        for form in ("", "/forms", "/replay", "/wrong-key", "/length")
        if (file, form) != ("DF01/EF16", "/length")  # a binary file takes any length
    ] + ["SECURE_MESSAGING/DF02/EF07", "SECURE_MESSAGING/DF02/EF16"]
    assert [name for name in passed if name.startswith(UNPROTECTED)] == line
    assert len(passed) == len(line) + 28 + 9
    live = card.power_on()
    for apdu in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00A4000002DF03", "00A4000002DF04"):
        assert live.transmit(bytes.fromhex(apdu))[-2:] == b"\x90\x00"


def test_what_was_changed_is_put_back(finished):
    """Records and binaries, PIN and tries; cyclic files keep what was written."""

    def everything(card):
        desk = terminal(card)
        desk.accept()
        desk.verify_pin("123456")
        return {f.name: (f.fields, f.data) for f in desk.read_all() if f.file.kind != "cyclic"}

    card = finished.fork()
    untouched = everything(finished.fork())
    run("v2", on=bench(card), destroy=False)
    assert everything(card) == untouched
    assert len(untouched) == 37


# ---- safe runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["v1", "v2", "v3"])
def test_a_safe_run_changes_nothing_and_burns_no_try(profile):
    card = new_card(profile)
    on = wrapped(card, keys=profile)
    report = run(profile, on=on, safe=True)
    assert not ids(report, Outcome.FAILED)
    assert report.counts[Outcome.PASSED] > 300
    assert not [apdu for apdu, _ in on.port.sent if apdu[1] in WRITES]
    assert not [answer for _, answer in on.port.sent if SW.of(answer) >> 4 == 0x63C]


def test_without_keys_and_pin_nothing_passes_silently(finished):
    report = run("v2", on=bench(finished.fork(), None, pin=None), safe=True)
    assert not ids(report, Outcome.FAILED)
    reasons = {r.reason for r in report.results if r.outcome is Outcome.NOT_RUN}
    assert all(reasons)
    assert "needs keys: no vault or PSAM was given" in reasons
    assert "needs the holder's PIN: it was not given" in reasons
    for name in ("SSSE_SAFETY/EF05/read/none", "SSSE_SAFETY/EF07/read/none", "ATR/form"):
        assert name in ids(report, Outcome.PASSED)


def test_keys_of_another_vault_are_never_tried(finished):
    on = wrapped(finished.fork(), keys="v3")
    report = run("v2", on=on)
    assert "CHECKLIST/diversification-factors" in ids(report, Outcome.FAILED)
    sent = [apdu for apdu, _ in on.port.sent if apdu[1] == 0x82]
    assert {apdu[5:] for apdu in sent} <= {bytes(16)}, "only cryptograms that need no key"


def test_keys_without_an_irk_are_not_tried(finished):
    """Who cannot tell whether a card is one of theirs does not spend its tries."""
    on = wrapped(finished.fork())
    others = [root for root in roots("v2", Party.SOCIAL) if root.name != "IRK@SSSE"]
    on.source = VaultSource(MemoryVault(Party.SOCIAL, others, test=True))
    report = run("v2", "CHECKLIST/*", "KEY_VER1/*", on=on)
    reasons = {r.reason for r in report.results if r.case.section == "KEY_VER1"}
    assert reasons == {"the vault or PSAM has no IRK to know the card by: its keys are not used"}
    assert not [apdu for apdu, _ in on.port.sent if apdu[1] == 0x82]


def test_a_key_refused_once_is_not_tried_again():
    card = new_card("v2", {"ssse.df.DF01.key.UK1.root": "ascii:ANOTHER-UK1-ROOT"})
    on = wrapped(card)
    report = run("v2", on=on)
    failed = ids(report, Outcome.FAILED)
    assert failed == ["KEY_VER1/DF01/K83"]
    refused = [r for r in report.results if "UK1@DF01 was refused in KEY_VER1" in r.reason]
    assert len(refused) > 10


def test_a_wrong_pin_is_given_once(finished):
    card = finished.fork()
    on = bench(card, pin=bytes.fromhex("654321"))
    report = run("v2", on=on, destroy=False)
    assert ids(report, Outcome.FAILED) == ["CHANGE_PIN/verify"]
    power = card.power_on()
    power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    assert power.transmit(bytes.fromhex("00200000")) == b"\x63\xc5"


# ---- planted deviations --------------------------------------------------------------------------

EF05 = "ssse.df.DF01.ef.EF05"
PLANTED = {
    "everyone reads a protected file": (
        {f"{EF05}.read": "F"},
        {"DF01_SAFETY/EF05/read/none", "DF01_SAFETY/EF05/read/K83", "DF01_SAFETY/EF05/read/after-reset"},
    ),
    "nobody reads a free file": (
        {"ssse.ef.EF06.read": "K0A"},
        {"SSSE_SAFETY/EF06/read/none", "SSSE_SAFETY/EF06/read/PIN"},
    ),
    "another key writes": (
        {f"{EF05}.update": "K84"},
        {"DF01_SAFETY/EF05/update/K83", "DF01_SAFETY/EF05/update/K84", "DF01_RECORD/EF05/update"},
    ),
    "the PIN writes": (
        {f"{EF05}.update": "PIN|K83"},
        {"DF01_SAFETY/EF05/update/PIN"},
    ),
    "or instead of and": (
        {"ssse.df.DF04.ef.EF06.read": "PIN|K84"},
        {"DF04_SAFETY/EF06/read/PIN", "DF04_SAFETY/EF06/read/K84"},
    ),
    "a record one byte too long": (
        {f"{EF05}.items": "20 an 02, 21 an 51, 0E cn 03"},
        {"DF01_RECORD/EF05/numbers", "DF01_RECORD/EF05/tags"},
    ),
    "two records exchanged": (
        {f"{EF05}.items": "21 an 50, 20 an 02, 0E cn 03"},
        {"DF01_RECORD/EF05/numbers", "DF01_SAFETY/EF05/read/PIN"},
    ),
    "a record too many": (
        {f"{EF05}.items": "20 an 02, 21 an 50, 0E cn 03, 22 an 01"},
        {"DF01_RECORD/EF05/numbers"},
    ),
    "a file missing": (
        {"ssse.df.DF02.ef.EF09.present": False},
        {"DF02_RECORD/EF09/select", "DF02_RECORD/EF09/numbers"},
    ),
    "a cyclic file with a record less": (
        {"ssse.df.DF02.ef.EF07.records": 3},
        {"DF02_RECORD/EF07/order"},
    ),
    "a short photo": (
        {"ssse.ef.EF08.size": 4000},
        {"SSSE_RECORD/EF08/size"},
    ),
    "three tries for the PIN": (
        {"ssse.pin.limit": 3},
        {"CHANGE_PIN/tries", "CHANGE_PIN/format"},
    ),
    "a key in version 02 alone": (
        {"ssse.key.UK2.version": 2},
        {"KEY_VER1/SSSE/K0D"},
    ),
    "a key missing": (
        {"ssse.df.DF04.key.LK.present": False},
        {"KEY_VER1/DF04/K83", "KEY_VER1/DF04/K83/lacking"},
    ),
    "a counterfeit": (
        {"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"},
        {"CHECKLIST/diversification-factors", "CHECKLIST/code-mac"},
    ),
    "another version": (
        {"ssse.ef.EF05.values.03": "2.01"},
        {"CHECKLIST/version"},
    ),
    "a wrong card number": (
        {"ssse.ef.EF05.values.07": "T00000011"},
        {"CHECKLIST/card-number"},
    ),
    "an organisation of 22 digits": (
        {"ssse.ef.EF05.values.04": "9156000002999901999901"},
        {"CHECKLIST/initialising-organisation"},
    ),
    "another city in the ATR": (
        {"atr.historical": "0087CF20018649888800000001"},
        {"ATR/region"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PLANTED))
def test_planted_deviations_of_the_profile_are_found(name):
    settings, expected = PLANTED[name]
    card = new_card("v2", settings)
    files = {case.split("_")[0].split("/")[0] + "*" for case in expected}
    failed = set(ids(run("v2", *files, on=bench(card)), Outcome.FAILED))
    assert expected <= failed


def kept_after_wrong_pin(apdu, answer):
    return b"\x90\0" if apdu[1] == 0x20 and answer[:1] == b"\x63" else answer


def every_tag_is_the_first(apdu, answer):
    return answer if apdu[:2] != b"\0\xb2" or answer != b"\x6a\x83" else b"\x01\x01\0\x90\0"


def one_challenge(apdu, answer):
    return bytes(8) + b"\x90\0" if apdu[1] == 0x84 else answer


def no_data_with_fci(apdu, answer):
    return answer[-2:] if apdu[1] == 0xA4 else answer


def refuses_with_another_word(apdu, answer):
    return b"\x69\x85" if answer == b"\x69\x82" else answer


BEHAVIOUR = {
    "answers 9000 to a wrong PIN": (kept_after_wrong_pin, "CHANGE_PIN/tries"),
    "finds records that are not there": (every_tag_is_the_first, "DF05_RECORD/EF05/numbers"),
    "repeats its challenge": (one_challenge, "AUTHENTICATION/challenge"),
    "selects without FCI": (no_data_with_fci, "DF01_RECORD/select"),
    "has another word for no": (refuses_with_another_word, "DF07_SAFETY/EF05/read/PIN"),
}


@pytest.mark.parametrize("name", list(BEHAVIOUR))
def test_planted_deviations_of_behaviour_are_found(name, finished):
    change, expected = BEHAVIOUR[name]
    assert expected in ids(
        run("v2", expected.split("/")[0] + "/*", on=wrapped(finished.fork(), change)),
        Outcome.FAILED,
    )


def prove_without_trying(domain, key, compare):
    return compare()


def reads_survive_a_block(self, row):
    gate(self, row._replace(survives=Survives.BLOCKED) if row.ins == 0xB2 else row)


def any_mac(domain, command, key, *, session):
    return secure.Protection(domain, key, domain.take_challenge("cos 6.1"), session=session)


def key_of_the_environment(domain, nibble):
    found, here = [], domain.session.directory
    while here is not None:
        found += [key for key in domain.keys.records(here) if key.type == KeyType.STK]
        here = here.parent
    return found[-1]


gate = Domain.gate
COS = {
    "updates on any MAC": (
        secure, "protected_command", any_mac,
        {f"SECURE_MESSAGING/DF01/{case}" for case in (
            "EF05", "EF05/forms", "EF05/replay", "EF05/wrong-key", "EF16/forms", "EF16/replay")},
    ),
    "appends on any MAC": (
        secure, "protected_command", any_mac, {"SECURE_MESSAGING/DF02/EF07"},
    ),
    "takes the line key of the environment everywhere": (
        secure, "transport_key_of", key_of_the_environment, {"SECURE_MESSAGING/DF01/EF05"},
    ),
    "blocks without the lock key": (
        blocking, "access", SimpleNamespace(satisfied=lambda *_: True),
        {"APPLICATION_BLOCK/DF03/without-lock-key", "APPLICATION_BLOCK/SSSE/without-lock-key"},
    ),
    "reads what is blocked": (
        Domain, "gate", reads_survive_a_block,
        {"APPLICATION_BLOCK/DF03/temporary", "APPLICATION_BLOCK/SSSE/below"},
    ),
    "debits on any MAC1": (
        account, "_check", lambda *_: None, {"ACCOUNT/wrong-mac1", "ACCOUNT/wrong-mac2"},
    ),
    "tells the balance to everybody": (
        account, "require_proved", lambda *_, **__: None, {"ACCOUNT/pin"},
    ),
    "keeps a right when its proof fails": (
        Domain, "revoke", lambda *_: None,
        {"DF01_SAFETY/EF05/read/wrong-PIN", "DF01_SAFETY/EF05/update/wrong-K83"},
    ),
    "spends no tries": (
        Domain, "prove", prove_without_trying, {"CHANGE_PIN/tries", "CHANGE_PIN/format"},
    ),
    "takes one right for any other": (
        cos_access, "satisfied", lambda word, own, above: word == 0 or bool(own | above),
        {"DF01_SAFETY/EF05/update/PIN", "DF01_SAFETY/EF05/read/K83", "SSSE_SAFETY/EF08/read/K04"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(COS))
def test_planted_bugs_of_the_card_are_found(name, finished, monkeypatch):
    where, what, bug, expected = COS[name]
    files = {case.split("/")[0].removesuffix("_SAFETY") + "*" for case in expected}
    protected = UNPROTECTED[:-1] + "*" in files
    card = new_card("v2", PROTECTED) if protected else finished.fork()
    monkeypatch.setattr(where, what, bug)
    assert expected <= set(ids(run("v2", *files, on=bench(card)), Outcome.FAILED))


class Sticky(Wrapped):
    """A card that keeps its rights over a reset, and when its environment is selected again."""

    def __init__(self, port):
        super().__init__(port)
        self.fci = b""

    def transmit(self, apdu):
        if apdu[:3] != b"\x00\xa4\x04":
            return super().transmit(apdu)
        self.fci = self.fci or super().transmit(apdu)
        return self.fci

    def reset(self):
        return self.port.atr


def test_a_card_that_keeps_its_rights_is_found(finished):
    on = bench(finished.fork())
    on.port = Sticky(on.port)
    failed = ids(run("v2", "DF01_SAFETY/EF05/*", on=on), Outcome.FAILED)
    lost = {f"DF01_SAFETY/EF05/read/{s}" for s in ("after-reset", "after-select-SSSE")}
    assert lost <= set(failed)


def test_a_failure_tells_what_was_expected_and_seen():
    card = new_card("v2", {f"{EF05}.read": "F"})
    case = CASES["DF01_SAFETY/EF05/read/none"]
    on = bench(card)
    SUITE.survey(on)
    result = run_case(case, on)
    assert result.outcome is Outcome.FAILED
    assert result.reason == "READ RECORD 01, SFI 05: expected 6982, seen 9000 done"
    assert [e.command for e in result.exchanges] == [
        "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00",
        "00A4000002DF0100",
        "00B2012C00",
    ]
    assert result.exchanges[-1].answer == "2002 [4 bytes] 9000 done"


# ---- cards without a directory -------------------------------------------------------------------


def test_an_optional_directory_may_be_missing():
    report = run("v2", "DF0[67]_*", on=bench(new_card("v2", {"ssse.df.DF06.present": False})))
    assert not ids(report, Outcome.FAILED)
    assert {r.reason for r in report.results if r.case.place == "DF06"} == {"the card has no DF06"}


def test_a_mandated_directory_may_not():
    report = run("v2", on=bench(new_card("v2", {"ssse.df.DF02.present": False})))
    assert ids(report, Outcome.FAILED) == ["DF02_RECORD/select"]
    assert "the card has no DF02" in {r.reason for r in report.results}


def test_a_bank_card_is_no_social_security_card():
    """The answer to reset is looked at; all else needs the environment, which is not there."""
    report = run("v2", on=bench(new_card("pboc")))
    failed = [name for name in ids(report, Outcome.FAILED) if not name.startswith("ATR/")]
    assert failed == [f"{p}_RECORD/select{n}" for p, n in SELECTIONS]
    assert all(name.startswith("ATR/") for name in ids(report, Outcome.PASSED))


# ---- choosing and waiving ------------------------------------------------------------------------


def test_cases_are_chosen_by_id_and_pattern():
    cases = SUITE.cases("v2")
    assert [c.id for c in choose(cases, ["ATR/form"])] == ["ATR/form"]
    assert {c.section for c in choose(cases, ["KEY_VER?/SSSE/*", "ATR/*"])} == {
        "ATR", "KEY_VER1", "KEY_VER2", "KEY_VER3"
    }  # fmt: skip
    with pytest.raises(ScriptError, match="no case ATR/from"):
        choose(cases, ["ATR/from"])


def test_a_waiver_covers_a_failure_and_is_told_when_it_no_longer_does(finished):
    waivers = (Waiver("ATR/region", "a maker's own numbers"), Waiver("ATR/form", "old chips"))
    card = new_card("v2", {"atr.historical": "0087CF20018649888800000001"})
    report = run("v2", "ATR/*", on=bench(card), waivers=waivers)
    assert ids(report, Outcome.WAIVED) == ["ATR/region"]
    assert not report.failures
    assert report.stale == ("ATR/form",)
    assert run("v2", "CHANGE_PIN/*", on=bench(finished.fork()), waivers=waivers).stale == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [("ATR/form", "waivers:1: .*no reason"), ("# a comment\n\nATR/x  why", "waivers:3: .*no case")],
)
def test_a_waiver_file_that_is_wrong(text, message):
    with pytest.raises(ScriptError, match=message):
        parse_waivers(text, SUITE.cases("v2"))


def test_a_waiver_file():
    text = "# accepted\nATR/region a maker's own numbers\nDF05_*  no such data\n"
    assert parse_waivers(text, SUITE.cases("v2")) == (
        Waiver("ATR/region", "a maker's own numbers"),
        Waiver("DF05_*", "no such data"),
    )


# ---- reports -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    card = new_card("v2", {f"{EF05}.read": "F", "ssse.ef.EF06.values.09": "李四"})
    waivers = [Waiver("DF01_SAFETY/EF05/read/K83", "known")]
    return run("v2", "ATR/*", "DF01_*", "SSSE_*", "CHANGE_PIN/*", on=bench(card), waivers=waivers)


def test_text_names_failures_by_section(report):
    text = to_text(report)
    assert "DF01_RECORD  records, public application: 67 passed\n" in text
    assert "  FAILED   DF01_SAFETY/EF05/read/none: read EF05: nothing was proved" in text
    assert "  WAIVED   DF01_SAFETY/EF05/read/K83" in text
    assert "         ! READ RECORD 01, SFI 05\n             > 00B2012C00" in text
    assert "PASSED" not in text
    assert "  PASSED   ATR/form" in to_text(report, everything=True)


def test_json_has_every_case(report):
    data = json.loads(to_json(report))
    assert (data["format"], data["suite"], data["generation"]) == (1, "ssse", "v2")
    assert len(data["cases"]) == len(report.results) == sum(data["counts"].values())
    failed = next(c for c in data["cases"] if c["outcome"] == "failed")
    assert failed["exchanges"][-1]["problem"]


def test_junit_counts_what_the_report_counts(report):
    root = ET.fromstring(to_junit(report))
    assert len(list(root.iter("testcase"))) == len(report.results)
    assert len(list(root.iter("failure"))) == len(report.failures) > 0
    assert len(list(root.iter("skipped"))) == report.counts[Outcome.WAIVED]
    assert sum(int(node.get("tests", 0)) for node in root) == len(report.results)


def test_html_is_one_page_of_its_own(report):
    page = to_html(report)
    assert page.startswith("<!doctype html>")
    assert "<h2 id='DF01_SAFETY'>" in page
    assert "src=" not in page
    assert page.count("href=") == page.count("href='#"), "links go nowhere else"


@pytest.mark.parametrize("render", [to_text, to_json, to_junit, to_html])
def test_no_report_shows_a_pin_or_the_holder(report, render):
    shown = render(report).upper()
    for secret in ("李四".encode("gbk"), PIN + b"\xff", b"999901199001011232"):
        assert secret.hex().upper() not in shown
    assert "0020000003123456" not in shown


def test_suites_are_found_by_name():
    assert list(suites()) == ["ssse", "pse"]
    assert suites()["ssse"].generations == ("v1", "v2", "v3")


def test_no_safe_case_sends_a_debit():
    """A card that forgets the order of commands would compare its MAC1, and may count."""
    for case in account_cases():
        debits = [step for step in case.steps if "DEBIT" in step.title]
        assert not (debits and case.safe), case.id
