"""Record files as personalisation and scripts write them: any record, at any length (pse-pboc 9).

The COS's own commands only append, and only update in place (cos 2.2); the bank's rewrite the
used part of a linear variable body. A record not yet given, below one that was, is empty, and
to READ RECORD not there.
"""

from collections.abc import Sequence

from sscard.cos.refusal import Refusal
from sscard.cos.store import Store
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW

__all__ = ["join", "put", "split", "with_record"]

_USED = 2


def split(body: bytes) -> list[bytes]:
    """Return the records of a linear variable body; it ends wherever the bytes make no sense."""
    end = min(int.from_bytes(body[:_USED], "big") + _USED, len(body))
    records = []
    at = _USED
    while at < end and at + 1 + body[at] <= end:
        records.append(body[at + 1 : at + 1 + body[at]])
        at += 1 + body[at]
    return records


def join(records: Sequence[bytes]) -> bytes:
    """Return the used part of a body with these records; the mirror of `split`."""
    data = b"".join(bytes((len(record),)) + record for record in records)
    return len(data).to_bytes(_USED, "big") + data


def with_record(records: Sequence[bytes], number: int, record: bytes) -> list[bytes]:
    """Return the records with `record` as number `number` (1-based), empty ones filling a gap."""
    filled = [*records, *(b"" for _ in range(number - len(records)))]
    filled[number - 1] = record
    return filled


def put(store: Store, node: FileNode, number: int, record: bytes) -> None:
    """Put a record into the transaction, new or in place of another.

    Refuses: 6A84 a record, a number of records or a sum the file has no room for.
    """
    header = node.header
    before = store.read(node.body, header.body_length)
    records = with_record(split(before), number, record)
    after = join(records)
    if (
        len(record) > header.record_max
        or len(records) > header.record_count
        or len(after) > header.capacity + _USED
    ):
        raise Refusal(SW.NO_SPACE, f"record {number} does not fit the file", "pse-pboc 9")
    used = min(int.from_bytes(before[:_USED], "big") + _USED, len(before))
    store.write(node.body, after.ljust(used, b"\xff"))
