"""Monitors: silent on a good card, each speaks on a trace that breaks it and on a planted mistake."""

from pathlib import Path

import pytest
from cos_trace import examples
from hypothesis import given
from hypothesis import strategies as st
from pse_plants import scripts_taken_after_a_wrong_arpc
from sessions import pay, port, recorded, visit

from sscard import sample_card
from sscard.apps.pse import applet, generate, machine
from sscard.apps.pse.application import Application
from sscard.apps.pse.transaction import Online, Script
from sscard.cli.cards import Bench
from sscard.cos import authenticate
from sscard.cos.domain import Domain
from sscard.cos.keyfile import KeyRing
from sscard.cos.rng import Drbg
from sscard.inspect.trace import (
    Apdu,
    CardRecorder,
    Failure,
    Header,
    Octets,
    Power,
    RecordedPort,
    Recorder,
    Trace,
    dumps,
    loads,
    masked_trace,
)
from sscard.keys.vault import CardIdentity
from sscard.perso.profile import Profile
from sscard.perso.roots import demo_vault
from sscard.perso.script import personalise
from sscard.sample import blank_card
from sscard.spec.pboc import DEBIT_AID
from sscard.spec.ssse import SSSE_NAME
from sscard.testing.monitors import monitors, watch
from sscard.testing.pse_subjects import pse_subject
from sscard.testing.runner import run
from sscard.testing.script import RandomLine, parse
from sscard.testing.strategies import sessions

SCRIPTS = sorted((Path(__file__).parents[1] / "spec").rglob("*.apdu"))
SSSE = f"00A404000F{SSSE_NAME.hex()}"
DEBIT = f"00A40400{len(DEBIT_AID):02X}{DEBIT_AID.hex()}"
DF01 = "00A4000002DF01"
GPO, FIRST, SECOND = "80A80000028300", "80AE800001AA", "80AE400001AA"
CHALLENGE, PROOF = "0084000008", "0082000A10" + "11" * 16
TC, ARQC = 0x40, 0x80
EF05_DF01 = "00B2012C00"
R1, R2 = "A1" * 8, "B2" * 8
OTHER_PROOF = f"0082000A10{'33' * 8}{'11' * 8}"
ARPC, LIMIT = "008200000A" + "11" * 10, "04DA9F580505" + "11" * 4


def answer(kind, atc=1):
    return f"8012{kind:02X}{atc:04X}" + "22" * 8 + "07010103000000" + "9000"


def trace(*exchanges):
    """A trace of `command > answer` texts; "reset" and "lost COMMAND" stand for themselves."""
    entries = [Power("on")]
    for text in exchanges:
        command, _, response = (part.strip() for part in text.partition(">"))
        if command == "reset":
            entries.append(Power("reset"))
        elif command.startswith("lost"):
            entries.append(Failure(Octets(bytes.fromhex(command[5:])), "PowerLoss", "torn"))
        else:
            response = response or "9000"
            entries.append(Apdu(Octets(bytes.fromhex(command)), Octets(bytes.fromhex(response))))
    made = Trace(Header("port", masked=False), tuple(entries))
    return loads(dumps(made))


def complaints(of, generation=None):
    return [violation.monitor for violation in watch(of, monitors(generation))]


# --- silent where all is well ----------------------------------------------------------------


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_a_good_session_breaks_nothing(link):
    session = recorded(sample_card(), visit, pay, pay, link=link)
    assert complaints(session) == []
    assert complaints(masked_trace(session)) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_scripts_of_the_reference_break_nothing(path):
    """Forced random numbers may come again; otherwise all that is legal or refused is silent."""
    script, recorder = parse(path.read_text("utf-8"), path.name), Recorder("port")

    def make(profile, settings):
        rig = Bench("apdu").make(profile, settings)
        return rig._replace(port=RecordedPort(rig.port, recorder))

    run(script, make_card=make)
    judges = monitors()
    if any(isinstance(line, RandomLine) for line in script.lines):
        judges = [judge for judge in judges if judge.name != "fresh-challenges"]
    assert len(recorder.trace.entries) > 2
    assert watch(recorder.trace, judges) == []


@pytest.mark.parametrize("profile", ["sample", "v1", "v3", "pboc-ec"])
@examples(40)
@given(data=st.data())
def test_sessions_break_nothing(profile, data):
    session = data.draw(sessions(profile=profile))
    recorder = Recorder("port", show_secrets=True)
    session.play(RecordedPort(session.card().power_on(), recorder))
    generation = profile if profile in ("v1", "v3") else None
    assert complaints(recorder.trace, generation) == []


