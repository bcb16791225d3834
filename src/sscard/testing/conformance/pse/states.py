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
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import Application, application, read_record
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Script, Settle, Unblock
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.holder import Verify
from sscard.testing.conformance.pse.oda import Dynamic
from sscard.testing.conformance.pse.switches import Answer, By
from sscard.testing.conformance.pse.terms import values_of
from sscard.testing.conformance.pse.transaction import (
    AAC,
    TC,
    Ask,
    Enter,
    Generate,
    Options,
    options_of,
)
from sscard.testing.conformance.steps import Reset

__all__ = ["ANSWERS", "SCRIPTS", "STATES", "gpo_cases", "same_data", "same_record", "state_cases"]

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
_BEGIN: tuple[Step, ...] = (Enter(), Options())
STATES: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType(
    {
        "SELECTED": (Enter(),),
        "INITIATED": _BEGIN,
        "ONLINE": (*_BEGIN, Generate()),
        "OPEN": (
            *_BEGIN,
            Generate(),
            _BLOCK,
            Enter(),
            Options(blocked=True),
            Generate(TC, only="AAC"),
        ),
        "SCRIPT": (*_BEGIN, Generate(), Generate(AAC, APPROVED)),
        "FINISHED": (*_BEGIN, Generate(AAC)),
    }
)
"""The steps that lead into a state."""

_SAFE_COMMANDS = ("SELECT", "GET_DATA", "READ_RECORD", "GET_CHALLENGE")
_ANY_LENGTH = ("FIRST_AC", "SECOND_AC")


# ---- GET PROCESSING OPTIONS ------------------------------------------------------------------


def gpo_cases() -> Iterator[Case]:
    """Yield the cases of GET PROCESSING OPTIONS."""

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"GPO/{name}", title, "2.1, 2.2, 3", why, Enter(), *steps, effect=effect)

    yield case(
        "length",
        "as many bytes as the PDOL asks for, and two more",
        "Anything else is 6700, and no transaction begins: the ATC stays.",
        Look("a byte more", _gpo(0x6700, longer=True)),
        Look("no data", _gpo(0x6700, data=b"")),
        Look("the ATC", _same_atc),
    )
    yield case(
        "tag",
        "the data are a template 83",
        "Another tag is 6A80, a wrong length inside 6700; the ATC stays.",
        only_if("the ATC is used up", lambda _, app: app.elements.get(0x9F36) != b"\xff\xff"),
        Look("tag 80", _gpo(0x6A80, tag=0x80)),
        Look("inner length", _gpo(0x6700, inner=1)),
        Look("the ATC", _same_atc),
    )
    yield case(
        "parameters",
        "P1, P2 and class",
        "6A86 before the length is looked at, and 6E00 before that.",
        Ask("P1 = 01", Command(0x80, 0xA8, 0x01, 0x00, b"\x83"), 0x6A86),
        Ask("P2 = 01", Command(0x80, 0xA8, 0x00, 0x01, b"\x83"), 0x6A86),
        Ask("class 00", Command(0x00, 0xA8, 0x01, 0x00, b"\x83"), 0x6E00),
        Look("the ATC", _same_atc),
    )
    yield case(
        "atc",
        "every transaction has an ATC of its own, one higher",
        "It rises by one with GET PROCESSING OPTIONS, and stays what it is when power goes.",
        Options(),
        Reset(),
        Enter(),
        Look("the ATC", _same_atc),
        Options(),
        Enter(),
        Options(),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "twice",
        "a transaction is opened once",
        "A second GET PROCESSING OPTIONS is 6985; the ATC stays and the transaction goes on.",
        Options(),
        Look("once more", _gpo(0x6985)),
        Look("the ATC", _same_atc),
        Generate(AAC),
        Look("after the cryptogram", _gpo(0x6985)),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "order",
        "of two faults the earlier check answers",
        "In a state without GET PROCESSING OPTIONS a wrong length is 6700 all the same, and a wrong "
        "tag is 6985.",
        Options(),
        Generate(AAC),
        Look("a byte more", _gpo(0x6700, longer=True)),
        Look("tag 80", _gpo(0x6985, tag=0x80)),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "same",
        "AIP and AFL are the same in every transaction",
        "What a card supports does not change from one transaction to the next.",
        Options(),
        Look("remember them", _keep_options),
        Enter(),
        Options(),
        Look("the same", _other_options),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )


def _gpo(
    answer: int,
    *,
    longer: bool = False,
    tag: int = 0x83,
    inner: int = 0,
    data: bytes | None = None,
) -> Callable[[Bench, Application], str]:
    """Return a step's look at GET PROCESSING OPTIONS in a form that is refused."""

    def problem(bench: Bench, app: Application) -> str:
        command = options_of(app, values_of(bench, app))
        body = bytes((tag, command.data[1] + inner)) + command.data[2:]
        body += b"\0" if longer else b""
        command = command._replace(data=body if data is None else data)
        bench.exchange("GET PROCESSING OPTIONS", command, Expect((answer,)))
        return ""

    return problem


def _same_atc(bench: Bench, app: Application) -> str:
    before = app.elements.get(0x9F36, b"")
    app.refresh(bench)
    after = app.elements.get(0x9F36, b"")
    return "" if after == before else f"{after.hex().upper()} after {before.hex().upper()}"


