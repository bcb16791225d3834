"""The steps that all suites share: send, reset, look at what was kept, prove a key, verify a PIN.

Each is a frozen value. A suite may have steps of its own; `Step` is all the runner knows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.hierarchy import CardKey
from sscard.terminal.crypto_source import card_key, named_key
from sscard.terminal.errors import KeyNotHeld
from sscard.terminal.rights import alternatives
from sscard.testing.conformance.bench import Bench, NotRun, key_name
from sscard.testing.conformance.model import DONE, Expect

__all__ = ["Examine", "Open", "Pin", "Protected", "Prove", "Reset", "Send", "Unproved"]

_FAILED = Expect((0x63C0,), mask=0xFFF0)
_SPOILT = 0xA5
_FIRST = 0x01
"""The version in which keys are delivered (ssse-lb002 4.2)."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the card; its answer to reset is kept as "atr"."""

    title: str = "reset the card"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        bench.kept["atr"] = bench.reset()


@dataclass(frozen=True, slots=True)
class Send:
    """Send a command. `keep` names its data for later steps; `data_of` sends data kept before."""

    title: str
    command: Command
    expect: Expect = DONE
    keep: str = ""
    data_of: str = ""

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        command = self.command
        if self.data_of:
            command = command._replace(data=bench.kept[self.data_of])
        reply = bench.exchange(self.title, command, self.expect)
        if self.keep:
            bench.kept[self.keep] = reply.data


@dataclass(frozen=True, slots=True)
class Examine:
    """Look at what was kept: `problem` returns what is wrong, "" when nothing is.

    `missing_key` names a key `problem` computes with, "IRK@SSSE".
    """

    title: str
    problem: Callable[[Bench], str]
    key: str = ""

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_key(named_key(self.key)) if self.key else ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        bench.require(self.title, self.problem(bench))


@dataclass(frozen=True, slots=True)
class Pin:
    """VERIFY the holder's PIN; `wrong` sends another one of the same length.

    A right PIN that is refused is not sent again in this run.
    """

    wrong: bool = False
    expect: Expect | None = None

    @property
    def title(self) -> str:
        """What the step does."""
        return "VERIFY a wrong PIN" if self.wrong else "VERIFY the PIN"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_pin()

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        reason = bench.missing_pin()
        if reason or bench.pin is None:
            raise NotRun(reason)
        digits = other_pin(bench.pin) if self.wrong else bench.pin
        command = Command(0x00, 0x20, 0x00, 0x00, digits)
        reply = bench.transmit(command)
        if not self.wrong and reply.sw != SW.OK:
            bench.refused["PIN"] = "this run"
        expect = self.expect or (_FAILED if self.wrong else Expect())
        bench.judge(self.title, command, reply, expect)


def other_pin(pin: bytes) -> bytes:
    """Return another PIN of the same length, digits all."""
    digits = pin.hex()
    return bytes.fromhex("".join(str((int(digit) + 3) % 10) for digit in digits))


@dataclass(frozen=True, slots=True)
class Prove:
    """GET CHALLENGE and EXTERNAL AUTHENTICATE with a key, as seen from a directory.

    KIDs below 80 are the environment's. `wrong` spoils the cryptogram, `version` is the 17th
    byte. A right cryptogram that is refused: the key is not tried again in this run.
    """

    kid: int
    place: str
    wrong: bool = False
    version: int | None = None
    expect: Expect | None = None

    @property
    def key(self) -> CardKey:
        """The row of the key table."""
        return card_key(self.kid, self.place)

    @property
    def stored(self) -> int | None:
        """Which of the bench's further versions computes; None: the usual source."""
        return None if self.expect is not None or self.version == _FIRST else self.version

    @property
    def title(self) -> str:
        """What the step does."""
        how = "EXTERNAL AUTHENTICATE wrongly with" if self.wrong else "EXTERNAL AUTHENTICATE with"
        version = "" if self.version is None else f" version {self.version:02X}"
        return f"{how} {self.key.label} (KID {self.kid:02X}{version})"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_key(self.key, self.stored)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        reason = bench.missing_key(self.key, self.stored)
        if reason:
            raise NotRun(reason)
        challenge = bench.challenge()
        command = authentication(bench, self, challenge)
        reply = bench.transmit(command)
        right = not self.wrong and self.expect is None
        absent = self.version is not None and reply.sw == SW.DATA_NOT_FOUND
        if right and reply.sw != SW.OK and not absent:
            bench.refused[key_name(self.key, self.stored)] = "this run"
        expect = self.expect or (_FAILED if self.wrong else Expect())
        bench.judge(self.title, command, reply, expect)


