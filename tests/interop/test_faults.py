"""What an unchanged pyscard program sees of every fault: over pcscd and vpcd, and in process.

The table of docs/testing-your-terminal.md is this one in words.
"""

import re
from itertools import product
from pathlib import Path

import pytest

from sscard import sample_card
from sscard.cos.eeprom import Phase
from sscard.testing import faults
from sscard.testing.faults import faulty

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

PAGE = Path(__file__).parents[2] / "docs/testing-your-terminal.md"
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
WRONG, RIGHT, CHALLENGE = "0020000003999999", "0020000003123456", "0084000008"
READ = "00B2013400"

# The program under test: it connects, sends three commands, resets the card, selects again.
PROGRAM = """
import smartcard.scard as scard
from smartcard.Exceptions import SmartcardException

NAMES = {getattr(scard, name) & 0xFFFFFFFF: name[6:] for name in dir(scard)
         if name.startswith(("SCARD_E_", "SCARD_W_", "SCARD_F_")) or name == "SCARD_S_SUCCESS"}

def seen(act):
    try:
        answer = act()
    except SmartcardException as error:
        return NAMES.get(error.hresult & 0xFFFFFFFF, "closed")
    if answer is None:
        return "done"
    data, sw1, sw2 = answer
    return f"{sw1:02X}{sw2:02X}"

def use(reader, *commands):
    c = reader.createConnection()
    steps = [seen(c.connect)]
    steps += [seen(lambda: c.transmit(list(bytes.fromhex(one)))) for one in commands]
    if steps[0] == "done":
        steps.append(seen(c.reconnect))
        steps.append(seen(lambda: c.transmit(list(bytes.fromhex(commands[0])))))
    c.release()
    return " ".join(step for step in steps if step != "closed")
"""
OVER_PCSCD = PROGRAM + ("\ntell(use(next(r for r in readers() if r.name == args[0]), *args[1:]))\n")

FINE = "done 9000 63C5 9000 done 9000"
DARK = "done 9000 W_UNPOWERED_CARD W_UNPOWERED_CARD"
GONE = "done 9000 W_REMOVED_CARD W_REMOVED_CARD W_REMOVED_CARD"
VPCD_GONE = "done 9000 S_SUCCESS E_NOT_TRANSACTED E_NO_SMARTCARD"
"""pcscd gives an empty answer first, and then looks whether the card is there."""

