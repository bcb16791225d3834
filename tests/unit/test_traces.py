"""Traces: format, masking, recording, the words and the proofs of whole sessions."""

import json
from dataclasses import replace

import pytest
from sessions import pay, port, recorded, visit

from sscard import sample_card
from sscard.cos.eeprom import Phase, Tear
from sscard.errors import PowerLoss
from sscard.inspect.trace import (
    FORMAT,
    Apdu,
    CardRecorder,
    Commit,
    Failure,
    Header,
    Octets,
    Power,
    Random,
    RecordedPort,
    RecordedSlot,
    Recorder,
    Recovery,
    Trace,
    TraceError,
    Write,
    dumps,
    load,
    loads,
    masked_trace,
    story,
)
from sscard.keys.vault import Party
from sscard.perso.roots import demo_vault
from sscard.transport import MemoryPort, PoweredSlot

HEADER = '{"sscard": "trace", "format": 1, "source": "port", "masked": false}'
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
VERIFY = bytes.fromhex("0020000003123456")


@pytest.fixture(scope="module")
def session() -> Trace:
    return recorded(sample_card(), visit, pay)


# --- the format ---------------------------------------------------------------------------


def test_a_trace_survives_its_file(session):
    assert loads(dumps(session)) == session
    hidden = masked_trace(session)
    assert loads(dumps(hidden)) == hidden


def test_every_event_is_recorded(session):
    kinds = {type(entry) for entry in session.entries}
    assert kinds >= {Power, Apdu, Write, Commit, Random}
    refused = [entry for entry in session.apdus if entry.refused]
    assert all(entry.refused.ref for entry in refused)
    assert sum(entry.operations for entry in session.apdus) == sum(
        isinstance(entry, Write) for entry in session.entries
    )
    times = [entry.at_us for entry in session.apdus]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "no line of a trace"),
        ("[]", "not a JSON object"),
        ('{"event": "nap"}', "an event is one of"),
        ('{"event": "mute"}', "lacks why"),
        ('{"event": "mute", "why": 1}', "why: is text"),
        ('{"event": "mute", "why": "", "x": 1}', "has no member x"),
        ('{"event": "mute", "why": "", "why": ""}', "twice"),
        ('{"event": "apdu", "command": "0", "response": "9000"}', "odd number"),
        ('{"event": "apdu", "command": "0G", "response": "9000"}', "command"),
        ('{"event": "apdu", "command": "*1", "response": "9000"}', "command"),
        ('{"event": "apdu", "command": "00", "response": "9000", "domain": -1}', "domain"),
        ('{"event": "apdu", "command": "00", "response": "9000", "domain": true}', "domain"),
        ('{"event": "apdu", "command": "00", "response": "90", "refused": {"why": ""}}', "refused"),
        ('{"event": "power", "change": "up"}', "one of on, reset, off"),
        ('{"event": "random", "domain": 1, "value": "**"}', "never masked"),
        ('{"event": "commit", "domain": 1, "pages": 3}', "list"),
        ('{"event": "write", "kind": "byte", "address": 1.5, "data": "00"}', "address"),
    ],
)
def test_a_wrong_line_is_named(line, problem):
    with pytest.raises(TraceError, match="line 2") as error:
        loads(f"{HEADER}\n{line}\n", "x")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        HEADER.replace("1,", "2,"),
        HEADER.replace("1,", "true,"),
        HEADER.replace("trace", "image"),
        HEADER.replace("port", "wire"),
        HEADER.replace("false", "0"),
    ],
)
def test_another_header_is_refused(header):
    with pytest.raises(TraceError, match="line 1"):
        loads(header + "\n")


def test_a_masked_trace_that_shows_the_eeprom_is_refused(session):
    lying = Trace(replace(session.header, masked=True), session.entries)
    with pytest.raises(TraceError, match="masked trace shows"):
        loads(dumps(lying))


def test_octets_are_their_text():
    octets = Octets.parse("0020000003******")
    assert octets.data == bytes.fromhex("0020000003000000")
    assert octets.hidden == {5, 6, 7}
    assert str(octets) == "0020000003******"
    assert list(octets.differences(bytes.fromhex("0120000003123456"))) == [0]
    assert "12" not in repr(Octets(b"\x12\x34"))


# --- masking --------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_what_is_personal_or_secret_is_not_written_down(tmp_path, link):
    path = tmp_path / "t.jsonl"
    card = sample_card()
    with Recorder("card", path=path) as recorder, CardRecorder(card, recorder):
        for sitting in (visit, pay):
            with port(card, link) as at:
                sitting(at)
    trace = load(path)
    assert trace.header.masked
    text = path.read_text(encoding="utf-8")
    secrets = {
        "identity number": b"999901199001011232".hex(),
        "name": "张测试".encode("gbk").hex(),
        "PIN": "123456",
        "person": b"P99990100001".hex(),
    }
    for what, value in secrets.items():
        shown = [entry for entry in trace.apdus if value.upper() in str(entry.command)[10:]]
        shown += [entry for entry in trace.apdus if value.upper() in str(entry.response)]
        assert not shown, what
    assert secrets["identity number"].upper() not in text
    words = "\n".join(str(tree) for tree in story(trace, reveal=True))
    assert "张测试" not in words
    assert "999901199001011232" not in words
    assert all(entry.data.hidden for entry in trace.entries if isinstance(entry, Write))


