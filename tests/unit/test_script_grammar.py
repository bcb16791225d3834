"""The APDU-script grammar (docs/apdu-script.md), its text again, and its runner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.errors import ScriptError
from sscard.testing.runner import Rig, check, run
from sscard.testing.script import (
    Apdu,
    CardLine,
    Comment,
    EepromLine,
    Exit,
    Expect,
    RandomLine,
    Reset,
    Script,
    parse,
    render,
)

STYLE = """\
# tests/spec/ssse/verify.apdu     ref: ssse-lb002 3.7, cos 1.3 (T2)
card    v2 pin.tries_left=2
SELECT  SSSE           00A404000F 7378312E73682EC9E7BBE1B1A3D5CF  -> 9000
VERIFY  wrong PIN      0020000003 999999                          -> 63C1
VERIFY  wrong PIN      0020000003 999999                          -> 63C0
VERIFY  right, blocked 0020000003 123456                          -> 6983
eeprom  pin.tries_left == 0
"""

SCRIPTOR = """\
# reset the card
reset

# Select MF 3F00
A0 A4 00 00 02 3F 00
A0C0000017
A0 20 00 01 08 31 32 33 34 \\
FF FF FF FF
exit
this is not read
"""


def apdu(text):
    (line,) = parse(text).lines
    assert isinstance(line, Apdu)
    return line


# ---- reading ---------------------------------------------------------------------------------


def test_the_layout_of_the_style_guide():
    lines = parse(STYLE).lines
    assert lines[0] == Comment(
        comment="tests/spec/ssse/verify.apdu     ref: ssse-lb002 3.7, cos 1.3 (T2)"
    )
    assert lines[1] == CardLine("v2", (("pin.tries_left", "2"),))
    name = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
    assert lines[2] == Apdu("SELECT SSSE", b"\x00\xa4\x04\x00\x0f" + name, Expect(("9000",)))
    assert lines[5] == Apdu(
        "VERIFY right, blocked", bytes.fromhex("0020000003123456"), Expect(("6983",))
    )
    assert lines[6] == EepromLine("pin.tries_left", "==", "0")
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6, 7]


def test_scriptor_files_are_scripts():
    lines = parse(SCRIPTOR).lines
    assert lines == (
        Comment(comment="reset the card"),
        Reset(),
        Comment(),
        Comment(comment="Select MF 3F00"),
        Apdu("", bytes.fromhex("A0A40000023F00")),
        Apdu("", bytes.fromhex("A0C0000017")),
        Apdu("", bytes.fromhex("A02000010831323334FFFFFFFF")),
        Exit(),
    )
    assert lines[-1].number == 9


@pytest.mark.parametrize("mark", ["#", "//", ";"])
def test_comments(mark):
    assert parse(f"{mark} text").lines == (Comment(comment="text"),)
    line = apdu(f"00B2012C00 -> 9000  {mark} why")
    assert (line.expect, line.comment) == (Expect(("9000",)), "why")


@pytest.mark.parametrize(
    ("text", "name", "command"),
    [
        ("00B2012C00", "", "00B2012C00"),
        ("00 b2 01 2c 00", "", "00B2012C00"),
        ("00", "", "00"),
        ("READ RECORD 00B2012C00", "READ RECORD", "00B2012C00"),
        ("READ RECORD\t00 B2 01 2C 00", "READ RECORD", "00B2012C00"),
        ("SELECT MF  00 A4 00 00 02 3F 00", "SELECT MF", "00A40000023F00"),
        ("tag 05  00B2052800", "tag 05", "00B2052800"),
        ("tag 05: 00B2052800", "tag 05", "00B2052800"),
        ("FACE: 00 B2 05 28 00", "FACE", "00B2052800"),
        ("three bytes: 00 B2 01", "three bytes", "00B201"),
        ("no bytes missing:00B2", "no bytes missing", "00B2"),
    ],
)
def test_names_and_commands(text, name, command):
    line = apdu(text)
    assert (line.name, line.command.hex().upper()) == (name, command)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "'hello' has no command"),
        ("00B", "'00B' has no command"),
        ("VERIFY -> 9000", "'VERIFY' has no command"),
        ("tag 05 00B2052800", "where does the name end"),
        ("00A4 0 00B2052800", "where does the name end"),
        ("READ 00B2", "where does the name end"),
        ("READ tag 05 00 B2 05 28 00", "where does the name end"),
        ("a: 0G", "has no command"),
        ("00B2012C00 ->", "an expectation is"),
        ("00B2012C00 -> 90", "not a status word"),
        ("00B2012C00 -> 0 9000", "half a byte"),
        ("00B2012C00 -> zz 9000", "expected hex digits"),
        ("card", "write `card PROFILE"),
        ("card v2 colour", "'colour' is not of the form key=value"),
        ("random", "write `random HEX"),
        ("random 123", "write `random HEX"),
        ("eeprom pin.tries_left", "write `eeprom PATH"),
        ("eeprom a = 1", "write `eeprom PATH"),
    ],
)
def test_errors_have_their_place(text, message):
    with pytest.raises(ScriptError, match=f"^verify.apdu:2: .*{message}"):
        parse(f"# title\n{text}\n", "verify.apdu")


@pytest.mark.parametrize(
    ("text", "response", "fits"),
    [
        ("9000", "9000", True),
        ("9000", "05049000", True),
        ("9000", "6982", False),
        ("63C?", "63C5", True),
        ("63cx", "63CF", True),
        ("63C?", "6300", False),
        ("9000|61??", "6118", True),
        ("0504 9000", "05049000", True),
        ("0504 9000", "050420249000", False),
        ("05049000", "05049000", True),
        ("0504... 9000", "0504202401159000", True),
        ("0504... 9000", "06049000", False),
        ("6F16 ... 880101 9000", "6F16840FA5038801019000", True),
        ("6F16...880101 9000", "6F16840FA50388010F9000", False),
        ("- 9000", "9000", True),
        ("- 9000", "009000", False),
        ("data 9000", "009000", True),
        ("data 9000", "9000", False),
        ("... 9000", "9000", True),
        ("0?04 9000", "07049000", True),
        ("...", "6F00", True),
        ("... 6?..", None, False),
    ],
)
def test_expectations(text, response, fits):
    if response is None:
        with pytest.raises(ScriptError):
            apdu(f"00B2012C00 -> {text}")
        return
    expect = apdu(f"00B2012C00 -> {text}").expect
    assert expect.matches(bytes.fromhex(response)) is fits
    assert apdu(f"00B2012C00 -> {expect}").expect == expect


# ---- and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [STYLE, SCRIPTOR, "tag 05: 00B2052800\nX 0000000000 -> ...\n"])
def test_render_gives_the_script_back(text):
    script = parse(text)
    assert parse(render(script)) == script


def test_a_command_of_no_bytes_is_written_as_a_dash():
    """What fuzzing shrinks to: without it a machine's script could not be read back."""
    text = "card v2\nnothing: -  -> 6700\n-  -> 6700\n00  -> 6700\n"
    script = parse(text)
    assert [(line.name, line.command) for line in script.lines[1:]] == [
        ("nothing", b""),
        ("", b""),
        ("", b"\0"),
    ]
    assert parse(render(script)) == script
    port = Fake({"": "6700", "00": "6700"})
    check(script, run(script, port))
    assert port.sent == ["", "", "00"]


