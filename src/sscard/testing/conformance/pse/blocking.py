"""`BLOCKING`: blocked applications and cards, and the way back (pse-pboc 1.2, 5.6).

`CARD_BLOCK` sends it with its right MAC, from which there is no way back.
"""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import (
    Application,
    read_record,
    select,
)
from sscard.testing.conformance.pse.bank import (
    APPROVED,
    Arpc,
    Script,
    Settle,
    Unblock,
)
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.transaction import (
    AAC,
    ARQC,
    TC,
    Ask,
    Enter,
    Generate,
    Options,
)
from sscard.testing.conformance.pse.ways import ONLINE, UNBLOCK
from sscard.testing.conformance.steps import Reset

__all__ = ["blocking_cases", "end_of_life_cases"]


_BLOCK = Script("APPLICATION BLOCK", "841E0000")


_KINDS = {"AAC": AAC, "TC": TC, "ARQC": ARQC}


def blocking_cases() -> Iterator[Case]:
    """Yield the cases of blocked applications and cards."""
    unblock: tuple[Step, ...] = (Unblock(), Settle(if_possible=True))
    blocked: tuple[Step, ...] = (*ONLINE, _BLOCK, Enter(answer=0x6283))

    def case(
        name: str, title: str, why: str, *steps: Step, source: str = "1.2, 5.3, 5.6, 12"
    ) -> Case:
        return bank_case(
            f"BLOCKING/{name}",
            title,
            source,
            why,
            *steps,
            effect=Effect.RESTORED,
            restore=unblock,
        )

    yield case(
        "select",
        "SELECT of a blocked application",
        "6283 and the whole FCI, by a part of the name too, also after a reset; GET DATA and READ "
        "RECORD go on, and the directory is as it was.",
        *blocked,
        Look("FCI", _same_fci),
        Reset(),
        Enter(answer=0x6283),
        Ask("GET DATA of the ATC", Command(0x80, 0xCA, 0x9F, 0x36, le=256)),
        Look("records", _records_go_on),
        Look("SELECT by 7 bytes", _partly_blocked),
    )
    for name, p1 in _KINDS.items():
        yield case(
            f"{name.lower()}",
            f"a blocked application asked for {'a TC' if name == 'TC' else 'an ' + name}",
            "An AAC, whatever is asked.",
            *blocked,
            Options(blocked=True),
            Generate(p1, only="AAC"),
        )
    yield case(
        "unblock",
        "the way back",
        "EXTERNAL AUTHENTICATE over the AAC, APPLICATION UNBLOCK, and all is as it was.",
        *blocked,
        Options(blocked=True),
        Generate(TC, only="AAC"),
        Arpc(),
        UNBLOCK,
        Enter(answer=0x9000),
        Options(),
        Generate(only="ARQC"),
    )
    yield case(
        "no-second",
        "the AAC of a blocked application is not turned into a TC",
        "A second GENERATE AC is 6985; scripts are taken.",
        *blocked,
        Options(blocked=True),
        Generate(TC, only="AAC"),
        Generate(TC, APPROVED, answer=0x6985),
        UNBLOCK,
    )
    yield case(
        "mid-transaction",
        "an application blocked before its second cryptogram",
        "The second GENERATE AC is an AAC.",
        *ONLINE,
        Arpc(),
        _BLOCK,
        Generate(TC, APPROVED, only="AAC"),
        UNBLOCK,
    )
    yield case(
        "unblock-unblocked",
        "APPLICATION UNBLOCK of an application that is not blocked",
        "9000, and nothing changes.",
        *ONLINE,
        UNBLOCK,
        Enter(answer=0x9000),
    )
    yield bank_case(
        "BLOCKING/as-found",
        "an application that is blocked when the run begins",
        "1.2, 5.3",
        "6283, GET PROCESSING OPTIONS, and an AAC whatever is asked. Not run on one that is not "
        "blocked.",
        only_if("the application is not blocked", _found_blocked),
        Enter(answer=0x6283),
        Look("GPO", _gpo_or_for_ever),
        Generate(TC, only="AAC"),
        effect=Effect.TRANSACTION,
        restore=(),
    )
    yield bank_case(
        "BLOCKING/card-as-found",
        "a card that is blocked when the run begins",
        "1.2",
        "6A81 to SELECT of the application and of the directory, and to every command after it. "
        "Not run on one that is not blocked.",
        only_if("the card is not blocked", _card_found_blocked, anyhow=True),
        Look("6A81", _all_6a81, anyhow=True),
    )


def end_of_life_cases() -> Iterator[Case]:
    """Yield the case that ends the bank's side of the card."""
    yield bank_case(
        "CARD_BLOCK/right-mac",
        "CARD BLOCK with its right MAC",
        "5.6, 12",
        "9000. Afterwards, also after a reset, SELECT of the application and of the directory and "
        "every command behind them are 6A81.",
        *ONLINE,
        Arpc(),
        Script("CARD BLOCK", "84160000"),
        Reset(),
        Look("6A81", _all_6a81, anyhow=True),
        effect=Effect.FINAL,
        restore=(),
    )


def _same_fci(bench: Bench, app: Application) -> str:
    return "" if bench.kept["fci"] == app.fci else "another FCI than before"


def _records_go_on(bench: Bench, app: Application) -> str:
    if app.early and bench.transmit(read_record(1, 1)).data != app.records.get((1, 1)):
        return "record 01 of SFI 1 is another one"
    return ""


def _partly_blocked(bench: Bench, app: Application) -> str:
    Ask("SELECT by a part of the name", select(app.aid[:-1]), (0x6283, 0x9000)).run(bench)
    return ""


def _found_blocked(bench: Bench, app: Application) -> bool:
    return bool(app.blocked) and not app.card_blocked


def _card_found_blocked(bench: Bench, app: Application) -> bool:
    return app.card_blocked


def _gpo_or_for_ever(bench: Bench, app: Application) -> str:
    if app.elements.get(0x9F36) == b"\xff\xff":
        raise NotRun("the application has used up its ATC, and is blocked for ever")
    Options(blocked=True).run(bench)
    return ""


def _all_6a81(bench: Bench, app: Application) -> str:
    for title, command in (
        ("SELECT of the application", select(app.aid)),
        ("GET DATA of the ATC", Command(0x80, 0xCA, 0x9F, 0x36, le=256)),
        ("READ RECORD", read_record(1, 1)),
        ("GET PROCESSING OPTIONS", Command(0x80, 0xA8, 0x00, 0x00, b"\x83\x00", 256)),
        ("SELECT of the directory", select(b"1PAY.SYS.DDF01")),
    ):
        bench.exchange(title, command, Expect.of(0x6A81))
    return ""
