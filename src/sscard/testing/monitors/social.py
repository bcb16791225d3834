"""Properties of the social side: one use of a challenge, rights before reading, tries."""

from collections import deque
from dataclasses import dataclass, field
from functools import cache

from sscard.inspect.trace import Failure, Place, Step
from sscard.spec.ssse import SSSE_FID, VERSIONS, Directory, Ef
from sscard.terminal.rights import alternatives
from sscard.testing.monitors.monitor import Monitor

__all__ = ["ChallengeOnce", "FreshChallenges", "ReadRights", "TriesFall"]

_SSSE, _PSE = 1, 2
_SELECT, _VERIFY, _EXTERNAL, _CHALLENGE = 0xA4, 0x20, 0x82, 0x84
_CHANGE_PIN, _PIN_ORDERS = 0x5E, 0x24
_READ_RECORD, _READ_BINARY = 0xB2, 0xB0
_LOCAL = 0x80
_WRONG, _BLOCKED, _WRONG_MAC = 0x63C0, 0x6983, 0x6988
_HISTORY_MOST = 4
"""Challenges a card may keep: its policy is not seen on the wire (ssse-lb002 3.8)."""
_SECURE = 0x04
_SECURE_CLASSES = (0x04, 0x84)
_OK, _LONG = 0x9000, 8
_VERSION_TAG = 0x03


class ChallengeOnce(Monitor):
    """Counts the challenges nobody has used yet; a proof accepted when there is none is wrong.

    A proof is EXTERNAL AUTHENTICATE or a command under secure messaging. It uses a challenge up
    when the card has compared something, right or wrong; one refused before that leaves it. Another
    environment takes all of them away. The same proof taken twice is wrong, however many others
    were drawn, unless the card has drawn a number again that it may stand for (which
    `FreshChallenges` has its own word on).
    """

    name = "challenge-once"
    title = "a challenge serves one proof"
    source = "ssse-lb002 3.8, cos 5.4"

    def __init__(self) -> None:
        self._unused = 0
        self._latest: deque[bytes] = deque(maxlen=_HISTORY_MOST)
        self._used: dict[tuple[Place, int, bytes], frozenset[bytes]] = {}
        """Each proof that was taken, with the challenges one of which it has used."""

    def power(self) -> None:
        """A reset takes the challenges away."""
        self._unused = 0

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        command, left, entered = step.command, step.before.domain, step.after.domain
        if None not in (left, entered) and left != entered:
            self._unused = 0
        if command is None or left == _PSE:
            return ""
        if command.ins == _CHALLENGE and not command.cla:
            if step.done:
                self._draw(step)
            return ""
        proof = command.ins == _EXTERNAL and not command.cla & 0x80
        if not proof and command.cla not in _SECURE_CLASSES:
            return ""
        compared = step.done or step.sw & 0xFFF0 == _WRONG or step.sw == _WRONG_MAC
        unused, self._unused = self._unused, max(0, self._unused - compared)
        if not step.done:
            return ""
        if not unused:
            return "a proof was accepted, and no challenge was drawn for it"
        if proof and step.apdu.command.whole:
            spoken = (step.before, command.p2, command.data)
            if spoken in self._used:
                return "a proof that had been accepted was accepted again"
            self._used[spoken] = frozenset(self._latest)
        return ""

    def _draw(self, step: Step) -> None:
        self._unused = min(self._unused + 1, _HISTORY_MOST)
        drawn = step.data if step.apdu.response.whole else b""
        self._latest.append(drawn)
        for spoken in [one for one, for_ in self._used.items() if drawn and drawn in for_]:
            del self._used[spoken]


class FreshChallenges(Monitor):
    """Keeps the challenges of 8 bytes and more; one that comes again is no random number."""

    name = "fresh-challenges"
    title = "a card never draws the same challenge again"
    source = "cos 1.5, ssse-lb002 3.8"

    def __init__(self) -> None:
        self._drawn: set[bytes] = set()

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        command, drawn = step.command, step.data
        if command is None or (command.cla, command.ins) != (0x00, _CHALLENGE):
            return ""
        if step.sw != _OK or len(drawn) < _LONG or not step.apdu.response.whole:
            return ""
        if drawn in self._drawn:
            return "the card drew a challenge that it had drawn before"
        self._drawn.add(drawn)
        return ""


