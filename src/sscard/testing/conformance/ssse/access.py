"""`*_SAFETY`: every file, read and written, under every security state (ssse-lb002 2, 4.3, 4.4).

A case is one file, one operation and one state: `DF01_SAFETY/EF05/read/K88`. Its operation is
sent in every form the kind of file has: by number and by tag, by SFI and in the current EF.
What is written is what was read before, so that a card that wrongly allows it loses nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.iso.apdu import Command
from sscard.spec.ssse import VERSIONS, Directory, Ef
from sscard.terminal.rights import alternatives
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    BY_TAG,
    enter,
    first_form,
    kids_of,
    place_of,
    read_binary,
    read_record,
    record_length,
    select_ef,
    sfi_of,
    update_binary,
    update_record,
)
from sscard.testing.conformance.steps import Open, Pin, Prove, Reset, Send

__all__ = ["State", "granted", "safety_cases", "states"]

_REFUSED = Expect.of(0x6982)
_EMPTY = (0x6A83, "the cyclic file holds no record: its rights do not show (6A83 comes first)")
_SOURCE = "ssse-lb002 2, 4.3, 4.4, 3.4-3.6"


class State(NamedTuple):
    """A security state: how one comes to it, and what holds in it (KIDs, and "PIN").

    `steps` begin in a card that was just reset and end in the directory. `spends` tries are
    given back by `restore`.
    """

    name: str
    words: str
    steps: tuple[Step, ...]
    holds: frozenset[int | str] = frozenset()
    spends: bool = False
    restore: tuple[Step, ...] = ()


def granted(rule: str, holds: frozenset[int | str]) -> bool:
    """Whether what holds opens a file of a rule (ssse-lb002 4.4)."""
    return any(
        (not way.pin or "PIN" in holds) and all(kid in holds for kid in way.kids)
        for way in alternatives(rule)
    )


# ---- states --------------------------------------------------------------------------------------


def states(generation: str, directory: Directory, rule: str) -> Iterator[State]:
    """Yield every state a file with a rule is tried in."""
    place = place_of(directory)
    here: tuple[Step, ...] = enter(place)
    yield State("none", "nothing was proved", here)
    yield State("PIN", "the holder's PIN was verified", (*here, Pin()), frozenset({"PIN"}))
    for kid in kids_of(directory):
        yield _by_key(place, kid)
    if place != "SSSE":
        kids = kids_of(VERSIONS[generation][0])
        proofs = tuple(Prove(kid, place) for kid in kids)
        words = "all keys of the environment were proved"
        yield State("environment-keys", words, (*here, *proofs), frozenset(kids))
    yield from _combinations(directory, rule)
    yield from _lost(generation, directory, rule)


def _by_key(place: str, kid: int) -> State:
    proof = Prove(kid, place)
    words = f"{proof.key.label} was proved"
    return State(f"K{kid:02X}", words, (*enter(place), proof), frozenset({kid}))


def _combinations(directory: Directory, rule: str) -> Iterator[State]:
    """PIN and a key together, where the rule has that."""
    if "&" not in rule:
        return
    place = place_of(directory)
    for kid in kids_of(directory):
        words = f"the PIN was verified and {Prove(kid, place).key.label} proved"
        steps: tuple[Step, ...] = (*enter(place), Pin(), Prove(kid, place))
        yield State(f"PIN+K{kid:02X}", words, steps, frozenset({"PIN", kid}))


def _lost(generation: str, directory: Directory, rule: str) -> Iterator[State]:
    """States in which a right that was gained is gone again, and one key that is another's."""
    ways = alternatives(rule)
    place = place_of(directory)
    here: tuple[Step, ...] = enter(place)
    if ways and (ways[0].pin or ways[0].kids):
        everything = _proofs(place, rule)
        yield State(
            "after-reset",
            "what opens it was proved before a reset",
            (*here, *everything, Reset(), *here),
        )
        yield State(
            "after-select-SSSE",
            "what opens it was proved before the SSSE was selected again",
            (*here, *everything, *here),
        )
    kids = sorted({kid for way in ways for kid in way.kids})
    if any(way.pin for way in ways):
        steps = (*here, *(Prove(kid, place) for kid in kids if "&" in rule), Pin(), Pin(wrong=True))
        holds = frozenset(kids) if "&" in rule else frozenset[int | str]()
        words = "a wrong PIN was verified after the right one"
        yield State("wrong-PIN", words, steps, holds, spends=True, restore=(*here, Pin()))
    for kid in kids:
        right, wrong = Prove(kid, place), Prove(kid, place, wrong=True)
        words = f"{right.key.label} was proved, then wrongly"
        yield State(
            f"wrong-K{kid:02X}", words, (*here, right, wrong), spends=True, restore=(*here, right)
        )
        if kid >= 0x80 and (other := _other(generation, directory, kid)):
            foreign = Prove(kid, other)
            steps = (*enter(other), foreign, *here[1:])
            yield State("other-DF", f"{foreign.key.label}, of the same KID, was proved", steps)