def test_a_recording_from_outside_is_judged_alike():
    recorder = Recorder("port")
    card = sample_card()
    for sitting in (visit, pay):
        at = port(card, "apdu")
        sitting(RecordedPort(at, recorder, at.atr))
        at.close()
    assert complaints(recorder.trace) == []


def test_personalisation_breaks_nothing():
    recorder = Recorder("card")
    profile = Profile.load("sample")
    card = blank_card(profile)
    with CardRecorder(card, recorder):
        personalise(profile, card.power_on().transmit)
    assert complaints(recorder.trace) == []


GOOD = [
    (DEBIT, GPO, f"{FIRST} > {answer(ARQC)}", f"{SECOND} > {answer(TC)}"),
    (DEBIT, GPO, f"{FIRST} > {answer(0)}", GPO, f"{FIRST} > {answer(TC, 2)}"),
    (DEBIT, f"{FIRST} > 6985", GPO, "reset", DEBIT, GPO, f"{FIRST} > {answer(ARQC)}"),
    (SSSE, CHALLENGE, PROOF, CHALLENGE, f"{PROOF[:-2]}22"),
    (SSSE, f"{PROOF} > 6984"),
    (SSSE, "0020000003123456", DF01, f"{EF05_DF01} > 200241429000"),
    (SSSE, DF01, f"{EF05_DF01} > 6982"),
    (SSSE, "0020000003123456 > 63C5", "0020000003123456 > 63C4", "0020000003111111"),
    (SSSE, "0020000003123456 > 63C5", "00200000 > 63C5"),
    (SSSE, "0020000003123456 > 6983", CHALLENGE, "842400000411223344", "0020000003123456"),
    (SSSE, "0020000003123456 > 63C2", "lost 0020000003123456", "0020000003123456 > 63C5"),
    (DEBIT, GPO, f"{FIRST} > {answer(TC, 5)}", f"80CA9F3600 > 9F3602{5:04X}9000"),
    (DEBIT, GPO, "80CA9F3600 > 9F360200059000", f"{FIRST} > {answer(TC, 5)}"),
    (SSSE, f"{CHALLENGE} > {R1}9000", PROOF, f"{CHALLENGE} > {R2}9000", OTHER_PROOF),
    (SSSE, "0084000004 > 010203049000", PROOF, "0084000004 > 010203049000", PROOF),
    ("00A4040006D15600000590", "BFDE670820" + "11" * 32),
    (DEBIT, GPO, f"{FIRST} > {answer(ARQC)}", LIMIT, f"{SECOND} > {answer(TC)}", LIMIT),
    (DEBIT, GPO, f"{FIRST} > {answer(0)}", ARPC, LIMIT),
    (
        DEBIT,
        f"{LIMIT} > 6985",
        GPO,
        f"{FIRST} > {answer(ARQC)}",
        f"{LIMIT} > 6988",
        f"{LIMIT} > 6985",
    ),
    (SSSE, CHALLENGE, "841E000004" + "11" * 4),
]


@pytest.mark.parametrize("exchanges", GOOD)
def test_what_is_allowed_is_not_blamed(exchanges):
    assert complaints(trace(*exchanges)) == []


# --- a trace that breaks each -----------------------------------------------------------------

