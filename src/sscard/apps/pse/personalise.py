"""STORE DATA: blocks of DGIs, under the owner's proof or in the secure channel (pse-pboc 9, 9.2).

Both ways end in the same files and key records (`sscard.apps.pse.storing`).
"""

from dataclasses import replace
from functools import partial

from sscard.apps.pse.application import Application
from sscard.apps.pse.channel import opened
from sscard.apps.pse.grouping import cut, without_padding
from sscard.apps.pse.storing import finish, store
from sscard.apps.pse.transaction import Channel, Idle, Selected
from sscard.cos import access
from sscard.cos.commands import ANY_LC, CommandTable
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm, cps
from sscard.spec.dgis import SECRETS

__all__ = ["PERSONALISATION", "store_data"]

PERSONALISATION = CommandTable("PSE personalisation")

_REF = "pse-pboc 9.2"
_LAST = 0x80
_ENCRYPTION, _SECRETS_ENCRYPTED, _ALL_ENCRYPTED = 0x60, 0x20, 0x60
_ENCRYPTIONS = (0x00, _SECRETS_ENCRYPTED, _ALL_ENCRYPTED)


@PERSONALISATION.command(
    (0x80, 0x84),
    0xE2,
    "STORE DATA",
    p1=frozenset(last | how for last in (0, _LAST) for how in _ENCRYPTIONS),
    p2=None,
    lc=ANY_LC,
    ref=_REF,
)
def store_data(domain: Domain, command: Command) -> bytes:
    """Take one block of DGIs; the last one puts the application into use.

    Refuses: 6985 after the last block, 6982 when neither way is open, a wrong C-MAC, 6A86
    another block number, 6A80 malformed data, 6A88 a DGI that is unknown or has no file, 6A84.
    """
    card = Application(domain)
    if card.body.personalised:
        raise Refusal(SW.CONDITIONS, "the application is personalised", _REF)
    state = domain.session.app
    progress = state if isinstance(state, Idle) else Idle()
    channel = progress.channel if isinstance(progress.channel, Channel) else None
    if channel is not None:
        data = opened(domain, command, progress, channel)
        progress = domain.session.app
    else:
        data = _owners(domain, command)
    if command.p2 != progress.block:
        raise Refusal(SW.WRONG_P1P2, f"block {progress.block:02X} comes next", _REF)
    groups, rest = cut(progress.rest + data)
    last = bool(command.p1 & _LAST)
    if last and rest:
        raise Refusal(SW.WRONG_DATA, "the last block ends inside a DGI", _REF)
    for dgi, value in groups:
        plain = value if channel is None else _plain(domain, channel, command.p1, dgi, value)
        store(card, dgi, plain, secure=channel is not None)
    then: Idle | Selected = replace(progress, block=progress.block + 1 & 0xFF, rest=rest)
    if last:
        finish(card)
        domain.after_commit(domain.refresh_restriction)
        then = Selected() if card.node.parent is not None else Idle()
    domain.after_commit(partial(setattr, domain.session, "app", then))
    return b""


def _owners(domain: Domain, command: Command) -> bytes:
    """Return the data of the plain form, under the owner's proof; 6982 without it."""
    own, environment = domain.masks()
    proved = domain.state == DomainState.OWNED and (own | environment) & access.MASTER_BIT
    plain = not command.cla & 0x04 and command.p1 & _ENCRYPTION != _ALL_ENCRYPTED
    if not (proved and plain):
        raise Refusal(SW.SECURITY_STATUS, "neither way of personalisation is open", "pse-pboc 9")
    return command.data


def _plain(domain: Domain, channel: Channel, p1: int, dgi: int, value: bytes) -> bytes:
    """Return the value of a DGI, deciphered where P1 says it is enciphered; 6A80 if it is not."""
    how = p1 & _ENCRYPTION
    if how != _ALL_ENCRYPTED and not (how == _SECRETS_ENCRYPTED and dgi in SECRETS):
        return value
    domain.crypto.charge(Algorithm.TDES, len(value))
    try:
        return without_padding(dgi, cps.decipher_value(channel.keys, value))
    except ValueError:
        why = f"DGI {dgi:04X} is not whole blocks, or not padded"
        raise Refusal(SW.WRONG_DATA, why, _REF) from None
