"""The SSSE as the kernel sees it: its command table and its own answers (ssse-lb002 3, 4)."""

from sscard.apps.ssse import account, authentication, blocking, pin, pin_management
from sscard.cos.authenticate import AUTHENTICATION
from sscard.cos.basic import FILE_ACCESS
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.getdata import GET_DATA
from sscard.cos.manage import MANAGEMENT
from sscard.cos.policy import Applet, Restriction, plain_fci
from sscard.cos.tree import FileNode
from sscard.cos.writekey import WRITE_KEY
from sscard.iso.sw import SW
from sscard.iso.tlv import encode

__all__ = ["SSSE_APPLET"]


def _table(key_loading: CommandTable) -> CommandTable:
    table = CommandTable("SSSE")
    table.include(AUTHENTICATION, names=("GET CHALLENGE",))
    for commands in (
        authentication.COMMANDS,
        pin.COMMANDS,
        pin_management.COMMANDS,
        account.COMMANDS,
        blocking.COMMANDS,
        FILE_ACCESS,
        GET_DATA,
        MANAGEMENT,
        key_loading,
    ):
        table.include(commands)
    return table


_TABLE = _table(WRITE_KEY)
_RELOADING_TABLE = _table(pin_management.KEY_LOADING)


def table_for(domain: Domain) -> CommandTable:
    """Return the commands of this card: `reload_by_key_load` gives WRITE KEY another form."""
    return _RELOADING_TABLE if domain.options["reload_by_key_load"] == "on" else _TABLE


def fci(domain: Domain, node: FileNode) -> bytes:
    """Return the FCI, with the algorithm marker where the profile asks for it.

    `fci_alg_marker` puts the raw bytes 9F 0C 86 xx at the end of A5: readers look for them as
    a byte string, their nesting is not known. Source: ssse-lb002 3.3.
    """
    marker = domain.options["fci_alg_marker"]
    if marker == "none" or node.parent is not None:
        return plain_fci(domain, node)
    inner = encode(0x88, bytes((node.sfi or 1,))) + b"\x9f\x0c\x86" + bytes.fromhex(marker)
    return encode(0x6F, encode(0x84, node.name) + encode(0xA5, inner))


SSSE_APPLET = Applet(
    name="SSSE",
    table=_TABLE,
    table_for=table_for,
    fci=fci,
    refusals={
        Restriction.BLOCKED: SW.CONDITIONS,
        Restriction.BLOCKED_PERMANENTLY: SW.PERMANENTLY_BLOCKED,
        Restriction.CARD_BLOCKED: SW.NOT_SUPPORTED,
        Restriction.TERMINATED: SW.CONDITIONS,
        Restriction.DAMAGED: SW.MEMORY_FAILURE,
    },
    sm_missing=SW.SECURITY_STATUS,
    challenge_lasts=True,
    default_challenge=True,
    session_messaging=True,
    append_by_update=True,
    failure_revokes=True,
    transaction_lapses=True,
)
