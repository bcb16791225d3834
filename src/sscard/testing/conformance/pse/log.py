"""`LOG`: what the card writes down of its transactions (pse-pboc 7)."""

from collections.abc import Iterator, Mapping

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, parse_dol
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application, dol, read_record
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Keys, Settle
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.switches import By, is_set, may_be
from sscard.testing.conformance.pse.terms import terms_of
from sscard.testing.conformance.pse.transaction import AAC, TC, Ask, Enter, Generate
from sscard.testing.conformance.pse.ways import BEGIN, WENT_ONLINE
from sscard.testing.conformance.steps import Reset
from sscard.testing.models.pse_values import concatenated

__all__ = ["log_cases"]

_RECORDS_TRIED = 30


def log_cases() -> Iterator[Case]:
    """Yield the cases of the log."""
    has = only_if("the card has no log", lambda bench, app: app.log_entry != (0, 0))

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"LOG/{name}", title, "7", why, Enter(), has, *steps, effect=effect)

    yield case(
        "format",
        "the log format is a list of tags and lengths",
        "9F4F; a card with a log whose format was not personalised may have none.",
        Look("9F4F", _format_problem),
    )
    yield case(
        "read",
        "the log is read before GET PROCESSING OPTIONS, without a PIN",
        "Records are values without tags, as long as the format says (zeros may follow); 6A83 "
        "behind the last.",
        Look("records", _records_problem),
    )
    yield case(
        "absent",
        "record 00, and one more than the log has",
        "6A83 (record 00: or 6A86).",
        Look("record 00", _zero),
        Look("one too many", _one_too_many),
    )
    yield case(
        "online",
        "a TC with the issuer is logged, newest first",
        "Record 01 has what the terminal gave and the ATC; what was record 01 is record 02.",
        Look("remember record 01", _keep),
        *BEGIN,
        Generate(terms=terms_of(amount="000000012345")),
        WENT_ONLINE,
        Arpc(),
        Generate(TC, APPROVED, terms=terms_of(amount="000000012345"), only="TC"),
        Look("record 01", _written),
        Look("record 02", _moved),
        Reset(),
        Enter(),
        Look("record 01 after a reset", _still_written),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "offline",
        "a TC off line is logged",
        "Record 01 has what the terminal gave and the ATC.",
        Settle(),
        Look("remember record 01", _keep),
        *BEGIN,
        Generate(TC),
        Look("record 01", _written_if_approved),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "declined",
        "an AAC is not logged",
        "Record 01 stays, unless the card is made to log what was declined.",
        Look("remember record 01", _keep),
        *BEGIN,
        Generate(AAC),
        Look("record 01", _unchanged),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "online-declined",
        "what the issuer declined is not logged",
        "Record 01 stays, unless the card is made to log what was declined.",
        Look("remember record 01", _keep),
        *BEGIN,
        Generate(),
        WENT_ONLINE,
        Generate(AAC, "05"),
        Look("record 01", _unchanged),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "cyclic",
        "a full log drops its oldest record",
        "The number of records never exceeds that of the log entry (9F4D).",
        Keys(),
        Look("fill it", _fill),
        effect=Effect.TRANSACTION,
    )


def _format_problem(bench: Bench, app: Application) -> str:
    held = app.elements.get(0x9F4F)
    if not held:
        raise NotRun("the card has no log format")
    try:
        parse_dol(held)
    except TlvError as error:
        return str(error)
    return ""


def _length(app: Application) -> int:
    length = sum(size for _, size in dol(app.elements.get(0x9F4F, b"")))
    if not length:
        raise NotRun("the card has no log format")
    return length


def _records_problem(bench: Bench, app: Application) -> str:
    (sfi, count), length = app.log_entry, _length(app)
    for number in range(1, count + 2):
        reply = bench.transmit(read_record(number, sfi))
        if reply.sw == SW.RECORD_NOT_FOUND:
            return ""
        if reply.sw != SW.OK:
            return f"record {number}: {reply.sw}"
        if len(reply.data) < length or reply.data[length:].strip(b"\0"):
            return f"record {number} has {len(reply.data)} bytes, not {length}"
    return f"more than {count} records"


