"""`CHANGE_PIN`: the holder's PIN, its format, its tries, and the commands that replace it.

Source: ssse-lb002 3.7, 4.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import DONE, Case, Effect, Expect, Step
from sscard.testing.conformance.ssse.commands import BY_NUMBER, enter, read_record
from sscard.testing.conformance.steps import Pin, Protected, Prove, Reset, Send, other_pin

__all__ = ["pin_cases"]

_PUK = 0x06
_FIVE, _FOUR = Expect.of(0x63C5), Expect.of(0x63C4)
_BY_PIN = ("DF01", 0x05)
"""A file that the PIN opens: DF01 EF05."""


@dataclass(frozen=True, slots=True)
class Change:
    """CHANGE PIN between the holder's PIN and another one of the same length.

    `old`, `new`: "PIN" or "other"; `wrong` gives a third value as the old one. `separator` and
    `short` make data that are no CHANGE PIN.
    """

    title: str
    old: str = "PIN"
    new: str = "other"
    expect: Expect = DONE
    separator: bytes = b"\xff"
    short: bool = False

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_pin()

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        data = self._value(bench, self.old) + self.separator + self._value(bench, self.new)
        if self.short:
            data = self._value(bench, self.old) + b"\xff\x12"
        bench.exchange(self.title, Command(0x80, 0x5E, 0x01, 0x00, data), self.expect)

    @staticmethod
    def _value(bench: Bench, name: str) -> bytes:
        if bench.pin is None:
            raise NotRun(bench.missing_pin())
        other = other_pin(bench.pin)
        return {"PIN": bench.pin, "other": other, "third": other_pin(other)}[name]


@dataclass(frozen=True, slots=True)
class VerifyOther:
    """VERIFY the value that `Change` changes to, or the PIN with a byte more."""

    title: str
    expect: Expect
    longer: bool = False

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_pin()

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if bench.pin is None:
            raise NotRun(bench.missing_pin())
        digits = bench.pin + b"\x12" if self.longer else other_pin(bench.pin)
        bench.exchange(self.title, Command(0x00, 0x20, 0x00, 0x00, digits), self.expect)


def pin_cases() -> Iterator[Case]:
    """Yield the cases of the PIN."""
    yield from _verify_cases()
    yield from _change_cases()
    yield from _reload_cases()


def _case(
    name: str,
    title: str,
    why: str,
    steps: tuple[Step, ...],
    effect: Effect = Effect.TRIES,
    restore: tuple[Step, ...] | None = None,
) -> Case:
    back: tuple[Step, ...] = restore or (Reset(), *enter("SSSE"), Pin())
    return Case(
        f"CHANGE_PIN/{name}",
        title,
        "ssse-lb002 3.7, 4.3",
        why,
        (*enter("SSSE"), *steps),
        effect,
        "SSSE",
        () if effect is Effect.SAFE else back,
    )


def _verify(data: bytes, title: str, expect: Expect, p2: int = 0x00) -> Send:
    return Send(title, Command(0x00, 0x20, 0x00, p2, data), expect)


def _verify_cases() -> Iterator[Case]:
    read = read_record(1, BY_NUMBER, _BY_PIN[1])
    yield _case(
        "verify",
        "the right PIN, in the SSSE and below it",
        "The PIN is the environment's and seen from every DFxx; what it opens is open.",
        (
            Pin(),
            *enter("DF01"),
            Pin(),
            Send("READ RECORD 01 of DF01/EF05", read),
        ),
        Effect.SAFE,
    )
    yield _case(
        "tries",
        "six tries, and all of them again after the right PIN",
        "A wrong PIN is 63Cx with x tries left; success gives all of them back.",
        (
            Pin(),
            Pin(wrong=True, expect=_FIVE),
            Pin(wrong=True, expect=_FOUR),
            Pin(),
            Pin(wrong=True, expect=_FIVE),
        ),
    )
    yield _case(
        "format",
        "the form of VERIFY: length and P2",
        "Lc 01 and above 08 are 6700 and P2 other than 00 is 6A88, without a try; no data asks for "
        "the tries left; a PIN of another length is a wrong one.",
        (
            Pin(),
            _verify(b"\x12", "Lc 01", Expect.of(0x6700)),
            _verify(bytes(9), "Lc 09", Expect.of(0x6700)),
            _verify(b"\x12\x34\x56", "P2 = 01", Expect.of(0x6A88), 0x01),
            _verify(b"", "no data", Expect.of(0x63C6)),
            _verify(b"", "no data again", Expect.of(0x63C6)),
            VerifyOther("a byte more", _FIVE, longer=True),
            _verify(b"", "no data", _FIVE),
        ),
    )


def _change_cases() -> Iterator[Case]:
    read = read_record(1, BY_NUMBER, _BY_PIN[1])
    back = Change("CHANGE PIN back", "other", "PIN")
    undo = Change("CHANGE PIN back, if it was changed", "other", "PIN", _ANY)
    yield _case(
        "change",
        "CHANGE PIN, and back",
        "The new PIN counts and the old one does not; changing does not set the PIN flag.",
        (
            Pin(),
            Change("CHANGE PIN"),
            Reset(),
            *enter("SSSE"),
            _old_pin(_FIVE),
            VerifyOther("VERIFY the new PIN", Expect()),
            Reset(),
            *enter("DF01"),
            back,
            Send("READ RECORD 01 of DF01/EF05", read, Expect.of(0x6982)),
        ),
        Effect.RESTORED,
        (Reset(), *enter("SSSE"), undo, Pin()),
    )
    yield _case(
        "change-wrong",
        "CHANGE PIN with a wrong old one costs a try",
        "It fails as VERIFY does, and the PIN stays.",
        (Pin(), Change("CHANGE PIN", "third", "other", _FIVE), Pin()),
        restore=(Reset(), *enter("SSSE"), Pin()),
    )
    yield _case(
        "change-format",
        "CHANGE PIN without separator, or to one of a single byte",
        "6A80, without a try: the separator is the first FF, a PIN has 2 to 8 bytes.",
        (
            Pin(),
            Change("no separator", expect=Expect.of(0x6A80), separator=b""),
            Change("new PIN of one byte", expect=Expect.of(0x6A80), short=True),
            _verify(b"", "no try was used", Expect.of(0x63C6)),
        ),
        restore=(Reset(), *enter("SSSE"), undo, Pin()),
    )


_ANY = Expect((0x0000,), mask=0x0000)


def _old_pin(expect: Expect) -> Step:
    """VERIFY the PIN that was changed away from: wrong now."""
    return Old(expect)


@dataclass(frozen=True, slots=True)
class Old:
    """VERIFY the holder's PIN where it has been replaced."""

    expect: Expect
    title: str = "VERIFY the old PIN"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_pin()

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        command = Command(0x00, 0x20, 0x00, 0x00, bench.pin or b"")
        bench.exchange(self.title, command, self.expect)


