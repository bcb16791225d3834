"""`ISSUER_AUTH`, `SCRIPTS`, `BLOCKING`: what the bank does to the card (pse-pboc 4.7, 4.8, 5.6).

CARD BLOCK with a right MAC is never sent: nothing takes it back.
"""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import (
    Application,
    application,
    get_data,
    inside,
    read_record,
    select,
)
from sscard.testing.conformance.pse.bank import (
    APPROVED,
    Arpc,
    Blank,
    ChangePin,
    Script,
    Settle,
    Unblock,
    missing_keys,
)
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.holder import Verify
from sscard.testing.conformance.pse.states import SCRIPTS, same_data, same_record
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import (
    AAC,
    ARQC,
    TC,
    Ask,
    Enter,
    Generate,
    Options,
)
from sscard.testing.conformance.steps import Reset

__all__ = ["blocking_cases", "issuer_cases", "script_cases"]

_BEGIN: tuple[Step, ...] = (Enter(), Options())
_ONLINE: tuple[Step, ...] = (*_BEGIN, Generate())
_CLOSED: tuple[Step, ...] = (*_ONLINE, Arpc(), Generate(TC, APPROVED))
_UNBLOCK = Script("APPLICATION UNBLOCK", "84180000")
_BLOCK = Script("APPLICATION BLOCK", "841E0000")
_KINDS = {"AAC": AAC, "TC": TC, "ARQC": ARQC}
_HARMLESS = tuple(name for name in SCRIPTS if name not in ("CARD_BLOCK", "PIN_CHANGE"))
_FULL = 17


# ---- issuer authentication -------------------------------------------------------------------


