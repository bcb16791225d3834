"""INTERNAL and EXTERNAL AUTHENTICATE of the SSSE (ssse-lb002 3.8, 4.5)."""

from sscard.cos.authenticate import authenticate
from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["COMMANDS"]

COMMANDS = CommandTable("SSSE authentication")

_SESSION_LENGTH = 16


@COMMANDS.command(0x00, 0x88, "INTERNAL AUTHENTICATE", p2=None, lc=(16,), ref="ssse-lb002 3.8")
def internal_authenticate(domain: Domain, command: Command) -> bytes:
    """Return the 8-byte cryptogram over factor and data under an IRK; P2 = 00 is the IRK."""
    found = domain.find_key(KeyType.INTERNAL_AUTH, command.p2)
    if found is None:
        raise Refusal(SW.DATA_NOT_FOUND, f"no IRK {command.p2:02X}", "ssse-lb002 3.8")
    key, _ = found
    domain.require(key.use, "use of the IRK", "ssse-lb002 3.8")
    return domain.crypto.session_cryptogram(key, command.data[:8], command.data[8:])


@COMMANDS.command(
    0x00,
    0x82,
    "EXTERNAL AUTHENTICATE",
    p2=None,
    lc=None,
    survives=Survives.BLOCKED,
    ref="ssse-lb002 3.8",
)
def external_authenticate(domain: Domain, command: Command) -> bytes:
    """Prove the key P2 names; P2 = 00 the master key of the current directory.

    The quirk `ext_auth_kid00` makes P2 = 00 with Lc 10 another key. Source: ssse-lb002 3.8.
    """
    identifier = command.p2
    quirk = domain.options["ext_auth_kid00"]
    if identifier == 0 and quirk != "mk" and len(command.data) == _SESSION_LENGTH:
        identifier = int(quirk, 16)
    return authenticate(domain, command, identifier)
