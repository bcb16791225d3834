"""`APPLICATION_BLOCK`: an application blocked for a time and unblocked again (ssse-lb002 4.7, 4.8).

Only what has a lock key in the table of 4.1 can be blocked by it: DF03, DF04, DF06 and, with BK,
the SSSE. `END_OF_LIFE` blocks them for good, and ends with CARD BLOCK: nobody can undo that.
"""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.spec.ssse import VERSIONS
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.ssse.commands import enter, kids_of, place_of, read_record
from sscard.testing.conformance.ssse.line import Line, lock_key
from sscard.testing.conformance.steps import Pin, Prove, Reset, Send

__all__ = ["blocking_cases", "end_of_life_cases"]

_SOURCE = "ssse-lb002 4.7, 4.8"
_BLOCK, _UNBLOCK = Command(0x84, 0x1E, 0x00, 0x00), Command(0x84, 0x18, 0x00, 0x00)
_BLOCK_FOR_GOOD, _CARD_BLOCK = _BLOCK._replace(p2=0x01), Command(0x84, 0x16, 0x00, 0x00)
_BLOCKED = Expect.of(0x6283)
_FOR_GOOD, _DEAD = Expect.of(0x9303), Expect.of(0x6A81)
_REFUSED = Expect.of(0x6985)
_CHALLENGE = Command(0x00, 0x84, 0x00, 0x00, le=8)
_WANTS_PROOF = Expect((0x6982, 0x6988))
_ANYTHING = Expect((0x0000,), mask=0x0000)


def blocking_cases(generation: str) -> Iterator[Case]:
    """Yield the cases of every directory with a lock key."""
    for place, kid in _lockable(generation):
        yield from _cases(place, kid)


def end_of_life_cases(generation: str) -> Iterator[Case]:
    """Yield the cases that block for good, the SSSE last: CARD BLOCK ends it."""
    for place, kid in _lockable(generation):
        if place != "SSSE":
            yield _blocked_for_good(place, kid)
    for place, kid in _lockable(generation):
        if place == "SSSE":
            yield _card_blocked(kid)


def _lockable(generation: str) -> Iterator[tuple[str, int]]:
    for directory in VERSIONS[generation]:
        place = place_of(directory)
        lock = lock_key(place)
        if lock is not None and lock.kid in kids_of(directory):
            yield place, lock.kid


def _blocked_for_good(place: str, kid: int) -> Case:
    return Case(
        f"END_OF_LIFE/{place}/permanent",
        f"APPLICATION BLOCK for good, {place}",
        _SOURCE,
        "SELECT still answers with the FCI and 6283, everything else 9303, APPLICATION UNBLOCK "
        "with its MAC too, also after a reset. The SSSE goes on.",
        (
            *enter(place),
            Prove(kid, place),
            Line("APPLICATION BLOCK", place, _BLOCK_FOR_GOOD, lock=True),
            Reset(),
            *_select(place, _BLOCKED),
            Send("READ RECORD", read_record(1, 4, 0x05), _FOR_GOOD),
            Send("GET CHALLENGE", _CHALLENGE, _FOR_GOOD),
            Send("VERIFY", Command(0x00, 0x20, 0x00, 0x00), _FOR_GOOD),
            Line("APPLICATION UNBLOCK", place, _UNBLOCK, _FOR_GOOD, lock=True, challenge=False),
            *enter("SSSE"),
            Send("READ RECORD of EF05", read_record(1, 4, 0x05)),
        ),
        Effect.FINAL,
        place,
    )


def _card_blocked(kid: int) -> Case:
    name = enter("SSSE")[0].command
    return Case(
        "END_OF_LIFE/SSSE/card-block",
        "CARD BLOCK",
        _SOURCE,
        "Without BK proved it is 6982, or 6988 where BK has to make the MAC. Done, every SELECT of "
        "the SSSE is 6A81, also after a reset, and so is every command behind it.",
        (
            *enter("SSSE"),
            Line("CARD BLOCK without BK", "SSSE", _CARD_BLOCK, _WANTS_PROOF),
            *enter("SSSE"),
            Prove(kid, "SSSE"),
            Line("CARD BLOCK", "SSSE", _CARD_BLOCK, lock=True),
            Send("SELECT", name, _DEAD),
            Reset(),
            Send("SELECT", name, _DEAD),
            Send("GET CHALLENGE", _CHALLENGE, _DEAD),
            Send("READ RECORD", read_record(1, 4, 0x05), _DEAD),
            Send("VERIFY", Command(0x00, 0x20, 0x00, 0x00), _DEAD),
        ),
        Effect.FINAL,
        "SSSE",
    )


