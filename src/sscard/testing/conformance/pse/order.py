"""`STATES/order`: of two faults at once the earlier check answers (pse-pboc 2.1)."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.transaction import (
    Ask,
    Enter,
)
from sscard.testing.conformance.pse.ways import has_element

__all__ = ["order_cases"]


def order_cases() -> Iterator[Case]:
    """P1 and P2, Lc, state, MAC, data: in that order (2.1)."""

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"STATES/order/{name}", title, "2.1", why, Enter(), *steps, effect=effect)

    def raw(title: str, header: str, size: int, sw: int) -> Ask:
        cla, ins, p1, p2 = bytes.fromhex(header)
        return Ask(title, Command(cla, ins, p1, p2, bytes(size)), sw)

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
        Look("9F58", has_element(0x9F58)),
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