def _proofs(place: str, rule: str) -> tuple[Step, ...]:
    way = alternatives(rule)[0]
    pin: tuple[Step, ...] = (Pin(),) if way.pin else ()
    return (*pin, *(Prove(kid, place) for kid in way.kids))


def _other(generation: str, directory: Directory, kid: int) -> str:
    """Return another mandated directory that has a key of the same KID."""
    for other in VERSIONS[generation][1:5]:
        if other.fid != directory.fid and kid in kids_of(other):
            return place_of(other)
    return ""


# ---- cases ---------------------------------------------------------------------------------------


def safety_cases(generation: str, directory: Directory) -> Iterator[Case]:
    """Yield the cases of one directory."""
    for ef in directory.files:
        if ef.kind == "internal":
            continue
        for state in states(generation, directory, ef.read):
            yield _reading(directory, ef, state)
        for state in states(generation, directory, ef.update):
            yield _writing(directory, ef, state)


def _reading(directory: Directory, ef: Ef, state: State) -> Case:
    allowed = granted(ef.read, state.holds)
    expect = Expect(form=first_form(ef)) if allowed else _REFUSED
    if ef.kind == "cyclic":
        expect = expect._replace(void=_EMPTY)
    sfi = sfi_of(ef)
    reads = [(words, command) for words, command in _reads(ef, 0)]
    steps = (
        *state.steps,
        *(Send(f"READ {words}, SFI {sfi:02X}", c, expect) for words, c in _reads(ef, sfi)),
        select_ef(ef),
        *(Send(f"READ {words}, current EF", command, expect) for words, command in reads),
    )
    effect = Effect.TRIES if state.spends else Effect.SAFE
    return _case(directory, ef, "read", state, steps, effect, allowed=allowed)


def _reads(ef: Ef, sfi: int) -> tuple[tuple[str, Command], ...]:
    if ef.kind == "transparent":
        return (("BINARY", read_binary(0, 1, sfi)),)
    number = ("RECORD 01", read_record(1, BY_NUMBER, sfi))
    if ef.kind == "cyclic":
        return (number,)
    tag = ef.items[0].tag
    return number, (f"RECORD tag {tag:02X}", read_record(tag, BY_TAG, sfi))


def _writing(directory: Directory, ef: Ef, state: State) -> Case:
    allowed = granted(ef.update, state.holds)
    expect = Expect() if allowed else _REFUSED
    sfi, place = sfi_of(ef), place_of(directory)
    keep: tuple[Step, ...] = ()
    data_of = ""
    if ef.kind != "cyclic":
        data_of = "before"
        first = Send(
            "READ what is there", _reads(ef, sfi)[0][1], Expect(form=first_form(ef)), "before"
        )
        keep = (*enter(place), Open(ef.read, place), first, Reset())
    sends = [
        Send(f"UPDATE {words}", command, expect, data_of=data_of)
        for words, command in _writes(ef, sfi)
    ]
    if not (allowed and ef.kind == "cyclic"):  # one new record is enough
        sends.append(select_ef(ef))
        sends += (
            Send(f"UPDATE {words}, current EF", command, expect, data_of=data_of)
            for words, command in _writes(ef, 0)
        )
    effect = Effect.LASTING if allowed and ef.kind == "cyclic" else Effect.RESTORED
    if state.spends:
        effect = Effect.TRIES
    steps = (*keep, *state.steps, *sends)
    return _case(directory, ef, "update", state, steps, effect, allowed=allowed)


def _writes(ef: Ef, sfi: int) -> tuple[tuple[str, Command], ...]:
    if ef.kind == "transparent":
        return (("BINARY", update_binary(0, b"\0", sfi)),)
    if ef.kind == "cyclic":
        empty = bytes(record_length(ef))
        return (
            ("RECORD 00, low bits 3", update_record(0, 3, empty, sfi)),
            ("RECORD 00, low bits 4", update_record(0, 4, empty, sfi)),
            ("by APPEND RECORD", Command(0x00, 0xE2, 0x00, sfi << 3, empty)),
        )
    tag = ef.items[0].tag
    return (
        ("RECORD 01", update_record(1, BY_NUMBER, b"\0", sfi)),
        (f"RECORD tag {tag:02X}", update_record(tag, BY_TAG, b"\0", sfi)),
    )


def _case(
    directory: Directory,
    ef: Ef,
    operation: str,
    state: State,
    steps: tuple[Step, ...],
    effect: Effect,
    *,
    allowed: bool,
) -> Case:
    place, rule = place_of(directory), ef.read if operation == "read" else ef.update
    answer = "answers" if allowed else "refuses (6982)"
    verb = "reading" if operation == "read" else "writing"
    return Case(
        f"{place}_SAFETY/EF{ef.fid & 0xFF:02X}/{operation}/{state.name}",
        f"{operation} EF{ef.fid & 0xFF:02X}: {state.words}",
        _SOURCE,
        f"The rule for {verb} EF{ef.fid & 0xFF:02X} of {place} ({ef.english or 'file'}) is {rule}; "
        f"when {state.words}, the card {answer}.",
        steps,
        effect,
        place,
        state.restore,
    )
