"""The pytest plugin, as the tests of somebody else's project see it."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# what is first imported inside pytester is forgotten after it, which Rust's modules do not survive
from sscard.testing.faults import altered, dies, garbled, mute, truncated
from sscard.testing.kit import Kit, Trace, Wanted, in_a_reader, unsuitable

pytest.importorskip("smartcard", reason="pyscard is not installed: make deps as root")
import sscard.transport.pcsc
import sscard.transport.pyscard_reader  # noqa: F401

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.requires("pyscard")

TALK = """
import pytest

SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
PIN = list(bytes.fromhex("0020000003123456"))
WRONG = list(bytes.fromhex("0020000003999999"))
NUMBER = list(bytes.fromhex("00B2072C00"))

def verify(reader, pin=PIN):
    connection = reader.createConnection()
    connection.connect()
    connection.transmit(SSSE)
    _, sw1, sw2 = connection.transmit(pin)
    connection.disconnect()
    return f"{sw1:02X}{sw2:02X}"
"""


@pytest.fixture
def project(pytester):
    """`project(body)`: a test file of another project; returns what runs pytest there."""

    def write(body):
        pytester.makepyfile(TALK + body)
        return lambda *words: pytester.runpytest("-p", "no:cacheprovider", *words)

    return write


def test_cards_in_states_by_marker_and_by_name(project):
    run = project("""
def test_the_sample_card(sscard_reader):
    assert verify(sscard_reader) == "9000"

@pytest.mark.sscard(profile="pin-blocked")
def test_a_state(sscard_reader):
    assert verify(sscard_reader) == "6983"

@pytest.mark.sscard(profile="v1", state="pin-blocked")
def test_a_state_of_a_profile(sscard_reader):
    assert verify(sscard_reader) == "6983"

@pytest.mark.sscard(profile="v2", overrides={"ssse.pin.tries_left": 2})
def test_a_value_of_ones_own(sscard_reader):
    assert verify(sscard_reader, WRONG) == "63C1"

@pytest.mark.sscard(link="t0")
def test_t0(sscard_card, sscard_reader):
    connection = sscard_reader.createConnection()
    connection.connect()
    assert connection.transmit(SSSE)[1:] == (0x61, 0x18)

def ppse(reader):
    connection = reader.createConnection()
    connection.connect()
    return connection.transmit(list(bytes.fromhex("00A404000E325041592E5359532E444446303100")))[1:]

@pytest.mark.sscard(profile="pboc-contactless", interface="contactless")
def test_through_the_air(sscard_reader):
    assert ppse(sscard_reader) == (0x90, 0x00)

@pytest.mark.sscard(profile="pboc-contactless")
def test_by_contacts(sscard_reader):
    assert ppse(sscard_reader) == (0x6A, 0x82)

def test_cards_are_put_in_and_taken_out(sscard_reader, sscard_profile):
    sscard_reader.swap(sscard_profile("pin-blocked"))
    assert verify(sscard_reader) == "6983"
    sscard_reader.swap(sscard_profile("v2", **{"ssse.pin.tries_left": 2}))
    assert verify(sscard_reader, WRONG) == "63C1"

def test_one_test_leaves_nothing_to_the_next(sscard_reader):
    assert verify(sscard_reader, WRONG) == "63C5"

def test_it_is_a_new_card(sscard_reader):
    assert verify(sscard_reader, WRONG) == "63C5"

class TestAll:
    pytestmark = pytest.mark.sscard(profile="v1", link="t0")

    @pytest.mark.sscard(profile="pin-blocked")
    def test_the_closest_marker_has_the_last_word(self, sscard_reader):
        connection = sscard_reader.createConnection()
        connection.connect()
        assert connection.transmit(SSSE)[1:] == (0x61, 0x18)
        assert connection.transmit(PIN)[1:] == (0x69, 0x83)

def test_readers_lists_it_alone(sscard_reader):
    from smartcard.System import readers
    assert readers() == [sscard_reader]
""")
    run().assert_outcomes(passed=12)


def test_a_failure_shows_the_trace_in_words_and_no_pin(project, pytester):
    run = project("""
def test_fails(sscard_reader):
    assert verify(sscard_reader, WRONG) == "9000"
