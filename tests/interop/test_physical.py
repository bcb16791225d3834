"""Replay, compare, capture and reader errors on the real stack: vpcd plays the reader."""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from sscard import sample_card
from sscard.card import Card
from sscard.inspect.trace import load
from sscard.keys.vault import Party
from sscard.perso.roots import roots
from sscard.sample import new_card
from sscard.testing.capture import capture
from sscard.testing.faults import dies, faulty, mute, removed, wrong_atr
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.port import CardRemoved
from sscard.transport.serve import CardSlot
from sscard.transport.vpcd import HOST, Apdu, Control, Framer, frame
from sscard.vaults.file import FileVault

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"


def powered(card, link="t0"):
    return PoweredSlot(card, link=link, atr=card.atr)


class Counting(PoweredSlot):
    """A card that counts its commands and takes a while for each."""

    def __init__(self, card):
        super().__init__(card, link="t0", atr=card.atr)
        self.count = 0

    def transmit(self, apdu):
        self.count += 1
        time.sleep(0.05)
        return super().transmit(apdu)


def interrupted(clients, card, count, *words):
    """Press Ctrl-C once a `Counting` card has had `count` commands; return what was written."""
    with subprocess.Popen(
        (sys.executable, "-m", "sscard", *words),
        env=clients.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while card.count < count:
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    return output, errors


def test_a_trace_of_serve_replays_on_a_reader_and_an_image(serve, slots, clients, tmp_path, pcscd):
    path = tmp_path / "served.jsonl"
    image = tmp_path / "card.img"
    clients.sscard("new", str(image))
    process = subprocess.Popen(
        [
            sys.executable, "-m", "sscard", "serve", str(image), "--host", slots[0].host,
            "--port", str(slots[0].port), "--record", str(path), "--show-secrets",
            "--direct", "--json",
        ],
        env=clients.environment,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        process.stdout.readline()
        pcscd.wait(slots[0], present=True)
        clients.talk(slots[0], SSSE, "00B2013400", "0020000003123456")
    finally:
        process.terminate()
        process.communicate(timeout=10)
    pcscd.wait(slots[0], present=False)
    assert any(entry.operations for entry in load(path).apdus)
    clients.sscard("new", str(image), "--force")
    assert "no difference" in clients.sscard("replay", str(path), "--image", str(image))
    serve(powered(new_card("sample", {"ssse.ef.EF06.values.08": "999901199001011240"}), "apdu"))
    told = clients.sscard("replay", str(path), "--reader", slots[0].name, code=1)
    assert "tag 08" in told
    assert clients.sscard("monitor", str(path)) == "9 monitors, 0 violations\n"


def test_compare_finds_what_differs(serve, slots, clients, tmp_path):
    image = tmp_path / "card.img"
    clients.sscard("new", str(image))
    before = image.read_bytes()
    serve(powered(sample_card()))
    same = clients.sscard("compare", str(image), "--reader", slots[0].name, "--transactions")
    assert same.endswith(" commands, 0 differences\n")
    assert image.read_bytes() == before


def test_compare_explains_a_difference(serve, slots, clients, tmp_path):
    image = tmp_path / "card.img"
    clients.sscard("new", str(image), "--set", "ssse.ef.EF06.values.09=李四")
    serve(powered(sample_card()))
    told = clients.sscard("compare", str(image), "--reader", slots[0].name, "--quick", code=1)
    assert "tag 09" in told
    assert "张测试" not in told


def test_compare_with_the_banks_keys_approves_a_transaction(serve, slots, clients, tmp_path):
    image, keys = tmp_path / "card.img", tmp_path / "keys"
    clients.sscard("new", str(image))
    with FileVault.create(keys, "secret", Party.BANK, test=True) as vault:
        vault.install_all(roots("sample", Party.BANK))
    card = sample_card()
    serve(powered(card))
    command = ("compare", str(image), "--reader", slots[0].name, "--quick", "--transactions")
    told = clients.sscard(*command, "--bank-vault", str(keys), "--bank-passphrase", "secret")
    assert told.endswith(" commands, 0 differences\n")
    seen = capture(MemoryPort(PoweredSlot(card))).bank.elements
    assert (seen[0x9F36].hex(), seen[0x9F13].hex()) == ("0004", "0004")  # the last one went on line


def test_ctrl_c_leaves_what_was_compared(serve, slots, clients, tmp_path):
    image = tmp_path / "card.img"
    clients.sscard("new", str(image), "--set", "ssse.ef.EF06.values.09=李四")
    serve(card := Counting(sample_card()))
    output, errors = interrupted(
        clients, card, 60, "compare", str(image), "--reader", slots[0].name
    )
    assert "tag 09" in output
    assert "the comparison was interrupted at command" in errors


def test_capture_makes_a_profile_that_new_accepts(serve, slots, clients, tmp_path):
    card = new_card("sample", {"ssse.df.DF07.present": False})
    serve(powered(card))
    profile, image = tmp_path / "seen.toml", tmp_path / "seen.img"
    clients.sscard("capture", "--reader", slots[0].name, "-o", str(profile))
    text = profile.read_text(encoding="utf-8")
    assert "张测试" not in text
    assert "6210950000000000017" not in text
    assert '"pan" = "6210959990000000002"' in text
    assert "# Not captured: AIP and AFL" in text
    clients.sscard("new", str(image), "--profile", str(profile))
    assert Card.from_image(image.read_bytes()).atr != card.atr
    clients.sscard(
        "capture", "--reader", slots[0].name, "-o", str(profile), "--force",
        "--show-secrets",
    )  # fmt: skip
    clients.sscard("new", str(image), "--profile", str(profile), "--force")
    assert "0 differences" in clients.sscard(
        "compare", str(image), "--reader", slots[0].name, "--quick"
    )


def test_a_capture_that_is_cut_off_keeps_what_was_read(serve, slots, clients, tmp_path):
    profile = tmp_path / "seen.toml"
    serve(faulty(sample_card(), removed(60), link="t0"))
    command = (sys.executable, "-m", "sscard", "capture", "--reader", slots[0].name)
    done = subprocess.run(
        (*command, "-o", str(profile)), env=clients.environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    errors = " ".join(done.stderr.split())
    assert "reading ended at EF" in errors
    assert "the card was taken out" in errors
    assert "# Not captured: what the card gives from EF" in profile.read_text(encoding="utf-8")
    clients.sscard("new", str(tmp_path / "seen.img"), "--profile", str(profile))


def test_ctrl_c_leaves_what_was_captured(serve, slots, clients, tmp_path):
    profile = tmp_path / "seen.toml"
    serve(card := Counting(sample_card()))
    _, errors = interrupted(
        clients, card, 40, "capture", "--reader", slots[0].name, "-o", str(profile)
    )
    assert "interrupted while " in errors
    assert "for reading ended there: interrupted." in profile.read_text(encoding="utf-8")
    clients.sscard("new", str(tmp_path / "seen.img"), "--profile", str(profile))


# --- what a reader can do wrong ------------------------------------------------------------------

ERRORS = """
from sscard.errors import TransportError
from sscard.transport.pcsc import PcscPort, Protocol

def problem(act):
    try:
        act()
    except TransportError as error:
        return [type(error).__name__, str(error)]
    return None
"""


def test_an_exclusive_port_keeps_others_out(serve, slots, clients):
    serve(powered(sample_card()))
    script = ERRORS + (
        "with PcscPort(args[0], exclusive=True) as port:\n"
        "    kept = problem(lambda: PcscPort(args[0]))\n"
        "with PcscPort(args[0]) as port, PcscPort(args[0]) as other:\n"
        "    alone = problem(lambda: PcscPort(args[0], exclusive=True))\n"
        "    port.reset()\n"
        "    reset = problem(lambda: other.transmit(bytes.fromhex('0084000008')))\n"
        "    port.reset(cold=True)\n"
        "    told = [port.protocol.name, port.atr.hex()]\n"
        "tell([kept, alone, reset, told])\n"
    )
    kept, alone, reset, (protocol, atr) = clients.pyscard(script, slots[0].name)
    assert kept[0] == alone[0] == "ReaderBusy"
    assert reset[0] == "CardReset"
    assert protocol == "T0"
    assert atr == sample_card().atr.hex()


def test_a_protocol_the_card_does_not_speak_is_refused(serve, slots, clients):
    serve(powered(sample_card()))
    script = ERRORS + "tell(problem(lambda: PcscPort(args[0], protocol=Protocol.T1)))\n"
    assert clients.pyscard(script, slots[0].name)[0] == "ProtocolRefused"


def test_a_card_of_t1_alone(serve, slots, clients):
    serve(faulty(sample_card(), wrong_atr(bytes.fromhex("3B800101"))))
    script = ERRORS + (
        "with PcscPort(args[0], protocol=Protocol.T1) as port:\n"
        "    spoken = port.protocol.name\n"
        "tell([spoken, problem(lambda: PcscPort(args[0], protocol=Protocol.T0))])\n"
    )
    spoken, refused = clients.pyscard(script, slots[0].name)
    assert spoken == "T1"
    assert refused == ["ProtocolRefused", f"{slots[0].name}: the card does not speak this protocol"]


def test_a_card_that_does_not_answer_to_reset(serve, slots, clients):
    """From the beginning, and one that died in a command."""
    serve(faulty(sample_card(), mute()), slots[0])
    serve(faulty(sample_card(), dies(after=0)), slots[1])
    script = ERRORS + (
        "port = PcscPort(args[1])\n"
        "last = port.transmit(bytes.fromhex('0084000008')).hex()\n"
        "warm = problem(port.reset)\n"
        "tell([problem(lambda: PcscPort(args[0])), last, warm, problem(lambda: port.atr)])\n"
    )
    first, last, warm, after = clients.pyscard(script, slots[0].name, slots[1].name)
    assert first == ["CardUnpowered", f"{slots[0].name}: the card has no power"]
    assert last == "6f00"
    assert warm == ["CardUnpowered", f"{slots[1].name}: the card does not answer to reset"]
    assert after[0] == "TransportError"


def test_a_card_that_is_mute_in_a_command(slots, clients, pcscd):
    """vpcd waits for ever; half a status word is as near as it comes."""
    with HalfAnswers(slots[0]):
        pcscd.wait(slots[0], present=True)
        script = ERRORS + (
            "port = PcscPort(args[0])\n"
            "tell(problem(lambda: port.transmit(bytes.fromhex('0084000008'))))\n"
        )
        seen = clients.pyscard(script, slots[0].name)
    pcscd.wait(slots[0], present=False)
    assert seen == ["CardMute", f"{slots[0].name}: the card does not answer: reset it"]


class HalfAnswers:
    """A card at vpcd's wire that answers every command with one byte."""

    def __init__(self, slot):
        self.socket = socket.create_connection((slot.host, slot.port))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()

    def serve(self):
        framer = Framer()
        with suppress(ConnectionError):  # the reader drops a card that leaves in its question
            while data := self.socket.recv(0x1000):
                for event in framer.feed(data):
                    if event is Control.GET_ATR:
                        self.socket.sendall(frame(sample_card().atr))
                    elif isinstance(event, Apdu):
                        self.socket.sendall(frame(b"\x90"))


def test_pcscd_stops_while_a_port_is_open(clients_of):
    with PrivatePcscd(slots=1) as daemon, CardSlot(HOST, daemon.slots[0].port) as place:
        place.insert(PoweredSlot(sample_card()))
        daemon.wait(daemon.slots[0], present=True)
        script = ERRORS + (
            "port = PcscPort(args[0]); tell('open'); told()\n"
            "tell([problem(lambda: port.transmit(bytes.fromhex('0084000008'))),\n"
            "      problem(port.reset), problem(port.close), problem(lambda: PcscPort(args[0]))])\n"
        )
        with clients_of(daemon).pyscard_talk(script, daemon.slots[0].name) as talking:
            assert talking.told() == "open"
            daemon.stop()
            talking.tell()
            command, reset, close, again = talking.told()
    assert command[0] == reset[0] == again[0] == "ReaderAbsent", (command, reset, again)
    assert close is None


def test_no_card_and_no_reader(slots, clients):
    script = ERRORS + (
        "tell([problem(lambda: PcscPort(args[0])), problem(lambda: PcscPort('no such'))])\n"
    )
    absent, unknown = clients.pyscard(script, slots[1].name)
    assert absent[0] == "CardAbsent"
    assert unknown[0] == "ReaderAbsent"


class Slow:
    """A card that takes its time for a command, and can be taken out meanwhile."""

    def __init__(self, card, pause):
        self.card = card
        self.pause = pause

    def __getattr__(self, name):
        return getattr(self.card, name)

    def transmit(self, apdu):
        self.pause()
        return self.card.transmit(apdu)


def test_a_card_that_is_too_slow(serve, slots, clients):
    serve(Slow(powered(sample_card()), lambda: time.sleep(1.5)))
    script = ERRORS + (
        "port = PcscPort(args[0], timeout_s=0.3)\n"
        "late = problem(lambda: port.transmit(bytes.fromhex('0084000008')))\n"
        "tell([late, problem(lambda: port.transmit(bytes.fromhex('0084000008')))])\n"
        "import os; os._exit(0)\n"
    )
    late, closed = clients.pyscard(script, slots[0].name)
    assert late == ["CardTimeout", f"{slots[0].name}: no answer within 0.3 s"]
    assert closed[0] == "TransportError"


@pytest.mark.parametrize("timeout_s", [None, 30])
def test_a_card_taken_out_in_the_middle_of_a_command(serve, slots, clients, timeout_s):
    """The slot is empty before the answer."""

    def yank():
        raise CardRemoved("the card was taken out")

    serve(Slow(powered(sample_card()), yank))
    script = ERRORS + (
        "port = PcscPort(args[0], timeout_s=args[1])\n"
        "tell(problem(lambda: port.transmit(bytes.fromhex('0084000008'))))\n"
    )
    seen = clients.pyscard(script, slots[0].name, timeout_s)
    assert seen[0] == "CardRemoved", seen


def test_a_card_taken_out_between_commands(serve, slots, clients, pcscd):
    place = serve(powered(sample_card()))
    script = ERRORS + (
        "port = PcscPort(args[0])\n"
        "tell('in')\n"
        "told()\n"
        "tell(problem(lambda: port.transmit(bytes.fromhex('0084000008'))))\n"
    )
    with clients.pyscard_talk(script, slots[0].name) as talking:
        assert talking.told() == "in"
        place.remove()
        pcscd.wait(slots[0], present=False)
        talking.tell()
        assert talking.told()[0] == "CardRemoved"