def authentication(bench: Bench, proof: Prove, challenge: bytes) -> Command:
    """Return the EXTERNAL AUTHENTICATE of a proof over a challenge of 8 bytes (ssse-lb002 3.8)."""
    made = bench.computed(
        lambda source, card: source.cryptogram(proof.key, card, challenge, challenge),
        proof.stored,
    )
    if proof.wrong:
        made = bytes((made[0] ^ _SPOILT,)) + made[1:]
    version = b"" if proof.version is None else bytes((proof.version,))
    return Command(0x00, 0x82, 0x00, proof.kid, made + challenge + version)


@dataclass(frozen=True, slots=True)
class Unproved:
    """EXTERNAL AUTHENTICATE whose 16 bytes are made without a key."""

    kid: int
    expect: Expect
    title: str
    challenge: bool = True
    length: int = 16

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if self.challenge:
            bench.challenge()
        command = Command(0x00, 0x82, 0x00, self.kid, bytes(self.length))
        bench.exchange(self.title, command, self.expect)


@dataclass(frozen=True, slots=True)
class Open:
    """Fulfil an access rule by the first of its alternatives that this bench can."""

    rule: str
    place: str

    @property
    def title(self) -> str:
        """What the step does."""
        return f"fulfil {self.rule}"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        reasons = []
        for steps in self._ways():
            reason = next((why for step in steps if (why := step.missing(bench))), "")
            if not reason:
                return ""
            reasons.append(reason)
        return "; ".join(reasons) or "nobody may"

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        for steps in self._ways():
            if not any(step.missing(bench) for step in steps):
                for step in steps:
                    step.run(bench)
                return
        raise NotRun(self.missing(bench))

    def _ways(self) -> tuple[tuple[Pin | Prove, ...], ...]:
        return tuple(
            ((Pin(),) if way.pin else ()) + tuple(Prove(kid, self.place) for kid in way.kids)
            for way in alternatives(self.rule)
        )


@dataclass(frozen=True, slots=True)
class Protected:
    """Send a PIN command with a MAC; `plain_pin` enciphers the holder's PIN as its data.

    The key is the bench's `pin_key`; `spoil` alters the MAC. Source: ssse-lb002 3.7, 4.6, 4.7.
    """

    title: str
    command: Command
    expect: Expect = DONE
    plain_pin: bool = False
    spoil: bool = False
    challenge: bool = True

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        reason = bench.missing_pin() if self.plain_pin else ""
        return reason or bench.missing_line(named_key(bench.pin_key))

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        key = named_key(bench.pin_key)
        if reason := bench.missing_line(key):
            raise NotRun(reason)
        challenge = bench.challenge() if self.challenge else bytes(8)
        data = b""
        try:
            if self.plain_pin and bench.pin is not None:
                pin = bench.pin
                data = bench.computed(
                    lambda source, card: source.encrypt(key, card, challenge, pin, bench.flavour)
                )
            command = self.command._replace(data=data + bytes(4))
            message = command.build()[:-4]
            mac = bench.computed(
                lambda source, card: source.mac(key, card, challenge, message, bench.flavour)
            )
        except KeyNotHeld as error:
            raise NotRun(str(error)) from error
        if self.spoil:
            mac = bytes((mac[0] ^ _SPOILT,)) + mac[1:]
        right = self.expect == DONE and self.challenge and not self.spoil
        command = command._replace(data=data + mac)
        reply = bench.transmit(command)
        bench.judge_protected(self.title, command, reply, self.expect, right=right)