BAD = [
    ("gpo-first", (DEBIT, f"{FIRST} > {answer(ARQC)}")),
    ("gpo-first", (DEBIT, GPO, "reset", DEBIT, f"{FIRST} > {answer(ARQC, 2)}")),
    ("gpo-first", (DEBIT, GPO, DEBIT, f"{FIRST} > 6113")),
    (
        "two-cryptograms",
        (DEBIT, GPO, *[f"{FIRST} > {answer(ARQC)}"] * 3),
    ),
    ("no-tc-after-aac", (DEBIT, GPO, f"{FIRST} > {answer(0)}", f"{SECOND} > {answer(TC)}")),
    (
        "no-tc-after-aac",
        (DEBIT, GPO, f"{FIRST} > {answer(0)}", f"{SECOND} > 6114", f"00C0000014 > {answer(TC)}"),
    ),
    (
        "atc-rises",
        (DEBIT, GPO, f"{FIRST} > {answer(ARQC, 7)}", GPO, f"{FIRST} > {answer(ARQC, 7)}"),
    ),
    (
        "atc-rises",
        (DEBIT, GPO, f"{FIRST} > {answer(0, 7)}", "reset", DEBIT, GPO, f"{FIRST} > {answer(0, 6)}"),
    ),
    ("atc-rises", (DEBIT, GPO, f"{FIRST} > {answer(0, 7)}", "80CA9F3600 > 9F36020006" + "9000")),
    ("challenge-once", (SSSE, PROOF)),
    ("challenge-once", (SSSE, CHALLENGE, PROOF, f"{PROOF[:-2]}22")),
    ("challenge-once", (SSSE, CHALLENGE, f"{PROOF} > 63C4", f"{PROOF[:-2]}22")),
    ("challenge-once", (SSSE, CHALLENGE, PROOF, CHALLENGE, PROOF)),
    ("challenge-once", (SSSE, CHALLENGE, "reset", SSSE, PROOF)),
    ("challenge-once", (SSSE, "04D6850008" + "11" * 8)),
    ("challenge-once", (SSSE, CHALLENGE, DEBIT, SSSE, PROOF)),
    ("fresh-challenges", (SSSE, f"{CHALLENGE} > {R1}9000", f"{CHALLENGE} > {R1}9000")),
    ("fresh-challenges", (SSSE, f"{CHALLENGE} > {R1}9000", "reset", f"{CHALLENGE} > {R1}9000")),
    ("scripts-in-session", (DEBIT, LIMIT)),
    ("scripts-in-session", (DEBIT, GPO, LIMIT)),
    ("scripts-in-session", (DEBIT, GPO, f"{FIRST} > {answer(ARQC)}", "reset", DEBIT, LIMIT)),
    ("scripts-in-session", (DEBIT, GPO, f"{FIRST} > {answer(ARQC)}", f"{ARPC} > 6300", LIMIT)),
    ("scripts-in-session", (DEBIT, GPO, f"{FIRST} > {answer(ARQC)}", f"{LIMIT} > 6988", LIMIT)),
    ("atc-rises", (DEBIT, GPO, "80CA9F3600 > 9F360200079000", GPO, f"{FIRST} > {answer(0, 7)}")),
    ("read-rights", (SSSE, DF01, f"{EF05_DF01} > 200241429000")),
    ("read-rights", (SSSE, DF01, "00A4020002EF05", "00B2010400 > 200241429000")),
    (
        "read-rights",
        (
            SSSE,
            "0020000003123456",
            "0020000003111111 > 63C5",
            DF01,
            f"{EF05_DF01} > 200241429000",
        ),
    ),
    (
        "read-rights",
        (SSSE, "0020000003123456", "reset", SSSE, DF01, f"{EF05_DF01} > 2000" + "9000"),
    ),
    ("read-rights", (SSSE, "0020000003123456", SSSE, DF01, f"{EF05_DF01} > 20019000" + "9000")),
    ("tries-fall", (SSSE, "0020000003123456 > 63C3", "0020000003123456 > 63C3")),
    ("tries-fall", (SSSE, "0020000003123456 > 63C3", "reset", SSSE, "0020000003123456 > 63C5")),
    ("tries-fall", (SSSE, "0020000003123456 > 63C3", "00200000 > 63C5")),
    ("tries-fall", (SSSE, "0020000003123456 > 6983", "0020000003123456")),
]


def test_every_monitor_has_a_trace_that_breaks_it():
    assert {name for name, _ in BAD} == {monitor.name for monitor in monitors()}


@pytest.mark.parametrize(("name", "exchanges"), BAD)
def test_a_trace_that_breaks_the_property_is_blamed(name, exchanges):
    assert complaints(trace(*exchanges)) == [name]


def test_a_terminal_may_choose_the_same_data_for_every_proof():
    """The second half of a proof is the terminal's choice, the first says the challenge (3.8)."""
    another = f"{PROOF[:10]}{'55' * 8}{PROOF[26:]}"
    assert another != PROOF
    assert complaints(trace(SSSE, CHALLENGE, PROOF, CHALLENGE, another)) == []


@pytest.mark.parametrize(
    ("way", "generation", "read"),
    [
        ((SSSE, "00A4020002DF01"), "v2", "00B2013C00 > 290100" + "9000"),
        ((SSSE, "00A40000023F00", "00A4020002DDF1"), "v1", f"{EF05_DF01} > 200100" + "9000"),
    ],
)
def test_ssse_3_3_a_directory_selected_with_p1_02(way, generation, read):
    """Readers name directories so; in DF01 the PIN opens what it does not in the SSSE."""
    after = (DF01,) if generation == "v1" else ()
    session = trace(*way, "0020000003123456", *after, read)
    assert complaints(session, generation) == []


