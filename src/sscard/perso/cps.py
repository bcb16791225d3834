"""Personalisation through the secure channel, as EMV CPS has it (pse-pboc 9.1 to 9.3).

The host's end of it: the same profile, but card keys and PIN go in as DGIs 8000 and 8010, and
private keys enciphered. Steps like those of `perso.steps`; `perso.script` chooses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sscard.errors import ProfileError
from sscard.iso.apdu import Command
from sscard.keys import cps
from sscard.keys.block import Algorithm
from sscard.keys.cps import ChannelKeys
from sscard.keys.diversify import kcv
from sscard.keys.mac import ZERO8
from sscard.keys.padding import pad80, pad80_if_needed
from sscard.perso.model import Channel, Directory, Key
from sscard.perso.steps import Step, Steps
from sscard.spec import dgis as numbers
from sscard.spec.codes import KEY_FLAG_PROTECTED, KEY_TYPES

__all__ = ["Dgis", "Session", "by_dgi", "card_dgis", "host_session", "store_in_channel"]

HOST_RANDOM = bytes(range(8))
"""The same every time, so that a script is; a bureau with real keys draws its own."""

_INITIALIZE_ANSWER = 28
_KEYS = ("ac", "mac", "enc")
_LC_MOST, _MAC = 255, 8
_ALL_ENCRYPTED, _LAST = 0x60, 0x80
_C_MAC, _C_ENC = 0x01, 0x03
_CHANGE_MASTER = 0x8F00
_UNLIMITED, _NO_GRANT = 0xFF, 0xFF

Dgis = tuple[tuple[int, bytes], ...]


# ---- what goes in as a DGI -----------------------------------------------------------------------


def by_dgi(directory: Directory) -> tuple[Key, ...]:
    """Return the keys and PIN that DGIs 8000 and 8010 bring: those a card makes just so.

    A DGI brings a value alone. A key with another id, limit or condition than the card gives
    goes in by WRITE KEY.
    """
    held = [directory.key(KEY_TYPES[word], 1) for word in _KEYS]
    keys = tuple(key for key in held if key is not None and _usual(key, _UNLIMITED))
    pin = directory.pin
    found = keys if len(keys) == len(_KEYS) else ()
    block = pin is not None and len(pin.value) == 8 and _usual(pin, pin.tries)
    return (*found, pin) if block and pin is not None else found


def _usual(key: Key, tries: int) -> bool:
    return (key.version, key.algorithm, key.tries, key.grant, key.use, key.change, key.flags) == (
        1,
        Algorithm.TDES,
        tries,
        _NO_GRANT,
        0,
        _CHANGE_MASTER,
        KEY_FLAG_PROTECTED,
    )


def card_dgis(directory: Directory) -> Dgis:
    """Return all DGIs of a directory in order: its own, card keys and PIN before private keys."""
    chosen = by_dgi(directory)
    keys = [key for key in chosen if key.type != KEY_TYPES["pin"]]
    pin = next((key for key in chosen if key.type == KEY_TYPES["pin"]), None)
    added: list[tuple[int, bytes]] = []
    if keys:
        checks = b"".join(kcv(key.algorithm, key.value) for key in keys)
        added += [(numbers.CARD_KEYS, b"".join(key.value for key in keys))]
        added += [(numbers.KEY_CHECK_VALUES, checks)]
    if pin is not None:
        tries = bytes((pin.tries & 0x0F, pin.tries >> 4))
        added += [(numbers.PIN, pin.value), (numbers.PIN_TRIES, tries)]
    own = directory.dgis
    plain = [row for row in own if row[0] not in numbers.PRIVATE_KEYS]
    private = [row for row in own if row[0] in numbers.PRIVATE_KEYS]
    given = dict(own)
    return (*plain, *(row for row in added if row[0] not in given), *private)


# ---- the channel ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Session:
    """The host's end of an open channel: session keys, level, the last C-MAC."""

    keys: ChannelKeys
    level: int
    last_mac: bytes
    encrypts_icv: bool = False

    @property
    def room(self) -> int:
        """Bytes of DGIs a command takes beside its MAC, and enciphered."""
        if self.level == _C_ENC:
            return (_LC_MOST - _MAC) // 8 * 8 - 1
        return _LC_MOST - _MAC if self.level else _LC_MOST

    def protected(self, command: Command) -> Command:
        """Return a command as the level wants it; `command` is of class 80. Source: 9.1."""
        if not self.level:
            return command
        icv = cps.encrypt_icv(self.keys, self.last_mac) if self.encrypts_icv else self.last_mac
        command = command._replace(cla=command.cla | 0x04)
        lc = bytes((len(command.data) + _MAC,))
        self.last_mac = cps.c_mac(self.keys, icv, command.header + lc + command.data)
        data = command.data
        if self.level == _C_ENC:
            data = cps.encipher_command(self.keys, data)
        return command._replace(data=data + self.last_mac)


