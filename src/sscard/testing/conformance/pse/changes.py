"""`SCRIPTS`: what PUT DATA, UPDATE RECORD and PIN CHANGE change, and change back (pse-pboc 5.6)."""

from collections.abc import Callable, Iterator

from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import (
    Application,
    application,
    get_data,
    inside,
    read_record,
)
from sscard.testing.conformance.pse.bank import (
    APPROVED,
    ChangePin,
    Script,
    Settle,
    missing_keys,
)
from sscard.testing.conformance.pse.frame import Look, script_case
from sscard.testing.conformance.pse.holder import Verify
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import (
    AAC,
    Enter,
    Generate,
    Options,
)
from sscard.testing.conformance.pse.ways import BEGIN, CLOSED, ONLINE, UNBLOCK, has_element, has_pin
from sscard.testing.conformance.steps import Reset

__all__ = ["pin_change_cases", "put_data_cases", "update_record_cases"]


def put_data_cases() -> Iterator[Case]:
    """Yield the cases of PUT DATA."""
    for tag in (0x9F58, 0x9F59, 0x9F53, 0x9F54, 0x9F5C, 0x9F72, 0x9F73, 0x9F75):
        name = f"{tag:04X}"
        yield script_case(
            f"PUT_DATA/{name}",
            f"PUT DATA changes {name}, and back",
            "GET DATA shows the new value at once, and the old one after it was put back.",
            Look(name, has_element(tag)),
            *ONLINE,
            Script(f"PUT DATA {name}", f"04DA{name}", _other_value(tag)),
            Look("GET DATA", _shows(tag, other=True)),
            Script(f"PUT DATA {name} back", f"04DA{name}", _first_value(tag)),
            Look("GET DATA", _shows(tag, other=False)),
            Generate(AAC, APPROVED),
            restore=(PutBack(tag), Settle(if_possible=True)),
        )
    yield script_case(
        "PUT_DATA/refused",
        "a wrong MAC changes nothing",
        "The value is the same as before.",
        Look("9F58", has_element(0x9F58)),
        *ONLINE,
        Script("PUT DATA 9F58", "04DA9F58", _other_value(0x9F58), 0x6988, "bit"),
        Look("GET DATA", _shows(0x9F58, other=False)),
        Generate(AAC, APPROVED),
        restore=(PutBack(0x9F58), Settle(if_possible=True)),
    )
    yield script_case(
        "PUT_DATA/unknown",
        "PUT DATA of a tag that scripts do not change, or this card has not",
        "6A80; it is a failed script that does not count.",
        Settle(),
        *CLOSED,
        Script("PUT DATA 9F36", "04DA9F36", b"\0\0", 0x6A80, unknown=True),
        *BEGIN,
        Generate(AAC),
    )
    yield script_case(
        "PUT_DATA/length",
        "PUT DATA with a value of another length",
        "6700; it is a failed script that does not count.",
        Settle(),
        *CLOSED,
        Look("9F58", has_element(0x9F58)),
        Script("PUT DATA 9F58", "04DA9F58", b"\0\0", 0x6700),
        *BEGIN,
        Generate(AAC),
    )


class PutBack:
    """Write the value that a data object had, where it has another one."""

    __slots__ = ("tag",)
    title = "put the old value back"

    def __init__(self, tag: int) -> None:
        self.tag = tag

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        old = bench.kept.get("old", app.elements.get(self.tag, b""))
        Enter().run(bench)
        if not old or get_data(bench, self.tag) == old:
            return
        Options().run(bench)
        Generate().run(bench)
        Script("PUT DATA back", f"04DA{self.tag:04X}", old).run(bench)


def _other(value: bytes) -> bytes:
    """Return another value of the same length, digits where they were digits."""
    return value[:-1] + bytes((value[-1] ^ 0x01,))


def _other_value(tag: int) -> Callable[[Bench], bytes]:
    return lambda bench: _other(bench.kept["old"])


def _first_value(tag: int) -> Callable[[Bench], bytes]:
    return lambda bench: bench.kept["old"]


def _shows(tag: int, *, other: bool) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        old = bench.kept["old"]
        wanted, seen = _other(old) if other else old, get_data(bench, tag)
        return (
            "" if seen == wanted else f"{(seen or b'').hex().upper()}, not {wanted.hex().upper()}"
        )

    return problem