def test_the_generation_decides_who_may_read():
    """v3 has the holder data under RK_SSSE, v2 gives them to everybody (ssse-lb002 2.3)."""
    read = trace(SSSE, "00B2013400 > 0801319000")
    assert complaints(read, "v3") == ["read-rights"]
    assert complaints(read, "v2") == []
    assert complaints(read) == []
    told = trace(SSSE, "00B2032C00 > 0304332E30309000", "00B2013400 > 0801319000")
    assert complaints(told) == ["read-rights"]


def test_a_violation_says_where_and_why():
    [violation] = watch(trace(SSSE, DF01, f"{EF05_DF01} > 200241429000"), monitors())
    assert violation.entry == 4
    assert "DF01/EF05 was read, which wants" in str(violation)
    assert str(violation).startswith("line 5: 00B2012C00")


# --- mistakes planted in the card --------------------------------------------------------------


def watched(session, card=None):
    return complaints(recorded(card or sample_card(), session, link="apdu"))


def send(*commands):
    def session(at):
        for command in commands:
            at.transmit(bytes.fromhex(command))

    return session


def test_planted_files_without_a_lock(monkeypatch):
    snoop = send(SSSE, DF01, EF05_DF01)
    assert watched(snoop) == []
    monkeypatch.setattr(Domain, "require", lambda *_, **__: None)
    assert watched(snoop) == ["read-rights"]


def test_planted_rights_kept_after_a_failed_pin(monkeypatch):
    snoop = send(SSSE, "0020000003123456", "0020000003000000", DF01, EF05_DF01)
    assert watched(snoop) == []
    monkeypatch.setattr(Domain, "revoke", lambda *_: None)
    assert watched(snoop) == ["read-rights"]


def test_planted_tries_that_are_not_spent(monkeypatch):
    guess = send(SSSE, *["0020000003000000"] * 3)
    assert watched(guess) == []
    monkeypatch.setattr(KeyRing, "write_tries", lambda *_: None)
    assert watched(guess) == ["tries-fall", "tries-fall"]


def test_planted_challenge_that_can_be_used_again(monkeypatch):
    vault = demo_vault()

    def twice(at):
        at.transmit(bytes.fromhex(SSSE))
        card = CardIdentity("999901", at.atr[-8:])
        challenge = at.transmit(bytes.fromhex(CHALLENGE))[:-2]
        for data in (bytes(8), bytes(7) + b"\1"):
            proof = vault.cryptogram(card.ref(vault.info("UK@SSSE")), challenge, data) + data
            seen.append(at.transmit(bytes.fromhex("0082000410") + proof).hex())

    seen = []
    assert watched(twice) == []
    assert seen == ["9000", "6984"]
    monkeypatch.setattr(
        authenticate, "_challenges_for", lambda domain, _: domain.session.challenges
    )
    assert watched(twice) == ["challenge-once"]


def test_planted_atc_that_is_not_kept(monkeypatch):
    def pay_twice(at):
        for _ in range(2):
            for command in (DEBIT, GPO):
                at.transmit(bytes.fromhex(command))
            at.transmit(first_ac())

    assert watched(pay_twice) == []
    monkeypatch.setattr(Application, "write_counters", lambda *_: None)
    assert "atc-rises" in watched(pay_twice)


def test_planted_select_that_ends_no_transaction(monkeypatch):
    card = sample_card()
    live = card.power_on()
    for command in (DEBIT, GPO):
        live.transmit(bytes.fromhex(command))
    begun = live.kernel.current.session.app

    def session(at):
        at.transmit(bytes.fromhex(DEBIT))
        at.transmit(first_ac())

    assert watched(session) == []
    monkeypatch.setattr(applet, "Selected", lambda: begun)
    assert watched(session) == ["gpo-first"]


def test_planted_transaction_that_never_ends(monkeypatch):
    second = generate.second_generate_ac

    def session(at):
        for command in (DEBIT, GPO):
            at.transmit(bytes.fromhex(command))
        at.transmit(first_ac())
        at.transmit(second_ac(0x00))
        at.transmit(second_ac(0x40))

    assert watched(session) == []
    monkeypatch.setattr(
        generate,
        "second_generate_ac",
        lambda card, command, tx: second(card, command, tx)._replace(then=tx),
    )
    rows = {**machine.NEXT, (Online, "GENERATE AC"): frozenset({Script, Online})}
    monkeypatch.setattr(machine, "NEXT", rows)
    assert "two-cryptograms" in watched(session)