def test_render_keeps_columns():
    assert render(parse("A  00B2012C00->9000\nLONGER:0020000003999999 -> 63C?")) == (
        "A       00B2012C00         -> 9000\nLONGER  0020000003 999999  -> 63C?\n"
    )


PATTERNS = st.text("0123456789ABCDEF?", max_size=8).filter(lambda s: len(s) % 2 == 0)
EXPECTS = st.builds(
    Expect,
    st.lists(st.text("0123456789ABCDEF?", min_size=4, max_size=4), min_size=1, max_size=2).map(
        tuple
    ),
    st.none() | st.lists(PATTERNS, min_size=1, max_size=3).map("*".join),
)
WORDS = st.lists(st.sampled_from(["SELECT", "tag", "05", "9", "PIN,", "BAD", "-"]), max_size=3)
COMMENTS = st.text("abc xyz", max_size=8).map(lambda text: " ".join(text.split()))
LINES = st.one_of(
    st.builds(
        Apdu,
        WORDS.map(" ".join),
        st.binary(max_size=20),
        st.none() | EXPECTS,
        comment=COMMENTS,
    ),
    st.builds(Comment, comment=COMMENTS),
    st.builds(Reset, st.none() | PATTERNS.filter(bool), comment=COMMENTS),
    st.builds(RandomLine, st.lists(st.binary(min_size=1), min_size=1).map(tuple), comment=COMMENTS),
    st.builds(
        CardLine, st.just("v2"), st.lists(st.tuples(st.just("a.b"), st.just("1"))).map(tuple)
    ),
    st.builds(EepromLine, st.just("pin"), st.sampled_from(["==", "<=", "<"]), st.just("0")),
)


