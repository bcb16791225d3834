"""`*_RECORD`: which files there are, and what they look like (ssse-lb002 2, 3.3-3.6).

Numbers, tags, lengths, order and padding of records, records that do not exist, sizes, the
order of cyclic files, and updates that are written, read back and undone.
"""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.iso.tlv import TlvError, parse_simple
from sscard.spec.items import Item
from sscard.spec.ssse import Directory, Ef
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Form, Step
from sscard.testing.conformance.ssse.bodies import (
    cyclic_cases,
    internal_cases,
    transparent_cases,
)
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    BY_TAG,
    enter,
    place_of,
    read_binary,
    read_record,
    select_fid,
    sfi_of,
    update_record,
)
from sscard.testing.conformance.ssse.directories import directory_cases
from sscard.testing.conformance.ssse.frame import NOT_FOUND, opened_file, record_case
from sscard.testing.conformance.steps import Examine, Open, Reset, Send

__all__ = ["padding_problem", "record_cases"]

_NO_TAG = 0x9B
"""A tag no file of the tables has."""


def record_cases(directory: Directory) -> Iterator[Case]:
    """Yield the cases of one directory."""
    yield from directory_cases(directory)
    kinds: dict[str, Callable[[Directory, Ef], Iterator[Case]]] = {
        "tlv": _tlv,
        "transparent": transparent_cases,
        "cyclic": cyclic_cases,
        "internal": internal_cases,
    }
    for ef in directory.files:
        if ef.kind != "internal":
            yield record_case(
                directory,
                "select",
                "the file is there",
                "3.3",
                "SELECT of an EF answers a status word and no data.",
                (
                    *enter(place_of(directory)),
                    Send("SELECT", select_fid(ef.fid, 0x02), Expect(form=Form(length=0))),
                    Send("SELECT with P1 = 00", select_fid(ef.fid), Expect(form=Form(length=0))),
                ),
                ef=ef,
            )
        yield from kinds[ef.kind](directory, ef)


def _tlv(directory: Directory, ef: Ef) -> Iterator[Case]:
    sfi = sfi_of(ef)
    forms = [Expect(form=Form(item.tag, item.length)) for item in ef.items]
    opened = opened_file(directory, ef)
    beyond = len(ef.items) + 1
    yield record_case(
        directory,
        "numbers",
        "every record by its number, with tag and length, in order",
        "2.3-2.5, 3.4",
        "The records stand in the order of the table, and none behind them.",
        (
            *opened,
            *(
                Send(f"READ RECORD {number:02X}", read_record(number, BY_NUMBER, sfi), form)
                for number, form in enumerate(forms, 1)
            ),
            Send(f"READ RECORD {beyond:02X}", read_record(beyond, BY_NUMBER, sfi), NOT_FOUND),
            Send("READ RECORD 00", read_record(0, BY_NUMBER, sfi), NOT_FOUND),
        ),
        ef=ef,
    )
    tags = dict.fromkeys(item.tag for item in ef.items)
    lengths = {item.tag: item.length for item in reversed(ef.items)}
    yield record_case(
        directory,
        "tags",
        "every record by its tag, and no other tag",
        "3.4",
        "A tag names the first record that has it; one the file has not is 6A83.",
        (
            *opened,
            *(
                Send(
                    f"READ RECORD tag {tag:02X}",
                    read_record(tag, BY_TAG, sfi),
                    Expect(form=Form(tag, lengths[tag])),
                )
                for tag in tags
            ),
            Send("READ RECORD tag 9B", read_record(_NO_TAG, BY_TAG, sfi), NOT_FOUND),
            Send("READ RECORD tag 00", read_record(0, BY_TAG, sfi), NOT_FOUND),
        ),
        ef=ef,
    )
    yield _forms(directory, ef, opened, forms[0])
    yield _padding(directory, ef, opened)
    if ef.update != "N":
        yield _tlv_update(directory, ef)
        yield _tlv_wrong_data(directory, ef)


def _forms(directory: Directory, ef: Ef, opened: tuple[Step, ...], form: Expect) -> Case:
    sfi, tag = sfi_of(ef), ef.items[0].tag
    short = read_record(1, BY_NUMBER, sfi)._replace(le=1)
    return record_case(
        directory,
        "forms",
        "the current EF, Le of any size, wrong P2 and wrong kind of command",
        "3.4, 3.6",
        "Reading by SFI makes the file current; Le does not cut a record; low bits of P2 but 000 "
        "and 100 are 6A86; READ BINARY does not fit records (6981).",
        (
            *opened,
            Send("READ RECORD by SFI", read_record(1, BY_NUMBER, sfi), form),
            Send("READ RECORD of the current EF", read_record(1, BY_NUMBER), form),
            Send("READ RECORD of the current EF by tag", read_record(tag, BY_TAG), form),
            Send("READ RECORD with Le 01", short, form),
            Send("READ RECORD with Le FF", short._replace(le=255), form),
            *(
                Send(f"P2 low bits {low:03b}", read_record(1, low, sfi), Expect.of(0x6A86))
                for low in (1, 2, 3, 5)
            ),
            Send("READ BINARY", read_binary(0, 1, sfi), Expect.of(0x6981)),
        ),
        ef=ef,
    )