def update_record_cases() -> Iterator[Case]:
    """Yield the cases of UPDATE RECORD."""
    long = By("pse_long_record", (("6A84", 0x6A84), ("6A83", 0x6A83)))
    for name, header, data, answer, what, source in (
        ("no-record", "04DC1F0C", b"\x70\x00", 0x6A83, "a record that is not there", "5.6"),
        ("no-file", "04DC01EC", b"\x70\x00", 0x6A82, "a file that is not there", "5.6"),
        ("too-long", "04DC010C", b"\x70\x81\xee" + bytes(0xEE), long, "more than fits", "5.6"),
    ):
        yield script_case(
            f"UPDATE_RECORD/{name}",
            f"UPDATE RECORD of {what}",
            "Refused after a good MAC: it counts, and is a failed script; the session goes on.",
            Settle(),
            *CLOSED,
            Script("UPDATE RECORD", header, data, answer),
            UNBLOCK,
            *BEGIN,
            Generate(AAC),
            source=source,
        )
    yield script_case(
        "UPDATE_RECORD/log",
        "UPDATE RECORD of the log",
        "6981: scripts do not write it.",
        Settle(),
        Look("the log", _has_log_record),
        *CLOSED,
        Look("UPDATE RECORD", _update_log),
        *BEGIN,
        Generate(AAC),
    )
    yield script_case(
        "UPDATE_RECORD/changes",
        "UPDATE RECORD replaces a record, and back",
        "READ RECORD gives the new one at once. The new one is the old one with its last data "
        "object left out, so a shorter record is taken, too.",
        *ONLINE,
        Look("a record with several data objects", _shorter_record),
        Script("UPDATE RECORD", "04DC010C", lambda bench: bench.kept["shorter"]),
        Look("READ RECORD", _reads("shorter")),
        Script("UPDATE RECORD back", "04DC010C", lambda bench: bench.kept["record"]),
        Look("READ RECORD", _reads("record")),
        Generate(AAC, APPROVED),
        restore=(RecordBack(), Settle(if_possible=True)),
    )
    yield script_case(
        "UPDATE_RECORD/refused",
        "UPDATE RECORD with a wrong MAC changes nothing",
        "READ RECORD gives what it gave.",
        *ONLINE,
        Look("a record with several data objects", _shorter_record),
        Script("UPDATE RECORD", "04DC010C", lambda b: b.kept["shorter"], 0x6988, "bit"),
        Look("READ RECORD", _reads("record")),
        Generate(AAC, APPROVED),
        restore=(RecordBack(), Settle(if_possible=True)),
    )


class RecordBack:
    """Write record 01 of SFI 1 as it was, where it is another one."""

    __slots__ = ()
    title = "put the old record back"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        Enter().run(bench)
        old = application(bench).records.get((1, 1), b"")
        if not old or bench.transmit(read_record(1, 1)).data in (old, b""):
            return
        Options().run(bench)
        Generate().run(bench)
        Script("UPDATE RECORD back", "04DC010C", old).run(bench)


def _shorter_record(bench: Bench, app: Application) -> str:
    record = app.records.get((1, 1), b"")
    held = inside(record, 0x70)
    if len(held) < 2 or len(record) > 0x7F:
        raise NotRun("record 01 of SFI 1 is not one to be shortened")
    last = next(iter(held))
    width = 2 if last > 0xFF else 1
    body = record[2 : len(record) - width - 1 - len(held[last])]
    bench.kept["record"], bench.kept["shorter"] = record, bytes((0x70, len(body))) + body
    return ""


def _reads(name: str) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        seen = bench.transmit(read_record(1, 1)).data
        return "" if seen == bench.kept[name] else f"another record, of {len(seen)} bytes"

    return problem


def _has_log_record(bench: Bench, app: Application) -> str:
    sfi, _ = app.log_entry
    if not sfi:
        raise NotRun("the card has no log")
    return ""


def _update_log(bench: Bench, app: Application) -> str:
    sfi, _ = app.log_entry
    Script("UPDATE RECORD", f"04DC01{sfi << 3 | 4:02X}", b"\x70\x00", 0x6981).run(bench)
    return ""


def pin_change_cases() -> Iterator[Case]:
    """Yield the cases of PIN CHANGE."""
    back: tuple[Step, ...] = (Reset(), PinBack(), Settle(if_possible=True))
    for p2, what, current in (("02", "without", ""), ("01", "with", "PIN")):
        yield script_case(
            f"PIN_CHANGE/{what}-current",
            f"PIN CHANGE {what} the current PIN, and back",
            "The new PIN counts and the old one does not; all tries are there.",
            Look("a PIN", has_pin),
            *BEGIN,
            Verify(),
            Generate(),
            ChangePin("new", current),
            Generate(AAC, APPROVED),
            *BEGIN,
            Verify("new"),
            Generate(),
            ChangePin("PIN", "new" if current else "", "PIN CHANGE back"),
            Generate(AAC, APPROVED),
            *BEGIN,
            Verify(),
            Generate(AAC),
            restore=back,
            effect=Effect.TRIES,
            source=f"4.8, P2 = {p2}",
        )
    yield script_case(
        "PIN_CHANGE/malformed",
        "PIN CHANGE with a block that is none",
        "6A80 after a good MAC: it counts, is a failed script, and the PIN stays.",
        Settle(),
        Look("a PIN", has_pin),
        *CLOSED,
        Script("PIN CHANGE", "84240002", bytes(16), 0x6A80),
        *BEGIN,
        Generate(AAC),
    )


class PinBack:
    """Give the holder his PIN back, whatever it is now."""

    __slots__ = ()
    title = "PIN CHANGE back to the holder's PIN"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        for step in (Enter(), Options(), Generate()):
            step.run(bench)
        if bench.bank_pin:
            ChangePin("PIN").run(bench)