def _keep_options(bench: Bench, app: Application) -> str:
    bench.kept["options"] = app.deal.aip + app.deal.afl
    return ""


def _other_options(bench: Bench, app: Application) -> str:
    return "" if bench.kept["options"] == app.deal.aip + app.deal.afl else "other ones"


# ---- every command in every state ------------------------------------------------------------


def state_cases() -> Iterator[Case]:
    """Yield a case for every command in every state, and those of the order of checks."""
    for state, way in STATES.items():
        for name, answers in ANSWERS.items():
            yield _in_state(state, way, name, answers[state])
    yield from _order_cases()


def _in_state(state: str, way: tuple[Step, ...], name: str, sw: int) -> Case:
    command = name.replace("_", " ")
    source = "3" if state != "OPEN" else "3, 5.6"
    effect = Effect.SAFE if state == "SELECTED" else Effect.TRANSACTION
    if state == "SELECTED" and name == "GPO":
        effect = Effect.TRANSACTION
    if state == "OPEN" or (name in SCRIPTS and sw == 0x9000):
        effect = Effect.RESTORED
    back: tuple[Step, ...] | None = None
    if state == "OPEN":
        back = (Unblock(), Settle(if_possible=True))
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
    same = () if sw == 0x9000 else (Look("the ATC", _same_atc),)
    if name == "GPO":
        return (Options() if sw == 0x9000 else Look("GPO", _gpo(sw)), *same)
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
            return (Look("9F58", _has_9f58), step)
        return (step,)
    return (Script(title, header, data, sw, "bit" if sw == 0x6988 else ""),)


def _has_9f58(bench: Bench, app: Application) -> str:
    if 0x9F58 not in app.elements:
        raise NotRun("the card has no 9F58")
    return ""


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


def _order_cases() -> Iterator[Case]:
    """P1 and P2, Lc, state, MAC, data: in that order (2.1)."""

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"STATES/order/{name}", title, "2.1", why, Enter(), *steps, effect=effect)

    def raw(title: str, header: str, size: int, sw: int) -> Ask:
        return Ask(title, Command(*bytes.fromhex(header), bytes(size)), sw)

    yield case(
        "parameters",
        "P1 and P2 come before the length",
        "6A86.",
        raw("VERIFY, P2 = 00", "00200000", 7, 0x6A86),
        raw("INTERNAL AUTHENTICATE, P1 = 01", "00880100", 5, 0x6A86),
        raw("GENERATE AC, P1 = C0", "80AEC000", 1, 0x6A86),
        raw("GENERATE AC, P2 = 01", "80AE8001", 1, 0x6A86),
        raw("EXTERNAL AUTHENTICATE, P1 = 01", "00820100", 9, 0x6A86),
        raw("APPLICATION BLOCK, P2 = 01", "841E0001", 3, 0x6A86),
        raw("APPLICATION UNBLOCK, P1 = 01", "84180100", 3, 0x6A86),
        raw("CARD BLOCK, P2 = 01", "84160001", 3, 0x6A86),
        raw("PIN CHANGE, P2 = 03", "84240003", 3, 0x6A86),
    )
    yield case(
        "length",
        "the length comes before the state",
        "6700, also where the command does not belong. GENERATE AC that nobody awaits is 6985 "
        "whatever its length.",
        raw("VERIFY, Lc 07", "00200080", 7, 0x6700),
        raw("INTERNAL AUTHENTICATE, Lc 09", "00880000", 9, 0x6700),
        raw("EXTERNAL AUTHENTICATE, Lc 09", "00820000", 9, 0x6700),
        raw("EXTERNAL AUTHENTICATE, Lc 0B", "00820000", 11, 0x6700),
        raw("APPLICATION BLOCK, Lc 03", "841E0000", 3, 0x6700),
        raw("APPLICATION BLOCK, Lc 08", "841E0000", 8, 0x6700),
        raw("CARD BLOCK, no MAC", "84160000", 3, 0x6700),
        raw("PIN CHANGE, Lc 04", "84240002", 4, 0x6700),
        raw("GENERATE AC, Lc 01", "80AE4000", 1, 0x6985),
    )
    yield case(
        "tag",
        "PUT DATA looks its tag up before the length",
        "6A80 for one that scripts do not change, 6700 then, 6985 at last.",
        Look("9F58", _has_9f58),
        raw("PUT DATA 9F13, Lc 03", "04DA9F13", 3, 0x6A80),
        raw("PUT DATA 9F36, Lc 06", "04DA9F36", 6, 0x6A80),
        raw("PUT DATA 9F58, Lc 07", "04DA9F58", 7, 0x6700),
        raw("PUT DATA 9F58, Lc 05", "04DA9F58", 5, 0x6985),
    )
    yield case(
        "class",
        "scripts have a class with secure messaging",
        "6E00 without it: nothing changes by a command that bears no MAC.",
        raw("APPLICATION BLOCK in class 80", "801E0000", 4, 0x6E00),
        raw("CARD BLOCK in class 80", "80160000", 4, 0x6E00),
        raw("PUT DATA in class 00", "00DA9F58", 1, 0x6E00),
        raw("UPDATE RECORD in class 00", "00DC010C", 2, 0x6E00),
        raw("PIN CHANGE in class 80", "80240000", 4, 0x6E00),
    )
