"""kill -9 in the middle of a write to the image file: reopened, the card is before or after.

A served file is the EEPROM (cos 1.2), so a killed process is a power loss (cos 1.4). The first
half is exhaustive and needs no reader: a child kills itself at its n-th write, for every n, once
before the write and once in the middle of it. The second kills a serving process from outside
while a client updates a record.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from sscard import imagefile
from sscard.card import Card
from sscard.inspect import fsck
from sscard.inspect.contents import Contents
from sscard.inspect.values import stored
from sscard.sample import new_card

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
R = "A1B2C3D4E5F60718"
PROVE = f"0082000410BF73E23E92A1E839{R}"
CHALLENGE = "0084000008"

# Forks once for every case: the child opens the file, is set up, and dies at a write of its last
# command. Ends when a child survives its command; its file is the state after.
HARNESS = """
import json, os, shutil, signal, sys
from sscard.card import Card
from sscard.imagefile import ImageFile

folder, challenge, setup, last = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
write = ImageFile.write
at, half, count = None, False, 0

def dying_write(self, address, data):
    global count
    if at is not None and count == at:
        if half:
            write(self, address, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    write(self, address, data)

ImageFile.write = dying_write

def run(path, kill_at, kill_half):
    global at, half, count
    with Card.open(path) as card:
        card.env.force_random(bytes.fromhex(challenge))
        power = card.power_on()
        for apdu in setup:
            assert power.transmit(bytes.fromhex(apdu))[-2:] == b"\\x90\\x00", apdu
        at, half, count = kill_at, kill_half, 0
        return power.transmit(bytes.fromhex(last))[-2:]

for number in range(1000):
    for kill_half in (False, True):
        path = f"{folder}/{number}-{int(kill_half)}.img"
        shutil.copy(f"{folder}/start.img", path)
        shutil.copy(f"{folder}/start.img.env", path + ".env")
        child = os.fork()
        if not child:
            sw = run(path, number, kill_half)
            print(json.dumps([number, sw.hex()]), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        assert os.WTERMSIG(status) == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A card's file, powered on once, so that nothing but the command changes it."""
    path = tmp_path_factory.mktemp("kill") / "start.img"
    card = new_card("v2")
    imagefile.save(path, card.image, card.env)
    return path


def outside_the_ring(image):
    """The image without its journal: what is stored, and what lies in free space."""
    block = Contents.read(image).block
    ring = slice(64 * block.journal_start, 64 * (block.journal_start + block.journal_pages))
    kept = bytearray(image)
    kept[ring] = bytes(ring.stop - ring.start)
    return bytes(kept)


def reopened(path):
    """Recover the card of a file; return the file's image then."""
    with Card.open(path) as card:
        card.power_on()
    image, _ = imagefile.load(path)
    assert fsck(image) == [], path.name
    return image


def kill_everywhere(start, tmp_path, setup, last, challenge=R):
    """Return the images before, after, and one for every place of the kill."""
    for name in ("start.img", "start.img.env"):
        shutil.copy(start.parent / name, tmp_path / name)
    command = (sys.executable, "-c", HARNESS, str(tmp_path), challenge, json.dumps(setup), last)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    survived, sw = json.loads(done.stdout)
    before = reopened(tmp_path / "start.img")
    after = reopened(tmp_path / f"{survived}-0.img")
    torn = {
        (number, half): reopened(tmp_path / f"{number}-{half}.img")
        for number in range(survived)
        for half in (0, 1)
    }
    return before, after, torn, sw


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_cos_1_3_T1_update_record_killed_at_every_write(start, tmp_path, record_property):
    before, after, torn, sw = kill_everywhere(
        start, tmp_path, [SSSE, CHALLENGE, PROVE], "00DC052806050420240116"
    )
    assert sw == "9000"
    assert stored(before, "ssse.EF05.record.5").hex() == "050420240115"
    assert stored(after, "ssse.EF05.record.5").hex() == "050420240116"
    states = {outside_the_ring(before): "before", outside_the_ring(after): "after"}
    found = [states[outside_the_ring(torn[place])] for place in sorted(torn)]
    assert len(found) >= 8
    record_property("tear kills of a process", len(torn))
    assert {"before", "after"} == set(found)
    assert found == sorted(found, key=["before", "after"].index), "back and forth"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("proof", "sw"), [(PROVE, "9000"), (f"0082000410{'00' * 8}{R}", "63cd")])
def test_cos_1_3_T2_external_authenticate_killed_at_every_write(
    start, tmp_path, record_property, proof, sw
):
    """The try is spent before the comparison: 14, then 13, and 14 again after a right proof."""
    before, after, torn, answered = kill_everywhere(start, tmp_path, [SSSE, CHALLENGE], proof)
    assert answered == sw
    counter = "ssse.key.0D.04.tries_left"
    assert stored(before, counter) == 14
    assert stored(after, counter) == (14 if sw == "9000" else 13)
    found = [stored(torn[place], counter) for place in sorted(torn)]
    record_property("tear kills of a process", len(torn))
    assert set(found) == {14, 13}
    changes = sum(one != other for one, other in pairwise(found))
    assert changes <= (2 if sw == "9000" else 1)
    legal = {outside_the_ring(before), outside_the_ring(after)}
    spent = {outside_the_ring(torn[p]) for p in torn if stored(torn[p], counter) == 13}
    assert len(spent) == 1
    assert {outside_the_ring(image) for image in torn.values()} <= legal | spent


def test_a_killed_power_on_repeats_no_challenge(start, tmp_path):
    """The power-on count is saved before the first answer (README of the reference, rule 12)."""
    path = tmp_path / "start.img"
    for name in ("start.img", "start.img.env"):
        shutil.copy(start.parent / name, tmp_path / name)
    code = """
import os, signal, sys
from sscard.card import Card
with Card.open(sys.argv[1]) as card:
    print(card.power_on().transmit(bytes.fromhex("0084000008")).hex(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    seen = set()
    for _ in range(3):
        done = subprocess.run(
            (sys.executable, "-c", code, str(path)), capture_output=True, text=True, check=False
        )
        assert done.returncode == -signal.SIGKILL
        seen.add(done.stdout)
    assert len(seen) == 3


# ---- over pcscd --------------------------------------------------------------------------------

PROGRAM = (sys.executable, "-m", "sscard")
CLIENT = """
from sscard.keys.session import cryptogram
from sscard.cli.demo.world import Psam

def answer(text):
    reply = transmit(c, text)
    if reply[-4:-2] == "61":
        return transmit(c, "00C00000" + reply[-2:])
    return reply

name, first = args
c = connection(name); c.connect()
psam = Psam("999901", bytes(c.getATR())[-8:])
answer("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
challenge = bytes.fromhex(answer("0084000008")[:-4])
assert answer("0082000410" + psam.prove_update(challenge).hex()) == "9000"
tell("ready"); told()
number = first
while True:
    number += 1
    assert answer("00DC0528060504%08d" % number) == "9000"
    tell(number)
"""


def serving(path, slot):
    """Start `sscard serve` on a slot; return the process once its card is in."""
    process = subprocess.Popen(
        (*PROGRAM, "serve", str(path), "--port", str(slot.port), "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert json.loads(process.stdout.readline())["readers"][0]["card"] == str(path)
    return process


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
def test_cos_1_3_T4_a_serving_process_killed_at_random(start, tmp_path, pcscd, slots, clients):
    """What the card acknowledged is kept; what it did not has happened whole or not at all."""
    path = tmp_path / "start.img"
    for name in ("start.img", "start.img.env"):
        shutil.copy(start.parent / name, tmp_path / name)
    chance = random.Random(4)
    number = 20240115
    for _ in range(4):
        server = serving(path, slots[0])
        try:
            pcscd.wait(slots[0], present=True)
            with clients.pyscard_talk(CLIENT, slots[0].name, number) as client:
                assert client.told() == "ready"
                client.tell()
                last = number
                deadline = time.monotonic() + chance.uniform(0.02, 0.2)
                while time.monotonic() < deadline:
                    last = client.told()
                server.kill()
                assert client.process.stdout
                for line in client.process.stdout:
                    last = json.loads(line)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        pcscd.wait(slots[0], present=False)
        record = stored(reopened(path), "ssse.EF05.record.5").hex()
        assert record in {f"0504{last:08}", f"0504{last + 1:08}"}
        assert last > number
        number = int(record[4:])