def _padding(directory: Directory, ef: Ef, opened: tuple[Step, ...]) -> Case:
    sfi = sfi_of(ef)
    steps: list[Step] = []
    for number, item in enumerate(ef.items, 1):
        name = f"record {number:02X}"
        steps.append(Send(f"READ {name}", read_record(number, BY_NUMBER, sfi), Expect(), keep=name))
        steps.append(Examine(f"{name}, tag {item.tag:02X}", _padded(name, item)))
    return record_case(
        directory,
        "padding",
        "every value fills its length in the way of its type",
        "2.2",
        "cn is digits, then F nibbles; an is text, then 00 (or FF throughout); an item of items "
        "holds exactly those of the table.",
        (*opened, *steps),
        ef=ef,
    )


def _padded(name: str, item: Item) -> Callable[[Bench], str]:
    def problem(bench: Bench) -> str:
        return padding_problem(item, bench.kept[name][2:])

    return problem


def padding_problem(item: Item, value: bytes) -> str:
    """Return what is wrong with the filling of a value; "" when nothing is (ssse-lb002 2.2)."""
    if len(value) != item.length:
        return f"{len(value)} bytes, not {item.length}"
    if item.inner:
        return _inner_problem(item, value)
    if item.type == "cn":
        digits = value.hex().rstrip("f")
        return "" if not digits or digits.isdecimal() else "other than digits, then F nibbles"
    if item.type == "an":
        text = value.rstrip(b"\0").rstrip(b"\xff")
        return "a 00 inside the text" if b"\0" in text else ""
    return ""


def _inner_problem(item: Item, value: bytes) -> str:
    try:
        parts = parse_simple(value)
    except TlvError as error:
        return str(error)
    if [tag for tag, _ in parts] != [inner.tag for inner in item.inner]:
        return "other inner tags than those of the table"
    problems = (
        padding_problem(inner, part) for inner, (_, part) in zip(item.inner, parts, strict=True)
    )
    return next((problem for problem in problems if problem), "")


def _tlv_update(directory: Directory, ef: Ef) -> Case:
    sfi, place, item = sfi_of(ef), place_of(directory), ef.items[0]
    head = bytes((item.tag, item.length))
    changed = head + (b"\x11" * item.length if not item.inner else _inner_value(item))
    read = Send("READ RECORD 01", read_record(1, BY_NUMBER, sfi), keep="before")
    again = read_record(1, BY_NUMBER, sfi)
    return record_case(
        directory,
        "update",
        "a record is written, read back after a reset, and put back",
        "3.5",
        "UPDATE RECORD by number and by tag replaces the record for good.",
        (
            *opened_file(directory, ef, ef.update),
            read,
            Send("UPDATE RECORD 01", update_record(1, BY_NUMBER, changed, sfi)),
            Reset(),
            *opened_file(directory, ef, ef.update),
            Send("READ it back", again, Expect(form=Form(value=changed))),
            Send(
                "UPDATE RECORD by tag, as it was",
                update_record(item.tag, BY_TAG, b"\0", sfi),
                data_of="before",
            ),
        ),
        ef=ef,
        effect=Effect.RESTORED,
        restore=(
            Reset(),
            *enter(place),
            Open(ef.update, place),
            Send("put it back", update_record(1, BY_NUMBER, b"\0", sfi), data_of="before"),
        ),
    )


def _inner_value(item: Item) -> bytes:
    return b"".join(bytes((part.tag, part.length)) + b"\x11" * part.length for part in item.inner)


def _tlv_wrong_data(directory: Directory, ef: Ef) -> Case:
    sfi, item = sfi_of(ef), ef.items[0]
    right = bytes((item.tag, item.length)) + bytes(item.length)
    wrong_tag = bytes((_NO_TAG, item.length)) + bytes(item.length)
    wrong_length = bytes((item.tag, item.length - 1)) + bytes(item.length)
    long, data = Expect.of(0x6700), Expect.of(0x6A80)
    beyond = len(ef.items) + 1

    def update(title: str, record: bytes, expect: Expect, number: int = 1) -> Send:
        return Send(title, update_record(number, BY_NUMBER, record, sfi), expect)

    return record_case(
        directory,
        "update-refused",
        "records of another length, tag or inner length are refused, with the right",
        "3.5",
        "Total length first (6700), then tag and length (6A80); no record (6A83); APPEND RECORD "
        "to a TLV file is for personalisation only (6A84).",
        (
            *opened_file(directory, ef, ef.update),
            Send("READ RECORD 01", read_record(1, BY_NUMBER, sfi), keep="before"),
            update("one byte too long", right + b"\0", long),
            update("one byte short", right[:-1], long),
            update("another tag", wrong_tag, data),
            update("another length byte", wrong_length, data),
            update("a record behind the last", right, NOT_FOUND, beyond),
            Send("APPEND RECORD", Command(0x00, 0xE2, 0, sfi << 3, right), Expect.of(0x6A84)),
            Send("READ RECORD behind the last", read_record(beyond, BY_NUMBER, sfi), NOT_FOUND),
        ),
        ef=ef,
        effect=Effect.RESTORED,
        restore=(
            Reset(),
            *opened_file(directory, ef, ef.update),
            Send("put it back", update_record(1, BY_NUMBER, b"\0", sfi), data_of="before"),
        ),
    )