class _Opening(NamedTuple):
    """The answer of INITIALIZE UPDATE."""

    key_data: bytes
    sequence: int
    card_random: bytes
    cryptogram: bytes


def host_session(channel: Channel, answer: bytes, host_random: bytes) -> tuple[Session, Command]:
    """Return the host's session and its EXTERNAL AUTHENTICATE, for an INITIALIZE UPDATE answer.

    Errors: ProfileError when the card does not know the keys of the profile's KMC.
    """
    opening = _opening(answer)
    if opening is None or opening.key_data != channel.key_data:
        raise ProfileError("the card's KEYDATA is not that of the profile's KMC identifier and ATR")
    keys = cps.session_keys(channel.card_keys, opening.sequence)
    parts = (host_random, opening.sequence, opening.card_random)
    if cps.card_cryptogram(keys, *parts) != opening.cryptogram:
        raise ProfileError("the card's cryptogram is wrong: it has the keys of another KMC")
    command = Command(0x84, 0x82, channel.level, 0x00, cps.host_cryptogram(keys, *parts))
    mac = cps.c_mac(keys, ZERO8, command.header + bytes((2 * _MAC,)) + command.data)
    session = Session(keys, channel.level, mac)
    return session, command._replace(data=command.data + mac)


def _opening(answer: bytes) -> _Opening | None:
    if len(answer) != _INITIALIZE_ANSWER:
        return None
    return _Opening(answer[:10], int.from_bytes(answer[12:14], "big"), answer[14:20], answer[20:])


def store_in_channel(
    name: str, channel: Channel, dgis: Dgis, *, encrypts_icv: bool = False
) -> Steps:
    """Open a channel in the current directory and store DGIs, the last block as the last.

    Secrets go enciphered in blocks of their own, P1 b7b6 = 11; a DGI longer than a block goes on
    in the next. Source: pse-pboc 9.
    """
    if not dgis:
        return
    initialize = Command(0x80, 0x50, channel.version, 0x00, HOST_RANDOM, le=256)
    answer = yield Step(f"initialize update of {name}", initialize)
    if not answer:  # a T=0 line holds it back
        response = Command(0x00, 0xC0, 0x00, 0x00, le=_INITIALIZE_ANSWER)
        answer = yield Step("get response", response)
    session, command = host_session(channel, answer, HOST_RANDOM)
    session.encrypts_icv = encrypts_icv
    yield Step(f"authenticate host to {name}", command)
    blocks = list(_blocks(session, dgis))
    for number, (dgi, p1, data) in enumerate(blocks):
        last = _LAST if number == len(blocks) - 1 else 0
        command = Command(0x80, 0xE2, p1 | last, number & 0xFF, data)
        secret = dgi in numbers.SECRETS
        yield Step(f"store {dgi:04X} of {name}", session.protected(command), secret=secret)


def _blocks(session: Session, dgis: Dgis) -> Iterator[tuple[int, int, bytes]]:
    """Yield the blocks of each DGI: its number, P1, the part of it."""
    for dgi, value in dgis:
        p1 = 0
        sent = value
        if dgi in numbers.SECRETS:
            p1 = _ALL_ENCRYPTED
            padded = pad80(value, 8) if dgi in numbers.PRIVATE_KEYS else pad80_if_needed(value, 8)
            sent = cps.encipher_value(session.keys, padded)
        size = len(sent)
        length = bytes((size,)) if size < 0xFF else b"\xff" + size.to_bytes(2, "big")
        whole = dgi.to_bytes(2, "big") + length + sent
        for at in range(0, len(whole), session.room):
            yield dgi, p1, whole[at : at + session.room]
