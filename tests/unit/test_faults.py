"""Faulty readers and cards: each fault does what it says, when it says, and nothing else."""

import time

import pytest

from sscard.cos.eeprom import Phase
from sscard.errors import PowerLoss, SscardError
from sscard.sample import new_card, sample_card
from sscard.testing import faults
from sscard.testing.faults import faulty
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.port import CardMute, CardPort, CardRemoved

SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
NUMBER = bytes.fromhex("00B2072C00")
PIN = bytes.fromhex("0020000003123456")
WRONG = bytes.fromhex("0020000003999999")
CHALLENGE = bytes.fromhex("0084000008")
ATR = "3b6d00000087cf20018649999900000001"


def port(*wrong, card=None):
    return MemoryPort(faulty(card or sample_card(), *wrong))


def sent(terminal, *apdus):
    return [terminal.transmit(apdu).hex() for apdu in apdus]


@pytest.fixture(scope="module")
def pyscard():
    pytest.importorskip("smartcard", reason="pyscard is not installed: make deps as root")
    from sscard.transport import pyscard_reader

    return pyscard_reader


@pytest.fixture
def connect(pyscard):
    """`connect(*faults)`: a pyscard connection to a faulty sample card, and its reader."""

    def make(*wrong, card=None):
        reader = pyscard.VirtualReader("faulty", faulty(card or sample_card(), *wrong))
        connection = reader.createConnection()
        connection.connect()
        return reader, connection

    return make


def code(error):
    return error.value.hresult & 0xFFFFFFFF


def test_without_a_fault_it_is_the_card():
    assert isinstance(faulty(sample_card()), CardPort)
    assert sent(port(), SSSE, NUMBER)[1] == "0709" + b"T0000001X".hex() + "9000"


# ---- readers -------------------------------------------------------------------------------------


def test_slow_by_the_virtual_clock_and_by_the_real_one():
    card = sample_card()
    terminal = port(faults.slow(2.5, when=2, virtual=True), card=card)
    before = card.env.clock_us
    terminal.transmit(SSSE)
    assert card.env.clock_us == before
    terminal.transmit(NUMBER)
    assert card.env.clock_us == before + 2_500_000
    terminal = port(faults.slow(0.02, when=lambda apdu: apdu == NUMBER))
    begin = time.monotonic()
    sent(terminal, SSSE, NUMBER, NUMBER)
    assert time.monotonic() - begin >= 0.04


def test_mute_from_the_first_reset_or_after_some_commands(connect):
    from smartcard.Exceptions import CardConnectionException

    with pytest.raises(CardMute):
        port(faults.mute())
    terminal = port(faults.mute(after=1))
    terminal.transmit(SSSE)
    for _ in range(2):
        with pytest.raises(CardMute):
            terminal.transmit(NUMBER)
    with pytest.raises(CardConnectionException) as error:
        connect(faults.mute())
    assert code(error) == 0x80100066
    _, connection = connect(faults.mute(after=0x01))
    connection.transmit(list(SSSE))
    with pytest.raises(CardConnectionException) as error:
        connection.transmit(list(NUMBER))
    assert code(error) == 0x80100016


def test_a_card_that_dies_never_comes_back(connect):
    from smartcard.Exceptions import CardConnectionException

    reader, connection = connect(faults.dies(after=1))
    connection.transmit(list(SSSE))
    with pytest.raises(CardConnectionException) as error:
        connection.transmit(list(NUMBER))
    assert code(error) == 0x80100067
    with pytest.raises(CardConnectionException) as error:
        connection.reconnect()
    assert code(error) == 0x80100066
    connection.disconnect()
    with pytest.raises(CardConnectionException) as error:
        reader.createConnection().connect()
    assert code(error) == 0x80100066


@pytest.mark.parametrize(("done", "left"), [(False, "63c5"), (True, "63c4")])
def test_taken_out_in_mid_command_before_or_after_it_was_done(connect, done, left):
    """The lost answer to a wrong PIN: the try is spent if the card got the command."""
    from smartcard.Exceptions import CardConnectionException, NoCardException

    card = sample_card()
    reader, connection = connect(faults.removed(2, done=done), card=card)
    connection.transmit(list(SSSE))
    with pytest.raises(CardConnectionException) as error:
        connection.transmit(list(WRONG))
    assert code(error) == 0x80100069
    assert card.activation is None
    assert reader.slot.state.atr is None
    with pytest.raises(NoCardException):
        reader.createConnection().connect()
    assert sent(port(card=card), SSSE, WRONG)[1] == left