def _reload_cases() -> Iterator[Case]:
    reload, unblock = Command(0x84, 0x24, 0x00, 0x01), Command(0x84, 0x24, 0x00, 0x00)
    puk = Prove(_PUK, "SSSE")
    yield _case(
        "reload",
        "RELOAD PIN after the PUK gives the PIN and its tries",
        "It is loaded with the value it has; the PIN flag is not set by it.",
        (
            Pin(),
            Pin(wrong=True, expect=_FIVE),
            puk,
            Protected("RELOAD PIN", reload, plain_pin=True),
            _verify(b"", "all tries", Expect.of(0x63C6)),
            *enter("DF01"),
            Send(
                "READ RECORD 01 of DF01/EF05",
                read_record(1, BY_NUMBER, _BY_PIN[1]),
                Expect.of(0x6982),
            ),
        ),
        Effect.RESTORED,
    )
    yield _case(
        "unblock",
        "UNBLOCK PIN after the PUK gives the tries back",
        "The PIN stays what it is.",
        (
            Pin(),
            Pin(wrong=True, expect=_FIVE),
            puk,
            Protected("UNBLOCK PIN", unblock),
            _verify(b"", "all tries", Expect.of(0x63C6)),
        ),
    )
    refused = Expect.of(0x6982)
    yield _case(
        "reload-without-puk",
        "RELOAD and UNBLOCK PIN want the PUK",
        "A right MAC alone is not enough: 6982, and the PIN flag is no substitute.",
        (
            Pin(),
            Protected("RELOAD PIN", reload, refused, plain_pin=True),
            Protected("UNBLOCK PIN", unblock, refused),
        ),
    )
    yield _case(
        "reload-no-challenge",
        "RELOAD PIN without a challenge",
        "The session key is made of a challenge: 6984 when none was fetched.",
        (
            puk,
            Protected(
                "RELOAD PIN",
                reload,
                Expect.of(0x6984),
                plain_pin=True,
                challenge=False,
            ),
        ),
    )
    yield _case(
        "reload-wrong-mac",
        "UNBLOCK PIN with a wrong MAC",
        "6988; the right one afterwards ends the count of wrong MACs.",
        (
            puk,
            Protected("UNBLOCK PIN", unblock, Expect.of(0x6988), spoil=True),
            Protected("UNBLOCK PIN", unblock),
        ),
    )
