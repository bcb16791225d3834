"""Blocking, and the counters of wrong MACs that lead to it (cos 3.3 F10, 6.1; ssse-lb002 4.8).

The state lies in the domain header for the DDF and in DFSTATE for an ADF (cos 2.5).
"""

from sscard.cos.domain import Domain
from sscard.cos.layout import Block
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW

__all__ = ["mac_failed", "mac_succeeded", "set_block", "unblock_failed"]

MAC_LIMIT = 3
"""Wrong MACs in a row after which an application is permanently blocked."""

_BLOCK_AT, _MAC_LEFT_AT, _UNBLOCK_LEFT_AT = 0, 1, 2


def set_block(domain: Domain, block: Block) -> None:
    """Put the block state of the current application into the transaction."""
    here = domain.directory
    if here.parent is None:
        domain.write_header(block=block)
    else:
        domain.store.write(here.body + _BLOCK_AT, bytes((block,)))
        domain.after_commit(domain.refresh_restriction)


def mac_failed(domain: Domain) -> Refusal:
    """Count a wrong MAC, commit, and return the refusal: 6988, or 9303 for the third."""
    return _failed(domain, "mac_left", _MAC_LEFT_AT, SW.SM_WRONG)


def unblock_failed(domain: Domain) -> Refusal:
    """Count a wrong APPLICATION UNBLOCK likewise (cos 5.1)."""
    return _failed(domain, "unblock_left", _UNBLOCK_LEFT_AT, SW.SM_WRONG)


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


def _failed(domain: Domain, field: str, offset: int, sw: SW) -> Refusal:
    here = domain.directory
    at_root = here.parent is None
    left = getattr(domain.header, field) if at_root else domain.store.byte(here.body + offset)
    left = max(left - 1, 0)
    if at_root:
        changes: dict[str, int] = {field: left}
        if not left:
            changes["block"] = Block.PERMANENT
        domain.write_header(**changes)
    else:
        domain.store.write(here.body + offset, bytes((left,)))
        if not left:
            set_block(domain, Block.PERMANENT)
    domain.commit()
    if left:
        return Refusal(sw, f"the MAC is wrong; {left} failures to the block", "cos 6.1")
    return Refusal(SW.PERMANENTLY_BLOCKED, "the third wrong MAC in a row", "cos 5.3")