""")
    result = run("--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*sscard: APDU trace*", "1. SELECT*", "*2. VERIFY*", "*63C5*"])
    result.stdout.no_fnmatch_line("*0020000003*")
    text = ET.parse(pytester.path / "junit.xml").find(".//failure").text
    assert "2. VERIFY" in text
    assert "0020000003" not in text


PASSES = """
def test_passes(sscard_reader):
    assert verify(sscard_reader) == "9000"
"""


@pytest.mark.parametrize("word", ["-rP", "-rA"])
def test_a_test_that_passed_shows_its_trace_when_asked(project, word):
    result = project(PASSES)(word)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*= PASSES =*", "*sscard: APDU trace*", "1. SELECT*", "2. VERIFY*"]
    )
    result.stdout.no_fnmatch_line("*0020000003*")
    assert str(result.stdout).count("2. VERIFY") == 1, "once, not at setup and teardown too"


@pytest.mark.parametrize("words", [(), ("-ra",)])
def test_a_test_that_passed_is_silent_otherwise(project, words):
    project(PASSES)(*words).stdout.no_fnmatch_line("*APDU trace*")


@pytest.mark.parametrize(
    "apdu", ["002000000312345678", "0020000008123456", "0020000002123456", "00200000123456"]
)
def test_a_pin_with_a_wrong_length_is_masked_too(apdu):
    kit, seen = Kit(), Trace()
    port = kit.port()
    port.power_on()
    seen.note(bytes.fromhex(apdu), port.transmit(bytes.fromhex(apdu)))
    for text in (str(kit.trace), str(seen)):
        assert "not shown" in text
        assert not any(digits in text for digits in ("1234", "3456", "5678", "[56]", "86 bytes"))


NAME = bytes.fromhex("D5C5B2E2CAD4")
TRACK_2 = bytes.fromhex("6210950000000000017D")


@pytest.mark.parametrize(
    "fault",
    [
        truncated(13, 3),
        garbled(3),
        garbled(3, mask=b"\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
        altered(slice(0, 1), b"\x77", 3),
        altered(slice(1, 2), b"\x05", 3),
        altered("SW", b"\x6a\x88", 3),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("name", "read", "secret"),
    [
        ("7378312E73682EC9E7BBE1B1A3D5CF", "00B2023400", NAME),
        ("A000000333010101", "00B2010C00", TRACK_2),
    ],
)
def test_a_broken_answer_is_as_secret_as_the_whole_one(fault, name, read, secret):
    """Bytes that no table knows any more were shown as they came."""
    kit = Kit(Wanted(faults=[fault]))
    port = kit.port()
    port.power_on()
    port.transmit(bytes((0, 0xA4, 4, 0, len(name) // 2)) + bytes.fromhex(name))
    port.transmit(bytes.fromhex("0020000003123456"))
    arrived = port.transmit(bytes.fromhex(read))
    shown, whole = str(kit.trace), kit.trace.explained(reveal=True)
    assert "what arrived instead:\n" in shown
    for text in (arrived.hex().upper()[:12], secret.hex().upper()[:6]):
        assert text not in shown
        assert text in whole
    assert ("6A88" in shown) == (str(fault) == "SW altered")


def test_the_trace_to_look_at(project):
    project("""
def test_it(sscard_reader, sscard_trace):
    verify(sscard_reader)
    assert [e.command[1] for e in sscard_trace.exchanges] == [0xA4, 0x20]
    assert sscard_trace.exchanges[1].answer == bytes.fromhex("9000")
    assert sscard_trace.explained().startswith("-- power-on --\\n1. SELECT")
    assert "123456" not in str(sscard_trace) + repr(sscard_trace.exchanges)
    assert "123456" in sscard_trace.explained(reveal=True)
    assert sscard_trace.explained(last=1).splitlines()[0] == "(1 earlier exchanges are not shown)"
    sscard_trace.clear()
    assert not sscard_trace

def test_a_card_without_a_reader(sscard_card, sscard_trace):
    sscard_card.power_on().transmit(bytes(SSSE))
    assert len(sscard_trace) == 1
""")().assert_outcomes(passed=2)


def test_faults_by_marker_are_in_the_trace_as_they_arrived(project):
    result = project("""
from sscard.testing import faults

