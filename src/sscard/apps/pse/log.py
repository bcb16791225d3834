"""The transaction log: one record of a cyclic file for every approval (pse-pboc 7)."""

from collections.abc import Mapping

from sscard.apps.pse.application import Application
from sscard.cos import records
from sscard.cos.objects import Kind

__all__ = ["append"]


def append(card: Application, atc: int, *sources: Mapping[int, bytes]) -> None:
    """Put a log record into the transaction, as 9F4F lists its values; none without 9F4D.

    Each value comes from the first source that has it, in the order of section 7 (CDOL1,
    CDOL2, PDOL data), then from the card's own data, else it is zeros.
    """
    profile = card.profile
    node = card.node.by_sfi.get(profile.log_sfi)
    if node is None or node.kind != Kind.CYCLIC or node.damaged or not node.header.record_count:
        return
    if not profile.log_format.length:
        return
    own = {**profile.elements, 0x9F36: atc.to_bytes(2, "big")}
    record = profile.log_format.fill([*sources, own])
    length = node.header.record_max
    records.add(card.domain.store, node, record[:length].ljust(length, b"\0"))
