"""`sscard serve` at work: a PSAM beside the card, orders while it runs, and its end by kill -9."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from served import PROGRAM, Served

from sscard import imagefile
from sscard.errors import TransportError
from sscard.inspect import fsck
from sscard.sample import new_card, sample_card, sample_psam
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readers import reader_states

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd")]

ATR = "3B6D00000087CF20018649999900000001"
OTHER_ATR = "3B6D00000087CF20018649999900000002"
PSAM_ATR = "3B69000000FE53100086FE9900"


class Orderly(Served):
    """`sscard serve` with a private pcscd, taking orders from a pipe, answering in JSON."""

    def __init__(self, *arguments):
        super().__init__(*arguments, "--with-pcscd", "--control", stdin=subprocess.PIPE)
        assert self.facts, self.finish()
        self.readers = [reader["reader"] for reader in self.facts["readers"]]
        self.environment = self.facts["environment"]
        self.socket = Path(self.environment["PCSCLITE_CSOCK_NAME"])

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def done(self, line):
        answer = self.order(line)
        assert answer["ok"], answer
        return answer["done"]

    def refused(self, line):
        answer = self.order(line)
        assert not answer["ok"], answer
        return answer["error"]

    def present(self):
        """Where pcscd sees a card."""
        states = {state.name: state for state in reader_states(self.socket)}
        return [states[name].present for name in self.readers]

    def finish(self):
        code, output, errors = super().finish()
        assert "Traceback" not in errors
        return code, output, errors


@pytest.fixture
def files(tmp_path):
    other = new_card("v2", {"atr.historical": "0087CF20018649999900000002"})
    cards = {"card": sample_card(), "other": other, "psam": sample_psam()}
    for name, card in cards.items():
        imagefile.save(tmp_path / f"{name}.img", card.image, card.env)
    return {name: tmp_path / f"{name}.img" for name in cards}


# --- the PSAM beside the card ---------------------------------------------------------------------


@pytest.mark.requires("pyscard")
def test_ssse_5_3_card_and_psam_served_by_one_command(files, clients_of):
    with Orderly(files["card"], "--psam", files["psam"]) as served:
        assert [reader["atr"] for reader in served.facts["readers"]] == [ATR, PSAM_ATR]
        card, sam = served.readers
        words = ("--reader", card, "--psam", sam, "--today", "2026-07-01")
        clients = clients_of(served)
        read = json.loads(clients.run(*PROGRAM, "read", *words, "--json"))
        assert [check["outcome"] for check in read["checks"]].count("failed") == 0
        clients.run(*PROGRAM, "pin", "reload", *words, "--new-pin", "246810")
        assert "is right" in clients.run(*PROGRAM, "pin", "verify", *words, "--pin", "246810")
        assert served.done("quit") == "the cards are taken out"
        assert served.finish()[0] == 0
    for name in ("card", "psam"):
        assert fsck(imagefile.load(files[name])[0]) == []


def test_sample_card_and_sample_psam():
    with Orderly("--sample", "--sample-psam") as served:
        told = {reader["card"]: reader["atr"] for reader in served.facts["readers"]}
        assert told == {"sample card": ATR, "sample PSAM": PSAM_ATR}
        assert served.present() == [True, True]


# --- orders ---------------------------------------------------------------------------------------


def test_cards_are_pulled_inserted_swapped_and_reset(files):
    with Orderly(files["card"], "--sample-psam") as served:
        first, second = served.readers
        assert served.done("pull 1") == f"{files['card']} is out of {first}"
        assert served.present() == [False, True]
        assert "no card" in served.refused("pull 1")
        assert f"1 {first}: {files['card']}, pulled; 2 {second}" in served.done("list")
        assert served.done("insert 1") == f"{files['card']} is in {first}"
        assert served.present() == [True, True]
        assert "there is a card" in served.refused(f"insert 1 {files['other']}")
        assert served.done(f"swap 1 {files['other']}") == f"{files['other']} is in {first}"
        assert served.present() == [True, True]
        assert served.done("reset 2").endswith(second)
        assert served.done("reset").count("is in") == 2
        assert "pull N" in served.done("help")
        # the first card's file is free again, the second one's is not
        assert fsck_by_command(files["card"]) == 0
        served.done("pull 1")
        assert served.done(f"insert 1 {files['card']}")
        assert served.done("quit")
        assert served.finish()[0] == 0
    assert not served.socket.exists()


def fsck_by_command(path):
    return subprocess.run(
        (*PROGRAM, "apdu", str(path), "--save", "0084000008"), check=False, capture_output=True
    ).returncode


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("pull", "no order"),
        ("pull 3", "1 to 1"),
        ("pull 0", "1 to 1"),
        ("pull x", "1 to 1"),
        ("eject 1", "pull N"),
        ("swap 1 nothing.img", "nothing.img"),
        ("swap 1 /", "/"),
        ("insert 1", "there is a card"),
    ],
)
def test_a_wrong_order_moves_nothing(sample_served, order, words):
    assert words in sample_served.refused(order)
    assert sample_served.present() == [True]


@pytest.fixture(scope="module")
def sample_served():
    with Orderly("--sample") as served:
        yield served


def test_the_same_file_is_not_swapped_with_itself(files):
    """It is in use: the card stays, and `reset` is the word for out and in again."""
    with Orderly(files["card"]) as served:
        assert str(files["card"]) in served.refused(f"swap 1 {files['card']}")
        assert served.present() == [True]


def test_a_client_sees_the_card_leave_and_come_back(files, clients_of):
    with Orderly(files["card"]) as served:
        script = """