@pytest.mark.sscard(faults=(faults.altered("SW", bytes.fromhex("6985"), when=2),))
def test_fails(sscard_reader):
    assert verify(sscard_reader) == "9000"

@pytest.mark.sscard(faults=(faults.mute(after=1),))
def test_mute(sscard_reader, sscard_trace):
    from smartcard.Exceptions import CardConnectionException
    with pytest.raises(CardConnectionException):
        verify(sscard_reader)
    assert "no answer: the card is mute" in str(sscard_trace)
""")()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["2. VERIFY*", "*9000*", "*what arrived instead:*", "*6985*"])


def test_a_marker_that_says_nothing_known(project):
    result = project("""
@pytest.mark.sscard(profil="v1")
def test_slip(sscard_card):
    pass

@pytest.mark.sscard("v1")
def test_position(sscard_card):
    pass

@pytest.mark.sscard(profile="nobody")
def test_unknown(sscard_card):
    pass

@pytest.mark.sscard(profile="nobody")
def test_unknown_in_a_reader(sscard_reader):
    pass

@pytest.mark.sscard(state="tired")
def test_state(sscard_card):
    pass

@pytest.mark.sscard(link="t1")
def test_link(sscard_card):
    pass

@pytest.mark.sscard(interface="air")
def test_interface(sscard_card):
    pass

@pytest.mark.sscard(faults=print)
def test_faults(sscard_card):
    pass

@pytest.mark.sscard(overrides=[1])
def test_overrides(sscard_card):
    pass

@pytest.mark.sscard(overrides={"ssse.pin.tries": 1})
def test_value(sscard_card):
    pass

@pytest.mark.sscard(profile=None)
def test_no_name(sscard_card):
    pass

@pytest.mark.sscard(overrides={"ssse.pin": {"tries": 1}})
def test_values_in_a_table(sscard_card):
    pass

@pytest.mark.sscard(interface="contactless")
def test_no_such_interface(sscard_reader):
    pass
""")()
    result.assert_outcomes(errors=13)
    result.stdout.no_fnmatch_line("*During handling*")
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.sscard takes profile, state, overrides, *; not profil",
            "*keywords only*",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.sscard: there is no profile nobody; there are: *sample, v1*",
            "profile may also be one of the states pin-blocked, *",
            "@pytest.mark.sscard: there is no profile nobody*",
            "@pytest.mark.sscard: state is one of pin-blocked, *; not 'tired'",
            "@pytest.mark.sscard: link is one of apdu, t0; not 't1'",
            "@pytest.mark.sscard: interface is one of contact, contactless; not 'air'",
            "@pytest.mark.sscard: faults is a list of faults of sscard.testing.faults, not *",
            "@pytest.mark.sscard: overrides is a dictionary of the profile's values, not [[]1]",
            "@pytest.mark.sscard: ssse.pin.tries is not known; there are: *",
            "@pytest.mark.sscard: profile is the name of a profile or a state, not None",
            "@pytest.mark.sscard: ssse.pin.tries is not known; there are: *",
            "@pytest.mark.sscard: interface='contactless': the card has no contactless interface*",
        ]
    )


def test_values_may_be_tables_and_lists_and_a_psam_is_a_card_too(project):
    project("""
@pytest.mark.sscard(profile="v2", overrides={"ssse.key.UK.factors": ["card"], "ssse.pin": {"tries_left": 2}})
def test_tables(sscard_reader):
    assert verify(sscard_reader, WRONG) == "63C1"

def test_a_state_of_another_profile(sscard_reader, sscard_profile):
    sscard_reader.swap(sscard_profile("v1", state="pin-blocked"))
    assert verify(sscard_reader) == "6983"

def test_equal_is_not_the_same(sscard_profile):
    sscard_profile("v2", **{"ssse.pin.tries_left": 1})
    with pytest.raises(Exception, match="must be a whole number"):
        sscard_profile("v2", **{"ssse.pin.tries_left": True})

@pytest.mark.sscard(profile="psam")
def test_psam(sscard_card):
    assert "PSAM" in sscard_card.power_on().kernel.current.applet.name
""")().assert_outcomes(passed=4)


def test_cards_put_in_later_answer_through_the_same_interface(project):
    project("""
from sscard.testing.state import state

