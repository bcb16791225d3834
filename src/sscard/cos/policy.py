"""What an application brings to the COS: its commands, and the answers its own page gives.

The kernel and the domain are the same for all three environments; wherever the pages of the
reference differ (README rules 1 and 10) they ask here. Data and a few pure hooks, no state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from sscard.cos import access
from sscard.cos.commands import CommandTable
from sscard.cos.layout import DomainState
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.iso.tlv import encode

if TYPE_CHECKING:
    from sscard.cos.domain import Domain

__all__ = ["Applet", "Restriction", "plain_fci"]


class Restriction(IntEnum):
    """Why a domain, or the application current in it, answers less than usual (F10)."""

    BLOCKED = 1
    BLOCKED_PERMANENTLY = 2
    CARD_BLOCKED = 3
    TERMINATED = 4
    DAMAGED = 5


def plain_fci(domain: "Domain", node: FileNode) -> bytes:
    """Return `6F {84 name, A5 {88 SFI of the DIR}}`, A5 for a DDF only (cos 2.2).

    The DIR's SFI is the SFI of the DDF's own header; 0 there means 01 (README rule 6).
    """
    return _fci(node.name, (node.sfi or 1) if node.parent is None and domain.code else 0)


@lru_cache(maxsize=256)
def _fci(name: bytes, dir_sfi: int) -> bytes:
    inner = encode(0x84, name)
    if dir_sfi:
        inner += encode(0xA5, encode(0x88, bytes((dir_sfi,))))
    return encode(0x6F, inner)


_BLOCKED_BY_COS = {
    Restriction.BLOCKED: SW.NOT_SUPPORTED,
    Restriction.BLOCKED_PERMANENTLY: SW.NOT_SUPPORTED,
    Restriction.CARD_BLOCKED: SW.NOT_SUPPORTED,
    Restriction.TERMINATED: SW.CONDITIONS,
    Restriction.DAMAGED: SW.MEMORY_FAILURE,
}


def _internal_fault(_domain: "Domain") -> SW:
    """What GET RESPONSE answers with nothing waiting, unless the applet says otherwise."""
    return SW.INTERNAL_FAULT


def _nothing(_domain: "Domain") -> None:
    """The hook of an applet that has nothing to do."""


def _no_name(_domain: "Domain", _node: FileNode) -> bool:
    """The directories SELECT by name does not find: none."""
    return False


def owner_personalises(domain: "Domain") -> bool:
    """Whether the personalisation override of cos 2.3 is in force: OWNED, master key proved."""
    return bool(
        domain.header.state == DomainState.OWNED
        and domain.code
        and domain.session.environment_mask & access.MASTER_BIT
    )


@dataclass(frozen=True, kw_only=True)
class Applet:
    """One application on the COS.

    `challenge_lasts`: a challenge survives other commands (ssse-lb002 3.8) instead of dying
    with the next one (cos 5.1); `default_challenge`: Le 00 of GET CHALLENGE means 8.
    `session_messaging`: line protection after personalisation uses session keys (ssse-lb002
    4.6 A). `append_by_update`: APPEND RECORD asks the update condition (ssse-lb002 3.2), and
    a TLV file grows only while the domain is OWNED (3.5). `failure_revokes`: a failed proof
    takes its own right away (ssse-lb002 4.3). `transaction_lapses`: what a command began lasts
    for the next one only, GET RESPONSE aside (ssse-lb002 3.10). `blocked_answers`: a blocked
    application goes on answering (pse-pboc 1.2). `names_only`: SELECT goes by DF name, but for
    3F00 (pse-pboc 1.2). `reselects`: SELECT with P1 = 02 finds the current DF itself too
    (ssse-lb002 5.1, 5.3). `on_select` runs after a directory became current, `on_select_file`
    after an EF did, `on_failed_select` when a SELECT found nothing. `override`: whether files
    may be written whatever their condition, for personalisation (cos 2.3). `hidden`: whether
    SELECT by name passes over a directory (pse-pboc 1.5). `table` has every
    command of the environment; `table_for` says which of them the current directory takes now,
    where that differs (pse-pboc 1.2, 3, 9).
    """

    name: str
    table: CommandTable
    fci: Callable[["Domain", FileNode], bytes] = plain_fci
    refusals: Mapping[Restriction, SW] | None = None
    empty_get_response: Callable[["Domain"], SW] = _internal_fault
    channel: SW = SW.CHANNEL_NOT_SUPPORTED
    sm_missing: SW = SW.SM_MISSING
    challenge_lasts: bool = False
    default_challenge: bool = False
    session_messaging: bool = False
    append_by_update: bool = False
    failure_revokes: bool = False
    transaction_lapses: bool = False
    blocked_answers: bool = False
    names_only: bool = False
    reselects: bool = False
    on_select: Callable[["Domain"], None] = _nothing
    on_failed_select: Callable[["Domain"], None] = _nothing
    on_select_file: Callable[["Domain"], None] = _nothing
    override: Callable[["Domain"], bool] = owner_personalises
    hidden: Callable[["Domain", FileNode], bool] = _no_name
    table_for: Callable[["Domain"], CommandTable] | None = None

    def refusal_of(self, restriction: Restriction) -> SW:
        """The status word of a command the restriction does not let through."""
        return (self.refusals or _BLOCKED_BY_COS)[restriction]