from smartcard.Exceptions import NoCardException
def atr():
    try:
        c = connection(args[0]); c.connect()
    except NoCardException:
        return ""
    return bytes(c.getATR()).hex().upper()
tell(atr()); told(); tell(atr()); told(); tell(atr())
"""
        with clients_of(served).pyscard_talk(script, served.readers[0]) as client:
            assert client.told() == ATR
            served.done("pull 1")
            client.tell()
            assert client.told() == ""
            served.done(f"insert 1 {files['other']}")
            client.tell()
            assert client.told() == OTHER_ATR


def test_the_end_of_a_scripts_pipe_takes_the_cards_out(files):
    with Orderly(files["card"]) as served:
        served.process.stdin.close()
        served.process.stdin = None
        assert served.finish()[0] == 0
    assert not served.socket.exists()


IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_orders_are_typed_at_a_terminal(files, slots):
    """In a terminal orders need no option; the answers are lines of text."""
    ours, theirs = pty.openpty()
    command = (*PROGRAM, "serve", str(files["card"]), "--port", str(slots[0].port))
    process = subprocess.Popen(
        (sys.executable, "-c", IN_A_TERMINAL, *command),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        lines = iter(process.stdout.readline, "")
        assert any("Orders: pull N" in line for line in lines)
        assert "Ctrl-C" in next(lines)
        os.write(ours, b"pull 1\neject\nquit\n")
        assert "is out of" in next(lines)
        assert next(lines).startswith("error: 'eject' is no order")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


def test_without_control_a_pipe_is_left_alone(files, slots):
    """`sscard serve card.img < /dev/null &` goes on serving."""
    command = (*PROGRAM, "serve", str(files["card"]), "--port", str(slots[0].port), "--json")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert json.loads(process.stdout.readline())["readers"]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()  # whatever happened, the slot is free for the next test
            process.communicate()
    assert process.returncode == 0


# --- the end of pcscd -----------------------------------------------------------------------------


def listens(socket):
    try:
        reader_states(socket, timeout_s=0.5)
    except TransportError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_kill_9_ends_the_private_pcscd_too():
    with Orderly("--sample") as served:
        assert listens(served.socket)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(10)
        deadline = time.monotonic() + 10
        while listens(served.socket) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not listens(served.socket)


def test_a_pcscd_started_by_a_thread_outlives_it():
    """The kernel's signal comes with the thread's end, so only the main thread asks for it."""
    daemon = PrivatePcscd(slots=1)
    starter = threading.Thread(target=daemon.start)
    starter.start()
    starter.join()
    try:
        time.sleep(0.3)
        assert listens(daemon.socket_path)
    finally:
        daemon.stop()
