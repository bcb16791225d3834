"""`VERIFY`: the holder's PIN in the bank application (pse-pboc 2.4, 4.10)."""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application, application
from sscard.testing.conformance.pse.bank import Script, Settle, Unblock, missing_keys
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.holder import Tries, Verify, missing_pin
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import AAC, Ask, Enter, Generate, Options
from sscard.testing.conformance.pse.ways import BEGIN
from sscard.testing.conformance.steps import Reset

__all__ = ["pin_cases"]

_BACK: tuple[Step, ...] = (Reset(), *BEGIN, Verify(), Generate(AAC), Settle(if_possible=True))
_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Exhaust:
    """VERIFY wrongly until no try is left; wants the bank's keys, to unblock it again."""

    title: str = "VERIFY wrongly until no try is left"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_pin(bench) or missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        tries = app.tries or 0
        if not 0 < tries <= _TRIES_MAX:
            raise NotRun(f"the PIN has {tries} tries: not burnt")
        for left in range(tries - 1, -1, -1):
            Verify("wrong", 0x63C0 | left).run(bench)


def pin_cases() -> Iterator[Case]:
    """Yield the cases of the PIN."""

    def case(
        name: str,
        title: str,
        why: str,
        *steps: Step,
        effect: Effect = Effect.TRIES,
        restore: tuple[Step, ...] | None = None,
        source: str = "2.4",
    ) -> Case:
        back = _BACK if effect is Effect.TRIES and restore is None else restore
        return bank_case(f"VERIFY/{name}", title, source, why, *steps, effect=effect, restore=back)

    yield case(
        "right",
        "the right PIN, as often as one likes",
        "9000; the counter shows the limit, and the CVR that the PIN was checked.",
        *BEGIN,
        Verify(),
        Verify(),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "wrong",
        "a wrong PIN costs a try, the right one gives all of them back",
        "63Cx with x tries left, shown by 9F17 too. The CVR tells that checking was done and "
        "failed, unless the right one came after.",
        *BEGIN,
        Verify(),
        Verify("wrong"),
        Tries(less=1),
        Verify(),
        Tries(),
        Generate(AAC),
    )
    yield case(
        "failed",
        "a PIN that stayed wrong is in the CVR",
        "2.b3 and 2.b2 are set.",
        *BEGIN,
        Verify(),
        Verify("wrong"),
        Generate(AAC),
    )
    yield case(
        "persists",
        "a try that was spent stays spent when power goes",
        "The counter is written before the answer leaves.",
        *BEGIN,
        Verify(),
        Verify("wrong"),
        Reset(),
        Enter(),
        Tries(less=1),
    )
    malformed = By("pin_malformed", (("6A80", 0x6A80),))
    for form, what in (
        ("control", "another control nibble than 2"),
        ("digits", "13 digits"),
        ("filler", "filler other than F"),
    ):
        yield case(
            f"malformed-{form}",
            f"a PIN block with {what}",
            "It counts as a wrong PIN, or is 6A80 and costs nothing, as the card is made.",
            *BEGIN,
            Verify(),
            Malformed(form, malformed),
        )
    yield case(
        "length",
        "a PIN block has eight bytes",
        "6700, without a try.",
        *BEGIN,
        Verify(),
        Verify("length", 0x6700),
        Tries(),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "parameters",
        "P2 is 80 or 88",
        "6A86: P2 00 is the social security application's.",
        Enter(),
        Ask("P2 = 00", Command(0x00, 0x20, 0x00, 0x00, bytes(8)), 0x6A86),
        Ask("P2 = 81", Command(0x00, 0x20, 0x00, 0x81, bytes(8)), 0x6A86),
        Ask("P1 = 01", Command(0x00, 0x20, 0x01, 0x80, bytes(8)), 0x6A86),
        Ask("class 80", Command(0x80, 0x20, 0x00, 0x80, bytes(8)), 0x6E00),
        effect=Effect.SAFE,
    )
    yield case(
        "exhausted",
        "the last try, and what comes then",
        "63C0; 6983 in the same transaction, also for the right PIN; 6984 to the first VERIFY of "
        "the next one. PIN UNBLOCK gives the tries back, and the PIN is what it was.",
        *BEGIN,
        Verify(),
        Exhaust(),
        Verify(answer=0x6983),
        Enter(),
        Options(blocked=True),
        Verify(answer=0x6984),
        Verify(answer=0x6983),
        Generate(),
        Look("APPLICATION UNBLOCK, if the card blocked itself", _unblock_if_blocked),
        Script("PIN UNBLOCK", "84240000"),
        Tries(),
        *BEGIN,
        Verify(),
        Generate(AAC),
        restore=(Unblock(), *_BACK),
    )
    yield case(
        "none",
        "VERIFY without a reference PIN",
        "6984 (or 6983, as the card is made).",
        *BEGIN,
        only_if("the card has a PIN", lambda bench, app: app.tries is None),
        Ask(
            "VERIFY",
            Command(0x00, 0x20, 0x00, 0x80, bytes.fromhex("249999FFFFFFFFFF")),
            By("pin_absent", (("6984", 0x6984), ("6983", 0x6983))),
        ),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "enciphered",
        "the PIN enciphered with the card's key, over a challenge",
        "9000, as if it had come plain.",
        *BEGIN,
        Verify(),
        Verify(cipher="right"),
        Generate(AAC),
        effect=Effect.TRANSACTION,
        source="4.10",
    )
    for form, what in (("stale", "over a challenge that is gone"), ("spoilt", "of no right form")):
        yield case(
            f"enciphered-{form}",
            f"an enciphered PIN {what}",
            "6984 without a try, or a wrong PIN, as the card is made.",
            *BEGIN,
            Verify(),
            Malformed("right", By("pin_decipherment", (("6984", 0x6984),)), form),
            source="4.10",
        )


@dataclass(frozen=True, slots=True)
class Malformed:
    """VERIFY of a block that is none: a wrong PIN (a try less), or refused as `other` says."""

    form: str
    other: By
    cipher: str = ""
    title: str = "VERIFY of what is no PIN block"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_pin(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        tries = app.tries or 0
        if tries < 2:
            raise NotRun(f"the PIN has {tries} tries left: none is burnt")
        counted = By(self.other.option, (("wrong", 0x63C0 | tries - 1), *self.other.words))
        Verify(self.form, counted, self.cipher).run(bench)


def _unblock_if_blocked(bench: Bench, app: Application) -> str:
    if app.deal.blocked:
        Script("APPLICATION UNBLOCK", "84180000").run(bench)
    return ""