def test_another_atr(connect):
    _, connection = connect(faults.wrong_atr(bytes.fromhex("3B02 1450")))
    assert bytes(connection.getATR()).hex() == "3b021450"
    assert connection.transmit(list(SSSE))[1:] == (0x90, 0x00)


@pytest.mark.parametrize(
    ("atr", "result"),
    [
        pytest.param("FFFF", 0x8010000F, id="no TS"),
        pytest.param("3B", 0x8010000F, id="nothing after TS"),
        pytest.param("3BF0" + "FF" * 31, 0x8010000F, id="levels without end"),
        pytest.param("", 0x80100067, id="nothing"),
        pytest.param("3B" + "00" * 33, 0x80100067, id="34 bytes"),
        pytest.param("3B6D00", None, id="shorter than it says"),
        pytest.param("3B0214500000", None, id="longer than it says"),
        pytest.param("3B80", None, id="an interface byte is missing"),
    ],
)
def test_no_atr_at_all_and_one_with_slips(connect, atr, result):
    """As pcsc-lite sees them: the first ones over vpcd get the same codes."""
    from smartcard.Exceptions import CardConnectionException

    fault = faults.wrong_atr(bytes.fromhex(atr))
    if result is None:
        _, connection = connect(fault)
        assert bytes(connection.getATR()).hex().upper() == atr
        assert connection.transmit(list(SSSE))[1:] == (0x90, 0x00)
        return
    with pytest.raises(CardConnectionException) as error:
        connect(fault)
    assert code(error) == result


# ---- answers -------------------------------------------------------------------------------------


def test_garbled_and_truncated(connect):
    good = sent(port(), SSSE, NUMBER)
    assert sent(port(faults.garbled(2)), SSSE, NUMBER) == [
        good[0],
        bytes(byte ^ 0xFF for byte in bytes.fromhex(good[1])).hex(),
    ]
    assert sent(port(faults.garbled(2, mask=b"\x00\x01")), SSSE, NUMBER)[1].startswith("0708")
    assert sent(port(faults.truncated(4, 2)), SSSE, NUMBER)[1] == "07095430"
    with pytest.raises(SscardError, match="mask"):
        faults.garbled(mask=b"\0")
    _, connection = connect(faults.truncated(1, 2))
    connection.transmit(list(SSSE))
    with pytest.raises(Exception, match="no status word") as error:
        connection.transmit(list(NUMBER))
    assert code(error) == 0x80100016


def test_an_answer_in_fields():
    def names(text, command=""):
        fields = faults.answer_fields(bytes.fromhex(text), bytes.fromhex(command))
        return {f.name: bytes.fromhex(text)[f.start : f.end].hex() for f in fields}

    assert names("9000") == {"SW": "9000"}
    assert names("6F1B840F7378312E73682EC9E7BBE1B1A3D5CFA5088801015F2D027A689000") == {
        "6F/84": SSSE[5:-1].hex(), "6F/A5/88": "01", "6F/A5/5F2D": "7a68", "SW": "9000",
    }  # fmt: skip
    gac = "8013800001F126D638723D8BFC07010103A41002019000"
    assert names(gac, "80AE800000") == {
        "CID": "80", "ATC": "0001", "AC": "f126d638723d8bfc", "IAD": "07010103a4100201", "SW": "9000",
    }  # fmt: skip
    assert names("800E7C000801010010010201180103009000", "80A8000000") == {
        "AIP": "7c00", "AFL": "080101001001020118010300", "SW": "9000",
    }  # fmt: skip
    assert names("0504202401159000") == {"05": "20240115", "SW": "9000"}
    assert names("11223344556677889000") == {"data": "1122334455667788", "SW": "9000"}


def test_one_field_altered():
    good = sent(port(), SSSE, NUMBER)
    assert sent(port(faults.altered("SW", b"\x6a\x83", 2)), SSSE, NUMBER) == [
        good[0],
        good[1][:-4] + "6a83",
    ]
    assert sent(port(faults.altered("6F/A5/88", b"\x02")), SSSE)[0][-6:] == "029000"
    assert sent(port(faults.altered("07")), SSSE, NUMBER)[0] == good[0]
    assert sent(port(faults.altered(slice(0, 1), b"\x08", 2)), SSSE, NUMBER)[1][:4] == "0809"