# the fault; what the program sees over vpcd; what in process
SEEN = {
    "slow": (faults.slow(0.1, when=2), FINE, FINE),
    "mute from the reset on": (faults.mute(), "W_UNPOWERED_CARD", "W_UNRESPONSIVE_CARD"),
    "mute": (
        faults.mute(after=1),
        "done 9000 6F00 6F00 done 6F00",
        "done 9000 E_NOT_TRANSACTED E_NOT_TRANSACTED done E_NOT_TRANSACTED",
    ),
    "dies": (
        faults.dies(after=1),
        "done 9000 6F00 6F00 W_UNRESPONSIVE_CARD",
        f"{DARK} W_UNRESPONSIVE_CARD",
    ),
    "removed": (faults.removed(2), VPCD_GONE, GONE),
    "removed, done": (faults.removed(2, done=True), VPCD_GONE, GONE),
    "wrong_atr": (faults.wrong_atr(bytes.fromhex("3B021234")), FINE, FINE),
    "wrong_atr that is none": (
        faults.wrong_atr(bytes.fromhex("001122")),
        "E_PROTO_MISMATCH",
        "E_PROTO_MISMATCH",
    ),
    "wrong_atr, empty": (faults.wrong_atr(b""), "W_UNPOWERED_CARD", "W_UNPOWERED_CARD"),
    "wrong_atr, too long": (
        faults.wrong_atr(b"\x3b" * 40),
        "W_UNPOWERED_CARD",
        "W_UNPOWERED_CARD",
    ),
    "garbled": (
        faults.garbled(2, mask=b"\x0f"),
        "done 9000 6CCA 9000 done 9000",
        "done 9000 6CCA 9000 done 9000",
    ),
    "truncated": (
        faults.truncated(2, when=1),
        "done 6F16 63C5 9000 done 9000",
        "done 6F16 63C5 9000 done 9000",
    ),
    "truncated below a status word": (
        faults.truncated(1, when=2),
        "done 9000 6F00 9000 done 9000",
        "done 9000 E_NOT_TRANSACTED 9000 done 9000",
    ),
    "altered": (
        faults.altered("SW", bytes.fromhex("6985"), 2),
        "done 9000 6985 9000 done 9000",
        "done 9000 6985 9000 done 9000",
    ),
    "torn": (
        faults.torn(1, 2),
        "done 9000 6F00 6F00 done 9000",
        f"{DARK} done 9000",
    ),
    "random_stuck": (faults.random_stuck(), FINE, FINE),
    "random_repeating": (faults.random_repeating(b"\x01\x02"), FINE, FINE),
    "bit_flipped": (faults.bit_flipped(0, 0), FINE, FINE),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_a_program_sees(name, serve, slots, clients):
    fault, over_vpcd, in_process = SEEN[name]
    serve(faulty(sample_card(), fault))
    assert clients.pyscard(OVER_PCSCD, slots[0].name, SSSE, WRONG, CHALLENGE) == over_vpcd
    assert seen_in_process(fault) == in_process


def seen_in_process(fault):
    from sscard.transport.pyscard_reader import VirtualReader

    words = {}
    exec(PROGRAM, words)
    return words["use"](VirtualReader("here", faulty(sample_card(), fault)), SSSE, WRONG, CHALLENGE)


def test_every_fault_is_in_this_table_and_in_that_of_the_page():
    makers = {
        name
        for name in faults.__all__
        if name[0].islower() and name not in ("faulty", "answer_fields")
    }
    of_many = {"alterations": "altered", "bits_flipped": "bit_flipped"}
    assert {re.match(r"\w+", name)[0] for name in SEEN} == makers - set(of_many)
    rows = re.findall(r"^\| `(\w+)\(.*\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert makers <= set(rows) | set(of_many) | {"truncated", "random_repeating"}


# ---- what the card was left with -----------------------------------------------------------------


@pytest.mark.parametrize(("done", "tries_left"), [(False, 6), (True, 5)])
def test_a_card_pulled_out_has_spent_the_try_or_not(done, tries_left, serve, slots, clients):
    card = sample_card()
    before = clients_tries(card)
    place = serve(faulty(card, faults.removed(2, done=done)))
    clients.pyscard(OVER_PCSCD, slots[0].name, SSSE, WRONG)
    assert not place.occupied
    assert place.failure is None
    assert before == 6
    assert clients_tries(card) == tries_left


def clients_tries(card):
    """Tries left, by a wrong PIN on a copy."""
    session = card.fork().power_on()
    session.transmit(bytes.fromhex(SSSE))
    return session.transmit(bytes.fromhex(WRONG))[1] - 0xC0 + 1


def test_power_cut_at_every_operation_of_a_command(serve, slots, clients):
    """Every operation of VERIFY, each in every phase: it comes back, and the right PIN is right."""
    operations = 0
    while True:  # until one does not happen any more
        card = sample_card()
        port = faulty(card, faults.torn(operations, 2))
        port.power_on()
        port.transmit(bytes.fromhex(SSSE))
        try:
            port.transmit(bytes.fromhex(RIGHT))
        except BaseException as loss:  # noqa: BLE001 - power loss is no Exception
            assert type(loss).__name__ == "PowerLoss"  # noqa: PT017
            operations += 1
        else:
            break
    assert operations > 3
    cuts = list(product(range(operations), Phase))
    torn = [faults.torn(op, 4 * n + 2, phase=phase) for n, (op, phase) in enumerate(cuts)]
    serve(faulty(sample_card(), *torn))
    script = PROGRAM + (
        "c = next(r for r in readers() if r.name == args[0]).createConnection(); c.connect()\n"
        "rounds = []\n"
        "for _ in range(args[1]):\n"
        "    two = [transmit(c, one)[-4:] for one in args[2:]]\n"
        "    c.reconnect()\n"
        "    rounds.append(two + [transmit(c, one)[-4:] for one in args[2:]])\n"
        "tell(rounds)\n"
    )
    rounds = clients.pyscard(script, slots[0].name, len(cuts), SSSE, RIGHT)
    assert rounds == [["9000", "6F00", "9000", "9000"]] * len(cuts)


def test_slow_by_the_clock_and_by_the_virtual_one(serve, slots, clients):
    card = sample_card()
    serve(faulty(card, faults.slow(0.5, when=1), faults.slow(3600, when=1, virtual=True)))
    before = card.env.clock_us
    script = (
        "c = connection(args[0]); c.connect(); begun = time.monotonic()\n"
        "transmit(c, args[1]); tell(time.monotonic() - begun)\n"
    )
    assert clients.pyscard(script, slots[0].name, SSSE) >= 0.5
    assert card.env.clock_us - before >= 3_600_000_000


def test_random_numbers_that_stick_and_that_come_again(serve, slots, clients, pcscd):
    script = "c = connection(args[0]); c.connect()\ntell([transmit(c, args[1]) for _ in (1, 2)])\n"
    place = serve(faulty(sample_card(), faults.random_stuck(0xAA)))
    assert clients.pyscard(script, slots[0].name, CHALLENGE) == ["AA" * 8 + "9000"] * 2
    place.remove()
    pcscd.wait(slots[0], present=False)
    serve(faulty(sample_card(), faults.random_repeating(bytes(range(8)))))
    again = clients.pyscard(script, slots[0].name, CHALLENGE)
    assert again == ["00010203040506079000"] * 2


def test_a_bit_flipped_in_memory_reaches_the_program(serve, slots, clients):
    """The last bit of a record's value, as the program reads it."""
    card = sample_card()
    session = card.fork().power_on()
    session.transmit(bytes.fromhex(SSSE))
    record = session.transmit(bytes.fromhex(READ))[:-2]
    address = card.image.index(record) + len(record) - 1
    serve(faulty(card, faults.bit_flipped(address, 0, when=2)))
    script = "c = connection(args[0]); c.connect(); tell([transmit(c, one) for one in args[1:]])"
    answers = clients.pyscard(script, slots[0].name, SSSE, READ)
    assert answers[1] == (record[:-1] + bytes([record[-1] ^ 1])).hex().upper() + "9000"