@pytest.mark.sscard(profile="pboc-contactless", interface="contactless")
def test_by_air(sscard_reader, sscard_profile):
    card = sscard_profile("pboc-contactless")
    sscard_reader.swap(card)
    connection = sscard_reader.createConnection()
    connection.connect()
    assert state(card.activation).contactless
""")().assert_outcomes(passed=1)


def test_the_trace_of_a_test_judged_by_the_monitors(project):
    """Right until the card counts no tries; a command without answer is no answer."""
    result = project("""
from sscard.testing import faults
from sscard.testing.monitors import monitors, watch

@pytest.fixture(autouse=True)
def _nothing_forbidden(sscard_trace):
    yield
    assert watch(sscard_trace.entries(), monitors()) == []

def test_sound(sscard_reader):
    assert verify(sscard_reader, WRONG) == "63C5"
    assert verify(sscard_reader) == "9000"
    assert verify(sscard_reader, WRONG) == "63C5"

@pytest.mark.sscard(faults=[faults.truncated(0, when=3)])
def test_unanswered(sscard_reader):
    verify(sscard_reader, WRONG)
    with pytest.raises(Exception):
        verify(sscard_reader, WRONG)

@pytest.mark.sscard(faults=[faults.altered("SW", bytes.fromhex("63C5"), when=lambda apdu: apdu[1] == 0x20)])
def test_no_try_is_spent(sscard_reader):
    for _ in range(2):
        verify(sscard_reader, WRONG)
""")()
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*5 tries are left after a wrong PIN, of 5*"])


def test_the_trace_tells_when_a_card_was_powered_on_and_reset(project):
    result = project("""
def test_two(sscard_reader, sscard_profile, sscard_trace):
    connection = sscard_reader.createConnection()
    connection.connect()
    connection.transmit(SSSE)
    connection.transmit(SSSE)
    connection.reconnect()
    connection.transmit(SSSE)
    sscard_reader.swap(sscard_profile("v1"))
    assert verify(sscard_reader) == "9000"
    after = [exchange.after for exchange in sscard_trace.exchanges]
    assert after == ["power-on", "", "reset", "power-on", ""]
    assert False
""")()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["-- power-on --", "1. *", "2. *", "-- reset --", "3. *", "-- power-on --", "4. *", "5. *"]
    )


def test_all_kinds_of_tests(project):
    """Classes of unittest, parameters, coroutines, fixtures of the project's own."""
    result = project("""
import asyncio, unittest

pytestmark = pytest.mark.sscard(profile="pin-blocked")

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _bench(self, sscard_reader, sscard_trace):
        self.reader, self.trace = sscard_reader, sscard_trace

    def test_of_the_module_s_marker(self):
        self.assertEqual(verify(self.reader), "6983")

    @pytest.mark.sscard(profile="sample")
    def test_of_its_own(self):
        self.assertEqual(verify(self.reader), "9000")

    def test_that_fails(self):
        self.assertEqual(verify(self.reader, WRONG), "9000")

@pytest.mark.parametrize("state", [
    pytest.param("6983"),
    pytest.param("9000", marks=pytest.mark.sscard(profile="sample")),
])
def test_a_marker_a_parameter(sscard_reader, state):
    assert verify(sscard_reader) == state

def test_from_a_coroutine(sscard_reader):
    async def both():
        return await asyncio.gather(*[asyncio.to_thread(verify, sscard_reader)])
    assert asyncio.run(both()) == ["6983"]

@pytest.fixture
def opened(sscard_reader):
    assert verify(sscard_reader) == "9000", "the setup fails"

def test_whose_setup_fails(opened):
    pass
""")()
    result.assert_outcomes(passed=5, failed=1, errors=1)
    for title in ("*ERROR at setup of test_whose_setup_fails*", "*_ Case.test_that_fails _*"):
        result.stdout.fnmatch_lines([title, "*sscard: APDU trace*", "2. VERIFY*", "*6983*"])


def test_a_faulty_card_put_in_later_is_traced_as_it_arrived(project):
    result = project("""
from sscard.testing import faults

def test_fails(sscard_reader, sscard_profile):
    fault = faults.altered("SW", bytes.fromhex("6985"), when=2)
    sscard_reader.swap(faults.faulty(sscard_profile("sample"), fault))
    assert verify(sscard_reader) == "9000"
""")()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["2. VERIFY*", "*9000*", "*what arrived instead:*", "*6985*"])
    assert str(result.stdout).count("2. VERIFY") == 1