@given(st.lists(LINES, max_size=6))
def test_every_script_comes_back_through_its_text(lines):
    script = Script(tuple(lines))
    assert parse(render(script)) == script


# ---- running -------------------------------------------------------------------------------------


class Fake:
    """A port that answers from a table and remembers what it was sent."""

    def __init__(self, answers=()):
        self.answers = dict(answers)
        self.sent = []

    def transmit(self, apdu):
        self.sent.append(apdu.hex().upper())
        return bytes.fromhex(self.answers.get(self.sent[-1], "9000"))

    def reset(self):
        self.sent.append("reset")
        return bytes.fromhex("3B6D0000")


def test_a_script_runs_to_its_end_and_reports_every_line():
    port = Fake({"00B2012C00": "6982"})
    script = parse("reset -> 3B...\nread 00B2012C00 -> 9000\nread 00B2012C00 -> 6982\n", "t.apdu")
    outcomes = run(script, port)
    assert [outcome.passed for outcome in outcomes] == [True, False, True]
    assert port.sent == ["reset", "00B2012C00", "00B2012C00"]
    with pytest.raises(ScriptError, match=r"^t.apdu:2: got 6982 \(the security status"):
        check(script, outcomes)
    check(script, outcomes[2:])


def test_a_wrong_answer_to_reset_fails():
    assert not run(parse("reset -> 3B00"), Fake())[0].passed


def test_answers_of_a_t0_reader_are_followed():
    port = Fake({"00A40000023F00": "6104", "00C0000004": "6F0284009000", "00B2012C00": "6C02"})
    port.answers["00B2012C02"] = "05049000"
    script = parse("00A40000023F00 -> 6F... 9000\n00B2012C00 -> 0504 9000\n")
    assert all(outcome.passed for outcome in run(script, port))


def test_a_script_may_expect_the_forms_of_t0_itself():
    port = Fake({"00A40000023F00": "6104"})
    assert run(parse("00A40000023F00 -> 61??\n00A40000023F00"), port)[0].passed
    assert port.sent == ["00A40000023F00"] * 2


def test_cards_random_numbers_and_assertions():
    made = []

    def make_card(profile, settings):
        made.append((profile, settings))
        store = {"pin.tries_left": 2, "ssse.name": "sx", "uuid": b"\1\2", "blocked": False}
        return Rig(Fake(), store.__getitem__, made.append)

    script = parse(
        "card v2 pin.tries_left=2\nrandom 1122334455667788 21222324\n0084000008\n"
        "eeprom pin.tries_left == 2\neeprom pin.tries_left < 0x02\neeprom ssse.name != sy\n"
        "eeprom uuid == 0102\neeprom blocked == false\n"
    )
    outcomes = run(script, make_card=make_card)
    assert made == [
        ("v2", {"pin.tries_left": "2"}),
        bytes.fromhex("1122334455667788"),
        bytes.fromhex("21222324"),
    ]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    assert [outcome.message for outcome in failed] == ["pin.tries_left is 2"]


def test_a_card_line_is_skipped_on_a_card_at_hand():
    (outcome,) = run(parse("card v2"), Fake())
    assert outcome.passed
    assert outcome.skipped


@pytest.mark.parametrize(
    ("text", "rig", "message"),
    [
        ("00B2012C00", None, "no card yet"),
        ("random 11", Fake(), "random numbers are its own"),
        ("eeprom a == 1", Fake(), "cannot be looked into"),
        ("eeprom a == x", Rig(Fake(), lambda path: 1), "cannot be compared with 1"),
    ],
)
def test_lines_that_cannot_be_run_here(text, rig, message):
    with pytest.raises(ScriptError, match=f":1: .*{message}"):
        run(parse(text), rig)
