"""`GPO` and `STATES`: opening a transaction, and every command in every state (pse-pboc 2.1, 3).

The table of section 3 is `ANSWERS`: what each state answers to each command. Where a script
would be accepted, one is sent that changes nothing (the value that is there), and for APPLICATION
BLOCK and CARD BLOCK one whose MAC is wrong: 6988 says that the state would have taken it.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application, application, read_record
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Script, Settle, Unblock
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.gpo import refused_options, same_atc
from sscard.testing.conformance.pse.holder import Verify
from sscard.testing.conformance.pse.oda import Dynamic
from sscard.testing.conformance.pse.order import order_cases
from sscard.testing.conformance.pse.switches import Answer, By
from sscard.testing.conformance.pse.transaction import (
    AAC,
    TC,
    Ask,
    Enter,
    Generate,
    Options,
)
from sscard.testing.conformance.pse.ways import BEGIN, ONLINE, has_element

__all__ = ["ANSWERS", "SCRIPTS", "STATES", "same_data", "same_record", "state_cases"]

SCRIPTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "APPLICATION_BLOCK": "841E0000",
        "APPLICATION_UNBLOCK": "84180000",
        "CARD_BLOCK": "84160000",
        "PIN_UNBLOCK": "84240000",
        "PIN_CHANGE": "84240002",
        "PUT_DATA": "04DA9F58",
        "UPDATE_RECORD": "04DC010C",
    }
)
"""Header of each script: 9F58, and record 01 of SFI 1, stand for all (pse-pboc 2.2)."""

_EVERYWHERE = dict.fromkeys(
    ("SELECTED", "INITIATED", "ONLINE", "OPEN", "SCRIPT", "FINISHED"), 0x9000
)
_NOWHERE: Mapping[str, int] = MappingProxyType(dict.fromkeys(_EVERYWHERE, 0x6985))
_TAKEN = {"ONLINE": 0x9000, "OPEN": 0x9000, "SCRIPT": 0x9000}
_JUDGED = {"ONLINE": 0x6988, "OPEN": 0x6988, "SCRIPT": 0x6988}

ANSWERS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "SELECT": {**_EVERYWHERE, "OPEN": 0x6283},
        "GET_DATA": _EVERYWHERE,
        "READ_RECORD": _EVERYWHERE,
        "GET_CHALLENGE": _EVERYWHERE,
        "GPO": {**_NOWHERE, "SELECTED": 0x9000},
        "VERIFY": {**_NOWHERE, "INITIATED": 0x9000},
        "INTERNAL_AUTHENTICATE": {**_NOWHERE, "INITIATED": 0x9000},
        "FIRST_AC": {**_NOWHERE, "INITIATED": 0x9000, "ONLINE": 0x6700},
        "SECOND_AC": {**_NOWHERE, "INITIATED": 0x6700, "ONLINE": 0x9000},
        "EXTERNAL_AUTHENTICATE": {**_NOWHERE, "ONLINE": 0x9000, "OPEN": 0x9000},
        "APPLICATION_BLOCK": {**_NOWHERE, **_JUDGED},
        "APPLICATION_UNBLOCK": {**_NOWHERE, **_TAKEN},
        "CARD_BLOCK": {**_NOWHERE, **_JUDGED},
        "PIN_UNBLOCK": {**_NOWHERE, **_TAKEN},
        "PIN_CHANGE": {**_NOWHERE, **_JUDGED},
        "PUT_DATA": {**_NOWHERE, **_TAKEN},
        "UPDATE_RECORD": {**_NOWHERE, **_TAKEN},
    }
)
"""Status word by command and state. OPEN is a first answer AAC of a blocked application."""

_BLOCK = Script("APPLICATION BLOCK", "841E0000")
STATES: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType(
    {
        "SELECTED": (Enter(),),
        "INITIATED": BEGIN,
        "ONLINE": ONLINE,
        "OPEN": (
            *ONLINE,
            _BLOCK,
            Enter(),
            Options(blocked=True),
            Generate(TC, only="AAC"),
        ),
        "SCRIPT": (*ONLINE, Generate(AAC, APPROVED)),
        "FINISHED": (*BEGIN, Generate(AAC)),
    }
)
"""The steps that lead into a state."""


def state_cases() -> Iterator[Case]:
    """Yield a case for every command in every state, and those of the order of checks."""
    for state, way in STATES.items():
        for name, answers in ANSWERS.items():
            yield _in_state(state, way, name, answers[state])
    yield from order_cases()


def _in_state(state: str, way: tuple[Step, ...], name: str, sw: int) -> Case:
    command = name.replace("_", " ")
    source = "3" if state != "OPEN" else "3, 5.6"
    effect = Effect.SAFE if state == "SELECTED" else Effect.TRANSACTION
    if state == "SELECTED" and name == "GPO":
        effect = Effect.TRANSACTION
    if state == "OPEN" or (name in SCRIPTS and sw == 0x9000):
        effect = Effect.RESTORED
    back: tuple[Step, ...] | None = None
    if state == "OPEN" or (name == "APPLICATION_BLOCK" and state != "SELECTED"):
        back = (Unblock(if_possible=True), Settle(if_possible=True))
    why = f"{sw:04X}." if sw != 0x6985 else "6985: it does not belong here, and changes nothing."
    return bank_case(
        f"STATES/{state}/{name}",
        f"{command} in the state {state}",
        f"{source}, 12",
        why,
        *way,
        Look(f"the state {state}", _reached(state)),
        *_command(state, name, sw),
        effect=effect,
        restore=back,
    )


def _reached(state: str) -> Callable[[Bench, Application], str]:
    """Return a look at the state: a card without PIN tries may decline before it is reached."""

    def problem(bench: Bench, app: Application) -> str:
        if app.deal.phase != state:
            raise NotRun(f"the card came to {app.deal.phase}, with {app.deal.answers}")
        return ""

    return problem


def _command(state: str, name: str, sw: int) -> tuple[Step, ...]:
    """Return the steps of a command that must answer `sw`."""
    if name in SCRIPTS:
        return _script(name, sw)
    if name == "SELECT":
        return (Enter(answer=(0x9000, 0x6283) if state == "SELECTED" else sw),)
    if name == "GET_DATA":
        return (Ask("GET DATA of the ATC", Command(0x80, 0xCA, 0x9F, 0x36, le=256)),)
    if name == "READ_RECORD":
        early = By("pse_read_before_gpo", (("allowed", 0x9000), ("6985", 0x6985)))
        return (Ask("READ RECORD", read_record(1, 1), early if state == "SELECTED" else 0x9000),)
    if name == "GET_CHALLENGE":
        return (Ask("GET CHALLENGE", Command(0x00, 0x84, 0x00, 0x00, le=8)),)
    return _of_the_transaction(state, name, sw)


def _of_the_transaction(state: str, name: str, sw: int) -> tuple[Step, ...]:
    same = () if sw == 0x9000 else (Look("the ATC", same_atc),)
    if name == "GPO":
        return (Options() if sw == 0x9000 else Look("GPO", refused_options(sw)), *same)
    if name == "VERIFY":
        anywhere = By("verify_state", (("initiated", 0x6985), ("any", 0x9000)))
        return (Verify(), *same) if sw == 0x9000 else (Verify(answer=anywhere), *same)
    if name == "INTERNAL_AUTHENTICATE":
        return (Dynamic(answer=sw), *same)
    if name == "EXTERNAL_AUTHENTICATE":
        if sw == 0x9000:
            return (Arpc(),)
        empty = Command(0x00, 0x82, 0x00, 0x00, bytes(8) + b"00")
        return (Ask("EXTERNAL AUTHENTICATE", empty, sw), *same)
    arc = APPROVED if name == "SECOND_AC" else ""
    answer: Answer = sw
    if sw == 0x9000:
        return (Generate(AAC, arc),)
    return (Generate(AAC, arc, answer=answer, name=name.replace("_", " ")), *same)


def _script(name: str, sw: int) -> tuple[Step, ...]:
    title = name.replace("_", " ")
    header = SCRIPTS[name]
    data = {"PUT_DATA": same_data(0x9F58), "UPDATE_RECORD": same_record(1, 1)}.get(name, b"")
    if name == "PIN_CHANGE":
        data = bytes(16)
    if sw == 0x6985:
        fixed: dict[str, bytes] = {"PUT_DATA": b"\x05", "UPDATE_RECORD": b"\x70\x00"}
        step = Script(title, header, fixed.get(name, data), sw, silent=True)
        if name == "PUT_DATA":
            return (Look("9F58", has_element(0x9F58)), step)
        return (step,)
    return (Script(title, header, data, sw, "bit" if sw == 0x6988 else ""),)


def same_data(tag: int) -> Callable[[Bench], bytes]:
    """Return how PUT DATA gets the value that is there. Errors: `NotRun` where none is."""

    def made(bench: Bench) -> bytes:
        held = application(bench).elements.get(tag)
        if held is None:
            raise NotRun(f"the card has no {tag:04X}")
        return held

    return made


def same_record(sfi: int, number: int) -> Callable[[Bench], bytes]:
    """Return how UPDATE RECORD gets the record that is there. Errors: `NotRun` where none is."""

    def made(bench: Bench) -> bytes:
        held = application(bench).records.get((sfi, number))
        if held is None:
            raise NotRun(f"the card has no record {number} of SFI {sfi}")
        return held

    return made