NO_PYSCARD = """
import sys
for name in [name for name in sys.modules if name.split(".")[0] == "smartcard"]:
    del sys.modules[name]
sys.modules["smartcard"] = None
"""


def test_without_pyscard_its_tests_are_skipped_with_the_reason(pytester):
    """A named reader was asked for, so there it is an error."""
    pytester.makeconftest(NO_PYSCARD)
    pytester.makepyfile("def test_it(sscard_reader): pass\ndef test_card(sscard_card): pass\n")
    reason = "pyscard is needed: pip install 'sscard[[]pcsc]'*"
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--sscard-reader", "x")
    result.assert_outcomes(skipped=1, errors=1)
    result.stdout.fnmatch_lines([f"*{reason}"])


def test_a_run_without_the_plugin(pytester):
    pytester.makepyfile("def test_plain(): pass\n")
    words = ("-p", "no:cacheprovider", "-p", "no:sscard")
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess(*words, "--sscard-reader", "x")
    result.stderr.fnmatch_lines(["*unrecognized arguments: --sscard-reader*"])


SUITE = """
def test_right(sscard_reader):
    assert verify(sscard_reader) == "9000"

@pytest.mark.sscard(profile="pin-blocked")
def test_blocked(sscard_reader):
    assert verify(sscard_reader) == "6983"

def test_inside(sscard_card):
    assert sscard_card.atr

def test_other(sscard_profile):
    sscard_profile("v1")

@pytest.mark.sscard(overrides={"ssse.pin.tries_left": 3})
def test_values(sscard_reader):
    pass

def test_wrong(sscard_reader):
    assert verify(sscard_reader, WRONG) == "9000"
"""


def test_the_same_suite_against_a_reader_by_its_name(project):
    from sscard.sample import sample_card
    from sscard.states import card_in_state
    from sscard.transport.pyscard_reader import VirtualReader, installed

    run = project(SUITE)
    sample = VirtualReader("Bench 1", sample_card(), link="t0")
    blocked = VirtualReader("Bench 2", card_in_state("pin-blocked"))
    with installed(sample, blocked, alone=True):
        result = run("--sscard-reader", "Bench 1", "-rs")
        result.assert_outcomes(passed=1, skipped=4, failed=1)
        result.stdout.fnmatch_lines(["1. SELECT*", "2. VERIFY*", "*INS: VERIFY in SSSE*", "*63C5*"])
        result.stdout.fnmatch_lines_random(
            [
                "SKIPPED*the test is about a card 'pin-blocked', in the reader is 'sample'",
                "SKIPPED*sscard_card is an emulated card: not available with --sscard-reader",
                "SKIPPED*the card in the reader has no values of the test's own: ssse.pin.tries_left",
            ]
        )
        result.stdout.no_fnmatch_line("*0020000003*")
        result = run("--sscard-reader", "Bench 2", "--sscard-reader-card", "pin-blocked")
        result.assert_outcomes(passed=1, skipped=5)
        result = run("--sscard-reader", "Bench 3", "-k", "right")
        result.assert_outcomes(errors=1)
        result.stdout.no_fnmatch_line("*exception*")
        result.stdout.fnmatch_lines(["*'Bench 3' is no reader; there are: Bench 1, Bench 2*"])


def test_a_command_a_real_reader_got_no_answer_to_is_in_the_report(project):
    from sscard.sample import sample_card
    from sscard.testing.faults import faulty, removed
    from sscard.transport.pyscard_reader import VirtualReader, installed

    run = project("""
def test_pulled(sscard_reader):
    verify(sscard_reader)
""")
    with installed(VirtualReader("Bench 1", faulty(sample_card(), removed(2))), alone=True):
        result = run("--sscard-reader", "Bench 1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["2. VERIFY*", "*PIN: 3 bytes, not shown*", "*no answer: *"])
    result.stdout.no_fnmatch_line("*0020000003*")


def test_the_card_in_a_real_reader_is_not_moved_by_a_test(project):
    from sscard.sample import sample_card
    from sscard.transport.pyscard_reader import VirtualReader, installed

    run = project("""
def test_moves(sscard_reader):
    sscard_reader.remove()
""")
    with installed(VirtualReader("Bench 1", sample_card()), alone=True):
        result = run("--sscard-reader", "Bench 1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*TransportError: Bench 1: the card in a real reader is moved by*"]
    )