def _select(place: str, expect: Expect) -> tuple[Step, ...]:
    """The selections that lead to a directory, the last of them with another status word."""
    *above, last = enter(place)
    return (*above, Send(last.title, last.command, expect))


def _cases(place: str, kid: int) -> Iterator[Case]:
    proof = Prove(kid, place)
    here: tuple[Step, ...] = enter(place)
    block = Line("APPLICATION BLOCK", place, _BLOCK, lock=True)
    unblock = Line("APPLICATION UNBLOCK", place, _UNBLOCK, lock=True)
    lift = Line("APPLICATION UNBLOCK, if it was blocked", place, _UNBLOCK, _ANYTHING, lock=True)
    back: tuple[Step, ...] = (Reset(), *_select(place, _ANYTHING), Prove(kid, place), lift)
    blocked: tuple[Step, ...] = (*here, proof, block)
    other = "DF01" if place != "DF01" else "DF02"

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return Case(
            f"APPLICATION_BLOCK/{place}/{name}",
            f"{title}, {place}",
            _SOURCE,
            why,
            steps,
            Effect.RESTORED,
            place,
            back,
        )

    yield case(
        "temporary",
        "APPLICATION BLOCK and UNBLOCK",
        "Blocked it answers SELECT with 6283, gives challenges and takes proofs; READ RECORD and "
        "VERIFY are 6985, also after a reset. Unblocked it is as before.",
        *blocked,
        Reset(),
        *_select(place, _BLOCKED),
        Send("READ RECORD", read_record(1, 4, 0x05), _REFUSED),
        Send("VERIFY", Command(0x00, 0x20, 0x00, 0x00), _REFUSED),
        Send("GET CHALLENGE", _CHALLENGE),
        Prove(kid, place),
        unblock,
        Reset(),
        *here,
        Pin(),
    )
    yield case(
        "without-lock-key",
        "APPLICATION BLOCK without the lock key proved",
        "6982: a right MAC is not enough; 6988 where the lock key has to make the MAC.",
        *here,
        Line("APPLICATION BLOCK", place, _BLOCK, _WANTS_PROOF),
        *here,
    )
    yield case(
        "wrong-mac",
        "APPLICATION BLOCK with a wrong MAC",
        "6988, and it is not blocked; a right one afterwards ends the count of wrong MACs.",
        *here,
        proof,
        Line("APPLICATION BLOCK", place, _BLOCK, Expect.of(0x6988), lock=True, spoil=True),
        *here,
        proof,
        block,
        unblock,
    )
    yield case(
        "no-challenge",
        "APPLICATION BLOCK without a challenge",
        "6984: the MAC starts from a challenge.",
        *here,
        proof,
        Line("APPLICATION BLOCK", place, _BLOCK, Expect.of(0x6984), lock=True, challenge=False),
        *here,
    )
    yield case(
        "not-blocked",
        "APPLICATION UNBLOCK of what is not blocked",
        "6985, and nothing changes.",
        *here,
        proof,
        Line("APPLICATION UNBLOCK", place, _UNBLOCK, _REFUSED, lock=True),
        *here,
    )
    yield case(
        "unblock-without-lock-key",
        "APPLICATION UNBLOCK without the lock key proved",
        "6982 or 6988, and it stays blocked.",
        *blocked,
        Reset(),
        *_select(place, _BLOCKED),
        Line("APPLICATION UNBLOCK", place, _UNBLOCK, _WANTS_PROOF),
        *_select(place, _BLOCKED),
    )
    if place != "SSSE":
        yield case(
            "others",
            "the others go on while one is blocked",
            f"{other} and the SSSE answer as ever.",
            *blocked,
            *enter("SSSE"),
            Send("READ RECORD of EF05", read_record(1, 4, 0x05)),
            *enter(other),
        )
    else:
        yield case(
            "below",
            "what lies below is blocked with it",
            "SELECT of a DFxx is 6283, and it gives nothing.",
            *blocked,
            Reset(),
            *_select("SSSE", _BLOCKED),
            Send("SELECT DF01", enter("DF01")[1].command, _BLOCKED),
            Send("READ RECORD", read_record(1, 4, 0x05), _REFUSED),
        )