def issuer_cases() -> Iterator[Case]:
    """Yield the cases of EXTERNAL AUTHENTICATE."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(
            f"ISSUER_AUTH/{name}", title, "4.7, 3", why, *steps, effect=Effect.TRANSACTION
        )

    yield case(
        "right",
        "the right ARPC",
        "9000, and the second cryptogram is a TC.",
        *_ONLINE,
        Arpc(),
        Generate(TC, APPROVED, only="TC"),
    )
    for form, what in (
        ("first", "a bit of its first byte wrong"),
        ("last", "a bit of its last byte wrong"),
        ("arc", "made for another ARC"),
        ("old", "of the transaction before"),
        ("zeros", "of zeros"),
    ):
        yield case(
            f"wrong-{form}",
            f"an ARPC {what}",
            "6300: all eight bytes count. The CVR tells that issuer authentication failed (2.b4).",
            *((*_ONLINE, Arpc(), Generate(AAC, APPROVED)) if form == "old" else ()),
            *_ONLINE,
            Arpc(form, answer=0x6300),
            Generate(TC, APPROVED),
        )
    yield case(
        "twice",
        "a second EXTERNAL AUTHENTICATE",
        "6985, and the issuer's authentication has failed by it: 2.b4.",
        *_ONLINE,
        Arpc(),
        Arpc(answer=0x6985),
        Generate(TC, APPROVED),
    )
    yield case(
        "after-wrong",
        "the right ARPC after a wrong one",
        "6985: there is one try a transaction.",
        *_ONLINE,
        Arpc("first", answer=0x6300),
        Arpc(answer=0x6985),
        Generate(TC, APPROVED),
    )
    yield case(
        "length",
        "ARPC and ARC are ten bytes",
        "6700, and it may still be given.",
        *_ONLINE,
        Arpc("short", answer=0x6700),
        Arpc("long", answer=0x6700),
        Arpc(),
        Generate(TC, APPROVED, only="TC"),
    )
    yield case(
        "remembered",
        "the next transaction knows that issuer authentication failed",
        "3.b4 and 3.b8; on line if the ADA says so.",
        Settle(),
        *_ONLINE,
        Arpc("first", answer=0x6300),
        Generate(AAC, APPROVED),
        *_BEGIN,
        Generate(TC),
        *_BEGIN,
        Generate(AAC),
    )
    yield case(
        "cut",
        "an ARPC counts with the second cryptogram only",
        "When power goes between the two, the issuer was not heard: 3.b8.",
        Settle(),
        *_ONLINE,
        Arpc(),
        Reset(),
        *_BEGIN,
        Generate(TC, only="ARQC"),
    )
    yield case(
        "unsupported",
        "EXTERNAL AUTHENTICATE of a card whose AIP has no issuer authentication",
        "Checked as usual, or 6985, as the card is made.",
        *_ONLINE,
        only_if("the AIP has issuer authentication", lambda _, app: not app.deal.aip[0] & 0x04),
        Ask(
            "EXTERNAL AUTHENTICATE",
            Command(0x00, 0x82, 0x00, 0x00, bytes(8) + b"00"),
            By("pse_arpc_unsupported", (("checked", 0x6300), ("6985", 0x6985))),
        ),
    )


# ---- scripts ---------------------------------------------------------------------------------


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
    yield from _put_data_cases()
    yield from _update_record_cases()
    yield from _pin_change_cases()


def _case(
    name: str,
    title: str,
    why: str,
    *steps: Step,
    effect: Effect = Effect.RESTORED,
    restore: tuple[Step, ...] | None = None,
    source: str = "4.8, 5.6",
) -> Case:
    return bank_case(f"SCRIPTS/{name}", title, source, why, *steps, effect=effect, restore=restore)


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
        for when, way in (("before", _ONLINE), ("after", _CLOSED)):
            if name == "CARD_BLOCK":
                break
            pin = (Look("a PIN", _has_pin),) if name == "PIN_CHANGE" else ()
            yield _case(
                f"{name}/{when}",
                f"{title} {when} the second GENERATE AC",
                "9000. Those after it are counted, and the next CVR has the count (4.b8-b5).",
                Settle(),
                *way,
                *pin,
                good,
                *((_UNBLOCK,) if name == "APPLICATION_BLOCK" else ()),
                *_BEGIN,
                Generate(AAC),
                restore=back,
            )
        for form, what, sw in spoilt:
            if name in ("UPDATE_RECORD", "PUT_DATA") and form in ("none", "long"):
                continue
            data = bytes(16) if name == "PIN_CHANGE" else _data(name)
            yield _case(
                f"{name}/{form}",
                f"{title} with {what}",
                f"{sw:04X}, nothing happens, and the next CVR tells that a script failed (4.b4)."
                + (" No further script is taken in this session." if sw == 0x6988 else ""),
                Settle(),
                *_CLOSED,
                Script(title, header, data, sw, form),
                Script(
                    "APPLICATION UNBLOCK", "84180000", answer=0x6985 if sw == 0x6988 else 0x9000
                ),
                Enter(answer=0x9000),
                Options(),
                Generate(AAC),
                restore=back,
            )


def _has_pin(bench: Bench, app: Application) -> str:
    if not bench.bank_pin or app.tries is None:
        raise NotRun("needs the PIN of the bank application: it was not given")
    return ""


def _counting_cases() -> Iterator[Case]:
    yield _case(
        "count",
        "the script counter stops at fifteen",
        "4.b8-b5 are F after more.",
        Settle(),
        *_CLOSED,
        *(_UNBLOCK for _ in range(_FULL)),
        *_BEGIN,
        Generate(AAC),
    )
    yield _case(
        "replay",
        "a script may come again in its transaction, and in no other",
        "The MAC hangs on ATC and first cryptogram alone.",
        Settle(),
        *_CLOSED,
        _UNBLOCK,
        _UNBLOCK,
        *_CLOSED,
        Script("the script of the transaction before", "84180000", answer=0x6988, spoil="old"),
    )
    yield _case(
        "failed-arpc",
        "no script after a wrong ARPC",
        "6985, and it leaves no trace in the next CVR.",
        Settle(),
        *_ONLINE,
        Arpc("first", answer=0x6300),
        Script("APPLICATION UNBLOCK", "84180000", answer=0x6985),
        *_BEGIN,
        Generate(AAC),
    )
    yield _case(
        "no-arpc",
        "scripts are taken when no ARPC came at all",
        "9000.",
        *_ONLINE,
        _UNBLOCK,
        Generate(AAC, APPROVED),
        _UNBLOCK,
    )
    yield _case(
        "next-transaction",
        "a session of scripts ends with the next transaction",
        "6985 after SELECT, and after GET PROCESSING OPTIONS.",
        *_CLOSED,
        Enter(),
        Script("after SELECT", "84180000", answer=0x6985, silent=True),
        Options(),
        Script("after GET PROCESSING OPTIONS", "84180000", answer=0x6985, silent=True),
        Generate(AAC),
    )
    yield _case(
        "failure-online",
        "a script that failed sends the next transaction on line if the ADA says so",
        "4.b4; ADA 2.b4.",
        Settle(),
        *_CLOSED,
        Script("APPLICATION UNBLOCK", "84180000", answer=0x6988, spoil="bit"),
        *_BEGIN,
        Generate(TC),
    )


def _put_data_cases() -> Iterator[Case]:
    for tag in (0x9F58, 0x9F59, 0x9F53, 0x9F54, 0x9F5C, 0x9F72, 0x9F73, 0x9F75):
        name = f"{tag:04X}"
        yield _case(
            f"PUT_DATA/{name}",
            f"PUT DATA changes {name}, and back",
            "GET DATA shows the new value at once, and the old one after it was put back.",
            Look(name, _has(tag)),
            *_ONLINE,
            Script(f"PUT DATA {name}", f"04DA{name}", _other_value(tag)),
            Look("GET DATA", _shows(tag, other=True)),
            Script(f"PUT DATA {name} back", f"04DA{name}", _first_value(tag)),
            Look("GET DATA", _shows(tag, other=False)),
            Generate(AAC, APPROVED),
            restore=(PutBack(tag), Settle(if_possible=True)),
        )
    yield _case(
        "PUT_DATA/refused",
        "a wrong MAC changes nothing",
        "The value is the same as before.",
        Look("9F58", _has(0x9F58)),
        *_ONLINE,
        Script("PUT DATA 9F58", "04DA9F58", _other_value(0x9F58), 0x6988, "bit"),
        Look("GET DATA", _shows(0x9F58, other=False)),
        Generate(AAC, APPROVED),
        restore=(PutBack(0x9F58), Settle(if_possible=True)),
    )
    yield _case(
        "PUT_DATA/unknown",
        "PUT DATA of a tag that scripts do not change, or this card has not",
        "6A80; it is a failed script that does not count.",
        Settle(),
        *_CLOSED,
        Blank(),
        Script("PUT DATA 9F36", "04DA9F36", b"\0\0", 0x6A80),
        *_BEGIN,
        Generate(AAC),
    )
    yield _case(
        "PUT_DATA/length",
        "PUT DATA with a value of another length",
        "6700; it is a failed script that does not count.",
        Settle(),
        *_CLOSED,
        Look("9F58", _has(0x9F58)),
        Script("PUT DATA 9F58", "04DA9F58", b"\0\0", 0x6700),
        *_BEGIN,
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


def _has(tag: int) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        if tag not in app.elements:
            raise NotRun(f"the card has no {tag:04X}")
        bench.kept["old"] = app.elements[tag]
        return ""

    return problem


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


def _update_record_cases() -> Iterator[Case]:
    long = By("pse_long_record", (("6A84", 0x6A84), ("6A83", 0x6A83)))
    for name, header, data, answer, what, source in (
        ("no-record", "04DC1F0C", b"\x70\x00", 0x6A83, "a record that is not there", "5.6"),
        ("no-file", "04DC01EC", b"\x70\x00", 0x6A82, "a file that is not there", "5.6"),
        ("too-long", "04DC010C", b"\x70\x81\xee" + bytes(0xEE), long, "more than fits", "5.6"),
    ):
        yield _case(
            f"UPDATE_RECORD/{name}",
            f"UPDATE RECORD of {what}",
            "Refused after a good MAC: it counts, and is a failed script; the session goes on.",
            Settle(),
            *_CLOSED,
            Script("UPDATE RECORD", header, data, answer),
            _UNBLOCK,
            *_BEGIN,
            Generate(AAC),
            source=source,
        )
    yield _case(
        "UPDATE_RECORD/log",
        "UPDATE RECORD of the log",
        "6981: scripts do not write it.",
        Settle(),
        Look("the log", _has_log_record),
        *_CLOSED,
        Look("UPDATE RECORD", _update_log),
        *_BEGIN,
        Generate(AAC),
    )
    yield _case(
        "UPDATE_RECORD/changes",
        "UPDATE RECORD replaces a record, and back",
        "READ RECORD gives the new one at once. The new one is the old one with its last data "
        "object left out, so a shorter record is taken, too.",
        *_ONLINE,
        Look("a record with several data objects", _shorter_record),
        Script("UPDATE RECORD", "04DC010C", lambda bench: bench.kept["shorter"]),
        Look("READ RECORD", _reads("shorter")),
        Script("UPDATE RECORD back", "04DC010C", lambda bench: bench.kept["record"]),
        Look("READ RECORD", _reads("record")),
        Generate(AAC, APPROVED),
        restore=(RecordBack(), Settle(if_possible=True)),
    )
    yield _case(
        "UPDATE_RECORD/refused",
        "UPDATE RECORD with a wrong MAC changes nothing",
        "READ RECORD gives what it gave.",
        *_ONLINE,
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


def _pin_change_cases() -> Iterator[Case]:
    back: tuple[Step, ...] = (Reset(), PinBack(), Settle(if_possible=True))
    for p2, what, current in (("02", "without", ""), ("01", "with", "PIN")):
        yield _case(
            f"PIN_CHANGE/{what}-current",
            f"PIN CHANGE {what} the current PIN, and back",
            "The new PIN counts and the old one does not; all tries are there.",
            Look("a PIN", _has_pin),
            *_BEGIN,
            Verify(),
            Generate(),
            ChangePin("new", current),
            Generate(AAC, APPROVED),
            *_BEGIN,
            Verify("new"),
            Generate(),
            ChangePin("PIN", "new" if current else "", "PIN CHANGE back"),
            Generate(AAC, APPROVED),
            *_BEGIN,
            Verify(),
            Generate(AAC),
            restore=back,
            effect=Effect.TRIES,
            source=f"4.8, P2 = {p2}",
        )
    yield _case(
        "PIN_CHANGE/malformed",
        "PIN CHANGE with a block that is none",
        "6A80 after a good MAC: it counts, is a failed script, and the PIN stays.",
        Settle(),
        Look("a PIN", _has_pin),
        *_CLOSED,
        Script("PIN CHANGE", "84240002", bytes(16), 0x6A80),
        *_BEGIN,
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


# ---- blocking --------------------------------------------------------------------------------


def blocking_cases() -> Iterator[Case]:
    """Yield the cases of blocked applications and cards."""
    unblock: tuple[Step, ...] = (Unblock(), Settle(if_possible=True))
    blocked: tuple[Step, ...] = (*_ONLINE, _BLOCK, Enter(answer=0x6283))

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
        "EXTERNAL AUTHENTICATE over the AAC, APPLICATION UNBLOCK, and the application is what it was.",
        *blocked,
        Options(blocked=True),
        Generate(TC, only="AAC"),
        Arpc(),
        _UNBLOCK,
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
        _UNBLOCK,
    )
    yield case(
        "mid-transaction",
        "an application blocked before its second cryptogram",
        "The second GENERATE AC is an AAC.",
        *_ONLINE,
        Arpc(),
        _BLOCK,
        Generate(TC, APPROVED, only="AAC"),
        _UNBLOCK,
    )
    yield case(
        "unblock-unblocked",
        "APPLICATION UNBLOCK of an application that is not blocked",
        "9000, and nothing changes.",
        *_ONLINE,
        _UNBLOCK,
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
        "6A81 to SELECT of the application and of the directory, and to every command after it. Not "
        "run on one that is not blocked.",
        only_if("the card is not blocked", _card_found_blocked, anyhow=True),
        Look("6A81", _all_6a81, anyhow=True),
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