def test_with_t0_a_field_is_altered_in_the_answer_that_get_response_fetches():
    """GPO's answer has no tags of its own inside: its parts are named by the command."""
    bank = bytes.fromhex("00A4040008A000000333010101")
    gpo, more = bytes.fromhex("80A80000028300"), bytes.fromhex("00C0000000")
    card = new_card("pboc")
    whole = MemoryPort(faulty(card.fork()))
    sent(whole, bank)
    good = whole.transmit(gpo)
    assert good[0] == 0x80, "format 1"
    terminal = MemoryPort(faulty(card, faults.altered("AIP", b"\0\0"), link="t0"))
    assert sent(terminal, bank)[0][:2] == "61"
    assert terminal.transmit(gpo)[0] == 0x61
    length = len(good) - 2
    fetched = terminal.transmit(more[:4] + bytes((length,)))
    assert fetched == good[:2] + b"\0\0" + good[4:]
    names = [str(f) for f in faults.alterations([(gpo, b"\x61" + bytes((length,))), (more, good)])]
    assert names[1:3] == ["answer 2: AIP altered", "answer 2: AFL altered"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: faults.removed(0), "commands are counted from 1: not 0"),
        (lambda: faults.garbled(when=-1), "commands are counted from 1: not -1"),
        (lambda: faults.altered("SW", when=0), "commands are counted from 1: not 0"),
        (lambda: faults.truncated(-1), "an answer has 0 bytes or more: not -1"),
        (lambda: faults.truncated(1, when=0), "commands are counted from 1: not 0"),
        (lambda: faults.slow(-1), "an answer is late by 0 seconds or more: not -1"),
        (lambda: faults.slow(1, when=0), "commands are counted from 1: not 0"),
        (lambda: faults.mute(-1), "a card answers 0 commands or more: not -1"),
        (lambda: faults.dies(-2), "a card answers 0 commands or more: not -2"),
        (lambda: faults.torn(-1, 1), "operations are counted from 0: not -1"),
        (lambda: faults.torn(0, 0), "commands are counted from 1: not 0"),
        (lambda: faults.bit_flipped(-1, 0), "addresses begin at 0: not -1"),
        (lambda: faults.bit_flipped(1, 0, when=0), "commands are counted from 1: not 0"),
        (
            lambda: faulty(sample_card(), faults.bit_flipped(0x14000, 0)),
            "the memory ends before 14000: there is no 14000",
        ),
    ],
)
def test_a_fault_that_would_never_come_is_refused(make, why):
    with pytest.raises(SscardError, match=f"^{why}$"):
        make()


def test_any_field_of_any_answer_of_a_session():
    """Each differs from the good session in one place, and all places are reached."""
    session = (
        bytes.fromhex("00A4040008A000000333010101"),
        bytes.fromhex("80A8000002830000"),
        bytes.fromhex("00B2010C00"),
    )
    blank = new_card("pboc")
    good = sent(port(card=blank.fork()), *session)
    recorded = list(zip(session, map(bytes.fromhex, good), strict=True))
    touched = [bytearray(len(answer)) for _, answer in recorded]
    wrong = list(faults.alterations(recorded))
    assert {str(fault) for fault in wrong} >= {"answer 1: 6F/84 altered", "answer 2: AIP altered"}
    for fault in wrong:
        seen = sent(port(fault, card=blank.fork()), *session)
        different = [n for n in range(3) if seen[n] != good[n]]
        assert len(different) == 1
        for at, (a, b) in enumerate(
            zip(bytes.fromhex(seen[different[0]]), recorded[different[0]][1], strict=True)
        ):
            touched[different[0]][at] += a != b
    assert all(max(counts) == 1 for counts in touched)
    assert sum(map(sum, touched)) == sum(
        f.end - f.start for c, a in recorded for f in faults.answer_fields(a, c)
    )


# ---- chips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", list(Phase))
def test_cos_1_2_power_cut_in_a_command_leaves_before_or_a_try_spent(phase):
    card = sample_card()
    terminal = port(faults.torn(1, 2, phase=phase), card=card)
    terminal.transmit(SSSE)
    with pytest.raises(PowerLoss):
        terminal.transmit(WRONG)
    assert terminal.reset().hex() == ATR
    assert sent(terminal, SSSE, WRONG)[1] in {"63c5", "63c4"}


