"""The step that sends a command under line protection, whatever key the card wants for it.

Source: ssse-lb002 4.6, 4.7.
"""

from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.keys.hierarchy import CARD_KEYS, CardKey
from sscard.terminal.errors import KeyNotHeld
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import DONE, Expect

__all__ = ["Line", "line_key", "lock_key"]

_LINE = 0x07
_LOCKS = ("LK", "BK")
_SPOILT = 0xA5


def line_key(place: str) -> CardKey:
    """Return the STK of a directory, that of the SSSE where it has none (4.7)."""
    found = [key for key in CARD_KEYS if key.kind == _LINE and key.place == place]
    return found[0] if found else line_key("SSSE")


def lock_key(place: str) -> CardKey | None:
    """Return the key that has to be proved before a directory is blocked: LK, or BK of the SSSE."""
    found = [key for key in CARD_KEYS if key.name in _LOCKS and key.place == place]
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Line:
    """Send a command with a MAC, as it stands or with `data` enciphered.

    `lock` takes the lock key for the MAC where the card's `block_mode` wants it. `spoil` alters
    the MAC, `challenge` False fetches none.
    """

    title: str
    place: str
    command: Command
    expect: Expect = DONE
    lock: bool = False
    spoil: bool = False
    challenge: bool = True

    def _key(self, bench: Bench) -> CardKey:
        lock = lock_key(self.place)
        if self.lock and lock and bench.switches.get("block_mode") == "mac_with_LK":
            return lock
        return line_key(self.place)

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_line(self._key(bench))

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        key, data = self._key(bench), self.command.data
        if reason := bench.missing_line(key):
            raise NotRun(reason)
        challenge = bench.challenge() if self.challenge else bytes(8)
        message = self.command._replace(data=data + bytes(4)).build()[:-4]
        try:
            mac = bench.computed(
                lambda source, card: source.mac(key, card, challenge, message, bench.flavour)
            )
        except KeyNotHeld as error:
            raise NotRun(str(error)) from error
        if self.spoil:
            mac = bytes((mac[0] ^ _SPOILT,)) + mac[1:]
        right = self.expect == DONE and self.challenge and not self.spoil
        command = self.command._replace(data=data + mac)
        reply = bench.transmit(command)
        bench.judge_protected(self.title, command, reply, self.expect, right=right)