def test_masking_keeps_lengths_headers_and_status_words(session):
    hidden = masked_trace(session)
    assert hidden.header.masked
    pairs = list(zip(session.apdus, hidden.apdus, strict=True))
    for before, after in pairs:
        assert len(before.command) == len(after.command)
        assert after.command.data[:5] == before.command.data[:5]
        assert after.response.data[-2:] == before.response.data[-2:]
        assert set(after.response.differences(before.response.data)) == set()
    assert any(after.response.hidden for _, after in pairs)
    assert any(after.command.hidden for _, after in pairs)


def test_a_record_that_no_table_knows_is_masked_whole():
    select = Apdu(Octets(SELECT_SSSE), Octets(b"\x90\x00"))
    odd = Apdu(Octets(bytes.fromhex("00B201FC00")), Octets(bytes.fromhex("C703AABBCC9000")))
    hidden = masked_trace(Trace(Header("port", masked=False), (Power("on"), select, odd)))
    assert str(hidden.apdus[1].response) == "**********9000"


def test_bytes_that_are_no_command_are_masked_after_the_header():
    failure = Failure(Octets(bytes.fromhex("00200000FF123456")), "PowerLoss", "gone")
    hidden = masked_trace(Trace(Header("port", masked=False), (failure,)))
    assert str(hidden.entries[0].command) == "00200000********"


# --- recorders --------------------------------------------------------------------------------


def test_a_port_and_a_slot_record_the_same_exchange():
    at_port, at_slot = Recorder("port", show_secrets=True), Recorder("slot", show_secrets=True)
    slot = RecordedSlot(PoweredSlot(sample_card()), at_slot)
    desk = RecordedPort(MemoryPort(slot), at_port)
    desk.transmit(SELECT_SSSE)
    desk.reset()
    desk.transmit(VERIFY)
    desk.close()
    assert at_port.trace.apdus == at_slot.trace.apdus
    changes = [entry.change for entry in at_slot.trace.entries if isinstance(entry, Power)]
    assert changes == ["on", "reset", "off"]
    assert at_slot.trace.apdus[0].command.data == SELECT_SSSE


def test_a_command_that_was_torn_is_a_failure_and_its_recovery_is_told():
    card = sample_card()
    recorder = Recorder("card", show_secrets=True)
    with CardRecorder(card, recorder):
        live = card.power_on()
        live.transmit(SELECT_SSSE)
        with card.eeprom.recording() as operations:
            live.transmit(VERIFY)
        at = sum(1 for _ in operations)
        live = card.power_on()
        live.transmit(SELECT_SSSE)
        wrong = bytes.fromhex("0020000003000000")
        card.eeprom.arm(Tear(3, Phase.AFTER))
        with pytest.raises(PowerLoss):
            live.transmit(wrong)
        card.power_on()
    assert at
    entries = recorder.trace.entries
    [failure] = [entry for entry in entries if isinstance(entry, Failure)]
    assert failure.command.data == wrong
    assert any(isinstance(entry, Recovery) for entry in entries)
    assert [entry.change for entry in entries if isinstance(entry, Power)].count("on") == 3


def test_recording_changes_nothing_about_the_card():
    watched, alone = sample_card(), sample_card()
    recorded(watched, visit, pay)
    for sitting in (visit, pay):
        with port(alone) as at:
            sitting(at)
    assert watched.image == alone.image
    assert watched.env == alone.env


def test_a_recorder_of_a_closed_context_hears_nothing_more(session):
    card = sample_card()
    recorder = Recorder("card")
    with CardRecorder(card, recorder):
        card.power_on()
    count = len(recorder.trace.entries)
    card.power_on().transmit(SELECT_SSSE)
    assert len(recorder.trace.entries) == count


# --- in words ---------------------------------------------------------------------------------


def told(session, **options):
    return "\n".join(str(tree) for tree in story(session, **options))


def test_a_payment_is_told_with_its_data_elements(session):
    words = told(session, reveal=True)
    for expected in (
        "9F02 amount, authorised: 12345",
        "95 terminal verification results",
        "online PIN entered",
        "CID: ARQC, online requested",
        "first GENERATE AC: ARQC",
        "rule 1: online PIN",
        "姓名 name: 张测试",
        "transaction: of SSSE",
    ):
        assert expected in words, expected
    assert "EEPROM program" in words
    assert "EEPROM program" not in told(session, details=False)


def test_secrets_are_left_out_unless_asked_for(session):
    assert "张测试" not in told(session)


KEYS = (demo_vault(), demo_vault(party=Party.BANK))


def test_cryptograms_are_verified_with_keys(session):
    words = told(session, keys=KEYS, details=False)
    assert words.count("cryptogram verified: right") == 6
    assert words.count("ARPC verified: right under MDK-AC@PSE.DF01") == 1
    assert "right under IRK@SSSE" in words
    assert "WRONG" not in words


def test_a_changed_cryptogram_is_wrong(session):
    def changed(entry):
        data = entry.response.data
        if entry.command.data[1:2] == b"\xc0" and data[:3] == bytes.fromhex("801380"):
            return replace(entry, response=Octets(data[:6] + bytes((data[6] ^ 1,)) + data[7:]))
        return entry

    entries = tuple(changed(e) if isinstance(e, Apdu) else e for e in session.entries)
    words = told(Trace(session.header, entries), keys=KEYS, details=False)
    assert "cryptogram verified: WRONG under MDK-AC@PSE.DF01" in words


def test_what_cannot_be_verified_says_why(session):
    words = told(session, keys=(demo_vault(),), details=False)
    assert "cryptogram not verified: no keys of the bank were given" in words
    masked = told(masked_trace(session), keys=KEYS, details=False)
    assert "the PAN is not in the trace, or masked" in masked


def test_the_header_says_the_format(session):
    assert json.loads(dumps(session).splitlines()[0])["format"] == FORMAT == 1
