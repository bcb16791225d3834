"""What a debit application has stored, and that a torn transaction can be followed by another."""

from typing import NamedTuple

from pse_desk import ARQC, PIN_OK, Desk, cid, cvr
from tear_bench import extents

from sscard.apps.pse.layout import COUNTERS_AT, Counters, Indicator
from sscard.card import Card
from sscard.cos.objects import KEY_RECORD_SIZE, Kind
from sscard.cos.tree import FileNode, mount

ONLINE = Indicator.ONLINE_AUTHORISATION
NOT_COMPLETED = 0x80  # CVR 3.b8: the last online transaction was not completed


class Stored(NamedTuple):
    """What the debit application has stored, read past its commands."""

    counters: Counters
    tries: int
    logged: int
    blocked: int

    @classmethod
    def of(cls, image: bytes) -> "Stored":
        nodes = nodes_of(image)
        data = data_file(nodes)
        log = next(node for node in data.parent.children if node.kind == Kind.CYCLIC)
        return cls(
            counters_of(image),
            image[pin_record(image, nodes) + 13],
            image[log.body + 1],
            image[data.parent.body],
        )


def nodes_of(image: bytes) -> list[FileNode]:
    """The objects of the PSE."""
    pages = extents(image)[2]
    return mount(image, pages.start, len(pages)).nodes


def data_file(nodes: list[FileNode]) -> FileNode:
    """The file of counters and data elements of the debit application."""
    return next(node for node in nodes if node.fid == 0xEF90 and node.parent.parent)


def counters_of(image: bytes) -> Counters:
    """The counters and indicators of the debit application."""
    begin = data_file(nodes_of(image)).body + COUNTERS_AT
    return Counters.parse(image[begin : begin + 20])


def pin_record(image: bytes, nodes: list[FileNode]) -> int:
    """The address of the record of the PIN."""
    for node in nodes:
        if node.kind == Kind.KEY:
            for at in range(node.body, node.end - KEY_RECORD_SIZE + 1, KEY_RECORD_SIZE):
                if image[at : at + 2] == b"\xa5\x01":
                    return at
    raise LookupError("no PIN")


def begins_again(image: bytes) -> list[str]:
    """A new transaction: the next ATC, the right PIN, an ARQC that tells of the last one."""
    before = Stored.of(image)
    desk = Desk(Card(image)).begin()
    answer = "" if desk.sw(PIN_OK) != "9000" else desk.ac(ARQC)
    after = Stored.of(desk.card.image)
    wrong = []
    if after.counters.atc != before.counters.atc + 1:
        wrong.append(f"ATC {after.counters.atc} after {before.counters.atc}")
    if not answer or cid(answer) != "80":
        return [*wrong, f"no ARQC but {answer}"]
    told = bool(int(cvr(answer)[4:6], 16) & NOT_COMPLETED)
    if told != bool(before.counters.indicators & ONLINE):
        wrong.append(f"CVR {cvr(answer)} with indicators {before.counters.indicators!r}")
    return wrong