@dataclass
class ReadRights(Monitor):
    """Follows what was proved since the environment was selected; reads must have their condition.

    `generation` says whose file table; None: what the card's EF05 said in the trace, and until
    then a read is wrong only if no generation allows it. A card with its own rules needs its own
    generation's table, or another monitor.
    """

    name = "read-rights"
    title = "no file is read without its condition"
    source = "ssse-lb002 2.3, 2.4, 4.3, 4.4"
    generation: str | None = None
    _pin: bool = False
    _keys: set[int] = field(default_factory=set)
    _file: int | None = None

    def power(self) -> None:
        """A reset takes every right away."""
        self._forget()

    def lost(self, failure: Failure) -> None:
        """So does a power loss."""
        self._forget()

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        command = step.command
        if command is None:
            return ""
        if command.ins == _SELECT and step.done:
            self._select(step)
        elif step.before.domain == _SSSE:
            if command.ins in (_VERIFY, _CHANGE_PIN):
                self._prove_pin(step, verifying=command.ins == _VERIFY)
            elif command.ins == _EXTERNAL:
                self._prove_key(command.p2, step)
            elif command.ins in (_READ_RECORD, _READ_BINARY) and not command.cla & 0x80:
                return self._read(step)
        return ""

    def _forget(self) -> None:
        self._pin, self._file = False, None
        self._keys.clear()

    def _select(self, step: Step) -> None:
        command, before, after = step.command, step.before, step.after
        assert command is not None, "a selection was understood"
        if after.domain != _SSSE:
            self._forget()
        elif (after.domain, after.directory) != (before.domain, before.directory):
            if after.directory == SSSE_FID:
                self._forget()
            self._keys = {kid for kid in self._keys if kid < _LOCAL}
            self._file = None
        elif after.directory == SSSE_FID and (command.p1 == 4 or command.data == b"\xdd\xf1"):
            self._forget()
        elif len(command.data) == 2:
            self._file = int.from_bytes(command.data)

    def _prove_pin(self, step: Step, *, verifying: bool) -> None:
        if step.done and verifying:
            self._pin = True
        elif step.sw & 0xFFF0 == _WRONG and step.command is not None and step.command.data:
            self._pin = False

    def _prove_key(self, kid: int, step: Step) -> None:
        if step.done:
            self._keys.add(kid)
        elif step.sw & 0xFFF0 == _WRONG:
            self._keys.discard(kid)

    def _read(self, step: Step) -> str:
        command, directory = step.command, step.before.directory
        assert command is not None, "a read was understood"
        sfi = self._sfi(command.ins, command.p1, command.p2)
        fid = 0xEF00 | sfi if sfi else self._file
        if not step.done or fid is None or directory is None or not step.data:
            return ""
        self._file = fid
        self._learn(step, fid)
        rules = _rules(directory, fid, self.generation)
        if not rules or any(self._fulfilled(rule) for rule in rules):
            return ""
        return f"{directory:04X}/{fid:04X} was read, which wants {' or '.join(sorted(rules))}"

    @staticmethod
    def _sfi(ins: int, p1: int, p2: int) -> int:
        if ins == _READ_RECORD:
            return p2 >> 3
        return p1 & 0x1F if p1 & 0x80 else 0

    def _fulfilled(self, rule: str) -> bool:
        return any(
            (self._pin or not way.pin) and self._keys.issuperset(way.kids)
            for way in alternatives(rule)
        )

    def _learn(self, step: Step, fid: int) -> None:
        """EF05 of the SSSE tells the version of the specification (ssse-lb002 2.3)."""
        told = (step.before.directory, fid) == (SSSE_FID, 0xEF05)
        if told and self.generation is None and step.data[:1] == bytes((_VERSION_TAG,)):
            name = f"v{step.data[2:3].decode('ascii', 'replace')}"
            self.generation = name if name in VERSIONS else None


@cache
def _rules(directory: int, fid: int, generation: str | None) -> frozenset[str]:
    """Return the read rules a file has, in one generation or in any."""
    tables = [VERSIONS[generation]] if generation else list(VERSIONS.values())
    files: list[Ef] = []
    for table in tables:
        home: Directory
        for home in table:
            if home.fid == directory:
                files += [file for file in home.files if file.fid == fid]
    return frozenset(file.read for file in files)


class TriesFall(Monitor):
    """Keeps the tries left of each PIN: they only fall, until a success or an unblocking.

    A wrong PIN costs a try; a blocked PIN stays blocked until somebody unblocks it.
    """

    name = "tries-fall"
    title = "a PIN's tries fall with each wrong one and never rise by themselves"
    source = "ssse-lb002 3.7, pse-pboc 2.4"

    def __init__(self) -> None:
        self._left: dict[int | None, int] = {}

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        command, domain = step.command, step.before.domain
        if command is None:
            return ""
        if command.ins == _PIN_ORDERS and command.cla & _SECURE:
            if step.done:
                self._left.clear()  # which PIN it was, and how many tries it has now, is not told
            return ""
        if command.ins not in (_VERIFY, _CHANGE_PIN):
            return ""
        last = self._left.get(domain)
        if step.sw & 0xFFF0 == _WRONG:
            left = self._left[domain] = step.sw & 0x0F
            compared = bool(command.data)
            if last is not None and (left >= last if compared else left > last):
                what = "a wrong PIN" if compared else "a mere question"
                return f"{left} tries are left after {what}, of {last}"
        elif step.sw == _BLOCKED:
            self._left[domain] = 0
        elif step.done:
            self._left.pop(domain, None)
            if last == 0:
                return "a PIN with no tries left was accepted"
        return ""

    def lost(self, failure: Failure) -> None:
        """An unblocking that was never answered may have happened."""
        if failure.command.data[1:2] in (bytes((_PIN_ORDERS,)), bytes((_VERIFY,)), b"\x5e"):
            self._left.clear()
