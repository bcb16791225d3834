"""The holder's PIN in the issuer's hands: RELOAD PIN and UNBLOCK PIN (ssse-lb002 3.7).

Both want the PUK proved and a MAC under the line protection key of the SSSE, or, with
`pin_sm_key` PUK, under the PUK itself; `sm_mode` says in which form. Neither touches the right
that a proved PIN gives.
"""

from sscard.apps.ssse.pin import holder_pin, replace_pin, require_length
from sscard.apps.ssse.proofs import environment, require_proved, transport_key
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal, Reply
from sscard.cos.secure import protected_command
from sscard.cos.writekey import write_key
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["COMMANDS", "KEY_LOADING"]

COMMANDS = CommandTable("SSSE PIN management")
KEY_LOADING = CommandTable("SSSE key loading, PIN included")
"""WRITE KEY where `reload_by_key_load` is on: `84 D4 00 01` is RELOAD PIN, as one HSM sends it."""

_REF = "ssse-lb002 3.7"
_PUK = 0x06
_UNBLOCK, _RELOAD = 0, 1
_MAC = 4
_LENGTHS = (0x0C, 0x14)
"""One block of 8 bytes, and 16: two of 3DES for a PIN of 8 bytes, or one of SM4."""


@COMMANDS.command(
    0x84,
    0x24,
    "RELOAD PIN / UNBLOCK PIN",
    p2=(_UNBLOCK, _RELOAD),
    lc=(_MAC, *_LENGTHS),
    lc_by_p2={_UNBLOCK: (_MAC,), _RELOAD: _LENGTHS},
    ref=_REF,
)
def reload_or_unblock(domain: Domain, command: Command) -> bytes:
    """Give the PIN all its tries again; with P2 = 01 replace it by the enciphered one first.

    Order: 6700, 6A88 no PIN, PUK or key, 6984, 6983, 6988 or 9303, 6982 PUK, 6A80.
    """
    if command.p2 == _RELOAD:
        return reload_pin(domain, command)
    pin, _ = holder_pin(domain)
    puk = _puk(domain)
    key = _protecting_key(domain, puk)
    protected_command(domain, command, key, session=domain.session_messaging())
    require_proved(domain, puk, "unblocking the PIN", _REF)
    if pin.counted:
        domain.keys.write_tries(pin, pin.tries_max)
    return b""


def reload_pin(domain: Domain, command: Command) -> bytes:
    """Replace the PIN by E(length || PIN || 80 00..), whatever the command's name is."""
    if len(command.data) not in _LENGTHS:
        raise Refusal(SW.WRONG_LENGTH, "the data are not one PIN and a MAC", _REF)
    pin, _ = holder_pin(domain)
    puk = _puk(domain)
    key = _protecting_key(domain, puk)
    if (len(command.data) - _MAC) % domain.crypto.block_size(key):
        raise Refusal(SW.WRONG_LENGTH, "the enciphered PIN is not whole blocks", _REF)
    protection = protected_command(domain, command, key, session=domain.session_messaging())
    require_proved(domain, puk, "reloading the PIN", _REF)
    digits = protection.decipher(command.data[:-_MAC])
    require_length(digits)
    replace_pin(domain, pin, digits)
    return b""


@KEY_LOADING.command(
    0x84, 0xD4, "WRITE KEY", p1=(0, 1), p2=(0, _RELOAD), lc=None, ref="cos 4.3; ssse-lb002 3.2"
)
def load_key_or_pin(domain: Domain, command: Command) -> bytes | Reply:
    """Write a key as everywhere (P2 = 00), or reload the PIN (P1 P2 = 00 01)."""
    if command.p2 != _RELOAD:
        return write_key(domain, command)
    if command.p1:
        raise Refusal(SW.WRONG_P1P2, "a PIN is reloaded with P1 P2 = 00 01", "ssse-lb002 3.2")
    return reload_pin(domain, command)


KEY_LOADING.command(0x80, 0xD4, "WRITE KEY", p1=(0, 1), lc=None, ref="cos 4.3")(write_key)


def _puk(domain: Domain) -> KeyRecord:
    key = domain.keys.find(environment(domain), KeyType.EXTERNAL_AUTH, _PUK)
    if key is None:
        raise Refusal(SW.DATA_NOT_FOUND, "there is no PUK", _REF)
    return key


def _protecting_key(domain: Domain, puk: KeyRecord) -> KeyRecord:
    if domain.options["pin_sm_key"] == "PUK":
        return puk
    return transport_key(domain, environment(domain))
