"""The holder's PIN in the holder's hands: VERIFY and CHANGE PIN (ssse-lb002 3.7).

The PIN belongs to the SSSE (KID 00, type 01) and is visible from every DFxx beneath it.
"""

from sscard.cos.commands import ANY_LC, CommandTable
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["COMMANDS", "holder_pin", "replace_pin", "require_length"]

COMMANDS = CommandTable("SSSE PIN")

_REF = "ssse-lb002 3.7"
_LENGTHS = range(2, 9)
_SEPARATOR = b"\xff"


@COMMANDS.command(0x00, 0x20, "VERIFY", p2=None, lc=(0, *_LENGTHS), ref=_REF)
def verify(domain: Domain, command: Command) -> bytes:
    """Compare the holder's PIN; without data, tell how many tries are left.

    Refuses: 6A88 another P2 or no PIN, 6983 blocked, 63Cx wrong, which also takes the PIN's
    right away. A PIN of another length is a wrong PIN.
    """
    if command.p2:
        raise Refusal(SW.DATA_NOT_FOUND, f"there is no PIN {command.p2:02X}", _REF)
    key, holder = holder_pin(domain)
    domain.require_tries(key, _REF)
    if not command.data:
        raise Refusal(_tries(domain, key), "no PIN given: the tries left", _REF)
    _prove(domain, key, holder, command.data)
    domain.grant(key, holder)
    return b""


@COMMANDS.command(0x80, 0x5E, "CHANGE PIN", p1=(1,), lc=ANY_LC, ref=_REF)
def change_pin(domain: Domain, command: Command) -> bytes:
    """Replace the PIN by a new one, given old || FF || new; the right it gives stays as it was.

    Refuses: 6A88 no PIN, 6983 blocked, then without using a try 6A80 no separator or a new PIN
    outside 2 to 8 bytes; a wrong old PIN counts as in VERIFY.
    """
    key, holder = holder_pin(domain)
    domain.require_tries(key, _REF)
    old, separator, new = command.data.partition(_SEPARATOR)
    if not separator:
        raise Refusal(SW.WRONG_DATA, "no FF separates the old PIN from the new one", _REF)
    require_length(new)
    _prove(domain, key, holder, old)
    replace_pin(domain, key, new)
    return b""


def holder_pin(domain: Domain) -> tuple[KeyRecord, FileNode]:
    """Return the holder's PIN and the directory that has it; 6A88 when there is none."""
    found = domain.find_key(KeyType.PIN, 0)
    if found is None:
        raise Refusal(SW.DATA_NOT_FOUND, "there is no PIN", _REF)
    return found


def replace_pin(domain: Domain, key: KeyRecord, digits: bytes) -> None:
    """Put a new PIN with all its tries into the transaction."""
    tries = key.tries_max if key.counted else key.tries_left
    domain.store.write(key.address, key._replace(value=digits, tries_left=tries).build())
    domain.after_commit(domain.keys.forget)


def require_length(digits: bytes) -> None:
    """Refuse with 6A80 a new PIN of other than 2 to 8 bytes."""
    if len(digits) not in _LENGTHS:
        raise Refusal(SW.WRONG_DATA, "a PIN has 2 to 8 bytes", _REF)


def _prove(domain: Domain, key: KeyRecord, holder: FileNode, digits: bytes) -> None:
    """Spend a try on `digits`; refuse with 63Cx and take the PIN's right away if wrong (T2)."""
    if not domain.prove(key, lambda: domain.crypto.same(key.value, digits)):
        domain.revoke(key, holder)
        raise Refusal(_tries(domain, key), "the PIN is wrong", _REF)


def _tries(domain: Domain, key: KeyRecord) -> SW:
    if not key.counted:
        return SW.AUTHENTICATION_FAILED
    return SW.tries_left(domain.tries_left(key))
