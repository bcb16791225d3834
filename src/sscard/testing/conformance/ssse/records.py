"""`*_RECORD`: which files there are, and what they look like (ssse-lb002 2, 3.3-3.6).

Numbers, tags, lengths, order and padding of records, records that do not exist, sizes, the
order of cyclic files, and updates that are written, read back and undone.
"""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.iso.tlv import TlvError, parse_simple
from sscard.spec.items import Item
from sscard.spec.ssse import SSSE_NAME, Directory, Ef
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Form, Step
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    BY_TAG,
    enter,
    place_of,
    read_binary,
    read_record,
    record_length,
    select_ef,
    select_fid,
    sfi_of,
    update_binary,
    update_record,
)
from sscard.testing.conformance.steps import Examine, Open, Reset, Send

__all__ = ["padding_problem", "record_cases"]

_NOT_FOUND = Expect.of(0x6A83)
_NO_TAG = 0x9B
"""A tag no file of the tables has."""
_EMPTY = (0x6A83, "the cyclic file holds no record")


def record_cases(directory: Directory) -> Iterator[Case]:
    """Yield the cases of one directory."""
    yield from _selections(directory)
    kinds: dict[str, Callable[[Directory, Ef], Iterator[Case]]] = {
        "tlv": _tlv,
        "transparent": _transparent,
        "cyclic": _cyclic,
        "internal": _internal,
    }
    for ef in directory.files:
        if ef.kind != "internal":
            yield _case(
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


def _case(
    directory: Directory,
    name: str,
    title: str,
    source: str,
    why: str,
    steps: tuple[Step, ...],
    *,
    ef: Ef | None = None,
    effect: Effect = Effect.SAFE,
    restore: tuple[Step, ...] = (),
) -> Case:
    place = place_of(directory)
    file = "" if ef is None else f"EF{ef.fid & 0xFF:02X}"
    middle = f"{file}/" if file else ""
    return Case(
        f"{place}_RECORD/{middle}{name}",
        f"{file or place}: {title}",
        source,
        why,
        steps,
        effect,
        place,
        restore,
    )


# ---- directories ---------------------------------------------------------------------------------


def _selections(directory: Directory) -> Iterator[Case]:
    place, ssse = place_of(directory), enter("SSSE")
    if place == "SSSE":
        yield _case(
            directory,
            "select-name",
            "selected by its name, from any state",
            "2.1, 3.3",
            "The FCI of the environment gives its name and, in A5, the SFI of its DIR file.",
            (
                Send("SELECT by name", _by_name(SSSE_NAME), keep="fci"),
                Examine("the FCI", _environment_problem),
                Send("SELECT the MF", select_fid(0x3F00)),
                Send("SELECT by name, from the MF", _by_name(SSSE_NAME), keep="fci"),
                Examine("the FCI again", _environment_problem),
            ),
        )
    else:
        fci = bytes((0x6F, len(directory.name) + 2, 0x84, len(directory.name))) + directory.name
        answer = Expect(form=Form(value=fci))
        yield _case(
            directory,
            "select",
            "selected by FID and by AID",
            "2.1, 3.3",
            f"{place} is a child of the SSSE; its FCI gives its AID.",
            (
                *ssse,
                Send("SELECT by FID", select_fid(directory.fid), answer),
                *ssse,
                Send("SELECT as child DF", select_fid(directory.fid, 0x01), answer),
                *ssse,
                Send("SELECT with P1 = 02", select_fid(directory.fid, 0x02), answer),
                *ssse,
                Send("SELECT by AID", _by_name(directory.name), answer),
            ),
        )
    unknown = Expect.of(0x6A82)
    yield _case(
        directory,
        "unknown-file",
        "no file is found that is not there",
        "3.3, 3.4",
        "A file identifier or SFI that the directory does not have is 6A82.",
        (
            *enter(place),
            Send("SELECT EF7F", select_fid(0xEF7F, 0x02), unknown),
            Send("READ RECORD of SFI 1E", read_record(1, BY_NUMBER, 0x1E), unknown),
            Send("READ BINARY of SFI 1E", read_binary(0, 1, 0x1E), unknown),
        ),
    )
    yield _case(
        directory,
        "no-current-file",
        "no file is current after the directory was selected",
        "3.4, 3.6",
        "A command for the current EF is 6986 when there is none.",
        (
            *enter(place),
            Send("READ RECORD", read_record(1, BY_NUMBER), Expect.of(0x6986)),
            Send("READ BINARY", read_binary(0, 1), Expect.of(0x6986)),
        ),
    )


def _by_name(name: bytes) -> Command:
    return Command(0x00, 0xA4, 0x04, 0x00, name, 256)


def _environment_problem(bench: Bench) -> str:
    """The FCI: 6F, in it 84 with the name, and A5 beginning with 88 01 and the SFI of the DIR."""
    fci = bench.kept["fci"]
    head = bytes((0x84, len(SSSE_NAME))) + SSSE_NAME + b"\xa5"
    if fci[:1] != b"\x6f" or fci[1:2] != bytes((len(fci) - 2,)) or fci[2 : 2 + len(head)] != head:
        return "the FCI is not 6F with the name of the environment and A5"
    return "" if fci[3 + len(head) :][:2] == b"\x88\x01" else "A5 does not begin with 88 01"


# ---- record files of TLV items -------------------------------------------------------------------


def _opened(directory: Directory, ef: Ef, *more: str) -> tuple[Step, ...]:
    place = place_of(directory)
    return (*enter(place), *(Open(rule, place) for rule in (ef.read, *more)))


def _tlv(directory: Directory, ef: Ef) -> Iterator[Case]:
    sfi = sfi_of(ef)
    forms = [Expect(form=Form(item.tag, item.length)) for item in ef.items]
    opened = _opened(directory, ef)
    beyond = len(ef.items) + 1
    yield _case(
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
            Send(f"READ RECORD {beyond:02X}", read_record(beyond, BY_NUMBER, sfi), _NOT_FOUND),
            Send("READ RECORD 00", read_record(0, BY_NUMBER, sfi), _NOT_FOUND),
        ),
        ef=ef,
    )
    tags = dict.fromkeys(item.tag for item in ef.items)
    lengths = {item.tag: item.length for item in reversed(ef.items)}
    yield _case(
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
            Send("READ RECORD tag 9B", read_record(_NO_TAG, BY_TAG, sfi), _NOT_FOUND),
            Send("READ RECORD tag 00", read_record(0, BY_TAG, sfi), _NOT_FOUND),
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
    return _case(
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
    return _case(
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
    return _case(
        directory,
        "update",
        "a record is written, read back after a reset, and put back",
        "3.5",
        "UPDATE RECORD by number and by tag replaces the record for good.",
        (
            *_opened(directory, ef, ef.update),
            read,
            Send("UPDATE RECORD 01", update_record(1, BY_NUMBER, changed, sfi)),
            Reset(),
            *_opened(directory, ef, ef.update),
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

    return _case(
        directory,
        "update-refused",
        "records of another length, tag or inner length are refused, with the right",
        "3.5",
        "Total length first (6700), then tag and length (6A80); no record (6A83); APPEND RECORD "
        "to a TLV file is for personalisation only (6A84).",
        (
            *_opened(directory, ef, ef.update),
            Send("READ RECORD 01", read_record(1, BY_NUMBER, sfi), keep="before"),
            update("one byte too long", right + b"\0", long),
            update("one byte short", right[:-1], long),
            update("another tag", wrong_tag, data),
            update("another length byte", wrong_length, data),
            update("a record behind the last", right, _NOT_FOUND, beyond),
            Send("APPEND RECORD", Command(0x00, 0xE2, 0, sfi << 3, right), Expect.of(0x6A84)),
            Send("READ RECORD behind the last", read_record(beyond, BY_NUMBER, sfi), _NOT_FOUND),
        ),
        ef=ef,
        effect=Effect.RESTORED,
        restore=(
            Reset(),
            *_opened(directory, ef, ef.update),
            Send("put it back", update_record(1, BY_NUMBER, b"\0", sfi), data_of="before"),
        ),
    )


# ---- transparent files ---------------------------------------------------------------------------


def _transparent(directory: Directory, ef: Ef) -> Iterator[Case]:
    sfi = sfi_of(ef)
    last = ef.size - 1
    yield _case(
        directory,
        "size",
        f"{ef.size} bytes, and no byte behind them",
        "2.3-2.5, 3.6",
        "The last byte is read, the next one is 6B00; READ RECORD does not fit (6981).",
        (
            *_opened(directory, ef),
            Send("READ BINARY by SFI", read_binary(0, 16, sfi), Expect(form=Form(length=16))),
            Send("READ BINARY, current EF", read_binary(0, 16), Expect(form=Form(length=16))),
            Send("READ the last byte", read_binary(last, 1), Expect(form=Form(length=1))),
            Send("READ the byte behind it", read_binary(ef.size, 1), Expect.of(0x6B00)),
            Send("READ RECORD", read_record(1, BY_NUMBER, sfi), Expect.of(0x6981)),
        ),
        ef=ef,
    )
    place = place_of(directory)
    yield _case(
        directory,
        "update",
        "the last bytes are written, read back after a reset, and put back",
        "3.6",
        "UPDATE BINARY replaces the bytes for good; none beyond the end (6B00).",
        (
            *_opened(directory, ef, ef.update),
            select_ef(ef),
            Send("READ the last 4 bytes", read_binary(last - 3, 4), keep="before"),
            Send("UPDATE them", update_binary(last - 3, b"\x5a\xa5\x5a\xa5")),
            Send("UPDATE past the end", update_binary(last - 2, bytes(4)), Expect.of(0x6B00)),
            Reset(),
            *_opened(directory, ef),
            select_ef(ef),
            Send(
                "READ them back",
                read_binary(last - 3, 4),
                Expect(form=Form(value=b"\x5a\xa5\x5a\xa5")),
            ),
        ),
        ef=ef,
        effect=Effect.RESTORED,
        restore=(
            Reset(),
            *enter(place),
            Open(ef.update, place),
            select_ef(ef),
            Send("put them back", update_binary(last - 3, bytes(4)), data_of="before"),
        ),
    )


# ---- cyclic files --------------------------------------------------------------------------------


def _cyclic(directory: Directory, ef: Ef) -> Iterator[Case]:
    sfi, length = sfi_of(ef), record_length(ef)
    opened = _opened(directory, ef)
    beyond = ef.records + 1
    if ef.update != "N":
        yield _cyclic_order(directory, ef)
    yield _case(
        directory,
        "numbers",
        f"at most {ef.records} records of {length} bytes, by number only",
        "2.2, 3.4",
        "Records have neither tag nor length byte; the number behind the last, 00, and an empty "
        "file are 6A83; a tag does not fit a cyclic file (6A86).",
        (
            *opened,
            Send("READ RECORD 00", read_record(0, BY_NUMBER, sfi), _NOT_FOUND),
            Send(f"READ RECORD {beyond:02X}", read_record(beyond, BY_NUMBER, sfi), _NOT_FOUND),
            Send(
                "READ RECORD 01",
                read_record(1, BY_NUMBER, sfi),
                Expect((0x9000,), Form(length=length), void=_EMPTY),
            ),
            Send("READ RECORD by tag", read_record(1, BY_TAG, sfi), Expect.of(0x6A86)),
        ),
        ef=ef,
    )


def _cyclic_order(directory: Directory, ef: Ef) -> Case:
    sfi, length = sfi_of(ef), record_length(ef)
    rows = [bytes((0x30 + n,)) * length for n in range(ef.records + 1)]
    writes = [update_record(0, 3, rows[0], sfi), update_record(0, 4, rows[1], sfi)]
    writes += [Command(0x00, 0xE2, 0x00, sfi << 3, row) for row in rows[2:]]
    newest = list(reversed(rows))[: ef.records]
    return _case(
        directory,
        "order",
        "the newest record is 01, and the oldest falls out",
        "2.2, 3.5",
        f"After one record more than the file's {ef.records}, written by UPDATE with both low bits "
        "and by APPEND RECORD, they are read newest first.",
        (
            *_opened(directory, ef, ef.update),
            *(Send(f"write record {n}", command) for n, command in enumerate(writes, 1)),
            Send("UPDATE RECORD 01", update_record(1, 4, rows[0], sfi), Expect.of(0x6A86)),
            Send("a record too long", update_record(0, 3, rows[0] + b"\0", sfi), Expect.of(0x6700)),
            *(
                Send(
                    f"READ RECORD {n:02X}",
                    read_record(n, BY_NUMBER, sfi),
                    Expect(form=Form(value=row)),
                )
                for n, row in enumerate(newest, 1)
            ),
            Send(
                "READ RECORD behind the last",
                read_record(ef.records + 1, BY_NUMBER, sfi),
                _NOT_FOUND,
            ),
        ),
        ef=ef,
        effect=Effect.LASTING,
    )


# ---- internal files ------------------------------------------------------------------------------


def _internal(directory: Directory, ef: Ef) -> Iterator[Case]:
    yield _case(
        directory,
        "internal",
        "an internal file is not read and not written",
        "2.2",
        "Whatever was proved, READ and UPDATE of an internal file do not answer 9000.",
        (
            *enter(place_of(directory)),
            Send("SELECT", select_fid(ef.fid, 0x02), Expect.of(0x9000, 0x6A82)),
            Send(
                "READ RECORD", read_record(1, BY_NUMBER), Expect.of(0x6981, 0x6982, 0x6986, 0x6A82)
            ),
            Send("READ BINARY", read_binary(0, 1), Expect.of(0x6981, 0x6982, 0x6986, 0x6A82)),
        ),
        ef=ef,
    )