def test_a_program_that_takes_the_first_reader_takes_the_one_named(project):
    from smartcard.System import readers

    from sscard.sample import sample_card
    from sscard.states import card_in_state
    from sscard.transport.pyscard_reader import VirtualReader, installed

    run = project("""
from smartcard.System import readers

def test_unchanged_code(sscard_reader, sscard_trace):
    assert [str(reader) for reader in readers()] == ["Bench 2"]
    assert verify(readers()[0]) == "6983"
    assert [e.command[1] for e in sscard_trace.exchanges] == [0xA4, 0x20]
    connection = readers()[0].createConnection()
    connection.connect()
    assert connection.transmit(PIN)[1:] != (0x69, 0x83), "the SSSE is not current any more"
    assert [e.after for e in sscard_trace.exchanges] == ["connect", "", "connect"]
    assert str(sscard_trace).count("-- connect --") == 2
""")
    sample = VirtualReader("Bench 1", sample_card())
    blocked = VirtualReader("Bench 2", card_in_state("pin-blocked"))
    with installed(sample, blocked, alone=True):
        run("--sscard-reader", "Bench 2").assert_outcomes(passed=1)
        assert [str(reader) for reader in readers()] == ["Bench 1", "Bench 2"], "all are back"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({}, ""),
        ({"profile": "sample"}, ""),
        ({"link": "t0"}, ""),
        ({"profile": "v1"}, "'v1', in the reader is 'sample'"),
        ({"state": "expired"}, "'expired', in the reader is 'sample'"),
        ({"faults": (mute(), dies(3))}, "mute after 0 commands, dead after 3 commands"),
        ({"overrides": {"ssse.pin.tries_left": 2}}, "ssse.pin.tries_left"),
    ],
)
def test_what_the_card_in_a_reader_cannot_serve(words, reason):
    told = unsuitable(Wanted(**words), in_a_reader("sample"))
    assert told == reason if not reason else reason in told


@pytest.mark.parametrize("said", ["expired", "sample expired"])
def test_one_card_in_a_reader_however_it_is_called(said):
    for words in ({"profile": "expired"}, {"state": "expired"}):
        assert unsuitable(Wanted(**words), in_a_reader(said)) == ""
    assert unsuitable(Wanted(profile="v1", state="expired"), in_a_reader("v1 expired")) == ""
    assert unsuitable(Wanted(profile="v1"), in_a_reader("v1 expired")).startswith("the test is")


def test_a_slip_in_the_name_of_the_card_in_a_reader_skips_nothing_silently(project):
    """Every test would be skipped otherwise, and the run be green."""
    run = project("def test_it(sscard_reader): pass\n")
    result = run("--sscard-reader", "Bench", "--sscard-reader-card", "nobody")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --sscard-reader-card: there is no profile nobody; there are: *",
            "profile may also be one of the states pin-blocked, *",
        ]
    )


def test_workers_of_xdist_do_not_meet(project):
    result = project(SUITE)("-n", "2")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*sscard: APDU trace*"])


def test_without_its_fixtures_the_plugin_imports_nothing_of_the_card(pytester):
    pytester.makepyfile("""
import sys

def test_light():
    assert "sscard.testing.plugin" in sys.modules
    loaded = {n for n in sys.modules if n.startswith("sscard.")} - {"sscard.testing"}
    assert loaded == {"sscard.testing.plugin"}
    assert "smartcard" not in sys.modules and "cryptography" not in sys.modules
""")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_tests_of_the_page_pass(pytester):
    """The page's blocks are one test file; what needs pcscd is run in tests/interop."""
    pytester.makepyfile(page_blocks())
    result = pytester.runpytest("-p", "no:cacheprovider", "-k", "not opensc")
    result.assert_outcomes(passed=11, deselected=1)


def page_blocks():
    page = Path(__file__).parents[2] / "docs/testing-your-terminal.md"
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