def test_cos_1_2_power_is_not_cut_where_there_is_no_such_operation():
    terminal = port(faults.torn(0, 2))
    assert sent(terminal, SSSE, NUMBER)[1].endswith("9000")
    assert sent(terminal, WRONG) == ["63c5"], "the tear was that command's alone"
    terminal = port(faults.torn(500, 2))
    assert sent(terminal, SSSE, PIN, WRONG)[1:] == ["9000", "63c5"]


def test_cos_1_2_a_tear_is_told_though_a_cleanup_went_on_after_it():
    """The journal erases old copies of secrets even when the page before them failed."""
    for op in range(8):
        terminal = port(faults.torn(op, 2))
        terminal.transmit(SSSE)
        with pytest.raises(PowerLoss, match=r"^torn: (erase|program|byte) at [0-9A-F]{5}$"):
            terminal.transmit(WRONG)


def test_torn_and_then_taken_out(connect):
    card = sample_card()
    _, connection = connect(
        faults.torn(1, 2, phase=Phase.ERASED), faults.removed(2, done=True), card=card
    )
    connection.transmit(list(SSSE))
    with pytest.raises(Exception, match="taken out") as error:
        connection.transmit(list(WRONG))
    assert code(error) == 0x80100069
    assert sent(port(card=card), SSSE, NUMBER)[1].endswith("9000")


def test_cos_1_5_random_numbers_stuck_or_repeating():
    good = sent(port(), SSSE, CHALLENGE, CHALLENGE)
    assert good[1] != good[2]
    assert sent(port(faults.random_stuck(0xA5)), SSSE, CHALLENGE)[1] == "a5" * 8 + "9000"
    terminal = port(faults.random_repeating(b"\x01\x02\x03"))
    assert sent(terminal, SSSE, CHALLENGE, CHALLENGE)[1:] == ["0102030102030102" + "9000"] * 2
    terminal.reset()
    assert sent(terminal, SSSE, CHALLENGE)[1] == "0102030102030102" + "9000"
    with pytest.raises(SscardError):
        faults.random_repeating(b"")


def test_a_repeating_challenge_lets_an_old_proof_in_again():
    """What the fault is for: external authentication is replayed."""
    from sscard.keys.session import cryptogram
    from sscard.perso.profile import Profile

    key = Profile.load("sample").ssse.key(0x0D, 0x04).value
    terminal = port(faults.random_repeating(bytes(range(8))))
    challenge = bytes.fromhex(sent(terminal, SSSE, PIN, CHALLENGE)[2])[:8]
    proof = cryptogram(0, key, challenge, challenge) + challenge
    replay = bytes((0, 0x82, 0, 0x04, 16)) + proof
    assert sent(terminal, replay) == ["9000"]
    terminal.reset()
    assert sent(terminal, SSSE, PIN, CHALLENGE, replay)[3] == "9000"
    terminal = port()
    assert sent(terminal, SSSE, PIN, CHALLENGE, replay)[3] != "9000"


def test_one_bit_of_memory_at_a_time():
    card = sample_card()
    at = card.image.index(b"T0000001X")
    assert sent(port(faults.bit_flipped(at, 0, 2), card=card.fork()), SSSE, NUMBER)[1] == (
        "0709" + b"U0000001X".hex() + "9000"
    )
    before = card.image
    seen = set()
    for fault in faults.bits_flipped(range(at, at + 9)):
        other = card.fork()
        answer = sent(port(fault, card=other), SSSE, NUMBER)[1]
        seen.add(answer)
        changed = [a ^ b for a, b in zip(before, other.image, strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0].bit_count() == 1
    assert len(seen) == 72
    with pytest.raises(SscardError):
        faults.bit_flipped(at, 8)


def test_a_fault_of_the_card_wants_the_card():
    with pytest.raises(SscardError, match="pass a Card"):
        faulty(PoweredSlot(sample_card()), faults.torn(0, 1))
    assert faulty(PoweredSlot(sample_card()), faults.mute())
    assert faults.torn(0, 1).of_the_card
    assert not faults.mute().of_the_card


def test_card_removed_is_what_a_slot_hears():
    card = sample_card()
    terminal = port(faults.removed(1), card=card)
    with pytest.raises(CardRemoved):
        terminal.transmit(SSSE)
    assert card.activation is None
