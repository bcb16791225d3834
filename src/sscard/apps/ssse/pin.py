"""The holder's PIN: VERIFY (ssse-lb002 3.7).

The PIN belongs to the SSSE (KID 00, type 01) and is visible from every DFxx beneath it.
"""

from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["COMMANDS"]

COMMANDS = CommandTable("SSSE PIN")

_REF = "ssse-lb002 3.7"
_PIN_LENGTHS = (0, *range(2, 9))


@COMMANDS.command(0x00, 0x20, "VERIFY", p2=None, lc=_PIN_LENGTHS, ref=_REF)
def verify(domain: Domain, command: Command) -> bytes:
    """Compare the holder's PIN; without data, tell how many tries are left.

    Refuses: 6A88 another P2 or no PIN, 6983 blocked, 63Cx wrong, which also takes the PIN's
    right away. A PIN of another length is a wrong PIN.
    """
    key, holder = _pin(domain, command.p2)
    domain.require_tries(key, _REF)
    if not command.data:
        raise Refusal(_tries(domain, key), "no PIN given: the tries left", _REF)
    if not domain.prove(key, lambda: domain.crypto.same(key.value, command.data)):
        domain.revoke(key, holder)
        raise Refusal(_tries(domain, key), "the PIN is wrong", _REF)
    domain.grant(key, holder)
    return b""


def _pin(domain: Domain, reference: int) -> tuple[KeyRecord, FileNode]:
    found = domain.find_key(KeyType.PIN, reference) if reference == 0 else None
    if found is None:
        raise Refusal(SW.DATA_NOT_FOUND, f"there is no PIN {reference:02X}", _REF)
    return found


def _tries(domain: Domain, key: KeyRecord) -> SW:
    if not key.counted:
        return SW.AUTHENTICATION_FAILED
    return SW.tries_left(domain.tries_left(key))
