"""Blocking, and the counters of wrong MACs that lead to it (cos 3.3 F10, 6.1; ssse-lb002 4.8).

The state lies in the domain header for the DDF and in DFSTATE for an ADF (cos 2.5): block,
wrong MACs left, wrong APPLICATION UNBLOCKs left.
"""

from sscard.cos.domain import Domain
from sscard.cos.layout import Block
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW

__all__ = [
    "mac_failed",
    "mac_succeeded",
    "own_block",
    "set_block",
    "unblock",
    "unblock_failed",
]

MAC_LIMIT = 3
"""Wrong MACs in a row after which an application is permanently blocked."""

_BLOCK_AT, _MAC_LEFT_AT, _UNBLOCK_LEFT_AT = 0, 1, 2
_MAC_LEFT = ("mac_left", _MAC_LEFT_AT)
_UNBLOCK_LEFT = ("unblock_left", _UNBLOCK_LEFT_AT)


def own_block(domain: Domain) -> int:
    """Return the block state of the current application itself, not of the DDF above it."""
    here = domain.directory
    return domain.header.block if here.parent is None else domain.store.byte(here.body + _BLOCK_AT)


def set_block(domain: Domain, block: Block) -> None:
    """Put the block state of the current application into the transaction."""
    here = domain.directory
    if here.parent is None:
        domain.write_header(block=block)
    else:
        domain.store.write(here.body + _BLOCK_AT, bytes((block,)))
        domain.after_commit(domain.refresh_restriction)


def unblock(domain: Domain) -> None:
    """Put the end of a block into the transaction, with a full count of failures (cos 5.1)."""
    here = domain.directory
    if here.parent is None:
        domain.write_header(block=Block.NONE, unblock_left=MAC_LIMIT)
    else:
        domain.store.write(here.body + _UNBLOCK_LEFT_AT, bytes((MAC_LIMIT,)))
        set_block(domain, Block.NONE)


def mac_failed(domain: Domain) -> Refusal:
    """Count a wrong MAC, commit, and return the refusal: 6988, or 9303 for the third."""
    return _failed(domain, _MAC_LEFT)


def unblock_failed(domain: Domain) -> Refusal:
    """Count a wrong APPLICATION UNBLOCK: as a wrong MAC, and by itself (cos 5.1, 6.1)."""
    return _failed(domain, _MAC_LEFT, _UNBLOCK_LEFT)


def mac_succeeded(domain: Domain) -> None:
    """Restore the counter of wrong MACs, in its own transaction; no write when it is full."""
    here = domain.directory
    if here.parent is None:
        if domain.header.mac_left != MAC_LIMIT:
            domain.write_header(mac_left=MAC_LIMIT)
            domain.commit()
    elif domain.store.byte(here.body + _MAC_LEFT_AT) != MAC_LIMIT:
        domain.store.write(here.body + _MAC_LEFT_AT, bytes((MAC_LIMIT,)))
        domain.commit()


def _failed(domain: Domain, *counters: tuple[str, int]) -> Refusal:
    here = domain.directory
    at_root = here.parent is None
    fewest = MAC_LIMIT
    changes: dict[str, int] = {}
    for field, offset in counters:
        held = getattr(domain.header, field) if at_root else domain.store.byte(here.body + offset)
        left = changes[field] = max(held - 1, 0)
        fewest = min(fewest, left)
        if not at_root:
            domain.store.write(here.body + offset, bytes((left,)))
    if at_root:
        if not fewest:
            changes["block"] = Block.PERMANENT
        domain.write_header(**changes)
    elif not fewest:
        set_block(domain, Block.PERMANENT)
    domain.commit()
    if fewest:
        return Refusal(SW.SM_WRONG, f"the MAC is wrong; {fewest} failures to the block", "cos 6.1")
    return Refusal(SW.PERMANENTLY_BLOCKED, "the third wrong MAC in a row", "cos 5.3")
