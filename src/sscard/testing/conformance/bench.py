"""Where cases run: a port, whoever computes for the tester, the PIN, and what was learnt so far.

The bench takes care of the card: a key or a PIN that was refused once where it should have been
right is never tried again in this run, so that no try counter is run down by a wrong vault. The
same goes for line protection: three wrong MACs in a row block an application for good.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from sscard.errors import SscardError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.hierarchy import CardKey
from sscard.keys.vault import BankVault, CardIdentity
from sscard.spec.ca_keys import CaKey
from sscard.terminal.crypto_source import CryptoSource, Flavour
from sscard.terminal.stack import Reply, layers
from sscard.testing.conformance.model import Expect
from sscard.transport.port import Port

__all__ = ["Bench", "Deviation", "Exchange", "NotRun", "key_name"]

_SECRET_DATA = frozenset((0x20, 0x24, 0x5E, 0xDC, 0xE2, 0xD6))
"""Instructions whose data are a PIN or the holder's: shown by their length alone."""
_INTERNAL = 0x0E
"""Kind of the IRK: it is computed with, and never sent anything of."""
_LINE = "line protection"
_CHALLENGE = 8
_SECRET_ANSWERS = frozenset((0xB0, 0xB2))


class Deviation(SscardError):
    """The card did something else than the case expects; the message says what."""


class NotRun(SscardError):
    """The case has nothing to look at on this card, or something it needs is not there."""


class Exchange(NamedTuple):
    """One APDU of a case as reports show it: PINs and the holder's data by their length."""

    title: str
    command: str
    answer: str
    expected: str
    problem: str