def _zero(bench: Bench, app: Application) -> str:
    zero = By("pse_record_zero", (("6A83", 0x6A83), ("6A86", 0x6A86)))
    Ask("record 00", read_record(0, app.log_entry[0]), zero).run(bench)
    return ""


def _one_too_many(bench: Bench, app: Application) -> str:
    sfi, count = app.log_entry
    Ask(f"record {count + 1}", read_record(count + 1, sfi), 0x6A83).run(bench)
    return ""


def _newest(bench: Bench, app: Application, number: int = 1) -> bytes:
    """Return a record, without zeros behind what the format asks for."""
    length = sum(size for _, size in dol(app.elements.get(0x9F4F, b"")))
    record = bench.transmit(read_record(number, app.log_entry[0])).data
    return record if record[length:].strip(b"\0") else record[:length]


def _keep(bench: Bench, app: Application) -> str:
    bench.kept["newest"] = _newest(bench, app)
    return ""


def _expected(app: Application) -> bytes:
    """CDOL1 data first, then CDOL2's, the PDOL's, the card's own, else zeros (7)."""
    deal = app.deal
    own: Mapping[int, bytes] = {0x9F36: app.elements.get(0x9F36, b"")}
    first = dict(_cut(app, 0x8C, deal.cdol1))
    second = dict(_cut(app, 0x8D, deal.cdol2))
    entries = tuple(dol(app.elements.get(0x9F4F, b"")))
    pdol = dict(_split(app.pdol, deal.pdol_data))
    return concatenated(entries, first, second, pdol, own)


def _cut(app: Application, tag: int, data: bytes) -> list[tuple[int, bytes]]:
    return _split(app.tags.get(tag, b""), data)


def _split(listed: bytes, data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    for tag, size in dol(listed) if data else ():
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _written(bench: Bench, app: Application) -> str:
    _length(app)
    app.refresh(bench)
    seen, wanted = _newest(bench, app), _expected(app)
    bench.kept["written"] = wanted
    return "" if seen == wanted else f"a record of {len(seen)} bytes, other than was transacted"


def _still_written(bench: Bench, app: Application) -> str:
    return "" if _newest(bench, app) == bench.kept["written"] else "another record"


def _moved(bench: Bench, app: Application) -> str:
    before = bench.kept["newest"]
    return "" if not before or _newest(bench, app, 2) == before else "not the one before"


def _written_if_approved(bench: Bench, app: Application) -> str:
    if app.deal.answers != ["TC"]:
        raise NotRun("the card's limits let nothing be approved off line")
    return _written(bench, app) or _moved(bench, app)


def _unchanged(bench: Bench, app: Application) -> str:
    same = _newest(bench, app) == bench.kept["newest"]
    if same and (may_be(bench, "pse_log_declined", "off")):
        return ""
    if not same and may_be(bench, "pse_log_declined", "on"):
        return _written(bench, app)
    return "not logged" if is_set(bench, "pse_log_declined", "on") else "logged"


def _fill(bench: Bench, app: Application) -> str:
    """Settle once more than the log has records; the oldest record goes."""
    sfi, count = app.log_entry
    if count > _RECORDS_TRIED:
        raise NotRun(f"the log has {count} records: too many to fill")
    for number in range(count + 1):
        Settle().run(bench)
        if number == 1:  # the first one of these is pushed out by the last
            bench.kept["oldest"] = _newest(bench, app)
    reply = bench.transmit(read_record(count, sfi))
    if reply.sw != SW.OK or _newest(bench, app, count) != bench.kept["oldest"]:
        return f"record {count} is not the one of {count} transactions ago"
    behind = bench.transmit(Command(0x00, 0xB2, count + 1, sfi << 3 | 4, le=256))
    return "" if behind.sw == SW.RECORD_NOT_FOUND else f"record {count + 1} answers {behind.sw}"
