"""The relay on the real stack: a virtual reader plays the physical one, its card answers in another.

Emulated card, reader A, relay, reader B, a pyscard program that knows nothing of it.
"""

import json
import subprocess
import sys

import pytest

from sscard import sample_card
from sscard.inspect.trace import load
from sscard.testing.faults import faulty, mute
from sscard.testing.monitors import monitors, watch
from sscard.transport.memory import PoweredSlot
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.serve import CardSlot
from sscard.transport.vpcd import HOST

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
READ, WRONG, RIGHT, CHALLENGE = "00B2013400", "0020000003999999", "0020000003123456", "0084000008"

HOOK = """
def command(apdu):
    return bytes.fromhex("00B2023400") if apdu.hex() == "00b2013400" else apdu


def response(command, response):
    return b"\\x6f\\x00" if command[1] == 0x84 else response
"""


class Relay:
    """A relay that runs, and what it says."""

    def __init__(self, clients, reader, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sscard", "relay", "--reader", reader, "--json", *options],
            env=clients.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self):
        """Wait until the card answers there; return what it told."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def end(self):
        """End it as Ctrl-C does, if it has not ended; return the exit code and what it said."""
        self.process.terminate()
        return self.ended()

    def ended(self):
        """Wait for its own end; return the exit code and what it said on standard error."""
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@pytest.fixture
def start():
    """`start(clients, reader, *options)`: a relay that has ended when the test has."""
    running = []

    def begin(*words):
        running.append(Relay(*words))
        return running[-1]

    yield begin
    for one in running:
        if one.process.returncode is None:
            one.end()


@pytest.fixture
def relay(clients, slots, pcscd, start):
    """`relay(*options)`: the card of the first reader answers in the second, till the end."""

    def begin(*options):
        there = ("--host", slots[1].host, "--port", str(slots[1].port))
        running = start(clients, slots[0].name, *there, *options)
        assert running.ready()["card"] == slots[0].name
        pcscd.wait(slots[1], present=True)
        return running

    return begin


@pytest.fixture(autouse=True)
def _empty_afterwards(pcscd, slots):
    """The second slot, which relays fill: set up first, so it looks when they have ended."""
    yield
    pcscd.wait(slots[1], present=False)


def test_a_relay_is_the_card_and_records_it(serve, slots, clients, relay, tmp_path):
    serve(PoweredSlot(sample_card()))
    path = tmp_path / "relay.jsonl"
    running = relay("--record", str(path))
    answers = clients.talk(slots[1], SSSE, READ, RIGHT, "00B2012C00")
    assert answers[1].startswith("0812")
    assert answers[2] == "9000"
    assert running.end()[0] == 0
    trace = load(path)
    assert (trace.header.source, trace.header.masked) == ("relay", True)
    assert str(trace.apdus[-2].command) == "0020000003******"
    assert str(trace.apdus[-3].response).startswith("0812****")
    assert watch(trace, monitors()) == []
    words = clients.sscard("explain", str(path))
    assert "VERIFY" in words
    assert "123456" not in words


def test_a_hook_edits_both_ways(serve, slots, clients, relay, tmp_path):
    serve(PoweredSlot(sample_card()))
    hook, path = tmp_path / "hook.py", tmp_path / "edited.jsonl"
    hook.write_text(HOOK, encoding="utf-8")
    running = relay("--edit", str(hook), "--record", str(path), "--show-secrets")
    answers = clients.talk(slots[1], SSSE, "00B2013400", "0084000008")
    assert answers[1].startswith("091E")
    assert answers[2] == "6F00"
    assert running.end()[0] == 0
    edited, challenge = load(path).apdus[-2:]
    assert (str(edited.command), str(edited.sent)) == ("00B2013400", "00B2023400")
    assert edited.answered is None
    assert str(challenge.response) == "6F00"
    assert len(challenge.answered) == 10


SCRIPT = """
from smartcard.Exceptions import SmartcardException
c = connection(args[0]); c.connect()
transmit(c, args[1])
def failed(act):
    try:
        return act()
    except SmartcardException as error:
        return type(error).__name__
