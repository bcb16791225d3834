"""`SCRIPTS`: every script with right and wrong MACs, and how they count (pse-pboc 4.8, 5.6).

CARD BLOCK with its right MAC is in `CARD_BLOCK`: nothing takes it back.
"""

from collections.abc import Callable, Iterator

from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Step
from sscard.testing.conformance.pse.bank import (
    APPROVED,
    Arpc,
    ChangePin,
    Script,
    Settle,
    Unblock,
)
from sscard.testing.conformance.pse.changes import (
    pin_change_cases,
    put_data_cases,
    update_record_cases,
)
from sscard.testing.conformance.pse.frame import Look, script_case
from sscard.testing.conformance.pse.states import SCRIPTS, same_data, same_record
from sscard.testing.conformance.pse.transaction import (
    AAC,
    TC,
    Enter,
    Generate,
    Options,
)
from sscard.testing.conformance.pse.ways import BEGIN, CLOSED, ONLINE, UNBLOCK, has_pin

__all__ = ["script_cases"]


_FULL = 17


def _data(name: str) -> bytes | Callable[[Bench], bytes]:
    if name == "PUT_DATA":
        return same_data(0x9F58)
    if name == "UPDATE_RECORD":
        return same_record(1, 1)
    return b""


def script_cases() -> Iterator[Case]:
    """Yield the cases of issuer scripts."""
    yield from _each_script()
    yield from _counting_cases()
    yield from put_data_cases()
    yield from update_record_cases()
    yield from pin_change_cases()


def _each_script() -> Iterator[Case]:
    spoilt = (
        ("bit", "a bit of its MAC wrong", 0x6988),
        ("data", "the MAC of other data", 0x6988),
        ("old", "the MAC of the transaction before", 0x6988),
        ("none", "no MAC", 0x6700),
        ("long", "a MAC of eight bytes", 0x6700),
    )
    unblock = (Unblock(), Settle(if_possible=True))
    for name, header in SCRIPTS.items():
        title = name.replace("_", " ")
        back = unblock if name == "APPLICATION_BLOCK" else None
        good: Step = Script(title, header, _data(name))
        if name == "PIN_CHANGE":
            good = ChangePin("PIN")
        for when, way in (("before", ONLINE), ("after", CLOSED)):
            if name == "CARD_BLOCK":
                break
            pin = (Look("a PIN", has_pin),) if name == "PIN_CHANGE" else ()
            yield script_case(
                f"{name}/{when}",
                f"{title} {when} the second GENERATE AC",
                "9000. Those after it are counted, and the next CVR has the count (4.b8-b5).",
                Settle(),
                *way,
                *pin,
                good,
                *((UNBLOCK,) if name == "APPLICATION_BLOCK" else ()),
                *BEGIN,
                Generate(AAC),
                restore=back,
            )
        for form, what, sw in spoilt:
            if name in ("UPDATE_RECORD", "PUT_DATA") and form in ("none", "long"):
                continue
            data = bytes(16) if name == "PIN_CHANGE" else _data(name)
            yield script_case(
                f"{name}/{form}",
                f"{title} with {what}",
                f"{sw:04X}, nothing happens, and the next CVR tells that a script failed (4.b4)."
                + (" No further script is taken in this session." if sw == 0x6988 else ""),
                Settle(),
                *CLOSED,
                Script(title, header, data, sw, form),
                Script(
                    "APPLICATION UNBLOCK", "84180000", answer=0x6985 if sw == 0x6988 else 0x9000
                ),
                Enter(answer=0x9000),
                Options(),
                Generate(AAC),
                restore=back,
            )


def _counting_cases() -> Iterator[Case]:
    yield script_case(
        "count",
        "the script counter stops at fifteen",
        "4.b8-b5 are F after more.",
        Settle(),
        *CLOSED,
        *(UNBLOCK for _ in range(_FULL)),
        *BEGIN,
        Generate(AAC),
    )
    yield script_case(
        "replay",
        "a script may come again in its transaction, and in no other",
        "The MAC hangs on ATC and first cryptogram alone.",
        Settle(),
        *CLOSED,
        UNBLOCK,
        UNBLOCK,
        *CLOSED,
        Script("the script of the transaction before", "84180000", answer=0x6988, spoil="old"),
    )
    yield script_case(
        "failed-arpc",
        "no script after a wrong ARPC",
        "6985, and it leaves no trace in the next CVR.",
        Settle(),
        *ONLINE,
        Arpc("first", answer=0x6300),
        Script("APPLICATION UNBLOCK", "84180000", answer=0x6985),
        *BEGIN,
        Generate(AAC),
    )
    yield script_case(
        "no-arpc",
        "scripts are taken when no ARPC came at all",
        "9000.",
        *ONLINE,
        UNBLOCK,
        Generate(AAC, APPROVED),
        UNBLOCK,
    )
    yield script_case(
        "next-transaction",
        "a session of scripts ends with the next transaction",
        "6985 after SELECT, and after GET PROCESSING OPTIONS.",
        *CLOSED,
        Enter(),
        Script("after SELECT", "84180000", answer=0x6985, silent=True),
        Options(),
        Script("after GET PROCESSING OPTIONS", "84180000", answer=0x6985, silent=True),
        Generate(AAC),
    )
    yield script_case(
        "failure-online",
        "a script that failed sends the next transaction on line if the ADA says so",
        "4.b4; ADA 2.b4.",
        Settle(),
        *CLOSED,
        Script("APPLICATION UNBLOCK", "84180000", answer=0x6988, spoil="bit"),
        *BEGIN,
        Generate(TC),
    )
