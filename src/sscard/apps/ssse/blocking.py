"""APPLICATION BLOCK and UNBLOCK, CARD BLOCK of the SSSE (ssse-lb002 3.2, 4.6-4.8).

Who may block is written in the header of the directory, as on the cards the reference took it
from: its `admin` condition names the lock key, LK of an application and BK of the SSSE. The
command itself is protected under the line protection key of that directory, or of the SSSE
where it has none; with `block_mode` mac_with_LK the lock key makes the MAC and nothing else is
asked for.
"""

from collections.abc import Callable

from sscard.apps.ssse.proofs import environment, transport_key
from sscard.cos import access
from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import Domain
from sscard.cos.layout import Block
from sscard.cos.lifecycle import mac_failed, own_block, set_block, unblock, unblock_failed
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.secure import protected_command
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["COMMANDS"]

COMMANDS = CommandTable("SSSE blocking")

_REF = "ssse-lb002 4.7"
_MAC = (4,)
_ADMIN = 2
_TEMPORARY, _PERMANENT = 0, 1


@COMMANDS.command(
    0x84, 0x1E, "APPLICATION BLOCK", p2=(_TEMPORARY, _PERMANENT), lc=_MAC, ref="ssse-lb002 3.2, 4.8"
)
def application_block(domain: Domain, command: Command) -> bytes:
    """Block the current application, the SSSE with all of its own: P2 = 01 for good."""
    _authorise(domain, command, domain.directory)
    set_block(domain, Block.PERMANENT if command.p2 == _PERMANENT else Block.TEMPORARY)
    return b""


@COMMANDS.command(
    0x84,
    0x18,
    "APPLICATION UNBLOCK",
    lc=_MAC,
    survives=Survives.BLOCKED,
    ref="ssse-lb002 3.2, 4.8; cos 5.1",
)
def application_unblock(domain: Domain, command: Command) -> bytes:
    """Lift a temporary block of the current application; the third failure makes it permanent.

    Refuses: 6985 when the application itself is not blocked, whatever the SSSE above it is.
    """
    if own_block(domain) != Block.TEMPORARY:
        raise Refusal(SW.CONDITIONS, "the application is not blocked", "cos 5.1")
    _authorise(domain, command, domain.directory, failed=unblock_failed)
    unblock(domain)
    return b""


@COMMANDS.command(0x84, 0x16, "CARD BLOCK", lc=_MAC, ref="ssse-lb002 3.2, 4.8; cos 3.5")
def card_block(domain: Domain, command: Command) -> bytes:
    """End the SSSE for good, or with `card_block_scope` card the whole card; BK must agree."""
    _authorise(domain, command, environment(domain))
    if domain.lock_card is None:
        domain.write_header(block=Block.CARD)
    else:
        domain.lock_card()
        domain.request_rewiring()
    return b""


def _authorise(
    domain: Domain,
    command: Command,
    directory: FileNode,
    failed: Callable[[Domain], Refusal] = mac_failed,
) -> None:
    """Check the MAC of a command that blocks `directory`, then the proof of its lock key.

    Order: 6A88 no key, 6984, 6983, 6988 or 9303, then 6982. Source: cos 5.3; ssse-lb002 4.7.
    """
    by_lock_key = domain.options["block_mode"] == "mac_with_LK"
    key = _lock_key(domain, directory) if by_lock_key else transport_key(domain, directory)
    protected_command(domain, command, key, session=domain.session_messaging(), failed=failed)
    if by_lock_key:
        return
    own, of_environment = domain.masks()
    if directory is not domain.directory:
        own = of_environment
    word = directory.header.access[_ADMIN]
    if not access.satisfied(word, own, of_environment):
        raise Refusal(SW.SECURITY_STATUS, f"the lock key is not proved ({word:04X})", _REF)


def _lock_key(domain: Domain, directory: FileNode) -> KeyRecord:
    """Return the key whose right the directory's `admin` condition asks for."""
    named = access.single(directory.header.access[_ADMIN])
    if named is not None:
        of_environment, grant = named
        holder = environment(domain) if of_environment else directory
        for key in domain.keys.records(holder):
            if key.type in (KeyType.EXTERNAL_AUTH, KeyType.MASTER) and key.grant == grant:
                return key
    raise Refusal(SW.DATA_NOT_FOUND, "the directory has no lock key", _REF)
