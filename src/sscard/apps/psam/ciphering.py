"""INIT SESSION, INIT_FOR_DESCRYPT and DES_CRYPT: computing with a card's key (cos 7.3).

INIT makes a temporary key; DES_CRYPT enciphers or makes a MAC with it, in one call or several.
Which call may follow which is the table `NEXT`; what is not in it is 6985.
"""

from enum import IntEnum

from sscard.apps.psam.workingkeys import (
    Chaining,
    Enciphering,
    Ready,
    Temporary,
    card_key,
    held,
    visible_keys,
)
from sscard.cos.commands import ANY_LC, CommandTable
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.sam import FACTOR, session_temporary
from sscard.spec.psam import Use, levels, use_of

__all__ = ["COMMANDS", "NEXT", "Mode"]

COMMANDS = CommandTable("PSAM ciphering")

_REF = "cos 7.3"
_MAC = 4


class Mode(IntEnum):
    """P1 of DES_CRYPT."""

    ENCIPHER_LAST = 0x00
    MAC_LAST = 0x01
    ENCIPHER_MORE = 0x02
    MAC_NEXT = 0x03
    MAC_ALONE = 0x05
    MAC_FIRST = 0x07


NEXT: dict[tuple[type[Temporary], Mode], type[Temporary] | None] = {
    (Ready, Mode.ENCIPHER_LAST): None,
    (Ready, Mode.ENCIPHER_MORE): Enciphering,
    (Ready, Mode.MAC_ALONE): None,
    (Ready, Mode.MAC_FIRST): Chaining,
    (Enciphering, Mode.ENCIPHER_MORE): Enciphering,
    (Enciphering, Mode.ENCIPHER_LAST): None,
    (Chaining, Mode.MAC_NEXT): Chaining,
    (Chaining, Mode.MAC_LAST): None,
}
"""(state, P1) -> the state that follows, None when the temporary key dies."""

_ENCIPHER = (Mode.ENCIPHER_LAST, Mode.ENCIPHER_MORE)
_WITH_IV = (Mode.MAC_ALONE, Mode.MAC_FIRST)
_MAC_END = (Mode.MAC_ALONE, Mode.MAC_LAST)


@COMMANDS.command(
    0xBF, 0xDE, "INIT SESSION", p1=None, p2=None, lc=None, ref="cos 7.3; ssse-lb002 5.1"
)
def init_session(domain: Domain, command: Command) -> bytes:
    """Make a session key: factors, card's first, then the session factor.

    The session factor is a cipher block: R of 8 bytes, of an SM4 key R || 00 x 8. P1 is the
    usage byte, P2 the id of the key.
    """
    key, use = _chosen(domain, command)
    block = domain.crypto.block_size(key)
    _require_length(command, FACTOR * levels(key.type) + block)
    factors, factor = command.data[:-block], command.data[-block:]
    domain.crypto.charge(key.algorithm, block)
    temporary = session_temporary(card_key(domain, key, factors), factor)
    domain.session.app = Ready(temporary, use)
    return b""


@COMMANDS.command(0x80, 0x1A, "INIT_FOR_DESCRYPT", p1=None, p2=None, lc=None, ref="cos 7.3")
def init_for_descrypt(domain: Domain, command: Command) -> bytes:
    """Make the card's key itself the temporary key; P1 is the usage byte, P2 the id."""
    key, use = _chosen(domain, command)
    _require_length(command, FACTOR * levels(key.type))
    domain.session.app = Ready(card_key(domain, key, command.data), use)
    return b""


def _chosen(domain: Domain, command: Command) -> tuple[KeyRecord, Use]:
    """Return the key that P1 P2 name; whatever was computed before is over.

    Refuses: 6A88 no such key, 6981 a key that neither enciphers nor makes MACs.
    """
    domain.session.app = None
    for key in visible_keys(domain):
        if (key.type, key.id) == (command.p1, command.p2):
            break
    else:
        raise Refusal(SW.DATA_NOT_FOUND, f"no key {command.p1:02X}/{command.p2:02X}", _REF)
    use = use_of(key.type)
    if use is None or not (use.makes_macs or use.enciphers):
        raise Refusal(SW.WRONG_FILE_KIND, "the key is for other things", "cos 7.2")
    return key, use


def _require_length(command: Command, length: int) -> None:
    if len(command.data) != length:
        raise Refusal(SW.WRONG_LENGTH, f"the factors of this key are {length} bytes", _REF)


@COMMANDS.command(
    0x80, 0xFA, "DES_CRYPT", p1=frozenset(int(mode) for mode in Mode), lc=ANY_LC, ref="cos 7.3"
)
def des_crypt(domain: Domain, command: Command) -> bytes:
    """Encipher whole blocks, or take them into a MAC whose request begins with the IV.

    Refuses: 6985 no INIT before, or a call out of its place; 6981 the key is not for this;
    6700 data that are not whole blocks. A refused call changes nothing.
    """
    mode = Mode(command.p1)
    state = held(domain, Temporary, _REF)
    if (type(state), mode) not in NEXT:
        raise Refusal(SW.CONDITIONS, f"P1 = {mode:02X} has no place here", _REF)
    if not (state.use.enciphers if mode in _ENCIPHER else state.use.makes_macs):
        raise Refusal(SW.WRONG_FILE_KIND, "the key is not for this", "cos 7.2")
    key, data = state.key, command.data
    least = 2 * key.block if mode in _WITH_IV else key.block
    if len(data) % key.block or len(data) < least:
        raise Refusal(SW.WRONG_LENGTH, f"whole blocks are wanted, at least {least} bytes", _REF)
    domain.crypto.charge(key.algorithm, len(data))
    if mode in _ENCIPHER:
        going_on = NEXT[type(state), mode] is not None
        domain.session.app = Enciphering(key, state.use) if going_on else None
        return key.encipher(data)
    if mode in _WITH_IV:
        chained, data = data[: key.block], data[key.block :]
    else:
        assert isinstance(state, Chaining)
        chained = state.state
    if mode in _MAC_END:
        domain.session.app = None
        return _answer(domain, key.mac_end(chained, data))
    domain.session.app = Chaining(key, state.use, key.mac_step(chained, data))
    return b""


def _answer(domain: Domain, mac: bytes) -> bytes:
    return mac if domain.options["psam_mac"] == "block" else mac[:_MAC]
