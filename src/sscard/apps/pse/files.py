"""Writing EF90 and EF91, the files an application keeps for itself (pse-pboc 9)."""

from sscard.apps.pse.application import Application
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW

__all__ = ["write_file"]


def write_file(card: Application, fid: int, content: bytes) -> None:
    """Put the used part of EF90 or EF91 into the transaction; what it no longer reaches is FF.

    Refuses: 6A88 without the file, 6A84 when it is full.
    """
    node = card.file(fid)
    length = node.header.body_length
    if len(content) > length:
        raise Refusal(SW.NO_SPACE, f"{fid:04X} is full", "pse-pboc 9")
    before = card.domain.store.read(node.body, length).rstrip(b"\xff")
    card.domain.store.write(node.body, content.ljust(len(before), b"\xff"))