@dataclass(slots=True)
class Bench:
    """Everything a case may use.

    `source` None: no keys; `versions` are the sources of further versions of the keys, by the
    version byte; `pin` None: the PIN is not known, otherwise as it is sent (BCD).
    `flavour` and `pin_key` are how the card protects PIN commands: its `sm_mode` and `pin_sm_key`.
    `identity` is what the card's keys depend on, None when the card does not tell its region.
    `issuer` has the bank's keys, None without them; `ca_keys` verify certificates; `bank_pin` are
    the digits of the bank application's PIN, "" when it is not known; `today` dates transactions.
    `switches` are options of the card by name (docs/profile-options.md) as far as they are known:
    of a switch that is not told, every value is accepted.
    `distrust` says why no key is proved to this card, "" when they may be.
    `absent` are the directories the card has not.
    `kept` are the answers that steps of the running case kept, by name; `learnt` is what a suite
    knows of the card, by the suite's name.
    """

    port: Port
    source: CryptoSource | None = None
    pin: bytes | None = field(default=None, repr=False)
    flavour: Flavour = Flavour.SESSION
    pin_key: str = "STK@SSSE"
    versions: Mapping[int, CryptoSource] = field(default_factory=dict)
    issuer: BankVault | None = None
    ca_keys: tuple[CaKey, ...] = field(default=(), repr=False)
    bank_pin: str = field(default="", repr=False)
    switches: Mapping[str, str] = field(default_factory=dict)
    today: date = date(2026, 7, 1)
    identity: CardIdentity | None = None
    atr: bytes = b""
    distrust: str = ""
    absent: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict, repr=False)
    learnt: dict[str, object] = field(default_factory=dict, repr=False)
    log: list[Exchange] = field(default_factory=list, repr=False)
    _held: dict[str, bool] = field(default_factory=dict)

    # ---- commands ----

    def reset(self) -> bytes:
        """Reset the card; return its answer to reset."""
        self.atr = self.port.reset()
        return self.atr

    def transmit(self, command: Command) -> Reply:
        """Return the answer to a command, 61xx and 6Cxx followed."""
        return layers(self.port).send(command)

    def exchange(self, title: str, command: Command, expect: Expect) -> Reply:
        """Send a command, log it, and return the answer.

        Errors: `Deviation` for another answer than expected, `NotRun` for one that says that
        there is nothing to look at.
        """
        reply = self.transmit(command)
        return self.judge(title, command, reply, expect)

    def judge(self, title: str, command: Command, reply: Reply, expect: Expect) -> Reply:
        """Log an answer that was already received, and judge it as `exchange` does."""
        if expect.void is not None and reply.sw == expect.void[0]:
            self._note(title, command, reply, expect, "")
            raise NotRun(expect.void[1])
        problem = expect.problem(reply.data, reply.sw)
        self._note(title, command, reply, expect, problem)
        if problem:
            raise Deviation(f"{title}: expected {expect}, seen {problem}")
        return reply

    def judge_protected(
        self, title: str, command: Command, reply: Reply, expect: Expect, *, right: bool
    ) -> Reply:
        """Judge the answer to a command with a MAC; one that is `right` and refused is the last."""
        if right and reply.sw == SW.SM_WRONG:
            self.refused[_LINE] = "this run"
        return self.judge(title, command, reply, expect)

    def require(self, title: str, problem: str, seen: bytes = b"") -> None:
        """Log a judgement that is no exchange. Errors: `Deviation` when there is a problem."""
        self.log.append(Exchange(title, "", seen.hex().upper(), "", problem))
        if problem:
            raise Deviation(f"{title}: {problem}")

    def challenge(self) -> bytes:
        """GET CHALLENGE: return 8 random bytes of the card. Errors: `Deviation` for others."""
        command = Command(0x00, 0x84, 0x00, 0x00, le=8)
        drawn = self.transmit(command).data
        if len(drawn) != _CHALLENGE:
            self.require("GET CHALLENGE", f"{len(drawn)} bytes, not {_CHALLENGE}")
        return drawn

    # ---- what is there ----

    def missing_key(self, key: CardKey, version: int | None = None) -> str:
        """Return why a key cannot be used; "" when it can. `version`: one of `versions`."""
        label = key_name(key, version)
        if key.place in self.absent:
            return f"the card has no {key.place}"
        source = self.source if version is None else self.versions.get(version)
        if version is not None and source is None:
            return f"needs keys in version {version:02X}: none were given"
        if source is None:
            return "needs keys: no vault or PSAM was given"
        if self.identity is None:
            return "needs keys: the card does not tell its region"
        if self.distrust and key.kind != _INTERNAL:
            return self.distrust
        if label in self.refused:
            return f"{label} was refused in {self.refused[label]}: not tried again"
        if label not in self._held:
            self._held[label] = source.holds(key, self.identity)
        return "" if self._held[label] else f"needs {label}: the vault or PSAM has none"

    def missing_line(self, key: CardKey) -> str:
        """Return why no MAC is made with a key; "" when one may be.

        One count of wrong MACs may be that of many keys, and the reason of a refusal the dialect:
        after one that should have been right no other is sent.
        """
        if _LINE in self.refused:
            return f"a right MAC was refused in {self.refused[_LINE]}: none is sent again"
        return self.missing_key(key)

    def missing_pin(self) -> str:
        """Return why the PIN cannot be used; "" when it can."""
        if self.pin is None:
            return "needs the holder's PIN: it was not given"
        if "PIN" in self.refused:
            return f"the PIN was refused in {self.refused['PIN']}: not tried again"
        return ""

    def computed(
        self, compute: Callable[[CryptoSource, CardIdentity], bytes], version: int | None = None
    ) -> bytes:
        """Return what a source computes for this card. Errors: `NotRun` without one."""
        source = self.source if version is None else self.versions.get(version)
        if source is None or self.identity is None:
            raise NotRun("no vault or PSAM was given, or the card does not tell its region")
        return compute(source, self.identity)

    def _note(
        self, title: str, command: Command, reply: Reply, expect: Expect, problem: str
    ) -> None:
        self.log.append(
            Exchange(title, _shown(command), _answered(command, reply), str(expect), problem)
        )


def key_name(key: CardKey, version: int | None = None) -> str:
    """Return how a key is called in reports."""
    return key.label if version is None else f"{key.label} version {version:02X}"


def _shown(command: Command) -> str:
    raw = command.build().hex().upper()
    if command.ins not in _SECRET_DATA or not command.data:
        return raw
    return f"{raw[:10]} [{len(command.data)} bytes]"


def _answered(command: Command, reply: Reply) -> str:
    data = reply.data.hex().upper()
    if command.ins in _SECRET_ANSWERS and reply.data:
        data = f"{data[:4]} [{len(reply.data)} bytes]"
    return f"{data} {SW(reply.sw)} {reply.sw.meaning}".strip()