def test_planted_tc_after_a_declined_first_cryptogram(monkeypatch):
    """Two cryptograms, as a transaction may have: only their kinds are wrong."""
    first = generate.first_generate_ac

    def session(at):
        for command in (DEBIT, GPO):
            at.transmit(bytes.fromhex(command))
        seen.append(at.transmit(first_ac(0x00))[2])
        seen.append(at.transmit(second_ac(0x40))[2:3])

    def careless(card, command, tx):
        step = first(card, command, tx)
        values, ac1 = card.lists.cdol1.split(command.data), step.data[5:13]
        open_ = Online(tx.atc, tx.profile, tx.pdol_data, command.data, values, ac1, tx.cvr)
        return step._replace(then=open_)

    seen = []
    assert watched(session) == []
    assert seen == [0x00, b""]  # AAC, and no second cryptogram
    monkeypatch.setattr(generate, "first_generate_ac", careless)
    assert watched(session) == ["no-tc-after-aac"]
    assert seen[2:] == [0x00, b"\x40"]


def test_planted_scripts_taken_after_a_wrong_arpc(monkeypatch):
    subject = pse_subject("sample", {})

    def session(at):
        for command in (DEBIT, GPO):
            at.transmit(bytes.fromhex(command))
        first = at.transmit(first_ac())
        head, atc = bytes.fromhex("04DA9F5805"), int.from_bytes(first[3:5])
        mac = subject.bank.script_mac(atc, first[5:13], head, b"\5")
        seen.append(at.transmit(bytes.fromhex(ARPC)).hex())
        seen.append(at.transmit(head + b"\5" + mac).hex())

    seen = []
    assert watched(session, subject.card.fork()) == []
    assert seen == ["6300", "6985"]
    scripts_taken_after_a_wrong_arpc(monkeypatch)
    assert watched(session, subject.card.fork()) == ["scripts-in-session"]
    assert seen[2:] == ["6300", "9000"]


def test_planted_random_numbers_that_are_stuck(monkeypatch):
    draw = send(SSSE, CHALLENGE, CHALLENGE)
    assert watched(draw) == []
    monkeypatch.setattr(Drbg, "take", lambda self, length: b"\xa5" * length)
    assert watched(draw) == ["fresh-challenges"]


def test_planted_rights_kept_over_a_selection(monkeypatch):
    away = send(SSSE, "0020000003123456", DEBIT, SSSE, DF01, EF05_DF01)
    assert watched(away) == []
    enter = Domain.enter

    def careless(self):
        held = self.session.environment_mask
        enter(self)
        self.session.environment_mask = held

    monkeypatch.setattr(Domain, "enter", careless)
    assert watched(away) == ["read-rights"]


def first_ac(kind=0x80):
    return bytes((0x80, 0xAE, kind, 0x00, 0x34)) + cdol() + b"\0"


def second_ac(kind):
    return bytes((0x80, 0xAE, kind, 0x00, 0x36)) + b"00" + cdol() + b"\0"


def cdol():
    values = "00000001234500000000000001560000048000015626070100F53F0FF9103045"
    return bytes.fromhex(values) + b"TEST MERCHANT".ljust(20)


# --- changes that alter nothing --------------------------------------------------------------


def test_neutral_tries_written_twice(monkeypatch):
    """The same answers from a card that wears its memory more are no violation."""
    original = KeyRing.write_tries

    def twice(self, key, tries):
        original(self, key, tries)
        original(self, key, tries)

    monkeypatch.setattr(KeyRing, "write_tries", twice)
    assert watched(send(SSSE, *["0020000003000000"] * 3, "0020000003123456")) == []


def test_neutral_file_conditions_asked_twice(monkeypatch):
    """A card that looks at its access conditions twice answers as before."""
    original = Domain.require

    def twice(self, word, what, ref="cos 2.3"):
        original(self, word, what, ref)
        original(self, word, what, ref)

    monkeypatch.setattr(Domain, "require", twice)
    assert watched(send(SSSE, "0020000003123456", DF01, EF05_DF01, "00A4000002DF02")) == []
