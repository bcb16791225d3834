"""APDUs per second through pcscd and the virtual reader, beside a card that does nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measure import Result
from sscard.sample import sample_card
from sscard.transport.memory import PoweredSlot
from sscard.transport.pcscd import PrivatePcscd, VirtualSlot, missing
from sscard.transport.port import CardPort
from sscard.transport.serve import CardSlot

__all__ = ["pcsc_results"]

_COUNT = 2000
_CLIENT = """\
import json, sys, time
from smartcard.System import readers
name, count, apdus = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
link = next(r for r in readers() if r.name == name).createConnection()
link.connect()
*before, timed = [list(bytes.fromhex(apdu)) for apdu in apdus]
for apdu in before:
    assert link.transmit(apdu)[1] in (0x90, 0x61)
times = []
for _ in range(7):
    begin = time.perf_counter()
    for _ in range(count // 7):
        link.transmit(timed)
    times.append((time.perf_counter() - begin) / (count // 7))
print(json.dumps(sorted(times)))
"""
_SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"
_READ = "00B2052C00"


class _Nothing:
    """A card that answers 9000 to everything."""

    atr = bytes.fromhex("3B6800000073C84000009000")

    def power_on(self) -> None:
        """Nothing to power."""

    def power_off(self) -> None:
        """Nothing to cut."""

    def reset(self) -> None:
        """Nothing to forget."""

    def transmit(self, apdu: bytes) -> bytes:
        """Answer at once."""
        return b"\x90\x00" if len(apdu) else b"\x67\x00"


def pcsc_results(say: Callable[[str], object]) -> list[Result]:
    """Measure both cards behind one private pcscd; say why when that cannot be."""
    lacking = missing()
    if lacking is not None:
        say(f"no PC/SC figures: {lacking}")
        return []
    try:
        import smartcard  # noqa: F401 - only asked whether it is there
    except ImportError:
        say("no PC/SC figures: pyscard is not installed (make deps)")
        return []
    with PrivatePcscd() as pcscd:
        first, second = pcscd.slots[:2]
        with (
            _served(pcscd, first, _Nothing()),
            _served(pcscd, second, PoweredSlot(sample_card(), link="t0")),
        ):
            return [
                _result(pcscd, "pcscd: a card that does nothing", first, [_READ]),
                _result(pcscd, "pcscd: READ RECORD of the sample card", second, [_SELECT, _READ]),
            ]


@contextmanager
def _served(pcscd: PrivatePcscd, slot: VirtualSlot, card: CardPort) -> Iterator[None]:
    holder = CardSlot(slot.host, slot.port)
    holder.insert(card)
    try:
        pcscd.wait(slot, present=True)
        yield
    finally:
        holder.remove()


def _result(pcscd: PrivatePcscd, name: str, slot: VirtualSlot, apdus: list[str]) -> Result:
    done = subprocess.run(
        [sys.executable, "-c", _CLIENT, slot.name, str(_COUNT), *apdus],
        env={**os.environ, **pcscd.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    times = json.loads(done.stdout)
    middle = times[len(times) // 2]
    spread = (times[-2] - times[1]) / middle
    return Result(name, 1 / middle, spread, None, "client, pcscd and card on one machine")
