"""The terminal's APDU stack: each layer alone, over a line that is told what to answer."""

import pytest

from sscard.errors import TransportError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.terminal import ApduError, Blocked, LePolicy, WrongPin, channel
from sscard.terminal.stack import CaseFourLe, GetResponse, Reply, RightLe, Traced, Wire

READ = Command(0x00, 0xB2, 0x01, 0x2C, le=256)
SELECT = Command(0x00, 0xA4, 0x00, 0x00, b"\xdf\x01", 256)
VERIFY = Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56")


class Line:
    """Answers with the given responses, one after another, and keeps what it was sent."""

    def __init__(self, *answers):
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.sent = []

    def transmit(self, apdu):
        self.sent.append(apdu.hex().upper())
        return self.answers.pop(0)


def test_wire_splits_data_and_status_word():
    line = Line("01029000")
    assert Wire(line).send(READ) == Reply(b"\x01\x02", SW.OK)
    assert line.sent == ["00B2012C00"]


@pytest.mark.parametrize("answer", ["", "90"])
def test_wire_wants_a_status_word(answer):
    with pytest.raises(TransportError, match="no status word"):
        Wire(Line(answer)).send(READ)


def test_pcsc_t0_a_wrong_le_is_repeated_once():
    line = Line("6C12", "AA" * 18 + "9000")
    assert RightLe(Wire(line)).send(READ) == Reply(b"\xaa" * 18, SW.OK)
    assert line.sent == ["00B2012C00", "00B2012C12"]
    stubborn = Line("6C12", "6C12")
    assert RightLe(Wire(stubborn)).send(READ).sw == 0x6C12


def test_pcsc_t0_what_waits_is_fetched_in_pieces():
    line = Line("6102", "01026101", "039000")
    assert GetResponse(Wire(line)).send(SELECT) == Reply(b"\x01\x02\x03", SW.OK)
    assert line.sent == ["00A4000002DF0100", "00C0000002", "00C0000001"]


def test_pcsc_t0_a_card_that_never_ends_is_no_card():
    with pytest.raises(TransportError, match="61xx"):
        GetResponse(Wire(Line(*["016101"] * 100))).send(SELECT)


def test_6100_means_256_bytes():
    line = Line("6100", "AA" * 256 + "9000")
    assert len(GetResponse(Wire(line)).send(SELECT).data) == 256
    assert line.sent[1] == "00C0000000"


@pytest.mark.parametrize(
    ("policy", "command", "sent"),
    [
        (LePolicy.KEEP, SELECT._replace(le=24), "00A4000002DF0118"),
        (LePolicy.ANY, SELECT._replace(le=24), "00A4000002DF0100"),
        (LePolicy.DROP, SELECT._replace(le=24), "00A4000002DF01"),
        (LePolicy.DROP, READ, "00B2012C00"),
        (LePolicy.ANY, VERIFY, "0020000003123456"),
    ],
)
def test_case_four_le_policy(policy, command, sent):
    line = Line("9000")
    CaseFourLe(Wire(line), policy).send(command)
    assert line.sent == [sent]


def test_a_trace_hears_every_exchange_on_the_wire():
    heard = []
    line = Line("6102", "6C01", "FF9000")
    answer = channel(line, hook=lambda command, reply: heard.append((command.ins, str(reply.sw))))
    assert answer.send(SELECT) == b"\xff"
    assert heard == [(0xA4, "6102"), (0xC0, "6C01"), (0xC0, "9000")]


def test_a_refusal_names_the_status_word_and_not_the_data():
    with pytest.raises(ApduError) as caught:
        channel(Line("6982")).send(VERIFY)
    assert caught.value.sw == SW.SECURITY_STATUS
    assert caught.value.command == VERIFY
    assert caught.value.tries_left is None
    assert str(caught.value) == "00 20 00 00: 6982 the security status is not satisfied"


def test_a_wrong_pin_carries_the_tries_left():
    with pytest.raises(WrongPin) as caught:
        channel(Line("63C2")).send(VERIFY)
    assert caught.value.tries_left == 2


def test_a_wrong_cryptogram_is_no_wrong_pin():
    with pytest.raises(ApduError) as caught:
        channel(Line("63CD")).send(Command(0x00, 0x82, 0x00, 0x04, bytes(16)))
    assert not isinstance(caught.value, WrongPin)
    assert caught.value.tries_left == 13


@pytest.mark.parametrize("answer", ["6983", "9303"])
def test_blocked(answer):
    with pytest.raises(Blocked):
        channel(Line(answer)).send(VERIFY)


def test_accepted_words_are_no_refusals():
    line = channel(Line("6F006283", "6F006283"))
    assert line.send(SELECT, SW.FILE_INVALIDATED) == b"\x6f\x00"
    with pytest.raises(ApduError):
        line.send(SELECT)


def test_every_layer_has_the_one_method():
    wire = Wire(Line())
    for layer in (wire, Traced(wire, print), RightLe(wire), GetResponse(wire)):
        public = [name for name in vars(type(layer)) if not name.startswith("_")]
        assert public == ["send"]
