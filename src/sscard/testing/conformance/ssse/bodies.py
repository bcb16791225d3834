"""`*_RECORD` of transparent, cyclic and internal files (ssse-lb002 2.2, 3.4-3.6)."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.spec.ssse import Directory, Ef
from sscard.testing.conformance.model import Case, Effect, Expect, Form
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
from sscard.testing.conformance.ssse.frame import NOT_FOUND, opened_file, record_case
from sscard.testing.conformance.steps import Open, Reset, Send

__all__ = ["cyclic_cases", "internal_cases", "transparent_cases"]

_EMPTY = (0x6A83, "the cyclic file holds no record")


def transparent_cases(directory: Directory, ef: Ef) -> Iterator[Case]:
    """Yield the cases of one transparent file."""
    sfi = sfi_of(ef)
    last = ef.size - 1
    yield record_case(
        directory,
        "size",
        f"{ef.size} bytes, and no byte behind them",
        "2.3-2.5, 3.6",
        "The last byte is read, the next one is 6B00; READ RECORD does not fit (6981).",
        (
            *opened_file(directory, ef),
            Send("READ BINARY by SFI", read_binary(0, 16, sfi), Expect(form=Form(length=16))),
            Send("READ BINARY, current EF", read_binary(0, 16), Expect(form=Form(length=16))),
            Send("READ the last byte", read_binary(last, 1), Expect(form=Form(length=1))),
            Send("READ the byte behind it", read_binary(ef.size, 1), Expect.of(0x6B00)),
            Send("READ RECORD", read_record(1, BY_NUMBER, sfi), Expect.of(0x6981)),
        ),
        ef=ef,
    )
    place = place_of(directory)
    yield record_case(
        directory,
        "update",
        "the last bytes are written, read back after a reset, and put back",
        "3.6",
        "UPDATE BINARY replaces the bytes for good; none beyond the end (6B00).",
        (
            *opened_file(directory, ef, ef.update),
            select_ef(ef),
            Send("READ the last 4 bytes", read_binary(last - 3, 4), keep="before"),
            Send("UPDATE them", update_binary(last - 3, b"\x5a\xa5\x5a\xa5")),
            Send("UPDATE past the end", update_binary(last - 2, bytes(4)), Expect.of(0x6B00)),
            Reset(),
            *opened_file(directory, ef),
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


def cyclic_cases(directory: Directory, ef: Ef) -> Iterator[Case]:
    """Yield the cases of one cyclic file."""
    sfi, length = sfi_of(ef), record_length(ef)
    opened = opened_file(directory, ef)
    beyond = ef.records + 1
    if ef.update != "N":
        yield _cyclic_order(directory, ef)
    yield record_case(
        directory,
        "numbers",
        f"at most {ef.records} records of {length} bytes, by number only",
        "2.2, 3.4",
        "Records have neither tag nor length byte; the number behind the last, 00, and an empty "
        "file are 6A83; a tag does not fit a cyclic file (6A86).",
        (
            *opened,
            Send("READ RECORD 00", read_record(0, BY_NUMBER, sfi), NOT_FOUND),
            Send(f"READ RECORD {beyond:02X}", read_record(beyond, BY_NUMBER, sfi), NOT_FOUND),
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
    return record_case(
        directory,
        "order",
        "the newest record is 01, and the oldest falls out",
        "2.2, 3.5",
        f"After one record more than the file's {ef.records}, written by UPDATE with both low bits "
        "and by APPEND RECORD, they are read newest first.",
        (
            *opened_file(directory, ef, ef.update),
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
                NOT_FOUND,
            ),
        ),
        ef=ef,
        effect=Effect.LASTING,
    )


def internal_cases(directory: Directory, ef: Ef) -> Iterator[Case]:
    """Yield the cases of one internal file."""
    yield record_case(
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
