"""`DIRECTORY`, `SELECTION`, `FCI`: finding the bank application (pse-pboc 1)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.pboc import RID
from sscard.spec.ssse import SSSE_NAME
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import (
    Application,
    application,
    blocked_card,
    fci_of,
    inside,
    read_record,
    select,
)
from sscard.testing.conformance.pse.directory import directory_cases
from sscard.testing.conformance.pse.fci import fci_cases
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.switches import By, may_be
from sscard.testing.conformance.pse.transaction import AAC, Ask, Enter, Generate, Options
from sscard.testing.conformance.steps import Reset

__all__ = ["selection_cases"]

_STRANGER = bytes.fromhex("A0000000031010")
_GPO = Command(0x80, 0xA8, 0x00, 0x00, b"\x83\x00", 256)
_ATC = Command(0x80, 0xCA, 0x9F, 0x36, le=256)
_OCCURRENCES_MAX = 16


def selection_cases() -> Iterator[Case]:
    """Yield the cases of selection."""
    yield from directory_cases()
    yield from _name_cases()
    yield from fci_cases()


@dataclass(frozen=True, slots=True)
class Named:
    """SELECT by the application's name, or by its first bytes; the same FCI must come.

    `length` bytes of the name: 0 all of it, below 0 all but so many, above 0 so many.
    """

    length: int = 0
    p2: int = 0
    title: str = "SELECT the bank application"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return blocked_card(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        name = app.aid[: self.length] if self.length else app.aid
        title = f"{self.title} by {len(name)} bytes of its name"
        reply = bench.exchange(title, select(name, self.p2), Expect((0x9000, 0x6283)))
        blocked = app.blocked and not app.card_blocked
        fci = fci_of(bench, reply)
        found = inside(fci, 0x6F).get(0x84, b"")
        wrong = "" if found.startswith(name) else f"84 {found.hex().upper()}"
        if not wrong and found == app.aid:
            wanted = SW.FILE_INVALIDATED if blocked else SW.OK
            wrong = "" if reply.sw == wanted and fci == app.fci else "another answer"
        bench.require("the same FCI", wrong, fci)


def _next_problem(bench: Bench, app: Application) -> str:
    """Every further occurrence is another one, and they come to an end."""
    seen = []
    for p2 in (0, *[2] * _OCCURRENCES_MAX):
        reply = bench.exchange(
            "SELECT by RID" if not p2 else "the next one",
            select(RID, p2),
            Expect((0x9000, 0x6283) if not p2 else (0x9000, 0x6283, 0x6A82)),
        )
        if reply.sw == SW.FILE_NOT_FOUND:
            return ""
        name = inside(fci_of(bench, reply), 0x6F).get(0x84, b"")
        if name in seen or not name.startswith(RID):
            return f"{name.hex().upper()} once more"
        seen.append(name)
    return "no end"


def _name_cases() -> Iterator[Case]:
    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"SELECTION/{name}", title, "1.2", why, *steps, effect=effect)

    yield case(
        "full",
        "the application is found by its full name, as often as one likes",
        "9000 and the FCI; 6283 and the FCI when it is blocked.",
        Named(),
        Named(),
    )
    yield case(
        "partial",
        "it is found by the beginning of its name, right after reset too",
        "A left prefix matches; a full match wins over prefixes.",
        Named(-1),
        Named(),
        Named(5),
    )
    yield case(
        "next",
        "P2 = 02 gives the next occurrence, until 6A82",
        "The search goes on behind what was returned last, by the same name.",
        Look("occurrences", _next_problem),
    )
    yield case(
        "next-full",
        "a full name has no next occurrence",
        "6A82 after the first.",
        Named(),
        Look("the next one", _next_of_full),
    )
    yield case(
        "next-first",
        "P2 = 02 without a first one",
        "The search begins anew, or 6A82: the reference leaves it open.",
        Look("SELECT P2 02", _next_alone),
    )
    yield case(
        "unknown",
        "a name that is not there is 6A82, and the application stays selected",
        "GET DATA goes on working.",
        Enter(),
        Ask("SELECT a name of another scheme", select(_STRANGER), 0x6A82),
        Ask("GET DATA of the ATC", _ATC),
    )
    yield case(
        "parameters",
        "P1 and P2 are 04 and 00 or 02, and a name has 5 to 16 bytes",
        "Otherwise 6A86 and 6700.",
        Enter(),
        Ask("P2 = 01", select(RID, 0x01), 0x6A86),
        Ask("P2 = 03", select(RID, 0x03), 0x6A86),
        Ask("P1 = 02", Command(0x00, 0xA4, 0x02, 0x00, b"\xef\x01"), 0x6A86),
        Ask("P1 = 08", Command(0x00, 0xA4, 0x08, 0x00, b"\xef\x01"), 0x6A86),
        Ask("Lc 04", select(RID[:4]), 0x6700),
        Ask("Lc 11", select(RID + bytes(12)), 0x6700),
    )
    yield case(
        "class",
        "classes and instructions that are none",
        "An instruction nobody knows is 6D00; a known one in another class, or on another logical "
        "channel, 6E00.",
        Enter(),
        Ask("instruction 0F", Command(0x80, 0x0F, 0x00, 0x00), 0x6D00),
        Ask("instruction 5E", Command(0x80, 0x5E, 0x01, 0x00, bytes(7)), 0x6D00),
        Ask("GENERATE AC in class 00", Command(0x00, 0xAE, 0x80, 0x00, bytes(52)), 0x6E00),
        Ask("GET DATA on channel 1", Command(0x81, 0xCA, 0x9F, 0x36, le=256), (0x6E00, 0x6881)),
        Ask("READ RECORD in class 80", Command(0x80, 0xB2, 0x01, 0x0C, le=256), 0x6E00),
    )
    yield case(
        "nothing-selected",
        "nothing of the application is to be had before it is selected",
        "After a reset no data object, no record and no transaction of the bank are there.",
        Look("GET DATA of the ATC", _refused(_ATC)),
        Look("READ RECORD of SFI 1", _refused(read_record(1, 1))),
        Look("GET PROCESSING OPTIONS", _refused(_GPO)),
        Enter(),
        Reset(),
        Look("GET DATA of the ATC", _refused(_ATC)),
        Look("READ RECORD of SFI 1", _refused(read_record(1, 1))),
    )
    yield case(
        "social-names",
        "a short name never finds a directory of the social security application",
        "Partial names look at the bank's names alone, whatever is current.",
        Enter(),
        Ask("SELECT by the beginning of the SSSE's name", select(SSSE_NAME[:6]), 0x6A82),
        Ask("SELECT by D156000005", select(bytes.fromhex("D156000005")), 0x6A82),
        Ask("GET DATA of the ATC", _ATC),
    )
    yield case(
        "aborts",
        "SELECT in mid-transaction ends the transaction",
        "Whatever was begun is gone: no cryptogram is awaited, and GET PROCESSING OPTIONS is.",
        Enter(),
        Options(),
        Enter(),
        Generate(AAC, answer=0x6985),
        Options(),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "unknown-aborts",
        "a SELECT that finds nothing ends the transaction, or leaves it",
        "The application stays selected either way; the reference leaves open what becomes of a "
        "transaction.",
        Enter(),
        Options(),
        Ask("SELECT a name of another scheme", select(_STRANGER), 0x6A82),
        Look("GENERATE AC", _after_a_failed_select),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "mf",
        "SELECT 3F00 leaves the bank's environment",
        "P1 = 00 with the FID of the MF is the card's own, from everywhere; the application's "
        "objects are out of reach then.",
        Enter(),
        Ask("SELECT 3F00", Command(0x00, 0xA4, 0x00, 0x00, b"\x3f\x00", 256)),
        Look("GET DATA of the ATC", _refused(_ATC)),
    )


def _refused(command: Command) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        reply = bench.transmit(command)
        return f"answered {reply.sw}" if reply.sw == SW.OK or reply.data else ""

    return problem


def _next_of_full(bench: Bench, app: Application) -> str:
    Ask("SELECT P2 02", select(app.aid, 0x02), 0x6A82).run(bench)
    return ""


def _next_alone(bench: Bench, app: Application) -> str:
    restart = 0x6283 if app.blocked else 0x9000
    by = By("pse_next_name", (("restart", restart), ("6A82", 0x6A82)))
    Ask("SELECT P2 02", select(app.aid, 0x02), by).run(bench)
    return ""


def _after_a_failed_select(bench: Bench, app: Application) -> str:
    ways = [may_be(bench, "pse_failed_select", value) for value in ("reset", "keep")]
    words = [sw for sw, open_ in zip((0x6985, 0x9000), ways, strict=True) if open_]
    answer: int | tuple[int, ...] = words[0] if len(words) == 1 else tuple(words)
    Generate(AAC, answer=answer).run(bench)
    return ""
