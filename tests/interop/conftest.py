"""The rig: a private pcscd, cards in its slots, and programs nobody here wrote as its clients.

`pcscd` is one daemon for the whole run, `serve(card, slot)` puts a card into a slot of it until
the end of the test, `clients` runs programs against it: each in a process of its own, because
libpcsclite remembers the first socket name it hears, and each with a time limit.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from sscard.transport.pcscd import PrivatePcscd, VirtualSlot
from sscard.transport.port import CardPort
from sscard.transport.serve import CardSlot

TIME_LIMIT_S = 60

PYSCARD_PRELUDE = """\
import json, sys, time
from smartcard.System import readers
from smartcard.scard import *

args = json.loads(sys.argv[1])

def connection(name):
    return next(r for r in readers() if r.name == name).createConnection()

def transmit(connection, text):
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(text)))
    return bytes([*data, sw1, sw2]).hex().upper()

def tell(value):
    print(json.dumps(value), flush=True)

def told():
    return sys.stdin.readline()
"""


class Clients:
    """Programs that read cards, run against one pcscd."""

    def __init__(self, pcscd: PrivatePcscd, home: Path, require: Callable[[str], None]) -> None:
        self._pcscd = pcscd
        self._home = home
        self._require = require

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client: this daemon, no settings of the user's."""
        return {**os.environ, **self._pcscd.environment, "HOME": str(self._home), "LC_ALL": "C"}

    def run(self, *command: str, text: str = "") -> str:
        """Run a program to its end; return what it wrote, both channels together."""
        result = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}"
        return result.stdout

    def opensc_tool(self, slot: VirtualSlot, *options: str) -> str:
        """`opensc-tool` on one slot: `-a` for the ATR, `-s HEX` for a command."""
        self._require("opensc-tool")
        return self.run("opensc-tool", "-r", slot.name, *options)

    def scriptor(self, slot: VirtualSlot, *lines: str) -> str:
        """`scriptor` on one slot, fed with `lines` (hex commands, `reset`)."""
        self._require("scriptor")
        return self.run("scriptor", "-r", slot.name, text="".join(f"{line}\n" for line in lines))

    def pcsc_scan(self, seconds: int = 1) -> str:
        """What `pcsc_scan` sees in all slots; it ends by its own time limit."""
        self._require("pcsc_scan")
        return self.run("pcsc_scan", "-n", "-t", str(seconds))

    def pyscard(self, script: str, *args: Any, text: str = "") -> Any:
        """Run `script` after the prelude with `args` and an input; return what it last told."""
        self._require("pyscard")
        command = (sys.executable, "-c", PYSCARD_PRELUDE + script, json.dumps(args))
        output = self.run(*command, text=text)
        return json.loads(output.splitlines()[-1])

    def talk(self, slot: VirtualSlot, *apdus: str) -> Any:
        """Send commands through pyscard to the card in a slot; return the answers, all in hex."""
        script = "c = connection(args[0]); c.connect(); tell([transmit(c, a) for a in args[1:]])\n"
        return self.pyscard(script, slot.name, *apdus)

    def sscard(self, *words: str, code: int = 0) -> str:
        """Run a command of ours that ends with an exit code; return its output."""
        result = subprocess.run(
            [sys.executable, "-m", "sscard", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout

    def pyscard_talk(self, script: str, *args: Any) -> "Talk":
        """Start `script` after the prelude, to be talked with while it runs."""
        self._require("pyscard")
        command = [sys.executable, "-c", PYSCARD_PRELUDE + script, json.dumps(args)]
        return Talk(command, self.environment)


class Talk:
    """A pyscard client that goes on when it is told to: `tell` and `told`, on both ends."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def told(self) -> Any:
        """Wait for the next thing the client tells."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the client ended"
        return json.loads(line)

    def tell(self) -> None:
        """Let the client go on."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@pytest.fixture(scope="session")
def pcscd(require) -> Iterator[PrivatePcscd]:
    require("pcscd")
    require("vpcd")
    with PrivatePcscd(slots=2) as daemon:
        yield daemon


@pytest.fixture
def slots(pcscd) -> Iterator[tuple[VirtualSlot, ...]]:
    """The slots of the shared daemon, empty again before the next test.

    A card that a test left to a process of its own is gone when that process is, but the daemon
    looks every 0.4 s only: a card put in before it looks would be taken for the one before.
    """
    yield pcscd.slots
    for slot in pcscd.slots:
        pcscd.wait(slot, present=False)


@pytest.fixture
def clients_of(tmp_path, require) -> Callable[[PrivatePcscd], Clients]:
    """`clients_of(daemon)`: clients of another daemon than the shared one."""
    return lambda daemon: Clients(daemon, tmp_path, require)


@pytest.fixture
def clients(pcscd, clients_of) -> Clients:
    return clients_of(pcscd)


@pytest.fixture
def serve(pcscd, slots) -> Iterator[Callable[..., CardSlot]]:
    """`serve(card, slot)`: put a card in (the first slot by default) and wait until it is seen."""
    used: list[CardSlot] = []

    def put(card: CardPort, slot: VirtualSlot = pcscd.slots[0]) -> CardSlot:
        place = CardSlot(slot.host, slot.port)
        used.append(place)
        place.insert(card)
        pcscd.wait(slot, present=True)
        return place

    yield put
    for place in used:
        place.remove()
