"""`AUTHENTICATION` and `KEY_VER1..3`: challenges, proofs, every key of every directory.

KEY_VERn: every authentication key in version n, which is the 17th byte; KEY_VER1 has two more,
a version the card lacks and no version at all. The reference gives the titles alone; what
stands under them is ours (ssse-lb002 0, 3.8, 4.1-4.3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.keys.hierarchy import CardKey
from sscard.spec.ssse import VERSIONS
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Form, Step
from sscard.testing.conformance.ssse.commands import enter, kids_of, place_of
from sscard.testing.conformance.ssse.identity import internal_authentication
from sscard.testing.conformance.steps import Examine, Prove, Send, Unproved, authentication

__all__ = ["authentication_cases", "key_version_cases"]

_FIRST, _NO_VERSION, _NO_KEY = 0x01, 0x7E, 0x0E
_UK = 0x04
_NOT_FOUND, _NO_CHALLENGE = Expect.of(0x6A88), Expect.of(0x6984)
_CHALLENGE = Command(0x00, 0x84, 0x00, 0x00, le=8)


@dataclass(frozen=True, slots=True)
class ProveTwice:
    """A right proof, and the same command again: its challenge is used up.

    With `drop` the challenge is dropped by a reset and the SSSE selected, before the first.
    """

    proof: Prove
    drop: bool = False
    title: str = "EXTERNAL AUTHENTICATE with a challenge used before"

    @property
    def key(self) -> CardKey:
        """The row of the key table."""
        return self.proof.key

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return self.proof.missing(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        command = authentication(bench, self.proof, bench.challenge())
        if self.drop:
            bench.reset()
            for step in enter("SSSE"):
                step.run(bench)
            bench.exchange("with a challenge from before the reset", command, _NO_CHALLENGE)
            return
        bench.exchange(self.proof.title, command, Expect())
        bench.exchange(self.title, command, _NO_CHALLENGE)


def authentication_cases() -> Iterator[Case]:
    """Yield the cases of challenges and of the two authentications, but for single keys."""
    ssse = enter("SSSE")

    def case(
        name: str, title: str, why: str, steps: tuple[Step, ...], effect: Effect = Effect.SAFE
    ) -> Case:
        back: tuple[Step, ...] = () if effect is Effect.SAFE else (*ssse, Prove(_UK, "SSSE"))
        return Case(
            f"AUTHENTICATION/{name}",
            title,
            "ssse-lb002 3.8",
            why,
            (*ssse, *steps),
            effect,
            "SSSE",
            back,
        )

    eight = Expect(form=Form(length=8))
    yield case(
        "challenge",
        "GET CHALLENGE gives 8 random bytes",
        "Two in a row are not the same.",
        (
            Send("GET CHALLENGE", _CHALLENGE, eight, keep="first"),
            Send("GET CHALLENGE again", _CHALLENGE, eight, keep="second"),
            Examine("they differ", _same_challenge),
        ),
    )
    yield case(
        "internal-form",
        "INTERNAL AUTHENTICATE: key not there, wrong length, wrong P1",
        "6A88, 6700, 6A86; no access condition.",
        (
            Send("KID 3E", internal_authentication(0x3E), _NOT_FOUND),
            Send("Lc 0F", internal_authentication(data=bytes(15)), Expect.of(0x6700)),
            Send("P1 01", internal_authentication()._replace(p1=1), Expect.of(0x6A86)),
        ),
    )
    yield case(
        "no-challenge",
        "EXTERNAL AUTHENTICATE without a challenge",
        "6984, and no try is used.",
        (Unproved(_UK, _NO_CHALLENGE, "no challenge was fetched", challenge=False),),
        Effect.TRIES,
    )
    yield case(
        "no-key",
        "EXTERNAL AUTHENTICATE with a key that is not there",
        "6A88.",
        (Unproved(_NO_KEY, _NOT_FOUND, f"KID {_NO_KEY:02X}"),),
        Effect.TRIES,
    )
    yield case(
        "challenge-used-once",
        "a challenge serves once",
        "The second use of a challenge is 6984, even when the first was right.",
        (ProveTwice(Prove(_UK, "SSSE")),),
        Effect.TRIES,
    )
    yield case(
        "challenge-and-reset",
        "a reset drops the challenge",
        "6984: challenges never outlive a reset.",
        (ProveTwice(Prove(_UK, "SSSE"), drop=True),),
        Effect.TRIES,
    )
    yield case(
        "tries",
        "a wrong cryptogram costs a try, the right one gives it back",
        "63Cx, counting down; the limits of keys are the issuer's.",
        (
            Prove(_UK, "SSSE"),
            Prove(_UK, "SSSE", wrong=True),
            Prove(_UK, "SSSE"),
            Prove(_UK, "SSSE", wrong=True),
        ),
        Effect.TRIES,
    )


def _same_challenge(bench: Bench) -> str:
    return "the same twice" if bench.kept["first"] == bench.kept["second"] else ""


def key_version_cases(generation: str, version: int) -> Iterator[Case]:
    """Yield the cases of one key version for every authentication key of every directory."""
    for directory in VERSIONS[generation]:
        place = place_of(directory)
        for kid in kids_of(directory):
            yield _in_version(place, kid, version)
            if version == _FIRST:
                yield from _other_forms(place, kid)


def _in_version(place: str, kid: int, version: int) -> Case:
    proof = Prove(kid, place, version=version)
    return Case(
        f"KEY_VER{version}/{place}/K{kid:02X}",
        f"{proof.key.label} proves itself in version {version:02X}",
        "ssse-lb002 3.8, 4.2",
        "Lc 11: the 17th byte is the key version. Keys are delivered in version 01; for further "
        "versions on a card their keys must be given.",
        (*enter(place), proof),
        place=place,
    )


def _other_forms(place: str, kid: int) -> Iterator[Case]:
    right, here = Prove(kid, place), enter(place)
    label, name = right.key.label, f"KEY_VER1/{place}/K{kid:02X}"
    lacking = Prove(kid, place, version=_NO_VERSION, expect=_NOT_FOUND)
    yield Case(
        f"{name}/lacking",
        f"{label} has no version 7E",
        "ssse-lb002 3.8, 4.2",
        "A version the card lacks is 6A88 and costs no try.",
        (*here, right, lacking),
        Effect.TRIES,
        place,
        (*here, right),
    )
    yield Case(
        f"{name}/without",
        f"{label} proves itself without a version",
        "ssse-lb002 3.8, 4.1",
        "Lc 10: the lowest slot of the KID counts.",
        (*here, right),
        place=place,
    )