"""


@pytest.mark.parametrize(
    ("body", "command", "told"),
    [
        (
            "def command(apdu):\n    return apdu if apdu[1] != 0x20 else {}[1]\n",
            WRONG,
            "KeyError: 1",
        ),
        (
            "def response(command, response):\n    return None if command[1] == 0x20 else response\n",
            WRONG,
            "response() returns bytes, not NoneType",
        ),
    ],
    ids=["raises", "returns no bytes"],
)
def test_a_hook_that_fails_ends_the_relay_and_frees_the_card(
    body, command, told, serve, slots, clients, relay, pcscd, tmp_path
):
    serve(PoweredSlot(sample_card()))
    hook, path = tmp_path / "hook.py", tmp_path / "trace.jsonl"
    hook.write_text(body, encoding="utf-8")
    running = relay("--edit", str(hook), "--record", str(path), "--exclusive")
    script = SCRIPT + "tell(failed(lambda: transmit(c, args[2])))\n"
    seen = clients.pyscard(script, slots[1].name, SSSE, command)
    assert seen == "CardConnectionException", "no answer is made up"
    code, said = running.ended()
    assert code == 2
    assert f"sscard: {hook}" in said
    assert told in said
    assert "Traceback" not in said
    pcscd.wait(slots[1], present=False)
    assert clients.talk(slots[0], SSSE)[0].endswith("9000"), "the card is free again"
    assert "CardRemoved" in path.read_text(encoding="utf-8")
    assert "the hook failed" in clients.sscard("explain", str(path))
    assert "999999" not in path.read_text(encoding="utf-8")


def test_a_hook_file_that_cannot_be_run(clients, slots, tmp_path, start):
    hook = tmp_path / "hook.py"
    hook.write_text("import nothing_of_that_name\n", encoding="utf-8")
    code, said = start(clients, slots[0].name, "--edit", str(hook)).ended()
    assert code == 2
    assert said == f"sscard: {hook}: ModuleNotFoundError: No module named 'nothing_of_that_name'\n"


def test_the_card_is_pulled_out_of_the_physical_reader(serve, slots, clients, relay, pcscd):
    place = serve(PoweredSlot(sample_card()))
    running = relay()
    script = SCRIPT + ("tell('in'); told()\ntell(failed(lambda: transmit(c, args[1])))\n")
    with clients.pyscard_talk(script, slots[1].name, SSSE) as terminal:
        assert terminal.told() == "in"
        place.remove()
        pcscd.wait(slots[1], present=False)
        terminal.tell()
        assert terminal.told() == "CardConnectionException"
    code, said = running.ended()
    assert code == 3
    assert said.endswith(f"sscard: {slots[0].name}: the card was taken out\n")


def test_a_terminal_resets_the_card_through_the_relay(serve, slots, clients, relay):
    card = sample_card()
    serve(PoweredSlot(card))
    relay()
    power_ons = card.env.power_ons
    script = SCRIPT + (
        "before = [transmit(c, one) for one in args[2:]]\n"
        "c.reconnect()\n"
        "after = transmit(c, args[3])\n"
        "tell([before, after])\n"
    )
    before, after = clients.pyscard(script, slots[1].name, SSSE, RIGHT, "00B2012C00")
    assert before[0] == "9000"
    assert before[1][-4:] == "9000"
    assert after[-4:] != "9000", "selection and PIN are gone"
    assert card.env.power_ons > power_ons


def test_another_program_resets_the_card_under_the_relay(serve, slots, clients, relay):
    """The terminal is told 6F00 until it resets the card itself."""
    serve(PoweredSlot(sample_card()))
    running = relay()
    script = SCRIPT + (
        "other = connection(args[2]); other.connect(); other.reconnect(); other.release()\n"
        "lost = transmit(c, args[1])\n"
        "c.reconnect()\n"
        "tell([lost, transmit(c, args[1])[-4:]])\n"
    )
    assert clients.pyscard(script, slots[1].name, SSSE, slots[0].name) == ["6F00", "9000"]
    code, said = running.end()
    assert code == 0
    assert "another program has reset the card" in said
    assert "Traceback" not in said


def test_one_relay_at_a_time_that_wants_the_card_alone(serve, slots, clients, relay, start):
    serve(PoweredSlot(sample_card()))
    relay("--exclusive")
    code, said = start(clients, slots[0].name, "--with-pcscd").ended()
    assert code == 3
    assert said == f"sscard: {slots[0].name}: another program holds the card: close that\n"


def test_a_card_that_does_not_answer_to_reset_is_not_relayed(serve, slots, clients, start):
    serve(faulty(sample_card(), mute()))
    code, said = start(clients, slots[0].name, "--with-pcscd").ended()
    assert code == 3
    assert said == f"sscard: {slots[0].name}: the card has no power\n"


def test_with_a_pcscd_of_its_own_until_the_reader_vanishes(clients_of, tmp_path, start):
    """Emulated card, pcscd A, relay, its own pcscd B, program. Then A ends, and the relay too."""
    path = tmp_path / "trace.jsonl"
    record = ("--with-pcscd", "--record", str(path), "--show-secrets")
    with PrivatePcscd(slots=1) as physical, CardSlot(HOST, physical.slots[0].port) as place:
        place.insert(PoweredSlot(sample_card(), link="t0"))
        physical.wait(physical.slots[0], present=True)
        running = start(clients_of(physical), physical.slots[0].name, *record)
        there = Elsewhere(**running.ready())
        assert set(there.environment) == {"PCSCLITE_CSOCK_NAME"}
        assert there.environment != physical.environment
        terminal = clients_of(there)
        answers = terminal.talk(there, SSSE, WRONG, RIGHT)
        assert answers == ["6118", "63C5", "9000"], "T=0, as the card speaks it"
        physical.stop()
        code, said = running.ended()
        assert code == 3
        assert "the reader is gone, or pcscd was stopped" in said
    image = tmp_path / "card.img"
    terminal.sscard("new", str(image))
    assert "no difference" in terminal.sscard(
        "replay", str(path), "--image", str(image), "--link", "t0"
    )
    assert "5 tries left" in terminal.sscard("explain", str(path))


class Elsewhere:
    """A pcscd somebody else started, and its one slot, by what he tells of it."""

    def __init__(self, environment, reader, card):
        self.environment = environment
        self.name = reader
